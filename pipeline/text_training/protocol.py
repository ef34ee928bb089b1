"""Evaluation with sources, domains or generators left out, and audits of what a model has learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from pipeline.text_training import fit
from pipeline.text_training.design import (
    Design,
    Standard,
    clean_rows,
    fit_members,
    raw_scores,
    standardise,
)  # fmt: skip
from pipeline.text_training.measures import auc, auc_error, rate_beyond, threshold_at

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
LeaveOut = Literal["source", "domain", "generator"]
Say = Callable[[str], None]

LEAST: Final = 50  # documents of a class for an area under the curve
LEAST_GENERATOR: Final = 90
MOST_DOMAINS: Final = 8  # a source with more domains is no test of domains
FALSE_POSITIVES: Final = 0.01
MEASURED_EACH: Final = 600  # documents of a group and generator that are measured
ATTACKED_EACH: Final = 300  # documents of an attack that are scored


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows left out (clean, of the head) and sources that go with them."""

    name: str
    out: Bools
    related: frozenset[str]
    fraction: float = 1.0


@dataclass(slots=True)
class FoldResult:
    """What a fold gave: z of the rows left out (`test`) and of the calibration rows of the others."""

    name: str
    test: Ints
    z: Floats
    calibration: Ints
    calibration_z: Floats
    attacked: Ints
    attacked_z: Floats
    figures: dict[str, object] = field(default_factory=dict)


def folds(design: Design, head: str, leave_out: LeaveOut) -> list[Fold]:
    """The folds of a protocol; `design` holds all rows, attacked ones too."""
    clean = (design.attack == "") & ((design.family == "human") | (design.family == head))
    human, machine = clean & ~design.machine, clean & design.machine
    found: list[Fold] = []
    if leave_out == "source":
        for source in sorted(set(design.source[human].tolist())):
            here = clean & (design.source == source)
            if (here & human).sum() >= LEAST:
                found.append(Fold(source, here, frozenset((source,))))
    elif leave_out == "domain":
        domain = np.array([row.domain for row in design.rows], np.str_)
        for source in sorted(set(design.source[machine].tolist())):
            here = clean & (design.source == source)
            names = [
                name
                for name in sorted(set(domain[here].tolist()))
                if min((here & human & (domain == name)).sum(), (here & machine & (domain == name)).sum()) >= 2 * LEAST
            ]
            if 2 <= len(names) <= MOST_DOMAINS:
                found += [Fold(f"{source}:{name}", here & (domain == name), frozenset()) for name in names]
    else:
        for generator in sorted(set(design.generator[machine].tolist())):
            here = machine & (design.generator == generator)
            beside = human & np.isin(design.source, np.unique(design.source[here]))
            if here.sum() >= LEAST_GENERATOR and (beside & (design.part == 0)).sum() >= LEAST:
                found.append(Fold(generator, here | (beside & (design.part == 0)), frozenset()))
    return found


def training_rows(design: Design, head: str, fold: Fold, most: int = fit.CAP_MACHINE) -> tuple[Ints, Ints]:
    """Rows to fit to and calibration rows, none of a document or a source of the fold; `most` as of `clean_rows`."""
    used = np.zeros(len(design), np.bool_)
    used[clean_rows(design, head, most=most)] = True
    used &= ~fold.out & ~np.isin(design.document, np.unique(design.document[fold.out]))
    if fold.related:
        used &= ~np.isin(
            np.arange(len(design)), [i for i, row in enumerate(design.rows) if fold.related & {*row.shares}]
        )
    held = design.part == 0
    return np.flatnonzero(used & ~held), np.flatnonzero(used & held)


def run_fold(design: Design, head: str, fold: Fold, leave_out: LeaveOut, shuffled: int | None = None) -> FoldResult:
    """Fit without the fold, and score it. `shuffled` is the seed of a shuffle of the labels, for audits."""
    train, calibration = training_rows(design, head, fold)
    target = None
    if shuffled is not None:
        random = np.random.default_rng(shuffled)
        target = design.machine[train].astype(np.float64)
        random.shuffle(target)
    members = fit_members(design, train, target, design.seed)
    standard = standardise(raw_scores(design, members, calibration), design.weights(calibration))
    test = test_rows(design, head, fold)
    attacked = attacked_rows(design, fold)

    def score(chosen: Ints) -> Floats:
        return standard.z(raw_scores(design, members, chosen))

    return FoldResult(fold.name, test, score(test), calibration, score(calibration), attacked, score(attacked))


def test_rows(design: Design, head: str, fold: Fold) -> Ints:
    """Rows of the fold that are measured, a bounded number of each group and generator."""
    return clean_rows(design, head, fold.out, MEASURED_EACH)


def attacked_rows(design: Design, fold: Fold) -> Ints:
    """Attacked and edited rows of the sources that a fold leaves out, a bounded number of each attack."""
    sources = fold.related or frozenset(design.source[fold.out].tolist())
    rows = np.flatnonzero((design.attack != "") & np.isin(design.source, sorted(sources)))
    kept: list[int] = []
    seen: dict[tuple[str, str, str], int] = {}
    for i in rows.tolist():
        row = design.rows[i]
        key = (row.source, row.family, row.attack)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= ATTACKED_EACH:
            kept.append(i)
    return np.array(kept, np.int64)


def measure_fold(design: Design, result: FoldResult, leave_out: LeaveOut) -> dict[str, object]:
    """Figures of a fold: area, recall at 1 % with the fold's own and with the transferred threshold, attacks."""
    machine = design.machine[result.test]
    human_z, machine_z = result.z[~machine], result.z[machine]
    own = threshold_at(human_z, FALSE_POSITIVES)
    calibration_human = result.calibration_z[~design.machine[result.calibration]]
    moved = threshold_at(calibration_human, FALSE_POSITIVES)
    area = auc(machine, result.z)
    if leave_out == "generator":  # within each source that has humans
        area = _within_sources(design.source[result.test], machine, result.z)
    attacks = {}
    for key in sorted({(design.family[i], design.attack[i]) for i in result.attacked.tolist()}):
        chosen = (design.family[result.attacked] == key[0]) & (design.attack[result.attacked] == key[1])
        attacks[f"{key[0]}, {key[1]}"] = rate_beyond(result.attacked_z[chosen], own).plain()
    both = len(machine_z) >= LEAST and len(human_z) >= LEAST
    return {
        "fold": result.name,
        "human": len(human_z),
        "machine": len(machine_z),
        "auc": round(area, 4) if both else None,
        "auc_error": round(auc_error(area, len(machine_z), len(human_z)), 4) if both else None,
        "recall_own_threshold": rate_beyond(machine_z, own).plain() if both else None,
        "false_positives_transferred": rate_beyond(human_z, moved).plain(),
        "recall_transferred": rate_beyond(machine_z, moved).plain() if both else None,
        "human_mean": round(float(human_z.mean()), 4),
        "human_sd": round(float(human_z.std()), 4),
        "attacked": attacks,
    }


def _within_sources(source: npt.NDArray[np.str_], machine: Bools, z: Floats) -> float:
    """Mean over sources of the area among documents of the source."""
    areas = []
    for name in sorted(set(source.tolist())):
        here = source == name
        if machine[here].sum() >= 20 and (~machine[here]).sum() >= 30:
            areas.append(auc(machine[here], z[here]))
    return float(np.mean(areas)) if areas else float("nan")


def audit(design: Design, head: str, fold: Fold, leave_out: LeaveOut) -> dict[str, float | None]:
    """Areas of a forest on punctuation alone, and of the members fitted to shuffled labels. The second is chance."""
    train, _ = training_rows(design, head, fold)
    test = test_rows(design, head, fold)
    machine = design.machine[test]
    if machine.sum() < LEAST or (~machine).sum() < LEAST:
        return {"punctuation_only": None, "shuffled_labels": None}
    marks = fit_members(design, train, seed=design.seed, forest_only=design.columns(punctuation_only=True))
    shuffled = run_fold(design, head, fold, leave_out, shuffled=design.seed)
    return {
        "punctuation_only": round(auc(machine, raw_scores(design, marks, test)[:, 0]), 4),
        "shuffled_labels": round(auc(machine, shuffled.z), 4),
    }


def score_rows(design: Design, head: str, result: FoldResult) -> list[dict[str, object]]:
    """Rows of the scores file: those left out, attacked ones too."""
    words = design.features.canonical.words()
    found = []
    for i, z in zip((*result.test.tolist(), *result.attacked.tolist()), (*result.z, *result.attacked_z), strict=True):
        row = design.rows[i]
        found.append(
            {
                "head": head,
                "fold": result.name,
                "id": row.id,
                "source": row.source,
                "domain": row.domain,
                "label": {"human": "human", "edited": "human_edited_by_machine"}.get(row.family, "ai"),
                "generator": row.generator,
                "attack": row.attack or None,
                "language": row.language,
                "words": int(words[i]),
                "z": round(float(z), 5),
            }
        )
    return found


__all__ = ["Fold", "FoldResult", "LeaveOut", "Standard", "audit", "folds", "measure_fold", "run_fold", "score_rows"]
