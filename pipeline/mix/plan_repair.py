"""Whole documents that keep every constraint exactly: removal until nothing is violated, and a walk that adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.mix.plan_model import I64, ONE
from pipeline.mix.plan_pool import Pool

WALK_UNITS = 256
"""Most units that a walk adds one by one."""


class _Chosen:
    """A selection in units, with its sums kept up to date in whole numbers."""

    def __init__(self, pool: Pool, selection: I64) -> None:
        self.pool = pool
        self.units = pool.units(selection)
        self.tokens = pool.tokens_of(self.units)
        self.total = int(self.tokens.sum())
        self.share = pool.model.host_share
        rows = [limit.rows() for limit in pool.model.limits]
        shape = (len(rows), len(pool.pieces))
        first = np.array([row[0][pool.cell_of] for row in rows], np.int64).reshape(shape)
        again = np.array([row[1][pool.cell_of] for row in rows], np.int64).reshape(shape)
        later = np.arange(self.units.shape[1]) > 0
        self.rows = np.where(later, again[:, :, None], first[:, :, None])  # [limits, pieces, passes]
        self.slack = [
            sum(int(a) * int(x) for a, x in zip(f, self.tokens[:, 0], strict=True) if a and x)
            + sum(int(a) * int(x) for a, x in zip(g, self.tokens[:, 1:].sum(axis=1), strict=True) if a and x)
            for f, g in zip(first, again, strict=True)
        ]
        self.of_host = {host: int(self.tokens[pieces].sum()) for host, pieces in pool.of_host.items()}

    def selection(self) -> I64:
        return self.pool.selection(self.units)

    def host_limit(self, total: int) -> int:
        assert self.share is not None
        return self.share * total // ONE

    def change(self, piece: int, at: int, units: int) -> None:
        """Set the units of a piece in a pass."""
        tokens = int(self.pool.pieces[piece].tokens[units])
        more = tokens - int(self.tokens[piece, at])
        self.units[piece, at], self.tokens[piece, at] = units, tokens
        self.total += more
        for number, factor in enumerate(self.rows[:, piece, at].tolist()):
            self.slack[number] += factor * more
        host = self.pool.pieces[piece].host
        if host >= 0:
            self.of_host[host] += more


def repair(pool: Pool, selection: I64, low: I64) -> I64:
    """The selection, less the last units of what offends, so that every constraint holds.

    Only removes, and nothing of `low`, which must keep every constraint: then so does the result. Splits hosts of
    the pool that the host cap turns out to bind.
    """
    while True:
        over = pool.hosts_over(selection)
        pool.split(over)
        chosen = _Chosen(pool, pool.extend(selection))
        floor = pool.units(low)
        removed = False
        while _remove_one(chosen, floor):
            removed = True
        selection = chosen.selection()
        if not removed and not over:
            return selection


def _bounds(chosen: _Chosen, low: I64) -> I64:
    """Fewest units that removal may leave: those of `low`, and no fewer than the next pass takes."""
    after = np.concatenate([chosen.units[:, 1:], np.zeros((len(low), 1), np.int64)], axis=1)
    bounds: I64 = np.maximum(low, after)
    return bounds


def _remove_one(chosen: _Chosen, low: I64) -> bool:
    """Remove from one piece and pass what a violated constraint needs; whether anything was violated."""
    bounds = _bounds(chosen, low)
    free = chosen.tokens - chosen.pool.tokens_of(bounds)
    if chosen.share is not None:
        limit = chosen.host_limit(chosen.total)
        for host, tokens in sorted(chosen.of_host.items()):
            if tokens > limit:
                pieces = np.array(chosen.pool.of_host[host])
                offers = [
                    (int(at), int(free[piece, at]), int(piece)) for piece in pieces for at in range(free.shape[1])
                ]
                at, _, piece = max(offer for offer in offers if offer[1] > 0)
                _take(chosen, piece, at, tokens - limit, int(bounds[piece, at]))
                return True
    worst = min(range(len(chosen.slack)), key=chosen.slack.__getitem__, default=-1)
    if worst < 0 or chosen.slack[worst] >= 0:
        return False
    rows = chosen.rows[worst]
    piece_of, pass_of = np.nonzero((rows < 0) & (free > 0))
    gain = -rows[piece_of, pass_of].astype(np.float64)
    need = np.minimum(np.ceil(-chosen.slack[worst] / gain), free[piece_of, pass_of])
    others = np.maximum(chosen.rows[:, piece_of, pass_of], 0).astype(np.float64)
    harm = (others * need > np.array([max(0.0, float(slack)) for slack in chosen.slack])[:, None]).sum(axis=0)
    short = need * gain < -chosen.slack[worst]
    best = np.lexsort((piece_of, -free[piece_of, pass_of], -pass_of, short, harm))[0]
    piece, at = int(piece_of[best]), int(pass_of[best])
    tokens = -(chosen.slack[worst] // -int(rows[piece, at]))
    _take(chosen, piece, at, tokens, int(bounds[piece, at]))
    return True


def _take(chosen: _Chosen, piece: int, at: int, tokens: int, bound: int) -> None:
    """Remove the fewest units that hold so many tokens, down to `bound`."""
    sums = chosen.pool.pieces[piece].tokens
    wanted = int(chosen.tokens[piece, at]) - max(tokens, 1)
    chosen.change(piece, at, max(bound, int(np.searchsorted(sums, wanted, "right")) - 1))


def walk(pool: Pool, low: I64, high: I64, budget: int | None) -> tuple[I64, int]:
    """The last selection of at most `budget` tokens on the way from one selection to a larger one.

    The way does not depend on the budget: units are added one by one, in the order of their place between the two, each
    as soon as it keeps every constraint; where none does, the way goes straight to `high`.

    Returns:
        The selection, and the tokens of the next one on the way.
    """
    chosen = _Chosen(pool, pool.extend(low))
    hosts = pool.host_tokens(low) if chosen.share is not None else None
    pending = _steps(chosen, pool.units(high))
    while pending:
        step = next((step for step in pending if _keeps(chosen, hosts, step)), None)
        if step is None:
            break
        if budget is not None and chosen.total + step.tokens > budget:
            return chosen.selection(), chosen.total + step.tokens
        chosen.change(step.piece, step.at, step.unit + 1)
        if hosts is not None:
            np.add.at(hosts, step.hosts, step.host_tokens)
        pending.remove(step)
    return chosen.selection(), pool.total(high)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A unit that may be added: `unit` of them are there before."""

    piece: int
    at: int
    unit: int
    tokens: int
    factors: list[int]  # by limit
    hosts: I64  # that the host cap may bind
    host_tokens: I64


def _steps(chosen: _Chosen, high: I64) -> list[_Step]:
    """Units between what is chosen and `high`, in the order of their place between the two; the first of them."""
    pairs = np.argwhere(high > chosen.units)
    if not len(pairs):
        return []
    pool = chosen.pool
    fractions, rows, units = [], [], []
    for row, (piece, at) in enumerate(pairs.tolist()):
        sums = pool.pieces[piece].tokens
        start, stop = int(chosen.units[piece, at]), int(high[piece, at])
        ahead = np.arange(start, min(stop, start + WALK_UNITS))
        fractions.append((sums[ahead + 1] - sums[start]) / max(1, int(sums[stop] - sums[start])))
        rows.append(np.full(len(ahead), row))
        units.append(ahead)
    fraction, row_of, unit_of = np.concatenate(fractions), np.concatenate(rows), np.concatenate(units)
    piece_of, pass_of = pairs[row_of, 0], pairs[row_of, 1]
    found = []
    for place in np.lexsort((unit_of, piece_of, pass_of, fraction))[:WALK_UNITS]:
        piece, at, unit = int(piece_of[place]), int(pass_of[place]), int(unit_of[place])
        sums = pool.pieces[piece].tokens
        hosts, host_tokens = np.zeros(0, np.int64), np.zeros(0, np.int64)
        if chosen.share is not None and pool.model.real[pool.cell_of[piece]]:
            hosts, host_tokens = pool.hosts_of_unit(piece, unit)
        factors = chosen.rows[:, piece, at].tolist()
        found.append(_Step(piece, at, unit, int(sums[unit + 1] - sums[unit]), factors, hosts, host_tokens))
    return found


def _keeps(chosen: _Chosen, hosts: I64 | None, step: _Step) -> bool:
    """Whether a unit can be added now: it is the next of its pass, the pass before has it, and all constraints hold."""
    if chosen.units[step.piece, step.at] != step.unit:
        return False
    if step.at and chosen.units[step.piece, step.at - 1] <= step.unit:
        return False
    if any(slack + factor * step.tokens < 0 for slack, factor in zip(chosen.slack, step.factors, strict=True)):
        return False
    if hosts is None:
        return True
    return bool(np.all(hosts[step.hosts] + step.host_tokens <= chosen.host_limit(chosen.total + step.tokens)))
