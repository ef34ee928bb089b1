"""Commands about provenance: controls, calibration, shares of a corpus, and why a document has its label."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipeline.options import common_options, config_of, input_options, start_children
from pipeline.progress import Reporter


@click.group()
def controls() -> None:
    """Text known to be human by its date, which says where human text of each kind stands."""


@controls.command("build")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File of the controls.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2022-11-01",
    show_default=True,
    help="Only captures from before this day (UTC) count: ChatGPT was released on 2022-11-30.",
)
@input_options
@common_options
def controls_build(inputs: tuple[str, ...], output: Path, before: datetime, **options: Any) -> None:
    """Score dated text and keep the histograms: a small file for `--controls` of `curate` and `score`.

    INPUT is as for `curate`. A page counts when its capture time (`fetched_at`) is known and lies before the date.
    """
    reporter = Reporter(options["quiet"], options["json_log"])
    config = config_of(options)
    workers = start_children(options, reporter)
    from pipeline.controls_job import controls_job

    code = controls_job(
        list(inputs),
        output,
        config,
        before.replace(tzinfo=UTC),
        workers=workers,
        split_size=options["split_size"],
        reporter=reporter,
    )
    click.get_current_context().exit(code)


@click.command()
@click.argument(
    "scores", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="SCORES.jsonl...",
)  # fmt: skip
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write, JSON.")
@click.option("--fitted-on", default="", help="What the scores are of, for the reader of the file.")
@click.option(
    "--config", "config_path", type=click.Path(dir_okay=False),
    help="Configuration that names the models which the scores are of (default: those that ship).",
)  # fmt: skip
def calibrate(scores: tuple[Path, ...], output: Path, fitted_on: str, config_path: str | None) -> None:
    """Fit thresholds and likelihood ratios on out-of-source scores (`headwater detectors evaluate --scores`)."""
    from detectors.calibration import CalibrationError
    from detectors.calibration_fit import fit_calibration
    from pipeline.job import prepare_annotator
    from schemas.config import ConfigError, load_config

    models = prepare_annotator(load_config(config_path), calibrated=False).text_models()
    try:
        rows = [json.loads(line) for path in scores for line in path.read_text(encoding="utf-8").splitlines() if line]
        calibration = fit_calibration(rows, models=models, fitted_on=fitted_on)
    except CalibrationError as error:
        raise ConfigError(str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{', '.join(map(str, scores))}: not the scores of `headwater detectors evaluate --scores` "
            f"({type(error).__name__}: {error})"
        ) from None
    output.write_text(calibration.to_json(), encoding="utf-8")
    for name, head in calibration.heads.items():
        figures = ", ".join(f"{key} {value:.3f}" for key, value in sorted(head.figures.items()))
        click.echo(f"{name}: {'gives verdicts' if head.gives_verdicts else 'gives no verdicts'}; {figures}", err=True)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="SCORED...")
@click.option(
    "--controls", "controls_path", required=True, type=click.Path(exists=True, dir_okay=False), help="Controls."
)
@click.option(
    "--machine", multiple=True, type=click.Path(exists=True, path_type=Path),
    help="Scored text of the same kinds that a machine is known to have written; sharpens the interval.",
)  # fmt: skip
@click.option(
    "--by", multiple=True, type=click.Choice(["language", "page_type", "month", "host", "source_file"]),
    help="A share for each value of this column beside the whole; may be repeated.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON lines in the place of a table.")
@click.option("--config", "config_path", type=click.Path(dir_okay=False), help="Configuration that names the models.")
def prevalence(inputs: tuple[str, ...], controls_path: str, by: tuple[str, ...], **options: Any) -> None:
    """Share of AI-generated text in a corpus with its interval, or why there is none.

    SCORED is a run folder, or a Parquet file of `headwater score`. A share of labels is biased, because labels are
    given only where the evidence is strong; this compares the scores with those of dated human text.
    """
    from pipeline.prevalence import print_shares

    print_shares(inputs, controls_path, by, options["machine"], options["as_json"], options["config_path"])


@click.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.argument("document")
@click.option("--json", "as_json", is_flag=True, help="Everything that is known, as JSON.")
def explain(run: Path, document: str, as_json: bool) -> None:
    """Why a document has its label: evidence, strongest first, with the text that it was found in.

    RUN is a run folder or a Parquet file of `headwater score`; DOCUMENT a doc_id (or its beginning), a record id, or
    an address.
    """
    from pipeline.explain import explain_document

    click.echo(explain_document(run, document, as_json))
