"""Published files: which rows go where, sorted, in files of a stated size, the same bytes every time. No Beam.

Rows go to a file by the head of their document id, so a file's rows do not depend on splits, and the files of a group
are sorted as a whole. Each staged shard is read once and cut into pieces (Arrow files, one batch per target file);
each target file is then gathered from its pieces, sorted, and published under its name only when it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.annotate import ShardReport
from pipeline.cuts import cut_table, read_repeats
from pipeline.decide import PAIR_BYTES, PAIRS, ROW_OVERHEAD, decisions_path, pairs_path, quality_profile
from pipeline.judge import verdicts_path, with_verdicts
from pipeline.keys import keys_path, read_arrow
from pipeline.match import roles_path
from schemas.config import CurateConfig
from schemas.document import DROPPED, TIMESTAMP, data_schema
from schemas.failure import FAILURES
from schemas.manifest import FileEntry, sha256_of

# Uncompressed bytes of a row group; readers hold one in memory.
ROW_GROUP_BYTES = 16 << 20
# Groups of which a run has a file in any case: queries over them must work where there is nothing.
ALWAYS = ("dropped/part", "failures/part", "index/part", "index/pairs")
LOW_CARDINALITY = (
    "source_file", "language", "provenance_label", "cluster_size", "split", "reason", "unit", "stage", "code",
    "media_type", "status",
)  # fmt: skip

INDEX = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("source_offset", pa.int64(), nullable=False),
        pa.field("fetched_at", TIMESTAMP),
        pa.field("url_key", pa.uint64()),
        pa.field("content_hash", pa.binary(16)),
        pa.field("bands", pa.binary()),  # 8 bytes a band, little-endian
        pa.field("shingles", pa.int32()),
        pa.field("sketch", pa.binary()),  # smallest shingle hashes, uint32, little-endian
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("cluster_run", pa.string()),  # earlier run that published what stands for the cluster; null: this one
        pa.field("reason", pa.string()),  # why it was dropped; null where it was kept
        pa.field("role", pa.int8(), nullable=False),  # in the matching of texts, see `pipeline.match`
    ]
)


@cache
def group_schema(group: str, quality_signals: tuple[str, ...]) -> pa.Schema:
    """Schema of the files of a group such as `data/human/train`, `dropped/part`, `failures/part`, `index/part`."""
    kind = group.split("/")[0]
    if kind == "data":
        return data_schema(list(quality_signals))
    if kind == "dropped":
        return DROPPED
    if kind == "failures":
        return FAILURES
    return PAIRS if group == "index/pairs" else INDEX


def file_counts(group_bytes: Mapping[str, int], file_bytes: int) -> dict[str, int]:
    """Files of each group: as many as keep each near `file_bytes`, at least one."""
    counts = {group: max(1, round(size / file_bytes)) for group, size in group_bytes.items()}
    for always in ALWAYS:
        counts.setdefault(always, 1)
    return counts


def file_path(group: str, number: int, count: int) -> str:
    """Path of a file, relative to the run."""
    return f"{group}-{number:05d}-of-{count:05d}.parquet"


def file_number(doc_id: str, count: int) -> int:
    """File of a row by the head of its id: ranges of ids, so that files are in order."""
    return (int(doc_id[:8], 16) * count) >> 32


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one shard for one target file: record batch `batch` of the Arrow file `path`."""

    target: str
    path: str
    batch: int
    rows: int


def _failure_id(row: Mapping[str, Any]) -> str:
    key = f"{row['source_file']}\x00{row['source_offset']}\x00{row['unit']}".encode("utf-8", "surrogatepass")
    return str(row["doc_id"] or xxhash.xxh3_128_hexdigest(key))


def write_pieces(
    staged: str,
    pieces: str,
    report: ShardReport,
    counts: Mapping[str, int],
    config: CurateConfig,
) -> list[Piece]:
    """Read a staged shard once and cut it into pieces by target file."""
    decisions = read_arrow(decisions_path(staged, report.name))
    documents = with_verdicts(
        pq.read_table(Path(staged) / f"{report.name}.documents.parquet", partitioning=None),
        read_arrow(verdicts_path(staged, report.name)),
    )
    groups = decisions.column("group").to_pylist()
    doc_ids = documents.column("doc_id").to_pylist()
    signals = tuple(field.name for field in documents.schema.field("quality").type)
    repeats = read_repeats(staged, report.name, config.policy.duplicates)

    def schema_of(group: str) -> pa.Schema:
        return group_schema(group, signals)

    def targets(group: str, ids: Sequence[str]) -> list[str]:
        count = counts[group]
        return [file_path(group, file_number(doc_id, count), count) for doc_id in ids]

    data_rows: dict[str, list[int]] = {}
    drop_rows: list[int] = []
    for row, group in enumerate(groups):
        if group == "dropped/part":
            drop_rows.append(row)
        else:
            data_rows.setdefault(group, []).append(row)

    def parts() -> Iterator[tuple[str, pa.Table, list[str]]]:
        for group in sorted(data_rows):
            rows = data_rows[group]
            table = documents.take(rows)
            decided = decisions.take(rows)
            for name in ("cluster_id", "cluster_size", "split", "mix_weight"):
                table = table.append_column(name, decided.column(name))
            here = {at: repeats[row] for at, row in enumerate(rows) if row in repeats}
            table = cut_table(table, quality_profile(config).cut, here)
            yield group, conform(table, schema_of(group)), targets(group, [doc_ids[row] for row in rows])
        dropped = [conform(pq.read_table(Path(staged) / f"{report.name}.dropped.parquet", partitioning=None), DROPPED)]
        late = documents.take(pa.array(drop_rows, pa.int64()))
        decided = decisions.take(pa.array(drop_rows, pa.int64()))
        for name in ("reason", "duplicate_of", "duplicate_run", "matched", "matched_run", "similarity", "cluster_id"):
            late = late.append_column(name, decided.column(name))
        dropped.append(conform(late, DROPPED))
        table = pa.concat_tables(dropped)
        yield "dropped/part", table, targets("dropped/part", table.column("doc_id").to_pylist())
        failures = pq.read_table(Path(staged) / f"{report.name}.failures.parquet", partitioning=None)
        ids = [_failure_id(row) for row in failures.to_pylist()]
        yield "failures/part", conform(failures, FAILURES), targets("failures/part", ids)
        keys = read_arrow(keys_path(staged, report.name))
        index = pa.table(
            {
                **{name: documents.column(name) for name in ("doc_id", "source_file", "source_offset", "fetched_at")},
                "content_hash": documents.column("content_hash"),
                **{name: keys.column(name) for name in ("url_key", "shingles", "sketch")},
                "bands": packed_lists(keys.column("bands")),
                **{name: decisions.column(name) for name in ("cluster_id", "reason")},
                "cluster_run": decisions.column("duplicate_run"),
                "role": read_arrow(roles_path(staged, report.name)).column("role"),
            }
        )
        yield "index/part", conform(index, schema_of("index/part")), targets("index/part", doc_ids)
        pairs = read_arrow(pairs_path(staged, report.name))
        if pairs.num_rows:
            yield "index/pairs", pairs, targets("index/pairs", pairs.column("doc_id").to_pylist())

    found: list[Piece] = []
    for group, table, names in parts():
        if table.num_rows:
            path = Path(pieces) / f"{report.name}.{xxhash.xxh3_64_hexdigest(group.encode())}.arrow"
            order = np.argsort(np.array(names), kind="stable")
            ordered = [names[row] for row in order]
            found += write_batches(path, table.schema, [(table.take(pa.array(order)), ordered)])
    return found


def write_batches(path: Path, schema: pa.Schema, parts: Iterable[tuple[pa.Table, Sequence[str]]]) -> list[Piece]:
    """Write tables, and the target of each row, to an Arrow file of a batch per table and target.

    Rows of one target follow one another. The file is under its name when it is whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    found: list[Piece] = []
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for table, targets in parts:
            whole = table.combine_chunks()
            starts = [row for row in range(len(targets)) if row == 0 or targets[row] != targets[row - 1]]
            for begin, end in zip(starts, [*starts[1:], len(targets)], strict=True):
                writer.write_batch(whole.slice(begin, end - begin).combine_chunks().to_batches()[0])
                found.append(Piece(targets[begin], str(path), len(found), end - begin))
    temporary.replace(path)
    return found


def packed_lists(values: pa.ChunkedArray) -> pa.Array:
    """Lists of uint64 as binary values, little-endian."""
    return pa.array(
        [None if row is None else np.array(row, "<u8").tobytes() for row in values.to_pylist()], pa.binary()
    )


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns and types of `schema`; columns that it lacks are null."""
    have = set(table.schema.names)
    columns = [
        table.column(field.name).cast(field.type) if field.name in have else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def read_piece(piece: Piece) -> pa.Table:
    """Rows of a piece, memory-mapped."""
    with pa.memory_map(piece.path) as source:
        return pa.Table.from_batches([pa.ipc.open_file(source).get_batch(piece.batch)])


def write_file(root: str, target: str, pieces: Sequence[Piece], schema: pa.Schema) -> FileEntry:
    """Gather a target file from its pieces, sort its rows, and publish it under its name when it is whole.

    Raises:
        OSError: what was written cannot be read back in full.
    """
    (Path(root) / target).parent.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables([read_piece(piece) for piece in pieces]) if pieces else schema.empty_table()
    keys = ["doc_id"] if "doc_id" in schema.names and not target.startswith("failures/") else []
    keys += ["matched"] if schema == PAIRS else ["source_file", "source_offset"]
    order = pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys])
    rows = table.num_rows
    group_rows = max(1, rows * ROW_GROUP_BYTES // row_bytes(table, target)) if rows else 1
    groups = (order.slice(begin, group_rows) for begin in range(0, rows, group_rows))
    return write_tables(Path(root), target, schema, (table.take(group).combine_chunks() for group in groups))


def write_tables(
    root: Path,
    name: str,
    schema: pa.Schema,
    tables: Iterator[pa.Table],
    dictionary: Sequence[str] = LOW_CARDINALITY,
) -> FileEntry:
    """Write a Parquet file, a row group a table, under its name when it is whole.

    Raises:
        OSError: what was written cannot be read back in full.
    """
    encoded = [column for column in dictionary if column.split(".")[0] in schema.names]

    def write(path: Path) -> int:
        rows = 0
        with pq.ParquetWriter(
            path, schema, compression="zstd", compression_level=3, use_dictionary=encoded, write_page_index=True
        ) as writer:
            for table in tables:
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
                    rows += table.num_rows
        return rows

    return publish(root, name, write, lambda path: int(pq.read_metadata(path).num_rows))


def publish(root: Path, name: str, write: Callable[[Path], int], count: Callable[[Path], int]) -> FileEntry:
    """Publish a file under its name when it is whole: `write` returns its rows, and `count` finds as many.

    Raises:
        OSError: what was written cannot be read back in full.
    """
    path = root / name
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        rows = write(temporary)
        if count(temporary) != rows:
            raise OSError(f"{name}: what was written could not be read back; is the disk full?")
        digest, size = sha256_of(temporary), temporary.stat().st_size
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return FileEntry(name, rows, size, digest)


def row_bytes(table: pa.Table, target: str) -> int:
    """Size of a table as row groups count it: a function of its values alone, never of how they lie in memory."""
    a_row = PAIR_BYTES if target.startswith("index/pairs") else ROW_OVERHEAD[target.split("/")[0]]
    size: int = a_row * table.num_rows
    if "text" in table.schema.names:
        size += pc.sum(pc.binary_length(table.column("text"))).as_py() or 0
    return size
