"""Splitting of large clusters on Beam: few are large, so all others pass untouched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrow_lists import U64, column
from pipeline.cluster_split import LEVELS, Forest, Pieces, split_pieces, strongest_forest
from pipeline.components import smallest_by
from pipeline.connect import EDGES, LABELS
from pipeline.packing import gather, pack, unpack
from pipeline.shuffle import BucketedShuffle, split_by, to_buckets

COUNTS = pa.schema([("component", pa.uint64()), ("nodes", pa.int64())])
SIMILAR_EDGES = pa.schema([*EDGES, ("similarity", pa.float32())])
FOREST = pa.schema([*SIMILAR_EDGES, ("edges", pa.int64())])


class FlaggedCluster(NamedTuple):
    """A component of more than `limit` nodes: its size, and the pieces it was cut into, single pages included.

    `level` is the highest threshold that any piece needed; `largest_piece` over the limit stayed together at all.
    """

    component: int
    nodes: int
    edges: int
    pieces: int
    largest_piece: int
    level: float


class SplitClusters(NamedTuple):
    """Results of SplitLargeClusters: (bucket, table of LABELS), and FlaggedCluster."""

    labels: beam.PCollection
    flagged: beam.PCollection


def forest_of(table: pa.Table) -> Forest:
    """The strongest forest of a table of SIMILAR_EDGES or FOREST."""
    similarity = np.asarray(table.column("similarity").combine_chunks(), dtype=np.float32)
    edges = np.asarray(table.column("edges").combine_chunks()) if "edges" in table.column_names else None
    return strongest_forest(column(table, "left"), column(table, "right"), similarity, edges)


def merge_forests(packed: Iterable[bytes]) -> Forest:
    """The strongest forest of packed tables of FOREST, holding at most the forest, as much again, and one table."""
    forest, waiting, rows = forest_of(FOREST.empty_table()), list[pa.Table](), 0
    for data in packed:
        waiting.append(unpack(data))
        rows += waiting[-1].num_rows
        if rows > max(len(forest.left), 1 << 16):
            forest = forest_of(pa.concat_tables([forest_table(forest), *waiting]))
            waiting, rows = [], 0
    return forest_of(pa.concat_tables([forest_table(forest), *waiting]))


def forest_table(forest: Forest) -> pa.Table:
    """A table of FOREST."""
    return pa.table(list(forest), schema=FOREST)


def count_rows(labels: pa.Table, at_least: int = 1, among: U64 | None = None) -> pa.Table:
    """COUNTS of the components that have so many rows in a table of LABELS, or of those named."""
    component, rows = np.unique(column(labels, "component"), return_counts=True)
    chosen = rows >= at_least if among is None else np.isin(component, among)
    return pa.table([component[chosen], rows[chosen]], schema=COUNTS)


def large_among(counts: pa.Table, limit: int) -> pa.Table:
    """COUNTS added up, of the components of more than `limit` nodes; the smallest node has no row."""
    totals = counts.group_by("component").aggregate([("nodes", "sum")])
    totals = pa.table([totals.column("component"), totals.column("nodes_sum")], schema=COUNTS)
    return totals.filter(pc.greater_equal(totals.column("nodes"), limit))


def describe_pieces(pieces: Pieces, forest: Forest) -> FlaggedCluster:
    """What the report says of a component."""
    sizes = np.unique(pieces.piece, return_counts=True)[1]
    level = round(float(pieces.level.max()), 6)
    component = int(pieces.component[0])
    return FlaggedCluster(component, len(pieces.node), int(forest.edges.sum()), len(sizes), int(sizes.max()), level)


class SplitLargeClusters(beam.PTransform):  # type: ignore[misc]
    """Labels of components and the edges that made them to SplitClusters: no cluster over `limit`, if pages permit.

    Takes (labels, edges): labels as ConnectedComponents gives them, at most one table for each bucket; edges as packed
    SIMILAR_EDGES, all that the components were made of. Labels of other components pass as they are. Those of large
    ones are given anew, in tables of their own: a page that no other is as similar to as its piece demands has none.

    Without a large component this costs a look at the labels: a component of more than `limit` nodes has its share
    of them in some bucket, and only such are counted. Otherwise the edges are joined once with the labels of large
    components, as forests. Memory: the largest component's forest in one worker, 28 bytes a node, held about ten
    times while it is cut.

    Raises:
        ValueError: in the pipeline, when there are more tables of labels than buckets.
    """

    def __init__(self, buckets: int, limit: int, levels: Sequence[float] = LEVELS) -> None:
        super().__init__()
        self.buckets = buckets
        self.limit = limit
        self.levels = tuple(levels)

    def expand(self, inputs: tuple[beam.PCollection, beam.PCollection]) -> SplitClusters:
        """Count, then join edges with components, then bring components together, then cut them."""
        labels, edges = inputs
        buckets, limit, levels = self.buckets, self.limit, self.levels
        share = -(-limit // buckets)

        def suspect(bucket: tuple[int, pa.Table]) -> Iterator[bytes]:
            found = count_rows(bucket[1], share)
            if found.num_rows:
                yield pack(found)

        def named(packed: Iterable[bytes]) -> U64:
            return np.unique(column(gather(packed, COUNTS), "component"))

        def count(
            bucket: tuple[int, pa.Table], suspects: Iterable[bytes], tables: Iterable[int]
        ) -> Iterator[tuple[int, bytes]]:
            if sum(tables) > buckets:
                raise ValueError(f"labels come in more tables than the {buckets} buckets; give one for each bucket")
            if len(among := named(suspects)):
                yield from to_buckets(count_rows(bucket[1], among=among), "component", buckets)

        def keep_large(bucket: tuple[int, pa.Table]) -> Iterator[bytes]:
            found = large_among(bucket[1], limit)
            if found.num_rows:
                yield pack(found)

        def keep_small(bucket: tuple[int, pa.Table], large: Iterable[bytes]) -> Iterator[tuple[int, pa.Table]]:
            if not len(among := named(large)):
                yield bucket
                return
            small = bucket[1].filter(pa.array(~np.isin(column(bucket[1], "component"), among)))
            if small.num_rows:
                yield bucket[0], small

        def members(bucket: tuple[int, pa.Table], large: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
            if len(among := named(large)):
                chosen = bucket[1].filter(pa.array(np.isin(column(bucket[1], "component"), among)))
                own = np.unique(column(chosen, "component"))
                chosen = pa.concat_tables([chosen, pa.table([own, own], schema=LABELS)])
                yield from to_buckets(chosen, "reference", buckets)

        def to_left(packed: bytes, large: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
            if any(True for _ in large):
                yield from to_buckets(forest_table(forest_of(unpack(packed))), "left", buckets)

        def join(joined: tuple[int, dict[str, Iterable[bytes]]]) -> Iterator[tuple[int, bytes]]:
            parts = joined[1]
            known = gather(parts["members"], LABELS)
            reference, component = smallest_by(column(known, "reference"), column(known, "component"))
            forest = forest_table(merge_forests(parts["edges"]))
            forest = forest.filter(pa.array(np.isin(column(forest, "left"), reference)))
            yield from split_by(forest, component[np.searchsorted(reference, column(forest, "left"))])

        def cut(component: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
            forest = merge_forests(component[1])
            pieces = split_pieces(forest, limit, levels)
            others = pieces.node != pieces.piece
            table = pa.table([pieces.node[others], pieces.piece[others]], schema=LABELS)
            for bucket, data in to_buckets(table, "reference", buckets):
                yield bucket, unpack(data)
            yield beam.pvalue.TaggedOutput("flagged", describe_pieces(pieces, forest))

        suspects = labels | "Suspect" >> beam.FlatMap(suspect)
        tables = labels | "CountTables" >> beam.Map(lambda _: 1)
        large = (
            labels
            | "Count" >> beam.FlatMap(count, beam.pvalue.AsIter(suspects), beam.pvalue.AsIter(tables))
            | "Counts" >> BucketedShuffle(COUNTS)
            | "KeepLarge" >> beam.FlatMap(keep_large)
        )
        of_large = labels | "Members" >> beam.FlatMap(members, beam.pvalue.AsIter(large))
        forests = edges | "ToLeft" >> beam.FlatMap(to_left, beam.pvalue.AsIter(large))
        pieces = (
            {"members": of_large, "edges": forests}
            | "JoinComponents" >> beam.CoGroupByKey()
            | "NameEdges" >> beam.FlatMap(join)
            | "OfAComponent" >> beam.GroupByKey()
            | "Cut" >> beam.FlatMap(cut).with_outputs("flagged", main="labels")
        )
        small = labels | "KeepSmall" >> beam.FlatMap(keep_small, beam.pvalue.AsIter(large))
        return SplitClusters((small, pieces.labels) | "AllLabels" >> beam.Flatten(), pieces.flagged)
