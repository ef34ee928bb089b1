"""Linear programmes of a plan, in fractions of tokens: the largest mix, and the best mix of a size.

Solved by HiGHS (Huangfu & Hall 2018) through SciPy. What they return is rounded to documents and repaired elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog

from pipeline.mix.candidates import UNGROUNDED
from pipeline.mix.plan_model import F64, I64, ONE, Limit, Model
from pipeline.mix.plan_pool import Pool

R_STAR = 15.387756
"""Decay of the value of repeated data, R*_D of Muennighoff et al. 2023 (Scaling Data-Constrained Language Models,
appendix A)."""

UNGROUNDED_VALUE = 0.82
"""Value of a token of ungrounded synthetic text: between the fourth pass of real text (0.850), nearly as good as fresh
after Muennighoff et al. 2023, and the fifth (0.797)."""

_SHARE = 1.0  # cost of a token beyond the wanted share of its source and language: above any difference of values
_SPREAD = 0.003  # cost of a token beyond the cell's part of it: with all steepness below any difference of passes
_HOST = 2e-4  # a capped host is not left below its part of the cell
_TIE = 1e-5  # among equals the first cell, so that there is one optimum
_OVER = ((0.25, 1.0), (0.25, 1.1), (0.5, 1.2), (1.0, 1.3), (2.0, 1.4), (math.inf, 1.5))
_UNDER = ((0.25, 1.0), (0.25, 1.1), (0.25, 1.2), (0.25, 1.3))


def pass_values(passes: int) -> F64:
    """Value of a token in the first, second … pass: increments of D' = U + U R* (1 - exp(-R / R*)) over R = 0, 1 …"""
    gained = 1.0 + R_STAR * (1.0 - np.exp(-np.arange(passes) / R_STAR))
    return np.diff(gained, prepend=0.0)


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest mix in fractions of tokens.

    Attributes:
        total: tokens; 0 where no mix keeps the constraints.
        first: float64[pieces], tokens of the first pass.
        later: float64[pieces], tokens of all other passes.
        prices: tokens that `total` gains when a share moves by 1 the lenient way, by limit; the derivative.
        host_price: likewise of the host cap.
    """

    total: float
    first: F64
    later: F64
    prices: tuple[float, ...]
    host_price: float


def largest_mix(pool: Pool, model: Model, more: Limit | None = None, need: float = 0.0) -> Largest:
    """The largest total under a model's constraints, and what each constraint costs.

    With `more`, text of the stratum of that floor may be added at a cost, and `total` is the least that `need` tokens
    take, infinite where no amount is enough.
    """
    cells, pieces = pool.cell_of, len(pool.pieces)
    scale = max(1.0, float(pool.size.sum()) if more is None else need)
    size = pool.size / scale
    passes = np.where(model.real, model.repeats, 1)[cells]
    extra = [] if more is None else [0.0, 0.0]
    coefficients = []
    for limit in model.limits:
        first, again = limit.rows()
        row = np.concatenate([first[cells], again[cells]]) / ONE
        coefficients.append(np.concatenate([row, _added(model, limit, more)]) if more is not None else row)
    columns = 2 * pieces + len(extra)
    matrix = [sparse.csr_matrix(-np.array(coefficients).reshape(-1, columns))]
    hosts = list(pool.of_host.values()) if model.host_share is not None else []
    matrix = [sparse.hstack([matrix[0], sparse.csr_matrix((len(coefficients), 1))])]
    if hosts and model.host_share is not None:
        rows = np.repeat(np.arange(len(hosts)), [len(host) for host in hosts])
        where = np.concatenate([np.array(host) for host in hosts])
        ones = np.ones(2 * len(rows))
        taken = sparse.csr_matrix((ones, (np.tile(rows, 2), np.r_[where, where + pieces])), (len(hosts), columns))
        share = np.full((len(hosts), 1), -model.host_share / ONE)
        matrix.append(sparse.hstack([taken, sparse.csr_matrix(share)]))
    if more is not None:  # repeats of what is added, at most repeats - 1 of each token
        row = np.zeros((1, columns + 1))
        row[0, 2 * pieces], row[0, 2 * pieces + 1] = -(model.repeats - 1), 1.0
        matrix.append(sparse.csr_matrix(row))
    whole = sparse.csr_matrix(np.concatenate([np.ones(columns), [-1.0]])[None])
    bounds = np.zeros((columns + 1, 2))
    bounds[:, 1] = np.inf
    bounds[: columns - len(extra), 1] = np.concatenate([size, size * (passes - 1)])
    cost = np.zeros(columns + 1)
    if more is None:
        cost[-1] = -1.0
    else:
        cost[2 * pieces] = 1.0
        bounds[-1] = need / scale
    rows_all = sparse.vstack(matrix).tocsc()
    found = linprog(
        cost, A_ub=rows_all, b_ub=np.zeros(rows_all.shape[0]), A_eq=whole, b_eq=[0.0], bounds=bounds, method="highs"
    )
    if found.status != 0:
        nothing = np.zeros(pieces)
        return Largest(math.inf if more is not None else 0.0, nothing, nothing, (0.0,) * len(model.limits), 0.0)
    chosen = found.x[: 2 * pieces].reshape(2, pieces) * scale
    if more is not None:
        return Largest(float(found.x[2 * pieces]) * scale, chosen[0], chosen[1], (), 0.0)
    inside = np.array([chosen[:, limit.inside[cells]].sum() for limit in model.limits])
    duals = -np.asarray(found.ineqlin.marginals)
    prices = duals[: len(model.limits)] * inside
    total = float(found.x[-1]) * scale
    host_price = float(duals[len(model.limits) :].sum()) * total
    return Largest(total, chosen[0], chosen[1], tuple(map(float, prices)), host_price)


def _added(model: Model, limit: Limit, more: Limit) -> F64:
    """Coefficients of first and later passes of added text: fresh, as the best in the stratum of `more`."""
    best = best_cell(model, more)
    inside = set(limit.stratum) <= set(more.stratum)
    share = limit.share / ONE
    if limit.floor:
        return np.array([model.human[best] / ONE - share, -share]) if inside else np.zeros(2)
    part = 0.0 if limit.name == "caps.grounded" else float(limit.first[best]) / ONE
    return np.array([share - part, share - part])


def best_cell(model: Model, floor: Limit) -> int:
    """The cell of a floor's stratum whose human text is surest; of all cells where the stratum has none."""
    inside = np.where(floor.inside, model.human, -1)
    return int(np.argmax(inside if inside.max(initial=-1) > 0 else model.human))


def best_mix(pool: Pool, model: Model, total: float, upper: I64) -> F64 | None:
    """The best mix of `total` tokens: float64[pieces, passes] of at most `upper`; None where there is none.

    Minimised are, in this order of weight: the distance to the wanted shares of sources and languages, the value that
    later passes and ungrounded text lack, the distance of cells from their part of a wanted share.
    """
    cells, pieces, passes = pool.cell_of, len(pool.pieces), upper.shape[1]
    piece_of, pass_of = np.nonzero(upper > 0)
    cell_of = cells[piece_of]
    count = len(piece_of)
    if not count or total <= 0:
        return None
    high = upper[piece_of, pass_of] / total
    values = pass_values(passes)[pass_of]
    ungrounded = np.array([cell.origin == UNGROUNDED for cell in model.cells])[cell_of]
    values = np.where(ungrounded, UNGROUNDED_VALUE, values)
    host_of = np.array([piece.host for piece in pool.pieces])[piece_of]
    cost = -values + _TIE * cell_of / len(model.cells) - np.where(host_of >= 0, _HOST, 0.0)
    limits = []
    for limit in model.limits:
        first, again = limit.rows()
        limits.append(-np.where(pass_of == 0, first[cell_of], again[cell_of]) / ONE)
    blocks: list[sparse.csr_matrix] = [sparse.csr_matrix(np.array(limits).reshape(-1, count))]
    right = [np.zeros(len(limits))]
    if model.host_share is not None and np.any(host_of >= 0):
        _, rows = np.unique(host_of[host_of >= 0], return_inverse=True)
        blocks.append(_grouped(rows, np.flatnonzero(host_of >= 0), count))
        right.append(np.full(blocks[-1].shape[0], model.host_share / ONE))
        even = _even_hosts(pool, upper, piece_of, pass_of, host_of)
        blocks.append(even)
        right.append(np.zeros(even.shape[0]))
    wanted_cells = (
        model.wanted[model.group]
        * model.stock
        / np.maximum(1.0, np.bincount(model.group, model.stock, len(model.wanted)))[model.group]
    )
    goals = [
        (
            _grouped(model.group[cell_of], np.arange(count), count, len(model.wanted)),
            model.wanted,
            _slopes(_SHARE, 0.1),
        ),
        (_grouped(cell_of, np.arange(count), count, len(model.cells)), wanted_cells, _slopes(_SPREAD, 1.0)),
    ]
    equal: list[list[sparse.csr_matrix | None]] = [[sparse.csr_matrix(np.ones((1, count))), None, None]]
    equal_right = [np.ones(1)]
    costs, bounds = [cost], [np.column_stack([np.zeros(count), high])]
    for number, (rows, wanted, (over, under)) in enumerate(goals):
        size = len(wanted)
        parts = [(width, -slope) for width, slope in over] + [(width, slope) for width, slope in under]
        signs = [-1.0 if slope < 0 else 1.0 for _, slope in parts]
        costs.append(np.concatenate([np.full(size, abs(slope)) for _, slope in parts]))
        tops = np.concatenate([np.where(np.isinf(width), np.inf, wanted * min(width, 1e9)) for width, _ in parts])
        bounds.append(np.column_stack([np.zeros(len(tops)), tops]))
        segments = sparse.hstack([sign * sparse.identity(size) for sign in signs])
        equal.append([rows, *(segments if place == number else None for place in range(2))])
        equal_right.append(wanted)
    widths = [len(part) for part in costs[1:]]
    inequalities = sparse.hstack(
        [sparse.vstack(blocks), *(sparse.csr_matrix((sum(b.shape[0] for b in blocks), width)) for width in widths)]
    )
    found = linprog(
        np.concatenate(costs),
        A_ub=inequalities.tocsc(),
        b_ub=np.concatenate(right),
        A_eq=sparse.bmat(equal).tocsc(),
        b_eq=np.concatenate(equal_right),
        bounds=np.concatenate(bounds),
        method="highs",
    )
    if found.status != 0:
        return None
    mix = np.zeros((pieces, passes))
    mix[piece_of, pass_of] = found.x[:count] * total
    return mix


def _grouped(rows: npt.NDArray[np.int64], columns: I64, width: int, height: int | None = None) -> sparse.csr_matrix:
    shape = (int(rows.max()) + 1 if height is None else height, width)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape)


def _slopes(weight: float, steepness: float) -> tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]]:
    """Convex costs by distance, in multiples of what is wanted, so that a surplus spreads over all and not on one."""
    return tuple(
        tuple((width, weight * (1.0 + (slope - 1.0) * 10.0 * steepness)) for width, slope in side)
        for side in (_OVER, _UNDER)
    )  # type: ignore[return-value]


def _even_hosts(pool: Pool, upper: I64, piece_of: I64, pass_of: I64, host_of: I64) -> sparse.csr_matrix:
    """No host more than its part of the cell: y / size of y <= x / size of x, y a host's piece and x the rest."""
    place = {(int(p), int(e)): n for n, (p, e) in enumerate(zip(piece_of, pass_of, strict=True))}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for column in np.flatnonzero(host_of >= 0).tolist():
        piece, at = int(piece_of[column]), int(pass_of[column])
        rest = int(pool.cell_of[piece])
        other = place.get((rest, at))
        if other is None:
            continue
        ratio = max(pool.size[piece] / pool.size[rest], upper[piece, at] / upper[rest, at])
        number = len(rows) // 2
        rows += [number, number]
        columns += [column, other]
        values += [1.0, -float(ratio)]
    return sparse.csr_matrix((values, (rows, columns)), (len(rows) // 2, len(piece_of)))
