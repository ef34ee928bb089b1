"""Folds of the translation heads: documents, systems and documents, or years left out; pairs, controls, hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from detectors.machine_translation.model_file import MACHINE
from pipeline.text_training.fit import TrainingError
from pipeline.text_training.measures import auc, auc_error, rate_beyond, threshold_at
from pipeline.text_training.translation_corpus import EDITED, HUMAN, MT, TranslationDesign, hash_of
from pipeline.text_training.translation_fit import Fitted, fit_standardised, held_out

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
LeaveOut = Literal["document", "system", "year"]
Say = Callable[[str], None]

FOLDS: Final = 6  # of documents
SYSTEM_GROUPS: Final = 3
HOST_PAGES: Final = (1, 5, 20, 50)
HOST_DRAWS: Final = 300  # hosts of each class
FALSE_POSITIVES: Final = 0.01


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows to fit to and rows to measure."""

    name: str
    train: Ints
    test: Ints


@dataclass(slots=True)
class LanguageResult:
    """Figures of a language, and rows for a scores file."""

    figures: dict[str, Any]
    scores: list[dict[str, Any]] = field(default_factory=list)


def folds(design: TranslationDesign, head: str, leave_out: LeaveOut) -> list[Fold]:
    """The folds of a protocol. `system` leaves out the documents of a fold and, together with them, a third of the
    systems; `year` one part (`set`) of the corpus with its documents."""
    rows = design.used(head)
    documents = design.group[rows]
    if leave_out == "year":
        parts = design.part[rows]
        found = []
        for name in sorted(set(parts.tolist())):
            test = parts == name
            apart = ~test & ~np.isin(design.document[rows], design.document[rows[test]])
            found.append(Fold(name, rows[apart], rows[test]))
        return found if len(found) > 1 else []
    names = sorted(set(design.system[rows][design.label[rows] == MT].tolist()), key=hash_of)
    third = {name: place % SYSTEM_GROUPS for place, name in enumerate(names)} if leave_out == "system" else {}
    group = np.array([third.get(name, -1) for name in design.system[rows].tolist()], np.int64)
    found = []
    for number in range(FOLDS):
        here = documents % FOLDS == number
        out = group == number % SYSTEM_GROUPS
        found.append(Fold(str(number), rows[~here & ~out], rows[here & (out | (group < 0))]))
    return found


def evaluate_language(design: TranslationDesign, head: str, leave_out: LeaveOut, controls: bool) -> LanguageResult:
    """Every fold of a language. `controls` also measures topic-free features and shuffled labels."""
    machine = design.is_machine(head)
    result = LanguageResult({"language": design.language, "folds": []})
    held: list[tuple[Ints, Floats]] = []
    random = np.random.default_rng(0)
    for fold in folds(design, head, leave_out):
        sides = machine[fold.test]
        if min(sides.sum(), (~sides).sum()) < 10:
            continue
        try:
            fitted = fit_standardised(design, fold.train, head, design.matrices)
            z = fitted.z(design.matrices, fold.test)
            figures = {"fold": fold.name, **measure(design, head, fold.test, z)}
            if controls:
                masked = fit_standardised(design, fold.train, head, design.masked)
                figures["topic_free_auc"] = _rounded(auc(sides, masked.z(design.masked, fold.test)))
                labels = machine.copy()
                labels[fold.train] = random.permutation(labels[fold.train])
                shuffled = fit_standardised(design, fold.train, head, design.matrices, labels)
                figures["shuffled_auc"] = _rounded(auc(sides, shuffled.z(design.matrices, fold.test)))
        except TrainingError:
            continue
        result.figures["folds"].append(figures)
        held.append((fold.test, z))
        result.scores += _score_rows(design, head, leave_out, fold, z, fitted)
    for key in ("auc", "human_only_auc", "pairs", "topic_free_auc", "shuffled_auc"):
        values = [fold[key] for fold in result.figures["folds"] if fold.get(key) is not None]
        if values:
            result.figures[f"mean_{key}"] = _rounded(float(np.mean(values)))
    areas = [fold["auc"] for fold in result.figures["folds"]]
    result.figures["least_auc"] = min(areas) if areas else None
    if head == MACHINE and leave_out != "year" and held:
        rows, z = np.concatenate([r for r, _ in held]), np.concatenate([v for _, v in held])
        result.figures["hosts"] = measure_hosts(design, rows, z)
    return result


def measure(design: TranslationDesign, head: str, rows: Ints, z: Floats) -> dict[str, Any]:
    """Areas of rows: all, human translations alone against originals, pairs of the same content; recall at 1 %."""
    machine = design.is_machine(head)[rows]
    area = auc(machine, z)
    figures: dict[str, Any] = {
        "negative": int((~machine).sum()),
        "positive": int(machine.sum()),
        "auc": _rounded(area),
        "auc_error": _rounded(auc_error(area, int(machine.sum()), int((~machine).sum()))),
        "recall_own_threshold": rate_beyond(z[machine], threshold_at(z[~machine], FALSE_POSITIVES)).plain(),
    }
    if head == MACHINE:
        figures["pairs"] = _rounded(same_content(design, rows, z))
    else:
        human = ~np.isin(design.label[rows], (MT, EDITED))
        figures["human_only_auc"] = _rounded(auc(machine[human], z[human]))
    return figures


def same_content(design: TranslationDesign, rows: Ints, z: Floats) -> float:
    """Chance that a machine translation scores above a human one of the same content; mean over contents."""
    scores: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for i, value in zip(rows.tolist(), z.tolist(), strict=True):
        scores[design.rows[i].content][design.label[i] == MT].append(value)
    found = []
    for human, machine in scores.values():
        if human and machine:
            difference = np.subtract.outer(np.array(machine), np.array(human))
            found.append(float(np.mean((difference > 0) + 0.5 * (difference == 0))))
    return float(np.mean(found)) if found else float("nan")


def measure_hosts(design: TranslationDesign, rows: Ints, z: Floats) -> list[dict[str, Any]]:
    """Hosts of 1 to 50 documents: those of one human agency against those of one system, means of z.

    Agencies and systems are those of one part of the corpus and source language; hosts are drawn with replacement,
    their documents without.
    """
    pools: dict[tuple[bool, str, str, str], list[float]] = defaultdict(list)
    for i, value in zip(rows.tolist(), z.tolist(), strict=True):
        row = design.rows[i]
        if row.label in (HUMAN, MT):
            pools[row.label == MT, row.part, row.origin, row.system].append(value)
    random = np.random.default_rng(0)
    found = []
    for pages in HOST_PAGES:
        means: dict[bool, Floats] = {}
        for side in (False, True):
            usable = [np.array(pools[key]) for key in sorted(pools) if key[0] == side and len(pools[key]) >= pages]
            if usable:
                draws = [usable[random.integers(len(usable))] for _ in range(HOST_DRAWS)]
                means[side] = np.array([random.choice(pool, pages, replace=False).mean() for pool in draws])
        if len(means) == 2:
            labels = np.repeat([False, True], HOST_DRAWS)
            both = np.concatenate((means[False], means[True]))
            recall = rate_beyond(means[True], threshold_at(means[False], FALSE_POSITIVES))
            found.append({"pages": pages, "auc": _rounded(auc(labels, both)), "recall_at_1": recall.plain()})
    return found


def _score_rows(
    design: TranslationDesign, head: str, leave_out: str, fold: Fold, z: Floats, fitted: Fitted
) -> list[dict[str, Any]]:
    """Rows of a scores file: the test rows, and in folds by year calibration rows, which are not of that year."""
    name = f"{design.language}:{fold.name if leave_out == 'year' else leave_out}"
    chosen = [("test", fold.test, z)]
    if leave_out == "year":
        rest = fold.train[held_out(design, fold.train)]
        chosen.append(("cal", rest, fitted.z(design.matrices, rest)))
    return [row for part, rows, values in chosen for row in score_rows(design, head, name, part, rows, values)]


def score_rows(
    design: TranslationDesign, head: str, fold: str, part: str, rows: Ints, z: Floats
) -> Iterator[dict[str, Any]]:
    """Rows of a scores file."""
    words = design.features.canonical.words()
    for i, value in zip(rows.tolist(), z.tolist(), strict=True):
        row = design.rows[i]
        yield {
            "head": head, "fold": fold, "part": part, "id": f"{row.part}:{row.id}", "source": row.part,
            "domain": row.domain, "label": row.label, "generator": row.system or "human", "attack": None,
            "language": row.language, "words": int(words[i]), "z": round(value, 5),
        }  # fmt: skip


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


__all__ = ["LeaveOut", "evaluate_language", "folds", "measure", "measure_hosts", "same_content", "score_rows"]
