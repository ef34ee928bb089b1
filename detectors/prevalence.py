"""Share of machine-written text in a corpus, with an interval, or a refusal with its reason.

The mean of scores is biased, but linear in the share: est = a + b * share. With a bounded score g of every document,
a = mean of g over dated human controls of the same strata (weighted as the corpus is), b = mean of g over machine text
less a, share = (mean of g - a) / b (probabilistic adjusted count: Bella et al. 2010; Forman 2008 for counts). b comes
from machine text of the stratum where there is some, else from the calibration, with its spread over sources left out.

The interval is a bootstrap over hosts (over documents where there are none), nested with draws of controls and of b.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.calibration import MIN_CONFORMAL, Calibrator, Curve, HeadCalibration, shrunk_location
from detectors.hosts import control_hosts, estimate_offsets
from detectors.strata import EMPTY, Float, Histogram, Int, Strata

MIN_SLOPE = 0.3  # below it a share of 0.1 moves the mean of g by less than 0.03
MIN_DOCUMENTS = 50
MIN_CONTROLS = 50
MIN_MACHINE = 50  # known machine texts; with fewer the slope of the calibration is taken
MIN_HOSTS = 10  # below it documents are drawn, not hosts
MIN_COVERED = 0.95  # share of the documents whose strata have controls
LEAST_SLOPE = 0.05  # in a draw
DRAWS = 500
# Prior log-odds in g. At low shares most of the noise is that of human text, which a low prior keeps near 0: on sources
# left out, the standard error at a share of 5 % is 0.027 against 0.038 at even odds, and the slope is the same.
G_LOGIT = -2.0


@dataclass(frozen=True, slots=True)
class Share:
    """Estimated share and its interval, NaN when `refused` says why there is none.

    unit: what was drawn, `hosts` or `documents`. intercept, slope: a and b. slope_from: `stratum` or `calibration`.
    drift: newest year of controls less those before it, as a share.
    """

    estimate: float
    low: float
    high: float
    documents: int
    hosts: int
    controls: int
    unit: str = "documents"
    intercept: float = float("nan")
    slope: float = float("nan")
    slope_from: str = "calibration"
    drift: float = float("nan")
    refused: str | None = None


def bounded_score(curve: Curve, u: Float) -> Float:
    """g in [0, 1]: probability of machine text at prior log-odds G_LOGIT, stretched to 0 and 1 at the curve's ends."""
    low, high = 1.0 / (1.0 + np.exp(-(np.array([curve.nats[0], curve.nats[-1]]) + G_LOGIT)))
    g: Float = (1.0 / (1.0 + np.exp(-(curve(u) + G_LOGIT))) - low) / max(high - low, 1e-9)
    return g


class _Kind(NamedTuple):
    """Controls that serve some strata: where their human text stands, and g of every bin."""

    mean: float
    sd: float
    histogram: Histogram
    g: Float
    effective: float  # number of controls, less what pages of one host have in common

    @property
    def intercept(self) -> float:
        return float(self.g @ self.histogram.counts / self.histogram.n)


def estimate_share(
    z: npt.ArrayLike,
    strata: Strata,
    hosts: Sequence[str | None] | None,
    calibrator: Calibrator,
    head: str,
    machine: tuple[npt.ArrayLike, Strata] | None = None,
    draws: int = DRAWS,
    confidence: float = 0.95,
    seed: int = 0,
    sizes: npt.ArrayLike | None = None,
) -> Share:
    """Share of the documents that a machine wrote; of their tokens, with `sizes`.

    Args:
        z: scores of the corpus, NaN where the model does not apply (left out).
        strata: of the same rows.
        hosts: of the same rows; None where there is none.
        calibrator: with the controls of the run.
        head: key of SCORE_COLUMNS.
        machine: z and strata of text of these strata that a machine is known to have written.
        draws: of the bootstrap.
        confidence: of the interval.
        seed: of the generator; equal input and seed give equal output.
        sizes: how much each document counts, above 0, e.g. its tokens; equal ones, or None: all alike.
    """
    values = np.asarray(z, dtype=np.float64)
    kept = np.isfinite(values)
    size = np.ones(len(values)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    size = size[kept] / size[kept].mean() if kept.any() else size[kept]
    names = np.array([""] * len(values) if hosts is None else [name or "" for name in hosts], dtype=object)[kept]
    values, codes = values[kept], strata.codes[kept]
    units, unit, n_hosts = _units(names)
    known = Share(_NAN, _NAN, _NAN, len(values), n_hosts, 0, unit)
    if head not in calibrator.calibration.heads:
        return replace(known, refused=f"{head} is not calibrated")
    if len(values) < MIN_DOCUMENTS:
        return replace(known, refused=f"{len(values)} scored documents, {MIN_DOCUMENTS} are needed")
    fitted = calibrator.calibration.heads[head]
    kinds, kind_of = _kinds(calibrator, head, fitted, strata)
    place = kind_of[codes]
    covered = place >= 0
    if (covered * size).mean() < MIN_COVERED:
        without = int((~covered).sum())
        reason = f"{without} of {len(values)} documents are of strata with fewer than {MIN_CONTROLS} controls"
        return replace(known, refused=reason)
    g = _score(fitted, kinds, values[covered], place[covered])
    size = size[covered]
    weights = np.bincount(place[covered], size, minlength=len(kinds)) / size.sum()
    intercept = float(weights @ np.array([kind.intercept for kind in kinds]))
    spiked = _machine_scores(fitted, kinds, strata, kind_of, machine)
    slope = float(spiked.mean()) - intercept if len(spiked) else fitted.slope
    used = sum(kind.histogram.n for kind, weight in zip(kinds, weights, strict=True) if weight > 0)
    known = replace(
        known, controls=used, intercept=intercept, slope=slope, slope_from="stratum" if len(spiked) else "calibration"
    )
    if slope < MIN_SLOPE:
        return replace(known, refused=f"slope {slope:.2f} is under {MIN_SLOPE}")
    estimate = (float((g * size).sum() / size.sum()) - intercept) / slope
    drift, error = _drift(calibrator, head, fitted, strata, codes, slope)
    known = replace(known, drift=drift)
    if abs(drift) > 2 * error and abs(drift) > max(estimate, 0.0):
        found = max(estimate, 0.0)
        return replace(known, refused=f"controls of two years differ by {drift:.3f}, the share would be {found:.3f}")
    drawn = _bootstrap(g, size, units[covered], kinds, weights, spiked, fitted, draws, seed)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return replace(known, estimate=_clip(estimate), low=_clip(low), high=_clip(high))


_NAN = float("nan")


def _clip(value: float) -> float:
    return min(1.0, max(0.0, float(value)))


def _units(names: npt.NDArray[np.object_]) -> tuple[Int, str, int]:
    """What is drawn: a code per row, its name, and the number of hosts. A document without a host is its own unit."""
    known = names != ""
    hosts, codes = np.unique(names[known].astype(str), return_inverse=True)
    if len(hosts) < MIN_HOSTS:
        return np.arange(len(names)), "documents", len(hosts)
    units = np.empty(len(names), dtype=np.int64)
    units[known] = codes
    units[~known] = len(hosts) + np.arange(int((~known).sum()))
    return units, "hosts", len(hosts)


def _kinds(calibrator: Calibrator, head: str, fitted: HeadCalibration, strata: Strata) -> tuple[list[_Kind], Int]:
    """The distinct controls behind the strata, and which of them each stratum has (-1: too few at every level).

    Taken are the finest level with MIN_CONFORMAL controls, or else the one with most: the noise of an intercept counts
    more here than differences within a language.
    """
    kinds: list[_Kind] = []
    found: dict[int, int] = {}
    effects: dict[str | None, float] = {}
    codes = []
    for key in strata.keys:
        matches = [] if calibrator.controls is None else calibrator.controls.matches(head, *key)
        enough = [place for place, match in enumerate(matches) if match.histogram.n >= MIN_CONFORMAL]
        place = enough[0] if enough else len(matches) - 1
        histogram = matches[place].histogram if matches else EMPTY
        if histogram.n < MIN_CONTROLS:
            codes.append(-1)
            continue
        if id(histogram) not in found:
            mean, sd = shrunk_location(fitted, matches[place:])
            if key[0] not in effects:
                effects[key[0]] = _design_effect(calibrator, head, key[0])
            g = bounded_score(fitted.with_controls, fitted.position(histogram.centres, mean, sd))
            found[id(histogram)] = len(kinds)
            kinds.append(_Kind(mean, sd, histogram, g, histogram.n / effects[key[0]]))
        codes.append(found[id(histogram)])
    return kinds, np.array(codes, dtype=np.int64)


@lru_cache(maxsize=64)
def _design_effect(calibrator: Calibrator, head: str, language: str | None) -> float:
    """How many times the variance of a mean over controls exceeds that of as many pages of different hosts (Kish 1965):
    1 + (pages of a host, weighted by pages, - 1) * share of the variance that lies between hosts."""
    if calibrator.controls is None:
        return 1.0
    sums = control_hosts(calibrator.controls.hosts, calibrator, head, language)
    offsets = estimate_offsets(sums)
    if offsets is None or offsets.within + offsets.variance <= 0:
        return 1.0
    size = float((sums.n.astype(np.float64) ** 2).sum() / sums.n.sum())
    return 1.0 + (size - 1.0) * max(offsets.between, 0.0) / (offsets.within + max(offsets.between, 0.0))


def _score(fitted: HeadCalibration, kinds: Sequence[_Kind], z: Float, place: Int) -> Float:
    table = np.array([(kind.mean, kind.sd) for kind in kinds])[place]
    return bounded_score(fitted.with_controls, fitted.position(z, table[:, 0], table[:, 1]))


def _machine_scores(
    fitted: HeadCalibration,
    kinds: Sequence[_Kind],
    strata: Strata,
    kind_of: Int,
    machine: tuple[npt.ArrayLike, Strata] | None,
) -> Float:
    """g of known machine text of strata that the corpus has, about the same controls."""
    if machine is None:
        return np.zeros(0)
    values = np.asarray(machine[0], dtype=np.float64)
    places = dict(zip(strata.keys, kind_of.tolist(), strict=True))
    place = np.array([places.get(key, -1) for key in machine[1].keys], dtype=np.int64)[machine[1].codes]
    use = np.isfinite(values) & (place >= 0)
    if int(use.sum()) < MIN_MACHINE:  # a handful says nothing of a slope, and less of its error
        return np.zeros(0)
    return _score(fitted, kinds, values[use], place[use])


def _drift(
    calibrator: Calibrator, head: str, fitted: HeadCalibration, strata: Strata, codes: Int, slope: float
) -> tuple[float, float]:
    """Newest year of controls less the years before it, as a share, with its standard error: the largest over the
    languages of the corpus; zeros where there is one year."""
    worst = (0.0, 0.0)
    if calibrator.controls is None:
        return worst
    for language in {strata.keys[code][0] for code in np.unique(codes).tolist()}:
        years = [h for _, h in calibrator.controls.by_year(head, language) if h.n >= MIN_CONTROLS]
        if len(years) < 2:
            continue
        pooled = Histogram.sum(years)
        effect = _design_effect(calibrator, head, language)
        means, variances = [], []
        for part in (years[-1], Histogram.sum(years[:-1])):
            where = fitted.position(part.centres, pooled.mean(), math.sqrt(max(pooled.variance(), 1e-6)))
            g = bounded_score(fitted.with_controls, where)
            means.append(float(g @ part.counts / part.n))
            variances.append(float((g - means[-1]) ** 2 @ part.counts) / part.n**2 * effect)
        drift = (means[0] - means[1]) / slope
        if abs(drift) > abs(worst[0]):
            worst = (drift, math.sqrt(sum(variances)) / slope)
    return worst


def _bootstrap(
    g: Float,
    size: Float,
    units: Int,
    kinds: Sequence[_Kind],
    weights: Float,
    spiked: Float,
    fitted: HeadCalibration,
    draws: int,
    seed: int,
) -> Float:
    """Shares over draws of hosts, of controls and of the slope.

    A slope of the calibration is drawn from what a new source may have: Student's t, spread over sources and error of
    their mean.
    """
    generator = np.random.default_rng(seed)
    _, units = np.unique(units, return_inverse=True)
    totals, numbers = np.bincount(units, g * size), np.bincount(units, size)
    drawn = len(totals)
    sources = max(2, int(fitted.figures.get("machine_sources", 2)))
    shares = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(generator.integers(0, drawn, drawn), minlength=drawn)
        mean = float(times @ totals) / float(times @ numbers)
        a = 0.0
        for kind, weight in zip(kinds, weights, strict=True):
            n = max(2, round(kind.effective))
            counts = generator.multinomial(n, kind.histogram.counts / kind.histogram.n)
            a += weight * float(counts @ kind.g) / n
        if len(spiked):
            b = float(generator.choice(spiked, len(spiked)).mean()) - a
        else:
            b = fitted.slope + fitted.slope_sd * math.sqrt(1 + 1 / sources) * float(generator.standard_t(sources - 1))
        shares[draw] = (mean - a) / max(b, LEAST_SLOPE)
    return shares
