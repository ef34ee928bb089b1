"""Measures of a score against labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Z95: Final = 1.959964


def auc(machine: Bools, score: Floats) -> float:
    """Area under the ROC curve; ties count half; NaN unless both classes are there."""
    positive = int(machine.sum())
    negative = len(machine) - positive
    if not positive or not negative:
        return math.nan
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place][machine].sum() - positive * (positive + 1) / 2) / (positive * negative))


def auc_error(area: float, positive: int, negative: int) -> float:
    """Standard error of an area (Hanley and McNeil 1982)."""
    if math.isnan(area) or not positive or not negative:
        return math.nan
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (positive - 1) * (q1 - area * area) + (negative - 1) * (q2 - area * area)
    return math.sqrt(max(spread, 0.0) / (positive * negative))


def wilson(hits: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = hits / trials
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its Wilson interval."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """NaN without trials."""
        return self.hits / self.trials if self.trials else math.nan

    def plain(self) -> dict[str, float | int | None]:
        """For JSON."""
        low, high = wilson(self.hits, self.trials)
        return {"share": _rounded(self.share), "low": _rounded(low), "high": _rounded(high), "n": self.trials}

    def __str__(self) -> str:
        low, high = wilson(self.hits, self.trials)
        return f"{self.share:.3f} [{low:.3f}, {high:.3f}]" if self.trials else "-"


def rate_beyond(score: Floats, threshold: float) -> Rate:
    """Share of scores above a threshold."""
    return Rate(int((score > threshold).sum()), len(score))


def threshold_at(human: Floats, share: float) -> float:
    """The least score that at most `share` of the human scores exceed."""
    return float(np.quantile(human, 1 - share, method="higher")) if len(human) else math.inf


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
