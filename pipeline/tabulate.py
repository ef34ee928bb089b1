"""`headwater extract` and `headwater score`: one row a page, nothing filtered. Never imports Beam.

Splits run in the host's children like those of `curate`; each leaves a part, and the parts are joined in order of
file and offset once the chain of splits of every file is known to be right.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from detectors.controls import ControlSet
from pipeline.annotate import Annotator, annotator_for, open_split
from pipeline.annotate import read_outcomes as read_all
from pipeline.host import DETECTING, READING, Host, HostTask, Lost, Progress, arm_cpu_limit, shared_host
from pipeline.judge import Surroundings, judge_table, with_verdicts
from pipeline.outcomes import BATCH_ROWS, Outcome, batches, document_batch
from pipeline.read.records import Split
from pipeline.read.splits import SplitSummary, check_chain
from pipeline.standards import MODELS_KEY, Standards, controls_of, read_standards
from schemas.config import CurateConfig
from schemas.document import DOCUMENT_INPUT, PROVENANCE

Kind = Literal["extract", "score"]

_HTTP = [
    pa.field("status", pa.int32(), metadata={"description": "HTTP status, where there is one"}),
    pa.field("media_type", pa.string(), metadata={"description": "media type that the server stated"}),
    pa.field("truncated", pa.string(), metadata={"description": "WARC-Truncated, as written"}),
    pa.field("reason", pa.string(), metadata={"description": "why there is no text: http_status, not_html …"}),
    pa.field("code", pa.string(), metadata={"description": "failure that left the page without text"}),
    pa.field("message", pa.string(), metadata={"description": "the failure, for people"}),
]


def output_schema(kind: Kind, annotator: Annotator) -> pa.Schema:
    """Columns of the file that a command writes."""
    if kind == "extract":
        return pa.schema([*DOCUMENT_INPUT, *_HTTP])
    internal = {*annotator.match_keys, "text_bytes"}
    scored = [field for field in annotator.staged_schema() if field.name not in internal]
    models = json.dumps(annotator.text_models(), sort_keys=True)
    return pa.schema([*scored, *PROVENANCE, *_HTTP], metadata={MODELS_KEY: models})


@dataclass(slots=True)
class PartReport:
    """What one split gave: its part file (or, of controls, their JSON), and its place in the chain of splits."""

    number: int
    path: str
    first_offset: int | None = None
    next_offset: int | None = None
    whole_file: bool = False
    bytes_read: int = 0
    rows: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    regions: list[str] = field(default_factory=list)


def tabulate_split(
    kind: Kind,
    split: Split,
    config: CurateConfig,
    folder: str,
    *,
    lost: Mapping[int, Lost],
    careful: bool,
    progress: Progress | None,
) -> PartReport:
    """Write the rows of one split as a part file."""
    annotator = annotator_for(config)
    standards = read_standards(config, annotator.text_models()) if kind == "score" else Standards()
    path = str(Path(folder) / f"{split.number}.parquet")
    with pq.ParquetWriter(path, output_schema(kind, annotator), compression="lz4") as writer:

        def put(held: Sequence[Outcome]) -> int:
            writer.write_table(_rows(kind, annotator, held, standards))
            return len(held)

        return each_batch(put, PartReport(split.number, path), annotator, split, lost, careful, progress)


def control_split(
    split: Split, config: CurateConfig, before: datetime, *, lost: Mapping[int, Lost], careful: bool, progress: Progress
) -> PartReport:
    """Controls among the pages of one split; `path` of the report holds them as JSON."""
    annotator = annotator_for(config)
    models = annotator.text_models()
    parts = [ControlSet(models, before)]

    def put(held: Sequence[Outcome]) -> int:
        documents = [one for one in held if one.reason is None and one.code is None and one.text.strip()]
        if documents:
            table, _ = annotator.score_safely(documents)
            parts.append(controls_of(table, models, before))
        if len(parts) > 64:
            parts[:] = [ControlSet.merge(parts)]
        return len(documents)

    report = each_batch(put, PartReport(split.number, ""), annotator, split, lost, careful, progress)
    report.path = ControlSet.merge(parts).to_json()
    return report


def each_batch(
    put: Callable[[Sequence[Outcome]], int],
    report: PartReport,
    annotator: Annotator,
    split: Split,
    lost: Mapping[int, Lost],
    careful: bool,
    progress: Progress | None,
) -> PartReport:
    """Call `put` on every batch of a split's outcomes; it returns the number of rows that it made of them."""
    config = annotator.config
    reader = open_split(split, config)
    outcomes = read_all(annotator, reader, lost, progress, filter_urls=False)
    for held, regions in batches(outcomes, rows=1 if careful else BATCH_ROWS):
        report.regions += [f"{r.source_file} at offset {r.source_offset}: {r.message}" for r in regions]
        if not held:
            continue
        if progress:
            progress.publish(DETECTING, held[0].page.source_offset)
            arm_cpu_limit(config.extract.cpu_seconds + 0.1 * len(held))
        report.rows += put(held)
        if progress:
            arm_cpu_limit(0)
            progress.publish(READING, held[-1].page.source_offset)
        report.failed.update(outcome.code for outcome in held if outcome.code)
    arm_cpu_limit(0)
    report.first_offset, report.next_offset = reader.first_offset, reader.next_offset
    report.whole_file, report.bytes_read = reader.whole_file, reader.bytes_read
    return report


def _rows(kind: Kind, annotator: Annotator, held: Sequence[Outcome], standards: Standards) -> pa.Table:
    if kind == "extract":
        table = pa.Table.from_batches([document_batch(held)])
    else:
        table, failed = annotator.score_safely(held)
        if failed:  # every page keeps its row: those that a detector raised on are scored as empty pages
            for outcome in failed:
                outcome.text, outcome.title, outcome.signals = "", None, None
                outcome.page.fetched_at = None
            table = annotator.score(held)
        soft, parallel = Surroundings(standards).soft_findings(table)
        table = with_verdicts(table, judge_table(table, annotator.config, soft, parallel))
        table = table.drop_columns([*annotator.match_keys, "text_bytes"])
    for outcome in held:
        if outcome.reason is None and outcome.code is None and not outcome.text.strip():
            outcome.reason = "no_text"
    extra = {
        "status": [o.page.status for o in held],
        "media_type": [o.page.media_type for o in held],
        "truncated": [o.page.truncated for o in held],
        "reason": [o.reason for o in held],
        "code": [o.code for o in held],
        "message": [o.message for o in held],
    }
    for column in _HTTP:
        table = table.append_column(column, pa.array(extra[column.name], column.type))
    return table


@dataclass(frozen=True, slots=True)
class TableResult:
    """Account of a finished table."""

    rows: int
    failed: dict[str, int]
    regions: list[str]


def run_splits(
    host: Host, splits: Sequence[Split], function: Callable[..., PartReport], arguments: Callable[[Split], Any]
) -> list[PartReport]:
    """Reports of a function over all splits, in order; a split that began in the wrong place is read again."""
    results: dict[int, tuple[Split, PartReport]] = {}
    todo = list(splits)
    while todo:
        tasks = [HostTask(s, function, arguments(s), True, f"{s.source_file} at {s.start}") for s in todo]
        for split, report in host.run(tasks):
            results[split.number] = (split, report)
        todo = check_chain(
            SplitSummary(split, report.first_offset, report.next_offset, report.whole_file)
            for split, report in results.values()
        )
    return [results[number][1] for number in sorted(results)]


def write_table(kind: Kind, splits: Sequence[Split], output: str, config: CurateConfig, workers: int) -> TableResult:
    """Run a command over all splits and write its file: Parquet, JSONL when `output` ends in .jsonl or is `-`."""
    host = shared_host(workers)
    target = None if output == "-" else Path(output)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="headwater-", dir=target.parent if target else None) as folder:
        reports = run_splits(host, splits, tabulate_split, lambda split: (kind, split, config, folder))
        schema = output_schema(kind, Annotator(config))
        if target is None:
            _write_jsonl(sys.stdout, reports)
        else:
            temporary = target.with_name(f".{target.name}.writing")
            try:
                if target.suffix == ".jsonl":
                    with temporary.open("w", encoding="utf-8") as sink:
                        _write_jsonl(sink, reports)
                else:
                    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                        for table in _tables(reports):
                            writer.write_table(table)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
    failed: Counter[str] = Counter()
    for report in reports:
        failed.update(report.failed)
    return TableResult(
        sum(report.rows for report in reports), dict(failed), [line for report in reports for line in report.regions]
    )


def _tables(reports: Sequence[PartReport]) -> Iterator[pa.Table]:
    for report in reports:
        with pq.ParquetFile(report.path) as part:
            for batch in part.iter_batches(batch_size=1024):
                yield pa.Table.from_batches([batch])


def _write_jsonl(sink: IO[str], reports: Sequence[PartReport]) -> None:
    for table in _tables(reports):
        for row in table.to_pylist():
            sink.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")
