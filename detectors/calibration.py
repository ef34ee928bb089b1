"""From the score of a text model to evidence that can be published: thresholds, verdicts, capped log-likelihood ratios.

Everything works in z = logit(score). Where human text stands differs by source more than texts differ from chance, so a
pooled threshold is wrong on most sources; dated controls of the same stratum put it right (`detectors.controls`):

conformal  200 controls or more: the ceil((n + 1)(1 - alpha))-th smallest control is the threshold. For exchangeable
           human text at most alpha lie beyond it (Vovk et al. 2005; Angelopoulos and Bates 2021, arXiv 2107.07511).
shrunk     25 to 199: mean and variance of the controls, shrunk to the next coarser level and at last to the reference
           of the calibration, and a multiple of the standard deviation that held on sources left out.
margin     fewer: beyond the pooled threshold by a stated margin or not decided at all. Its measured false-positive rate
           on sources left out is in the calibration.

A monotone curve, fitted on sources left out, turns the distance from the mean of the controls into nats, capped at
NATS_CAP either way. `detectors.calibration_fit` makes the calibration from out-of-source scores.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from detectors.api import digest_of
from detectors.controls import ControlSet, Match
from detectors.strata import LEVELS, Float, Histogram, Int, Strata

Bool = npt.NDArray[np.bool_]

ALPHA = 0.01  # share of human text that may lie beyond a threshold
MIN_CONFORMAL = 200
MIN_SHRUNK = 25
TAIL_CONTROLS = 100
# Heads whose nats are fitted against the kind of text that dated controls are. Of machine given translated they are
# not: its human side is what people translated, and most old text is original. (For the mean over a host's pages old
# hosts are controls all the same: they say how human hosts differ.)
CONTROLLED = ("ai_text", "raw_text", "translation")
NATS_CAP = 3.0  # one soft signal is worth a factor of 20 at most
METHODS = ("none", "margin", "shrunk", "conformal")
NONE, MARGIN, SHRUNK, CONFORMAL = range(4)

FORMAT = "headwater-calibration"
FORMAT_VERSION = 1
SHIPPED = Path(__file__).parent / "data" / "calibration.json"


class CalibrationError(ValueError):
    """A calibration that cannot be read or used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Monotone table from a position `u` to nats, linear between knots and flat beyond them."""

    u: tuple[float, ...]
    nats: tuple[float, ...]

    def __call__(self, u: Float) -> Float:
        """Nats of every value; 0 for NaN."""
        found: Float = np.interp(u, np.array(self.u), np.array(self.nats))
        return np.where(np.isnan(u), 0.0, np.clip(found, -NATS_CAP, NATS_CAP))


@dataclass(frozen=True, slots=True)
class HeadCalibration:
    """What is known of one head from sources that its models were not trained on.

    mean, sd: human text of a source, averaged over sources (z). mean_sd, sd_ratio: how far the sources' means lie apart
    (z), and the sd of the log of their sds. threshold: pooled 1 % threshold (z). margin: z beyond it that a verdict
    without controls needs. tail: threshold of a shrunk fit on TAIL_CONTROLS controls, in its sd. with_controls, alone:
    nats by `position`, with mean and sd of controls of the stratum, and with mean and sd of all sources. gap, gap_sd:
    mean of machine text less that of human text of its source, and its sd over sources (z). slope, slope_sd: the same
    for the bounded score of `detectors.prevalence`. gives_verdicts: whether this head alone may call a document
    machine-made. figures: what was measured on sources left out, by name.
    """

    mean: float
    sd: float
    mean_sd: float
    sd_ratio: float
    threshold: float
    margin: float
    tail: float
    with_controls: Curve
    alone: Curve
    gap: float
    gap_sd: float
    slope: float
    slope_sd: float
    gives_verdicts: bool
    figures: Mapping[str, float] = field(default_factory=dict)

    def position(self, z: Float, mean: Float | float, sd: Float | float) -> Float:
        """Where scores stand for the curves, given mean and sd of human text of their strata.

        Distances are in the geometric mean of the stratum's sd and the reference's: where human text varies less, the
        gap to machine text is wider in its own sd, and narrower in that of others. Calibration error on sources left
        out is least half way.
        """
        position: Float = (z - mean) / np.sqrt(sd * self.sd)
        return position

    @property
    def mean_weight(self) -> float:
        """Controls that the reference's mean is worth: variance within sources over that of their means."""
        return self.sd**2 / max(self.mean_sd, 1e-3) ** 2

    @property
    def variance_weight(self) -> float:
        """Controls that the reference's variance is worth; the log of a variance of n normal values varies by 2 / n."""
        return 0.5 / max(self.sd_ratio, 1e-2) ** 2

    @property
    def margin_threshold(self) -> float:
        """z beyond which a document is called machine-made without controls."""
        return self.threshold + self.margin


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrations by head, the fingerprints of the text models that they belong to, and what they were fitted on."""

    heads: Mapping[str, HeadCalibration]
    models: Mapping[str, str] = field(default_factory=dict)
    fitted_on: str = ""

    def to_json(self) -> str:
        """Indented JSON, rounded to six digits, keys sorted."""
        plain = {"format": FORMAT, "version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(_rounded(plain), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What `to_json` wrote.

        Raises:
            CalibrationError: not a calibration, or one of another version.
        """
        try:
            plain = json.loads(text)
            if plain["format"] != FORMAT or plain["version"] != FORMAT_VERSION:
                raise CalibrationError(
                    f"{plain['format']} version {plain['version']}, expected {FORMAT} version {FORMAT_VERSION}; "
                    "fit it again with `headwater detectors calibrate`"
                )
            heads = {}
            for name, values in plain["heads"].items():
                curves = {
                    key: Curve(tuple(values[key]["u"]), tuple(values[key]["nats"]))
                    for key in ("with_controls", "alone")
                }
                heads[name] = HeadCalibration(**{**values, **curves})
                _check(heads[name])
            return cls(heads, {str(n): str(f) for n, f in dict(plain["models"]).items()}, str(plain["fitted_on"]))
        except CalibrationError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise CalibrationError(f"not a calibration ({type(error).__name__}: {error})") from None

    def require(self, models: Mapping[str, str]) -> None:
        """Check that this calibration belongs to `models` (fingerprints by detector).

        Raises:
            CalibrationError: a model that it was not fitted for.
        """
        wrong = {n: f for n, f in self.models.items() if n in models and models[n] != f}
        if wrong:
            detail = ", ".join(f"{n}: fitted for {f}, the model is {models[n]}" for n, f in sorted(wrong.items()))
            raise CalibrationError(
                f"{detail}; fit a calibration with `headwater detectors calibrate --config FILE`, where FILE is the "
                "configuration that names the model under provenance.text_models"
            )

    def digest(self) -> str:
        """16 hex digits that change with anything in it."""
        return digest_of(self.to_json())


def load_calibration(path: Path | None = None) -> Calibration:
    """The calibration in a file; the shipped one by default.

    Raises:
        CalibrationError: see `Calibration.from_json`; or the file is not there.
    """
    file = SHIPPED if path is None else path
    try:
        return Calibration.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CalibrationError(
            f"{file}: {error.strerror}; `headwater detectors calibrate` writes a calibration"
        ) from None


def _check(head: HeadCalibration) -> None:
    """Raise ValueError for numbers that no fit gives: not finite, no spread, or a curve that falls."""
    numbers = (head.mean, head.mean_sd, head.sd_ratio, head.threshold, head.margin, head.tail, head.gap, head.slope)
    if not all(math.isfinite(number) for number in numbers) or not (math.isfinite(head.sd) and head.sd > 0):
        raise ValueError("means, thresholds and slopes must be finite, and the spread over 0")
    for curve in (head.with_controls, head.alone):
        rising = np.diff(np.array(curve.u)) > 0
        if len(curve.u) != len(curve.nats) or not curve.u or not rising.all() or (np.diff(curve.nats) < 0).any():
            raise ValueError("a curve needs a value for each knot, and may not fall")


class Reference(NamedTuple):
    """Where human text of one stratum stands, and how that is known."""

    mean: float  # z
    sd: float  # z
    threshold: float  # z; beyond it at most ALPHA of human text, or measured (margin)
    method: int  # index into METHODS
    level: int  # index into LEVELS; -1 without controls
    controls: int  # number of them at that level


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One row per score: arrays of one length.

    mean: of human text of the stratum (z), for sums by host. u: standardised score, NaN where there is none. nats:
    log-likelihood ratio of machine against human, in +-NATS_CAP, 0 where there is no score. threshold: z, NaN where
    there is no score. is_beyond: beyond the threshold. method, level: indexes into METHODS and LEVELS (-1 without
    controls). controls: number of controls behind the row.
    """

    mean: Float
    u: Float
    nats: Float
    threshold: Float
    is_beyond: Bool
    method: Int
    level: Int
    controls: Int

    @property
    def is_calibrated(self) -> Bool:
        """Whether controls of the stratum stand behind the row, so that a probability may be published."""
        return self.method >= SHRUNK

    def describe(self, row: int) -> str:
        """The method of one row for people: `conformal, 240 controls by language and page_type`."""
        method, level = METHODS[int(self.method[row])], int(self.level[row])
        if level < 0:
            return method
        return f"{method}, {int(self.controls[row])} controls by {' and '.join(LEVELS[level])}"


class Calibrator:
    """A calibration with the controls of a run; references are worked out once per stratum."""

    def __init__(self, calibration: Calibration, controls: ControlSet | None = None) -> None:
        self.calibration = calibration
        self.controls = controls
        self._references: dict[tuple[Any, ...], Reference] = {}

    def reference(self, head: str, language: str | None, page_type: str | None, length: int) -> Reference | None:
        """Of a stratum (`length` indexes LENGTH_NAMES); None where the head is not calibrated."""
        key = (head, language, page_type, length)
        if head not in self.calibration.heads:
            return None
        if key not in self._references:
            matches = [] if self.controls is None else self.controls.matches(*key)
            self._references[key] = reference_of(self.calibration.heads[head], matches)
        return self._references[key]

    def __call__(self, head: str, z: npt.ArrayLike, strata: Strata) -> Calibrated:
        """Evidence of every row; `z` is NaN where the model does not apply."""
        values = np.asarray(z, dtype=np.float64)
        found = [self.reference(head, *key) for key in strata.keys]
        if not found or head not in self.calibration.heads:
            return _nothing(len(values))
        table = np.array([tuple(r) for r in found if r is not None], dtype=np.float64)[strata.codes]
        mean, sd, threshold, method, level, controls = table.T
        u = (values - mean) / sd
        none = np.isnan(values)
        fitted = self.calibration.heads[head]
        nats = fitted.alone(fitted.position(values, fitted.mean, fitted.sd))
        if head in CONTROLLED:
            nats = np.where(method >= SHRUNK, fitted.with_controls(fitted.position(values, mean, sd)), nats)
        with np.errstate(invalid="ignore"):
            beyond = values > threshold
        return Calibrated(
            mean=mean,
            u=u,
            nats=nats,
            threshold=np.where(none, np.nan, threshold),
            is_beyond=beyond,
            method=np.where(none, NONE, method).astype(np.int64),
            level=np.where(none, -1, level).astype(np.int64),
            controls=np.where(none, 0, controls).astype(np.int64),
        )


def _nothing(rows: int) -> Calibrated:
    nan, zero = np.full(rows, np.nan), np.zeros(rows)
    integers = np.zeros(rows, dtype=np.int64)
    return Calibrated(
        nan, nan.copy(), zero, nan.copy(), np.zeros(rows, dtype=bool), integers, integers - 1, integers.copy()
    )


def reference_of(head: HeadCalibration, matches: list[Match]) -> Reference:
    """The reference of a stratum from its controls at every level, finest first.

    The finest level with MIN_CONFORMAL controls gives the threshold, else the finest with MIN_SHRUNK a shrunk fit.
    """
    for level, histogram in matches:
        if histogram.n >= MIN_CONFORMAL:
            mean, sd = shrunk_location(head, [Match(level, histogram)])
            return Reference(mean, sd, conformal_threshold(histogram), CONFORMAL, level, histogram.n)
    for place, (level, histogram) in enumerate(matches):
        if histogram.n >= MIN_SHRUNK:
            mean, sd = shrunk_location(head, matches[place:])
            return Reference(mean, sd, shrunk_threshold(head, mean, sd, histogram), SHRUNK, level, histogram.n)
    return Reference(head.mean, head.sd, head.margin_threshold, MARGIN, -1, 0)


def conformal_threshold(controls: Histogram, alpha: float = ALPHA) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest control, as the upper edge of its bin; infinite with too few of them."""
    rank = math.ceil(round((controls.n + 1) * (1 - alpha), 9))
    return controls.order_statistic(rank) if rank <= controls.n else math.inf


def shrunk_threshold(head: HeadCalibration, mean: float, sd: float, controls: Histogram) -> float:
    """mean + tail * sd; from 1/alpha - 1 controls on, the order statistic has a part, which grows to all of it.

    The fit wastes nothing where human scores are near normal, the order statistic holds where they are not.
    """
    fitted = mean + head.tail * _spread(head, controls.n) / _spread(head, TAIL_CONTROLS) * sd
    exact = conformal_threshold(controls)
    weight = min(1.0, controls.n / MIN_CONFORMAL)
    return fitted if math.isinf(exact) else (1 - weight) * fitted + weight * exact


def _spread(head: HeadCalibration, n: int) -> float:
    """How far a new value may lie, in the sd of a shrunk fit on n values: mean and sd have errors of their own."""
    return math.sqrt(1 + 1 / n) * float(stats.t.ppf(1 - ALPHA, n - 1 + head.variance_weight))


def shrunk_location(head: HeadCalibration, matches: list[Match]) -> tuple[float, float]:
    """Mean and sd of a stratum: its controls, shrunk to the coarser levels in turn and at last to the reference."""
    mean, variance = head.mean, head.sd**2
    for _, histogram in reversed(matches):
        n = histogram.n
        if n == 0:
            continue
        own = histogram.variance() if n > 1 else variance
        mean = (n * histogram.mean() + head.mean_weight * mean) / (n + head.mean_weight)
        variance = ((n - 1) * own + head.variance_weight * variance) / (n - 1 + head.variance_weight)
    return mean, math.sqrt(variance)


# ---- what fusion needs -------------------------------------------------------------------------------------------


def combine_heads(chat: npt.ArrayLike, raw: npt.ArrayLike, chat_share: float = 0.9) -> Float:
    """Nats for machine-written text from the nats of two kinds of it: the log of the mixture of their ratios.

    A sum would count twice what both heads see in the same odd text. `chat_share` is the share of chat models among
    machine-written pages.
    """
    a = math.log(chat_share) + np.asarray(chat, dtype=np.float64)
    b = math.log1p(-chat_share) + np.asarray(raw, dtype=np.float64)
    return np.clip(np.logaddexp(a, b), -NATS_CAP, NATS_CAP)


def combine_translation(translated: npt.ArrayLike, machine: npt.ArrayLike, human_share: float = 0.1) -> Float:
    """Nats for machine-translated against human text from the two steps: translated; machine given translated.

    Human text is a mixture too: `human_share` of it is translated by people, and raises with the first step as well, so
    that the first step alone can raise the odds by 1 / human_share at most.
    """
    first = np.asarray(translated, dtype=np.float64)
    human = np.logaddexp(math.log1p(-human_share), math.log(human_share) + first)
    return np.clip(first + np.asarray(machine, dtype=np.float64) - human, -NATS_CAP, NATS_CAP)


def probabilities(nats: npt.ArrayLike, prior: npt.ArrayLike) -> Float:
    """Probabilities (rows x classes, sum 1) from nats against the first class (rows x classes) and priors (classes)."""
    logits = np.log(np.asarray(prior, dtype=np.float64)) + np.asarray(nats, dtype=np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    odds = np.exp(logits)
    total: Float = odds / odds.sum(axis=-1, keepdims=True)
    return total


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
