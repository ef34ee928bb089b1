"""Connected components on Beam: the clusters of a graph whose edges are spread over many workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.components import checksum, contract, large_star, small_star
from pipeline.shuffle import BucketedShuffle, pack, to_buckets, unpack

U64 = npt.NDArray[np.uint64]

EDGES = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])
LABELS = pa.schema([("reference", pa.uint64()), ("component", pa.uint64())])

# The alternation needs O(log n) rounds in practice; each costs two shuffles, so that a run pays for few and a result
# that has not converged is an error, never an answer.
ROUNDS = 8


class UnconvergedError(RuntimeError):
    """Connected components did not converge in the rounds given."""


def column(table: pa.Table, name: str) -> U64:
    """A uint64 column as one NumPy array."""
    return np.asarray(table.column(name).combine_chunks(), dtype=np.uint64)


def edge_table(left: U64, right: U64) -> pa.Table:
    """A table of EDGES."""
    return pa.table([left, right], schema=EDGES)


def edge_sum(packed: bytes) -> int:
    """Order-free sum over the edges of a table, for the convergence check."""
    table = unpack(packed)
    return checksum(column(table, "left"), column(table, "right"))


class ConnectedComponents(beam.PTransform):  # type: ignore[misc]
    """Packed EDGES to (bucket, LABELS): the smallest reference of its component for every node but that one.

    With one bucket (inputs of a laptop) one contraction is the answer. With more, edges are contracted where they
    arise, then large-star and small-star alternate for `rounds`, and the last round must change nothing.
    """

    def __init__(self, buckets: int, rounds: int = ROUNDS) -> None:
        super().__init__()
        self.buckets = buckets
        self.rounds = rounds

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        """Edges (packed) to (bucket, table) pairs of LABELS."""
        buckets = self.buckets

        def both_ways(packed: bytes) -> Iterator[tuple[int, bytes]]:
            table = unpack(packed)
            left, right = column(table, "left"), column(table, "right")
            both = edge_table(np.concatenate([left, right]), np.concatenate([right, left]))
            yield from to_buckets(both, "left", buckets)

        def downwards(packed: bytes) -> Iterator[tuple[int, bytes]]:
            table = unpack(packed)
            left, right = column(table, "left"), column(table, "right")
            yield from to_buckets(edge_table(np.maximum(left, right), np.minimum(left, right)), "left", buckets)

        def label(table: pa.Table) -> pa.Table:
            return table.rename_columns(LABELS.names)

        def apply(step: Any) -> Any:
            def run(bucket: tuple[int, pa.Table]) -> bytes:
                table = bucket[1]
                return pack(edge_table(*step(column(table, "left"), column(table, "right"))))

            return run

        if buckets == 1:
            grouped = edges | "OneBucket" >> beam.FlatMap(downwards) | "Edges" >> BucketedShuffle(EDGES)
            return (
                grouped
                | "Contract" >> beam.Map(apply(contract))
                | "Label" >> beam.Map(lambda packed: (0, label(unpack(packed))))
            )
        for number in range(self.rounds):
            before = edges
            edges = (
                edges
                | f"BothWays{number}" >> beam.FlatMap(both_ways)
                | f"LargeEdges{number}" >> BucketedShuffle(EDGES)
                | f"LargeStar{number}" >> beam.Map(apply(large_star))
                | f"Downwards{number}" >> beam.FlatMap(downwards)
                | f"SmallEdges{number}" >> BucketedShuffle(EDGES)
                | f"SmallStar{number}" >> beam.Map(apply(small_star))
            )
        sums = [
            collection | f"Sum{name}" >> beam.Map(edge_sum) | f"Total{name}" >> beam.CombineGlobally(sum)
            for name, collection in (("Before", before), ("After", edges))
        ]
        rounds = self.rounds

        def check(packed: bytes, first: int, last: int) -> tuple[int, pa.Table]:
            if first % 2**64 != last % 2**64:
                raise UnconvergedError(
                    f"connected components have not converged after {rounds} rounds; raise the number of rounds"
                )
            return 0, label(unpack(packed))

        return edges | "CheckConvergence" >> beam.Map(
            check, beam.pvalue.AsSingleton(sums[0]), beam.pvalue.AsSingleton(sums[1])
        )
