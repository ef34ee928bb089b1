"""Share of machine-written text in a corpus, with an interval, or a refusal with its reason.

The mean of scores is biased, but linear in the share: est = a + b * share. With a bounded score g of every document,
a = mean of g over dated human controls of the same strata (weighted as the corpus is), b = mean of g over machine text
less a, share = (mean of g - a) / b (probabilistic adjusted count: Bella et al. 2010; Forman 2008 for counts). b comes
from machine text of the stratum where there is some, else from the calibration, with its spread over sources left out.

The interval is a bootstrap over hosts (over documents where there are none), nested with draws of controls and of b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.calibration import Calibrator, Curve, Reference
from detectors.strata import Float, Histogram, Int, Strata

MIN_SLOPE = 0.3  # below it a share of 0.1 moves the mean of g by less than 0.03
MIN_DOCUMENTS = 50
MIN_CONTROLS = 50
MIN_HOSTS = 10  # below it documents are drawn, not hosts
DRAWS = 500
G_LOGIT = 0.0  # g = 1 / (1 + exp(-(nats + G_LOGIT)))


@dataclass(frozen=True, slots=True)
class Share:
    """Estimated share and its interval, NaN when `refused` says why there is none.

    unit: what was drawn, `hosts` or `documents`. intercept, slope: a and b. slope_from: `stratum` or `calibration`.
    drift: difference of two years of controls, as a share.
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
    """g in (0, 1): the probability of machine text at even odds, given the standardised score."""
    g: Float = 1.0 / (1.0 + np.exp(-(curve(u) + G_LOGIT)))
    return g


class _Group(NamedTuple):
    """Rows of a corpus that share one reference, and g of the controls behind it by bin."""

    rows: Int
    g: Float
    counts: Int

    @property
    def mean(self) -> float:
        return float(self.g @ self.counts / self.counts.sum())


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
) -> Share:
    """Share of the documents that a machine wrote.

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
    """
    values = np.asarray(z, dtype=np.float64)
    kept = np.isfinite(values)
    names = np.array([""] * len(values) if hosts is None else [name or "" for name in hosts], dtype=object)[kept]
    values, codes = values[kept], strata.codes[kept]
    units, unit, n_hosts = _units(names)

    def refuse(reason: str, **known: float) -> Share:
        nan = float("nan")
        return Share(nan, nan, nan, len(values), n_hosts, int(known.pop("controls", 0)), unit, refused=reason, **known)  # type: ignore[arg-type]

    if head not in calibrator.calibration.heads:
        return refuse(f"{head} is not calibrated")
    if len(values) < MIN_DOCUMENTS:
        return refuse(f"{len(values)} scored documents, {MIN_DOCUMENTS} are needed")
    fitted = calibrator.calibration.heads[head]
    references = [calibrator.reference(head, *key) for key in strata.keys]
    histograms = [
        _controls(calibrator, head, key, reference) for key, reference in zip(strata.keys, references, strict=True)
    ]
    present = np.unique(codes)
    total = sum({id(histograms[c]): histograms[c].n for c in present.tolist()}.values())
    without = sum(int((codes == c).sum()) for c in present.tolist() if histograms[c].n < MIN_CONTROLS)
    if without > 0.05 * len(values):
        return refuse(
            f"{without} of {len(values)} documents are of strata with fewer than {MIN_CONTROLS} controls",
            controls=total,
        )

    def score(numbers: Float, places: Int) -> Float:
        table = np.array([(r.mean, r.sd) for r in references if r is not None])[places]
        return bounded_score(fitted.with_controls, (numbers - table[:, 0]) / table[:, 1])

    inside = np.isin(codes, [c for c in present.tolist() if histograms[c].n >= MIN_CONTROLS])
    values, codes, units = values[inside], codes[inside], units[inside]
    g = score(values, codes)
    groups = [
        _Group(
            np.flatnonzero(codes == c),
            score(histograms[c].centres, np.full(len(histograms[c].bins), c)),
            histograms[c].counts,
        )
        for c in np.unique(codes).tolist()
    ]
    intercept = sum(len(group.rows) * group.mean for group in groups) / len(g)
    machine_g = np.zeros(0)
    if machine is not None:
        machine_z = np.asarray(machine[0], dtype=np.float64)
        found = calibrator(head, machine_z, machine[1]).u
        machine_g = bounded_score(fitted.with_controls, found[np.isfinite(machine_z)])
    slope = float(machine_g.mean()) - intercept if len(machine_g) else fitted.slope
    slope_from = "stratum" if len(machine_g) else "calibration"
    if slope < MIN_SLOPE:
        return refuse(f"slope {slope:.2f} is under {MIN_SLOPE}", controls=total, intercept=intercept, slope=slope)
    estimate = (float(g.mean()) - intercept) / slope
    drift, drift_error = _drift(calibrator, head, strata, slope)
    if abs(drift) > 2 * drift_error and abs(drift) > max(estimate, 0.0):
        return refuse(
            f"controls of two years differ by {drift:.3f}, more than the share of {max(estimate, 0.0):.3f}",
            controls=total, intercept=intercept, slope=slope, drift=drift,
        )  # fmt: skip
    drawn = _bootstrap(g, units, groups, machine_g, slope, fitted.slope_sd, draws, seed)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Share(
        _clip(estimate), _clip(low), _clip(high), len(values), n_hosts, total, unit, intercept, slope, slope_from, drift
    )


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


def _controls(
    calibrator: Calibrator, head: str, key: tuple[str | None, str | None, int], reference: Reference | None
) -> Histogram:
    if calibrator.controls is None or reference is None or reference.level < 0:
        return Histogram.of([])
    return calibrator.controls.matches(head, *key)[reference.level].histogram


def _drift(calibrator: Calibrator, head: str, strata: Strata, slope: float) -> tuple[float, float]:
    """Newest year of controls less the older ones, as a share, and its standard error; zeros with one year."""
    if calibrator.controls is None:
        return 0.0, 0.0
    fitted = calibrator.calibration.heads[head]
    worst = (0.0, 0.0)
    for language in sorted({key[0] or "" for key in strata.keys}):
        years = [(y, h) for y, h in calibrator.controls.by_year(head, language or None) if h.n >= MIN_CONTROLS]
        if len(years) < 2:
            continue
        pooled = Histogram.sum([h for _, h in years])
        sd = max(pooled.variance() ** 0.5, 1e-6)
        means = []
        for part in (years[-1][1], Histogram.sum([h for _, h in years[:-1]])):
            g = bounded_score(fitted.with_controls, (part.centres - pooled.mean()) / sd)
            mean = float(g @ part.counts / part.n)
            means.append((mean, float((g - mean) ** 2 @ part.counts) / part.n**2))
        drift = (means[0][0] - means[1][0]) / slope
        if abs(drift) > abs(worst[0]):
            worst = (drift, (means[0][1] + means[1][1]) ** 0.5 / slope)
    return worst


def _bootstrap(
    g: Float,
    units: Int,
    groups: Sequence[_Group],
    machine: Float,
    slope: float,
    slope_sd: float,
    draws: int,
    seed: int,
) -> Float:
    """Shares over draws of hosts, of controls and of the slope."""
    generator = np.random.default_rng(seed)
    size = int(units.max()) + 1
    totals, numbers = np.bincount(units, g, minlength=size), np.bincount(units, minlength=size)
    weights = np.array([len(group.rows) for group in groups]) / len(g)
    shares = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(generator.integers(0, size, size), minlength=size)
        mean = float(times @ totals) / max(1, int(times @ numbers))
        means = []
        for group in groups:
            n = int(group.counts.sum())
            means.append(float(generator.multinomial(n, group.counts / n) @ group.g) / n)
        a = float(weights @ np.array(means))
        if len(machine):
            b = float(generator.choice(machine, len(machine)).mean()) - a
        else:
            b = slope + slope_sd * float(generator.standard_normal())
        shares[draw] = (mean - a) / max(b, 0.05)
    return shares
