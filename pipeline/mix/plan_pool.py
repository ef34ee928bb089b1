"""What can be chosen: cells in the order of their keys, cut into pieces where the host cap binds.

A *piece* is the documents of a cell, or those of one host in it; the first pieces are the cells, less the hosts that
were split from them. A *selection* is an array int64[pieces, passes]: how many entries of the cell's order a pass
takes, as far as they belong to the piece. A selection that is older than a split has fewer rows; the new pieces follow
their cell, so that it stays what it was.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.mix.plan_model import F64, I64, ONE, Model, Stock

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Piece:
    """Documents of a cell, or of one host in it.

    Attributes:
        host: number of the host in `Pool.hosts`; -1 for the rest of the cell.
        ends: int64[units + 1], entries of the cell's order up to the end of each unit; starts with 0.
        tokens: int64[units + 1], sums up to there.
        documents: int64[units + 1], likewise.
    """

    cell: int
    host: int
    ends: I64
    tokens: I64
    documents: I64


class Pool:
    """Stocks with their pieces; see the module. Splits are remembered."""

    def __init__(self, stocks: Sequence[Stock], model: Model) -> None:
        self.stocks = tuple(stocks)
        self.model = model
        self.passes = np.where(model.real, model.repeats, 1)
        self.pieces: list[Piece] = []
        self.of_host: dict[int, list[int]] = {}  # pieces of each split host
        self._unit_ends = [_unit_ends(stock.keys) for stock in stocks]
        self.hosts = np.zeros(0, np.uint64)
        self._host: list[npt.NDArray[np.int32]] = []
        self._by_host: list[npt.NDArray[np.intp]] = []
        if model.host_share is not None:
            known = [np.unique(stock.hosts) for stock, real in zip(stocks, model.real, strict=True) if real]
            self.hosts = np.unique(np.concatenate([*known, np.zeros(1, np.uint64)]))  # 0, no host, comes first
            for stock, real in zip(stocks, model.real, strict=True):
                place = np.searchsorted(self.hosts, stock.hosts if real else np.zeros_like(stock.hosts))
                self._host.append(place.astype(np.int32))
                self._by_host.append(np.argsort(place, kind="stable"))
        for cell in range(len(stocks)):
            self.pieces.append(self._piece(cell, -1, np.arange(len(stocks[cell].keys))))
        self._index()

    def copy(self) -> Pool:
        """The same pieces; later splits of one are not seen by the other."""
        other = copy.copy(self)
        other.pieces = list(self.pieces)
        other.of_host = {host: list(pieces) for host, pieces in self.of_host.items()}
        return other

    def _piece(self, cell: int, host: int, entries: npt.NDArray[np.intp]) -> Piece:
        ends = self._unit_ends[cell][entries]
        last = np.append(ends[1:] != ends[:-1], True) if len(ends) else np.zeros(0, bool)
        stock = self.stocks[cell]

        def summed(values: I64) -> I64:
            return np.concatenate([np.zeros(1, np.int64), np.cumsum(values[entries], dtype=np.int64)[last]])

        return Piece(
            cell,
            host,
            np.concatenate([np.zeros(1, np.int64), ends[last]]),
            summed(stock.tokens),
            summed(stock.documents),
        )

    def _index(self) -> None:
        """All pieces end to end, so that one search finds places in every one."""
        self.cell_of = np.array([piece.cell for piece in self.pieces], np.int64)
        self.size = np.array([piece.tokens[-1] for piece in self.pieces], np.int64)
        lengths = np.array([len(piece.ends) for piece in self.pieces], np.int64)
        self._start = np.cumsum(lengths) - lengths
        self._tokens = np.concatenate([piece.tokens for piece in self.pieces])
        self._ends = np.concatenate([piece.ends for piece in self.pieces])
        entries = np.array([len(self.stocks[cell].keys) + 1 for cell in self.cell_of], np.int64)
        self._end_base = np.cumsum(entries) - entries
        self._token_base = np.cumsum(self.size + 1) - self.size - 1
        self._all_ends = self._ends + np.repeat(self._end_base, lengths)
        self._all_tokens = self._tokens + np.repeat(self._token_base, lengths)

    def split(self, hosts: Sequence[int]) -> None:
        """Give hosts pieces of their own in every cell of real text that has them."""
        fresh = np.array(sorted(set(hosts) - set(self.of_host) - {0}), np.int64)
        if not len(fresh):
            return
        touched = []
        for cell in np.flatnonzero(self.model.real):
            order = self._by_host[cell]
            sorted_hosts = self._host[cell][order]
            starts, stops = (np.searchsorted(sorted_hosts, fresh, side) for side in ("left", "right"))
            for at in np.flatnonzero(starts < stops):
                self.of_host.setdefault(int(fresh[at]), []).append(len(self.pieces))
                self.pieces.append(self._piece(int(cell), int(fresh[at]), order[starts[at] : stops[at]]))
            if np.any(starts < stops):
                touched.append(int(cell))
        alone = np.zeros(len(self.hosts), bool)
        alone[list(self.of_host)] = True
        for place in touched:
            self.pieces[place] = self._piece(place, -1, np.flatnonzero(~alone[self._host[place]]))
        self._index()

    def full(self) -> I64:
        """Everything, in every pass."""
        entries = np.array([len(self.stocks[cell].keys) for cell in self.cell_of], np.int64)
        return np.where(self._open(), entries[:, None], 0)

    def empty(self) -> I64:
        return np.zeros((len(self.pieces), self.model.repeats), np.int64)

    def _open(self) -> npt.NDArray[np.bool_]:
        return np.arange(self.model.repeats) < self.passes[self.cell_of][:, None]

    def extend(self, selection: I64) -> I64:
        """A selection with rows for pieces that were split since."""
        return np.concatenate([selection, selection[self.cell_of[len(selection) :]]])

    def units(self, selection: I64) -> I64:
        """Units of each piece and pass."""
        places = np.searchsorted(self._all_ends, self.extend(selection) + self._end_base[:, None], "right") - 1
        return places - self._start[:, None]

    def tokens(self, selection: I64) -> I64:
        """Tokens of each piece and pass."""
        return self.tokens_of(self.units(selection))

    def tokens_of(self, units: I64) -> I64:
        """Tokens of so many units of each piece and pass."""
        return self._tokens[units + self._start[:, None]]

    def selection(self, units: I64) -> I64:
        """The selection that takes so many units of each piece and pass."""
        return self._ends[units + self._start[:, None]]

    def total(self, selection: I64) -> int:
        return int(self.tokens(selection).sum())

    def nearest(self, tokens: F64, low: I64, high: I64) -> I64:
        """The selection about as large as `tokens` of each piece and pass, between two selections.

        What is left of a unit is rounded up in some pieces and down in others, by a fixed phase of the piece, so that
        many small pieces do not all lose a document.
        """
        low_units, high_units = self.units(low), self.units(high)
        size = self.size[:, None]
        slack = 1e-6 * size + 1e-3  # of the solver
        reached = np.clip(np.floor(tokens + slack), 0, size).astype(np.int64)
        places = np.searchsorted(self._all_tokens, reached + self._token_base[:, None], "right") - 1
        whole = places - self._start[:, None]
        before = self._tokens[places]
        after = self._tokens[np.minimum(places + 1, len(self._tokens) - 1)]
        phase = ((np.arange(len(self.pieces)) + 1) * _GOLDEN % 1.0)[:, None]
        whole += (before < size) & (tokens - before > np.maximum(slack, phase * (after - before)))
        return self.selection(np.minimum.accumulate(np.clip(whole, low_units, high_units), axis=1))

    def host_tokens(self, selection: I64) -> I64:
        """Real tokens of every host; 0 for documents without one."""
        tokens = np.zeros(len(self.hosts))
        selection = self.extend(selection)
        for cell in np.flatnonzero(self.model.real):
            for stop in selection[cell]:
                if stop:  # sums of whole numbers below 2^53 are exact
                    tokens += np.bincount(
                        self._host[cell][:stop], self.stocks[cell].tokens[:stop], minlength=len(self.hosts)
                    )
        split = self.tokens(selection).sum(axis=1)
        for host, pieces in self.of_host.items():
            tokens[host] = split[pieces].sum()
        tokens[0] = 0
        return tokens.astype(np.int64)

    def hosts_over(self, selection: I64) -> list[int]:
        """Hosts above the host cap that have no pieces of their own yet."""
        if self.model.host_share is None:
            return []
        tokens = self.host_tokens(selection)
        over = np.flatnonzero(tokens > self.model.host_share * self.total(selection) // ONE)
        return [int(host) for host in over if int(host) not in self.of_host]

    def hosts_of_unit(self, piece: int, unit: int) -> tuple[I64, I64]:
        """Hosts of the entries of a unit, and their tokens; without those that have no host."""
        cell, own = self.pieces[piece].cell, self.pieces[piece].host
        start, stop = self.pieces[piece].ends[unit : unit + 2]
        hosts, tokens = self._host[cell][start:stop], self.stocks[cell].tokens[start:stop]
        mine = (hosts == own if own >= 0 else ~np.isin(hosts, list(self.of_host))) & (hosts > 0)
        known, place = np.unique(hosts[mine], return_inverse=True)
        sums = np.zeros(len(known), np.int64)
        np.add.at(sums, place, tokens[mine])
        return known.astype(np.int64), sums


def _unit_ends(keys: npt.NDArray[np.uint64]) -> I64:
    """For each entry, where the run of its key ends."""
    if not len(keys):
        return np.zeros(0, np.int64)
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys))
    return np.repeat(ends, np.diff(ends, prepend=0)).astype(np.int64)
