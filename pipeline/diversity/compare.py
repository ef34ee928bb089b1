"""A mix against its human reference: values, intervals of human text against itself, and alarms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.diversity.definitions import METRICS
from pipeline.diversity.sample import UNKNOWN, Sample
from pipeline.diversity.stratum import Draws, measure_stratum

ALL = "all"
DRAWS = 200
FALSE_ALARMS = 0.05  # share of comparisons of human text with human text in which any metric may raise an alarm
MARGIN = 0.02  # differences under this share of the human value raise no alarm, however certain
MARGIN_BITS = 0.01  # likewise for divergences
LANGUAGES = 16  # strata beside the whole: the largest languages of the reference
_DIGITS = 6  # significant digits of what is reported


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of the mix beside that of its reference, at equal numbers of words or documents.

    `low` to `high` is where the figure of human text lies, all metrics and strata at once, with a confidence of 1 -
    FALSE_ALARMS. An alarm is a loss of diversity beyond that and beyond the margin.
    """

    name: str
    stratum: str  # "all" or a language
    value: float
    reference: float
    relative: float | None  # value / reference - 1; null of a divergence, and where the reference is 0
    low: float
    high: float
    alarm: bool
    meaning: str
    words: int  # of each half that is measured
    documents: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, with six significant digits."""
        return {k: float(f"{v:.{_DIGITS}g}") if isinstance(v, float) else v for k, v in asdict(self).items()}

    @property
    def title(self) -> str:
        """The metric's name for people."""
        return METRICS[self.name].title

    @property
    def outside(self) -> bool:
        """Whether the figure is outside of the interval, on either side."""
        return not self.low <= self.value <= self.high


def compare(mix: Sample, reference: Sample, seed: int = 0, draws: int = DRAWS) -> list[Metric]:
    """Metrics of a mix, of all of it and by language; of strata with enough text on both sides.

    The interval is that of the largest deviation of any metric (max-statistic, Westfall & Young 1993), so that all of
    them together raise a false alarm in at most FALSE_ALARMS of comparisons. It rests on the difference of a metric
    between two halves of the reference, which has twice the variance v of a half. What is reported are means over both
    halves, of variance v/2 each: the difference of the mix and the reference has v, hence the square root of 2.
    """
    measured = [(name, measure_stratum(theirs, ours, seed, draws)) for name, ours, theirs in _strata(mix, reference)]
    found = [(name, one) for name, one in measured if one is not None]
    if not found:
        return []
    scales = [np.sqrt(np.square(one.differences).mean(axis=0)) for _, one in found]
    largest = np.max([_largest(one, scale) for (_, one), scale in zip(found, scales, strict=True)], axis=0)
    # The smallest deviation that at most this share of draws exceeds.
    factor = float(np.quantile(largest, 1 - FALSE_ALARMS, method="higher")) / np.sqrt(2)
    return [
        _metric(name, stratum, one, place, factor * float(scale[place]))
        for (stratum, one), scale in zip(found, scales, strict=True)
        for place, name in enumerate(one.names)
        if scale[place] or one.mix[place] != one.reference[place]  # else there is one category, of one language say
    ]


def _strata(mix: Sample, reference: Sample) -> Iterable[tuple[str, pa.Table, pa.Table]]:
    """(name, mix, reference) of all, and of languages where there are several."""
    yield ALL, mix.all_languages(), reference.all_languages()
    languages = sorted(reference.documents, key=lambda name: (-reference.documents[name], name))
    if set(languages) | set(mix.documents) == set(languages[:1]):
        return
    for language in [name for name in languages[:LANGUAGES] if name != UNKNOWN and name in mix.documents]:
        yield language, *(one.rows.filter(pc.equal(one.rows.column("language"), language)) for one in (mix, reference))


def _largest(draws: Draws, scale: Any) -> Any:
    """Largest deviation over the metrics, by draw, in units of their scales."""
    return np.divide(np.abs(draws.differences), scale, where=scale > 0, out=np.zeros_like(draws.differences)).max(
        axis=1
    )


def _metric(name: str, stratum: str, draws: Draws, place: int, width: float) -> Metric:
    kind = METRICS[name]
    value, reference = float(draws.mix[place]), float(draws.reference[place])
    margin = MARGIN_BITS if kind.divergence else MARGIN * abs(reference)
    return Metric(
        name=name,
        stratum=stratum,
        value=value,
        reference=reference,
        relative=value / reference - 1 if reference and not kind.divergence else None,
        low=0.0 if kind.divergence else max(0.0, reference - width),  # closer than human text is no finding
        high=reference + width,
        alarm=bool(kind.loss * (value - reference) > max(width, margin)),
        meaning=kind.meaning,
        words=draws.words,
        documents=draws.documents,
    )
