"""Formats of a mix's shards. Each is written as a stream of tables of MIX_ROW, the same bytes every time. No Beam.

ArrayRecord is the format of Grain; its library is an extra, `headwater[mix]`.
"""

from __future__ import annotations

import importlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from schemas.config import ConfigError

LEVEL = 3  # of zstd, in every format


@dataclass(frozen=True, slots=True)
class Format:
    """How shards of a format are called, written and read back.

    `write` takes a path and tables and returns the rows that it wrote; `count` finds the rows of a file and raises
    OSError where it is damaged. Parquet has neither: its files are written as those of a run.
    """

    suffix: str
    write: Callable[[Path, Iterator[pa.Table]], int] | None = None
    count: Callable[[Path], int] | None = None
    check: Callable[[], object] | None = None


def json_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows with values of JSON: times as ISO 8601 in UTC, `scores` as an object."""
    number = table.schema.get_field_index("fetched_at")
    times = pc.strftime(table.column(number), "%Y-%m-%dT%H:%M:%SZ")
    for row in table.set_column(number, "fetched_at", times).to_pylist():
        row["scores"] = {score["name"]: score["value"] for score in row["scores"]}
        yield row


def _json_bytes(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _write_jsonl(path: Path, tables: Iterator[pa.Table]) -> int:
    # One frame: readers that stop at the end of the first frame are common.
    rows = 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with path.open("wb") as raw, compressor.stream_writer(raw, closefd=False) as sink:
        for table in tables:
            for row in json_rows(table):
                sink.write(_json_bytes(row) + b"\n")
                rows += 1
    return rows


def _count_jsonl(path: Path) -> int:
    rows = 0
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as source:
            while block := source.read(1 << 20):
                rows += block.count(b"\n")
    except zstandard.ZstdError as error:
        raise OSError(f"{path}: {error}") from error
    return rows


def _write_tar(path: Path, tables: Iterator[pa.Table]) -> int:
    rows = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for table in tables:
            for row in json_rows(table):
                key = f"{row['doc_id']}-{row['copy']}"
                _add_member(archive, f"{key}.txt", row.pop("text").encode())
                _add_member(archive, f"{key}.json", _json_bytes(row))
                rows += 1
    return rows


def _add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # of user and group 0, at time 0
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _count_tar(path: Path) -> int:
    try:
        with tarfile.open(path, "r:") as archive:
            return sum(member.name.endswith(".txt") for member in archive)
    except tarfile.TarError as error:
        raise OSError(f"{path}: {error}") from error


def _array_record() -> Any:
    try:
        return importlib.import_module("array_record.python.array_record_module")
    except ImportError as error:
        raise ConfigError(
            f"output.format: array_record needs a library ({error}); pip install 'headwater[mix]'"
        ) from error


def _write_array_record(path: Path, tables: Iterator[pa.Table]) -> int:
    # A record a chunk: Grain reads records in any order.
    rows = 0
    writer = _array_record().ArrayRecordWriter(str(path), f"group_size:1,zstd:{LEVEL}")
    try:
        for table in tables:
            for row in json_rows(table):
                writer.write(_json_bytes(row))
                rows += 1
    finally:
        writer.close()
    return rows


def _count_array_record(path: Path) -> int:
    try:
        reader = _array_record().ArrayRecordReader(str(path))
        try:
            return int(reader.num_records())
        finally:
            reader.close()
    except (RuntimeError, ValueError) as error:
        raise OSError(f"{path}: {error}") from error


FORMATS = {
    "parquet": Format("parquet"),
    "jsonl.zst": Format("jsonl.zst", _write_jsonl, _count_jsonl),
    "webdataset": Format("tar", _write_tar, _count_tar),
    "array_record": Format("array_record", _write_array_record, _count_array_record, _array_record),
}


def check_format(name: str) -> None:
    """Raise ConfigError where the library of a format is not installed."""
    check = FORMATS[name].check
    if check is not None:
        check()


def file_name(group: str, number: int, count: int, form: str) -> str:
    """Path of a shard relative to the mix, e.g. data/train-00000-of-00008.tar."""
    return f"{group}-{number:05d}-of-{count:05d}.{FORMATS[form].suffix}"
