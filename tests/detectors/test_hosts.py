"""Hosts: sums, offset variance without bias, verdicts, and what one page hears from the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from calibration_samples import HEAD, calibrator_of
from scipy import stats

from detectors.controls import ControlSet
from detectors.hosts import (
    HOST_NATS_CAP,
    MIN_HOSTS,
    MIN_PAGES,
    HostSums,
    Offsets,
    control_hosts,
    estimate_offsets,
    judge_hosts,
    page_nats,
    sum_by_host,
)
from detectors.strata import Float, Strata

KNOWN = Offsets(between=0.04, error=0.0, within=0.2, hosts=500, pages=5000)


def simulated(
    rng: np.random.Generator, hosts: int, between: float, within: float, sizes: Float | None = None
) -> HostSums:
    n = rng.integers(1, 30, hosts) if sizes is None else sizes
    owner = np.repeat(np.arange(hosts), n.astype(int))
    effects = math.sqrt(between) * rng.standard_normal(hosts)
    return sum_by_host(owner, effects[owner] + math.sqrt(within) * rng.standard_normal(len(owner)), hosts)


def test_sums_are_those_of_the_pages_and_leave_nan_out() -> None:
    sums = sum_by_host([0, 2, 2, 0], [1.0, 2.0, -3.0, np.nan], 4)
    assert sums.n.tolist() == [1, 0, 2, 0]
    assert sums.total.tolist() == [1.0, 0.0, -1.0, 0.0]
    assert sums.square.tolist() == [1.0, 0.0, 13.0, 0.0]
    assert len(sum_by_host([], [])) == 0
    assert np.isnan(sums.mean[1])


@pytest.mark.parametrize(("between", "within"), [(0.04, 0.2), (0.0, 0.2), (0.3, 0.1)])
def test_offset_variance_is_unbiased_with_hosts_of_any_size(between: float, within: float) -> None:
    rng = np.random.default_rng(0)
    sizes = np.concatenate([rng.integers(1, 8, 100), [200, 3000]])
    found = [estimate_offsets(simulated(rng, 102, between, within, sizes)) for _ in range(300)]
    estimates = np.array([o.between for o in found if o is not None])
    assert len(estimates) == 300
    assert estimates.mean() == pytest.approx(between, abs=3 * estimates.std() / math.sqrt(300))
    assert np.mean([o.within for o in found if o is not None]) == pytest.approx(within, rel=0.02)
    errors = np.mean([o.error for o in found if o is not None])
    assert errors == pytest.approx(estimates.std(), rel=0.35)


def test_too_few_hosts_say_nothing_about_offsets() -> None:
    rng = np.random.default_rng(1)
    assert estimate_offsets(simulated(rng, MIN_HOSTS - 1, 0.1, 0.1, np.full(MIN_HOSTS - 1, 9))) is None
    assert estimate_offsets(simulated(rng, 500, 0.1, 0.1, np.ones(500))) is None
    assert estimate_offsets(sum_by_host([], [])) is None
    assert estimate_offsets(sum_by_host([0, 0, 0], [1.0, 2.0, 3.0])) is None


def test_without_offset_variance_or_pages_there_is_no_verdict() -> None:
    sums = sum_by_host(np.repeat([0, 1], [MIN_PAGES - 1, MIN_PAGES]), np.full(2 * MIN_PAGES - 1, 2.0))
    nothing = judge_hosts(sums, None, HEAD)
    assert not nothing.is_decided.any()
    assert not nothing.is_beyond.any()
    assert nothing.nats.tolist() == [0.0, 0.0]
    found = judge_hosts(sums, KNOWN, HEAD)
    assert found.is_decided.tolist() == [False, True]
    assert found.nats.tolist() == [0.0, HOST_NATS_CAP]
    assert np.isnan(found.mean[0])
    assert not judge_hosts(sums, KNOWN, HEAD, controls=0).is_decided.any()
    assert len(judge_hosts(sum_by_host([], []), KNOWN, HEAD).nats) == 0


def test_human_hosts_are_beyond_in_one_of_a_hundred() -> None:
    rng = np.random.default_rng(2)
    for offsets in (KNOWN, estimate_offsets(simulated(rng, 400, 0.04, 0.2))):
        verdicts = judge_hosts(simulated(rng, 20_000, 0.04, 0.2, np.full(20_000, 20)), offsets, HEAD)
        assert 0.003 < verdicts.is_beyond.mean() < 0.015


def test_few_controls_make_hosts_less_sure() -> None:
    sums = sum_by_host(np.zeros(20, dtype=int), np.full(20, 0.6))
    z = [float(judge_hosts(sums, KNOWN, HEAD, n).standardised[0]) for n in (25, 200, np.inf)]
    assert z == sorted(z)
    assert z[0] < z[-1]


def test_tails_of_many_hosts_replace_the_normal_threshold() -> None:
    rng = np.random.default_rng(3)
    few = estimate_offsets(simulated(rng, 100, 0.04, 0.2, np.full(100, 10)))
    assert few is not None
    assert few.tail is None
    assert few.threshold == pytest.approx(stats.t.ppf(0.99, 99))
    owner = np.repeat(np.arange(1000), 10)
    heavy = 0.1 * np.clip(rng.standard_t(2, 1000), -20, 20)
    found = estimate_offsets(sum_by_host(owner, heavy[owner] + rng.normal(0, 0.3, len(owner))))
    assert found is not None
    assert found.threshold > 2.6
    again = 0.1 * np.clip(rng.standard_t(2, 1000), -20, 20)
    others = sum_by_host(owner, again[owner] + rng.normal(0, 0.3, len(owner)))
    assert judge_hosts(others, found, HEAD).is_beyond.mean() < 0.025


def test_the_shrunk_mean_is_half_the_mean_at_k_pages() -> None:
    assert KNOWN.k == pytest.approx(5.0)
    verdict = judge_hosts(sum_by_host(np.zeros(5, dtype=int), np.full(5, 0.6)), KNOWN, HEAD)
    assert verdict.mean[0] == pytest.approx(0.3)
    assert Offsets(-0.1, 0.0, 0.2, 50, 500).variance == 0.0
    assert Offsets(-0.1, 0.0, 0.2, 50, 500).k == math.inf


def test_nats_rise_with_the_mean_and_are_bounded() -> None:
    means = np.linspace(-3, 3, 61)
    sums = HostSums(np.full(61, 20), 20 * means, 20 * means**2)
    nats = judge_hosts(sums, KNOWN, HEAD).nats
    assert (np.diff(nats) >= 0).all()
    assert nats[0] == -HOST_NATS_CAP
    assert nats[-1] == HOST_NATS_CAP
    assert math.log(0.8 / 0.1) > HOST_NATS_CAP


def test_a_page_hears_the_others_and_not_itself() -> None:
    d = np.array([5.0] + [0.0] * 5)
    whole = sum_by_host(np.zeros(6, dtype=int), d)
    repeated = HostSums(np.repeat(whole.n, 6), np.repeat(whole.total, 6), np.repeat(whole.square, 6))
    nats = page_nats(repeated, d, KNOWN, HEAD)
    alone = judge_hosts(sum_by_host(np.zeros(5, dtype=int), np.zeros(5)), KNOWN, HEAD).nats[0]
    assert nats[0] == pytest.approx(alone)
    assert (nats[1:] > nats[0]).all()
    outside = page_nats(whole, [np.nan], KNOWN, HEAD)
    assert outside[0] == pytest.approx(judge_hosts(whole, KNOWN, HEAD).nats[0])
    assert page_nats(sum_by_host(np.zeros(5, dtype=int), np.zeros(5)), [0.0], KNOWN, HEAD)[0] == 0.0


def test_control_hosts_are_summed_about_the_means_of_their_strata() -> None:
    rng = np.random.default_rng(6)
    n = 3000
    owner = rng.integers(0, 200, n)
    article = rng.random(n) < 0.5
    effects = 0.2 * rng.standard_normal(200)
    z = np.where(article, 1.0, -1.0) + effects[owner] + 0.4 * rng.standard_normal(n)
    strata = Strata.of(["eng_Latn"] * n, ["article" if a else "forum" for a in article], [250] * n)
    times = np.full(n, np.datetime64("2020-01-01", "us"))
    hosts: list[str | None] = [f"h{i}.example" for i in owner]
    controls = ControlSet.collect({"ai_text": 1 / (1 + np.exp(-z))}, strata, times, hosts, {})
    calibrator = calibrator_of(None)
    calibrator.controls = controls
    sums = control_hosts(controls.hosts, calibrator, "ai_text", "eng")
    assert sums.n.sum() == n
    offsets = estimate_offsets(sums)
    assert offsets is not None
    assert offsets.between == pytest.approx(0.04, abs=0.015)
    assert offsets.within == pytest.approx(0.16, abs=0.015)
    assert len(control_hosts(controls.hosts, calibrator, "ai_text", "deu")) == 0
