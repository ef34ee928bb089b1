"""`headwater diversity`: a corpus against its human reference."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.options import common_options
from pipeline.progress import Reporter


@click.command()
@click.argument("mix", type=click.Path(path_type=Path), metavar="MIX_OR_TABLE")
@click.option(
    "--reference",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN_OR_TABLE",
    help="Human text of the same kind: a run, or a table.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    default=("human", "unknown"),
    show_default=True,
    type=click.Choice(["human", "machine_translated", "ai_generated", "unknown"]),
    help="Labels of a run whose documents count; may be given several times.",
)
@click.option("--text-column", default="text", show_default=True, help="Text column of tables.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random halves.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines in the place of a table.")
@common_options
def diversity(
    mix: Path,
    reference: Path,
    labels: tuple[str, ...],
    text_column: str,
    seed: int,
    as_json: bool,
    quiet: bool,
    json_log: bool,
) -> None:
    """Vocabulary, tails and spread of a corpus against its human reference, with alarms where it has lost diversity.

    Either is the folder of a run or a mix, or a Parquet or JSON lines table. Samples of equal size are compared, of all
    and by language, with the range of human text against itself. No figure is printed where there is too little text.
    """
    from pipeline.diversity.compare import compare
    from pipeline.diversity.read import sample_of
    from pipeline.diversity.show import headline, table

    reporter = Reporter(quiet, json_log)
    ours, theirs = (sample_of(path, labels=labels, text_column=text_column) for path in (mix, reference))
    metrics = compare(ours, theirs, seed=seed)
    if as_json:
        for metric in metrics:
            click.echo(json.dumps(metric.as_dict()))
    elif metrics:
        click.echo(table(metrics))
    reporter.say(headline(metrics))
