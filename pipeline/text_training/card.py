"""The model card of a head: what it was made from, how good it is, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from detectors.text_model.canonical import WORDS
from detectors.text_model.model import MIN_WORDS
from pipeline.text_training.train import Trained

_WHAT: Final = {
    "chat": "text of chat models (instruction-tuned language models) from human text",
    "raw": "text of raw language models (without instruction tuning) from human text",
}
_LIMITS: Final = """\
- **A score is no verdict.** Where human text stands on the scale differs from source to source by more than the
  thresholds allow (column "false positives"): a page needs controls of its own kind, or no answer.
- **Sources, not the web.** The human side is a few collections of essays, encyclopaedia paragraphs, reviews, posts and
  the like; the machine side answers prompts of researchers. Web pages of other kinds were not measured.
- **Generators go out of date.** Models that came after those listed may write otherwise.
- **Edited text** is neither class: machine text that a person reworked, and human text that a model polished, fall
  anywhere.
- **Paraphrasing and back-translation** lower the score; cheap changes of characters and spacing do not, as the text is
  made canonical first.
- **Writers in a second language, formulaic and legal text** may score higher than other human text.
- Licences are those that the publishers state for the data; the model holds numbers, word lists and no text."""


def write_card(
    path: Path,
    model_name: str,
    trained: Trained,
    figures: Sequence[Mapping[str, Any]] = (),
    beyond: Mapping[str, Any] | None = None,
) -> None:
    """Write the card of a model. `figures` are reports of folds, `beyond` one on sources that it was not trained on."""
    path.write_text("\n".join(_card(model_name, trained, figures, beyond)) + "\n", encoding="utf-8")


def _card(
    name: str, trained: Trained, figures: Sequence[Mapping[str, Any]], beyond: Mapping[str, Any] | None
) -> list[str]:
    model = trained.model
    meta = model.meta
    parameters = meta["parameters"]
    human = sum(entry["human"] for entry in meta["trained_on"])
    machine = sum(entry["machine"] for entry in meta["trained_on"])
    lines = [
        f"# Model card: the {model.head} head, {model.language}",
        "",
        f"`{name}`, sha256 {model.digest}, {len(trained.raw) / 1e3:.0f} kB.",
        "",
        "## What it is",
        "",
        f"Tells {_WHAT[model.head]}, in {model.language}, from the first {WORDS} words of a text with at least",
        f"{MIN_WORDS}. Three members, each standardised, averaged; z is in standard deviations of text that was",
        "held out, half of it human:",
        "",
        f"- gradient-boosted trees ({parameters['trees']}) over {meta['style_names']} numbers of stylometry,",
        "- logistic regression over hashed n-grams of distorted text (frequent words, suffixes, punctuation),",
        "- logistic regression over hashed n-grams of characters and words.",
        "",
        "## What it was made from",
        "",
        f"{human:,} human and {machine:,} machine documents, canonical, none attacked or edited; at most a fixed",
        "number of a source and generator. Sources:",
        "",
        "| source | licence | human | machine | generators |",
        "| --- | --- | --- | --- | --- |",
    ]
    for entry in meta["trained_on"]:
        generators = entry["generators"]
        listed = ", ".join(generators[:8]) + (f" and {len(generators) - 8} more" if len(generators) > 8 else "")
        licence = entry["licence"] or "-"
        lines.append(f"| {entry['source']} | {licence} | {entry['human']:,} | {entry['machine']:,} | {listed or '-'} |")
    if trained.distillation:
        lines += ["", "## Its teacher", "", *_taught(trained.distillation)]
    known = {entry["source"] for entry in meta["trained_on"]}
    for report in figures:
        lines += ["", f"## How good the design is: one {report['leave_out']} left out", "", *_figures(report, known)]
    if beyond:
        lines += ["", "## How good it is: sources that it never saw", "", *_beyond(beyond)]
    return [*lines, "", "## Where it fails", "", _LIMITS]


def _taught(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "It learned the mean of the label and of a teacher's opinion (statistics of a causal language model) on a",
        "sample. On held-out documents of the sample:",
        "",
        "| | documents | rank correlation | same side | cross-entropy |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in ("with", "without"):
        row = found[name]
        values = " | ".join(str(row.get(key, "-")) for key in ("rank_correlation", "same_side", "cross_entropy"))
        lines.append(f"| {name} lessons | {row['documents']} | {values} |")
    return lines


def _share(rate: Mapping[str, Any] | None) -> str:
    return f"{rate['share']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]" if rate else "-"


def _figures(report: Mapping[str, Any], known: set[str]) -> list[str]:
    what = report["leave_out"]
    others = sorted(set(report["sources"]) - known)
    lines = [
        f"Each row is measured by a model of the same design that has seen no document of the {what}, nor one that",
        "shares documents or prompts with it. Recall is at 1 % false positives on the fold's own human text; false",
        "positives are those of the 1 % threshold of the other sources. Wilson intervals, 95 %.",
    ]
    if others:
        lines.append(f"These folds also learned from sources that the model itself leaves out: {', '.join(others)}.")
    lines += [
        "",
        f"| {what} | human | machine | AUC | recall | false positives | punctuation only | shuffled labels |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["folds"]:
        area = "-" if row["auc"] is None else f"{row['auc']:.3f} ± {row['auc_error']:.3f}"
        audits = row.get("audits") or {}
        lines.append(
            f"| {row['fold']} | {row['human']} | {row['machine']} | {area} | {_share(row['recall_own_threshold'])} | "
            f"{_share(row['false_positives_transferred'])} | {audits.get('punctuation_only') or '-'} | "
            f"{audits.get('shuffled_labels') or '-'} |"
        )
    lines += ["", f"Mean AUC {report['mean_auc']}, least {report['least_auc']}."]
    attacked = [(row["fold"], name, rate) for row in report["folds"] for name, rate in row["attacked"].items()]
    if attacked:
        lines += [
            "",
            "Attacked and edited text, flagged at the fold's own threshold:",
            "",
            f"| {what} | kind, attack | flagged |",
            "| --- | --- | --- |",
            *(f"| {source} | {name} | {_share(rate)} |" for source, name, rate in attacked),
        ]
    return lines


def _beyond(report: Mapping[str, Any]) -> list[str]:
    lines = [
        "The model as it ships, on labelled text that no part of it was fitted to.",
        "",
        "| source | human | machine | AUC | recall at 1 % of its own human text |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in report["sources"]:
        if not row["trained_on"]:
            area = "-" if row["auc"] is None else f"{row['auc']:.3f}"
            lines.append(f"| {row['source']} | {row['human']} | {row['machine']} | {area} | {_share(row['recall'])} |")
    return lines
