"""Fits a head to a corpus and writes its model file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detectors.text_model.model import Member, TextModel, model_bytes, model_of
from detectors.text_model.stylometry import feature_names
from pipeline.text_training import fit
from pipeline.text_training.design import Design, Standard, clean_rows, fit_members, raw_scores, standardise
from pipeline.text_training.protocol import LEAST
from pipeline.text_training.taught import Lessons, agreement


@dataclass(frozen=True, slots=True)
class Trained:
    """A head: the bytes of its file, the model as it reads, and how it follows its teacher (None without one)."""

    raw: bytes
    model: TextModel
    distillation: dict[str, Any] | None


def train_head(
    design: Design,
    head: str,
    language: str,
    *,
    trees: int = fit.TREES,
    lessons: Lessons | None = None,
    licences: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Fit a head to all its clean rows.

    Members are fitted to three quarters of the documents and standardised on the fourth; those that ship are fitted to
    all of them, with the same standard.

    Raises:
        TrainingError: one class has too few documents.
    """
    fit.lightgbm()
    rows = clean_rows(design, head)
    machine = design.machine[rows]
    if min(machine.sum(), (~machine).sum()) < LEAST:
        raise fit.TrainingError(
            f"{int((~machine).sum())} human documents and {int(machine.sum())} of the family {head}: "
            f"at least {LEAST} of each are needed"
        )
    held = design.part[rows] == 0
    target, opinion = lessons.targets(design, rows) if lessons else (machine.astype(np.float64), None)

    def fitted(part: Any, wanted: Any) -> list[Member]:
        return fit_members(design, rows[part], wanted[part], seed=design.seed, trees=trees)

    def measured(members: Sequence[Member]) -> tuple[Standard, Any]:
        raw = raw_scores(design, members, rows[held])
        standard = standardise(raw, design.weights(rows[held]))
        return standard, standard.z(raw)

    say(f"{head}: {(~held).sum()} documents to fit to, {held.sum()} to standardise on")
    standard, z = measured(fitted(~held, target))
    distillation = None
    if opinion is not None:
        _, alone = measured(fitted(~held, machine.astype(np.float64)))
        distillation = {"with": agreement(z, opinion[held]), "without": agreement(alone, opinion[held])}
        say(f"{head}: follows its teacher {distillation['with']}; without lessons {distillation['without']}")
    say(f"{head}: the model that ships, on all {len(rows)} documents")
    members = [
        replace(member, mean=float(mean), sd=float(sd))
        for member, mean, sd in zip(fitted(rows >= 0, target), standard.mean, standard.sd, strict=True)
    ]
    meta: dict[str, Any] = {
        "style_names": len(feature_names(design.lexicon)),
        "lexicon_digest": design.lexicon.digest,
        "trained_on": describe(design, rows, licences or {}),
        "parameters": {"trees": trees, **fit.FOREST_PARAMETERS, "inverse_penalty": fit.INVERSE_PENALTY},
        "seed": design.seed,
    }
    raw = model_bytes(head, language, members, standard.together, meta)
    return Trained(raw, model_of(raw), distillation)


def describe(
    design: Design, rows: np.ndarray[Any, np.dtype[np.int64]], licences: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """Documents by source, with licence (that of the rows, else of `licences`) and generators."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for i in rows.tolist():
        row = design.rows[i]
        licence = row.licence or licences.get(row.source, "")
        counts.setdefault((row.source, licence), Counter())[row.generator if row.machine else "human"] += 1
    return [
        {
            "source": source,
            "licence": licence,
            "human": count["human"],
            "machine": sum(count.values()) - count["human"],
            "generators": sorted(set(count) - {"human"}),
        }
        for (source, licence), count in sorted(counts.items())
    ]
