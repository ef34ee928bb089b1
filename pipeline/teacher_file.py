"""The file that `headwater detectors teach` writes: statistics of a language model for a sample of documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.ai_text.zero_shot import STATISTICS_VERSION, TEACHER_COLUMNS, Float64, Int64
from pipeline.read.storage import InputError

METADATA_KEY = b"headwater.teacher"


@dataclass(frozen=True, slots=True)
class TeacherMeta:
    """How the statistics were made; files with unlike ones must not be mixed."""

    model: str
    digest: str  # 16 hex digits of the model's files
    observer: str | None
    observer_digest: str | None
    tokens: int  # most tokens of a document that are read
    sample: str  # a number of documents, or a share
    canonical_version: int
    statistics_version: int = STATISTICS_VERSION


@dataclass(frozen=True, slots=True)
class Measured:
    """Statistics of one document."""

    record_id: str | None
    doc_id: str
    tokens: int
    statistics: bytes  # float32, in the order of TEACHER_COLUMNS


@dataclass(frozen=True, slots=True)
class TeacherFile:
    """A teacher file in memory."""

    ids: list[str]  # record ids; the doc id where a record has none
    statistics: Float64  # (rows, len(TEACHER_COLUMNS)), NaN for null
    meta: TeacherMeta

    def rows_of(self, ids: Sequence[str]) -> Int64:
        """Row of each document, (documents,); -1 for those that are not in the sample."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        return np.array([row_of.get(name, -1) for name in ids], dtype=np.int64)


def teacher_schema(meta: TeacherMeta) -> pa.Schema:
    """Columns of the file, with how it was made as metadata."""

    def field(name: str, kind: pa.DataType, description: str, nullable: bool = True) -> pa.Field:
        return pa.field(name, kind, nullable=nullable, metadata={"description": description})

    return pa.schema(
        [
            field("record_id", pa.string(), "WARC-Record-ID, or the id of the text table"),
            field("doc_id", pa.string(), "32 hex digits; as in every other output", False),
            field("lm_tokens", pa.int32(), "tokens of the canonical text that the model read", False),
            *(field(name, pa.float32(), "see detectors/ai_text/zero_shot.py") for name in TEACHER_COLUMNS),
        ],
        metadata={METADATA_KEY: json.dumps(asdict(meta), sort_keys=True).encode()},
    )


def write_teacher(path: str | Path, rows: Sequence[Measured], meta: TeacherMeta) -> None:
    """Write the file under a temporary name, then rename it. Rows are sorted, so that their order does not matter."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda row: (row.record_id or "", row.doc_id))
    values = np.frombuffer(b"".join(row.statistics for row in ordered), np.float32).reshape(-1, len(TEACHER_COLUMNS))
    columns = [
        pa.array([row.record_id for row in ordered], pa.string()),
        pa.array([row.doc_id for row in ordered], pa.string()),
        pa.array([row.tokens for row in ordered], pa.int32()),
        *(pa.array(np.ascontiguousarray(values[:, c]), from_pandas=True) for c in range(values.shape[1])),
    ]
    temporary = path.with_name(f".{path.name}.writing")
    try:
        pq.write_table(pa.Table.from_arrays(columns, schema=teacher_schema(meta)), temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_teacher(path: str | Path) -> TeacherFile:
    """A teacher file.

    Raises:
        InputError: no such file, not a teacher file, or one of another version.
    """
    try:
        table = pq.read_table(path)
        found = json.loads((table.schema.metadata or {})[METADATA_KEY])
        if found.get("statistics_version") != STATISTICS_VERSION:
            raise InputError(f"{path}: statistics of another version; run `headwater detectors teach` again")
        meta = TeacherMeta(**found)
        columns = [table.column(name).to_numpy(zero_copy_only=False) for name in TEACHER_COLUMNS]
        names = table.column("record_id").to_pylist()
        doc_ids = table.column("doc_id").to_pylist()
    except (OSError, KeyError, ValueError, TypeError) as error:  # Arrow's errors are ValueErrors
        message = f"{path}: no file of `headwater detectors teach` ({type(error).__name__})"
        raise InputError(message) from error
    ids = [name if name is not None else doc_id for name, doc_id in zip(names, doc_ids, strict=True)]
    statistics = np.stack(columns, axis=1).astype(np.float64) if ids else np.empty((0, len(TEACHER_COLUMNS)))
    return TeacherFile(ids, statistics, meta)
