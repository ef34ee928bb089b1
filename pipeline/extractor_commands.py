"""`headwater extractor`: train the block extractor's model, and measure it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.progress import Reporter

F = Callable[..., Any]


@click.group()
def extractor() -> None:
    """The model that tells main text from the rest of a page: train it, measure it."""


def _truth_options(command: F) -> F:
    for option in (
        click.option("--quiet", is_flag=True, help="No messages but errors."),
        click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the training."),
        click.option("--trees", type=click.IntRange(1, 2000), help="Trees of the forest (default: 250)."),
        click.option(
            "--silver-per-domain", type=click.IntRange(1), default=20, show_default=True,
            help="Most pages of one registered domain that get silver labels.",
        ),
        click.option(
            "--silver-weight", type=click.FloatRange(0, min_open=True), default=0.5, show_default=True,
            help="Weight of a page with silver labels; one with human truth has 1.",
        ),
        click.option(
            "--teacher", "teachers", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="JSON lines with `record_id` and `text` from another extractor: silver labels.",
        ),
        click.option(
            "--silver", multiple=True, metavar="EXTRACTOR",
            help="Extractor that is run for silver labels of pages without truth (resiliparse, trafilatura).",
        ),
        click.option("--benchmark", help="Learn from rows of the truth with this `benchmark` only."),
        click.option(
            "--truth", "truths", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="JSON lines: `record_id`, `benchmark`, `text`, `page_type`, or `must_contain` and `must_not_contain`.",
        ),
        click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
    ):  # fmt: skip
        command = option(command)
    return command


def _examples(options: dict[str, Any], reporter: Reporter) -> tuple[Any, list[Any], list[Any]]:
    from pipeline.extract.blocks import corpus
    from pipeline.extract.extractors import EXTRACTORS, make_extractor
    from schemas.config import ExtractConfig

    for name in options["silver"]:
        if name not in EXTRACTORS or name == "blocks":
            others = ", ".join(sorted(set(EXTRACTORS) - {"blocks"}))
            raise click.BadParameter(f"{name!r} can be no teacher; choose from {others}", param_hint="--silver")
    if not (options["truths"] or options["silver"] or options["teachers"]):
        raise click.UsageError("there is nothing to learn from: give --truth, --silver or --teacher")
    teachers = [make_extractor(ExtractConfig(extractor=name)) for name in options["silver"]]
    for teacher in teachers:
        try:
            teacher.setup()
        except RuntimeError as error:  # its library is not installed
            raise click.UsageError(str(error)) from None
    truth = corpus.read_truth(options["truths"])
    human, silver = corpus.gather(
        options["inputs"],
        truth,
        benchmark=options["benchmark"],
        teachers=teachers,
        written=[corpus.read_teacher(path) for path in options["teachers"]],
        silver_per_domain=options["silver_per_domain"],
        silver_weight=options["silver_weight"],
        say=reporter.say,
    )
    return truth, human, silver


def _guarded(work: Callable[[], None]) -> None:
    """Errors that a user can mend, as messages."""
    from pipeline.extract.blocks.forest import ModelError
    from pipeline.extract.blocks.train import TrainingError

    try:
        work()
    except (TrainingError, ModelError) as error:
        raise click.UsageError(str(error)) from None


@extractor.command()
@_truth_options
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Model file, .npz.")
@click.option("--attribution", default="", help="Where the labels come from and their licence; kept in the model.")
def train(output: Path, attribution: str, **options: Any) -> None:
    """Fit a model on the pages of INPUT that have truth or silver labels, and write it.

    Use it with `extract.model: FILE` in the configuration. Needs the extra `train`: pip install '.[train]' in the
    repository.
    """

    def work() -> None:
        from pipeline.extract.blocks import forest
        from pipeline.extract.blocks import train as training

        reporter = Reporter(options["quiet"])
        training.require()
        output.parent.mkdir(parents=True, exist_ok=True)  # now, and not after an hour's work
        _, human, silver = _examples(options, reporter)
        trees = options["trees"] or training.TREES
        examples = human + silver
        blocks = training.fit_blocks(examples, trees, options["seed"])
        page, types = training.fit_page_types(examples, seed=options["seed"])
        sources = {
            "human": len(human),
            "silver": len(silver),
            "teachers": [*options["silver"]],
            "attribution": attribution,
        }
        meta = {**training.describe(examples, sources, trees, options["seed"]), "page_types": types}
        raw = forest.model_bytes(blocks, page, meta)
        writing = output.with_name(f".{output.name}.writing")
        writing.write_bytes(raw)
        writing.replace(output)  # a run that starts now reads the one or the other
        model = forest.load_model(output, tuple(meta["features"]))
        reporter.say(f"{output}: {len(raw):,} bytes, sha256 {model.digest}")

    _guarded(work)


@extractor.command()
@_truth_options
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure this model (default: the shipped one) instead of training.",
)
@click.option("--folds", type=click.IntRange(2), help="Train and measure by folds of registered domains instead.")
@click.option("--precision", is_flag=True, help="With the precision switch of the extractor.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the texts, JSON lines.")
def evaluate(model: Path | None, folds: int | None, precision: bool, output: Path | None, **options: Any) -> None:
    """Word F1 and snippets by benchmark and page type, as JSON on standard output.

    With --folds every page with truth is measured by a model that has seen no page of its domain, and pages that only
    have snippets by a model of all others. Without --folds, a model does better on
    pages that it was trained on: the shipped one on those of WCXB.
    """

    def work() -> None:
        from pipeline.extract.blocks import train as training
        from pipeline.extract.blocks.evaluate import evaluate_folds, evaluate_model

        reporter = Reporter(options["quiet"])
        if output:
            output.parent.mkdir(parents=True, exist_ok=True)
        if folds and model:
            raise click.UsageError("--model measures a model, --folds trains some: give one of them")
        if folds:
            training.require()
            truth, human, silver = _examples(options, reporter)
            found = evaluate_folds(
                options["inputs"], truth, human, silver, folds=folds, trees=options["trees"], seed=options["seed"],
                precision=precision, say=reporter.say,
            )  # fmt: skip
        else:
            from pipeline.extract.blocks.corpus import read_truth

            reporter.say("note: a model does better on the pages that it was trained on; --folds measures on others")
            found = evaluate_model(options["inputs"], read_truth(options["truths"]), model, precision=precision)
        if output:
            rows = (json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows)
            output.write_text("".join(rows), encoding="utf-8")
        click.echo(json.dumps(found.report, indent=1))

    _guarded(work)
