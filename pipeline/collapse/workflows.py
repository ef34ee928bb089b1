"""The four ways to choose what the next generation is trained on, and figures over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Kind = Literal["replace", "fresh", "accumulate", "budget"]
Float64 = npt.NDArray[np.float64]

Interval = dict[str, list[float]]  # mean, low and high, a number a generation

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Workflow:
    """What a generation is trained on, beside the first, which sees real data alone.

    - `replace`: what the model before it wrote (Shumailov et al. 2023).
    - `fresh`: the same, with a share of real data that no earlier generation saw (Alemohammad et al. 2023).
    - `accumulate`: the first real data and everything that all models wrote (Gerstgrasser et al. 2024).
    - `budget`: a random sample of that, as large as the first data (Kazdan et al. 2024).
    """

    kind: Kind
    fresh: float = 0.0  # share of fresh real data, of kind `fresh` only

    @property
    def name(self) -> str:
        """Name in files."""
        return f"fresh_{self.fresh:g}" if self.kind == "fresh" else self.kind

    @property
    def title(self) -> str:
        """Name for people."""
        if self.kind == "fresh":
            return f"{100 * self.fresh:.4g} % fresh"
        return {"replace": "replace", "accumulate": "accumulate", "budget": "fixed budget"}[self.kind]


def all_workflows(shares: Sequence[float]) -> tuple[Workflow, ...]:
    """Every workflow, with each share of fresh data once, ascending."""
    fresh = [Workflow("fresh", share) for share in sorted(set(shares))]
    return (Workflow("replace"), *fresh, Workflow("accumulate"), Workflow("budget"))


def error_multiplier(fresh: float, generations: int | None = None) -> float:
    """Error of a linear model relative to the first generation's, with fresh data (Alemohammad et al. 2023).

    (1 - rho^n) / (1 - rho) with rho = (1 - fresh)^2 after n generations, 1 / (1 - rho) in the end; n without any.
    """
    rho = (1.0 - fresh) ** 2
    if generations is None:
        return float("inf") if rho == 1.0 else 1.0 / (1.0 - rho)
    return float(generations) if rho == 1.0 else (1.0 - rho**generations) / (1.0 - rho)


def over_seeds(values: Float64, *, logarithms: bool = False) -> Interval:
    """Mean over seeds and its 95 % interval by Student's t, point by point.

    Args:
        values: (seeds, points), not negative, and so neither is an interval; at least two seeds.
        logarithms: of the logarithms, so that the mean is the geometric one.
    """
    seeds = values.shape[0]
    scale = np.log(values) if logarithms else values
    middle = scale.mean(axis=0)
    half = scale.std(axis=0, ddof=1) / np.sqrt(seeds) * float(student.ppf((1 + CONFIDENCE) / 2, seeds - 1))
    back = np.exp if logarithms else np.asarray
    low = middle - half if logarithms else np.maximum(middle - half, 0.0)
    return {"mean": plain(back(middle)), "low": plain(back(low)), "high": plain(back(middle + half))}


def plain(values: Float64) -> list[float]:
    """Numbers for JSON: seven digits, as others may differ from machine to machine."""
    return [float(f"{value:.7g}") for value in values.tolist()]
