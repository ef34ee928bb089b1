"""Connected components of a graph of duplicates: pure functions on packed edges.

Edges are pairs of document references (uint64). The distributed form alternates large-star and small-star operations
(Kiveris et al. 2014, "Connected Components in MapReduce and Beyond"), each of which needs the neighbours of a node in
one place and no more; locally, SciPy's union-find does all at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

U64 = npt.NDArray[np.uint64]
Edges = tuple[U64, U64]


def unique_edges(left: U64, right: U64) -> Edges:
    """Edges without loops and repetitions, sorted."""
    distinct = left != right
    pairs = np.stack([left[distinct], right[distinct]], axis=1)
    if not len(pairs):
        return pairs[:, 0], pairs[:, 1]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[order]
    fresh = np.ones(len(pairs), bool)
    fresh[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[fresh, 0], pairs[fresh, 1]


def contract(left: U64, right: U64) -> Edges:
    """A star per connected component: every node but the smallest, with the smallest. Any order of edges."""
    if not len(left):
        return left, right
    nodes, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    count = len(nodes)
    graph = coo_array((np.ones(len(left), np.int8), (index[: len(left)], index[len(left) :])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    # Nodes are sorted, so the first of each label is the smallest.
    _, first = np.unique(label, return_index=True)
    smallest = nodes[first[label]]
    others = nodes != smallest
    return nodes[others], smallest[others]


def _group_minimum(node: U64, neighbour: U64) -> tuple[U64, U64, U64]:
    """Edges sorted by node, and the smallest neighbour of each edge's node."""
    order = np.lexsort((neighbour, node))
    node, neighbour = node[order], neighbour[order]
    first = np.ones(len(node), bool)
    first[1:] = node[1:] != node[:-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(node)))
    return node, neighbour, np.repeat(neighbour[starts], lengths)


def large_star(node: U64, neighbour: U64) -> Edges:
    """Connect the larger neighbours of each node with the smallest node around.

    Takes every edge in both directions, grouped so that all of a node's edges are here.
    """
    if not len(node):
        return node, neighbour
    node, neighbour, smallest = _group_minimum(node, neighbour)
    smallest = np.minimum(smallest, node)
    larger = neighbour > node
    return unique_edges(neighbour[larger], smallest[larger])


def small_star(node: U64, neighbour: U64) -> Edges:
    """Connect each node and its smaller neighbours with the smallest of them.

    Takes every edge once, from the larger to the smaller end, with all of a node's edges here.
    """
    if not len(node):
        return node, neighbour
    node, neighbour, smallest = _group_minimum(node, neighbour)
    left = np.concatenate([neighbour, node])
    return unique_edges(left, np.concatenate([smallest, smallest]))


def checksum(left: U64, right: U64) -> int:
    """A sum over edges that does not depend on their order (splitmix64 of each, wrapped)."""
    value = left * np.uint64(0x9E3779B97F4A7C15) ^ (right + np.uint64(0xD1B54A32D192ED03))
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return int(np.add.reduce(value ^ (value >> np.uint64(31)), dtype=np.uint64))
