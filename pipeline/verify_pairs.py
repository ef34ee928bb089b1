"""Candidate pairs to verified edges: the sketch of one page travels to the other, and their shingles are compared.

A pair goes to the shard of its left page, takes that page's sketch along, and is compared in the shard of its right
page; only what is similar enough comes back. Pure functions; no Beam.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.features.sketch import compare
from pipeline.arrow_lists import U64, column
from pipeline.match import ROW, SEEN, starts_of

# Pairs of one page of a shard with pages of another: the sketch is there once.
HALF = pa.schema(
    [
        ("left", pa.uint64()),
        ("left_id", pa.string()),
        ("shingles", pa.int32()),
        ("sketch", pa.binary()),
        ("rights", pa.list_(pa.uint64())),
    ]
)
TEXT, MEANING = 0, 1  # kinds of edges: of shingles, of embeddings
EDGES_VERIFIED = pa.schema(
    [
        ("left", pa.uint64()),
        ("right", pa.uint64()),  # preferred to left
        ("similarity", pa.float32()),
        ("kind", pa.uint8()),
        ("left_id", pa.string()),
        ("right_id", pa.string()),
    ]
)
# Edges as each page of this run sees them: it is `left`, and `is_preferred` says whether `right` is preferred to it.
MATCHES = pa.schema([*EDGES_VERIFIED, ("is_preferred", pa.bool_())])
# Pairs that are compared at once: two sketches of a kilobyte each.
BLOCK_PAIRS = 50_000


# Groups of shards whose pairs meet, at least. The sketches of a group's candidates are in memory at once; and a shard
# sends a table to each group, so that the number of tables does not grow with the square of the shards.
FEWEST_GROUPS = 16


def groups_of(references: U64, groups: int) -> U64:
    """Group of the shard of each reference."""
    return (references >> np.uint64(32)) % np.uint64(groups)


def rows_of(references: U64) -> pa.Array:
    """Rows, within their shard, of references."""
    return pa.array(references & ROW)


def with_left_sketches(keys: pa.Table, left: U64, right: U64, groups: int) -> list[tuple[int, pa.Table]]:
    """HALF by group of shards of the right page, for sorted pairs whose left pages are in the shard of `keys`."""
    group = groups_of(right, groups)
    order = np.argsort(group, kind="stable")
    left, right, group = left[order], right[order], group[order]
    found = []
    bounds = np.append(np.flatnonzero(starts_of(group)), len(group)) if len(group) else np.zeros(1, np.int64)
    for begin, end in pairwise(bounds.tolist()):
        lefts, rights = left[begin:end], right[begin:end]
        starts = np.flatnonzero(starts_of(lefts))
        pages = keys.select(["doc_id", "shingles", "sketch"]).take(rows_of(lefts[starts]))
        lists = pa.ListArray.from_arrays(
            pa.array(np.append(starts, len(rights)).astype(np.int32)), pa.array(rights, pa.uint64())
        )
        columns = [pa.array(lefts[starts]), *(pages.column(name) for name in ("doc_id", "shingles", "sketch")), lists]
        found.append((int(group[begin]), pa.table(columns, schema=HALF)))
    return found


class Halves:
    """The HALF tables of a group of shards: which row has the left page of each pair, and the right pages."""

    def __init__(self, half: pa.Table) -> None:
        self.half = half.combine_chunks()
        lists = self.half.column("rights").combine_chunks()
        self.owner = np.repeat(np.arange(self.half.num_rows), np.asarray(pc.list_value_length(lists)))
        self.rights = np.asarray(lists.flatten(), dtype=np.uint64)
        self.shards = self.rights >> np.uint64(32)


def compare_pairs(keys: pa.Table, halves: Halves, shard: int, similarity: float) -> pa.Table:
    """EDGES_VERIFIED of the pairs whose right pages are in the shard of `keys`, which has the number `shard`."""
    chosen = np.flatnonzero(halves.shards == np.uint64(shard))
    found = [EDGES_VERIFIED.empty_table()]
    for begin in range(0, len(chosen), BLOCK_PAIRS):
        part = chosen[begin : begin + BLOCK_PAIRS]
        rights = halves.rights[part]
        ones = halves.half.take(pa.array(halves.owner[part]))
        others = keys.select(["doc_id", "shingles", "sketch"]).take(rows_of(rights))
        values = compare(
            ones.column("sketch"), others.column("sketch"), ones.column("shingles"), others.column("shingles")
        )
        alike = values >= np.float32(similarity)
        kept = pa.array(alike)
        columns = [
            ones.column("left").filter(kept),
            pa.array(rights[alike]),
            pa.array(values[alike], pa.float32()),
            pa.array(np.full(int(alike.sum()), TEXT, np.uint8)),
            ones.column("left_id").filter(kept),
            others.column("doc_id").filter(kept),
        ]
        found.append(pa.table(columns, schema=EDGES_VERIFIED))
    return pa.concat_tables(found)


def nearest_preferred(edges: pa.Table) -> pa.Table:
    """Of every left page its edge to the most similar right page, the preferred one among equals.

    Edges of one kind of preference then form trees: a page never ties two clusters of preferred pages together.
    """
    table = edges.sort_by([("left", "ascending"), ("similarity", "descending"), ("right_id", "ascending")])
    return table.filter(pa.array(starts_of(column(table, "left"))))


def matches_of(edges: pa.Table) -> pa.Table:
    """MATCHES of both ends of EDGES_VERIFIED; pages of earlier runs need none."""
    turned = edges.select(["right", "left", "similarity", "kind", "right_id", "left_id"])
    turned = turned.rename_columns(EDGES_VERIFIED.names).filter(pa.array(column(edges, "right") < SEEN))
    sides = ((edges, True), (turned, False))
    return pa.concat_tables(
        [
            side.append_column("is_preferred", pa.array(np.full(side.num_rows, is_preferred)))
            for side, is_preferred in sides
        ]
    ).cast(MATCHES)
