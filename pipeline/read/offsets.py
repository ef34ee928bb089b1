"""Tables that name records by file, offset and length: Parquet, CSV or JSON lines.

Columns are those of Common Crawl's columnar index (`warc_filename`, `warc_record_offset`, `warc_record_length`:
https://commoncrawl.org/columnar-index) or `file` or `filename`, `offset`, `length`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.read import storage
from pipeline.read.gzip_members import Window
from pipeline.read.storage import InputError
from pipeline.read.tables import open_lines

_NAMES = (
    ("warc_filename", "warc_record_offset", "warc_record_length"),
    ("filename", "offset", "length"),
    ("file", "offset", "length"),
)
_CODECS = {".gz": "gzip", ".zst": "zstd", ".xz": "xz"}
_MAX_LINE = 1 << 20  # bytes; a longer first line is text, not a table of offsets

Table = dict[str, set[tuple[int, int]]]


def _stem_and_codec(path: str) -> tuple[str, str]:
    path = path.lower().partition("?")[0] if storage.is_remote(path) else path.lower()
    for suffix, codec in _CODECS.items():
        if path.endswith(suffix):
            return path.removesuffix(suffix), codec
    return path, "plain"


def may_be_table(path: str) -> bool:
    """Whether a file's name allows a table of offsets; `read_table` looks inside."""
    return _stem_and_codec(path)[0].endswith((".parquet", ".csv", ".jsonl", ".ndjson"))


def _columns_of(present: Iterable[str]) -> tuple[str, str, str] | None:
    names = set(present)
    if "text" in names:
        return None
    return next((c for c in _NAMES if names.issuperset(c)), None)


def read_table(path: str, table_root: str, *, strict: bool = True) -> Table | None:
    """Ranges (offset, length in bytes) by file; None where the file is no table of offsets.

    Raises InputError for rows that name no record, and (`strict`) for a CSV without these columns, which otherwise is
    an empty table: a folder may hold such files.
    """
    stem, codec = _stem_and_codec(path)
    if stem.endswith(".parquet"):
        rows = _parquet_rows(path)
    elif stem.endswith(".csv"):
        rows = _csv_rows(path, codec)
    else:
        rows = _json_rows(path, codec)
    if rows is None and not stem.endswith(".csv"):
        return None
    if rows is None and strict:
        expected = " or ".join(", ".join(c) for c in _NAMES[:2])
        raise InputError(f"{path}: no table of offsets; a CSV needs the columns {expected}")
    table: Table = {}
    for row, (name, offset, length) in enumerate(rows or ()):
        try:
            start, size = int(offset), int(length)
        except (TypeError, ValueError):
            start = size = -1
        if not isinstance(name, str) or not name or start < 0 or size < 1:
            raise InputError(f"{path}: row {row} names no record; it needs a file, an offset and a length above 0")
        table.setdefault(_resolve(name, path, table_root), set()).add((start, size))
    return table


def _resolve(name: str, table: str, root: str) -> str:
    if storage.is_remote(name) or os.path.isabs(name):
        return name
    if name.startswith("crawl-data/"):
        return root.rstrip("/") + "/" + name
    if storage.is_remote(table):
        return table.rpartition("/")[0] + "/" + name
    return os.path.join(os.path.dirname(storage.local_path(table)), name)


def _parquet_rows(path: str) -> Iterator[tuple[Any, Any, Any]] | None:
    import pyarrow.parquet as pq

    with storage.open_stream(path) as handle:
        try:
            columns = _columns_of(pq.ParquetFile(handle).schema_arrow.names)
        except InputError:
            raise
        except Exception:
            return None  # damaged, or no Parquet: the reader says so
    if columns is None:
        return None
    wanted = columns

    def rows() -> Iterator[tuple[Any, Any, Any]]:
        with storage.open_stream(path) as handle:
            try:
                for batch in pq.ParquetFile(handle).iter_batches(columns=list(wanted)):
                    yield from zip(*(batch.column(c).to_pylist() for c in wanted), strict=True)
            except InputError:
                raise
            except Exception as e:
                raise InputError(f"{path}: the table of offsets cannot be read; it is damaged") from e

    return rows()


def _text_lines(path: str, codec: str) -> Iterator[bytes]:
    file = storage.open_file(path)
    try:
        stream = open_lines(Window(file), codec)
        rest = b""
        while chunk := stream.read():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > _MAX_LINE:
                yield rest
                return
        if stream.error is not None:
            raise InputError(f"{path}: cannot be read to its end ({stream.error[1]})")
        if rest:
            yield rest
    finally:
        file.close()


def _csv_rows(path: str, codec: str) -> Iterator[tuple[Any, Any, Any]] | None:
    reader = csv.DictReader(line.decode("utf-8-sig", "replace") + "\n" for line in _text_lines(path, codec))
    present = [str(name) for name in reader.fieldnames or ()]
    columns = _columns_of(present)
    if columns is None:
        return None
    a, b, c = columns
    return ((row[a], row[b], row[c]) for row in reader)


def _json_rows(path: str, codec: str) -> Iterator[tuple[Any, Any, Any]] | None:
    lines = _text_lines(path, codec)
    try:
        first = next((line for line in lines if line.strip()), b"")
    except InputError:
        return None
    values = _json(first)
    columns = _columns_of(values) if values is not None else None
    lines.close()  # type: ignore[attr-defined]
    if columns is None:
        return None
    a, b, c = columns

    def rows() -> Iterator[tuple[Any, Any, Any]]:
        for line in _text_lines(path, codec):
            if line.strip():
                row = _json(line) or {}
                yield row.get(a), row.get(b), row.get(c)

    return rows()


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
