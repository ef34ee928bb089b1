"""Dated human controls: scores of text that is known to be human by its date, by stratum, in one small file.

What was captured before November 2022 is not ChatGPT's, so its scores say where human text of the same kind stands, and
a threshold can be set on them. (It may be machine-translated: of the translation heads these are controls for location,
and a threshold on them errs on the strict side.)

A stratum is language x page type x length x year. Histograms of z have fixed bins and integer counts, host sums are
fixed-point integers, and the hosts kept are those with the smallest hashes: sets merge to the same result in any order.
A page to be scored is newer than its controls, so years are pooled at every level (`LEVELS`), newest first until there
are POOLED of them: the scores of human text drift, and the newest are the nearest. `by_year` keeps them apart.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from detectors.api import digest_of
from detectors.strata import (
    BINS_PER_UNIT,
    EMPTY,
    FIRST_CAPTURES,
    LENGTH_EDGES,
    LEVELS,
    Z_LIMIT,
    Float,
    Histogram,
    Int,
    Strata,
    z_of_scores,
)
from detectors.strata import SCORE_COLUMNS as SCORE_COLUMNS

FORMAT = "headwater-controls"
FORMAT_VERSION = 1
DEFAULT_BEFORE = datetime(2022, 11, 1, tzinfo=UTC)  # ChatGPT was released on 30 November 2022

FIXED_POINT = 1024  # z in sums over a host: exact in integers
HOSTS_KEPT = 20_000
POOLED = 2_000  # controls of the newest years that are enough: the rate beyond a 1 % threshold is then known to 0.2 %


class ControlsError(ValueError):
    """A set of controls that cannot be read, merged or used; the message says what to do."""


class Cell(NamedTuple):
    """Where a control counts. `language` is ISO 639-3 without script; None is a value of its own in both."""

    head: str
    language: str | None
    page_type: str | None
    length: int  # index into LENGTH_NAMES
    year: int


class HostKey(NamedTuple):
    """A host (xxh3-64 of its name) within a stratum whose years are pooled."""

    host: int
    head: str
    language: str | None
    page_type: str | None
    length: int


class HostSum(NamedTuple):
    """Number of pages, sum of z and of z squared, in units of 1/FIXED_POINT and of its square."""

    n: int
    z: int
    square: int


class Match(NamedTuple):
    """Controls of a stratum at one level (index into LEVELS), years pooled."""

    level: int
    histogram: Histogram


@dataclass(frozen=True, eq=False)
class ControlSet:
    """Scores of dated human text; see the module. Never changed: `merge` returns a new set.

    `models` names the text models by detector and fingerprint, `before` is the cut in time, `counts` says what became
    of the rows: `used`, `undated`, `after` (captured at the cut or later), `unscored` (no text model applies).
    """

    models: Mapping[str, str]
    before: datetime = DEFAULT_BEFORE
    cells: Mapping[Cell, Histogram] = field(default_factory=dict)
    hosts: Mapping[HostKey, HostSum] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    hosts_kept: int = HOSTS_KEPT

    @classmethod
    def collect(
        cls,
        scores: Mapping[str, pa.Array | npt.ArrayLike],
        strata: Strata,
        fetched_at: pa.Array | npt.ArrayLike,
        hosts: Sequence[str | None] | None,
        models: Mapping[str, str],
        before: datetime = DEFAULT_BEFORE,
        hosts_kept: int = HOSTS_KEPT,
    ) -> ControlSet:
        """The set of one batch of scored documents.

        Args:
            scores: columns in [0, 1] by head (keys of SCORE_COLUMNS); null where the model does not apply.
            strata: of the same rows.
            fetched_at: capture times, UTC: an Arrow timestamp column, or datetime64. Undated rows are not used.
            hosts: host of every row, or None where there is no address.
            models: fingerprints of the detectors that gave the scores.
            before: rows captured at this time or later are not used.

        Raises:
            ControlsError: unknown head.
            ValueError: columns of different lengths.
        """
        if unknown := sorted(set(scores) - set(SCORE_COLUMNS)):
            raise ControlsError(f"no head is called {', '.join(unknown)}; there are {', '.join(SCORE_COLUMNS)}")
        times = _times(fetched_at)
        names: Sequence[str | None] = [None] * len(times) if hosts is None else hosts
        values = {head: z_of_scores(column) for head, column in scores.items()}
        if {len(strata), len(names), *map(len, values.values())} != {len(times)}:
            raise ValueError("scores, strata, capture times and hosts have different numbers of rows")
        undated = np.isnat(times) | (times < _naive(FIRST_CAPTURES))
        old = ~undated & (times < _naive(before))
        scored = np.zeros(len(times), dtype=bool)
        years = times.astype("datetime64[Y]").astype(np.int64) + 1970
        hashes = np.array(
            [xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogateescape")) if name else 0 for name in names],
            dtype=np.uint64,
        )
        cells: dict[Cell, Histogram] = {}
        sums: dict[HostKey, HostSum] = {}
        for head, z in values.items():
            use = np.isfinite(z) & old
            scored |= use
            for code, year, part in _by_stratum(strata.codes[use], years[use], z[use]):
                language, page_type, length = strata.keys[code]
                cells[Cell(head, language, page_type, length, year)] = Histogram.of(part)
            _add_hosts(sums, head, strata, hashes, z, use & (hashes != 0))
        counts = {
            "used": int(scored.sum()),
            "undated": int(undated.sum()),
            "after": int((~undated & ~old).sum()),
            "unscored": int((old & ~scored).sum()),
        }
        return cls(dict(models), before, cells, _smallest(sums, hosts_kept), counts, hosts_kept)

    @classmethod
    def merge(cls, sets: Sequence[ControlSet]) -> ControlSet:
        """All sets together: the same in any order and grouping.

        Raises:
            ControlsError: no sets, or sets of other models, cuts or sizes.
        """
        if not sets:
            raise ControlsError("no controls to merge")
        first = sets[0]
        parts: dict[Cell, list[Histogram]] = {}
        sums: dict[HostKey, HostSum] = {}
        counts: dict[str, int] = {}
        for other in sets:
            other.require(first.models)
            if (other.before, other.hosts_kept) != (first.before, first.hosts_kept):
                raise ControlsError(
                    f"controls before {first.before:%Y-%m-%d} and before {other.before:%Y-%m-%d} do not merge; "
                    "build both with one --before"
                )
            for cell, histogram in other.cells.items():
                parts.setdefault(cell, []).append(histogram)
            for key, added in other.hosts.items():
                seen = sums.get(key)
                sums[key] = added if seen is None else HostSum(*(a + b for a, b in zip(seen, added, strict=True)))
            for name, count in other.counts.items():
                counts[name] = counts.get(name, 0) + count
        cells = {cell: Histogram.sum(found) for cell, found in parts.items()}
        return cls(first.models, first.before, cells, _smallest(sums, first.hosts_kept), counts, first.hosts_kept)

    def require(self, models: Mapping[str, str]) -> None:
        """Check that these controls were scored by `models`.

        Raises:
            ControlsError: another model, which has another scale.
        """
        wrong = sorted(name for name in set(models) | set(self.models) if models.get(name) != self.models.get(name))
        if wrong:
            detail = ", ".join(f"{n} {self.models.get(n, 'absent')} (now {models.get(n, 'absent')})" for n in wrong)
            raise ControlsError(
                f"these controls were scored by other text models: {detail}; scores of two models do not compare. "
                "Build the controls again with `headwater controls build`, or use the version that made them"
            )

    @cached_property
    def _pooled(self) -> dict[tuple[Any, ...], Histogram]:
        parts: dict[tuple[Any, ...], dict[int, list[Histogram]]] = {}
        for cell, histogram in self.cells.items():
            for level in range(len(LEVELS)):
                key = _level_key(level, cell.head, cell.language, cell.page_type, cell.length)
                parts.setdefault(key, {}).setdefault(cell.year, []).append(histogram)
        return {key: _newest(years) for key, years in parts.items()}

    def matches(self, head: str, language: str | None, page_type: str | None, length: int) -> list[Match]:
        """Controls of a stratum at every level, finest first; empty histograms where there are none."""
        return [
            Match(level, self._pooled.get(_level_key(level, head, language, page_type, length), EMPTY))
            for level in range(len(LEVELS))
        ]

    def by_year(self, head: str, language: str | None) -> list[tuple[int, Histogram]]:
        """Histograms of a language by year, oldest first."""
        parts: dict[int, list[Histogram]] = {}
        for cell, histogram in self.cells.items():
            if (cell.head, cell.language) == (head, language):
                parts.setdefault(cell.year, []).append(histogram)
        return [(year, Histogram.sum(found)) for year, found in sorted(parts.items())]

    def digest(self) -> str:
        """16 hex digits that change with anything in the set."""
        hosts = [[*cell, rows, xxhash.xxh3_128_hexdigest(data)] for cell, rows, data in _host_tables(self.hosts)]
        return digest_of({**self._plain(), "hosts": hosts})

    def _plain(self) -> dict[str, Any]:
        cells = [
            [*cell, self.cells[cell].bins.tolist(), self.cells[cell].counts.tolist()]
            for cell in sorted(self.cells, key=order_of)
        ]
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "models": dict(sorted(self.models.items())),
            "before": self.before.isoformat(),
            "bins_per_unit": BINS_PER_UNIT,
            "fixed_point": FIXED_POINT,
            "length_edges": list(LENGTH_EDGES),
            "counts": dict(sorted(self.counts.items())),
            "cells": cells,
            "hosts_kept": self.hosts_kept,
        }

    def to_json(self) -> str:
        """The set as canonical JSON: equal sets give equal text."""
        hosts = [
            [*cell, rows, base64.b64encode(zlib.compress(data)).decode("ascii")]
            for cell, rows, data in _host_tables(self.hosts)
        ]
        return json.dumps({**self._plain(), "hosts": hosts}, separators=(",", ":"), sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ControlSet:
        """The set that `to_json` wrote.

        Raises:
            ControlsError: not a file of controls, or one of another version.
        """
        try:
            plain = json.loads(text)
            if not isinstance(plain, dict) or plain.get("format") != FORMAT:
                raise ControlsError("not a file of controls; `headwater controls build` writes one")
            found = [plain[name] for name in ("version", "bins_per_unit", "fixed_point", "length_edges")]
            if found != [FORMAT_VERSION, BINS_PER_UNIT, FIXED_POINT, list(LENGTH_EDGES)]:
                raise ControlsError(
                    f"controls of format version {plain['version']}, this is {FORMAT_VERSION}; "
                    "build them again with `headwater controls build`"
                )
            cells = {Cell(*row[:5]): _histogram(row[5], row[6]) for row in plain["cells"]}
            if len(cells) != len(plain["cells"]) or not all(_is_cell(cell) for cell in cells):
                raise ValueError("strata that are doubled, or of wrong types")
            hosts = _unpack(plain["hosts"])
            if any(n < 1 or square < 0 for n, _, square in hosts.values()):
                raise ValueError("sums of hosts without pages")
            models = {str(name): str(value) for name, value in dict(plain["models"]).items()}
            counts = {str(name): int(value) for name, value in dict(plain["counts"]).items()}
            before = datetime.fromisoformat(plain["before"])
            return cls(models, before, cells, hosts, counts, int(plain["hosts_kept"]))
        except ControlsError:
            raise
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ArithmeticError,
            RecursionError,
            zlib.error,
        ) as error:
            raise ControlsError(
                f"a damaged file of controls ({type(error).__name__}: {error}); build it again"
            ) from None


def _histogram(bins: Any, counts: Any) -> Histogram:
    """A histogram of a file.

    Raises:
        ValueError: bins that do not ascend or lie out of range, or counts that are no positive whole numbers.
    """
    limit = int(Z_LIMIT * BINS_PER_UNIT)
    if not all(isinstance(value, int) for value in (*bins, *counts)) or len(bins) != len(counts):
        raise ValueError("a histogram needs a whole number for each bin and its count")
    places, numbers = np.array(bins, dtype=np.int64), np.array(counts, dtype=np.int64)
    if (np.diff(places) <= 0).any() or (numbers < 1).any() or (np.abs(places) > limit).any():
        raise ValueError("bins must ascend within the scale, with counts of one or more")
    return Histogram(places, numbers)


def _is_cell(cell: Cell) -> bool:
    named = all(value is None or isinstance(value, str) for value in (cell.language, cell.page_type))
    return named and cell.head in SCORE_COLUMNS and all(isinstance(value, int) for value in (cell.length, cell.year))


def _level_key(level: int, head: str, language: str | None, page_type: str | None, length: int) -> tuple[Any, ...]:
    values = {"language": language, "page_type": page_type, "length": length}
    # Pages whose type is known and text without one (tables, WET) are never pooled: they are not of one kind.
    return (level, head, page_type is not None, *(values[name] for name in LEVELS[level]))


def _newest(years: Mapping[int, Sequence[Histogram]]) -> Histogram:
    found: list[Histogram] = []
    for year in sorted(years, reverse=True):
        found.extend(years[year])
        if sum(histogram.n for histogram in found) >= POOLED:
            break
    return Histogram.sum(found)


def order_of(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sort key of tuples with None in the place of text."""
    return tuple((value is not None, value) for value in key)


def _naive(moment: datetime) -> np.datetime64:
    utc = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return np.datetime64(utc.replace(tzinfo=None), "us")


def _times(fetched_at: pa.Array | npt.ArrayLike) -> npt.NDArray[np.datetime64]:
    if isinstance(fetched_at, (pa.Array, pa.ChunkedArray)):
        fetched_at = fetched_at.cast(pa.timestamp("us"))
        fetched_at = (
            fetched_at.to_numpy(zero_copy_only=False) if isinstance(fetched_at, pa.Array) else fetched_at.to_numpy()
        )
    return np.asarray(fetched_at, dtype="datetime64[us]")


def _add_hosts(
    sums: dict[HostKey, HostSum],
    head: str,
    strata: Strata,
    hashes: npt.NDArray[np.uint64],
    z: Float,
    use: npt.NDArray[np.bool_],
) -> None:
    rows = np.flatnonzero(use)
    fixed = np.round(z[rows] * FIXED_POINT).astype(np.int64)
    for host, code, value in zip(hashes[rows].tolist(), strata.codes[rows].tolist(), fixed.tolist(), strict=True):
        key = HostKey(host, head, *strata.keys[code])
        n, total, square = sums.get(key, (0, 0, 0))
        sums[key] = HostSum(n + 1, total + value, square + value * value)


def _smallest(sums: dict[HostKey, HostSum], kept: int) -> dict[HostKey, HostSum]:
    """The hosts with the smallest hashes. A host that is among them in a union is among them in each part."""
    hosts = {key.host for key in sums}
    if len(hosts) <= kept:
        return sums
    chosen = set(sorted(hosts)[:kept])
    return {key: value for key, value in sums.items() if key.host in chosen}


def _by_stratum(codes: Int, years: Int, z: Float) -> Iterator[tuple[int, int, Float]]:
    """Code, year and scores of every combination that occurs."""
    order = np.lexsort((years, codes))
    codes, years, z = codes[order], years[order], z[order]
    starts = np.flatnonzero((np.diff(codes, prepend=-1) != 0) | (np.diff(years, prepend=-1) != 0))
    for start, end in pairwise([*starts.tolist(), len(codes)]):
        yield int(codes[start]), int(years[start]), z[start:end]


def _host_tables(hosts: Mapping[HostKey, HostSum]) -> list[tuple[tuple[Any, ...], int, bytes]]:
    """By stratum in order: number of hosts; hashes and sums of all as little-endian integers, column by column."""
    by_cell: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
    for key, value in hosts.items():
        by_cell.setdefault(key[1:], []).append((key.host, *value))
    tables = []
    for cell in sorted(by_cell, key=order_of):
        rows = sorted(by_cell[cell])
        names = np.array([row[0] for row in rows], dtype="<u8").tobytes()
        sums = np.array([row[1:] for row in rows], dtype="<i8").T.tobytes()
        tables.append((cell, len(rows), names + sums))
    return tables


def _unpack(packed: Sequence[Sequence[Any]]) -> dict[HostKey, HostSum]:
    hosts: dict[HostKey, HostSum] = {}
    for *cell, rows, text in packed:
        data = zlib.decompress(base64.b64decode(text))
        names = np.frombuffer(data[: 8 * rows], dtype="<u8").tolist()
        sums = np.frombuffer(data[8 * rows :], dtype="<i8").reshape(3, rows).T.tolist()
        for name, (n, z, square) in zip(names, sums, strict=True):
            hosts[HostKey(name, *cell)] = HostSum(n, z, square)
    return hosts
