"""Splitting of large clusters against an oracle in plain Python."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cluster_split import LEVELS, split_large, split_pieces, strongest_forest

Edge = tuple[int, int, float]


def parts(nodes: set[int], edges: list[Edge]) -> list[set[int]]:
    """Connected components of some nodes."""
    left, found = set(nodes), []
    while left:
        part, todo = set(), [min(left)]
        while todo:
            node = todo.pop()
            if node not in part:
                part.add(node)
                todo += [b if a == node else a for a, b, _ in edges if node in (a, b) and {a, b} <= nodes]
        found.append(part)
        left -= part
    return found


def oracle(edges: list[Edge], limit: int) -> dict[int, tuple[int, bool]]:
    edges = [e for e in edges if e[0] != e[1]]
    found = {}
    for whole in parts({n for e in edges for n in e[:2]}, edges):
        pieces = [whole]
        for level in LEVELS:
            strong = [e for e in edges if np.float32(e[2]) >= np.float32(level)]
            pieces = [p for piece in pieces for p in (parts(piece, strong) if len(piece) > limit else [piece])]
        found.update({node: (min(p), len(whole) > limit) for p in pieces for node in p})
    return found


def arrays(edges: list[Edge]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left, right = (np.array([e[i] for e in edges], np.uint64) for i in (0, 1))
    return left, right, np.array([e[2] for e in edges], np.float32)


similarities = st.sampled_from([0.75, 0.8, 0.82, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0])
edge_lists = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25), similarities), max_size=50)


@given(edge_lists, st.integers(2, 12))
@settings(max_examples=200, deadline=None)
def test_pieces_are_those_of_the_oracle(edges: list[Edge], limit: int) -> None:
    node, label, flagged = split_large(*arrays(edges), limit)
    got = {n: (p, f) for n, p, f in zip(node.tolist(), label.tolist(), flagged.tolist(), strict=True)}
    assert got == oracle(edges, limit)


@given(edge_lists, st.integers(0, 3), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_forest_of_forests_is_the_forest(edges: list[Edge], cut: int, rng: random.Random) -> None:
    whole = strongest_forest(*arrays(edges))
    shuffled = [(b, a, s) if rng.random() < 0.5 else (a, b, s) for a, b, s in rng.sample(edges, len(edges))]
    at = len(edges) * cut // 3
    halves = [strongest_forest(*arrays(part)) for part in (shuffled[:at], shuffled[at:])]
    again = strongest_forest(*(np.concatenate(columns) for columns in zip(*halves, strict=True)))
    for a, b in zip(whole[:3], again[:3], strict=True):
        assert (a == b).all()
    real = [e for e in edges if e[0] != e[1]]
    assert whole.edges.sum() == again.edges.sum() == len(real)
    assert (whole.edges >= 1).all()
    assert (again.edges >= 1).all()
    assert len(whole.left) == sum(len(p) - 1 for p in parts({n for e in real for n in e[:2]}, real))


def test_equal_pages_are_never_parted() -> None:
    edges = [(0, i, 1.0) for i in range(1, 9)] + [(8, 9, 0.99)]
    pieces = split_pieces(strongest_forest(*arrays(edges)), 3)
    assert pieces.piece.tolist() == [0] * 9 + [9]
    assert set(pieces.level.tolist()) == {1.0}
    assert set(pieces.component.tolist()) == {0}


def test_only_pieces_over_the_limit_are_cut() -> None:
    tight = [(i, i + 1, 0.96) for i in range(6)]
    loose = [(6, 7, 0.79), (7, 8, 0.81), (20, 21, 0.76)]
    pieces = split_pieces(strongest_forest(*arrays(tight + loose)), 4)
    assert pieces.piece.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 20, 20]
    assert pieces.level.round(2).tolist()[-4:] == [np.float32(0.8).round(2)] * 2 + [0, 0]


def test_nothing_is_nothing() -> None:
    assert [len(part) for part in split_large(*arrays([]), 5)] == [0, 0, 0]
    assert [len(part) for part in split_large(*arrays([(3, 3, 1.0)]), 5)] == [0, 0, 0]
