"""Runs a protocol over its folds and gathers the report; the resistance of one fit to cheap attacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.text_model.canonical import canonicalise
from detectors.text_model.model import MIN_WORDS, TextFeatures, TextModel
from pipeline.text_training.attacks import ATTACKS, attacked
from pipeline.text_training.corpus import CorpusError
from pipeline.text_training.design import Design, clean_rows, fit_members, raw_scores, standardise
from pipeline.text_training.measures import auc, rate_beyond, threshold_at
from pipeline.text_training.protocol import (
    LEAST,
    MEASURED_EACH,
    LeaveOut,
    audit,
    folds,
    measure_fold,
    run_fold,
    score_rows,
    training_rows,
)  # fmt: skip
from pipeline.text_training.taught import Lessons

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Say = Callable[[str], None]

MOST_ATTACKED: Final = 500  # documents of each class that every cheap attack is tried on


@dataclass(slots=True)
class Evaluation:
    """Figures by fold, and rows for a scores file."""

    report: dict[str, Any]
    scores: list[dict[str, object]] = field(default_factory=list)


def evaluate_head(
    design: Design,
    head: str,
    leave_out: LeaveOut,
    *,
    only: Sequence[str] = (),
    audits: bool = False,
    lessons: Lessons | None = None,
    say: Say = lambda _: None,
) -> Evaluation:
    """Every fold of a protocol, or those named by `only`."""
    chosen = [fold for fold in folds(design, head, leave_out) if not only or fold.name in only]
    if not chosen:
        there = ", ".join(fold.name for fold in folds(design, head, leave_out)) or "none"
        raise CorpusError(f"nothing to leave out by {leave_out}: the folds of these texts are {there}")
    sources = sorted(set(design.source[(design.family == "human") | (design.family == head)].tolist()))
    found = Evaluation({"head": head, "leave_out": leave_out, "sources": sources, "folds": []})
    for number, fold in enumerate(chosen, 1):
        result = run_fold(design, head, fold, leave_out)
        figures = measure_fold(design, result, leave_out)
        if audits:
            figures["audits"] = audit(design, head, fold, leave_out)
        if lessons is not None:
            train, calibration = training_rows(design, head, fold, MEASURED_EACH)  # a sample is small: no cap
            figures["teacher"] = lessons.fold(design, head, np.union1d(train, calibration), result.test, result.z)
        found.report["folds"].append(figures)
        found.scores += score_rows(design, head, result)
        say(f"{number} of {len(chosen)}  {line(figures)}")
    areas = [figures["auc"] for figures in found.report["folds"] if figures["auc"] is not None]
    found.report["mean_auc"] = round(float(np.mean(areas)), 4) if areas else None
    found.report["least_auc"] = min(areas, default=None)
    return found


def line(figures: dict[str, Any]) -> str:
    """One line about a fold, for people."""

    def share(name: str) -> str:
        rate = figures[name]
        return f"{rate['share']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]" if rate else "-"

    area = "-" if figures["auc"] is None else f"{figures['auc']:.3f} ± {figures['auc_error']:.3f}"
    text = (
        f"{figures['fold']}: {figures['human']} human, {figures['machine']} machine, AUC {area}, recall at 1 % "
        f"{share('recall_own_threshold')}; threshold of the others: false positives "
        f"{share('false_positives_transferred')}, recall {share('recall_transferred')}"
    )
    if figures.get("audits"):
        text += f"; punctuation only {figures['audits']['punctuation_only']}"
        text += f", shuffled labels {figures['audits']['shuffled_labels']}"
    if figures.get("teacher"):
        told = figures["teacher"]
        text += f"; teacher's sample ({told['human']} + {told['machine']}): student {told['auc_student']}, "
        text += f"teacher {told['auc_teacher']}, both {told['auc_both']}"
    for name, rate in figures["attacked"].items():
        text += f"\n    {name}: flagged {rate['share']:.3f} of {rate['n']}"
    return text


def evaluate_model(design: Design, head: str, model: TextModel) -> dict[str, Any]:
    """Figures of a finished model by source. Honest on sources that it was not trained on only: they are marked."""
    trained = {entry["source"] for entry in model.meta.get("trained_on", [])}
    rows = clean_rows(design, head)
    z = model.score(design.take(rows).features)
    sources = []
    for source in sorted(set(design.source[rows].tolist())):
        here = design.source[rows] == source
        machine = design.machine[rows][here]
        human_z, machine_z = z[here][~machine], z[here][machine]
        both = min(len(human_z), len(machine_z)) >= LEAST
        sources.append(
            {
                "source": source,
                "trained_on": source in trained,
                "human": len(human_z),
                "machine": len(machine_z),
                "auc": round(auc(machine, z[here]), 4) if both else None,
                "recall": rate_beyond(machine_z, threshold_at(human_z, 0.01)).plain() if both else None,
                "human_mean": round(float(human_z.mean()), 4) if len(human_z) else None,
                "human_sd": round(float(human_z.std()), 4) if len(human_z) else None,
                "machine_mean": round(float(machine_z.mean()), 4) if len(machine_z) else None,
            }
        )
    return {"head": head, "digest": model.digest, "sources": sources}


def resist_attacks(design: Design, head: str, say: Say = lambda _: None) -> list[dict[str, Any]]:
    """Share of machine and human text beyond the 1 % threshold under each cheap attack, sources known.

    Fitted to three quarters of the documents, measured on the fourth; the threshold is that of its clean human text.
    """
    rows = clean_rows(design, head)
    held = design.part[rows] == 0
    members = fit_members(design, rows[~held], seed=design.seed)
    standard = standardise(raw_scores(design, members, rows[held]), design.weights(rows[held]))
    standing = tuple(
        replace(member, mean=float(mean), sd=float(sd))
        for member, mean, sd in zip(members, standard.mean, standard.sd, strict=True)
    )
    model = TextModel(head, "", standing, standard.together, {}, design.lexicon, "")
    threshold = threshold_at(standard.z(raw_scores(design, members, rows[held & ~design.machine[rows]])), 0.01)
    machine = _some(rows[held & design.machine[rows]])
    human = _some(rows[held & ~design.machine[rows]])
    found = []
    for name in ATTACKS:
        shares = {}
        for side, chosen in (("recall", machine), ("false_positives", human)):
            z = _score_texts(design, model, [attacked(design.rows[i].text, name) for i in chosen.tolist()])
            shares[side] = rate_beyond(z, threshold).plain()
        found.append({"attack": name, **shares})
        say(f"{name}: recall {shares['recall']['share']}, false positives {shares['false_positives']['share']}")
    return found


def _some(rows: Ints) -> Ints:
    return rows[:: max(1, len(rows) // MOST_ATTACKED)][:MOST_ATTACKED]


def _score_texts(design: Design, model: TextModel, texts: list[str]) -> Floats:
    """z of texts; one that is too short after the attack counts as not flagged."""
    canonical = canonicalise(texts)
    z = model.score(TextFeatures(canonical, design.lexicon))
    z[canonical.words() < MIN_WORDS // 2] = -np.inf
    return z
