"""`headwater detectors`: list them, train and measure the text models behind some of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.progress import Reporter
from pipeline.translation_commands import (
    TRANSLATION_HEADS,
    TRANSLATION_LEFT_OUT,
    evaluate_translation,
    train_translation,
)
from schemas.config import load_config

F = Callable[..., Any]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def detectors() -> None:
    """Detectors: what they read and return, and the text models behind some of them."""


@detectors.command("list")
@click.option("--config", "config_path", type=click.Path(dir_okay=False), help="Configuration, YAML.")
def detectors_list(config_path: str | None) -> None:
    """Name, version, fingerprint, columns read and columns returned of every detector."""
    from detectors.api import fingerprint
    from pipeline.job import prepare_annotator

    for detector in prepare_annotator(load_config(config_path)).detectors:
        reads, returns = ", ".join(sorted(detector.columns)), ", ".join(detector.outputs) or "evidence only"
        click.echo(f"{detector.name}/{detector.version}  {fingerprint(detector)}\n  reads {reads}\n  returns {returns}")


def _corpus_options(command: F) -> F:
    for option in (
        click.option("--quiet", is_flag=True, help="No messages but errors."),
        click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of sampling and trees."),
        click.option(
            "--teacher", type=_FILE, help="Statistics of a language model for a sample of the rows, Parquet."
        ),
        click.option(
            "--family", "families", multiple=True, metavar="GENERATOR=chat|raw",
            help="What kind of model a generator is, where its name does not say it.",
        ),
        click.option(
            "--language", default="eng", show_default=True,
            help="Language of the head, ISO 639-3; of translation heads also several, with commas, or all.",
        ),
        click.option(
            "--head", type=click.Choice(["chat", "raw", *TRANSLATION_HEADS]), default="chat", show_default=True,
            help="Text of chat models, of raw language models; translated text, machine-translated of translated text.",
        ),
        click.argument("inputs", nargs=-1, required=True, type=_FILE, metavar="LABELLED..."),
    ):  # fmt: skip
        command = option(command)
    return command


def _overrides(families: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for given in families:
        generator, _, family = given.rpartition("=")
        if not generator or family not in ("chat", "raw"):
            raise click.BadParameter(f"{given!r} is not GENERATOR=chat or GENERATOR=raw", param_hint="--family")
        found[generator] = family
    return found


def _named(given: str) -> tuple[str, str]:
    source, _, licence = given.partition("=")
    if not source or not licence:
        raise click.BadParameter(f"{given!r} is not SOURCE=LICENCE", param_hint="--licence")
    return source, licence


def _design(options: dict[str, Any], reporter: Reporter) -> Any:
    from pipeline.text_training import fit
    from pipeline.text_training.design import read_design

    fit.lightgbm()
    overrides = _overrides(options["families"])
    design = read_design(options["inputs"], options["language"], overrides, seed=options["seed"])
    reporter.say(f"{len(design)} documents of {len(set(design.document.tolist()))} originals in {options['language']}")
    return design


def _guarded(work: Callable[[], None]) -> None:
    """Errors that a user can mend, as messages."""
    from detectors.features.forest import ModelError
    from pipeline.read.storage import InputError
    from pipeline.text_training.corpus import CorpusError
    from pipeline.text_training.fit import TrainingError

    try:
        work()
    except (CorpusError, InputError, ModelError, TrainingError) as error:
        raise click.UsageError(str(error)) from None


@detectors.command()
@_corpus_options
@click.option("--output", required=True, type=_OUTPUT, help="Model file, .npz.")
@click.option("--card", type=_OUTPUT, help="Model card, Markdown (default: MODEL_CARD.HEAD.md beside the model).")
@click.option(
    "--licence",
    "licences",
    multiple=True,
    metavar="SOURCE=LICENCE",
    help="Licence of a source whose rows do not say it; the card lists them.",
)
@click.option("--no-figures", is_flag=True, help="Leave out the folds by source whose figures stand in the card.")
@click.option(
    "--figures",
    "reports",
    multiple=True,
    type=_FILE,
    help="Figures for the card, as `evaluate --json` printed them, instead of measuring by source again.",
)
@click.option(
    "--also", multiple=True, type=_FILE, help="Labelled text that only measures: sources to report, never to fit to."
)
@click.option(
    "--least-auc", type=click.FloatRange(0, 1), default=0.0,
    help="Of translation heads: leave out languages whose area on the sources of --also is smaller.",
)  # fmt: skip
def train(
    output: Path, card: Path | None, no_figures: bool, reports: tuple[Path, ...], licences: tuple[str, ...],
    also: tuple[Path, ...], least_auc: float, **options: Any,
) -> None:  # fmt: skip
    """Fit a head to LABELLED (JSON lines, also .xz), and write its model and its card.

    Each row has `id`, `text`, `label` (human, ai, human_edited_by_machine), `generator`, `lang`, `domain`, `source`,
    and optionally `attack`, `prompt_type`, `pair_id`, `licence`, `shares_with`. Attacked rows are never fitted to. With
    --teacher, the student learns the mean of label and teacher on the rows of its sample.

    For the heads translated and machine, `label` is human_original, human_translation, mt or mt_postedited, rows have
    `doc_id`, `system` and `orig_lang`, and OUTPUT holds all languages; those that it holds already stay.
    """

    def work() -> None:
        if options["head"] in TRANSLATION_HEADS:
            return train_translation(options, output, card, also, least_auc, not no_figures)
        from pipeline.text_training.card import write_card
        from pipeline.text_training.evaluate import evaluate_head, evaluate_model
        from pipeline.text_training.taught import read_lessons
        from pipeline.text_training.train import train_head

        reporter = Reporter(options["quiet"])
        output.parent.mkdir(parents=True, exist_ok=True)
        design, head = _design(options, reporter), options["head"]
        lessons = read_lessons(options["teacher"], design) if options["teacher"] else None
        named = dict(_named(given) for given in licences)
        trained = train_head(design, head, options["language"], lessons=lessons, licences=named, say=reporter.say)
        writing = output.with_name(f".{output.name}.writing")
        writing.write_bytes(trained.raw)
        writing.replace(output)
        reporter.say(f"{output}: {len(trained.raw):,} bytes, sha256 {trained.model.digest}")
        figures = [json.loads(path.read_text(encoding="utf-8")) for path in reports]
        if not no_figures and not figures:
            figures = [evaluate_head(design, head, "source", audits=True, lessons=lessons, say=reporter.say).report]
        beyond = None
        if also:
            beyond = evaluate_model(_design({**options, "inputs": also}, reporter), head, trained.model)
        target = card or output.with_name(f"MODEL_CARD.{output.stem}.md")
        write_card(target, output.name, trained, figures, beyond)
        reporter.say(f"{target}: written")

    _guarded(work)


@detectors.command()
@_corpus_options
@click.option(
    "--leave-out", type=click.Choice(["source", "domain", "generator", *TRANSLATION_LEFT_OUT]),
    help="What no model sees of the documents that it is measured on (default: source; of translations document).",
)  # fmt: skip
@click.option("--fold", "only", multiple=True, help="Only this source, source:domain or generator.")
@click.option("--audits", is_flag=True, help="Also measure punctuation alone, and shuffled labels.")
@click.option("--attacks", is_flag=True, help="Measure resistance to cheap attacks instead.")
@click.option("--model", type=_FILE, help="Measure this model by source instead of training.")
@click.option("--scores", type=_OUTPUT, help="Write z of every document left out, JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Figures as JSON on standard output.")
def evaluate(
    leave_out: Any, only: tuple[str, ...], audits: bool, attacks: bool, model: Path | None, scores: Path | None,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Measure a head on LABELLED with sources, domains or generators left out, one at a time.

    For every fold: the area under the ROC curve, recall at 1 % false positives with the threshold of the fold's own
    human text and with that of the others (Wilson intervals), and the flagged share of attacked rows by attack.
    """

    def work() -> None:
        if options["head"] in TRANSLATION_HEADS:
            return evaluate_translation(options, leave_out, audits, model, scores, as_json)
        from detectors.text_model.model import load_model
        from pipeline.text_training import evaluate as evaluation
        from pipeline.text_training.taught import read_lessons

        reporter = Reporter(options["quiet"])
        design, head = _design(options, reporter), options["head"]
        say = reporter.say if as_json else click.echo
        report: Any
        if model:
            report = evaluation.evaluate_model(design, head, load_model(model))
            for row in report["sources"]:
                say(" ".join(f"{key} {value}" for key, value in row.items()))
        elif attacks:
            report = {"head": head, "attacks": evaluation.resist_attacks(design, head, say)}
        else:
            lessons = read_lessons(options["teacher"], design) if options["teacher"] else None
            found = evaluation.evaluate_head(
                design, head, leave_out or "source", only=only, audits=audits, lessons=lessons, say=say
            )
            report = found.report
            say(f"mean AUC {report['mean_auc']}, least {report['least_auc']}")
            if scores:
                scores.parent.mkdir(parents=True, exist_ok=True)
                rows = (json.dumps(row, ensure_ascii=False) + "\n" for row in found.scores)
                scores.write_text("".join(rows), encoding="utf-8")
        if as_json:
            click.echo(json.dumps(report, indent=1))

    _guarded(work)
