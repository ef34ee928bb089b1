"""Laws of plans, on drawn stocks and recipes: every constraint exactly, larger budgets hold smaller ones."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.mix.candidates import Cell
from pipeline.mix.plan import InfeasibleRecipe, Plan, Stock, plan_mix
from schemas.recipe import MixRecipe

LANGUAGES = ("deu", "eng", "fra")
BILLION = 10**9


def copies(plan: Plan, stock: Stock) -> np.ndarray:
    """Copies of every entry, by the rule that every worker applies; int64[n]."""
    thresholds = plan.thresholds.get(stock.cell)
    if thresholds is None:
        return np.zeros(len(stock.keys), np.int64)
    rows = [thresholds.hosts.get(int(host), thresholds.passes) for host in stock.hosts]
    return np.array([sum(int(key) <= t for t in row) for key, row in zip(stock.keys, rows, strict=True)], np.int64)


def down(share: float) -> Fraction:
    return Fraction(int(Fraction(repr(share)) * BILLION), BILLION)


def check_exactly(plan: Plan, stocks: list[Stock], recipe: MixRecipe) -> None:
    """Every constraint in whole numbers, from the copies alone."""
    taken = {stock.cell: copies(plan, stock) for stock in stocks}
    tokens = {stock.cell: int((taken[stock.cell] * stock.tokens).sum()) for stock in stocks}
    total = sum(tokens.values())
    assert total == plan.tokens > 0
    assert recipe.budget is None or total <= recipe.budget
    fresh = {
        stock.cell: down(stock.human_low) * int(((taken[stock.cell] > 0) * stock.tokens).sum())
        for stock in stocks
        if stock.cell.fresh and stock.cell.origin == "real"
    }
    for floor in recipe.floors:
        values = {getattr(cell, floor.each) for cell in tokens} if floor.each else {None}
        for value in values:
            inside = [
                cell
                for cell in tokens
                if all(getattr(cell, column) == wanted for column, wanted in floor.where.items())
                and (floor.each is None or getattr(cell, floor.each) == value)
            ]
            asked = Fraction(repr(floor.share)) * sum(tokens[cell] for cell in inside)
            assert sum(fresh.get(cell, Fraction(0)) for cell in inside) >= asked
    caps = recipe.caps
    assert sum(n for cell, n in tokens.items() if cell.origin == "grounded") <= Fraction(repr(caps.grounded)) * total
    suspected = sum(n for cell, n in tokens.items() if cell.origin == "ungrounded")
    if caps.suspected:
        suspected += sum(Fraction(repr(s.ai_high)) * tokens[s.cell] for s in stocks if s.cell.origin == "real")
    assert suspected <= Fraction(repr(caps.ungrounded)) * total
    if caps.host is not None:
        hosts: dict[int, int] = {}
        for stock in stocks:
            if stock.cell.origin == "real":
                for host, n in zip(stock.hosts.tolist(), (taken[stock.cell] * stock.tokens).tolist(), strict=True):
                    hosts[host] = hosts.get(host, 0) + n
        hosts.pop(0, None)
        assert max(hosts.values(), default=0) <= Fraction(repr(caps.host)) * total
    for stock in stocks:
        most = recipe.repeats if stock.cell.origin == "real" else 1
        assert taken[stock.cell].max(initial=0) <= most
        first_of_key = {}
        if caps.host is None:
            for key, n in zip(stock.keys.tolist(), taken[stock.cell].tolist(), strict=True):
                assert first_of_key.setdefault(key, n) == n


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Stock], dict]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = [("pool", "real", True), ("pool", "real", False), ("old", "real", True)]
    kinds += [("made", "grounded", False), ("made", "ungrounded", False)]
    stocks = []
    for language in LANGUAGES[: draw(st.integers(1, 3))]:
        for source, origin, fresh in kinds:
            n = draw(st.sampled_from([0, 1, 5, 60, 300]))
            spread = draw(st.sampled_from([0.0, 0.5, 1.5]))
            keys = np.sort(rng.integers(0, draw(st.sampled_from([40, 2**34])), n).astype(np.uint64))
            tokens = np.maximum(1, rng.lognormal(5, spread, n)).astype(np.int64)
            hosts = np.minimum(rng.zipf(1.6, n), 40).astype(np.uint64) - draw(st.integers(0, 1))
            real = origin == "real"
            low = round(float(rng.uniform(0.5, 1)), 3) if real else 0.0
            high = round(float(rng.uniform(0, 0.1)), 3) if real else 0.0
            cell = Cell(source, origin, fresh, language, "none", "measured" if real else "")
            stocks.append(Stock(cell, keys, tokens, np.ones(n, np.int64), hosts, low, high))
    floors = [{"fresh_human": draw(st.sampled_from([0.0, 0.1, 0.3, 0.5]))}]
    if draw(st.booleans()):
        floors.append({"error_multiplier": draw(st.sampled_from([1.5, 3.0, 10.0])), "each": "language"})
    recipe = {
        "sources": [
            {"kind": "run", "name": "pool", "run": "pool", "weight": draw(st.sampled_from([1.0, 3.0]))},
            {"kind": "run", "name": "old", "run": "old"},
            {"kind": "synthetic", "name": "made", "files": ["made.parquet"]},
        ],
        "floors": floors,
        "repeats": draw(st.integers(1, 5)),
        "language_temperature": draw(st.sampled_from([1.0, 3.0])),
        "caps": {
            "grounded": draw(st.sampled_from([0.0, 0.2, 1 / 3, 1.0])),
            "ungrounded": draw(st.sampled_from([0.05, 0.1, 0.5])),
            "suspected": draw(st.booleans()),
            "host": draw(st.sampled_from([None, None, 0.5, 0.2, 0.1])),
        },
    }
    return stocks, recipe


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases(), st.lists(st.floats(0.005, 1.0), min_size=3, max_size=3))
def test_constraints_hold_exactly_and_budgets_nest(case: tuple[list[Stock], dict], shares: list[float]) -> None:
    stocks, values = case
    try:
        largest = plan_mix(stocks, MixRecipe.model_validate(values), ())
    except InfeasibleRecipe:
        return
    check_exactly(largest, stocks, MixRecipe.model_validate(values))
    assert largest.tokens == largest.max_budget
    plans = [largest]
    for share in sorted(shares, reverse=True):
        recipe = MixRecipe.model_validate({**values, "budget": max(1, int(share * largest.tokens))})
        try:
            plan = plan_mix(stocks, recipe, ())
        except InfeasibleRecipe:  # too small for whole documents
            continue
        check_exactly(plan, stocks, recipe)
        assert plan.max_budget == largest.max_budget
        plans.append(plan)
    for larger, smaller in pairwise(plans):
        for stock in stocks:
            assert np.all(copies(smaller, stock) <= copies(larger, stock))


def test_a_budget_is_missed_by_less_than_a_document_or_two() -> None:
    rng = np.random.default_rng(5)
    stocks = []
    for number, (origin, fresh) in enumerate([("real", True), ("real", False), ("grounded", False)]):
        keys = np.sort(rng.integers(0, 2**40, 2000).astype(np.uint64))
        tokens = rng.integers(500, 1500, 2000)
        low = 0.9 if origin == "real" else 0.0
        cell = Cell("pool" if origin == "real" else "made", origin, fresh, "eng", "none", "dated")
        stocks.append(Stock(cell, keys, tokens, np.ones(2000, np.int64), np.full(2000, number, np.uint64), low, 0.0))
    sources = [{"kind": "run", "name": "pool", "run": "r"}, {"kind": "synthetic", "name": "made", "files": ["f"]}]
    for budget in (100_000, 123_457, 999_999, 3_000_001):
        plan = plan_mix(stocks, MixRecipe.model_validate({"sources": sources, "budget": budget}), ())
        assert 0 <= plan.shortfall < 3_000


@pytest.mark.full
def test_all_budgets_nest_in_one_chain() -> None:
    rng = np.random.default_rng(11)
    stocks = []
    for language in ("deu", "eng"):
        for origin, fresh in [("real", True), ("real", False), ("grounded", False), ("ungrounded", False)]:
            keys = np.sort(rng.integers(0, 2**40, 200).astype(np.uint64))
            tokens = rng.lognormal(6, 1, 200).astype(np.int64) + 1
            hosts = np.minimum(rng.zipf(1.5, 200), 30).astype(np.uint64)
            real = origin == "real"
            cell = Cell("pool" if real else "made", origin, fresh, language, "none", "measured" if real else "")
            stocks.append(
                Stock(cell, keys, tokens, np.ones(200, np.int64), hosts, 0.8 if real else 0, 0.02 if real else 0)
            )
    values = {
        "sources": [{"kind": "run", "name": "pool", "run": "r"}, {"kind": "synthetic", "name": "made", "files": ["f"]}],
        "floors": [{"fresh_human": 0.3}, {"fresh_human": 0.25, "each": "language"}],
        "caps": {"host": 0.08},
    }
    largest = plan_mix(stocks, MixRecipe.model_validate(values), ()).tokens
    before = [np.zeros(200, np.int64)] * len(stocks)
    for budget in np.linspace(largest / 8, largest, 15).astype(int).tolist():
        recipe = MixRecipe.model_validate({**values, "budget": budget})
        plan = plan_mix(stocks, recipe, ())
        check_exactly(plan, stocks, recipe)
        now = [copies(plan, stock) for stock in stocks]
        assert all(np.all(a <= b) for a, b in zip(before, now, strict=True))
        before = now
