"""A head whose scores are normal, for tests: human text at 0, machine text 2 sd above it."""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors.calibration import Calibration, Calibrator, Curve, HeadCalibration
from detectors.calibration_fit import fit_calibration
from detectors.controls import Cell, ControlSet
from detectors.strata import Float, Histogram, Strata

KEY = ("eng", None, 3)

HEAD = HeadCalibration(
    mean=0.0,
    sd=0.5,
    mean_sd=0.2,
    sd_ratio=0.2,
    threshold=1.2,
    margin=0.4,
    tail=2.33,
    with_controls=Curve((-3.0, 0.0, 1.0, 3.0), (-2.5, -2.0, 0.0, 4.0)),
    alone=Curve((-3.0, 3.0), (-1.0, 1.5)),
    gap=1.0,
    gap_sd=0.2,
    slope=0.6,
    slope_sd=0.1,
    gives_verdicts=True,
    figures={"machine_sources": 8.0},
)


def controls_of(z: Float, year: int = 2021, key: tuple[str | None, str | None, int] = KEY) -> ControlSet:
    """Controls of one stratum and year."""
    return ControlSet({}, cells={Cell("ai_text", *key, year): Histogram.of(z)})


def calibrator_of(z: Float | None) -> Calibrator:
    """HEAD with controls `z` of KEY."""
    return Calibrator(Calibration({"ai_text": HEAD}), None if z is None else controls_of(z))


def strata_of(rows: int) -> Strata:
    """Rows of KEY."""
    return Strata([KEY], np.zeros(rows, dtype=np.int64))


def score_rows(sources: int = 4, texts: int = 300, gap: float = 1.0, spread: float = 0.2) -> list[dict[str, Any]]:
    """Out-of-source scores as `headwater detectors evaluate --scores` writes them."""
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for source in range(sources):
        centre = spread * rng.standard_normal()
        for part, label, mean in (("test", "human", centre), ("test", "ai", centre + gap), ("cal", "human", 0.0)):
            for i, z in enumerate(rng.normal(mean, 0.4, texts)):
                rows.append(
                    {
                        "head": "chat",
                        "fold": f"s{source}",
                        "part": part,
                        "id": f"{source}-{part}-{label}-{i}",
                        "source": f"s{source}",
                        "domain": "d",
                        "label": label,
                        "generator": "" if label == "human" else f"g{i % 3}",
                        "attack": None,
                        "language": "eng_Latn",
                        "words": 200,
                        "z": float(z),
                    }
                )
    return rows


FITTED = fit_calibration(score_rows())
