"""Agreement of two partitions of the same documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


def labels(ids: Sequence[str], cluster: Mapping[str, Any]) -> Labels:
    """A number of its cluster for every id; an id that `cluster` does not name is alone."""
    names: dict[Any, int] = {}
    found = np.empty(len(ids), np.int64)
    for place, name in enumerate(ids):
        key = ("in", cluster[name]) if name in cluster else ("alone", name)
        found[place] = names.setdefault(key, len(names))
    return found


def compare(mine: Labels, theirs: Labels) -> dict[str, Any]:
    """Agreement of two partitions: pairs of documents in one cluster, by either and by both."""
    cells = np.unique(np.stack([mine, theirs]), axis=1, return_counts=True)
    first, second = np.bincount(mine), np.bincount(theirs)
    both, by_mine, by_theirs = (_pairs(sizes) for sizes in (cells[1], first, second))
    # a document's cluster is the same set of documents on both sides where its cell is the whole of both clusters
    same = (cells[1] == first[cells[0][0]]) & (cells[1] == second[cells[0][1]])
    return {
        "documents": len(mine),
        "equal": bool(same.all()),
        "documents_in_differing_clusters": int(cells[1][~same].sum()),
        "pairs": by_mine,
        "pairs_of_peer": by_theirs,
        "pairs_of_both": both,
        "pair_precision": both / by_mine if by_mine else 1.0,
        "pair_recall": both / by_theirs if by_theirs else 1.0,
    }


def describe(found: Labels) -> dict[str, int]:
    """Documents that stay when one of each cluster does, clusters of two and more, and the largest."""
    sizes = np.bincount(found)
    return {
        "kept": int((sizes > 0).sum()),
        "clusters": int((sizes > 1).sum()),
        "largest": int(sizes.max(initial=0)),
        "documents_in_clusters": int(sizes[sizes > 1].sum()),
    }


def pairs_in_one_only(mine: Labels, theirs: Labels, most: int, seed: int = 1) -> list[tuple[int, int]]:
    """Up to `most` pairs of documents (places) that `theirs` puts in one cluster and `mine` does not, by chance."""
    random = np.random.default_rng(seed)
    order = np.argsort(theirs, kind="stable")
    starts = np.searchsorted(theirs[order], np.arange(theirs.max(initial=-1) + 2))
    # A pair by chance among all pairs of a cluster: clusters by their number of pairs.
    sizes = np.diff(starts).astype(np.float64)
    weights = sizes * (sizes - 1)
    if not weights.sum():
        return []
    found: set[tuple[int, int]] = set()
    for cluster in random.choice(len(sizes), 50 * most, p=weights / weights.sum()):
        first, second = random.choice(order[starts[cluster] : starts[cluster + 1]], 2, replace=False)
        if mine[first] != mine[second]:
            found.add((min(int(first), int(second)), max(int(first), int(second))))
            if len(found) >= most:
                break
    return sorted(found)


def _pairs(sizes: npt.NDArray[np.int64]) -> int:
    return int((sizes.astype(np.int64) * (sizes.astype(np.int64) - 1) // 2).sum())
