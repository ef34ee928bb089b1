"""Rows of synthetic text as their tables declare them, in one form: who wrote a text, from what, how deep. No Beam.

A row whose declaration cannot be used is refused for a reason, a row that cannot be read fails with a code; both stay
in the account.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from detectors.language_codes import language_of_tag
from pipeline.outcomes import doc_id_of
from pipeline.read import tables
from pipeline.read.formats import detect_format
from pipeline.read.gzip_members import Window
from pipeline.read.records import Page, ReadLimits, Source, Split, TextColumns
from pipeline.read.storage import InputError, open_file, open_stream
from pipeline.synthesize.ingest_schema import SCORES
from schemas.recipe import SyntheticSource

ROWS = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_offset", pa.int64()),  # row of the table, from 0
        ("record_id", pa.string()),
        ("doc_id", pa.string()),
        ("text", pa.string()),
        ("generator", pa.string()),
        ("prompt", pa.string()),
        ("seed", pa.string()),
        ("parents", pa.list_(pa.string())),  # as declared: ids, record ids or addresses
        ("depth", pa.int32()),  # as declared; null where it is not
        ("grounded", pa.bool_()),
        ("declared_language", pa.string()),  # ISO 639-3
        ("scores", SCORES),
        ("reason", pa.string()),  # why the row is refused
        ("code", pa.string()),  # why it could not be read
        ("message", pa.string()),
    ]
)
BATCH_ROWS = 1000
BATCH_BYTES = 8 << 20
DEEPEST = 1 << 20  # a declared depth beyond it is a mistake
_FIELDS = ("id", "text", "generator", "prompt", "seed", "parents", "depth", "language")
# What a row takes from the request that it names, where it says nothing itself.
_REQUESTED = ("generator", "prompt", "seed", "parents", "depth", "language")


@dataclass(frozen=True, slots=True)
class Declarations:
    """Which columns declare what, and what holds for rows that say nothing; `requests` are values by request id.

    A row names its request in the column `request`, or has its id.
    """

    source: SyntheticSource
    request_column: str = "request"
    requests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """Name of the column that declares `name` (id, text, generator …)."""
        return self.source.columns.get(name, name)  # type: ignore[call-overload, no-any-return]

    @property
    def named(self) -> frozenset[str]:
        """Columns that the user named: they must be there."""
        return frozenset({*self.source.columns.values(), *self.source.scores})


class Refused(ValueError):
    """A declaration that cannot be used; the message is the reason."""


def read_requests(path: str) -> dict[str, dict[str, Any]]:
    """Requests by `id`, of a JSON lines file that `headwater synthesize gaps` wrote, or of one like it.

    Raises:
        InputError: it cannot be read, a line is no JSON object, or one has no id.
    """
    found: dict[str, dict[str, Any]] = {}
    source = Source(path, 0)
    if _kind(source) == "parquet":
        raise InputError(f"{path}: is Parquet; give the requests as JSON lines")
    for row, line in enumerate(_json_lines(source, ReadLimits())):
        values = None if isinstance(line, tuple) else _json(line)
        name = tables.name_text(values.get("id")) if isinstance(values, dict) else None
        if values is None or name is None:
            raise InputError(f"{path}: row {row} is no request, a JSON object with an id; give the file of requests")
        found[name] = values
    return found


def read_declared(source: Source, declared: Declarations, limits: ReadLimits) -> Iterator[pa.Table]:
    """ROWS of a table (Parquet, or JSON lines with any codec), in batches.

    Raises:
        InputError: no such file, no table, a column that was named is missing, or a score is no number.
    """
    held: list[dict[str, Any]] = []
    size = 0
    missing = set(declared.named)
    for page, values in _read_pages(source, declared, limits):
        if values is not None:
            missing.difference_update(values)
        held.append(declare(page, values, declared))
        size += len(page.text or "") + 256
        if len(held) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield pa.Table.from_pylist(held, schema=ROWS)
            held, size = [], 0
    if held:
        yield pa.Table.from_pylist(held, schema=ROWS)
        if missing:
            raise InputError(f"{source.path}: no row has a column {sorted(missing)[0]!r}; check the names of columns")


def write_rows(path: Path, batches: Iterator[pa.Table]) -> int:
    """Write ROWS as Parquet, a row group a batch; returns the number of rows."""
    rows = 0
    with pq.ParquetWriter(path, ROWS, compression="lz4", use_dictionary=["source_file"]) as writer:
        for batch in batches:
            writer.write_table(batch)
            rows += batch.num_rows
    return rows


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """ROWS that were written, in the same batches."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def declare(page: Page, values: Mapping[str, Any] | None, declared: Declarations) -> dict[str, Any]:
    """One of ROWS: what a row says of its text, with what it is refused for."""
    if page.text is not None:  # of the text that is stored, which may be cleaned
        page.payload_digest = xxhash.xxh3_128_digest(page.text.encode())
    row: dict[str, Any] = {
        "source_file": page.source_file,
        "source_offset": page.source_offset,
        "record_id": page.record_id,
        "doc_id": doc_id_of(page),
        "text": page.text,
    }
    if page.error is not None or values is None:
        row["code"], row["message"] = page.error or ("row_malformed", f"row {page.source_offset} is no row of a table")
        return row
    row["scores"] = _scores(page, values, declared.source.scores)
    try:
        row |= _declaration(values, declared)
        if row["generator"] is None:
            row["reason"] = "no_generator"
        elif row["grounded"] and not row["parents"]:
            row["reason"] = "no_parent"
    except Refused as refused:
        row["reason"] = str(refused)
    return row


def _declaration(values: Mapping[str, Any], declared: Declarations) -> dict[str, Any]:
    source = declared.source
    said = {name: values.get(declared.column(name)) for name in _REQUESTED}
    request = _request_of(values, declared)
    said = {key: request.get(key) if value in (None, "", []) else value for key, value in said.items()}
    parents = parents_of(said["parents"])
    grounded = source.grounded
    if grounded is None and request.get("kind") in ("grounded", "ungrounded"):
        grounded = request["kind"] == "grounded"
    return {
        "generator": _text(said["generator"]) or source.generator,
        "prompt": _text(said["prompt"]) or source.prompt,
        "seed": _text(said["seed"]),
        "parents": parents,
        "depth": _depth(said["depth"], source.depth),
        "grounded": bool(parents) if grounded is None else grounded,
        "declared_language": _language(said["language"]),
    }


def _request_of(values: Mapping[str, Any], declared: Declarations) -> Mapping[str, Any]:
    """The request that a row answers, empty where it answers none.

    Raises:
        Refused: it names one that is not known.
    """
    name = values.get(declared.request_column) if declared.requests else None
    if name is None:
        return declared.requests.get(tables.name_text(values.get(declared.column("id"))) or "", {})
    request = declared.requests.get(str(name))
    if request is None:
        raise Refused("unknown_request")
    return request


def parents_of(value: Any) -> list[str]:
    """Names of parents, each once: a list, a JSON list as text, or one name.

    Raises:
        Refused: it is none of these.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = _json(value.encode("utf-8", "surrogatepass"))
    if value is None or value == "":
        return []
    found = list(value) if isinstance(value, list | tuple) else [value]
    if any(isinstance(one, bool) or not isinstance(one, str | int) or one == "" for one in found):
        raise Refused("bad_parents")
    return list(dict.fromkeys(tables.clean_text(str(one)) for one in found))


def _text(value: Any) -> str | None:
    """A declaration as text; what is no text and no number as JSON. Empty is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str | int | float):
        return tables.clean_text(str(value)) or None
    try:
        return tables.clean_text(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
    except (ValueError, TypeError, RecursionError):
        return tables.name_text(value)


def _depth(value: Any, default: int | None) -> int | None:
    if value is None or value == "":
        return default
    try:
        whole = int(value)
        if isinstance(value, bool) or whole != float(value) or not 1 <= whole <= DEEPEST:
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise Refused("bad_depth") from None
    return whole


def _language(value: Any) -> str | None:
    if value is None or value == "":
        return None
    code = language_of_tag(value) if isinstance(value, str) else None
    if code is None:
        raise Refused("bad_language")
    return code


def _scores(page: Page, values: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in names:
        value = values.get(name)
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal | None):
                raise ValueError
            number = None if value is None else float(value)
            if number is not None and not math.isfinite(number):
                raise ValueError
        except (ValueError, OverflowError):
            raise InputError(
                f"{page.source_file}: row {page.source_offset}: the score {name!r} is no finite number "
                f"({type(value).__name__}); scores are numbers or null"
            ) from None
        found.append({"name": name, "value": number})
    return found


def _json(line: bytes | str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _read_pages(
    source: Source, declared: Declarations, limits: ReadLimits
) -> Iterator[tuple[Page, Mapping[str, Any] | None]]:
    """Every row as a page, with all values of the row where it can be read."""
    split = Split(0, source.path, 0, max(1, source.size_bytes), source.size_bytes)
    columns = TextColumns(declared.column("id"), declared.column("text"), "", "")
    kind = _kind(source)
    seen = False
    rows = _parquet_rows(source, declared) if kind == "parquet" else _json_rows(source, limits)
    for number, values, line in rows:
        if isinstance(values, tuple):
            yield tables.failed_row(split, number, values[0], values[1], line), None
            continue
        if not seen and columns.text not in values:
            raise InputError(
                f"{source.path}: no column {columns.text!r}; columns are {', '.join(sorted(map(str, values)))}; "
                "choose one with --text-column"
            )
        seen = True
        # Without address and capture time: a generator's text was never captured.
        named = {name: values.get(name) for name in (columns.id, columns.text)}
        yield tables.row_page(split, number, named, columns, limits), values


def _kind(source: Source) -> str:
    file = open_file(source.path, source.size_bytes or None)
    try:
        window = Window(file)
        found = detect_format(window)
        if found.kind in ("gzip", "zstd", "plain") and not tables.open_lines(window, found.codec).read().strip():
            return "empty"  # compressed nothing
    finally:
        file.close()
    if found.kind not in ("parquet", "jsonl", "empty"):
        raise InputError(f"{source.path}: is no table of texts; give Parquet, or JSON lines (plain, gzip, zstd, xz)")
    return found.kind


def _json_lines(source: Source, limits: ReadLimits) -> Iterator[bytes | tuple[str, str]]:
    file = open_file(source.path, source.size_bytes or None)
    try:
        window = Window(file)
        found = detect_format(window)
        if found.kind == "jsonl":
            yield from tables.json_lines(tables.open_lines(window, found.codec), limits)
    finally:
        file.close()


def _json_rows(source: Source, limits: ReadLimits) -> Iterator[tuple[int, Any, bytes]]:
    for row, line in enumerate(_json_lines(source, limits)):
        if isinstance(line, tuple):
            yield row, (line[0], f"{line[1]} (row {row})"), b""
            continue
        values = _json(line)
        if not isinstance(values, dict):
            values = ("row_malformed", f"row {row} is no JSON object")
        yield row, values, line


def _parquet_rows(source: Source, declared: Declarations) -> Iterator[tuple[int, Any, bytes]]:
    wanted = {*(declared.column(name) for name in _FIELDS), *declared.source.scores, declared.request_column}
    with open_stream(source.path) as handle:
        try:
            file = pq.ParquetFile(handle, page_checksum_verification=True)
            present = [name for name in file.schema_arrow.names if name in wanted]
            if declared.column("text") not in present:
                raise InputError(
                    f"{source.path}: no column {declared.column('text')!r}; columns are "
                    f"{', '.join(sorted(file.schema_arrow.names))}; choose one with --text-column"
                )
        except InputError:
            raise
        except Exception as error:  # damaged metadata raises more than Arrow's own errors
            yield 0, ("parquet_corrupt", f"the Parquet file cannot be opened ({type(error).__name__})"), b""
            return
        first = 0
        for group in range(file.num_row_groups):
            rows, done = file.metadata.row_group(group).num_rows, 0
            try:
                for batch in file.iter_batches(batch_size=256, row_groups=[group], columns=present):
                    arrays = [tables.column_values(column) for column in batch.columns]
                    for values in zip(*arrays, strict=True):
                        yield first + done, dict(zip(batch.schema.names, values, strict=True)), b""
                        done += 1
            except InputError:
                raise
            except Exception as error:
                problem = ("parquet_corrupt", f"row group {group} cannot be read ({type(error).__name__})")
                yield from ((row, problem, b"") for row in range(first + done, first + rows))
            first += rows


def all_declared(sources: Sequence[Source], declared: Declarations, limits: ReadLimits) -> Iterator[pa.Table]:
    """ROWS of all tables, in the order of their names."""
    return chain.from_iterable(read_declared(source, declared, limits) for source in sources)
