"""Tables that name records by file, offset and length: Parquet, CSV or JSON lines.

Columns are those of Common Crawl's columnar index (`warc_filename`, `warc_record_offset`, `warc_record_length`:
https://commoncrawl.org/columnar-index) or `file` or `filename`, `offset`, `length`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
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
_MAX_END = 1 << 62  # bytes; no record ends behind it

Table = dict[str, set[tuple[int, int]]]


def stem_and_codec(path: str) -> tuple[str, str]:
    path = path.lower().partition("?")[0] if storage.is_remote(path) else path.lower()
    for suffix, codec in _CODECS.items():
        if path.endswith(suffix):
            return path.removesuffix(suffix), codec
    return path, "plain"


def is_text(name: str) -> bool:
    """Whether a file name is valid UTF-8 without NUL; others can neither be opened by all nor stand in the output."""
    try:
        return b"\0" not in name.encode("utf-8")
    except UnicodeEncodeError:
        return False


def may_be_table(path: str) -> bool:
    """Whether a file's name allows a table of offsets; `read_table` looks inside."""
    return stem_and_codec(path)[0].endswith((".parquet", ".csv", ".jsonl", ".ndjson"))


def _columns_of(present: Iterable[str], text_column: str) -> tuple[str, str, str] | None:
    names = set(present)
    if text_column in names:
        return None
    return next((c for c in _NAMES if names.issuperset(c)), None)


def read_table(path: str, table_root: str, *, strict: bool = True, text_column: str = "text") -> Table | None:
    """Ranges (offset, length in bytes) by file; None where the file is no table of offsets.

    A table that has `text_column` holds text, whatever else it has.
    Raises InputError for rows that name no record, and (`strict`) for a CSV without these columns, which otherwise is
    an empty table: a folder may hold such files.
    """
    stem, codec = stem_and_codec(path)
    if stem.endswith(".parquet"):
        rows = _parquet_rows(path, text_column)
    elif stem.endswith(".csv"):
        rows = _csv_rows(path, codec, text_column)
    else:
        rows = _json_rows(path, codec, text_column)
    if rows is None and not stem.endswith(".csv"):
        return None
    if rows is None and strict:
        expected = " or ".join(", ".join(c) for c in _NAMES[:2])
        raise InputError(
            f"{path}: no table of offsets; a CSV needs the columns {expected} and none named {text_column!r} "
            "(text is read from JSONL and Parquet)"
        )
    table: Table = {}
    for row, (name, offset, length) in enumerate(rows or ()):
        start, size = _number(offset), _number(length)
        if start is None or not size or start + size > _MAX_END or not isinstance(name, str) or not name:
            raise InputError(
                f"{path}: row {row} names no record; it needs a file, and an offset and a length above 0, whole numbers"
            )
        if not is_text(name):
            raise InputError(f"{path}: row {row} names a file that cannot exist ({name[:200]!a}); correct it")
        table.setdefault(_resolve(name, path, table_root), set()).add((start, size))
    return table


def _number(value: Any) -> int | None:
    """A whole number from 0, also as text or as 12.0; None for anything else."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):  # NaN, Infinity
        return None
    return number if number == value and number >= 0 else None


def _resolve(name: str, table: str, root: str) -> str:
    """A path or URL; two spellings of one local file may remain, see `list_sources`."""
    if storage.is_remote(name) or os.path.isabs(name):
        return name
    if name.startswith("file://"):
        return storage.local_path(name)
    if name.startswith("crawl-data/"):
        return root.rstrip("/") + "/" + name
    if storage.is_remote(table):
        return _below(table.rpartition("/")[0], name)
    return os.path.join(os.path.dirname(storage.local_path(table)), name)


def _below(folder: str, name: str) -> str:
    """The URL of a relative name, with `.` and `..` resolved."""
    scheme, _, rest = folder.partition("://")
    parts = rest.split("/")
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1] or parts
        elif part != ".":
            parts.append(part)
    return f"{scheme}://{'/'.join(parts)}"


def _parquet_rows(path: str, text_column: str) -> Iterator[tuple[Any, Any, Any]] | None:
    import pyarrow.parquet as pq

    with storage.open_stream(path) as handle:
        try:
            columns = _columns_of(pq.ParquetFile(handle).schema_arrow.names, text_column)
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
        number = 0
        while chunk := stream.read():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            number += len(lines)
            if len(rest) > _MAX_LINE:
                if number:
                    raise InputError(f"{path}: line {number + 1} is over {_MAX_LINE} bytes; correct it")
                yield rest
                return
        if stream.error is not None:
            raise InputError(f"{path}: cannot be read to its end ({stream.error[1]})")
        if rest:
            yield rest
    finally:
        file.close()


def _csv_rows(path: str, codec: str, text_column: str) -> Iterator[tuple[Any, Any, Any]] | None:
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_LINE))  # of all fields: other columns may be long
    reader = csv.DictReader(line.decode("utf-8-sig", "replace") + "\n" for line in _text_lines(path, codec))
    try:
        present = [str(name) for name in reader.fieldnames or ()]
    except csv.Error:
        return None
    columns = _columns_of(present, text_column)
    if columns is None:
        return None
    a, b, c = columns

    def rows() -> Iterator[tuple[Any, Any, Any]]:
        number = 0
        try:
            for row in reader:
                yield row[a], row[b], row[c]
                number += 1
        except csv.Error as e:
            raise InputError(f"{path}: row {number} of the table of offsets cannot be read ({e}); correct it") from e

    return rows()


def _json_rows(path: str, codec: str, text_column: str) -> Iterator[tuple[Any, Any, Any]] | None:
    lines = _text_lines(path, codec)
    try:
        first = next((line for line in lines if line.strip()), b"")
    except InputError:
        return None
    values = _json(first)
    columns = _columns_of(values, text_column) if values is not None else None
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
