"""Plans that can be worked out by hand, what they report, and the rule that copies follow."""

import json
import math
import pickle

import numpy as np
import pyarrow as pa
import pytest

from pipeline.mix.candidates import CANDIDATES, Cell
from pipeline.mix.plan import Plan, Stock, copies_of, describe_plan, plan_mix
from pipeline.mix.plan_report import error_multiplier, floor_of_multiplier
from pipeline.mix.solve import R_STAR, pass_values
from schemas.recipe import MixRecipe

SOURCES = [
    {"kind": "run", "name": "pool", "run": "pool"},
    {"kind": "run", "name": "other", "run": "other"},
    {"kind": "synthetic", "name": "made", "files": ["made.parquet"]},
]


def stock(
    n: int,
    origin: str = "real",
    fresh: bool = True,
    language: str = "eng",
    source: str | None = None,
    tokens: int = 10,
    human: float = 1.0,
    suspected: float = 0.0,
    hosts: int = 0,
    page_type: str = "none",
) -> Stock:
    """n documents of equal length, keys 1, 2 …, on `hosts` hosts in turn."""
    real = origin == "real"
    cell = Cell(source or ("pool" if real else "made"), origin, fresh and real, language, page_type, "dated" * real)
    names = np.arange(n) % hosts + 1 if hosts else np.zeros(n, int)
    return Stock(
        cell,
        np.arange(1, n + 1).astype(np.uint64),
        np.full(n, tokens, np.int64),
        np.ones(n, np.int64),
        names.astype(np.uint64),
        human if real else 0.0,
        suspected,
    )


def recipe(**values: object) -> MixRecipe:
    return MixRecipe.model_validate({"sources": SOURCES, "floors": [], **values})


def tokens(plan: Plan) -> dict[tuple[str, bool, str], int]:
    return {(cell.origin, cell.fresh, cell.language): count.tokens for cell, count in plan.counts.items()}


def test_the_floor_decides_how_often_text_is_repeated() -> None:
    plan = plan_mix([stock(100)], recipe(floors=[{"fresh_human": 0.4}], repeats=4))
    # 1,000 fresh tokens are 0.4 of 2,500: one pass, a second, and half of a third
    assert plan.tokens == 2500 == plan.max_budget
    (thresholds,) = plan.thresholds.values()
    assert thresholds.passes == (100, 100, 50, -1)
    assert plan.fresh_human_share == 0.4
    assert plan.documents == 100
    assert plan.copies == 250


def test_repeats_bound_what_no_floor_bounds() -> None:
    plan = plan_mix([stock(100)], recipe(repeats=3))
    assert plan.tokens == 3000
    report = {report.name: report for report in plan.constraints}["repeats"]
    assert report.binding
    assert report.price == pytest.approx(1000)


def test_caps_of_synthetic_text() -> None:
    stocks = [stock(100), stock(500, "grounded"), stock(500, "ungrounded")]
    plan = plan_mix(stocks, recipe(repeats=1, caps={"grounded": 0.4, "ungrounded": 0.1}))
    # real text is half of the mix
    assert tokens(plan) == {
        ("real", True, "eng"): 1000,
        ("grounded", False, "eng"): 800,
        ("ungrounded", False, "eng"): 200,
    }


def test_suspected_text_counts_against_the_cap() -> None:
    stocks = [stock(100, suspected=0.02), stock(500, "ungrounded")]
    plan = plan_mix(stocks, recipe(repeats=1, caps={"ungrounded": 0.05, "suspected": True}))
    # u + 0.02 * 1,000 <= 0.05 (1,000 + u), so u <= 31.6; without suspected text u <= 52.6
    assert tokens(plan)["ungrounded", False, "eng"] == 30
    plan = plan_mix(stocks, recipe(repeats=1, caps={"ungrounded": 0.05, "suspected": False}))
    assert tokens(plan)["ungrounded", False, "eng"] == 50


def test_a_floor_in_each_language_leaves_out_what_cannot_keep_it() -> None:
    stocks = [stock(100), stock(100, fresh=False), stock(50, fresh=False, language="deu")]
    plan = plan_mix(stocks, recipe(repeats=1, floors=[{"fresh_human": 0.5, "each": "language"}]))
    assert tokens(plan) == {("real", True, "eng"): 1000, ("real", False, "eng"): 1000, ("real", False, "deu"): 0}
    reports = {tuple(report.stratum.values()): report for report in plan.constraints if report.name == "floors.0"}
    assert reports["deu",].value is None
    assert reports["eng",].value == 0.5
    assert reports["eng",].binding


def test_the_host_cap_gives_hosts_thresholds_of_their_own() -> None:
    # one host has half of the text, 50 others a hundredth each
    busy, others = stock(50, hosts=1), stock(50, hosts=50)
    merged = Stock(
        busy.cell,
        np.arange(1, 101).astype(np.uint64),
        np.full(100, 10),
        np.ones(100, np.int64),
        np.ravel(np.column_stack([busy.hosts + np.uint64(1000), others.hosts])),
        1.0,
        0.0,
    )
    plan = plan_mix([merged], recipe(repeats=1, caps={"host": 0.2}))
    # h <= 0.2 (500 + h), so h <= 125
    assert plan.tokens == 620
    (thresholds,) = plan.thresholds.values()
    assert thresholds.passes[0] == 100
    assert list(thresholds.hosts) == [1001]
    assert thresholds.hosts[1001][0] == 23  # the twelfth of keys 1, 3, 5 …
    half = plan_mix([merged], recipe(repeats=1, caps={"host": 0.2}, budget=310))
    assert 290 <= half.tokens <= 310
    assert half.thresholds[merged.cell].hosts[1001][0] <= 23


def test_wanted_shares_follow_weights_and_temperature() -> None:
    stocks = [stock(900), stock(100, language="deu")]
    plan = plan_mix(stocks, recipe(budget=1000, repeats=4))
    assert tokens(plan)["real", True, "deu"] == pytest.approx(100, abs=10)  # documents are whole
    plan = plan_mix(stocks, recipe(budget=1000, repeats=4, language_temperature=2.0))
    assert tokens(plan)["real", True, "deu"] == pytest.approx(250, abs=10)  # as 3 to 1, the root of 9 to 1
    sources = [{**SOURCES[0], "weight": 3.0}, *SOURCES[1:]]
    stocks = [stock(500), stock(500, source="other")]
    plan = plan_mix(stocks, recipe(budget=1000, sources=sources, repeats=4))
    by_source = {cell.source: count.tokens for cell, count in plan.counts.items()}
    assert by_source["pool"] == pytest.approx(750, abs=20)


def test_cells_of_a_language_share_alike() -> None:
    stocks = [stock(300, page_type="article"), stock(100, page_type="forum")]
    plan = plan_mix(stocks, recipe(budget=400))
    assert {cell.page_type: count.tokens for cell, count in plan.counts.items()} == {"article": 300, "forum": 100}


def test_text_is_repeated_only_when_the_first_pass_is_spent() -> None:
    plan = plan_mix([stock(100), stock(100, fresh=False)], recipe(budget=2000))
    assert plan.documents == plan.copies == 200
    # four passes of real text come before ungrounded text beyond its wanted share, a fifth does not
    values = pass_values(5)
    assert values[0] == 1.0
    assert values[1:].sum() == pytest.approx(R_STAR * (1 - math.exp(-4 / R_STAR)))
    assert np.all(np.diff(values) < 0)


def test_documents_of_one_key_are_taken_together() -> None:
    whole = stock(10)
    twins = Stock(whole.cell, whole.keys // np.uint64(5), whole.tokens, whole.documents, whole.hosts, 1.0, 0.0)
    plan = plan_mix([twins], recipe(budget=45, repeats=1))  # keys 0 0 0 0 1 1 1 1 1 2
    assert plan.tokens == 40
    assert plan.thresholds[whole.cell].passes == (0,)


def test_the_order_of_stocks_does_not_matter() -> None:
    stocks = [stock(100), stock(80, language="deu"), stock(300, "grounded")]
    plans = [plan_mix(order, recipe(budget=1500)).as_dict() for order in (stocks, stocks[::-1])]
    assert plans[0] == plans[1]
    with pytest.raises(ValueError, match="two stocks"):
        plan_mix([stock(3), stock(4)], recipe())


def test_error_multiplier_and_its_inverse() -> None:
    assert error_multiplier(0.1) == pytest.approx(5.263, abs=1e-3)  # as the literature has it
    assert error_multiplier(0.3) == pytest.approx(1.961, abs=1e-3)
    assert math.isinf(error_multiplier(0.0))
    assert error_multiplier(1.0) == 1.0
    assert [round(floor_of_multiplier(k), 2) for k in (1.1, 1.25, 1.5, 2, 3, 5)] == [0.7, 0.55, 0.42, 0.29, 0.18, 0.11]


def test_prices_and_what_if() -> None:
    stocks = [stock(100), stock(1000, fresh=False)]
    plan = plan_mix(stocks, recipe(floors=[{"fresh_human": 0.25}], repeats=1))
    assert plan.tokens == 4000
    floor = plan.constraints[0]
    assert (floor.name, floor.limit, floor.value, floor.binding) == ("floors.0", 0.25, 0.25, True)
    assert floor.price == pytest.approx(160)  # -d(1,000 / f)/df = 1,000 / f^2 = 16,000, for 0.01
    answers = {answer.limit: answer for answer in plan.what_if if answer.name == "floors.0"}
    assert {limit: answer.max_budget for limit, answer in answers.items()} == {
        0.15: pytest.approx(6666, abs=1),
        0.2: 5000,
        0.3: pytest.approx(3333, abs=1),
        0.35: pytest.approx(2857, abs=1),
    }
    assert answers[0.3].fresh_human_share == pytest.approx(0.3)
    assert answers[0.3].error_multiplier == pytest.approx(error_multiplier(0.3))
    short = plan_mix(stocks, recipe(floors=[{"fresh_human": 0.25}], repeats=1, budget=3500))
    assert [answer.feasible for answer in short.what_if if answer.name == "floors.0"] == [True, True, False, False]


def test_a_plan_can_be_stored_and_read_by_people() -> None:
    plan = plan_mix([stock(100), stock(100, "grounded")], recipe(floors=[{"fresh_human": 0.3}], budget=900))
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301
    assert json.loads(json.dumps(plan.as_dict(), allow_nan=False)) == plan.as_dict()
    lines = describe_plan(plan)
    assert lines[0].startswith("900 bytes (of a budget of 900; at most ")
    assert any(line.startswith("floors.0: ") for line in lines)


def candidates(rows: list[dict]) -> pa.Table:
    defaults = {"doc_id": "", "origin": "real", "fresh": True, "language": "eng", "page_type": "none"}
    defaults |= {"group": "dated", "label": "human", "reason": None, "tokens": 10, "host": 0}
    return pa.Table.from_pylist([defaults | row for row in rows], schema=CANDIDATES)


def test_copies_follow_the_thresholds() -> None:
    plan = plan_mix([stock(100), stock(100, "grounded")], recipe(floors=[{"fresh_human": 0.4}], caps={"grounded": 0.1}))
    passes = plan.thresholds[stock(1).cell].passes
    rows = [{"row": n, "key": n + 1} for n in range(100)]
    rows += [{"row": 100, "key": 1, "reason": "label"}, {"row": 101, "key": 1, "language": "fra"}]
    rows += [{"row": 102, "key": 1, "fresh": False}, {"row": 103, "key": 1, "page_type": None}]
    copies = copies_of(candidates(rows), "pool", plan)
    assert copies.dtype == np.int32
    assert copies.tolist() == [sum(n + 1 <= t for t in passes) for n in range(100)] + [0, 0, 0, 0]
    assert int(copies.sum()) == plan.counts[stock(1).cell].copies
    assert not copies_of(candidates(rows), "other", plan).any()
    assert not len(copies_of(candidates([]), "pool", plan))


def test_copies_of_hosts_with_thresholds_of_their_own() -> None:
    cell = stock(1).cell
    hosts = np.where(np.arange(100) % 2, np.arange(100) + 5, 2**63 + 5).astype(np.uint64)
    merged = Stock(cell, np.arange(100).astype(np.uint64), np.full(100, 10), np.ones(100, np.int64), hosts, 1.0, 0.0)
    plan = plan_mix([merged], recipe(repeats=2, caps={"host": 0.2}))
    rows = [{"row": n, "key": n, "host": int(hosts[n])} for n in range(100)]
    copies = copies_of(candidates(rows), "pool", plan)
    assert int(copies.sum()) * 10 == plan.tokens
    assert int(copies[hosts == 2**63 + 5].sum()) * 10 <= 0.2 * plan.tokens
    assert plan.thresholds[cell].hosts


@pytest.mark.parametrize("seed", [366, 374])
def test_hosts_that_are_split_late_are_counted_in_every_report(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stocks = []
    for language in range(rng.integers(1, 5)):
        n = int(rng.integers(1, 120))
        hosts = np.minimum(rng.zipf(1.4, n), int(rng.integers(3, 90))).astype(np.uint64)
        cell = Cell("web", "real", True, f"l{language:02d}", "none", "assumed")
        keys = np.sort(rng.integers(0, 2**33, n)).astype(np.uint64)
        stocks.append(Stock(cell, keys, rng.integers(1, 3000, n), np.ones(n, np.int64), hosts, 0.9, 0.1))
    caps = {"host": float(rng.choice([0.02, 0.03, 0.05, 0.1, 0.2])), "ungrounded": 0.2}
    floors = [{"fresh_human": 0.3}, {"fresh_human": 0.2, "each": "language"}]
    source = {"kind": "run", "name": "web", "run": "x"}
    repeats = int(rng.integers(1, 5))
    plan = plan_mix(
        stocks, MixRecipe.model_validate({"sources": [source], "caps": caps, "floors": floors, "repeats": repeats})
    )
    assert plan.what_if
    assert all(report.slack is None or report.slack >= 0 for report in plan.constraints)
