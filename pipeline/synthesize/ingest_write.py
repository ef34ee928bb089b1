"""The published files of ingested text: the rows of the run that curated it, with their lineage and their own source.

The run had one table of texts, so its `source_offset` is the place of a row among those that were accepted; rows are
joined by it and never by text. Files are ranges of document ids, sorted; memory is that of one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.synthesize.ingest_mapped import MappedRows
from pipeline.synthesize.ingest_schema import LINEAGE, REFUSED, synthetic_schema
from pipeline.write import INDEX, ROW_GROUP_BYTES, conform, file_path, row_bytes, write_tables
from schemas.failure import FAILURES
from schemas.manifest import FileEntry, SourceAccount

_RANGE = 1 << 32  # of the first eight digits of document ids
_LINEAGE_NAMES = tuple(one.name for one in LINEAGE)


@dataclass(slots=True)
class Staged:
    """What is known before anything is published: accepted and refused rows, failures, and the run of the accepted.

    `curated` is the folder of that run, null where nothing was accepted; `files` are its Parquet files by folder.
    """

    accepted: MappedRows
    refused: MappedRows
    failed: pa.Table
    curated: Path | None
    files: dict[str, list[str]]
    quality_signals: tuple[str, ...]
    contaminated: list[pa.Table] = field(default_factory=list)  # without their texts


def publish(root: Path, staged: Staged, file_bytes: int) -> tuple[list[FileEntry], dict[str, SourceAccount]]:
    """Write data, dropped, failures and index; returns their entries, and kept, dropped and failed by source file."""
    accounts: dict[str, SourceAccount] = {}

    def account(source: str) -> SourceAccount:
        return accounts.setdefault(source, SourceAccount())

    def keep(table: pa.Table) -> None:
        for source, count in _counts(table, "source_file"):
            account(source).kept += count

    def drop(table: pa.Table) -> None:
        for source, reason, count in _counts(table, "source_file", "reason"):
            account(source).dropped[reason] += count

    def fail(table: pa.Table) -> None:
        for source, code, count in _counts(table, "source_file", "code"):
            account(source).failed[code] += count

    schema = synthetic_schema(staged.quality_signals)
    size = _stored_bytes(staged, "data")
    entries = _write(root, "data/synthetic", schema, lambda *ids: _kept(staged, *ids), keep, size // file_bytes)
    rest = len(staged.refused) + sum(table.num_rows for table in staged.contaminated)
    size = _stored_bytes(staged, "dropped") + 500 * rest
    entries += _write(root, "dropped/part", REFUSED, lambda *ids: _dropped(staged, *ids), drop, size // file_bytes)
    entries += _write(root, "failures/part", FAILURES, lambda *ids: _failed(staged, *ids), fail, 0)
    gone = pa.array([name for table in staged.contaminated for name in table.column("doc_id").to_pylist()], pa.string())
    size = _stored_bytes(staged, "index")
    entries += _write(root, "index/part", INDEX, lambda *ids: _index(staged, gone, *ids), None, size // file_bytes)
    return entries, accounts


def _counts(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    groups = table.group_by(list(names)).aggregate([([], "count_all")])
    return [tuple(row[name] for name in (*names, "count_all")) for row in groups.to_pylist()]


def _stored_bytes(staged: Staged, folder: str) -> int:
    """Uncompressed bytes of the run's files in a folder: a function of the rows alone."""
    size = 0
    for name in staged.files.get(folder, ()):
        metadata = pq.read_metadata(_path(staged, name))
        size += sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    return size


def _path(staged: Staged, name: str) -> Path:
    assert staged.curated is not None
    return staged.curated / name


def _write(
    root: Path,
    group: str,
    schema: pa.Schema,
    rows: Callable[[str, str], Iterator[pa.Table]],
    count_rows: Callable[[pa.Table], None] | None,
    files: int,
) -> list[FileEntry]:
    """The files of a group, at least one; `rows` gives those from one document id to before another, in any order."""
    files = max(1, files)
    entries = []
    (root / group).parent.mkdir(parents=True, exist_ok=True)
    bounds = [f"{-(-_RANGE * number // files):08x}" for number in range(files)] + ["g"]  # beyond every hex digit
    for number, ids in enumerate(pairwise(bounds)):
        table = pa.concat_tables([schema.empty_table(), *(conform(part, schema) for part in rows(*ids))])
        keys = [(name, "ascending") for name in ("doc_id", "source_file", "source_offset")]
        order = pc.sort_indices(table, sort_keys=keys)
        if count_rows is not None:
            count_rows(table)
        name = file_path(group, number, files)
        step = max(1, table.num_rows * ROW_GROUP_BYTES // max(1, row_bytes(table, name)))
        groups = (table.take(order.slice(begin, step)).combine_chunks() for begin in range(0, table.num_rows, step))
        entries.append(write_tables(root, name, schema, groups))
    return entries


def _between(table: pa.Table, first: str, end: str) -> pa.Table:
    ids = table.column("doc_id")
    return table.filter(pc.and_(pc.greater_equal(ids, first), pc.less(ids, end)))


def _stored(staged: Staged, folder: str, first: str, end: str) -> Iterator[pa.Table]:
    """Rows of the run in a range of ids; row groups that hold none are not read."""
    for name in staged.files.get(folder, ()):
        with pq.ParquetFile(_path(staged, name), pre_buffer=False) as file:
            place = file.schema_arrow.get_field_index("doc_id")
            for group in range(file.num_row_groups):
                ids = file.metadata.row_group(group).column(place).statistics
                if ids is None or not ids.has_min_max or (ids.min < end and ids.max >= first):
                    table = _between(file.read_row_group(group), first, end)
                    if table.num_rows:
                        yield table


def _joined(staged: Staged, table: pa.Table, *names: str) -> pa.Table:
    """Rows of the run with columns of the accepted rows that they are, in the place of their own."""
    accepted = staged.accepted.take(np.asarray(table.column("source_offset"), np.int64), names)
    have = set(table.schema.names)
    for name in names:
        column = accepted.column(name)
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, column) if name in have else table.append_column(name, column)
    return table


def _kept(staged: Staged, first: str, end: str) -> Iterator[pa.Table]:
    for table in _stored(staged, "data", first, end):
        table = _joined(staged, table, "source_file", "split", *_LINEAGE_NAMES, "source_offset")
        found = pc.greater(pc.fill_null(pc.list_value_length(table.column("benchmarks")), 0), 0)
        if pc.any(found).as_py():
            bad = table.filter(found)
            reasons = pa.array(["benchmark"] * bad.num_rows, pa.string())
            staged.contaminated.append(conform(bad.append_column("reason", reasons), REFUSED))
            table = table.filter(pc.invert(found))
        yield table


def _dropped(staged: Staged, first: str, end: str) -> Iterator[pa.Table]:
    for table in (staged.refused.table(), *staged.contaminated):
        yield _between(table, first, end)
    for table in _stored(staged, "dropped", first, end):
        yield _joined(staged, table, "source_file", *_LINEAGE_NAMES, "source_offset")


def _failed(staged: Staged, first: str, end: str) -> Iterator[pa.Table]:
    yield _between(staged.failed, first, end)
    for table in _stored(staged, "failures", "", "g"):
        yield _joined(staged, table, "source_file", "doc_id", "source_offset")


def _index(staged: Staged, gone: pa.Array, first: str, end: str) -> Iterator[pa.Table]:
    for table in _stored(staged, "index", first, end):
        kept = pc.is_null(table.column("reason"))
        kept = pc.and_(kept, pc.invert(pc.is_in(table.column("doc_id"), gone)))
        yield _joined(staged, table.filter(kept), "source_file", "source_offset")


def parquet_files(manifest: dict[str, Any], folders: Sequence[str]) -> dict[str, list[str]]:
    """Paths of the Parquet files of a run by folder; of the index those of pages."""
    names = [entry["path"] for entry in manifest["files"] if entry["path"].endswith(".parquet")]
    found = {folder: [name for name in names if name.startswith(f"{folder}/")] for folder in folders}
    found["index"] = [name for name in found.get("index", []) if name.startswith("index/part-")]
    return found
