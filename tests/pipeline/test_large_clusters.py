"""SplitLargeClusters on Beam against the pure function, behind ConnectedComponents."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipeline.cluster_split import split_large
from pipeline.components import contract
from pipeline.connect import LABELS, ConnectedComponents, edge_table
from pipeline.large_clusters import SIMILAR_EDGES, FlaggedCluster, SplitLargeClusters
from pipeline.packing import pack, unpack

Graph = tuple[np.ndarray, np.ndarray, np.ndarray]


def random_graph(nodes: int = 3000, seed: int = 4) -> Graph:
    """One giant component, and many small ones."""
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, nodes, nodes * 7 // 10).astype(np.uint64) for _ in range(2))
    return left, right, rng.choice(np.array([0.75, 0.82, 0.88, 0.96, 1.0], np.float32), len(left))


def run(
    graph: Graph, buckets: int, limit: int, check: Any, check_flagged: Any, batches: int = 4, seed: int = 0
) -> None:
    rng = np.random.default_rng(seed)
    order, turned = rng.permutation(len(graph[0])), rng.random(len(graph[0])) < 0.5
    left, right, similarity = (part[order] for part in graph)
    table = pa.table([np.where(turned, right, left), np.where(turned, left, right), similarity], schema=SIMILAR_EDGES)
    cuts = np.linspace(0, len(left), batches + 1).astype(int)
    packed = [pack(table.slice(a, b - a)) for a, b in pairwise(cuts)]

    def plain(data: bytes) -> bytes:
        edges = unpack(data)
        return pack(edge_table(*(np.asarray(edges.column(name)) for name in ("left", "right"))))

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", "--direct_runner_bundle_repeat=2"])) as p:
        edges = p | beam.Create(packed)
        labels = (edges | "Plain" >> beam.Map(plain) | ConnectedComponents(buckets)).labels
        found = (labels, edges) | SplitLargeClusters(buckets, limit)
        assert_that(found.labels, check, "labels")
        assert_that(found.flagged, check_flagged, "flagged")


def equals(node: np.ndarray, label: np.ndarray) -> Any:
    want = {a: b for a, b in zip(node.tolist(), label.tolist(), strict=True) if a != b}

    def check(found: list[tuple[int, pa.Table]]) -> None:
        got: list[tuple[int, int]] = []
        for _, table in found:
            assert table.schema == LABELS
            got += zip(table.column("reference").to_pylist(), table.column("component").to_pylist(), strict=True)
        assert sorted(got) == sorted(want.items()), "each node once, with the smallest of its piece"

    return check


@pytest.mark.parametrize(("buckets", "limit", "batches"), [(1, 40, 1), (1, 2, 5), (3, 40, 4), (5, 10, 9)])
def test_labels_are_those_of_the_pure_function(buckets: int, limit: int, batches: int) -> None:
    graph = random_graph()
    node, label, flagged = split_large(*graph, limit)
    roots = dict(zip(*(part.tolist() for part in contract(graph[0], graph[1])), strict=True))
    component = np.array([roots.get(n, n) for n in node.tolist()])

    def check_flagged(found: list[FlaggedCluster]) -> None:
        assert {f.component for f in found} == set(component[flagged].tolist()) != set()
        for cluster in found:
            inside = component == cluster.component
            sizes = np.unique(label[inside], return_counts=True)[1]
            assert (cluster.nodes, cluster.pieces, cluster.largest_piece) == (inside.sum(), len(sizes), sizes.max())
            ends = np.isin(graph[0], node[inside]) & (graph[0] != graph[1])
            assert cluster.edges == ends.sum()
            assert cluster.level in (0.8, 0.85, 0.9, 0.95, 0.98, 1.0)

    run(graph, buckets, limit, equals(node, label), check_flagged, batches, seed=batches)


@pytest.mark.parametrize("buckets", [1, 3])
def test_nothing_changes_within_the_limit(buckets: int) -> None:
    graph = random_graph(500)
    run(graph, buckets, 500, equals(*contract(graph[0], graph[1])), equal_to([]))


def test_no_edges_at_all() -> None:
    empty = np.zeros(0, np.uint64)
    run((empty, empty, np.zeros(0, np.float32)), 3, 5, equals(empty, empty), equal_to([]), batches=1)


def test_more_tables_than_buckets_is_an_error() -> None:
    labels = [(0, pa.table([np.array([n], np.uint64), np.zeros(1, np.uint64)], schema=LABELS)) for n in (1, 2)]

    def build() -> None:
        with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
            nothing = p | "Edges" >> beam.Create([], reshuffle=False)
            _ = (p | beam.Create(labels), nothing) | SplitLargeClusters(1, 5)

    with pytest.raises((ValueError, RuntimeError), match="more tables than the 1 buckets"):
        build()
