"""`headwater synthesize polarity`: triplets that differ in polarity alone, mined in curated text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pipeline.progress import Reporter


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", required=True, type=click.Path(dir_okay=False), help="FILE.parquet or FILE.jsonl.")
@click.option("--languages", metavar="CODE,...", help="ISO 639-3 codes (default: all that have patterns).")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Most triplets of a language; a larger N adds to them.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the order.")
@click.option(
    "--labels", default="human,unknown", show_default=True, metavar="LABEL,...",
    help="Provenance labels of the documents of runs that are mined.",
)
@click.option(
    "--per-document", type=click.IntRange(1), default=5, show_default=True, help="Most triplets of one document."
)
@click.option("--per-host", type=click.IntRange(1), default=100, show_default=True, help="Most triplets of one host.")
@click.option(
    "--pattern-share", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True,
    help="Largest share of one pattern among a language's triplets.",
)
@click.option(
    "--min-confidence", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Smallest confidence of a triplet.",
)
@click.option("--id-column", help="Id column of text tables (default id, or doc_id).")
@click.option("--text-column", help="Text column of text tables (default text).")
@click.option("--language-column", help="Language column of text tables (default language).")
@click.option("--workers", type=click.IntRange(1), help="Child processes (default: one per core).")
@click.option("--json-log", is_flag=True, help="Messages as JSON lines.")
@click.option("--quiet", is_flag=True, help="No messages but errors.")
def polarity(inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Mine triplets for embedding models: anchor, positive, and a hard negative of the other polarity.

    INPUT is a folder of `headwater curate`, or a text table (Parquet, JSONL) with id and text and, where it has them,
    language, url and split. Rows without a language are taken as the one of --languages, where it is one.
    """
    from pipeline.synthesize.polarity_files import LABELS, Caps, Options, list_inputs, synthesize_polarity
    from pipeline.synthesize.polarity_language import languages

    if Path(output).suffix not in (".parquet", ".jsonl"):
        raise click.UsageError(f"--output {output}: the name must end in .parquet or .jsonl")
    labels = tuple(filter(None, (options["labels"] or "").split(",")))
    if unknown := set(labels) - {*LABELS, "machine_translated", "ai_generated"}:
        raise click.UsageError(f"--labels: no label {', '.join(sorted(unknown))}")
    codes = tuple(dict.fromkeys(filter(None, (options["languages"] or "").split(",")))) or languages()
    columns = {
        key: options[f"{key}_column"] for key in ("id", "text", "language") if options[f"{key}_column"]
    }  # fmt: skip
    reporter = Reporter(options["quiet"], options["json_log"])
    result = synthesize_polarity(
        list_inputs(inputs),
        output,
        Options(codes, options["seed"], labels, columns),
        limit=options["limit"],
        caps=Caps(options["per_document"], options["per_host"], options["pattern_share"]),
        minimum=options["min_confidence"],
        workers=options["workers"] or len(os.sched_getaffinity(0)),
        say=reporter.say,
    )
    for code in codes:
        reporter.say(
            f"{code}: {result.written.get(code, 0)} triplets of {result.found.get(code, 0)} candidates"
            f" in {result.documents.get(code, 0)} documents"
        )
    if not result.documents:
        reporter.say("No document is in a language with patterns; name the language with --languages or its column.")
