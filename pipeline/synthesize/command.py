"""`headwater synthesize`: synthetic data where it helps. One module a command."""

from __future__ import annotations

import click

from pipeline.synthesize.gaps_command import gaps
from pipeline.synthesize.ingest_command import ingest



@click.group()
def synthesize() -> None:
    """Synthetic data where it helps: negation triplets, gaps and requests, and what a generator returned."""


for command in (gaps, ingest):
    synthesize.add_command(command)
