"""Prevalence: known shares come back, intervals cover them, and what cannot be estimated is refused with its reason."""

from __future__ import annotations

import numpy as np
import pytest
from calibration_samples import FITTED, KEY, calibrator_of, controls_of, strata_of

from detectors.calibration import Calibrator
from detectors.controls import ControlSet
from detectors.prevalence import MIN_DOCUMENTS, Share, bounded_score, estimate_share
from detectors.strata import Float, Strata


def corpus_of(rng: np.random.Generator, share: float, size: int, gap: float = 1.0) -> Float:
    machine = round(share * size)
    return np.concatenate([rng.normal(0.3, 0.4, size - machine), rng.normal(0.3 + gap, 0.4, machine)])


def calibrator(rng: np.random.Generator, controls: int = 500) -> Calibrator:
    return Calibrator(FITTED, controls_of(rng.normal(0.3, 0.4, controls)))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 0.5])
def test_known_shares_come_back_within_their_intervals(share: float) -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spikes = rng.normal(1.3, 0.4, 300)
        z = corpus_of(rng, share, 1000)
        found.append(
            estimate_share(z, strata_of(1000), None, calibrator(rng), "ai_text", (spikes, strata_of(300)), draws=150)
        )
    assert all(s.refused is None and s.slope_from == "stratum" for s in found)
    assert np.mean([abs(s.estimate - share) for s in found]) <= 0.03
    assert np.mean([s.estimate for s in found]) == pytest.approx(share, abs=0.015)
    assert np.mean([s.low <= share <= s.high for s in found]) >= 0.8
    assert np.mean([s.high - s.low for s in found]) < 0.15


def test_without_machine_text_the_calibration_gives_the_slope_and_a_wider_interval() -> None:
    rng = np.random.default_rng(0)
    z, spikes, c = corpus_of(rng, 0.25, 1000), rng.normal(1.3, 0.4, 300), calibrator(rng)
    own = estimate_share(z, strata_of(1000), None, c, "ai_text", (spikes, strata_of(300)))
    shipped = estimate_share(z, strata_of(1000), None, c, "ai_text")
    assert shipped.slope_from == "calibration"
    assert shipped.high - shipped.low > own.high - own.low
    assert shipped.low < 0.25 < shipped.high


def test_pages_of_one_host_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(40), 25)
    z = rng.normal(0.3, 0.3, 1000) + np.where(owner < 10, 1.0, 0.0)
    c = calibrator(rng)
    hosts: list[str | None] = [f"h{i}.example" for i in owner]
    by_host = estimate_share(z, strata_of(1000), hosts, c, "ai_text")
    by_document = estimate_share(z, strata_of(1000), None, c, "ai_text")
    assert (by_host.unit, by_host.hosts, by_document.unit) == ("hosts", 40, "documents")
    assert by_host.estimate == by_document.estimate
    assert by_host.high - by_host.low > 1.3 * (by_document.high - by_document.low)
    one = estimate_share(z, strata_of(1000), ["only.example"] * 1000, c, "ai_text")
    assert (one.unit, one.hosts) == ("documents", 1)


def test_equal_input_gives_equal_output() -> None:
    rng = np.random.default_rng(2)
    z, c = corpus_of(rng, 0.1, 300), calibrator(rng)
    assert estimate_share(z, strata_of(300), None, c, "ai_text") == estimate_share(
        z, strata_of(300), None, c, "ai_text"
    )


def refusal(found: Share) -> str:
    assert found.refused is not None
    assert np.isnan([found.estimate, found.low, found.high]).all()
    return found.refused


def test_refusals_say_why() -> None:
    rng = np.random.default_rng(3)
    z, c = corpus_of(rng, 0.1, 300), calibrator(rng)
    few = estimate_share(z[: MIN_DOCUMENTS - 1], strata_of(MIN_DOCUMENTS - 1), None, c, "ai_text")
    assert "49 scored documents" in refusal(few)
    assert "0 scored documents" in refusal(estimate_share(np.full(300, np.nan), strata_of(300), None, c, "ai_text"))
    assert "0 scored documents" in refusal(estimate_share([], Strata.of([], None, []), None, c, "ai_text"))
    assert "not calibrated" in refusal(estimate_share(z, strata_of(300), None, c, "raw_text"))
    alone = estimate_share(z, strata_of(300), None, Calibrator(FITTED), "ai_text")
    assert "300 of 300 documents" in refusal(alone)
    assert "fewer than 50 controls" in refusal(estimate_share(z, strata_of(300), None, calibrator(rng, 49), "ai_text"))
    other = Strata([("deu", None, 3)], np.zeros(300, dtype=np.int64))
    assert "strata with fewer" in refusal(estimate_share(z, other, None, c, "ai_text"))


def test_a_flat_slope_is_refused() -> None:
    rng = np.random.default_rng(4)
    z, c = corpus_of(rng, 0.1, 300, gap=0.1), calibrator(rng)
    found = estimate_share(z, strata_of(300), None, c, "ai_text", (rng.normal(0.4, 0.4, 300), strata_of(300)))
    assert "is under 0.3" in refusal(found)
    assert found.slope < 0.3


def test_drift_between_years_of_controls_refuses_what_it_could_explain() -> None:
    rng = np.random.default_rng(5)
    controls = ControlSet.merge([controls_of(rng.normal(m, 0.4, 600), year) for m, year in ((0.2, 2020), (0.5, 2022))])
    c = Calibrator(FITTED, controls)
    small, large = corpus_of(rng, 0.0, 600), corpus_of(rng, 0.6, 600)
    found = estimate_share(small, strata_of(600), None, c, "ai_text")
    assert "two years differ" in refusal(found)
    assert found.drift > 0.02
    assert estimate_share(large, strata_of(600), None, c, "ai_text").refused is None
    steady = ControlSet.merge([controls_of(rng.normal(0.3, 0.4, 600), year) for year in (2020, 2022)])
    assert estimate_share(small, strata_of(600), None, Calibrator(FITTED, steady), "ai_text").refused is None


def test_strata_are_weighed_as_the_corpus_is() -> None:
    rng = np.random.default_rng(6)
    keys = [("eng", "article", 3), ("eng", "forum", 3)]
    controls = ControlSet.merge(
        [controls_of(rng.normal(m, 0.4, 800), 2021, key) for m, key in zip((0.6, -0.6), keys, strict=True)]
    )
    codes = np.repeat([0, 1], [900, 100])
    z = np.concatenate([rng.normal(0.6, 0.4, 900), rng.normal(-0.6, 0.4, 100)])
    found = estimate_share(z, Strata(keys, codes), None, Calibrator(FITTED, controls), "ai_text")
    assert found.estimate <= 0.03
    assert found.controls == 1600
    uncovered = Strata([*keys, ("deu", None, 1)], np.repeat([0, 1, 2], [900, 60, 40]))
    assert estimate_share(z, uncovered, None, Calibrator(FITTED, controls), "ai_text").documents == 1000


def test_controls_of_few_hosts_count_for_less() -> None:
    rng = np.random.default_rng(7)
    z = corpus_of(rng, 0.2, 400)
    owner = np.repeat(np.arange(40), 20)
    scores = 0.3 + 0.4 * rng.standard_normal(40)[owner] + 0.1 * rng.standard_normal(800)
    strata, times = strata_of(800), np.full(800, np.datetime64("2021-01-01", "us"))
    widths = []
    for names in ([f"h{i}" for i in owner], None):
        collected = ControlSet.collect({"ai_text": 1 / (1 + np.exp(-scores))}, strata, times, names, {})
        found = estimate_share(z, strata_of(400), None, Calibrator(FITTED, collected), "ai_text")
        widths.append(found.high - found.low)
    assert widths[0] > widths[1]


def test_the_bounded_score_spans_zero_to_one_and_rises() -> None:
    curve = FITTED.heads["ai_text"].with_controls
    g = bounded_score(curve, np.linspace(-9, 9, 200))
    assert (g[0], g[-1]) == (0.0, pytest.approx(1.0))
    assert (np.diff(g) >= 0).all()
    assert calibrator_of(None).reference("ai_text", *KEY) is not None


def test_equal_sizes_change_nothing_and_others_weigh_the_documents() -> None:
    rng = np.random.default_rng(5)
    z, c = corpus_of(rng, 0.3, 600), calibrator(rng)
    plain = estimate_share(z, strata_of(600), None, c, "ai_text")
    assert estimate_share(z, strata_of(600), None, c, "ai_text", sizes=np.full(600, 7)) == plain
    machine = np.arange(600) >= 420
    larger = estimate_share(z, strata_of(600), None, c, "ai_text", sizes=np.where(machine, 3.0, 1.0))
    assert larger.low < 540 / 960 < larger.high
    assert plain.low < 0.3 < plain.high
