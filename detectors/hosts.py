"""Verdicts per host: the mean of its pages against human hosts, which is far stronger than any one page.

Pages of one host share authors, topics and templates, so a human host's mean differs from its stratum's by more than
the noise of its pages. That offset does not average out; its variance is estimated on dated captures of many hosts, and
without it there is no verdict. With offset variance t2, variance s2 within hosts and k = s2 / t2, a host of n pages has

    variance of the mean = t2 + s2 / n + variance of the controls' mean,    shrinkage = n / (n + k)

Everything is worked out from sums by host (n, sum and sum of squares of d = z - mean of the stratum's controls), which
merge in any order and are small enough to shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from detectors.calibration import ALPHA, MIN_CONFORMAL, Bool, Calibrator, HeadCalibration
from detectors.controls import FIXED_POINT, HostKey, HostSum, order_of
from detectors.strata import Float, Int

MIN_PAGES = 5  # below it a host has no verdict
MIN_HOSTS = 30  # hosts with two pages or more that the offset variance needs
# Bound of what a host says about a page. At ln 8 = 2.08 the host alone would undo a prior of .8 against .1: hosts mix
# kinds of pages, so a page's own evidence has to say something too.
HOST_NATS_CAP = 2.0


@dataclass(frozen=True, slots=True)
class HostSums:
    """Sums by host, arrays of one length: pages, sum of d, sum of d squared (d in z)."""

    n: Int
    total: Float
    square: Float

    def __len__(self) -> int:
        return len(self.n)

    @property
    def mean(self) -> Float:
        """Mean of d; NaN without pages."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: Float = self.total / self.n
        return mean


@dataclass(frozen=True, slots=True)
class Offsets:
    """How human hosts differ.

    between: variance of host offsets (z squared; unbiased, so it may be below 0), and its standard `error`. within:
    variance within hosts. hosts, pages: what they were estimated on. tail: the standardised mean that ALPHA of human
    hosts exceed, by order statistic; None with fewer than MIN_CONFORMAL hosts of MIN_PAGES.
    """

    between: float
    error: float
    within: float
    hosts: int
    pages: int
    tail: float | None = None

    @property
    def threshold(self) -> float:
        """Standardised mean beyond which a host is machine-made: `tail`, else Student's t as for normal offsets."""
        return self.tail if self.tail is not None else float(stats.t.ppf(1 - ALPHA, self.hosts - 1))

    @property
    def variance(self) -> float:
        """Offset variance to use: the estimate and one standard error, never below 0."""
        return max(self.between, 0.0) + self.error

    @property
    def k(self) -> float:
        """Pages at which a host's mean is half signal: within / offset variance."""
        return self.within / self.variance if self.variance > 0 else math.inf


@dataclass(frozen=True, slots=True)
class HostVerdicts:
    """One row per host: shrunk mean (z), standardised mean, nats (bounded, 0 without a verdict), whether it is beyond
    the 1 % threshold, and whether there is a verdict at all."""

    mean: Float
    standardised: Float
    nats: Float
    is_beyond: Bool
    is_decided: Bool


def sum_by_host(hosts: npt.ArrayLike, d: npt.ArrayLike, size: int | None = None) -> HostSums:
    """Sums by host from codes (0 to size - 1) and deviations d of the pages; NaN is left out."""
    codes, values = np.asarray(hosts, dtype=np.int64), np.asarray(d, dtype=np.float64)
    kept = np.isfinite(values)
    codes, values = codes[kept], values[kept]
    rows = int(size if size is not None else codes.max(initial=-1) + 1)
    return HostSums(
        np.bincount(codes, minlength=rows).astype(np.int64),
        np.bincount(codes, values, minlength=rows).astype(np.float64),
        np.bincount(codes, values**2, minlength=rows).astype(np.float64),
    )


def control_hosts(
    hosts: Mapping[HostKey, HostSum], calibrator: Calibrator, head: str, language: str | None
) -> HostSums:
    """Sums of the control hosts of a language, about the control means of their strata."""
    sums: dict[int, list[float]] = {}
    chosen = (key for key in hosts if (key.head, key.language) == (head, language))
    for key in sorted(chosen, key=order_of):
        reference = calibrator.reference(head, key.language, key.page_type, key.length)
        if reference is None or reference.controls == 0:
            continue
        n, fixed, fixed_square = hosts[key]
        total, square, mean = fixed / FIXED_POINT, fixed_square / FIXED_POINT**2, reference.mean
        own = sums.setdefault(key.host, [0.0, 0.0, 0.0])
        own[0] += n
        own[1] += total - n * mean
        own[2] += square - 2 * mean * total + n * mean**2
    rows = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 3)
    return HostSums(rows[:, 0].astype(np.int64), rows[:, 1], rows[:, 2])


def estimate_offsets(sums: HostSums) -> Offsets | None:
    """Offset variance by moments over the hosts with two pages or more; None with fewer than MIN_HOSTS of them.

    Generalised moments with weights a = n / (n + 10) (DerSimonian and Kacker 2007, Contemporary Clinical Trials 28):
    unbiased whatever the weights, and no host, however large, counts more than another.
    """
    use = sums.n >= 2
    if int(use.sum()) < MIN_HOSTS:
        return None
    n = sums.n[use].astype(np.float64)
    mean = sums.total[use] / n
    spread = np.maximum(sums.square[use] - n * mean**2, 0.0)
    within = float(spread.sum() / (n - 1).sum())
    a = n / (n + 10.0)
    centre = float(a @ mean / a.sum())
    q = float(a @ (mean - centre) ** 2)
    noise = within * float((a / n).sum() - (a**2 / n).sum() / a.sum())
    scale = float(a.sum() - (a**2).sum() / a.sum())
    between = (q - noise) / scale
    residual = a * ((mean - centre) ** 2 - within / n - between)
    error = float(np.sqrt((residual**2).sum())) / scale
    offsets = Offsets(between, error, within, int(use.sum()), int(n.sum()))
    large = n >= MIN_PAGES
    if int(large.sum()) < MIN_CONFORMAL or offsets.variance + within <= 0:
        return offsets
    standardised = np.sort(mean[large] / np.sqrt(_variance(n[large], offsets, np.inf)))
    rank = math.ceil(round((len(standardised) + 1) * (1 - ALPHA), 9))
    return replace(offsets, tail=float(standardised[rank - 1]))


def judge_hosts(
    sums: HostSums, offsets: Offsets | None, head: HeadCalibration, controls: npt.ArrayLike = np.inf
) -> HostVerdicts:
    """Verdicts from sums by host.

    Args:
        sums: about the control means of the pages' strata.
        offsets: from dated captures; None gives no verdicts.
        head: gives the gap between machine and human text.
        controls: number of controls behind each host's strata (or one number); their mean has an error too.
    """
    rows = len(sums)
    if offsets is None:
        nan = np.full(rows, np.nan)
        return HostVerdicts(nan, nan.copy(), np.zeros(rows), np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool))
    decided = (sums.n >= MIN_PAGES) & (np.asarray(controls, dtype=np.float64) > 0)
    n = np.maximum(sums.n, 1).astype(np.float64)
    mean = sums.total / n
    variance = _variance(n, offsets, controls)
    standardised = mean / np.sqrt(variance)
    nats = _nats(mean, variance, head)
    return HostVerdicts(
        mean=np.where(decided, mean * n / (n + offsets.k), np.nan),
        standardised=np.where(decided, standardised, np.nan),
        nats=np.where(decided, nats, 0.0),
        is_beyond=decided & (standardised > offsets.threshold),
        is_decided=decided,
    )


def page_nats(
    sums: HostSums, own: npt.ArrayLike, offsets: Offsets | None, head: HeadCalibration, controls: npt.ArrayLike = np.inf
) -> Float:
    """Nats that the *other* pages of its host give to each page; row by row, `own` is the page's d (NaN: not in sums).

    0 with fewer than MIN_PAGES others.
    """
    d = np.asarray(own, dtype=np.float64)
    inside = np.isfinite(d)
    others = HostSums(
        sums.n - inside, sums.total - np.where(inside, d, 0.0), sums.square - np.where(inside, d, 0.0) ** 2
    )
    return judge_hosts(others, offsets, head, controls).nats


def _variance(n: Float, offsets: Offsets, controls: npt.ArrayLike) -> Float:
    """Of the mean of a human host about the mean of its controls."""
    total = offsets.within + offsets.variance
    variance: Float = offsets.variance + offsets.within / n + total / np.maximum(np.asarray(controls, np.float64), 1.0)
    return variance


def _nats(mean: Float, variance: Float, head: HeadCalibration) -> Float:
    """Of two normal distributions with one variance, a gap apart; the gap of the source at hand is uncertain too."""
    wide = variance + head.gap_sd**2
    ratio = (head.gap * mean - head.gap**2 / 2) / wide
    nats: Float = np.clip(ratio, -HOST_NATS_CAP, HOST_NATS_CAP)
    return nats
