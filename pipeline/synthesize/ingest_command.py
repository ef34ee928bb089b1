"""`headwater synthesize ingest`: what a generator returned, traced, scored and compared with all real text."""

from __future__ import annotations

from typing import Any

import click

from pipeline.options import common_options, start_children
from pipeline.progress import Reporter
from pipeline.synthesize.ingest_schema import PARENT_CONTAINMENT
from schemas.recipe import SyntheticSource

_COLUMNS = ("id", "text", "generator", "prompt", "seed", "parents", "depth", "language")


def _column_options(command: Any) -> Any:
    for name in reversed(_COLUMNS):
        says = "names of the parents" if name == "parents" else name
        command = click.option(f"--{name}-column", help=f"Column of the {says} (default {name}).")(command)
    return command


@click.command("ingest")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--run",
    "runs",
    multiple=True,
    required=True,
    type=click.Path(),
    help="Folder of a run that holds the real text, or of text that was ingested before; may be given several times.",
)
@click.option("--output", required=True, type=click.Path(), help="Folder of the ingested text; made if missing.")
@click.option(
    "--requests",
    type=click.Path(dir_okay=False, exists=True),
    help="Requests that the rows answer (of `synthesize gaps`): a row that names one in its column `request`, or has "
    "its id, takes from it what it does not say itself.",
)
@click.option("--generator", help="Generator of rows whose column is empty.")
@click.option("--prompt", help="Prompt, or its name, of rows whose column is empty.")
@click.option("--depth", type=click.IntRange(1), help="Generation depth of rows whose column is empty.")
@click.option(
    "--grounded/--ungrounded",
    default=None,
    help="Whether texts are rephrasings of their parents (default: those that name a parent are).",
)
@_column_options
@click.option("--score", "scores", multiple=True, help="Column of numbers that passes through; may be given again.")
@click.option(
    "--parent-containment",
    type=click.FloatRange(0, 1, min_open=True),
    default=PARENT_CONTAINMENT,
    show_default=True,
    help="A text is a copy of its parent from this share of its five-word runs on.",
)
@click.option("--workers", type=click.IntRange(1), help="Child processes (default: one per core).")
@common_options
def ingest(files: tuple[str, ...], runs: tuple[str, ...], output: str, **options: Any) -> None:
    """Ingest text that a generator returned, with its lineage.

    FILE is a table of texts (Parquet, or JSONL, also .gz, .xz, .zst), a folder or a glob. Every row must say which
    generator wrote it. Parents are named by document id, record id or address of documents of the runs, or by id of
    other rows. Rows are refused where a parent is not known or in another split than the others, where the text is a
    copy of its parent or of any text that the runs met, or is not in the declared language; dropped/ says which and
    why.
    """
    from pipeline.job import is_too_many
    from pipeline.synthesize import ingest as job

    reporter = Reporter(options["quiet"], options["json_log"])
    source = SyntheticSource(
        kind="synthetic",
        name="synthetic",
        files=files,
        grounded=options["grounded"],
        generator=options["generator"] or None,
        prompt=options["prompt"] or None,
        depth=options["depth"],
        columns={name: options[f"{name}_column"] for name in _COLUMNS if options[f"{name}_column"]},
        scores=options["scores"],
    )
    workers = start_children(options, reporter)
    manifest = job.ingest(
        files,
        source,
        runs,
        output,
        workers,
        reporter,
        requests=options["requests"],
        parent_containment=options["parent_containment"],
    )
    counts = manifest["counts"]
    failed = sum(counts["failed"].values())
    allowed = manifest["config"]["output"]["max_failed_share"]
    if is_too_many(failed, counts["rows"], allowed):
        reporter.say(f"Too many failures ({failed:,} of {counts['rows']:,} rows); the folder is complete all the same.")
        click.get_current_context().exit(3)
