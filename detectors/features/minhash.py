"""MinHash signatures of word 5-grams, computed from the token array.

A shingle is five consecutive words, case-folded, symbols ignored; a text of one to four words is one shingle of all its
words; a text without words has no signature. The 32-bit shingle hash is ours (`detectors.features._kernels`), the
permutations are those of datasketch 2 (scheme `affine32`, same `seed`): given the same shingle hashes, signatures
equal `datasketch.MinHash(num_perm, seed).hashvalues`. datasketch 1.6 (scheme `legacy`) differs: its fold from 61 to 32
bits overestimates the similarity of large sets (datasketch issue 212).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Int32, Int64, Tokens, UInt32, UInt64

WORDS_PER_SHINGLE = 5  # Lee et al. 2022 (arXiv 2107.06499), FineWeb


@dataclass(frozen=True, slots=True)
class Shape:
    """Bands and rows of the index; `bands * rows` permutations."""

    bands: int
    rows: int

    @property
    def size(self) -> int:
        """Number of permutations."""
        return self.bands * self.rows

    def __str__(self) -> str:
        return f"{self.bands}x{self.rows}"


# FineWeb (arXiv 2406.17557); NeMo Curator; duplodocus as run for Dolma 3; HPLT.
SHAPES = {name: Shape(*map(int, name.split("x"))) for name in ("14x8", "20x13", "26x11", "17x15")}
DEFAULT_SHAPE = "14x8"


@lru_cache(maxsize=16)
def permutations(size: int, seed: int = 1) -> tuple[UInt32, UInt32]:
    """Multipliers (odd) and addends of datasketch's scheme `affine32`: h -> (a * fmix32(h) + b) mod 2^32."""
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, size, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, size, dtype=np.uint32)
    return a, b


@dataclass(frozen=True, slots=True)
class Keys:
    """What one pass over the shingles of a batch gives, a row a document."""

    signatures: UInt32  # documents x permutations; all 2^32 - 1, and invalid, without words
    words: Int32
    shingles: Int32  # distinct ones
    sketch: UInt32  # the smallest shingle hashes of all documents, one document after the other, sorted in each
    sketch_start: Int64  # documents + 1


def keys(tokens: Tokens, shape: Shape, seed: int = 1, sketch: int = 0) -> Keys:
    """Signatures, and sketches of at most `sketch` shingle hashes (`detectors.features.sketch`)."""
    from detectors.features import _kernels

    a, b = permutations(shape.size, seed)
    docs = tokens.docs
    room = int(np.minimum(np.diff(tokens.doc_token), sketch).sum())  # touched only where filled
    found = Keys(
        signatures=np.empty((docs, shape.size), np.uint32),
        words=np.empty(docs, np.int32),
        shingles=np.empty(docs, np.int32),
        sketch=np.empty(room, np.uint32),
        sketch_start=np.empty(docs + 1, np.int64),
    )
    _kernels.minhash(
        tokens.hash, tokens.kind, tokens.doc_token, a, b, WORDS_PER_SHINGLE, sketch,
        found.signatures, found.words, found.shingles, found.sketch, found.sketch_start,
    )  # fmt: skip
    return found


def signatures(tokens: Tokens, shape: Shape, seed: int = 1) -> UInt32:
    """Signatures (documents x permutations). Rows of documents without words are all 2^32 - 1 and invalid."""
    return keys(tokens, shape, seed).signatures


def band_keys(signatures: npt.NDArray[np.uint32], shape: Shape) -> UInt64:
    """Keys (documents x bands): equal only for equal rows in the same band (64 bits)."""
    from detectors.features import _kernels

    out = np.empty((len(signatures), shape.bands), dtype=np.uint64)
    _kernels.band_hashes(np.ascontiguousarray(signatures, dtype=np.uint32), shape.bands, shape.rows, out)
    return out


def estimate(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> float:
    """Estimated Jaccard similarity of two signatures, in [0, 1]."""
    return float(np.mean(first == second))


def probability(jaccard: float, bands: int, rows: int) -> float:
    """Probability that two texts of that Jaccard similarity share a band."""
    return float(1.0 - (1.0 - jaccard**rows) ** bands)
