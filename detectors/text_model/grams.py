"""Hashed n-grams of canonical text: characters within words, words and symbols, and distorted text.

Distortion keeps the frequent words of the lexicon and shows all others by their suffix: style stays, topic goes. An
n-gram's bucket is its hash modulo a power of two; its value is the square root of its count, and a document's values
have length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Int64, UInt32, UInt64, character_table
from detectors.text_model.lexicon import Lexicon
from detectors.text_model.units import Units

GRAMS_VERSION = 1
Kind = Literal["distorted", "characters", "words"]
KINDS: tuple[Kind, ...] = ("distorted", "characters", "words")


@dataclass(frozen=True, slots=True)
class GramSpec:
    """Which n-grams: kind, shortest and longest, and the number of buckets as a power of two."""

    kind: Kind
    low: int
    high: int
    bits: int


@dataclass(frozen=True, slots=True)
class Grams:
    """N-grams of a batch: document d has the entries `indptr[d]:indptr[d + 1]`, each bucket once."""

    indptr: Int64
    bucket: UInt32
    count: npt.NDArray[np.uint16]
    bits: int

    def values(self) -> npt.NDArray[np.float32]:
        """Value of each entry: square root of the count, over the document's length."""
        squares = np.concatenate((np.zeros(1), np.cumsum(self.count, dtype=np.float64)))
        totals = squares[self.indptr[1:]] - squares[self.indptr[:-1]]
        norm = np.repeat(np.sqrt(np.maximum(totals, 1)), np.diff(self.indptr))
        result: npt.NDArray[np.float32] = (np.sqrt(self.count) / norm).astype(np.float32)
        return result


def count_grams(units: Units, lexicon: Lexicon, spec: GramSpec) -> Grams:
    """N-grams of each document. `lexicon` matters for distorted ones only."""
    from detectors.text_model import _grams

    mask = (1 << spec.bits) - 1
    lengths = spec.high - spec.low + 1
    indptr = np.zeros(units.docs + 1, np.int64)
    if spec.kind == "characters":
        most = lengths * (len(units.canonical.chars) + 2 * units.docs)
        buckets, counts = np.empty(most, np.uint32), np.empty(most, np.uint16)
        n = _grams.characters(
            units.canonical.chars, units.canonical.doc_start, character_table()[1], spec.low, spec.high, mask,
            buckets, counts, indptr,
        )  # fmt: skip
    else:
        values: UInt64 = units.hash
        if spec.kind == "distorted":
            values = np.empty(len(units.hash), np.uint64)
            _grams.distort(units.hash, units.kind, units.entry, units.suffix, lexicon.frequent, values)
        most = lengths * len(values)
        buckets, counts = np.empty(most, np.uint32), np.empty(most, np.uint16)
        n = _grams.sequences(values, units.doc_unit, spec.low, spec.high, mask, buckets, counts, indptr)
    return Grams(indptr, buckets[:n].copy(), counts[:n].copy(), spec.bits)


def linear_scores(
    grams: Grams, weights: npt.NDArray[np.int8], scales: npt.NDArray[np.float64], offsets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Documents x models: `weights` (buckets x models) times the values, times `scales`, plus `offsets`.

    Sums run in the order of the text, so a document's scores do not depend on the batch that it is in.
    """
    from detectors.text_model import _grams

    found = np.zeros((len(grams.indptr) - 1, weights.shape[1]), np.float64)
    _grams.dot(grams.indptr, grams.bucket, grams.count, weights, scales, offsets, found)
    return found
