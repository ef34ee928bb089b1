"""Scores as z = logit(score), exact histograms of them, and strata of documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

SCORE_COLUMNS = {
    "ai_text": "ai_text_score",
    "raw_text": "raw_text_score",
    "translation": "translation_score",
    "machine_translation": "machine_translation_score",
}
# No archive captured pages before; an older capture time (1970, 0001) stands for one that is not known.
FIRST_CAPTURES = datetime(1995, 1, 1, tzinfo=UTC)
Z_LIMIT = 10.0  # a float32 score tells values of z apart up to about 15
BINS_PER_UNIT = 50
LENGTH_EDGES = (50, 100, 200)  # words; the text models read 250 at most
LENGTH_NAMES = ("1-49", "50-99", "100-199", "200+")

# Fields that a level compares, finest first; years are pooled at every level. Page type before length: on web pages the
# means of human text lie up to 0.8 apart by page type, by length 0.1. Never across languages: each has its own scale.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("language", "page_type", "length"),
    ("language", "page_type"),
    ("language", "length"),
    ("language",),
)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts of z by bin, sparse: bin b holds z in [b, b + 1) / BINS_PER_UNIT; `bins` ascend, `counts` are positive."""

    bins: Int
    counts: Int

    @classmethod
    def of(cls, z: npt.ArrayLike) -> Histogram:
        """The histogram of finite values, clipped to +-Z_LIMIT."""
        values = np.asarray(z, dtype=np.float64)
        bins, counts = np.unique(bin_of(values[np.isfinite(values)]), return_counts=True)
        return cls(bins.astype(np.int64), counts.astype(np.int64))

    @classmethod
    def sum(cls, parts: Sequence[Histogram]) -> Histogram:
        """All of them together."""
        if len(parts) == 1:
            return parts[0]
        bins, place = np.unique(np.concatenate([_NONE, *(p.bins for p in parts)]), return_inverse=True)
        counts = np.zeros(len(bins), dtype=np.int64)
        np.add.at(counts, place, np.concatenate([_NONE, *(p.counts for p in parts)]))
        return cls(bins, counts)

    @property
    def n(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def centres(self) -> Float:
        """Middle of every bin, in z."""
        return (self.bins + 0.5) / BINS_PER_UNIT

    def mean(self) -> float:
        """Mean of z, to half a bin; NaN when empty."""
        return float(self.centres @ self.counts / self.n) if self.n else float("nan")

    def variance(self) -> float:
        """Unbiased variance of z; NaN below two values."""
        if self.n < 2:
            return float("nan")
        return float((self.centres - self.mean()) ** 2 @ self.counts / (self.n - 1))

    def order_statistic(self, rank: int) -> float:
        """Upper edge of the bin of the `rank`-th smallest value, counted from 1: at least the value itself.

        Raises:
            ValueError: no such rank.
        """
        if not 1 <= rank <= self.n:
            raise ValueError(f"rank {rank} of {self.n} values")
        place = int(np.searchsorted(np.cumsum(self.counts), rank))
        return float((self.bins[place] + 1) / BINS_PER_UNIT)


_NONE: Int = np.zeros(0, dtype=np.int64)
EMPTY = Histogram(_NONE, _NONE)


def bin_of(z: Float) -> Int:
    """Bin of every value."""
    limit = int(Z_LIMIT * BINS_PER_UNIT)
    bins: Int = np.clip(np.floor(z * BINS_PER_UNIT), -limit, limit - 1).astype(np.int64)
    return bins


def z_of_scores(scores: pa.Array | npt.ArrayLike) -> Float:
    """z = logit(score), clipped to +-Z_LIMIT; NaN where the score is null or not a number."""
    if isinstance(scores, (pa.Array, pa.ChunkedArray)):
        scores = scores.to_numpy(zero_copy_only=False) if isinstance(scores, pa.Array) else scores.to_numpy()
    values = np.asarray(scores, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Float = np.log(values) - np.log1p(-values)
    return np.clip(z, -Z_LIMIT, Z_LIMIT)


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Stratum of every row, years left out: codes into a list of distinct (language, page type, length)."""

    keys: list[tuple[str | None, str | None, int]]
    codes: Int

    @classmethod
    def of(
        cls, languages: Sequence[str | None], page_types: Sequence[str | None] | None, words: npt.ArrayLike
    ) -> Strata:
        """From columns of one length: language (the script is dropped), page type (None: all unknown), words."""
        lengths = np.searchsorted(np.array(LENGTH_EDGES), np.asarray(words), side="right").tolist()
        types: Sequence[str | None] = [None] * len(lengths) if page_types is None else page_types
        found: dict[tuple[str | None, str | None, int], int] = {}
        codes = [
            found.setdefault((language.partition("_")[0] if language else None, kind or None, length), len(found))
            for language, kind, length in zip(languages, types, lengths, strict=True)
        ]
        return cls(list(found), np.array(codes, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.codes)
