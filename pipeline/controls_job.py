"""`headwater controls build`: from inputs to the file of controls."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from detectors.controls import ControlSet
from pipeline.host import shared_host
from pipeline.job import default_split_size, is_too_many, prepare_annotator, state_of
from pipeline.progress import Reporter
from pipeline.read.sources import list_sources, plan_splits
from pipeline.runs import RunError
from pipeline.tabulate import control_split, run_splits
from schemas.config import CurateConfig


def controls_job(
    inputs: list[str],
    output: Path,
    config: CurateConfig,
    before: datetime,
    *,
    workers: int,
    split_size: int | None,
    reporter: Reporter,
) -> int:
    """Build controls of dated inputs; returns the exit code."""
    sources = list_sources(inputs, table_root=config.read.table_root, text_column=config.read.text_column)
    if output.exists() and any(os.path.exists(s.path) and os.path.samefile(s.path, output) for s in sources):
        raise RunError(f"{output} is an input of this command too; give another --output")
    annotator = prepare_annotator(config, calibrated=False)
    total = sum(source.size_bytes for source in sources)
    splits = plan_splits(sources, split_size or default_split_size(total, workers))
    host = shared_host(workers)

    state = state_of(host, "control_split", "Scoring", len(splits), total)
    with reporter.watch(state):
        reports = run_splits(host, splits, control_split, lambda split: (split, config, before))
    parts = [ControlSet.from_json(report.path) for report in reports]
    controls = ControlSet.merge([ControlSet(annotator.text_models(), before), *parts])
    used = controls.counts.get("used", 0)
    counts = {name: controls.counts.get(name, 0) for name in ("used", "undated", "after", "unscored")}
    reporter.say(
        f"{used:,} controls of {sum(report.rows for report in reports):,} documents; left out: "
        f"{counts['undated']:,} undated, {counts['after']:,} captured on {before:%Y-%m-%d} or later, "
        f"{counts['unscored']:,} that no text model applies to",
        counts=counts,
    )
    if not used:
        raise RunError(
            f"no control was found, so {output} was not written: controls need a capture time before "
            f"{before:%Y-%m-%d} (--fetched-at-column names it in text tables) and a language with a text model"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.writing")
    temporary.write_text(controls.to_json(), encoding="utf-8")
    temporary.replace(output)
    failed = sum(sum(report.failed.values()) + len(report.regions) for report in reports)
    return 3 if is_too_many(failed, sum(report.rows for report in reports), config.output.max_failed_share) else 0
