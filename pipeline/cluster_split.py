"""Large clusters of near duplicates, split by similarity: pure functions.

Similarity is not transitive, and a chain of near copies ties unrelated pages together: in one published corpus half of
the pairs of a component were false. Pieces of a cluster at a higher threshold are those of single linkage, which depend
on the maximum spanning forest alone (Gower & Ross 1969, "Minimum Spanning Trees and Single Linkage Cluster Analysis").
So the forest is all that needs to travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from pipeline.components import smallest_of_each

U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEVELS = (0.8, 0.85, 0.9, 0.95, 0.98, 1.0)


class Forest(NamedTuple):
    """Edges of a maximum spanning forest. `edges`: how many edges of the graph each stands for, itself included."""

    left: U64
    right: U64
    similarity: F32
    edges: I64


class Pieces(NamedTuple):
    """For each node, sorted: the smallest of its component and of its piece, and the threshold that cut the piece."""

    node: U64
    component: U64
    piece: U64
    level: F32


def strongest_forest(left: U64, right: U64, similarity: F32, edges: I64 | None = None) -> Forest:
    """The maximum spanning forest by similarity, ties broken by the nodes, so that the order of edges is no matter.

    Ends are ordered, loops dropped; of edges between the same nodes the most similar counts. `edges`, if given, is
    carried: the sum over a tree stays. The forest of several forests is the forest of their graphs together.
    """
    low, high = np.minimum(left, right), np.maximum(left, right)
    edges = np.ones(len(low), np.int64) if edges is None else edges
    order = np.lexsort((high, low, -similarity))
    order = order[low[order] != high[order]]
    low, high, similarity, edges = low[order], high[order], similarity[order], edges[order]
    if not len(low):
        return Forest(low, high, similarity, edges)
    nodes, index = np.unique(np.concatenate([low, high]), return_inverse=True)
    count = len(nodes)
    a, b = index[: len(low)], index[len(low) :]
    _, once = np.unique(a * np.int64(count) + b, return_index=True)  # SciPy adds up what is there twice
    rank = (once + 1).astype(np.float64)  # all different and none zero, so that there is one forest
    tree = minimum_spanning_tree(csr_array((rank, (a[once], b[once])), shape=(count, count)))
    chosen = np.sort(tree.data.astype(np.int64)) - 1
    # What is left out counts with the first edge of its tree.
    root = smallest_of_each(a[chosen], b[chosen], count)
    totals = np.zeros(count, np.int64)
    np.add.at(totals, root[a], edges)
    _, first, place = np.unique(root[a[chosen]], return_index=True, return_inverse=True)
    counts = edges[chosen].copy()
    sums = np.bincount(place, weights=counts).astype(np.int64)
    counts[first] += totals[root[a[chosen]][first]] - sums
    return Forest(low[chosen], high[chosen], similarity[chosen], counts)


def split_pieces(forest: Forest, limit: int, levels: Sequence[float] = LEVELS) -> Pieces:
    """Pieces of the components of a forest: those of more than `limit` nodes are cut at the next level, and so on.

    `level` is 0 where a component was within the limit. What is over it at the last level stays together.
    """
    nodes, index = np.unique(np.concatenate([forest.left, forest.right]), return_inverse=True)
    count = len(nodes)
    a, b = index[: len(forest.left)], index[len(forest.left) :]
    component = smallest_of_each(a, b, count)
    piece = component.copy()
    cut = np.zeros(count, np.float32)
    for level in levels:
        is_open = np.bincount(piece, minlength=count)[piece] > limit
        if not is_open.any():
            break
        # The similarity is a float32, and what equals the level belongs together.
        tied = is_open[a] & (forest.similarity >= np.float32(level))
        finer = smallest_of_each(a[tied], b[tied], count)
        piece[is_open] = finer[is_open]
        cut[is_open] = level
    return Pieces(nodes, nodes[component], nodes[piece], cut)


def split_large(
    left: U64, right: U64, similarity: F32, limit: int, levels: Sequence[float] = LEVELS
) -> tuple[U64, U64, Bools]:
    """Nodes, sorted; the smallest node of each one's piece; and whether its component was over the limit.

    Takes verified edges in any order, in either direction, repeated or not. The threshold rises level by level, only
    for pieces of more than `limit` nodes. Pages of similarity 1 are never parted.
    """
    pieces = split_pieces(strongest_forest(left, right, similarity), limit, levels)
    _, place, sizes = np.unique(pieces.component, return_inverse=True, return_counts=True)
    return pieces.node, pieces.piece, sizes[place] > limit
