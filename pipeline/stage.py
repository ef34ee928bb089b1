"""The first pass over a split, in a child process: read, extract, detect, stage."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.annotate import ShardReport, StagePlan, annotate_split
from pipeline.host import Lost, Progress
from pipeline.parallel_match import prepare_parallel_keys
from pipeline.read.records import Split


def stage_split(
    plan: StagePlan, split: Split, *, lost: Mapping[int, Lost], careful: bool, progress: Progress | None
) -> ShardReport:
    """Annotate a split, and leave the keys of parallelism beside its shard; a child's whole task."""
    report = annotate_split(plan, split, lost=lost, careful=careful, progress=progress)
    report.number = split.number
    if plan.config.provenance.parallel:
        prepare_parallel_keys(plan.folder, report)
    return report


def split_name(split: Split) -> str:
    """Name of a split for people, and of its task for the host."""
    return f"{split.source_file} at {split.start}"
