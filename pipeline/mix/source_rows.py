"""Chosen rows of a data file: row groups that hold one are read, once each, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.runs import RunError

Ints = npt.NDArray[np.int64]


def spans(sizes: Ints, largest: int) -> list[tuple[int, int]]:
    """Begin and end of groups of about `largest` bytes: a new one begins where the sum of sizes passes a multiple."""
    numbers = (np.cumsum(sizes) - sizes) // largest
    edges = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(numbers)]
    return list(pairwise(edges))


def text_sizes(metadata: pq.FileMetaData) -> Ints:
    """Bytes of the column `text` in each row group, before compression."""
    sizes = np.zeros(metadata.num_row_groups, np.int64)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = (group.column(column) for column in range(group.num_columns))
        sizes[number] = sum(one.total_uncompressed_size for one in columns if one.path_in_schema == "text")
    return sizes


def read_rows(path: str, rows: Ints, columns: Sequence[str], read_bytes: int) -> Iterator[tuple[int, pa.Table, Ints]]:
    """Tables of about `read_bytes` of text that hold all of `rows`, which ascend.

    Yields (first, table, places): `rows[first + i]` of the file is row `places[i]` of the table. The table has those
    of `columns` that the file has, each as one chunk.

    Raises:
        RunError: the file is damaged, or has fewer rows.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as data:
            metadata = data.metadata
            if len(rows) and rows[-1] >= metadata.num_rows:
                raise RunError(f"{path} has {metadata.num_rows} rows and no row {rows[-1]}; has it changed since?")
            have = set(data.schema_arrow.names)
            counts = np.array([metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)], np.int64)
            ends = np.cumsum(counts)
            group_of = np.searchsorted(ends, rows, side="right")
            groups = np.unique(group_of)
            for first, last in spans(text_sizes(metadata)[groups], read_bytes):
                read = groups[first:last]
                shift = np.cumsum(counts[read]) - counts[read] - (ends[read] - counts[read])
                begin, end = np.searchsorted(group_of, [read[0], read[-1] + 1])
                places = rows[begin:end] + shift[np.searchsorted(read, group_of[begin:end])]
                table = data.read_row_groups(
                    read.tolist(), columns=[name for name in columns if name in have], use_threads=False
                )
                yield int(begin), _whole(table), places
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path} cannot be read ({error}); `headwater verify` of its run says more") from error


def _whole(table: pa.Table) -> pa.Table:
    """Each column as one chunk; texts with offsets of 64 bits, because a row group may have more than 2 GiB of them."""
    if "text" in table.schema.names:
        number = table.schema.get_field_index("text")
        table = table.set_column(number, "text", table.column(number).cast(pa.large_string()))
    return table.combine_chunks()


def check_documents(path: str, rows: Ints, wanted: pa.ChunkedArray, found: pa.ChunkedArray) -> None:
    """Raise RunError where rows of a file hold other documents than those that were chosen there."""
    same = np.asarray(pc.equal(wanted.slice(0, len(found)), found))
    if not same.all():
        at = int(np.argmin(same))
        raise RunError(
            f"{path}: row {rows[at]} is {found[at]}, the mix has {wanted[at]} there; the file has changed since"
        )
