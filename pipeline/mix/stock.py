"""CANDIDATES and bounds to stocks: what a plan knows of each cell, small enough for one process.

Up to EXACT documents a stock has an entry for each. Above, documents of a cell share entries: bins of the chance that a
document of weight 1 comes no later, 1 - exp(-key / 2^32), so that bins hold about as many documents each, and their
edges depend on the number of documents and not on the files that they lie in. An entry's key is the largest in its bin.
Hosts that a cap may bind keep entries of their own; the others are host 0.
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
from pipeline.mix.plan_model import Stock
from schemas.recipe import MixRecipe

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

EXACT = 2_000_000  # documents in all
FEWEST_BINS = 256  # of a cell
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
    large = _large_hosts(hosts, recipe)
    entries: dict[Cell, list[Entries]] = {}
    for cell, rows in _parts(folder, files):
        keys, host, tokens = _columns(rows, "key", "host", "tokens")
        if total > exact:
            host = np.where(np.isin(host, large), host, np.uint64(0))
        mine = entries.setdefault(cell, [])
        mine.append((keys, tokens.astype(np.int64), np.ones(len(keys), np.int64), host))
        if total > exact and len(mine) == PENDING:
            entries[cell] = [merge_bins(mine, bins_of(sizes[cell], total, exact))]
    if total > exact:
        entries = {cell: [merge_bins(mine, bins_of(sizes[cell], total, exact))] for cell, mine in entries.items()}
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


def _large_hosts(parts: Sequence[tuple[U64, U64]], recipe: MixRecipe) -> U64:
    """Hosts whose text, as often as it may be repeated, is half of the cap or more: they alone can exceed it."""
    if not parts or recipe.caps.host is None:
        return np.zeros(0, np.uint64)
    names, sums = _sum_by(*map(np.concatenate, zip(*parts, strict=True)))
    whole = int(sums.sum())
    limit = recipe.caps.host * min(recipe.budget or whole, whole) / 2
    return np.asarray(names[(sums * np.uint64(recipe.repeats) >= limit) & (names != 0)], np.uint64)


def bins_of(documents: int, total: int, exact: int) -> int:
    """Bins of a cell, by its part of all documents."""
    return max(FEWEST_BINS, exact * documents // total)


def bin_of(keys: U64, bins: int) -> I64:
    """Bin of each key: part of the documents of weight 1 that come no later, in `bins` parts."""
    shares = -np.expm1(-(keys.astype(np.float64) / 2.0**32))
    return np.minimum((shares * bins).astype(np.int64), bins - 1)


def merge_bins(entries: Sequence[Entries], bins: int) -> Entries:
    """Entries of a cell with those of one bin and host put together."""
    keys, tokens, documents, hosts = (np.concatenate(column) for column in zip(*entries, strict=True))
    at = bin_of(keys, bins)
    order = np.lexsort((hosts, at))
    at, hosts = at[order], hosts[order]
    starts = np.flatnonzero(np.append(True, (np.diff(at) != 0) | (hosts[1:] != hosts[:-1])))
    return (
        np.maximum.reduceat(keys[order], starts),
        np.add.reduceat(tokens[order], starts),
        np.add.reduceat(documents[order], starts),
        hosts[starts],
    )
