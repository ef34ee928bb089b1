"""Recipes that no mix can keep: which constraint, by how much, and what alone would help."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.mix.candidates import REAL
from pipeline.mix.plan_model import ONE, Limit, Model, Stock, members, parts, strata, stratum_of
from pipeline.mix.plan_pool import Pool
from pipeline.mix.plan_report import limits_of
from pipeline.mix.solve import Largest, best_cell, largest_mix
from schemas.config import ConfigError
from schemas.recipe import Floor, MixRecipe

_MOST_REPEATS = 16  # as in the recipe


class InfeasibleRecipe(ConfigError):
    """No mix keeps the recipe; the message names the constraint, the shortfall and what would help."""


def check_possible(model: Model, recipe: MixRecipe, stocks: Sequence[Stock]) -> None:
    """Refuse what no amount of text of these kinds could meet.

    Raises:
        InfeasibleRecipe: no text; a floor above every lower bound; a stratum without text; too few hosts; too much
            suspected AI text.
    """
    if not stocks:
        raise InfeasibleRecipe(
            "no document of any source takes part in the mix; see `labels`, `languages`, `minimum` and `maximum`"
        )
    faults = [
        fault
        for number, floor in enumerate(recipe.floors)
        if floor.share > 0
        for fault in [_floor_fault(model, recipe, number, floor)]
        if fault
    ]
    faults += [fault for fault in (_host_fault(model, recipe, stocks), _suspected_fault(model, recipe)) if fault]
    if faults:
        raise InfeasibleRecipe("; ".join(faults))


def _named(stratum: Sequence[tuple[str, str]]) -> str:
    return "".join(f" in {column} {value}" for column, value in stratum)


def _cell_name(model: Model, cell: int) -> str:
    known = model.cells[cell]
    return ", ".join(part for part in (known.source, known.language, known.group) if part)


def _floor_fault(model: Model, recipe: MixRecipe, number: int, floor: Floor) -> str | None:
    """Why no text meets a floor. Of floors that hold in each value of a column, one that can be met is enough."""
    name = f"floors.{number}"
    for column, value in sorted(floor.where.items()):
        held = sorted({stratum_of(cell, column) for cell in model.cells})
        if value not in held:
            return f"{name} is about {column} {value}, of which no source has text; there is {', '.join(held)}"
    found = list(strata(floor, model.cells))
    if not found:
        return f"{name} is about {dict(floor.where)}, and no document is in all of it"
    faults = [_stratum_fault(model, name, floor, stratum, recipe.tokens.unit) for stratum in found]
    return None if None in faults else faults[0]


def _stratum_fault(
    model: Model, name: str, floor: Floor, stratum: tuple[tuple[str, str], ...], unit: str
) -> str | None:
    inside = members(model.cells, stratum)
    asked = f"{name} asks {_share(floor.share)} fresh human text{_named(stratum)}"
    if not inside.any():
        return f"{asked}, and no document is in all of it"
    real = np.array([cell.origin == REAL for cell in model.cells]) & inside
    fresh = np.array([cell.fresh for cell in model.cells]) & real
    if not real.any():
        return f"{asked}, and all text of it is synthetic; add a run with real text"
    if not fresh.any():
        return (
            f"{asked}, and none is fresh: all real text of it was in earlier runs or mixes"
            f" ({int(model.stock[real].sum()):,} {unit}); add new text"
        )
    best = int(np.argmax(np.where(fresh, model.human, -1)))
    bound = int(model.human[best])
    if bound and bound >= parts(floor.share, up=True):
        return None
    groups = {model.cells[cell].group for cell in np.flatnonzero(fresh)}
    if not bound and groups <= {"unmeasured"}:
        return (
            f"{asked}, and its human share is not known; give a source `controls` (`headwater controls build`), or"
            " declare a share with `assume`"
        )
    return (
        f"{asked}, and the largest lower bound of any source is {bound / ONE:.3f} ({_cell_name(model, best)}); lower"
        f" {name} to {_down(bound / ONE)}, or add text that is surer to be human"
    )


def _host_fault(model: Model, recipe: MixRecipe, stocks: Sequence[Stock]) -> str | None:
    """Too few hosts: each may have a share of `caps.host`, and together they must make up the real text."""
    cap = recipe.caps.host
    real = [stock for stock, yes in zip(stocks, model.real, strict=True) if yes]
    if cap is None or not real:
        return None
    hosts = np.unique(np.concatenate([np.unique(stock.hosts[stock.tokens > 0]) for stock in real]))
    if 0 in hosts:
        return None
    synthetic = 0.0
    for origin, share in (("grounded", recipe.caps.grounded), ("ungrounded", recipe.caps.ungrounded)):
        synthetic += share if any(cell.origin == origin for cell in model.cells) else 0.0
    if cap * len(hosts) >= 1.0 - min(1.0, synthetic) - 1e-9:
        return None
    needed = math.ceil((1.0 - synthetic) / cap - 1e-9)
    least = _up((1.0 - synthetic) / len(hosts))
    return (
        f"caps.host {_share(cap)} needs real text of at least {needed:,} hosts, and there"
        f" {'is' if len(hosts) == 1 else 'are'} {len(hosts):,}; raise it to {least}, or add text of"
        f" {needed - len(hosts):,} more"
    )


def _suspected_fault(model: Model, recipe: MixRecipe) -> str | None:
    """Suspected AI text of the best real text is more than the cap, with as much grounded text as there may be."""
    if not recipe.caps.suspected or not model.real.any():
        return None
    best = int(np.argmin(np.where(model.real, model.suspected, ONE + 1)))
    least = int(model.suspected[best]) / ONE
    grounded = recipe.caps.grounded if any(cell.origin == "grounded" for cell in model.cells) else 0.0
    cap = recipe.caps.ungrounded
    if least * (1.0 - grounded - cap) <= cap:
        return None
    needed = least * (1.0 - grounded)
    unknown = model.cells[best].group == "unmeasured"
    known = "is not measured and counts as" if unknown else "has up to"
    helps = "give a source `controls`, or a share with `assume`" if unknown else "leave out text of high p_ai_generated"
    return (
        f"caps.ungrounded {_share(cap)} is less than the suspected AI text among real documents: the best"
        f" ({_cell_name(model, best)}) {known} {least:.3f}; raise it to {_up(needed)}, set"
        f" `caps.suspected: false`, or {helps}"
    )


@dataclass(frozen=True, slots=True)
class _Change:
    text: str  # with the new value where it is enough
    reach: float  # tokens of the largest mix that it can bring
    enough: bool


def explain_impossible(pool: Pool, recipe: MixRecipe, largest: Largest) -> InfeasibleRecipe:
    """There is no mix at all, though every constraint by itself could be met."""
    if largest.total >= 1:
        longest = max(int(stock.tokens.max(initial=0)) for stock in pool.stocks)
        return InfeasibleRecipe(
            f"no mix of whole documents keeps all of {', '.join(limits_of(recipe))}: {int(largest.total):,}"
            f" {recipe.tokens.unit} would, in parts of documents, and the longest has {longest:,}; add text, or make"
            " the shares more lenient"
        )
    need = recipe.budget or 1
    return InfeasibleRecipe(
        f"no mix keeps all of {', '.join(limits_of(recipe))} together. {_advice(pool, recipe, need, None)}"
    )


def explain_too_large(pool: Pool, recipe: MixRecipe, reached: int, largest: Largest) -> InfeasibleRecipe:
    """The budget is larger than the largest mix."""
    assert recipe.budget is not None
    unit = recipe.tokens.unit
    return InfeasibleRecipe(
        f"budget {recipe.budget:,} {unit} cannot be met: at most {reached:,} under this recipe,"
        f" {recipe.budget - reached:,} less. {_advice(pool, recipe, recipe.budget, largest)}"
    )


def explain_too_small(recipe: MixRecipe, smallest: int) -> InfeasibleRecipe:
    """Whole documents within the budget cannot keep the shares."""
    return InfeasibleRecipe(
        f"budget {recipe.budget or 0:,} {recipe.tokens.unit} is too small for whole documents to keep every share; the"
        f" smallest mix that was found has {smallest:,}"
    )


def _advice(pool: Pool, recipe: MixRecipe, need: int, largest: Largest | None) -> str:
    changes = _changes(pool, recipe, need, largest)
    enough = [change.text for change in changes if change.enough]
    if enough:
        one = "This would do" if len(enough) == 1 else "Any one of these would do"
        return f"{one}: {'; '.join(enough)}"
    unit = recipe.tokens.unit
    best = sorted((change for change in changes if change.reach >= 1), key=lambda change: -change.reach)[:4]
    gains = "; ".join(f"{change.text} reaches {int(change.reach):,} {unit}" for change in best)
    return f"No single change is enough: {gains}" if gains else "No single change is enough"


def _changes(pool: Pool, recipe: MixRecipe, need: int, largest: Largest | None) -> list[_Change]:
    """What each limit alone could do."""
    model = pool.model
    longest = max(int(stock.tokens.max(initial=0)) for stock in pool.stocks)
    wanted = need + longest if need > 1 else 1  # documents are whole: a little more than the budget

    def reach(changed: Model) -> float:
        return largest_mix(pool, changed).total

    now = reach(model)
    changes = []
    for name, limit in limits_of(recipe).items():
        floor = name.startswith("floors.")
        extreme = 0.0 if floor else 1.0
        most = reach(model.with_limits({name: extreme}))
        verb, what = ("lower", _floor_name(recipe, name)) if floor else ("raise", "")
        if most >= wanted:
            value = _nearest_enough(lambda limits: reach(model.with_limits(limits)) >= wanted, name, limit, floor)
            changes.append(_Change(f"{verb} {name}{what} from {_share(limit)} to {value:.2f}", most, True))
        elif most > now * (1 + 1e-6) + 1:
            changes.append(_Change(f"{name}{what} at {extreme:.0f}", most, False))
    if recipe.caps.suspected and now < wanted:
        bare = _without_suspected(model)
        most = reach(bare)
        if most > now * (1 + 1e-6) + 1:
            changes.append(_Change("set `caps.suspected: false`", most, most >= wanted))
    changes += _more_text(pool, recipe, wanted, largest)
    most = reach(model.with_limits({"repeats": _MOST_REPEATS}))
    if most >= wanted:
        repeats = next(
            n
            for n in range(recipe.repeats + 1, _MOST_REPEATS + 1)
            if reach(model.with_limits({"repeats": n})) >= wanted
        )
        changes.append(_Change(f"raise repeats from {recipe.repeats} to {repeats}", most, True))
    elif most > now * (1 + 1e-6) + 1:
        changes.append(_Change(f"repeats at {_MOST_REPEATS}", most, False))
    return changes


def _nearest_enough(enough: Callable[[dict[str, float]], bool], name: str, limit: float, floor: bool) -> float:
    """The hundredth nearest to the limit that is enough; the extreme one is known to be."""
    good = 0 if floor else 100
    bad = math.ceil(limit * 100 - 1e-9) if floor else math.floor(limit * 100 + 1e-9)
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        if enough({name: middle / 100}):
            good = middle
        else:
            bad = middle
    return good / 100


def _without_suspected(model: Model) -> Model:
    none = np.zeros_like(model.suspected)
    limits = tuple(
        replace(limit, first=limit.first - model.suspected, again=limit.again - model.suspected)
        if limit.name == "caps.ungrounded"
        else limit
        for limit in model.limits
    )
    return replace(model, limits=limits, suspected=none)


def _more_text(pool: Pool, recipe: MixRecipe, wanted: int, largest: Largest | None) -> list[_Change]:
    """Fresh human text that would be enough, in the stratum of each floor that binds; else anywhere."""
    model = pool.model
    prices = largest.prices if largest is not None else (0.0,) * len(model.limits)
    floors = [limit for limit, price in zip(model.limits, prices, strict=True) if limit.floor and price >= 1]
    if not floors:
        nothing, every = np.zeros(len(model.cells), np.int64), np.ones(len(model.cells), bool)
        floors = [Limit("", True, (), 0, model.human, nothing, every)]
    changes = []
    for floor in floors[:3]:
        amount = largest_mix(pool, model, floor, float(wanted)).total
        if math.isfinite(amount) and amount >= 1:
            known = f" as sure as that of {_cell_name(model, best_cell(model, floor))}" if model.human.any() else ""
            text = f"add at least {_round_up(amount):,} {recipe.tokens.unit} of fresh human text"
            changes.append(_Change(f"{text}{_named(floor.stratum)}{known}", float(wanted), True))
    return changes


def _floor_name(recipe: MixRecipe, name: str) -> str:
    floor = recipe.floors[int(name.removeprefix("floors."))]
    stratum = _named(sorted((str(column), value) for column, value in floor.where.items()))
    each = f" in each {floor.each}" if floor.each else ""
    return f" (fresh human text{stratum}{each})"


def _share(share: float) -> str:
    if 0 < share < 1e-4:
        return f"{share:g}"
    return f"{share:.2f}" if abs(share - round(share, 2)) < 1e-9 else f"{share:.4f}"


def _down(share: float) -> str:
    return f"{math.floor(share * 100 + 1e-9) / 100:.2f}"


def _up(share: float) -> str:
    return f"{min(1.0, math.ceil(share * 100 - 1e-9) / 100):.2f}"


def _round_up(amount: float) -> int:
    """Three digits, upwards."""
    step = int(10 ** max(0, math.floor(math.log10(amount)) - 2))
    return math.ceil(amount / step) * step
