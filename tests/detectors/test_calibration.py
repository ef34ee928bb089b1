"""Calibration: thresholds against brute force, back-off and shrinkage, curves, fitting, what fusion takes from it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from calibration_samples import FITTED, HEAD, KEY, calibrator_of, controls_of, score_rows, strata_of
from hypothesis import given
from hypothesis import strategies as st

from detectors.calibration import (
    CONFORMAL,
    MARGIN,
    NATS_CAP,
    NONE,
    SHRUNK,
    Calibration,
    CalibrationError,
    Calibrator,
    Curve,
    combine_heads,
    combine_translation,
    conformal_threshold,
    load_calibration,
    probabilities,
    reference_of,
    shrunk_location,
)
from detectors.calibration_fit import fit_calibration, fit_curve, fit_head, read_sources
from detectors.controls import ControlSet, Match
from detectors.strata import SCORE_COLUMNS, Histogram, Strata


@given(st.lists(st.integers(-400, 400), min_size=1, max_size=400), st.sampled_from([0.01, 0.05, 0.2]))
def test_conformal_threshold_is_the_smallest_with_the_rank_that_the_guarantee_asks_for(
    bins: list[int], alpha: float
) -> None:
    z = np.array(bins) / 50 + 0.01
    threshold = conformal_threshold(Histogram.of(z), alpha)
    # Brute force: the smallest control that at least (n + 1)(1 - alpha) controls do not exceed.
    enough = [v for v in sorted(z) if (z <= v).sum() >= (len(z) + 1) * (1 - alpha) - 1e-9]
    if not enough:
        assert math.isinf(threshold)
    else:
        assert threshold == pytest.approx(enough[0] + 0.01)


def test_conformal_threshold_keeps_its_promise_for_any_distribution() -> None:
    rng = np.random.default_rng(0)
    for draw in (lambda n: rng.normal(size=n), lambda n: np.clip(rng.standard_cauchy(n), -9, 9)):
        beyond = [(draw(500) > conformal_threshold(Histogram.of(draw(200)))).mean() for _ in range(200)]
        assert np.mean(beyond) <= 0.0115  # 0.01 in expectation; its standard error here is 0.0005


def test_the_finest_level_with_enough_controls_decides() -> None:
    rng = np.random.default_rng(1)
    few, some, many = (Histogram.of(rng.normal(0.3, 0.4, n)) for n in (24, 60, 250))
    found = reference_of(HEAD, [Match(0, few), Match(1, some), Match(2, many), Match(3, many)])
    assert (found.method, found.level, found.controls) == (CONFORMAL, 2, 250)
    assert found.threshold == conformal_threshold(many)
    found = reference_of(HEAD, [Match(0, few), Match(1, some), Match(2, some)])
    assert (found.method, found.level, found.controls) == (SHRUNK, 1, 60)
    found = reference_of(HEAD, [Match(0, few)])
    assert (found.method, found.level, found.controls) == (MARGIN, -1, 0)
    assert found.threshold == pytest.approx(1.6)


def test_shrinkage_moves_from_the_reference_to_the_controls() -> None:
    distances = []
    for n in (1, 10, 100, 1000):
        mean, sd = shrunk_location(HEAD, [Match(0, Histogram.of(np.resize([0.81, 1.21], n)))])
        assert 0.0 < mean < 1.02
        distances.append((1.01 - mean, abs(0.2 - sd) if n > 1 else 1.0))
    assert distances == sorted(distances, reverse=True)
    assert shrunk_location(HEAD, []) == (HEAD.mean, HEAD.sd)
    assert shrunk_location(HEAD, [Match(0, Histogram.of([]))]) == (HEAD.mean, HEAD.sd)


def test_a_fine_level_is_shrunk_to_the_coarser_one() -> None:
    fine, coarse = Histogram.of(np.full(30, 1.01)), Histogram.of(np.full(170, 0.51))
    alone, both = shrunk_location(HEAD, [Match(0, fine)]), shrunk_location(HEAD, [Match(0, fine), Match(3, coarse)])
    assert alone[0] < 1.0
    assert 0.5 < both[0] < 1.01
    assert both[0] > alone[0] - 0.2


def test_rows_get_method_threshold_and_bounded_nats() -> None:
    z = np.array([-0.5, 0.0, 0.9, 5.0, np.nan])
    for controls, method in ((None, MARGIN), (24, MARGIN), (25, SHRUNK), (199, SHRUNK), (200, CONFORMAL)):
        drawn = None if controls is None else np.random.default_rng(2).normal(0, 0.3, controls)
        found = calibrator_of(drawn)("ai_text", z, strata_of(5))
        assert found.method.tolist() == [method] * 4 + [NONE]
        assert found.is_calibrated.tolist() == [method >= SHRUNK] * 4 + [False]
        assert found.is_beyond.tolist()[-2:] == [True, False]
        assert not found.is_beyond[:2].any()
        assert (np.diff(found.nats[:4]) >= 0).all()
        assert np.abs(found.nats).max() <= NATS_CAP
        assert found.nats[-1] == 0
        assert np.isnan(found.threshold[-1])
        assert np.isnan(found.u[-1])
        assert found.controls[-1] == 0
    assert found.describe(0) == "conformal, 200 controls by language and page_type and length"
    assert found.describe(4) == "none"


def test_every_row_has_the_reference_of_its_own_stratum() -> None:
    rng = np.random.default_rng(4)
    low, high = rng.normal(-1, 0.3, 300), rng.normal(1, 0.3, 300)
    cells = {**controls_of(low, key=("eng", "forum", 3)).cells, **controls_of(high, key=("eng", "article", 3)).cells}
    controls = type(controls_of(low))({}, cells=cells)
    strata = Strata.of(["eng_Latn"] * 3 + ["deu_Latn"], ["article", "forum", None, "forum"], [250] * 4)
    found = Calibrator(Calibration({"ai_text": HEAD}), controls)("ai_text", np.full(4, 0.5), strata)
    assert found.is_beyond.tolist() == [False, True, False, False]
    assert found.level.tolist() == [0, 0, -1, -1]  # a text without a page is not compared with pages
    assert found.mean[1] == pytest.approx(-1, abs=0.1)


def test_no_rows_and_heads_without_calibration_say_nothing() -> None:
    calibrator = calibrator_of(np.zeros(300))
    assert len(calibrator("ai_text", np.zeros(0), Strata.of([], None, [])).nats) == 0
    found = calibrator("translation", np.array([3.0]), strata_of(1))
    assert (found.method[0], found.nats[0], bool(found.is_beyond[0])) == (NONE, 0.0, False)
    assert calibrator.reference("translation", *KEY) is None


def test_constant_controls_do_not_divide_by_zero() -> None:
    found = calibrator_of(np.full(5000, 0.31))("ai_text", np.array([0.31, 2.0]), strata_of(2))
    assert np.isfinite(found.u).all()
    assert found.is_beyond.tolist() == [False, True]


@given(st.lists(st.floats(-6, 6), min_size=20, max_size=80), st.lists(st.floats(-6, 6), min_size=20, max_size=80))
def test_fitted_curves_never_fall_and_are_capped(human: list[float], machine: list[float]) -> None:
    curve = fit_curve([(np.array(human), np.array(machine))])
    nats = curve(np.linspace(-8, 8, 400))
    assert (np.diff(nats) >= -1e-12).all()
    assert np.abs(nats).max() <= NATS_CAP
    assert curve(np.array([np.nan])).tolist() == [0.0]


def test_the_curve_recovers_a_known_likelihood_ratio() -> None:
    rng = np.random.default_rng(5)
    curve = fit_curve([(rng.normal(0, 1, 20_000), rng.normal(1.5, 1, 20_000)) for _ in range(3)])
    for u in (0.0, 0.75, 1.5):
        assert curve(np.array([u]))[0] == pytest.approx(1.5 * u - 1.5**2 / 2, abs=0.15)


def test_a_fit_holds_on_sources_that_it_has_not_seen() -> None:
    sources = read_sources(score_rows(sources=6), "ai_text")
    for source in sources:
        head = fit_head([other for other in sources if other.name != source.name])
        beyond, caught = [], []
        for seed in range(20):
            order = np.random.default_rng(seed).permutation(len(source.human))
            c = Calibrator(Calibration({"ai_text": head}), controls_of(source.human[order[:100]]))
            beyond.append(c("ai_text", source.human[order[100:]], strata_of(200)).is_beyond.mean())
            caught.append(c("ai_text", source.machine, strata_of(300)).is_beyond.mean())
        assert np.mean(beyond) <= 0.02
        assert np.mean(caught) >= 0.4
        assert (source.human > head.margin_threshold).mean() <= 0.05


def test_fitting_leaves_attacks_out_and_says_what_is_missing() -> None:
    rows = score_rows()
    attacked = [{**row, "attack": "dipper", "z": 99.0} for row in rows]
    assert fit_calibration(rows + attacked).to_json() == FITTED.to_json()
    with pytest.raises(CalibrationError, match="two sources"):
        fit_calibration([row for row in rows if row["label"] == "human"])
    with pytest.raises(CalibrationError, match="two sources"):
        fit_calibration([])


def test_heads_that_cannot_tell_give_no_verdicts() -> None:
    weak = fit_calibration(score_rows(gap=0.1)).heads["ai_text"]
    assert not weak.gives_verdicts
    assert max(weak.with_controls.nats) < 1.5
    assert FITTED.heads["ai_text"].gives_verdicts


def test_translation_heads_give_no_verdicts_and_nats_of_machine_given_translated_need_no_controls() -> None:
    side = {"human": "human_original", "ai": "mt"}
    rows = [{**row, "head": "translated", "label": side[row["label"]]} for row in score_rows(gap=2.0)]
    side = {"human": "human_translation", "ai": "mt"}
    rows += [{**row, "head": "machine", "label": side[row["label"]]} for row in score_rows(gap=2.0)]
    fitted = fit_calibration(rows)
    assert [head.gives_verdicts for head in fitted.heads.values()] == [False, False]
    cells = controls_of(np.full(300, 0.6)).cells
    both = {cell._replace(head=head): h for cell, h in cells.items() for head in fitted.heads}
    calibrator = Calibrator(fitted, ControlSet({}, cells=both))
    z = np.array([1.0])
    for head in ("translation", "machine_translation"):
        fitted_head = fitted.heads[head]
        found = calibrator(head, z, strata_of(1))
        own = fitted_head.alone(fitted_head.position(z, fitted_head.mean, fitted_head.sd))
        assert found.method[0] == CONFORMAL
        assert (found.nats[0] == own[0]) == (head == "machine_translation")


def test_folds_within_a_source_are_left_out() -> None:
    rows = score_rows()
    inside = [{**row, "fold": "eng:document", "z": row["z"] + 5} for row in rows]
    assert fit_calibration(rows + inside).to_json() == FITTED.to_json()


def test_small_domains_of_a_source_are_one_source() -> None:
    rows = [{**row, "domain": f"d{i % 3}"} for i, row in enumerate(score_rows(sources=2, texts=300))]
    assert [source.name for source in read_sources(rows, "ai_text")] == ["s0 s0 eng", "s1 s1 eng"]
    assert len(read_sources(score_rows(sources=2, texts=99), "ai_text")) == 0


def test_the_file_survives_and_names_its_models() -> None:
    found = fit_calibration(score_rows(), {"ai_text": "aaaa"}, "made for a test")
    again = Calibration.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.digest() == found.digest() != FITTED.digest()
    again.require({"ai_text": "aaaa", "other": "x"})
    with pytest.raises(CalibrationError, match="ai_text: fitted for aaaa, the model is bbbb"):
        again.require({"ai_text": "bbbb"})
    for text in ("", "{}", "[]", json.dumps({"format": "headwater-calibration", "version": 99})):
        with pytest.raises(CalibrationError):
            Calibration.from_json(text)


def test_the_shipped_calibration_is_sound() -> None:
    shipped = load_calibration()
    assert shipped.fitted_on
    assert set(shipped.heads) <= set(SCORE_COLUMNS)
    chat = shipped.heads["ai_text"]
    assert chat.gives_verdicts
    assert chat.figures["margin_fpr_worst"] <= 0.05
    for head in shipped.heads.values():
        for curve in (head.with_controls, head.alone):
            assert list(curve.nats) == sorted(curve.nats)
            assert max(map(abs, curve.nats)) <= NATS_CAP
        assert head.margin_threshold > head.mean + 2 * head.sd


def test_a_missing_file_says_so(tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(CalibrationError, match="detectors calibrate"):
        load_calibration(tmp_path / "none.json")  # type: ignore[operator]


def test_two_heads_do_not_count_one_finding_twice() -> None:
    both = combine_heads([3.0, 0.0, -3.0, 3.0], [3.0, 0.0, -3.0, 0.0])
    assert both.tolist() == pytest.approx([3.0, 0.0, -3.0, math.log(0.9 * math.exp(3) + 0.1)])
    assert (np.diff(combine_heads(np.linspace(-3, 3, 50), np.zeros(50))) > 0).all()


def test_translated_alone_raises_the_odds_by_a_bounded_factor() -> None:
    assert combine_translation(0.0, 0.0) == pytest.approx(0.0)
    first_only = combine_translation(np.linspace(-3, 30, 50), np.zeros(50))
    assert (np.diff(first_only) >= 0).all()
    assert first_only[-1] == pytest.approx(math.log(10))
    assert combine_translation(3.0, -3.0) < 0 < combine_translation(3.0, 1.0)
    assert abs(combine_translation(3.0, 3.0)) <= NATS_CAP


def test_probabilities_sum_to_one_and_keep_the_prior_without_evidence() -> None:
    p = probabilities([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 800.0, -800.0]], [0.8, 0.1, 0.1])
    assert p.sum(axis=1).tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert p[0].tolist() == pytest.approx([0.8, 0.1, 0.1])
    assert p[1, 2] == pytest.approx(0.1 * math.exp(3) / (0.9 + 0.1 * math.exp(3)))
    assert p[2, 1] == pytest.approx(1.0)


def test_curves_are_flat_beyond_their_knots() -> None:
    assert Curve((0.0, 1.0), (-1.0, 2.0))(np.array([-9.0, 0.5, 9.0])).tolist() == [-1.0, 0.5, 2.0]


@pytest.mark.parametrize(
    "damage",
    [
        {"sd": 0.0},
        {"sd": float("nan")},
        {"threshold": float("-inf")},
        {"with_controls": {"u": [0.0, 1.0], "nats": [1.0, -1.0]}},
        {"alone": {"u": [1.0, 0.0], "nats": [0.0, 1.0]}},
        {"alone": {"u": [0.0, 1.0], "nats": [0.0]}},
        {"alone": None},
    ],
)
def test_a_calibration_that_no_fit_gives_is_refused(damage: dict[str, Any]) -> None:
    plain = json.loads(Calibration({"ai_text": HEAD}).to_json())
    plain["heads"]["ai_text"].update(damage)
    with pytest.raises(CalibrationError):
        Calibration.from_json(json.dumps(plain))
