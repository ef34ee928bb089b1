"""The detector of duplicate keys."""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from detectors.api import Detector, FeatureCache, Signals, fingerprint, run_detectors
from detectors.duplicates import Duplicates
from detectors.features import minhash
from detectors.features.tokens import tokenise
from detectors.laws import check_laws
from pipeline.annotate import detector_options
from schemas.config import CurateConfig, DuplicatePolicy, Policy

TEXTS = ["Hello, World!", "hello\n world", "hello world again", "", "...", "日本語", "a b c d e f g"]


def run(texts: list[str], shape: str = "14x8") -> dict[str, pa.Array]:
    batch = pa.record_batch({"text": pa.array(texts, pa.string())})
    return dict(run_detectors([Duplicates(shape)], batch).columns)


def test_outputs() -> None:
    found = run(TEXTS)
    detector = Duplicates()
    assert isinstance(detector, Detector)
    assert {name: column.type for name, column in found.items()} == detector.outputs
    assert found["words"].to_pylist() == [2, 2, 3, 0, 0, 3, 7]
    hashes = found["content_hash"].to_pylist()
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] is hashes[4] is None
    assert found["minhash"].null_count == found["sketch"].null_count == found["shingles"].null_count == 2
    assert found["shingles"].to_pylist() == [1, 1, 1, None, None, 1, 3]
    assert [value and len(value) // 4 for value in found["sketch"].to_pylist()] == [1, 1, 1, None, None, 1, 3]
    for column in found.values():
        column.validate(full=True)


def test_content_hash_is_xxh3_of_the_word_hashes() -> None:
    words = tokenise(["hello world"]).words(0)
    assert run(["Hello, World!"])["content_hash"][0].as_py() == xxhash.xxh3_128_digest(words.astype("<u8").tobytes())


@pytest.mark.parametrize("shape", minhash.SHAPES)
def test_signature_bytes(shape: str) -> None:
    column = run(TEXTS, shape)["minhash"]
    rows = minhash.signatures(tokenise(TEXTS), minhash.SHAPES[shape])
    for i, value in enumerate(column.to_pylist()):
        if value is not None:
            assert np.array_equal(np.frombuffer(value, "<u4"), rows[i])


@pytest.mark.parametrize("at", range(len(TEXTS) + 1))
def test_row_local(at: int) -> None:
    whole = run(TEXTS)
    first, second = run(TEXTS[:at]), run(TEXTS[at:])
    for name, column in whole.items():
        assert column.to_pylist() == first[name].to_pylist() + second[name].to_pylist()


def test_the_size_of_the_sketch() -> None:
    batch = pa.record_batch({"text": pa.array(TEXTS, pa.string())})
    whole = run(TEXTS)["sketch"].to_pylist()
    short = run_detectors([Duplicates(sketch=2)], batch).columns
    assert [value and value[:8] for value in whole] == short["sketch"].to_pylist()
    assert short["shingles"].to_pylist()[-1] == 3
    assert fingerprint(Duplicates()) != fingerprint(Duplicates(sketch=2))


class Labelled:
    """Says of each row what its address says."""

    name, version, columns = "labelled", 1, frozenset({"url"})
    outputs: ClassVar[Any] = {"language": pa.string()}

    def setup(self) -> None:
        pass

    def parameters(self) -> dict[str, Any]:
        return {}

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        return Signals({"language": batch.column("url")})


CHINESE = "敏捷的棕色狐狸跳过了懒狗然后跑掉了"  # of seventeen letters


def labelled(detector: Duplicates, rows: list[tuple[str, str | None]]) -> dict[str, list[Any]]:
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    batch = pa.record_batch({"text": pa.array(texts, pa.string()), "url": pa.array(labels, pa.string())})
    return {name: column.to_pylist() for name, column in run_detectors([Labelled(), detector], batch).columns.items()}


def test_shingles_by_language() -> None:
    rows = [(CHINESE, "zho_Hans"), (CHINESE, None), (CHINESE, "jpn"), ("a b c d e f g", "eng_Latn"), (CHINESE, "")]
    assert labelled(Duplicates(), rows)["shingles"] == [10, 13, 6, 3, 13]
    options = {"unit": "characters", "size": 4, "languages": {"zho": {"unit": "words", "size": 2}}}
    found = labelled(Duplicates(shingle=options), rows)
    assert found["shingles"] == [16, 14, 6, 10, 14]  # what the options do not name stays as shipped
    assert found["words"] == [17, 17, 17, 7, 17]
    for at in range(len(rows) + 1):  # row-local, with languages
        first, second = (
            labelled(Duplicates(shingle=options), rows[:at]),
            labelled(Duplicates(shingle=options), rows[at:]),
        )
        assert found == {name: first[name] + second[name] for name in found}


def test_the_configuration_reaches_the_detector() -> None:
    policy = DuplicatePolicy(sketch=64, shape="20x13", shingle={"size": 7, "languages": {"tha": {"size": 9}}})
    config = CurateConfig(policy=Policy(duplicates=policy))
    made = Duplicates(**detector_options(config)["duplicates"])
    assert (made.sketch, str(made.shape), made.shingles.default.size) == (64, "20x13", 7)
    assert made.shingles.languages["tha"] == minhash.Shingle("words", 9)
    assert made.shingles.languages["zho"] == minhash.Shingle("words", 8)
    plain = Duplicates(**detector_options(CurateConfig())["duplicates"])
    assert fingerprint(plain) == fingerprint(Duplicates()) != fingerprint(made)


@pytest.mark.parametrize("shingle", [{"unit": "letters"}, {"size": 0}, {"languages": {"tha": {"size": -1}}}])
def test_shingles_that_there_are_not(shingle: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected words or characters"):
        Duplicates(shingle=shingle)


@pytest.mark.full
def test_laws_hold_for_characters() -> None:
    check_laws(Duplicates("14x8", 1, 16, {"unit": "characters", "size": 64}), processes=False)


def test_fingerprint_and_pickle() -> None:
    assert fingerprint(Duplicates()) != fingerprint(Duplicates("20x13")) != fingerprint(Duplicates("20x13", seed=2))
    copy = pickle.loads(pickle.dumps(Duplicates("17x15")))  # noqa: S301
    copy.setup()
    assert fingerprint(copy) == fingerprint(Duplicates("17x15"))
    batch = pa.record_batch({"text": pa.array([], pa.string())})
    assert len(copy(batch, FeatureCache(batch)).columns["minhash"]) == 0
