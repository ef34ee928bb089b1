"""Connected components, pure parts: contraction against SciPy, names and digests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.components import checksum, contract, one_each, rounds_for, scramble, smallest_by, unscramble


def oracle(left: np.ndarray, right: np.ndarray) -> dict[int, int]:
    """Every node but the smallest of its component, with that."""
    nodes, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    graph = coo_array((np.ones(len(left)), (index[: len(left)], index[len(left) :])), shape=(len(nodes),) * 2)
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max(initial=-1) + 1, 2**64 - 1, np.uint64)
    np.minimum.at(smallest, label, nodes)
    found = zip(nodes.tolist(), smallest[label].tolist(), strict=True)
    return {node: least for node, least in found if node != least}


edge_lists = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=80)


@given(edge_lists)
@settings(max_examples=150, deadline=None)
def test_contraction_agrees_with_scipy_with_loops_and_copies(edges: list[tuple[int, int]]) -> None:
    left, right = np.array(edges, np.uint64).reshape(-1, 2).T
    assert dict(zip(*(part.tolist() for part in contract(left, right)), strict=True)) == oracle(left, right)


def test_contraction_does_not_depend_on_order() -> None:
    rng = np.random.default_rng(3)
    left, right = rng.integers(0, 9000, 8000).astype(np.uint64), rng.integers(0, 9000, 8000).astype(np.uint64)
    order = rng.permutation(len(left))
    for a, b in zip(contract(left, right), contract(right[order], left[order]), strict=True):
        assert (a == b).all()


def test_contraction_of_nothing_is_nothing() -> None:
    empty = np.zeros(0, np.uint64)
    assert [len(part) for part in contract(empty, empty)] == [0, 0]
    loop = np.array([7], np.uint64)
    assert [len(part) for part in contract(loop, loop)] == [0, 0]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_scrambled_names_come_back(values: list[int]) -> None:
    nodes = np.array(values, np.uint64)
    assert (unscramble(scramble(nodes)) == nodes).all()
    assert len(set(scramble(nodes).tolist())) == len(set(values))


def test_scrambled_names_have_no_order() -> None:
    names = scramble(np.arange(10_000, dtype=np.uint64))
    assert abs(float((names[1:] > names[:-1]).mean()) - 0.5) < 0.02


def test_checksum_ignores_order_only() -> None:
    left, right = np.array([1, 2], np.uint64), np.array([3, 4], np.uint64)
    assert checksum(left, right) == checksum(left[::-1].copy(), right[::-1].copy())
    assert checksum(left, right) != checksum(right, left)


def test_one_of_each_root_and_the_smallest() -> None:
    keys, values = np.array([5, 3, 5, 3], np.uint64), np.array([9, 8, 2, 7], np.uint64)
    assert keys[one_each(keys)].tolist() == [3, 5]
    assert [part.tolist() for part in smallest_by(keys, values)] == [[3, 5], [7, 2]]
    assert [len(part) for part in smallest_by(keys[:0], values[:0])] == [0, 0]


@pytest.mark.parametrize(("buckets", "needed"), [(3, 9), (8, 13), (64, 20)])
def test_rounds_have_a_margin(buckets: int, needed: int) -> None:
    assert 1.4 * needed <= rounds_for(buckets) <= 2.1 * needed
    assert rounds_for(2) >= 12
