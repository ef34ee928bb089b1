"""`headwater synthesize gaps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.options import common_options
from pipeline.progress import Reporter


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path())
@click.option("--targets", required=True, type=click.Path(dir_okay=False), help="What the text should be, YAML.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the report and the requests.")
@click.option("--requests", type=click.IntRange(0), help="Most requests (default: as in the targets, 1000).")
@click.option("--with-text", is_flag=True, help="Requests carry the text of their parents.")
@common_options
def gaps(
    runs: tuple[str, ...], targets: str, output: Path, requests: int | None, with_text: bool, **options: Any
) -> None:
    """Strata of curated text that are thin against a target, and requests that a generator can fill.

    RUN is the folder of a finished run or a Parquet file of documents. Counted are documents of the train split.
    Writes gaps.json, report/index.html and requests.jsonl; answers go to `headwater synthesize ingest`.
    """
    from pipeline.synthesize.gaps import gaps_job, summary
    from schemas.targets import load_targets

    config = load_targets(targets)
    if requests is not None:
        config = config.model_copy(update={"requests": config.requests.model_copy(update={"limit": requests})})
    found = gaps_job(runs, config, output, with_text, Reporter(options["quiet"], options["json_log"]))
    for line in summary(found.report):
        click.echo(line)
