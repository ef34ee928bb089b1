"""One chain of selections for all budgets: any two budgets of a recipe take one selection within the other.

The chain starts with the largest mix. Below it, every level is the best mix of half the tokens *within* the level
above; between two levels lie midpoints, midpoints of those, and at last a walk that adds documents one by one. None of
it depends on the budget, which only says where in the chain to stop. There is always something to find: the constraints
are shares, so that what keeps them keeps them at half its size.
"""

from __future__ import annotations

import numpy as np

from pipeline.mix.plan_model import F64, I64
from pipeline.mix.plan_pool import Pool
from pipeline.mix.plan_repair import repair, walk
from pipeline.mix.solve import Largest, best_mix, largest_mix

_ROUNDS = 12  # of finding hosts that the host cap binds; what is left is repaired
_LESS = (1e-9, 1e-5, 1e-3)
_FEW = 64  # units that are worth a walk


def top_of(pool: Pool) -> tuple[I64, Largest]:
    """The largest mix in whole documents, and in fractions of tokens; splits the hosts that the cap binds."""
    for _ in range(_ROUNDS):
        largest = largest_mix(pool, pool.model)
        if largest.total < 1:
            return pool.empty(), largest
        selection = pool.nearest(_best_of(pool, largest), pool.empty(), pool.full())
        over = pool.hosts_over(selection)
        if not over:
            break
        pool.split(over)
    kept = repair(pool, selection, pool.empty())
    begun = pool.tokens(kept) > 0  # a gap is filled with what the mix takes anyway, not with one more pass
    begun[:, 0] = True
    top = walk(pool, kept, np.where(begun, pool.full(), kept), None)[0]
    if len(largest.first) < len(pool.pieces):  # hosts were split since
        largest = largest_mix(pool, pool.model)
    return top, largest


def _best_of(pool: Pool, largest: Largest) -> F64:
    """The best mix as large as the largest, less what the solver needs to find one."""
    full = pool.tokens(pool.full())
    for less in _LESS:
        mix = best_mix(pool, pool.model, largest.total * (1 - less), full)
        if mix is not None:
            return mix
    before = np.arange(full.shape[1] - 1) * pool.size[:, None]  # passes after the first, one after the other
    later = np.clip(largest.later[:, None] - before, 0, pool.size[:, None])
    return np.column_stack([largest.first, later])


def level(pool: Pool, above: I64, total: int) -> I64:
    """The best mix of about `total` tokens within a selection."""
    for _ in range(_ROUNDS):
        upper = pool.tokens(above)
        mix = best_mix(pool, pool.model, total, upper)
        if mix is None:  # not by more than the solver's tolerance: a part of what is above keeps what that keeps
            mix = upper.astype(np.float64) * (total / max(1, int(upper.sum())))
        selection = pool.nearest(mix, pool.empty(), pool.extend(above))
        over = pool.hosts_over(selection)
        if not over:
            break
        pool.split(over)
    return repair(pool, selection, pool.empty())


def choose(pool: Pool, top: I64, budget: int) -> tuple[I64, int]:
    """The largest selection of the chain with at most `budget` tokens, and the tokens of the next larger one.

    Empty where the smallest has more.
    """
    high = top
    if pool.total(high) <= budget:
        return high, pool.total(high)
    while True:
        size = pool.total(high)
        low = level(pool, high, size // 2) if size > 1 else pool.empty()
        if not 0 < pool.total(low) < size:
            low = pool.empty()
            break
        if pool.total(low) <= budget:
            break
        high = low
    while int((pool.units(high) - pool.units(low)).sum()) > _FEW:
        halfway = (pool.tokens(low) + pool.tokens(high)) / 2
        middle = repair(pool, pool.nearest(halfway, low, high), low)
        if not pool.total(low) < pool.total(middle) < pool.total(high):
            break
        if pool.total(middle) <= budget:
            low = middle
        else:
            high = middle
    return walk(pool, low, high, budget)
