"""Tables that already hold text: JSON lines (plain, gzip, zstd, xz) and Parquet. One row is one page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import xxhash

from pipeline.read import arc, warc
from pipeline.read.gzip_members import Window
from pipeline.read.records import Page, ReadLimits, Split, TextColumns, known_time, micros_of
from pipeline.read.storage import InputError, open_stream
from pipeline.read.streams import GzipStream, PlainStream, Stream, XzStream, ZstdStream

_BATCH_ROWS = 256  # rows of Parquet that are Python objects at one time
_LINE_FACTOR = 4  # JSON escapes make three bytes of each byte of text, at most six
_LINE_REST = 64 << 10  # bytes of the other columns


def open_lines(window: Window, codec: str) -> Stream:
    """The decompressed stream of a JSON lines file; `codec` as `detect_format` says."""
    if codec == "gzip":
        return GzipStream(window)
    if codec == "zstd":
        return ZstdStream(window)
    return XzStream(window) if codec == "xz" else PlainStream(window)


def time_of(value: Any) -> int | None:
    """Microseconds since the epoch, UTC, of a date and time, an ISO or 14-digit text, or a number of seconds.

    None for everything else, and for times outside the years 1 to 9999.
    """
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, datetime):
            return micros_of(value if value.tzinfo else value.replace(tzinfo=UTC))
        if isinstance(value, date):
            return micros_of(datetime(value.year, value.month, value.day, tzinfo=UTC))
        if isinstance(value, int | float):
            seconds = value / 1000 if abs(value) > 1e11 else value  # milliseconds, as JavaScript writes them
            return known_time(int(seconds * 1_000_000))
        if not isinstance(value, str):
            return None
        text = value[:64]
        return arc.parse_date(text) if text[:8].isdigit() else warc.parse_date(text)
    except (ValueError, OverflowError):
        return None


def row_page(split: Split, row: int, values: dict[str, Any], columns: TextColumns, limits: ReadLimits) -> Page:
    """The page of a row; without text, or with one over the limits, a page with an error."""
    identifier, url, text = values.get(columns.id), values.get(columns.url), values.get(columns.text)
    page = Page(
        record_id=name_text(identifier),
        url=name_text(url),
        source_file=split.source_file,
        source_offset=row,
        fetched_at=time_of(values.get(columns.fetched_at)),
        record_type="row",
    )
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        page.error = ("text_missing", f"no text in row {row}")
        page.payload_digest = _row_digest(row, (page.record_id or "").encode())
        return page
    raw = text.encode("utf-8", "surrogatepass")
    page.payload_digest = xxhash.xxh3_128_digest(raw)
    if len(raw) > limits.max_body_bytes:
        page.error = ("body_too_large", f"the text is over {limits.max_body_bytes} bytes")
    else:
        page.text = clean_text(text)
    return page


def clean_text(text: str) -> str:
    """Text without lone surrogates, which JSON escapes can hold and Parquet cannot."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def name_text(value: Any) -> str | None:
    """An identifier or URL as text; None where there is none, or one too deep to be written."""
    try:
        return None if value is None else clean_text(str(value))
    except (ValueError, RecursionError):
        return None


def _row_digest(row: int, known: bytes) -> bytes:
    """What stands for the digest of a text that is not there: without it all such rows would be one document."""
    digest: bytes = xxhash.xxh3_128_digest(b"row %d\x00" % row + known)
    return digest


def failed_row(split: Split, row: int, code: str, message: str, line: bytes = b"") -> Page:
    """The page of a row that cannot be read; `line` tells such rows apart."""
    digest = _row_digest(row, line)
    return Page(None, None, split.source_file, row, None, "row", payload_digest=digest, error=(code, message))


def _no_text_column(split: Split, columns: TextColumns, present: list[str]) -> InputError:
    return InputError(
        f"{split.source_file}: no column {columns.text!r}; columns are {', '.join(sorted(present)) or 'none'}; "
        "choose one with --text-column"
    )


def read_json_lines(
    split: Split, stream: Stream, columns: TextColumns, limits: ReadLimits, skip: frozenset[int]
) -> Iterator[Page]:
    """Pages of a JSON lines file; `source_offset` is the row number, from 0, blank lines not counted.

    A line that is no JSON object, or too long, is a page with an error. Raises InputError where the first row lacks the
    text column.
    """
    seen = False
    for row, line in enumerate(json_lines(stream, limits)):
        if isinstance(line, tuple):
            yield failed_row(split, row, line[0], f"{line[1]} (row {row})")
            continue
        if row in skip:
            yield failed_row(split, row, "skipped", "")
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            yield failed_row(split, row, "row_malformed", f"row {row} is no JSON object", line)
            continue
        if not seen and columns.text not in values:
            raise _no_text_column(split, columns, [str(k) for k in values])
        seen = True
        yield row_page(split, row, values, columns, limits)


def json_lines(stream: Stream, limits: ReadLimits) -> Iterator[bytes | tuple[str, str]]:
    """Lines that are not blank; a line too long for a text within the limits, and damage, as (code, message)."""
    limit = _LINE_FACTOR * limits.max_body_bytes + _LINE_REST
    parts: list[bytes] = []
    held, dropping = 0, False
    while chunk := stream.read():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            if parts:
                line, parts, held = b"".join((*parts, line)), [], 0
            if dropping or len(line) > limit:
                dropping = False
                yield ("body_too_large", f"the line is over {limit} bytes")
            elif line.strip():
                yield line.removeprefix(b"\xef\xbb\xbf")
        if not dropping:
            parts.append(rest)
            held += len(rest)
            dropping = held > limit
        if dropping:
            parts, held = [], 0
    if stream.error is not None:
        yield stream.error
    elif dropping:
        yield ("body_too_large", f"the line is over {limit} bytes")
    else:
        last = b"".join(parts)
        if last.strip():
            yield last


def json_objects(name: str, window: Window, codec: str) -> Iterator[dict[str, Any]]:
    """Rows of a JSON lines file that must be whole; `codec` as `detect_format` says.

    Raises:
        InputError: a row that is no JSON object or too long, or damage.
    """
    for row, line in enumerate(json_lines(open_lines(window, codec), ReadLimits())):
        if isinstance(line, tuple):
            raise InputError(f"{name}: row {row}: {line[1]}")
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InputError(f"{name}: row {row} is no JSON object; correct it or leave it out")
        yield values


def read_parquet(split: Split, columns: TextColumns, limits: ReadLimits, skip: frozenset[int]) -> Iterator[Page]:
    """Pages of the row groups that begin in the split; `source_offset` is the row number in the file, from 0.

    A row group that cannot be read gives one failed page for each of its rows that are missing. Raises InputError where
    the text column is missing; a file that is no Parquet after all gives one failed page.
    """
    import pyarrow.parquet as pq

    with open_stream(split.source_file) as handle:
        try:
            # Nanoseconds, Arrow's choice for INT96, end in 2262 and then begin again in 1677.
            file = pq.ParquetFile(handle, page_checksum_verification=True, coerce_int96_timestamp_unit="us")
            present = file.schema_arrow.names
        except InputError:
            raise
        except Exception as e:  # damaged metadata raises more than Arrow's own errors, such as UnicodeDecodeError
            if split.start == 0:
                yield failed_row(split, 0, "parquet_corrupt", f"the Parquet file cannot be opened ({type(e).__name__})")
            return
        if columns.text not in present:
            raise _no_text_column(split, columns, present)
        wanted = [c for c in dict.fromkeys((columns.id, columns.text, columns.url, columns.fetched_at)) if c in present]
        first_row = 0
        for group in range(file.num_row_groups):
            meta = file.metadata.row_group(group)
            # Whatever damaged metadata says, every row group belongs to one split.
            start = min((_chunk_start(meta.column(i)) for i in range(meta.num_columns)), default=0)
            if split.start <= max(0, min(start, split.source_bytes - 1)) < split.end:
                yield from _read_group(file, split, group, first_row, meta.num_rows, wanted, columns, limits)
            first_row += meta.num_rows


def _chunk_start(column: Any) -> int:
    offset: int = column.data_page_offset
    dictionary = column.dictionary_page_offset
    return offset if dictionary is None else min(offset, dictionary)


def _read_group(
    file: Any,
    split: Split,
    group: int,
    first_row: int,
    rows: int,
    wanted: list[str],
    columns: TextColumns,
    limits: ReadLimits,
) -> Iterator[Page]:
    done = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=wanted):
            names = batch.schema.names
            arrays = [column_values(batch.column(i)) for i in range(len(names))]
            for values in zip(*arrays, strict=True):
                yield row_page(split, first_row + done, dict(zip(names, values, strict=True)), columns, limits)
                done += 1
    except InputError:
        raise
    except Exception as e:
        message = f"row group {group} cannot be read ({type(e).__name__})"
        for row in range(first_row + done, first_row + rows):
            yield failed_row(split, row, "parquet_corrupt", message)


def column_values(column: Any) -> list[Any]:
    """A column as Python values: times in UTC and microseconds, invalid UTF-8 replaced.

    A value that Python cannot represent, such as a time after the year 9999, is None and costs no other row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        unit = "us" if column.type.unit == "ns" else column.type.unit
        column = pc.cast(column, pa.timestamp(unit, tz=column.type.tz and "UTC"), safe=False)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        binary = pa.binary() if pa.types.is_string(column.type) else pa.large_binary()
        return [None if v is None else v.decode("utf-8", "replace") for v in column.cast(binary).to_pylist()]
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        values = [_scalar(value) for value in column]
    return values


def _scalar(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return None
