"""Counters that stay small however long the run is."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class CappedCounter(Generic[K]):
    """Counts by key. Over `limit` keys the rarer half is folded into the rest, and `exact` is False from then on."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: Counter[K] = Counter()
        self.total = 0
        self.exact = True

    def add(self, key: K, count: int = 1) -> None:
        """Count a key."""
        self._counts[key] += count
        self.total += count
        if len(self._counts) > self._limit:
            self._counts = Counter(dict(self._ranked()[: self._limit // 2]))
            self.exact = False

    def add_values(self, values: pa.Array) -> None:
        """Count every value of a column."""
        for entry in pc.value_counts(values).to_pylist():
            self.add(entry["values"], entry["counts"])

    def _ranked(self) -> list[tuple[K, int]]:
        return sorted(self._counts.items(), key=lambda item: (-item[1], str(item[0])))

    def __len__(self) -> int:
        return len(self._counts)

    def items(self) -> list[tuple[K, int]]:
        """Keys and counts, largest first, then by key."""
        return self._ranked()

    def top(self, rows: int) -> dict[str, Any]:
        """The `rows` largest, the sum of the rest, and how many keys there are beside None (None if not exact)."""
        ranked = self._ranked()
        shown = [{"key": key, "documents": count} for key, count in ranked[:rows]]
        return {
            "rows": shown,
            "rest": self.total - sum(count for _, count in ranked[:rows]),
            "distinct": sum(key is not None for key, _ in ranked) if self.exact else None,
        }


class Best(Generic[T]):
    """The `size` smallest by sort key; `build` is called only for what gets in."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: list[tuple[Any, T]] = []

    def offer(self, key: Any, build: Callable[[], T]) -> None:
        """Hold what `build` returns if its key is among the smallest."""
        if len(self._held) == self._size and key >= self._held[-1][0]:
            return
        self._held.append((key, build()))
        self._held = heapq.nsmallest(self._size, self._held, key=lambda entry: entry[0])

    def values(self) -> list[T]:
        """What is held, smallest key first."""
        return [value for _, value in self._held]


class Lengths:
    """Lengths in characters: histogram by power of two and quantiles, exact below about a million characters."""

    CEILING = 1 << 20

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(self.CEILING + 1, np.int64)
        self._long: Counter[int] = Counter()  # by power of two
        self.characters = 0
        self.largest = 0

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count the lengths of a batch."""
        if not len(lengths):
            return
        self.characters += int(lengths.sum())
        self.largest = max(self.largest, int(lengths.max()))
        short = np.minimum(lengths, self.CEILING)
        np.add.at(self._counts, short, 1)
        self._long.update(int(length).bit_length() - 1 for length in lengths[lengths >= self.CEILING])

    def bins(self) -> list[dict[str, int]]:
        """Bins [from, to] with documents, without gaps between the first and the last."""
        by_power: dict[int, int] = {-1: int(self._counts[0])}
        for power in range(self.CEILING.bit_length() - 1):
            by_power[power] = int(self._counts[1 << power : 1 << (power + 1)].sum())
        by_power.update(self._long)
        used = [power for power, count in by_power.items() if count]
        if not used:
            return []
        return [
            {
                "from": 0 if power < 0 else 1 << power,
                "to": 0 if power < 0 else (1 << (power + 1)) - 1,
                "documents": by_power.get(power, 0),
            }
            for power in range(min(used), max(used) + 1)
        ]

    def quantile(self, share: float) -> int | None:
        """Smallest length that at least `share` of the documents do not exceed; None over the ceiling."""
        total = int(self._counts.sum())
        if not total:
            return None
        at = int(np.searchsorted(np.cumsum(self._counts), max(1, int(np.ceil(share * total)))))
        return at if at < self.CEILING else None


def first_of_groups(codes: npt.NDArray[np.int64], order: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """Of the rows in `order`, the first `rows` of each code, grouped by code."""
    arranged = order[np.argsort(codes[order], kind="stable")]
    sorted_codes = codes[arranged]
    starts = np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]]) if len(arranged) else arranged
    sizes = np.diff(np.r_[starts, len(arranged)])
    rank = np.arange(len(arranged)) - np.repeat(starts, sizes)
    return np.asarray(arranged[rank < rows])


def finite(value: float | None) -> float | None:
    """A float that JSON can hold, of four decimals."""
    if value is None or not np.isfinite(value):
        return None
    return round(float(value), 4)


def counts_of(pairs: Iterable[tuple[str, int]], name: str = "key") -> list[dict[str, Any]]:
    """Rows of a table of counts, largest first, then by key."""
    ranked = sorted(pairs, key=lambda item: (-item[1], item[0]))
    return [{name: key, "documents": count} for key, count in ranked]
