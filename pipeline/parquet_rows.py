"""Rows of published Parquet files by their ids: found by the statistics of row groups, and files written anew."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.write import write_tables
from schemas.manifest import FileEntry


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
