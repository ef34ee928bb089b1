"""Training and evaluation of the translation heads: all languages of a corpus, one file of models, one card."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from detectors.machine_translation.model_file import file_bytes, models_of, read_models
from detectors.text_model.model import TextFeatures, TextModel, model_of
from pipeline.text_training.fit import TrainingError
from pipeline.text_training.translation_card import card_lines
from pipeline.text_training.translation_corpus import TranslationDesign, make_design, read_translations
from pipeline.text_training.translation_fit import LEAST, describe, train_language
from pipeline.text_training.translation_protocol import LeaveOut, evaluate_language, measure, score_rows

Say = Callable[[str], None]
ALL: Final = "all"


def languages_of(given: str) -> frozenset[str] | None:
    """Languages of an option: ISO 639-3 codes with commas; `all` gives None."""
    return None if given == ALL else frozenset(part.strip() for part in given.split(",") if part.strip())


def designs(paths: Iterable[Path], languages: frozenset[str] | None, head: str) -> Iterator[TranslationDesign]:
    """Designs of the languages that hold both sides of the head, one at a time.

    Raises:
        TrainingError: no language does.
    """
    by_language = read_translations(paths, languages)
    found = False
    for language in sorted(by_language):
        design = make_design(language, by_language.pop(language))
        if design is None:
            continue
        rows = design.used(head)
        machine = design.is_machine(head)[rows]
        if min(machine.sum(), (~machine).sum()) >= LEAST:
            found = True
            yield design.take(rows)
    if not found:
        raise TrainingError(f"no language has {LEAST} documents of each class of the head {head}")


def evaluate(
    paths: Sequence[Path],
    head: str,
    leave_out: LeaveOut,
    languages: frozenset[str] | None,
    *,
    controls: bool = False,
    scores: Path | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Figures by language of one protocol; `scores` receives the rows of a scores file."""
    report: dict[str, Any] = {"head": head, "leave_out": leave_out, "languages": []}
    lines: list[str] = []
    for design in designs(paths, languages, head):
        result = evaluate_language(design, head, leave_out, controls)
        if not result.figures["folds"]:
            say(f"{design.language}: no fold has both sides; left out")
            continue
        report["languages"].append(result.figures)
        lines += [json.dumps(row, ensure_ascii=False) + "\n" for row in result.scores]
        say(summary(result.figures))
    areas = [entry["mean_auc"] for entry in report["languages"]]
    report["mean_auc"] = round(float(np.mean(areas)), 4) if areas else None
    report["least_auc"] = min(areas) if areas else None
    if scores:
        _write_lines(scores, lines)
    return report


def summary(figures: dict[str, Any]) -> str:
    """One line for a language."""
    folds = figures["folds"]
    parts = [figures["language"], f"{sum(f['negative'] for f in folds)}/{sum(f['positive'] for f in folds)} documents"]
    parts += [f"{key.removeprefix('mean_')} {value}" for key, value in figures.items() if key.startswith("mean_")]
    parts.append("folds " + " ".join(f"{fold['fold']}={fold['auc']}" for fold in folds))
    if hosts := figures.get("hosts"):
        told = (f"{host['pages']}: {host['auc']} ({host['recall_at_1']['share']})" for host in hosts)
        parts.append("hosts " + ", ".join(told))
    return "; ".join(parts)


def evaluate_models(
    paths: Sequence[Path],
    head: str,
    models: dict[tuple[str, str], TextModel],
    languages: frozenset[str] | None,
    scores: Path | None = None,
) -> list[dict[str, Any]]:
    """Figures of given models on labelled text, by language, and by year or part of the corpus."""
    lines: list[str] = []
    wanted = frozenset(language for found, language in models if found == head)
    wanted = wanted if languages is None else wanted & languages
    report = []
    for language, rows in sorted(read_translations(paths, wanted).items()):
        design = make_design(language, rows)
        if design is None:
            continue
        used = design.used(head)
        model = models[head, language]
        z = model.score(TextFeatures(design.features.canonical.take(used), model.lexicon))
        sides = design.is_machine(head)[used]
        parts = design.part[used]
        rows_of_file = score_rows(design, head, f"{language}:model", "test", used, z)
        lines += [json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of_file]
        for name in (ALL, *sorted(set(parts.tolist()))):
            here = np.ones(len(used), np.bool_) if name == ALL else parts == name
            if min(sides[here].sum(), (~sides[here]).sum()) >= LEAST:
                report.append({"language": language, "part": name, **measure(design, head, used[here], z[here])})
    if scores:
        _write_lines(scores, lines)
    return report


def _write_lines(target: Path, lines: Sequence[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(lines), encoding="utf-8")


def train(
    paths: Sequence[Path],
    head: str,
    languages: frozenset[str] | None,
    output: Path,
    *,
    card: Path | None = None,
    also: Sequence[Path] = (),
    least_auc: float = 0.0,
    figures: bool = True,
    say: Say = lambda _: None,
) -> Path:
    """Fit a head for every language; models of other heads and languages that `output` holds already stay.

    `also` is labelled text of other sources: with `least_auc`, a language is kept only if its area there is as large.
    Returns the card's path.

    Raises:
        TrainingError: no language has enough documents, or none is kept.
        ModelError: `output` exists and is no file of translation models.
    """
    fitted: dict[tuple[str, str], bytes] = {}
    measured: dict[str, Any] = {}
    refused: list[dict[str, Any]] = []
    for design in designs(paths, languages, head):
        raw = train_language(design, head)
        language = design.language
        beyond = evaluate_models(also, head, {(head, language): model_of(raw)}, None) if also else []
        area = next((entry["auc"] for entry in beyond if entry["part"] == ALL), None)
        say(f"{language}, {head}: {len(raw):,} bytes; area on other sources {area}")
        if least_auc and (area is None or area < least_auc):
            refused.append({"language": language, "auc": area, "trained_on": describe(design, design.used(head))})
            continue
        fitted[head, language] = raw
        inside = evaluate_language(design, head, "document", controls=True).figures if figures else None
        measured[language] = {"inside": inside, "beyond": beyond}
    if not fitted:
        raise TrainingError(f"no language reaches an area of {least_auc} on other sources; nothing is written")
    kept = dict(read_models(output).raw) if output.exists() else {}
    whole = file_bytes({**{key: raw for key, raw in kept.items() if key[0] != head or languages is not None}, **fitted})
    models = models_of(whole, str(output))
    output.parent.mkdir(parents=True, exist_ok=True)
    writing = output.with_name(f".{output.name}.writing")
    writing.write_bytes(whole)
    writing.replace(output)
    say(f"{output}: {len(whole):,} bytes, sha256 {models.digest}")
    target = card or output.with_name(f"MODEL_CARD.{head}.md")
    lines = card_lines(output.name, head, models, measured, refused, least_auc)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target
