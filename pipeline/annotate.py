"""Reads a split, extracts, runs the detectors, and stages the result as one shard. Never imports Beam.

A staged shard is three Parquet files and a manifest, which is written last: a shard is complete when its manifest is
there and names files of the right digest. It is named by the hash of file, range and annotation fingerprint, so that
an interrupted run finds what it has done, and another configuration finds nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.api import Detector, digest_of, fingerprint, run_detectors
from detectors.quality.url import UrlFilter
from detectors.registry import build_detectors, built_in_names
from pipeline.extract import signals
from pipeline.extract.api import PageInput
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import make_extractor
from pipeline.host import DETECTING, EXTRACTING, READING, Lost, Progress, arm_cpu_limit
from pipeline.outcomes import BATCH_ROWS, Outcome, batches, doc_id_of, document_batch, region_failure
from pipeline.read.http import is_html
from pipeline.read.records import Page, ReadLimits, Region, Split, TextColumns
from pipeline.read.splits import SplitReader
from schemas.config import CurateConfig
from schemas.document import DOCUMENT_INPUT, DROPPED, SCORES, quality_struct
from schemas.evidence import EVIDENCE_STRUCT
from schemas.failure import FAILURES
from schemas.manifest import SourceAccount, sha256_of

ROW_GROUP_BYTES = 8 << 20
STAGING_VERSION = 4
TEXT_MODELS = ("ai_text", "translated_text")
# Staged shards are read whole and once or twice: dictionaries and statistics would cost more than they save.
STAGED: dict[str, Any] = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}


class Annotator:
    """Extraction and detectors of one configuration, set up once per process; `only` some of them where named."""

    def __init__(self, config: CurateConfig, only: Collection[str] = ()) -> None:
        self.config = config
        self.extractor = make_extractor(config.extract)
        self.url_filter = UrlFilter(**config.url_filter.model_dump())
        chosen: dict[str, dict[str, Any] | None] = {**detector_options(config)}
        if only:
            chosen.update((name, None) for name in built_in_names() if name not in only)
        self.detectors: list[Detector] = build_detectors(chosen)
        self._is_ready = False

    def setup(self) -> Annotator:
        """Load models and lists."""
        if not self._is_ready:
            self.extractor.setup()
            self.url_filter.setup()
            for detector in self.detectors:
                detector.setup()
            self._is_ready = True
        return self

    @property
    def quality_signals(self) -> list[str]:
        """Names in the `quality` column, in order."""
        return list(self._outputs_of("quality"))

    @property
    def match_keys(self) -> dict[str, pa.DataType]:
        """Columns by which documents of a run meet; staged, and of no use to a reader."""
        found = {**self._outputs_of("duplicates"), **self._outputs_of("parallelism")}
        return {name: kind for name, kind in found.items() if name not in {field.name for field in SCORES}}

    def _outputs_of(self, name: str) -> Mapping[str, pa.DataType]:
        return next(detector.outputs for detector in self.detectors if detector.name == name)

    def fingerprint(self) -> str:
        """Changes whenever a staged shard would have other bytes."""
        config = self.config
        self.extractor.setup()  # a version may name the library's, which is known once it is loaded
        return digest_of(
            {
                "staging": STAGING_VERSION,
                "read": config.read.model_dump(mode="json"),
                "extractor": [self.extractor.name, self.extractor.version],
                "page_signals": signals.VERSION,
                "url_filter": dict(self.url_filter.parameters()),
                "detectors": self.detector_fingerprints(),
                "cpu_seconds": config.extract.cpu_seconds,
            }
        )

    def detector_fingerprints(self) -> dict[str, str]:
        """`name/version` of every detector with the fingerprint of its parameters."""
        return {f"{d.name}/{d.version}": fingerprint(d) for d in self.detectors}

    def text_models(self) -> dict[str, str]:
        """Fingerprints of the detectors whose scores controls and calibration belong to, by name."""
        return {d.name: fingerprint(d) for d in self.detectors if d.name in TEXT_MODELS}

    def staged_schema(self) -> pa.Schema:
        """Columns of a staged document."""
        return pa.schema(
            [
                *DOCUMENT_INPUT,
                *SCORES,
                pa.field("quality", quality_struct(self.quality_signals)),
                *(pa.field(name, kind) for name, kind in self.match_keys.items()),
                pa.field("text_bytes", pa.int64()),
            ]
        )

    def outcome(self, page: Page, filter_urls: bool = True) -> Outcome:
        """Decide what becomes of a page, and extract it where it is HTML."""
        result = Outcome(page, doc_id_of(page))
        if page.error is not None:
            result.stage, (result.code, result.message) = "read", page.error
        elif page.status is not None and page.status != 200:
            result.reason = "http_status"
        elif filter_urls and page.url and (reason := self.url_filter.check(page.url)):
            result.reason = reason
        elif page.text is not None:
            result.text = page.text
        elif page.body is None or not is_html(page.media_type, page.body[:1024]):
            result.reason = "not_html"
        else:
            try:
                extracted = extract_page(
                    PageInput(page.body, page.url, page.charset, tuple(page.headers)),
                    self.extractor,
                    fetched_at=page.fetched_at,
                )
            except ExtractionError as error:
                result.stage, result.code = "extract", error.code
                result.message = f"{error.message}, page at offset {page.source_offset}"
            except Exception as error:  # a parser's bug costs the page, not the run
                result.stage, result.code = "extract", "extraction_error"
                result.message = f"{type(error).__name__} in the extractor, page at offset {page.source_offset}"
            else:
                result.text, result.title, result.signals = extracted.text, extracted.title, extracted.page
                result.page_type, result.confidence = extracted.page_type, extracted.confidence
        return result

    def score(self, outcomes: Sequence[Outcome]) -> pa.Table:
        """Run the detectors over the outcomes' texts; columns of `staged_schema`, one row an outcome."""
        batch = document_batch(outcomes)
        found = run_detectors(self.detectors, batch)
        evidence: list[list[dict[str, Any]]] = [[] for _ in outcomes]
        for finding in found.evidence:
            evidence[finding.row].append(finding.as_struct())
        columns: dict[str, pa.Array] = {name: batch.column(name) for name in batch.schema.names}
        columns.update(found.columns)
        columns["evidence"] = pa.array(evidence, pa.list_(EVIDENCE_STRUCT))
        names = self.quality_signals
        columns["quality"] = (
            pa.StructArray.from_arrays([columns[name] for name in names], fields=list(quality_struct(names)))
            if names
            else pa.nulls(len(outcomes), quality_struct(names))
        )
        columns["text_bytes"] = pc.binary_length(batch.column("text")).cast(pa.int64())
        schema = self.staged_schema()
        return pa.table([columns.get(f.name, pa.nulls(len(outcomes), f.type)) for f in schema], schema=schema)

    def score_safely(self, outcomes: Sequence[Outcome]) -> tuple[pa.Table, list[Outcome]]:
        """Scores, and the outcomes that a detector raised on: a batch is halved until the failing row stands alone."""
        try:
            return self.score(outcomes), []
        except Exception as error:
            if len(outcomes) > 1:
                middle = len(outcomes) // 2
                first, lost = self.score_safely(outcomes[:middle])
                second, more = self.score_safely(outcomes[middle:])
                return pa.concat_tables([first, second]), lost + more
            failed = outcomes[0]
            failed.stage, failed.code = "detect", "detector_error"
            failed.message = f"{type(error).__name__} in a detector, page at offset {failed.page.source_offset}"
            return self.staged_schema().empty_table(), [failed]


def detector_options(config: CurateConfig) -> dict[str, dict[str, Any]]:
    """What the configuration tells each detector."""
    models = config.provenance.text_models
    copies = config.policy.duplicates
    return {
        "ai_text": {"chat_model": models.chat, "raw_model": models.raw},
        "translated_text": {"model": models.translation},
        "language": {"model": config.language.model, "sha256": config.language.sha256},
        "quality": {"profile_names": stored_profiles(config.quality.profile), "variant": config.quality.repetition},
        "duplicates": {
            "shape": copies.shape,
            "seed": copies.seed,
            "sketch": copies.sketch,
            "shingle": copies.shingle.model_dump(mode="json"),
            "scheme": copies.scheme,
        },
    }


def stored_profiles(profile: str) -> tuple[str, ...]:
    """Profiles whose signals are stored: those of FineWeb's recipe too, where the repetition variants agree."""
    if profile == "refinedweb":
        return (profile,)
    return tuple(dict.fromkeys((profile, "fineweb"))) if profile not in ("none", "gopher") else ("fineweb",)


def read_outcomes(
    annotator: Annotator,
    reader: SplitReader,
    lost: Mapping[int, Lost],
    progress: Progress | None,
    filter_urls: bool = True,
) -> Iterator[Outcome | Region]:
    """Pages of a split with their text, and damaged regions, in order of offset."""
    budget = annotator.config.extract.cpu_seconds
    for item in reader:
        if isinstance(item, Region):
            yield item
            continue
        if progress:
            progress.pages += 1
            if item.record_type != "row":  # rows of tables are counted, not placed
                progress.bytes_read = max(0, min(item.source_offset, reader.split.end) - reader.split.start)
            progress.publish(EXTRACTING, item.source_offset)
            arm_cpu_limit(budget)
        if item.source_offset in lost:
            death = lost[item.source_offset]
            yield Outcome(item, doc_id_of(item), stage="extract", code=death.code, message=death.message)
        else:
            yield annotator.outcome(item, filter_urls)
        if progress:
            arm_cpu_limit(budget)
            progress.publish(READING, item.source_offset)


@dataclass(slots=True)
class ShardReport:
    """What staging a split found; everything that later steps need beside the files."""

    number: int
    source_file: str
    source_bytes: int
    start: int
    name: str
    account: SourceAccount = field(default_factory=SourceAccount)
    documents: int = 0
    first_offset: int | None = None
    next_offset: int | None = None
    whole_file: bool = False
    bytes_read: int = 0
    reused: bool = False


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Where and how splits are staged."""

    config: CurateConfig
    folder: str
    fingerprint: str

    def shard_name(self, split: Split) -> str:
        """Name by (file identity, range, fingerprint)."""
        return digest_of(
            {
                "file": split.source_file,
                "bytes": split.source_bytes,
                "range": [split.start, split.end, split.exact_start],
                "ranges": split.ranges,
                "fingerprint": self.fingerprint,
            }
        )


_annotators: dict[str, Annotator] = {}


def annotator_for(config: CurateConfig, only: Collection[str] = ()) -> Annotator:
    """The annotator of this process for a configuration, set up once."""
    key = f"{sorted(only)} {config.model_dump_json()}"
    if key not in _annotators:
        _annotators.clear()
        _annotators[key] = Annotator(config, only).setup()
    return _annotators[key]


def open_split(split: Split, config: CurateConfig) -> SplitReader:
    """Reader of a split under the configuration's limits."""
    read = config.read
    limits = ReadLimits(max_body_bytes=read.max_body_bytes, max_record_bytes=read.max_record_bytes)
    columns = TextColumns(read.id_column, read.text_column, read.url_column, read.fetched_at_column)
    return SplitReader(split, limits, columns)


def annotate_split(
    plan: StagePlan, split: Split, *, lost: Mapping[int, Lost], careful: bool, progress: Progress | None
) -> ShardReport:
    """Stage one split, unless a finished run of it is there, and report."""
    name = plan.shard_name(split)
    folder = Path(plan.folder)
    done = read_report(folder, name)
    if done is not None:
        return done
    annotator = annotator_for(plan.config)
    if annotator.fingerprint() != plan.fingerprint:  # another shard of this name may hold other bytes
        raise RuntimeError("a model or list changed during the run; start the same command again")
    report = ShardReport(split.number, split.source_file, split.source_bytes, split.start, name)
    reader = open_split(split, plan.config)
    account = report.account
    dropped: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    paths = {kind: folder / f"{name}.{kind}.parquet" for kind in ("documents", "dropped", "failures")}
    writing = {kind: path.with_name(f".{path.name}.{os.getpid()}") for kind, path in paths.items()}
    budget = plan.config.extract.cpu_seconds
    pending: list[pa.Table] = []
    try:
        with pq.ParquetWriter(writing["documents"], annotator.staged_schema(), **STAGED) as writer:
            outcomes = read_outcomes(annotator, reader, lost, progress)
            for held, regions in batches(outcomes, rows=1 if careful else BATCH_ROWS):
                failures.extend(region_failure(region) for region in regions)
                account.regions.update(region.code for region in regions)
                documents = []
                for outcome in held:
                    account.pages += 1
                    if outcome.code is None and outcome.reason is None:
                        if outcome.text.strip():
                            documents.append(outcome)
                            continue
                        outcome.reason = "no_text"
                    _put_away(outcome, account, dropped, failures)
                if not documents:
                    continue
                if progress:
                    progress.publish(DETECTING, documents[0].page.source_offset)
                    arm_cpu_limit(budget + 0.1 * len(documents))
                table, unscored = annotator.score_safely(documents)
                if progress:
                    arm_cpu_limit(0)
                    progress.publish(READING, documents[-1].page.source_offset)
                for outcome in unscored:
                    _put_away(outcome, account, dropped, failures)
                report.documents += table.num_rows
                pending.append(table)
                if sum(t.nbytes for t in pending) >= ROW_GROUP_BYTES:
                    writer.write_table(pa.concat_tables(pending).combine_chunks())
                    pending = []
            if pending:
                writer.write_table(pa.concat_tables(pending).combine_chunks())
        arm_cpu_limit(0)
        pq.write_table(pa.Table.from_pylist(dropped, DROPPED), writing["dropped"], compression="lz4")
        pq.write_table(pa.Table.from_pylist(failures, FAILURES), writing["failures"], compression="lz4")
        if pq.read_metadata(writing["documents"]).num_rows != report.documents:
            raise OSError(f"{paths['documents']}: what was written could not be read back; is the disk full?")
        for kind, path in paths.items():
            writing[kind].replace(path)
    finally:
        for path in writing.values():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    account.records.update(reader.records)
    report.first_offset, report.next_offset = reader.first_offset, reader.next_offset
    report.whole_file, report.bytes_read = reader.whole_file, reader.bytes_read
    write_report(folder, report, {kind: sha256_of(path) for kind, path in paths.items()})
    return report


def _put_away(
    outcome: Outcome, account: SourceAccount, dropped: list[dict[str, Any]], failures: list[dict[str, Any]]
) -> None:
    if outcome.code is not None:
        account.failed[outcome.code] += 1
        failures.append(outcome.failure())
        return
    reason = outcome.reason or "no_text"
    account.dropped[reason] += 1
    page = outcome.page
    dropped.append({**outcome.identity(), "reason": reason, "status": page.status, "media_type": page.media_type})


def write_report(folder: Path, report: ShardReport, digests: dict[str, str]) -> None:
    """Publish the manifest of a shard: from now on it is complete."""
    values = {name: getattr(report, name) for name in report.__slots__ if name not in ("account", "reused")}
    values["account"] = report.account.as_dict()
    values["sha256"] = digests
    values["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    temporary = folder / f".{report.name}.json.{os.getpid()}"
    temporary.write_text(json.dumps(values), encoding="utf-8")
    temporary.replace(folder / f"{report.name}.json")


def read_report(folder: Path, name: str) -> ShardReport | None:
    """The manifest of a finished shard whose files are what was written, else None."""
    try:
        values = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for kind, digest in values["sha256"].items():
            if sha256_of(folder / f"{name}.{kind}.parquet") != digest:
                return None
        account = SourceAccount.from_dict(values["account"])
        known = {key: values[key] for key in ShardReport.__slots__ if key not in ("account", "reused")}
        return ShardReport(account=account, reused=True, **known)
    except (OSError, ValueError, KeyError, TypeError):
        return None
