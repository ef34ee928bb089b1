"""Shares of AI-generated text in scored documents, in all and by group. Reads tables, prints lines.

Documents from before the controls' cut are left out: they are known to be none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.calibration import Calibrator
from detectors.controls import ControlSet
from detectors.features.url_key import host_of
from detectors.prevalence import Share, estimate_share
from detectors.provenance import captured_within
from detectors.soft_evidence import strata_of
from detectors.strata import FIRST_CAPTURES, SCORE_COLUMNS, z_of_scores
from pipeline.runs import RunError
from pipeline.standards import MODELS_KEY, read_standards
from schemas.config import load_config

HEAD = "ai_text"
COLUMNS = ("url", "fetched_at", "source_file", "language", "page_type", "words", SCORE_COLUMNS[HEAD])
GROUPS_SHOWN = 50


def read_scored(paths: Sequence[str | Path]) -> pa.Table:
    """COLUMNS of run folders (`data/`) and of Parquet files of `headwater score`.

    Raises:
        RunError: no such file, or one without scores.
    """
    parts = []
    for path in map(Path, paths):
        if not path.exists():
            raise RunError(f"{path} is not there; give a run folder or a Parquet file of `headwater score`")
        files = sorted(path.glob("data/*/*.parquet")) if path.is_dir() else [path]
        if not files:
            raise RunError(f"{path} holds no run with kept documents")
        for name in files:
            try:
                parts.append(pq.read_table(name, columns=list(COLUMNS), partitioning=None))
            except (pa.ArrowException, OSError, KeyError) as error:
                raise RunError(f"{name} has no scores; run `headwater score` first ({error})") from None
    return pa.concat_tables(parts, promote_options="default")


def check_models(paths: Sequence[str | Path], controls: ControlSet | None) -> None:
    """Raise RunError where a file or run says that other text models scored it than the controls."""
    if controls is None:
        return
    for path in map(Path, paths):
        if path.is_dir() and not (path / "run.json").exists():
            raise RunError(f"{path} holds an unfinished run; run the same curate command again")
        if path.is_dir():
            known = json.loads((path / "run.json").read_text(encoding="utf-8"))["detectors"]
            models = {name.partition("/")[0]: digest for name, digest in known.items()}
        else:
            models = json.loads((pq.read_schema(path).metadata or {}).get(MODELS_KEY, b"{}"))
        wrong = [name for name, digest in controls.models.items() if models.get(name, digest) != digest]
        if wrong:
            raise RunError(
                f"{path} was scored by another model ({', '.join(wrong)}) than the controls; scores of two models do "
                "not compare: score it again, or build controls with the model that scored it"
            )


def after_the_cut(table: pa.Table, calibrator: Calibrator) -> pa.Table:
    """Documents that are not old enough to be controls; those without a date are kept."""
    if calibrator.controls is None:
        return table
    times = table.column("fetched_at").combine_chunks()
    return table.filter(pa.array(~captured_within(times, FIRST_CAPTURES, calibrator.controls.before)))


def _share(table: pa.Table, calibrator: Calibrator, machine: pa.Table | None) -> Share:
    known = None
    if machine is not None:
        known = (z_of_scores(machine.column(SCORE_COLUMNS[HEAD])), strata_of(machine))
    hosts = [host_of(url) for url in table.column("url").to_pylist()]
    return estimate_share(
        z_of_scores(table.column(SCORE_COLUMNS[HEAD])), strata_of(table), hosts, calibrator, HEAD, known
    )


def group_values(table: pa.Table, by: str) -> list[str]:
    """The value of a group for every row."""
    if by == "month":
        return [f"{when:%Y-%m}" if when else "unknown" for when in table.column("fetched_at").to_pylist()]
    if by == "host":
        return [host_of(url) or "unknown" for url in table.column("url").to_pylist()]
    return [value or "unknown" for value in table.column(by).to_pylist()]


def shares(
    table: pa.Table, calibrator: Calibrator, machine: pa.Table | None = None, by: Sequence[str] = ()
) -> Iterator[tuple[str, str, Share]]:
    """(column, value, share): of the whole first, then of the largest groups of each column."""
    table = after_the_cut(table, calibrator)
    yield "all", "", _share(table, calibrator, machine)
    for column in by:
        values = pa.array(group_values(table, column))
        counts = pc.value_counts(values).to_pylist()
        for one in sorted(counts, key=lambda one: (-one["counts"], one["values"]))[:GROUPS_SHOWN]:
            part = table.filter(pc.equal(values, one["values"]))
            yield column, one["values"], _share(part, calibrator, machine)


def print_shares(
    inputs: Sequence[str], controls: str, by: Sequence[str], machine: Sequence[Path], as_json: bool, config: str | None
) -> None:
    """The command's work: read, estimate, print."""
    from pipeline.job import prepare_annotator

    loaded = load_config(config)
    provenance = loaded.provenance.model_copy(update={"controls": controls})
    loaded = loaded.model_copy(update={"provenance": provenance})
    calibrator = read_standards(loaded, prepare_annotator(loaded).text_models()).calibrator
    known = read_scored(machine) if machine else None
    table = read_scored(inputs)
    check_models([*inputs, *machine], calibrator.controls)
    for column, value, share in shares(table, calibrator, known, by):
        if as_json:
            click.echo(json.dumps({"column": column, "value": value, **_finite(asdict(share))}))
        else:
            click.echo(describe(column, value, share))


def describe(column: str, value: str, share: Share) -> str:
    """One line for people."""
    from pipeline.report.redact import short  # the report imports this module

    name = column if not value else f"{column} {short(value, 100)}"
    size = f"{share.documents:,} documents"
    if share.refused:
        return f"{name}: no estimate ({share.refused}); {size}"
    return (
        f"{name}: {share.estimate:.1%} AI-generated, 95 % interval {share.low:.1%} to {share.high:.1%}; {size}"
        + (f" of {share.hosts:,} hosts" if share.hosts else "")
        + f", {share.controls:,} controls"
    )


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(one, float) and one != one else one for key, one in values.items()}
