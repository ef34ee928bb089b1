"""`headwater detectors teach`: statistics of a language model for a sample of documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.progress import Reporter
from schemas.config import load_config


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="FILE.parquet.")
@click.option(
    "--model",
    default="smollm2",
    show_default=True,
    metavar="NAME",
    help="smollm2, a .gguf file, or a causal language model of Hugging Face transformers: its folder or name.",
)
@click.option("--observer", metavar="NAME", help="Second model with the same vocabulary, for the Binoculars ratio.")
@click.option(
    "--sample",
    default="1%",
    show_default=True,
    metavar="N|SHARE",
    help="Documents to measure: a number, or a share such as 0.001 or 1%. The same ones on every run.",
)
@click.option(
    "--tokens",
    type=click.IntRange(16, 4096),
    default=200,
    show_default=True,
    help="Tokens of a document that are read.",
)
@click.option("--device", help="cpu, cuda …, for transformers (default: a GPU where there is one).")
@click.option("--id-column", help="Id column of the tables (default id).")
@click.option("--text-column", help="Text column of the tables (default text).")
@click.option("--json-log", is_flag=True, help="Messages as JSON lines.")
@click.option("--quiet", is_flag=True, help="No progress and no messages but errors.")
def teach(inputs: tuple[str, ...], output: Path, sample: str, **options: Any) -> None:
    """Measure a sample of texts with a language model, for `train` and `evaluate --teacher`.

    INPUT is a text table (Parquet, JSONL) or a WET archive. Writes one row a document: its id, and columns lm_*: mean
    log-probability, ranks, Fast-DetectGPT's discrepancy, the spread of surprisal steps, Binoculars' ratio and others.
    """
    if output.suffix != ".parquet":
        raise click.UsageError(f"--output {output}: the name must end in .parquet")
    reporter = Reporter(options["quiet"], options["json_log"])
    loaded = load_config(None)
    given = {name: options[name] for name in ("id_column", "text_column") if options[name]}
    config = loaded.model_copy(update={"read": loaded.read.model_copy(update=given)})
    from pipeline.teacher import Sample, teach_job

    try:
        wanted = Sample.parse(sample)
    except ValueError:
        message = f"{sample!r} is neither a number of documents nor a share such as 0.01 or 1%"
        raise click.BadParameter(message, param_hint="--sample") from None
    documents = teach_job(
        inputs, output, config, model=options["model"], observer=options["observer"], sample=wanted,
        tokens=options["tokens"], device=options["device"], reporter=reporter,
        beam_options=list(click.get_current_context().obj or []),
    )  # fmt: skip
    if not documents:
        raise click.UsageError("no document has text; choose the column with --text-column")
