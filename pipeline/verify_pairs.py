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
from pipeline.match import ROW, SEEN, U64, column, starts_of

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
WEIGHTED = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("similarity", pa.float32())])

# Pairs that are compared at once: two sketches of a kilobyte each.
BLOCK_PAIRS = 50_000


def rows_of(references: U64) -> pa.Array:
    """Rows, within their shard, of references."""
    return pa.array(references & ROW)


def with_left_sketches(keys: pa.Table, pairs: pa.Table) -> list[tuple[int, pa.Table]]:
    """HALF by shard of the right page, for PAIRS whose left pages are all in the shard of `keys`."""
    left, right = column(pairs, "left"), column(pairs, "right")
    shard = right >> np.uint64(32)
    order = np.lexsort((right, left, shard))
    left, right, shard = left[order], right[order], shard[order]
    fresh = starts_of(left) | starts_of(right)  # a pair that shares bands of several buckets comes several times
    left, right, shard = left[fresh], right[fresh], shard[fresh]
    found = []
    bounds = np.append(np.flatnonzero(starts_of(shard)), len(shard)) if len(shard) else np.zeros(1, np.int64)
    for begin, end in pairwise(bounds.tolist()):
        lefts, rights = left[begin:end], right[begin:end]
        starts = np.flatnonzero(starts_of(lefts))
        pages = keys.select(["doc_id", "shingles", "sketch"]).take(rows_of(lefts[starts]))
        lists = pa.ListArray.from_arrays(
            pa.array(np.append(starts, len(rights)).astype(np.int32)), pa.array(rights, pa.uint64())
        )
        columns = [pa.array(lefts[starts]), *(pages.column(name) for name in ("doc_id", "shingles", "sketch")), lists]
        found.append((int(shard[begin]), pa.table(columns, schema=HALF)))
    return found


def compare_pairs(keys: pa.Table, half: pa.Table, similarity: float) -> pa.Table:
    """EDGES_VERIFIED of the pairs of HALF whose right pages are in the shard of `keys`."""
    half = half.combine_chunks()
    lists = half.column("rights").combine_chunks()
    owner = np.repeat(np.arange(half.num_rows), np.asarray(pc.list_value_length(lists)))
    rights = np.asarray(lists.flatten(), dtype=np.uint64)
    found = [EDGES_VERIFIED.empty_table()]
    for begin in range(0, len(rights), BLOCK_PAIRS):
        part = slice(begin, begin + BLOCK_PAIRS)
        ones = half.take(pa.array(owner[part]))
        others = keys.select(["doc_id", "shingles", "sketch"]).take(rows_of(rights[part]))
        values = compare(
            ones.column("sketch").combine_chunks(),
            others.column("sketch").combine_chunks(),
            np.asarray(ones.column("shingles"), dtype=np.int32),
            np.asarray(others.column("shingles"), dtype=np.int32),
        )
        alike = values >= np.float32(similarity)
        kept = pa.array(alike)
        columns = [
            ones.column("left").filter(kept),
            pa.array(rights[part][alike]),
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


def weighted(edges: pa.Table) -> pa.Table:
    """WEIGHTED edges, for the components."""
    return edges.select(WEIGHTED.names)


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
