"""ConnectedComponents on Beam against SciPy: any shape, order, number of batches and buckets, any runner's ways."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

from pipeline.components import contract, rounds_for
from pipeline.connect import ConnectedComponents, RoundStatistics, UnconvergedError, edge_table
from pipeline.packing import pack

U64 = np.uint64
RNG = np.random.default_rng(11)


def chain(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    names = RNG.permutation(nodes).astype(U64) + U64(2**40)
    return names[:-1], names[1:]


def star(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    names = RNG.permutation(nodes).astype(U64)
    return names[1:], np.repeat(names[:1], nodes - 1)


def random_graph(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.integers(0, nodes, nodes * 4 // 5).astype(U64), RNG.integers(0, nodes, nodes * 4 // 5).astype(U64)


GRAPHS = {
    "chain": chain(20_000),
    "ascending": (np.arange(5000, dtype=U64), np.arange(1, 5001, dtype=U64)),
    "star": star(20_000),
    "random": random_graph(20_000),
    "loops": (np.array([1, 2, 5, 5], U64), np.array([1, 2, 5, 9], U64)),
    "only loops": (np.array([1, 2], U64), np.array([1, 2], U64)),
    "copies": (np.array([1, 2, 1, 2, 1], U64), np.array([2, 1, 2, 3, 2], U64)),
    "extremes": (np.array([0, 2**64 - 1], U64), np.array([2**63, 0], U64)),
    "empty": (np.zeros(0, U64), np.zeros(0, U64)),
}


def batches_of(left: np.ndarray, right: np.ndarray, count: int, seed: int = 0) -> list[bytes]:
    """Edges in another order and direction, in batches."""
    rng = np.random.default_rng(seed)
    order, turned = rng.permutation(len(left)), rng.random(len(left)) < 0.5
    left, right = left[order], right[order]
    parts = zip(np.array_split(np.where(turned, right, left), count), strict=True)
    others = np.array_split(np.where(turned, left, right), count)
    return [pack(edge_table(part[0].astype(U64), other.astype(U64))) for part, other in zip(parts, others, strict=True)]


def run(batches: list[bytes], buckets: int, check: Any, rounds: int | None = None, flags: tuple[str, ...] = ()) -> Any:
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", *flags])) as p:
        found = p | beam.Create(batches) | ConnectedComponents(buckets, rounds)
        assert_that(found.labels, check, "labels")
        assert_that(found.rounds, check_rounds(buckets), "rounds")
    return p.result


def check_rounds(buckets: int) -> Any:
    def check(rounds: list[RoundStatistics]) -> None:
        assert sorted(r.number for r in rounds) == list(range(1, len(rounds) + 1)), "every round once"
        assert len(rounds) <= rounds_for(buckets)
        assert all(r.edges_after <= r.edges_before for r in rounds)

    return check


def equals(left: np.ndarray, right: np.ndarray, buckets: int) -> Any:
    node, smallest = contract(left, right)
    want = dict(zip(node.tolist(), smallest.tolist(), strict=True))

    def check(found: list[Any]) -> None:
        got: dict[int, int] = {}
        assert len({bucket for bucket, _ in found}) == len(found) <= buckets
        for _, table in found:
            references = table.column("reference").to_pylist()
            assert references == sorted(set(references))
            assert not got.keys() & set(references), "a node has one label"
            got.update(zip(references, table.column("component").to_pylist(), strict=True))
        assert got == want

    return check


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("buckets", [1, 2, 7])
def test_labels_are_those_of_scipy(graph: str, buckets: int) -> None:
    left, right = GRAPHS[graph]
    run(batches_of(left, right, 5), buckets, equals(left, right, buckets))


@pytest.mark.parametrize(("seed", "count"), [(1, 1), (2, 3), (3, 40)])
def test_order_and_batches_do_not_matter(seed: int, count: int) -> None:
    left, right = random_graph(3000)
    run(batches_of(left, right, count, seed), 3, equals(left, right, 3))


def test_what_is_delivered_twice_counts_once() -> None:
    left, right = random_graph(3000)
    batches = batches_of(left, right, 4) + batches_of(left, right, 3, seed=5)
    run(batches, 3, equals(left, right, 3), flags=("--direct_runner_bundle_repeat=2",))


@pytest.mark.full
def test_worker_processes_agree() -> None:
    left, right = random_graph(3000)
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    run(batches_of(left, right, 4), 5, equals(left, right, 5), flags=flags)


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_has_not_converged_is_an_error(rounds: int) -> None:
    with pytest.raises((UnconvergedError, RuntimeError), match=f"not converged after {rounds} rounds"):
        run(batches_of(*chain(2000), 3), 4, lambda _: None, rounds)


def test_a_hub_does_not_reach_one_bucket() -> None:
    """A star costs a message for each leaf, and for its centre one for each bucket and batch."""
    left, right = star(20_000)
    metrics = run(batches_of(left, right, 5), 8, equals(left, right, 8)).metrics().query()
    counts = {c.key.metric.name: c.committed for c in metrics["counters"] if "edges" in c.key.metric.name}
    assert counts["round_01_edges_before"] <= 20_000 + 2 * 5 * 8
    assert all(count <= 20_000 + 3 * 8 * 8 for name, count in counts.items() if name > "round_02")
    assert len(counts) <= 2 * 8, "a star needs few rounds"


def test_messages_stay_within_the_stated_factor() -> None:
    left, right = chain(20_000)
    seen: list[int] = []
    metrics = run(batches_of(left, right, 8), 16, equals(left, right, 16)).metrics().query()
    seen = [c.committed for c in metrics["counters"] if "edges_before" in c.key.metric.name]
    assert 2 * len(left) < max(seen) < 3.5 * len(left)
