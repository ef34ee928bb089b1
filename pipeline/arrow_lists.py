"""Arrow columns as one array or as NumPy values, and list columns joined row by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

U64 = npt.NDArray[np.uint64]


def column(table: pa.Table, name: str) -> U64:
    """A uint64 column of a table as one NumPy array."""
    return np.asarray(table.column(name).combine_chunks(), dtype=np.uint64)


def combined(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    joined = column.combine_chunks()
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def join_lists(first: pa.Array, second: pa.Array) -> pa.Array:
    """Row by row, the entries of one list column and then those of the other, which has the same type."""
    values = pa.concat_arrays([pc.list_flatten(first), pc.list_flatten(second)])
    lengths = [np.asarray(pc.fill_null(pc.list_value_length(one), 0), np.int64) for one in (first, second)]
    offsets = np.concatenate(([0], np.cumsum(lengths[0] + lengths[1])))
    place = np.empty(len(values), np.int64)
    place[: int(lengths[0].sum())] = _places(offsets[:-1], lengths[0])
    place[int(lengths[0].sum()) :] = _places(offsets[:-1] + lengths[0], lengths[1])
    order = np.empty_like(place)
    order[place] = np.arange(len(place))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(order)), type=first.type)


def _places(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`start, start + 1, …` for every row, one after the other."""
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places: npt.NDArray[np.int64] = np.repeat(starts, lengths) + within
    return places
