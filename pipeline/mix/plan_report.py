"""What a plan says of itself: how every constraint stands, what it costs, and what would change if it moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.mix.plan_model import F64, I64, ONE, Limit, Model
from pipeline.mix.plan_pool import Pool
from pipeline.mix.solve import Largest, best_mix, largest_mix
from schemas.recipe import MixRecipe

MULTIPLIERS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
STEPS = (-0.1, -0.05, 0.05, 0.1)
_BINDING = 0.005  # a slack that is larger than this share binds nothing, however long the longest document


def error_multiplier(fresh: float) -> float:
    """Limit of the error of a linear model, in first generations, at a share of fresh human text per generation.

    1 / (1 - (1 - f)^2) (Alemohammad et al. 2023; Gerstgrasser et al. 2024); infinite at 0.
    """
    lost = (1.0 - fresh) ** 2
    return 1.0 / (1.0 - lost) if lost < 1.0 else math.inf


def floor_of_multiplier(multiplier: float) -> float:
    """The share of fresh human text at which the error settles at `multiplier` times the first generation's."""
    return 1.0 - math.sqrt(1.0 - 1.0 / multiplier)


@dataclass(frozen=True, slots=True)
class ConstraintReport:
    """How a constraint stands.

    Attributes:
        name: as in the recipe: floors.N, caps.grounded, caps.ungrounded, caps.host, repeats, budget.
        kind: floor or cap.
        stratum: column and value; empty for the whole mix.
        value: the share that it bounds (passes for repeats, tokens for budget); None where the stratum is left out.
        slack: distance of value and limit, never negative.
        binding: within one document of the limit.
        price: tokens of the largest mix that a limit more lenient by 0.01 would add (by one pass for repeats).
    """

    name: str
    kind: str
    stratum: Mapping[str, str]
    limit: float
    value: float | None
    slack: float | None
    binding: bool
    price: float

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"stratum": dict(self.stratum)}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a recipe with one other limit could do, in fractions of tokens.

    Attributes:
        max_budget: largest mix, tokens.
        feasible: whether the budget can be met; where there is none, whether there is a mix.
        fresh_human_share: lower bound, of the mix of the budget, or of the largest mix if that is less.
        error_multiplier: of that share; None where it has no limit.
    """

    name: str
    limit: float
    change: float
    max_budget: int
    feasible: bool
    fresh_human_share: float | None
    error_multiplier: float | None

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def finite(value: float) -> float | None:
    """None for infinity, which JSON has not."""
    return value if math.isfinite(value) else None


def limits_of(recipe: MixRecipe) -> dict[str, float]:
    """Limits that are shares, by name."""
    limits = {f"floors.{number}": floor.share for number, floor in enumerate(recipe.floors)}
    limits |= {"caps.grounded": recipe.caps.grounded, "caps.ungrounded": recipe.caps.ungrounded}
    if recipe.caps.host is not None:
        limits["caps.host"] = recipe.caps.host
    return limits


def cell_sums(pool: Pool, tokens: I64) -> tuple[I64, I64]:
    """Tokens of the first pass and of later passes, by cell."""
    sums = np.zeros((2, len(pool.model.cells)), np.int64)
    np.add.at(sums[0], pool.cell_of, tokens[:, 0])
    np.add.at(sums[1], pool.cell_of, tokens[:, 1:].sum(axis=1))
    return sums[0], sums[1]


def report_constraints(
    pool: Pool, selection: I64, recipe: MixRecipe, largest: Largest, snapshot: Pool, max_budget: int
) -> tuple[ConstraintReport, ...]:
    """Every constraint at a selection; prices are those of the largest mix."""
    tokens = pool.tokens(selection)
    total = int(tokens.sum())
    first, again = cell_sums(pool, tokens)
    shares = limits_of(recipe)
    reports = [
        _report_limit(pool, limit, first, again, shares[limit.name], 0.01 * price)
        for limit, price in zip(pool.model.limits, largest.prices, strict=True)
    ]
    longest = _longest(pool)
    if recipe.caps.host is not None:
        most = int(pool.host_tokens(selection).max(initial=0))
        value, price = most / max(1, total), 0.01 * largest.host_price
        near = recipe.caps.host * total - most <= longest and recipe.caps.host - value <= _BINDING
        reports.append(
            ConstraintReport(
                "caps.host", "cap", {}, recipe.caps.host, value, max(0.0, recipe.caps.host - value), near, price
            )
        )
    passes = int((tokens > 0).sum(axis=1).max(initial=0))
    gained = largest_mix(snapshot, snapshot.model.with_limits({"repeats": recipe.repeats + 1})).total - largest.total
    more = max(0.0, gained) if gained > 1e-6 * largest.total else 0.0
    reports.append(
        ConstraintReport(
            "repeats", "cap", {}, recipe.repeats, passes, recipe.repeats - passes, passes >= recipe.repeats, more
        )
    )
    limit = recipe.budget if recipe.budget is not None else max_budget
    reports.append(ConstraintReport("budget", "cap", {}, limit, total, limit - total, limit - total <= longest, 0.0))
    return tuple(reports)


def _report_limit(pool: Pool, limit: Limit, first: I64, again: I64, share: float, price: float) -> ConstraintReport:
    kind, stratum = "floor" if limit.floor else "cap", dict(limit.stratum)
    inside = int((first + again)[limit.inside].sum())
    price = price if price >= 1 else 0.0
    if not inside:
        return ConstraintReport(limit.name, kind, stratum, share, None, None, False, price)
    part = sum(
        int(a) * int(x) + int(b) * int(y) for a, x, b, y in zip(limit.first, first, limit.again, again, strict=True)
    )
    value = part / (ONE * inside)
    slack = max(0.0, value - share if limit.floor else share - value)
    binding = slack * inside <= _longest(pool, limit) and slack <= _BINDING
    return ConstraintReport(limit.name, kind, stratum, share, value, slack, binding, price)


def _longest(pool: Pool, limit: Limit | None = None) -> int:
    """Tokens of the largest document of a stratum."""
    stocks = (stock for at, stock in enumerate(pool.stocks) if limit is None or limit.inside[at])
    return max((int(stock.tokens.max(initial=0)) for stock in stocks), default=0)


@dataclass(frozen=True, slots=True)
class _Base:
    """The recipe as it is: its largest mix and the mix of its size, in fractions of tokens."""

    pool: Pool
    recipe: MixRecipe
    full: I64  # first and later passes: enough here, and half the work
    largest: Largest
    size: float
    mix: F64  # [pieces, 2]


def ask_what_if(snapshot: Pool, recipe: MixRecipe, largest: Largest, steps: Sequence[float]) -> tuple[WhatIf, ...]:
    """What each limit would change if it moved by each step, the others as they are."""
    passes = np.where(snapshot.model.real, recipe.repeats, 1)[snapshot.cell_of]
    full = np.column_stack([snapshot.size, snapshot.size * (passes - 1)])
    size = largest.total * (1 - 1e-9) if recipe.budget is None else min(largest.total * (1 - 1e-9), recipe.budget)
    mix = best_mix(snapshot, snapshot.model, size, full) if steps else None
    if mix is None:
        mix = np.column_stack([largest.first, largest.later]) * (size / largest.total)
    base = _Base(snapshot, recipe, full, largest, size, mix)
    return tuple(
        _what_if(base, name, limit, moved, step)
        for name, limit in limits_of(recipe).items()
        for step in steps
        for moved in [round(limit + step, 9)]
        if 0.0 <= moved <= 1.0 and not (name == "caps.host" and moved == 0.0)
    )


def _what_if(base: _Base, name: str, limit: float, moved: float, step: float) -> WhatIf:
    model = base.pool.model.with_limits({name: moved})
    budget = base.recipe.budget
    largest, mix = base.largest, base.mix
    if not _stays(base, model, name, np.column_stack([largest.first, largest.later])):
        largest = largest_mix(base.pool, model)
    size = largest.total * (1 - 1e-9) if budget is None else min(largest.total * (1 - 1e-9), budget)
    feasible = size >= (1 if budget is None else budget)
    if size < 1:
        return WhatIf(name, moved, step, 0, False, None, None)
    if abs(size - base.size) > 1e-9 * size or not _stays(base, model, name, mix):
        found = best_mix(base.pool, model, size, base.full)
        mix = np.column_stack([largest.first, largest.later]) if found is None else found
    fresh = min(1.0, float((mix[:, 0] * model.human[base.pool.cell_of]).sum() / ONE / mix.sum()))
    return WhatIf(name, moved, step, int(largest.total), feasible, round(fresh, 6), finite(error_multiplier(fresh)))


def _stays(base: _Base, model: Model, name: str, mix: F64) -> bool:
    """Whether an optimum is one still when a limit moves: it keeps the new limit, and did not lean on the old."""
    if name == "caps.host":
        return False
    cells = [np.bincount(base.pool.cell_of, column, len(model.cells)) for column in mix.T]
    for old, new in zip(base.pool.model.limits, model.limits, strict=True):
        if old.name == name:
            slacks = [(row[0] @ cells[0] + row[1] @ cells[1]) / ONE for row in (old.rows(), new.rows())]
            if min(slacks) < 1e-6 * mix.sum():
                return False
    return True
