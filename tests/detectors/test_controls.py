"""Controls: exact merging, back-off, the file, and what is refused."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.controls import FORMAT, HOSTS_KEPT, POOLED, Cell, ControlsError, ControlSet, HostSum
from detectors.strata import LEVELS, Histogram, Strata, z_of_scores

MODELS = {"ai_text": "aaaa"}
OLD = np.datetime64("2021-06-01T12:00:00", "us")
NEW = np.datetime64("2024-06-01T12:00:00", "us")


def collected(
    z: list[float],
    *,
    language: str | None = "eng_Latn",
    page_type: str | None = None,
    words: int = 250,
    when: np.datetime64 = OLD,
    hosts: list[str | None] | None = None,
    kept: int = HOSTS_KEPT,
    models: dict[str, str] | None = None,
) -> ControlSet:
    scores = 1 / (1 + np.exp(-np.array(z, dtype=np.float64)))
    strata = Strata.of([language] * len(z), [page_type] * len(z), [words] * len(z))
    return ControlSet.collect(
        {"ai_text": pa.array(scores, pa.float32())},
        strata,
        np.full(len(z), when),
        hosts,
        models or MODELS,
        hosts_kept=kept,
    )


@given(st.lists(st.floats(-15, 15), min_size=1, max_size=60), st.data())
@settings(max_examples=60, deadline=None)
def test_merging_is_exact_in_any_order_and_grouping(z: list[float], data: st.DataObject) -> None:
    hosts: list[str | None] = [data.draw(st.sampled_from(["a.example", "b.example", "c.example", None])) for _ in z]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(z)), max_size=3)))
    whole = collected(z, hosts=hosts, kept=2)
    parts = [collected(z[a:b], hosts=hosts[a:b], kept=2) for a, b in itertools.pairwise([0, *cuts, len(z)])]
    order = data.draw(st.permutations(parts))
    merged = ControlSet.merge(order)
    nested = ControlSet.merge([order[0], ControlSet.merge(order[1:])]) if len(order) > 1 else merged
    assert merged.to_json() == whole.to_json() == nested.to_json()
    assert merged.digest() == whole.digest()


def test_only_dated_rows_before_the_cut_with_a_score_are_used() -> None:
    scores = pa.array([0.5, 0.5, 0.5, None, float("nan"), 0.25], pa.float32())
    times = pa.array(
        [datetime(2022, 10, 31, 23, 59, 59), datetime(2022, 11, 1), None, datetime(2020, 1, 1), datetime(2020, 1, 1),
         datetime(2019, 1, 1)],
        pa.timestamp("us", tz="UTC"),
    )  # fmt: skip
    strata = Strata.of(["eng"] * 6, None, [60] * 6)
    found = ControlSet.collect({"ai_text": scores}, strata, times, None, MODELS, datetime(2022, 11, 1, tzinfo=UTC))
    assert found.counts == {"used": 2, "undated": 1, "after": 1, "unscored": 2}
    assert {cell: h.n for cell, h in found.cells.items()} == {
        Cell("ai_text", "eng", None, 1, 2022): 1,
        Cell("ai_text", "eng", None, 1, 2019): 1,
    }
    assert not found.hosts


def test_strata_drop_the_script_and_keep_unknown_apart() -> None:
    strata = Strata.of(["eng_Latn", "eng", None, "deu_Latn"], ["article", "article", None, ""], [49, 50, 200, 199])
    assert strata.keys == [("eng", "article", 0), ("eng", "article", 1), (None, None, 3), ("deu", None, 2)]
    assert strata.codes.tolist() == [0, 1, 2, 3]


def test_levels_back_off_from_fine_to_coarse_and_never_across_languages() -> None:
    found = ControlSet.merge(
        [
            collected([0.0] * 3, page_type="article", words=60),
            collected([0.1] * 5, page_type="article", words=250),
            collected([0.2] * 7, page_type="forum", words=60),
            collected([0.3] * 11, language="deu", page_type="article", words=60),
        ]
    )
    assert [match.histogram.n for match in found.matches("ai_text", "eng", "article", 1)] == [3, 8, 10, 15]
    assert [match.histogram.n for match in found.matches("ai_text", "eng", "listing", 1)] == [0, 0, 10, 15]
    assert [match.histogram.n for match in found.matches("ai_text", "eng", None, 1)] == [0] * 4
    assert [match.histogram.n for match in found.matches("ai_text", "fra", "article", 1)] == [0] * len(LEVELS)
    assert [match.histogram.n for match in found.matches("raw_text", "eng", "article", 1)] == [0] * len(LEVELS)


def test_years_are_pooled_newest_first_until_there_are_enough() -> None:
    newest, middle, oldest = (
        collected([v] * POOLED, when=np.datetime64(f"{year}-01-01", "us"))
        for v, year in ((1.0, 2022), (2.0, 2021), (3.0, 2020))
    )
    few = collected([4.0] * 10, when=np.datetime64("2022-03-01", "us"))
    assert ControlSet.merge([oldest, middle, newest]).matches("ai_text", "eng", None, 3)[
        0
    ].histogram.mean() == pytest.approx(1.01)
    both = ControlSet.merge([oldest, middle, few]).matches("ai_text", "eng", None, 3)[0].histogram
    assert both.n == POOLED + 10
    assert [year for year, _ in ControlSet.merge([oldest, newest]).by_year("ai_text", "eng")] == [2020, 2022]


def test_hosts_with_the_smallest_hashes_are_kept_with_exact_sums() -> None:
    names: list[str | None] = [f"host{i % 40}.example" for i in range(200)]
    z = list(np.linspace(-2, 2, 200))
    found = collected(z, hosts=names, kept=10)
    everything = collected(z, hosts=names)
    kept = {key.host for key in found.hosts}
    assert len(kept) == 10
    assert max(kept) < min(key.host for key in everything.hosts if key.host not in kept)
    for key, value in found.hosts.items():
        assert everything.hosts[key] == value
    one = collected([0.5, 0.5, -1.0], hosts=["x.example", None, "x.example"])
    assert list(one.hosts.values()) == [HostSum(2, 512 - 1024, 512**2 + 1024**2)]


def test_the_file_survives_and_is_small() -> None:
    rng = np.random.default_rng(0)
    found = collected(list(rng.normal(size=5000)), hosts=[f"h{i}" for i in rng.integers(0, 300, 5000)])
    text = found.to_json()
    again = ControlSet.from_json(text)
    assert again.to_json() == text
    assert again.digest() == found.digest()
    assert again.hosts == found.hosts
    assert again.before == found.before
    assert len(text) < 20_000
    other = ControlSet.from_json(text.replace('"aaaa"', '"bbbb"'))
    assert other.digest() != found.digest()


OTHER_VERSION = {"format": FORMAT, "version": 99, "bins_per_unit": 50, "fixed_point": 1024, "length_edges": []}


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"format": FORMAT}), json.dumps(OTHER_VERSION)])
def test_files_that_are_no_controls_are_refused(text: str) -> None:
    with pytest.raises(ControlsError, match="controls"):
        ControlSet.from_json(text)


def test_damage_in_a_file_is_told() -> None:
    plain = json.loads(collected([0.0, 1.0], hosts=["a", "b"]).to_json())
    plain["hosts"][0][-1] = plain["hosts"][0][-1][:10]
    with pytest.raises(ControlsError, match="damaged"):
        ControlSet.from_json(json.dumps(plain))


def test_other_models_and_other_cuts_do_not_mix() -> None:
    first, second = collected([0.0]), collected([0.0], models={"ai_text": "bbbb"})
    with pytest.raises(ControlsError, match=r"ai_text aaaa \(now bbbb\).*controls build"):
        ControlSet.merge([second, first])
    with pytest.raises(ControlsError, match="other text models"):
        first.require({"ai_text": "aaaa", "translated_text": "cccc"})
    first.require(MODELS)
    earlier = ControlSet(MODELS, before=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(ControlsError, match="--before"):
        ControlSet.merge([first, earlier])
    with pytest.raises(ControlsError, match="no controls"):
        ControlSet.merge([])
    with pytest.raises(ControlsError, match="no head is called wrong"):
        ControlSet.collect({"wrong": [0.5]}, Strata.of(["eng"], None, [60]), np.array([OLD]), None, MODELS)
    with pytest.raises(ValueError, match="different numbers of rows"):
        ControlSet.collect({"ai_text": [0.5, 0.5]}, Strata.of(["eng"], None, [60]), np.array([OLD]), None, MODELS)


def test_no_rows_and_no_old_rows_give_an_empty_set_that_merges() -> None:
    empty, new = collected([]), collected([0.0], when=NEW)
    assert not empty.cells
    assert new.counts["after"] == 1
    assert ControlSet.merge([empty, new, collected([1.0])]).counts["used"] == 1
    assert ControlSet.from_json(empty.to_json()).matches("ai_text", "eng", None, 1)[0].histogram.n == 0


@given(st.lists(st.floats(-9.9, 9.9), min_size=1, max_size=50), st.data())
def test_order_statistic_is_the_upper_edge_of_the_bin_of_the_value(z: list[float], data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, len(z)))
    value = sorted(z)[rank - 1]
    edge = Histogram.of(z).order_statistic(rank)
    assert value <= edge <= value + 0.02 + 1e-9
    with pytest.raises(ValueError, match="rank"):
        Histogram.of(z).order_statistic(len(z) + 1)


def test_moments_of_a_histogram_are_those_of_the_values_to_half_a_bin() -> None:
    z = np.random.default_rng(1).normal(0.3, 0.5, 3000)
    histogram = Histogram.of(z)
    assert histogram.mean() == pytest.approx(z.mean(), abs=0.002)
    assert histogram.variance() == pytest.approx(z.var(ddof=1), abs=0.002)
    assert np.isnan(Histogram.of([]).mean())
    assert np.isnan(Histogram.of([1.0]).variance())


def test_scores_at_the_ends_are_clipped_and_nulls_are_nan() -> None:
    z = z_of_scores(pa.chunked_array([pa.array([0.0, 1.0, 0.5, None], pa.float32())]))
    assert z[:3].tolist() == [-10.0, 10.0, 0.0]
    assert np.isnan(z[3])


@pytest.mark.parametrize(
    "damage",
    [
        {"models": ["a"]},
        {"models": None},
        {"counts": None},
        {"cells": [["ai_text", "eng", None, 3, 2021, [1, 2], [1]]]},
        {"cells": [["ai_text", "eng", None, 3, 2021, [1], [-4]]]},
        {"cells": [["ai_text", "eng", None, 3, 2021, [1], [1e30]]]},
        {"cells": [["ai_text", "eng", None, 3, 2021, [9, 2], [1, 1]]]},
        {"cells": [["ai_text", "eng", None, 3, 2021, [10**6], [1]]]},
        {"cells": [["ai_text", 7, None, "x", 2021, [1], [1]]]},
        {"cells": [["nothing", "eng", None, 3, 2021, [1], [1]]]},
        {"cells": [["ai_text", "eng", None, 3, 2021, [1], [1]]] * 2},
        {"hosts": [["ai_text", "eng", None, 3, 2, "!"]]},
        {"before": "soon"},
        {"hosts_kept": "many"},
    ],
)
def test_a_damaged_file_is_an_error_that_says_what_to_do(damage: dict[str, Any]) -> None:
    plain = json.loads(collected([0.0] * 3).to_json())
    with pytest.raises(ControlsError, match="build"):
        ControlSet.from_json(json.dumps({**plain, **damage}))
