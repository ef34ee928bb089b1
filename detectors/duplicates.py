"""Content hash, MinHash signature and sketch of each document: what exact and near duplicates are matched by."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from detectors.api import FeatureCache, Signals
from detectors.features import datatrove_minhash, minhash
from detectors.features import sketch as sketches
from detectors.features.tokens import KIND_WORD, TOKENS_VERSION, Tokens, tokens, unicode_version, warm

HEADWATER, DATATROVE = "headwater", "datatrove"  # schemes of the signature
NO_SHAPE = minhash.Shape(0, 0)


class Duplicates:
    """Keys of the text of a page.

    Outputs: `content_hash` (16 bytes, xxh3-128 of the words: equal for texts that differ only in case, spaces and
    the punctuation between words), `minhash` (little-endian uint32 per permutation), `sketch` (the `sketch` smallest
    distinct shingle hashes, sorted, little-endian uint32), `shingles` (number of distinct shingles) and `words` (number
    of words). All but `words` are null for a text without words. Shingles depend on the language that the language
    detector found, see `detectors.features.minhash`. Under the scheme `datatrove`, `minhash` is little-endian uint64
    per permutation and equals datatrove's signature; null for a text of less than five tokens. The sketch is ours.
    """

    def __init__(
        self,
        shape: str = minhash.DEFAULT_SHAPE,
        seed: int = 1,
        sketch: int = sketches.DEFAULT_SIZE,
        shingle: Mapping[str, Any] | None = None,
        scheme: str = HEADWATER,
    ) -> None:
        if scheme not in (HEADWATER, DATATROVE):
            raise ValueError(f"expected scheme {HEADWATER} or {DATATROVE}, found {scheme}")
        self.name = "duplicates"
        self.version = 2
        self.shape = minhash.SHAPES[shape]
        self.seed = seed
        self.sketch = sketch
        self.shingles = shingles_of(shingle or {})
        self.scheme = scheme
        self._tokenizer: datatrove_minhash.Tokenizer | None = None
        self.columns = frozenset({"text"})
        self.outputs: Mapping[str, pa.DataType] = {
            "content_hash": pa.binary(16),
            "minhash": pa.binary((8 if scheme == DATATROVE else 4) * self.shape.size),
            "sketch": pa.binary(),
            "shingles": pa.int32(),
            "words": pa.int32(),
        }

    def setup(self) -> None:
        """Compile or load native code, and spaCy for the scheme `datatrove`.

        Raises:
            SpacyMissingError: the scheme is `datatrove` and spaCy is not installed.
        """
        warm()
        if self.scheme == DATATROVE and self._tokenizer is None:
            self._tokenizer = datatrove_minhash.Tokenizer(datatrove_minhash.load_tokenizer())
            datatrove_minhash.signatures(["warm up"], self._tokenizer, self.shape, self.seed)

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Keys of the batch; no evidence."""
        found = tokens(features)
        shape = self.shape if self._tokenizer is None else NO_SHAPE
        keys = minhash.keys(found, shape, self.seed, self.sketch, self.shingles.of(features.languages()))
        valid = keys.words > 0
        signatures = fixed_binary(keys.signatures.astype("<u4", copy=False), valid)
        if self._tokenizer is not None:
            theirs, long_enough = datatrove_minhash.signatures(
                features.column("text"), self._tokenizer, self.shape, self.seed
            )
            signatures = fixed_binary(theirs.astype("<u8", copy=False), long_enough)
        columns = {
            "content_hash": pa.array(content_hashes(found), type=pa.binary(16)),
            "minhash": signatures,
            "sketch": sketches.sketch_array(keys.sketch, keys.sketch_start, valid),
            "shingles": pa.array(keys.shingles, type=pa.int32(), mask=~valid),
            "words": pa.array(keys.words, type=pa.int32()),
        }
        return Signals(columns)

    def __getstate__(self) -> dict[str, Any]:
        """Without what `setup` loaded."""
        return {**self.__dict__, "_tokenizer": None}

    def parameters(self) -> Mapping[str, Any]:
        """The options, shingles of each language, and the versions of the tokeniser and its character data."""
        return {
            "shape": str(self.shape),
            "seed": self.seed,
            "sketch": self.sketch,
            "shingle": self.shingles.default,
            "language_shingles": dict(sorted(self.shingles.languages.items())),
            "tokens": TOKENS_VERSION,
            "unicode": unicode_version(),
            "scheme": self.scheme,
            **(datatrove_minhash.versions() if self.scheme == DATATROVE else {}),
        }


def shingles_of(options: Mapping[str, Any]) -> minhash.Shingles:
    """Shingles of `unit`, `size`, and `languages` with the same two; shipped ones of languages not named there.

    Raises:
        ValueError: an unknown unit, or a size below one.
    """
    named = {code: minhash.Shingle(**values) for code, values in options.get("languages", {}).items()}
    default = minhash.Shingle(**{name: options[name] for name in ("unit", "size") if name in options})
    return minhash.Shingles(default, {**minhash.LANGUAGE_SHINGLES, **named})


def content_hashes(found: Tokens) -> list[bytes | None]:
    """xxh3-128 over the little-endian 64-bit hashes of the folded words, by document; null without words."""
    is_word = (found.kind & KIND_WORD) != 0
    words = found.hash[is_word].astype("<u8", copy=False)
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(is_word)))[found.doc_token].tolist()
    view = memoryview(words.tobytes())
    return [
        xxhash.xxh3_128_digest(view[8 * first : 8 * last]) if last > first else None for first, last in pairwise(bounds)
    ]


def fixed_binary(rows: np.ndarray[Any, Any], valid: np.ndarray[Any, Any]) -> pa.Array:
    """Rows of a C-ordered matrix as fixed-size binary; null where not `valid`."""
    kind = pa.binary(rows.shape[1] * rows.itemsize)
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(rows), [bitmap, pa.py_buffer(np.ascontiguousarray(rows))])
