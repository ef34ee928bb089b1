"""The teacher beside a student: in evaluation its score is added, in training the student learns from it.

A teacher file holds statistics of a causal language model for a sample of the corpus (`headwater detectors teach`). The
teacher is supervised on them, and always on other sources than those that it scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.text_training.design import Design
from pipeline.text_training.measures import auc, rate_beyond, threshold_at

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST: Final = 30  # documents of each class with statistics
RAW_WEIGHT: Final = 2.0  # of the teacher beside the raw head, whose student alone is weak
MIX: Final = 0.5  # of the teacher's opinion in the target of a student


@dataclass(frozen=True, slots=True)
class Lessons:
    """Statistics by row of the design; NaN where a row is not in the teacher's sample."""

    statistics: Floats
    present: npt.NDArray[np.bool_]
    library: Any  # detectors.ai_text.zero_shot

    def fold(self, design: Design, head: str, train: Ints, test: Ints, student: Floats) -> dict[str, object] | None:
        """Areas of teacher, student and both on the rows of a fold that have statistics; None with too few."""
        here, known = train[self.present[train]], self.present[test]
        rows = test[known]
        machine = design.machine[rows]
        if min(machine.sum(), (~machine).sum(), design.machine[here].sum(), (~design.machine[here]).sum()) < LEAST:
            return None
        teacher = self.library.fit_teacher(self.statistics[here], design.machine[here], design.group[here].tolist())
        taught = teacher.score(self.statistics[rows])
        weight = RAW_WEIGHT if head == "raw" else self.library.TEACHER_WEIGHT
        both = student[known] + weight * taught
        return {
            "human": int((~machine).sum()),
            "machine": int(machine.sum()),
            "auc_teacher": round(auc(machine, taught), 4),
            "auc_student": round(auc(machine, student[known]), 4),
            "auc_both": round(auc(machine, both), 4),
            "recall_both": rate_beyond(both[machine], threshold_at(both[~machine], 0.01)).plain(),
        }

    def targets(self, design: Design, rows: Ints) -> tuple[Floats, Floats]:
        """Labels mixed with the teacher's opinion where there is one, and that opinion (z, NaN where there is none)."""
        target = design.machine[rows].astype(np.float64)
        opinion = np.full(len(rows), np.nan)
        known = np.flatnonzero(self.present[rows])
        if len(known):
            chosen = rows[known]
            opinion[known] = self.library.out_of_fold(
                self.statistics[chosen], design.machine[chosen], design.group[chosen].tolist()
            )
        told = ~np.isnan(opinion)
        target[told] = (1 - MIX) * target[told] + MIX / (1 + np.exp(-opinion[told]))
        return target, opinion


def read_lessons(path: Path, design: Design) -> Lessons:
    """Statistics of a teacher file for the rows of a design."""
    file = import_module("pipeline.teacher_file").read_teacher(path)
    at = file.rows_of([row.id for row in design.rows])
    statistics = np.full((len(design), file.statistics.shape[1]), np.nan)
    statistics[at >= 0] = file.statistics[at[at >= 0]]
    present: npt.NDArray[np.bool_] = np.logical_not(np.isnan(statistics).all(axis=1))
    return Lessons(statistics, present, import_module("detectors.ai_text.zero_shot"))


def agreement(student: Floats, opinion: Floats) -> dict[str, float | int]:
    """How a student follows its teacher: rank correlation, share on one side of 0, cross-entropy."""
    from scipy.stats import spearmanr

    told = ~np.isnan(opinion)
    z, wanted = student[told], opinion[told]
    if len(z) < 2:
        return {"documents": len(z)}
    p = 1 / (1 + np.exp(-wanted))
    return {
        "documents": len(z),
        "rank_correlation": round(float(spearmanr(z, wanted).statistic), 4),
        "same_side": round(float(((z > 0) == (wanted > 0)).mean()), 4),
        "cross_entropy": round(float((np.logaddexp(0, z) - p * z).mean()), 4),
    }
