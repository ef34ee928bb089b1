"""Each constraint violated in turn: the error names it, says by how much, and its advice works."""

import re

import numpy as np
import pytest

from pipeline.mix.candidates import Cell
from pipeline.mix.plan import InfeasibleRecipe, Stock, plan_mix
from schemas.config import ConfigError
from schemas.recipe import MixRecipe

SOURCES = [{"kind": "run", "name": "pool", "run": "pool"}, {"kind": "synthetic", "name": "made", "files": ["f"]}]


def stock(
    n: int,
    origin: str = "real",
    fresh: bool = True,
    language: str = "eng",
    human: float = 0.8,
    suspected: float = 0.02,
    hosts: int = 0,
    group: str = "measured",
) -> Stock:
    real = origin == "real"
    cell = Cell("pool" if real else "made", origin, fresh and real, language, "none", group if real else "")
    names = (np.arange(n) % hosts + 1 if hosts else np.zeros(n)).astype(np.uint64)
    keys = np.arange(n).astype(np.uint64)
    low, high = (human, suspected) if real else (0.0, 0.0)
    return Stock(cell, keys, np.full(n, 10), np.ones(n, np.int64), names, low, high)


def plan(stocks: list[Stock], **values: object) -> int:
    return plan_mix(stocks, MixRecipe.model_validate({"sources": SOURCES, **values}), ()).tokens


def refuse(stocks: list[Stock], **values: object) -> str:
    with pytest.raises(InfeasibleRecipe) as caught:
        plan(stocks, **values)
    assert isinstance(caught.value, ConfigError)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_budget_above_the_largest_mix_names_every_way_out() -> None:
    stocks = [stock(1000), stock(3000, fresh=False)]
    message = refuse(stocks, budget=30_000)
    assert message.startswith("budget 30,000 bytes cannot be met: at most 26,660 under this recipe, 3,340 less. ")
    lower = re.search(r"lower floors\.0 \(fresh human text\) from 0\.30 to (0\.\d\d)", message)
    assert lower is not None
    assert plan(stocks, budget=30_000, floors=[{"fresh_human": float(lower[1])}]) > 29_900
    refuse(stocks, budget=30_000, floors=[{"fresh_human": float(lower[1]) + 0.01}])
    more = re.search(r"add at least ([\d,]+) bytes of fresh human text", message)
    assert more is not None
    added = int(more[1].replace(",", "")) // 10
    assert plan([stock(1000 + added), stocks[1]], budget=30_000) > 29_900
    refuse([stock(1000 + added - 20), stocks[1]], budget=30_000)
    assert "raise repeats" not in message  # the floor binds, and more passes are not fresh


def test_repeats_are_raised_where_they_are_what_is_short() -> None:
    stocks = [stock(1000)]
    message = refuse(stocks, budget=25_000, repeats=2, floors=[{"fresh_human": 0.1}])
    assert message.startswith("budget 25,000 bytes cannot be met: at most 20,000")
    assert "raise repeats from 2 to 3" in message
    assert "lower floors" not in message
    assert plan(stocks, budget=25_000, repeats=3, floors=[{"fresh_human": 0.1}]) == 25_000


@pytest.mark.parametrize("origin", ["grounded", "ungrounded"])
def test_caps_are_raised_where_synthetic_text_would_fill_the_budget(origin: str) -> None:
    stocks = [stock(1000, suspected=0.0), stock(3000, origin)]
    caps = {"grounded": 0.2, "ungrounded": 0.2}
    values = {"budget": 15_000, "repeats": 1, "floors": [{"fresh_human": 0.1}]}
    message = refuse(stocks, **values, caps=caps)
    raised = re.search(rf"raise caps\.{origin} from 0\.20 to (0\.\d\d)", message)
    assert raised is not None
    assert plan(stocks, **values, caps=caps | {origin: float(raised[1])}) > 14_950
    refuse(stocks, **values, caps=caps | {origin: float(raised[1]) - 0.01})


def test_the_host_cap_is_named_where_it_binds() -> None:
    stocks = [stock(100, hosts=1), stock(1000, fresh=False, hosts=20)]
    values = {"budget": 9_000, "repeats": 1, "floors": [{"fresh_human": 0.05}]}
    message = refuse(stocks, **values, caps={"host": 0.05})
    raised = re.search(r"raise caps\.host from 0\.05 to (0\.\d\d)", message)
    assert raised is not None
    assert plan(stocks, **values, caps={"host": float(raised[1])}) > 8_900


def test_too_few_hosts() -> None:
    message = refuse([stock(100, hosts=3)], caps={"host": 0.05})
    assert message.startswith("caps.host 0.05 needs real text of at least 20 hosts, and there are 3; raise it to 0.34")
    assert plan([stock(100, hosts=3)], caps={"host": 0.34}) > 0


def test_a_floor_above_every_lower_bound() -> None:
    message = refuse([stock(100), stock(100, language="deu", human=0.83)], floors=[{"fresh_human": 0.9}])
    assert message.startswith(
        "floors.0 asks 0.90 fresh human text, and the largest lower bound of any source is 0.830 (pool, deu, measured)"
    )
    floors = [{"fresh_human": 0.5}, {"error_multiplier": 1.1, "where": {"language": "deu"}}]
    message = refuse([stock(100), stock(100, language="deu", human=0.6)], floors=floors)
    assert message.startswith("floors.1 asks 0.6985 fresh human text in language deu, and the largest")


def test_a_human_share_that_is_not_known() -> None:
    message = refuse([stock(100, human=0.0, suspected=0.0, group="unmeasured")])
    assert message.startswith("floors.0 asks 0.30 fresh human text, and its human share is not known; give a source")
    assert "`assume`" in message


def test_a_stratum_without_text() -> None:
    message = refuse([stock(100)], floors=[{"fresh_human": 0.3, "where": {"language": "deu"}}])
    assert message == "floors.0 is about language deu, of which no source has text; there is eng"
    # of a floor in each language, one that can be kept is enough
    stocks = [stock(9), stock(9, fresh=False, language="deu")]
    assert plan(stocks, floors=[{"fresh_human": 0.3, "each": "language"}], repeats=1) == 90
    message = refuse(stocks[1:], floors=[{"fresh_human": 0.3, "each": "language"}])
    assert message.startswith("floors.0 asks 0.30 fresh human text in language deu, and none is fresh")


def test_nothing_fresh_and_nothing_real() -> None:
    message = refuse([stock(100, fresh=False)])
    assert "none is fresh: all real text of it was in earlier runs or mixes (1,000 bytes)" in message
    assert "all text of it is synthetic; add a run with real text" in refuse([stock(100, "grounded")])
    assert refuse([]).startswith("no document of any source takes part")
    assert refuse([stock(0)]).startswith("no document of any source takes part")


def test_suspected_text_of_real_documents_above_the_cap() -> None:
    message = refuse([stock(100, suspected=0.08)], caps={"ungrounded": 0.05})
    assert message.startswith(
        "caps.ungrounded 0.05 is less than the suspected AI text among real documents: the best (pool, eng, measured)"
        " has up to 0.080; raise it to 0.08, set `caps.suspected: false`, or "
    )
    assert plan([stock(100, suspected=0.08)], caps={"ungrounded": 0.08}) > 0
    assert plan([stock(100, suspected=0.08)], caps={"suspected": False}) > 0
    unknown = stock(100, human=0.5, suspected=1.0, group="unmeasured")
    assert "is not measured and counts as 1.000" in refuse([unknown])


def test_several_faults_are_named_at_once() -> None:
    message = refuse([stock(100, hosts=2)], floors=[{"fresh_human": 0.9}], caps={"host": 0.1, "ungrounded": 0.01})
    assert [
        fault.split(" ", 1)[0] for fault in re.split("; (?=floors|caps)", message) if fault[:4] in ("floo", "caps")
    ] == [
        "floors.0",
        "caps.host",
        "caps.ungrounded",
    ]


def test_constraints_that_exclude_each_other() -> None:
    # fresh text is suspected, and what is not suspected is not fresh
    stocks = [stock(1000, human=0.5, suspected=0.2), stock(1000, fresh=False, suspected=0.0)]
    message = refuse(stocks, floors=[{"fresh_human": 0.4}], caps={"ungrounded": 0.05})
    assert message.startswith("no mix keeps all of floors.0, caps.grounded, caps.ungrounded together. Any one of these")
    lower = re.search(r"lower floors\.0 \(fresh human text\) from 0\.40 to (0\.\d\d)", message)
    raised = re.search(r"raise caps\.ungrounded from 0\.05 to (0\.\d\d)", message)
    assert lower is not None
    assert raised is not None
    assert plan(stocks, floors=[{"fresh_human": float(lower[1])}], caps={"ungrounded": 0.05}) > 0
    assert plan(stocks, floors=[{"fresh_human": 0.4}], caps={"ungrounded": float(raised[1])}) > 0


def test_a_budget_too_small_for_whole_documents() -> None:
    stocks = [stock(100), stock(100, "grounded")]
    message = refuse(stocks, budget=7)
    assert message.startswith("budget 7 bytes is too small for whole documents to keep every share; the smallest mix")
    smallest = int(message.rsplit(" ", 1)[1].replace(",", ""))
    assert plan(stocks, budget=smallest) == smallest


def test_no_single_change_is_enough() -> None:
    message = refuse([stock(10), stock(10, "grounded")], budget=10**9)
    assert "cannot be met" in message
    assert "add at least" in message  # more text always does
