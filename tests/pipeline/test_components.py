"""Connected components: local contraction and the star operations against SciPy, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.components import checksum, contract, large_star, small_star, unique_edges


def oracle(left: np.ndarray, right: np.ndarray) -> dict[int, int]:
    nodes, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    graph = coo_array((np.ones(len(left)), (index[: len(left)], index[len(left) :])), shape=(len(nodes),) * 2)
    _, label = connected_components(graph, directed=False)
    smallest = {k: int(nodes[label == k].min()) for k in set(label.tolist())}
    return {int(n): smallest[k] for n, k in zip(nodes, label.tolist(), strict=True) if int(n) != smallest[k]}


def stars(left: np.ndarray, right: np.ndarray, rounds: int = 30) -> dict[int, int]:
    for _ in range(rounds):
        before = checksum(left, right)
        left, right = large_star(np.concatenate([left, right]), np.concatenate([right, left]))
        left, right = small_star(np.maximum(left, right), np.minimum(left, right))
        if checksum(left, right) == before:
            break
    return dict(zip(left.tolist(), right.tolist(), strict=True))


edge_lists = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=80)


@given(edge_lists)
@settings(max_examples=150, deadline=None)
def test_contraction_and_stars_agree_with_scipy(edges: list[tuple[int, int]]) -> None:
    left = np.array([a for a, b in edges if a != b], np.uint64)
    right = np.array([b for a, b in edges if a != b], np.uint64)
    want = oracle(left, right) if len(left) else {}
    assert dict(zip(*(part.tolist() for part in contract(left, right)), strict=True)) == want
    assert stars(left, right) == want


@pytest.mark.parametrize("shape", ["chain", "star", "random"])
def test_large_graphs(shape: str) -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    names = rng.permutation(n).astype(np.uint64) + np.uint64(2**40)
    if shape == "chain":
        left, right = names[:-1], names[1:]
    elif shape == "star":
        left, right = names[1:], np.repeat(names[:1], n - 1)
    else:
        left, right = rng.choice(names, n), rng.choice(names, n)
        left, right = left[left != right], right[left != right]
    order = rng.permutation(len(left))
    first = contract(left, right)
    again = contract(right[order], left[order])
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert dict(zip(*(part.tolist() for part in first), strict=True)) == stars(left, right)


def test_unique_edges_drops_loops_and_copies() -> None:
    left, right = np.array([3, 1, 3, 2], np.uint64), np.array([1, 1, 1, 5], np.uint64)
    assert [part.tolist() for part in unique_edges(left, right)] == [[2, 3], [5, 1]]


def test_checksum_ignores_order_only() -> None:
    left, right = np.array([1, 2], np.uint64), np.array([3, 4], np.uint64)
    assert checksum(left, right) == checksum(left[::-1].copy(), right[::-1].copy())
    assert checksum(left, right) != checksum(right, left)
