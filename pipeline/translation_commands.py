"""What `headwater detectors train` and `evaluate` do for the heads `translated` and `machine`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from pipeline.progress import Reporter

TRANSLATION_HEADS: Final = ("translated", "machine")
TRANSLATION_LEFT_OUT: Final = ("document", "system", "year")


def train_translation(
    options: dict[str, Any], output: Path, card: Path | None, also: Sequence[Path], least_auc: float, figures: bool
) -> None:
    """Fit a translation head for the languages asked for, and write models and card."""
    from pipeline.text_training import translation_run

    _refuse(options)
    if least_auc and not also:
        raise click.UsageError("--least-auc asks for an area on other sources: name them with --also")
    reporter = Reporter(options["quiet"])
    languages = translation_run.languages_of(options["language"])
    target = translation_run.train(
        options["inputs"], options["head"], languages, output,
        card=card, also=also, least_auc=least_auc, figures=figures, say=reporter.say,
    )  # fmt: skip
    reporter.say(f"{target}: written")


def evaluate_translation(
    options: dict[str, Any], leave_out: Any, audits: bool, model: Path | None, scores: Path | None, as_json: bool
) -> None:
    """Measure a translation head: with documents, systems or years left out, or models of a file as they are."""
    from detectors.machine_translation.model_file import read_models
    from pipeline.text_training import translation_run

    _refuse(options)
    if leave_out not in (None, *TRANSLATION_LEFT_OUT):
        raise click.UsageError(f"--leave-out {leave_out} is for the heads chat and raw; here: document, system or year")
    head, languages = options["head"], translation_run.languages_of(options["language"])
    say = Reporter(options["quiet"]).say if as_json else click.echo
    report: Any
    if model:
        models = dict(read_models(model).models)
        found = translation_run.evaluate_models(options["inputs"], head, models, languages, scores)
        report = {"head": head, "model": str(model), "parts": found}
        for row in found:
            say(" ".join(f"{key} {value}" for key, value in row.items()))
    else:
        report = translation_run.evaluate(
            options["inputs"], head, leave_out or "document", languages, controls=audits, scores=scores, say=say
        )
        say(f"mean AUC {report['mean_auc']}, least {report['least_auc']}")
    if as_json:
        click.echo(json.dumps(report, indent=1))


def _refuse(options: dict[str, Any]) -> None:
    """Options that the translation heads do not have."""
    for name, given in (("--teacher", options["teacher"]), ("--family", options["families"])):
        if given:
            raise click.UsageError(f"{name} is for the heads chat and raw")
