"""Bucketed Arrow shuffle: the only place that knows how batches meet.

What travels is packed: an Arrow batch per shard and bucket, not a Python tuple per document and band (7 against 174
microseconds a document). A bucket is a hash prefix, so that the number of keys is the number of buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.packing import gather, pack


def bucket_of(values: npt.NDArray[np.uint64], buckets: int) -> npt.NDArray[np.uint64]:
    """Bucket of each value: the top of its Fibonacci hash, in [0, buckets)."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(40)) % np.uint64(buckets)


def split_by(table: pa.Table, keys: npt.NDArray[np.uint64]) -> Iterator[tuple[int, bytes]]:
    """Rows of a table by key, each part packed."""
    if not table.num_rows:
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    table = table.take(pa.array(order)).combine_chunks()
    for begin, end in zip(edges, np.append(edges[1:], len(ordered)), strict=True):
        yield int(ordered[begin]), pack(table.slice(begin, end - begin))


def to_buckets(table: pa.Table, column: str, buckets: int) -> Iterator[tuple[int, bytes]]:
    """Rows by the bucket of a uint64 column."""
    return split_by(table, bucket_of(np.asarray(table.column(column)), buckets))


def to_shards(table: pa.Table, column: str = "reference") -> Iterator[tuple[int, bytes]]:
    """Rows by the shard of the reference in a column."""
    shard = pc.shift_right(table.column(column), pa.scalar(32, pa.uint64()))
    return split_by(table, np.asarray(shard))


def to_key(table: pa.Table, column: str) -> Iterator[tuple[int, bytes]]:
    """Rows by the values of a uint64 column."""
    return split_by(table, np.asarray(table.column(column)))


class BucketedShuffle(beam.PTransform):  # type: ignore[misc]
    """(bucket, packed table) pairs to (bucket, one table of all)."""

    def __init__(self, schema: pa.Schema) -> None:
        super().__init__()
        self._schema = schema

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Group by bucket and join the tables."""
        schema = self._schema

        def join(pair: tuple[int, Iterable[bytes]]) -> tuple[int, pa.Table]:
            return pair[0], gather(pair[1], schema)

        return pcoll | "GroupByBucket" >> beam.GroupByKey() | "JoinTables" >> beam.Map(join)
