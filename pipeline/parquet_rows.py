"""Rows of published Parquet files by their ids: found by the statistics of row groups, and files written anew."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.write import LOW_CARDINALITY
from schemas.manifest import FileEntry, sha256_of


def matching_groups(file: pq.ParquetFile, columns: Sequence[str], values: pa.Array) -> Iterator[tuple[int, pa.Array]]:
    """Row groups with a row that has one of `values` (sorted strings) in one of `columns`, and a mask of those rows.

    Groups whose statistics rule that out are not read.
    """
    columns = [name for name in columns if name in file.schema_arrow.names]
    wanted = values.to_pylist()
    for group in range(file.num_row_groups):
        if not any(_may_hold(file, group, name, wanted) for name in columns):
            continue
        table = file.read_row_group(group, columns=columns)
        mask = None
        for name in columns:
            found = pc.is_in(table.column(name), values)
            mask = found if mask is None else pc.or_(mask, found)
        if mask is not None and pc.any(mask).as_py():
            yield group, mask.combine_chunks()


def _may_hold(file: pq.ParquetFile, group: int, name: str, wanted: Sequence[str]) -> bool:
    metadata = file.metadata.row_group(group)
    for number in range(metadata.num_columns):
        column = metadata.column(number)
        if column.path_in_schema == name:
            statistics = column.statistics
            if statistics is None or not statistics.has_min_max:
                return True
            place = bisect_left(wanted, statistics.min)
            return place < len(wanted) and wanted[place] <= statistics.max
    return False


def rewrite_file(root: Path, name: str, change: Callable[[int, pa.Table], pa.Table]) -> FileEntry:
    """Write a file anew, row group by row group (`change` gets its number), and put it in the place of the old one.

    Raises:
        OSError: what was written cannot be read back in full; the old file stands.
    """
    with pq.ParquetFile(root / name, pre_buffer=False) as file:
        groups = range(file.num_row_groups)
        return write_tables(root, name, file.schema_arrow, (change(n, file.read_row_group(n)) for n in groups))


def write_tables(root: Path, name: str, schema: pa.Schema, tables: Iterator[pa.Table]) -> FileEntry:
    """Write a file of a run, a row group a table, under its name when it is whole.

    Raises:
        OSError: what was written cannot be read back in full.
    """
    path = root / name
    temporary = path.with_name(f".{path.name}.writing")
    dictionary = [column for column in LOW_CARDINALITY if column in schema.names]
    rows = 0
    try:
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", compression_level=3, use_dictionary=dictionary, write_page_index=True
        ) as writer:
            for table in tables:
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
                    rows += table.num_rows
        if pq.read_metadata(temporary).num_rows != rows:
            raise OSError(f"{name}: what was written could not be read back; is the disk full?")
        digest, size = sha256_of(temporary), temporary.stat().st_size
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return FileEntry(name, rows, size, digest)
