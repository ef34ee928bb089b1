"""CANDIDATES and bounds to stocks: what a plan knows of each cell, small enough for one process.

Up to EXACT documents a stock has an entry for each. Above, documents of a cell share entries: bins of the chance that a
document of weight 1 comes no later, 1 - exp(-key / 2^32), so that bins hold about as many documents each, and their
edges depend on the number of documents and not on the files that they lie in. The entries of a bin have the largest key
in it, whatever their host: a threshold takes all of a bin or nothing, as every worker does that compares keys with it.
The LARGE_HOSTS hosts with most text keep entries of their own; the others are host 0. Neither depends on the budget,
or budgets would not nest. `check_hosts` counts all hosts once the plan is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keys import read_arrow
from pipeline.mix.candidates import REAL, Cell, InputFile, candidates_path
from pipeline.mix.human_share import Bound
from pipeline.mix.plan import Plan, Stock, copies_of
from schemas.config import ConfigError
from schemas.recipe import MixRecipe

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

EXACT = 2_000_000  # documents in all
FEWEST_BINS = 256  # of a cell
LARGE_HOSTS = 256  # a cap of 1 % binds at most 100 at a time
_CELL = ("origin", "fresh", "language", "page_type", "group")
PENDING = 32  # tables that wait before they are put together

Entries = tuple[U64, I64, I64, U64]  # keys, tokens, documents, hosts


def gather_stocks(
    folder: str | Path, files: Sequence[InputFile], bounds: Sequence[Bound], recipe: MixRecipe, exact: int = EXACT
) -> list[Stock]:
    """A `pipeline.mix.plan.Stock` for each cell that has documents, sorted by cell."""
    sizes: dict[Cell, int] = {}
    hosts: list[tuple[U64, U64]] = []
    capped = recipe.caps.host is not None
    for cell, rows in _parts(folder, files):
        sizes[cell] = sizes.get(cell, 0) + rows.num_rows
        if capped and cell.origin == REAL:
            hosts.append(_sum_by(*_columns(rows, "host", "tokens")))
        if len(hosts) == PENDING:
            hosts = [_sum_by(*map(np.concatenate, zip(*hosts, strict=True)))]
    total = sum(sizes.values())
    large = _large_hosts(hosts)
    entries: dict[Cell, list[Entries]] = {}
    for cell, rows in _parts(folder, files):
        keys, host, tokens = _columns(rows, "key", "host", "tokens")
        if total > exact:
            host = np.where(np.isin(host, large), host, np.uint64(0))
        mine = entries.setdefault(cell, [])
        mine.append((keys, tokens.astype(np.int64), np.ones(len(keys), np.int64), host))
        if total > exact and len(mine) == PENDING:
            entries[cell] = [merge_bins(mine, bins_of(sizes[cell], total, exact, len(large)))]
    if total > exact:
        entries = {
            cell: [merge_bins(mine, bins_of(sizes[cell], total, exact, len(large)))] for cell, mine in entries.items()
        }
    known = {(b.source, b.language, b.fresh, b.group, b.page_type): b for b in bounds}
    stocks = []
    for cell in sorted(entries):
        keys, tokens, documents, held = (np.concatenate(column) for column in zip(*entries[cell], strict=True))
        order = np.lexsort((tokens, held, keys))
        at = (cell.source, cell.language, cell.fresh, cell.group)
        bound = known.get((*at, cell.page_type), known.get((*at, "")))
        shares = (0.0, 0.0) if bound is None else (bound.human_low, bound.ai_high)
        sums = tokens[order].astype(np.int64), documents[order].astype(np.int64)
        stocks.append(Stock(cell, keys[order], *sums, held[order], *shares))
    return stocks


def _parts(folder: str | Path, files: Iterable[InputFile]) -> Iterator[tuple[Cell, pa.Table]]:
    """Candidates that take part by cell, a file at a time."""
    for file in files:
        table = read_arrow(candidates_path(folder, file.number))
        table = table.filter(pc.is_null(table.column("reason"))).select([*_CELL, "key", "host", "tokens"])
        if not table.num_rows:
            continue
        codes = np.zeros(table.num_rows, np.int64)
        for name in _CELL:
            values = table.column(name).combine_chunks().dictionary_encode()
            codes = codes * len(values.dictionary) + np.asarray(values.indices, np.int64)
        order = np.argsort(codes, kind="stable")
        table = table.take(pa.array(order)).combine_chunks()
        starts = np.flatnonzero(np.append(True, np.diff(codes[order]) != 0))
        for begin, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
            part = table.slice(begin, end - begin)
            yield Cell(file.source, *(part.column(name)[0].as_py() for name in _CELL)), part


def _columns(rows: pa.Table, *names: str) -> tuple[U64, ...]:
    return tuple(np.asarray(rows.column(name)).astype(np.uint64) for name in names)


def _sum_by(hosts: U64, tokens: U64) -> tuple[U64, U64]:
    names, place = np.unique(hosts, return_inverse=True)
    sums = np.zeros(len(names), np.uint64)
    np.add.at(sums, place, tokens)
    return names, sums


def _large_hosts(parts: Sequence[tuple[U64, U64]]) -> U64:
    """The hosts with most text."""
    if not parts:
        return np.zeros(0, np.uint64)
    names, sums = _sum_by(*map(np.concatenate, zip(*parts, strict=True)))
    names, sums = names[names != 0], sums[names != 0]
    largest: U64 = names[np.lexsort((names, -sums.astype(np.int64)))[:LARGE_HOSTS]]
    return largest


def bins_of(documents: int, total: int, exact: int, large: int) -> int:
    """Bins of a cell, by its part of all documents; fewer where each may have an entry for every large host."""
    return max(FEWEST_BINS, exact * documents // total // (1 + large))


def bin_of(keys: U64, bins: int) -> I64:
    """Bin of each key: part of the documents of weight 1 that come no later, in `bins` parts."""
    shares = -np.expm1(-(keys.astype(np.float64) / 2.0**32))
    return np.minimum((shares * bins).astype(np.int64), bins - 1)


def merge_bins(entries: Sequence[Entries], bins: int) -> Entries:
    """Entries of a cell with those of one bin and host put together, by bin and host."""
    keys, tokens, documents, hosts = (np.concatenate(column) for column in zip(*entries, strict=True))
    # A bin keeps its largest key, so that entries that were put together before fall into the same bin again.
    at = bin_of(keys, bins)
    order = np.lexsort((hosts, at))
    at, hosts, keys = at[order], hosts[order], keys[order]
    ends = np.flatnonzero(np.append(np.diff(at) != 0, True))
    starts = np.flatnonzero(np.append(True, (np.diff(at) != 0) | (hosts[1:] != hosts[:-1])))
    largest = np.maximum.reduceat(keys, np.append(0, ends[:-1] + 1))
    return (
        largest[np.searchsorted(ends, starts)],
        np.add.reduceat(tokens[order], starts),
        np.add.reduceat(documents[order], starts),
        hosts[starts],
    )


def check_hosts(folder: str | Path, files: Sequence[InputFile], plan: Plan, recipe: MixRecipe) -> None:
    """Raise ConfigError where a host that had no entries of its own has more of the mix than the cap allows."""
    cap = recipe.caps.host
    if cap is None:
        return
    found: list[tuple[U64, U64]] = []
    for file in files:
        table = read_arrow(candidates_path(folder, file.number))
        table = table.filter(pc.equal(table.column("origin"), REAL))
        copies = copies_of(table, file.source, plan).astype(np.uint64)
        hosts, tokens = _columns(table, "host", "tokens")
        found.append(_sum_by(hosts[copies > 0], (tokens * copies)[copies > 0]))
        if len(found) == PENDING:
            found = [_sum_by(*map(np.concatenate, zip(*found, strict=True)))]
    names, sums = _sum_by(*map(np.concatenate, zip(*found, strict=True)))
    most = int(sums[names != 0].max(initial=0))
    if most > cap * plan.tokens:
        raise ConfigError(
            f"caps.host: a host would have {most:,} of {plan.tokens:,} {plan.unit}, which is over {cap:g}; it is not "
            f"among the {LARGE_HOSTS} hosts with most text, which alone are bounded where there are over {EXACT:,} "
            "documents: raise the budget or the cap"
        )
