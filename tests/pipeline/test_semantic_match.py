"""Clusters and pairs of synthetic vectors, against all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline import semantic_match
from pipeline.components import contract
from pipeline.semantic_match import (
    CLUSTERED,
    DIMENSIONS,
    MOST_CENTROIDS,
    MOST_EDGES,
    SEMANTIC_EDGES,
    VECTORS,
    assign_clusters,
    fit_centroids,
    match_clusters,
    matrix,
    nearest,
    packed_vectors,
    page_hash,
    plan_clusters,
    quantise,
    similar_pairs,
)

I8 = npt.NDArray[np.int8]


def directions(rng: np.random.Generator, topics: int, pages: int, spread: float = 0.02) -> npt.NDArray[np.float64]:
    """Pages around topics; within a topic cosines are about 1 / (1 + DIMENSIONS * spread**2)."""
    centres = rng.normal(size=(topics, DIMENSIONS))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return centres[rng.integers(0, topics, pages)] + spread * rng.normal(size=(pages, DIMENSIONS))


def vectors_table(vectors: I8, languages: list[str] | None = None, sizes: list[int] | None = None) -> pa.Table:
    count = len(vectors)
    references = np.arange(count, dtype=np.uint64) + (np.arange(count, dtype=np.uint64) % 3 << np.uint64(32))
    hashes = np.array([page_hash(f"{number:032x}") for number in range(count)], np.uint64)
    labels = pa.array(languages or ["eng"] * count, pa.string())
    lengths = np.array(sizes or [500] * count, np.uint32)
    columns = [labels, np.sort(references), hashes, lengths, packed_vectors(vectors)]
    return pa.table(columns, schema=VECTORS)


def clustered(vectors: I8) -> pa.Table:
    return assign_clusters(vectors_table(vectors), {})


def oracle(table: pa.Table, similarity: float) -> dict[tuple[int, int], float]:
    """All pairs of one language whose cosine is at least so high, by plain integers."""
    vectors, references = matrix(table).astype(np.int64), table.column("reference").to_pylist()
    languages = table.column("language").to_pylist()
    dots = vectors @ vectors.T
    found = {}
    for a in range(len(vectors)):
        for b in range(a):
            cosine = int(dots[a, b]) / float(np.sqrt(float(dots[a, a]) * float(dots[b, b])))
            if languages[a] == languages[b] and cosine >= similarity:
                left, right = sorted((references[a], references[b]))
                found[left, right] = cosine
    return found


def as_pairs(edges: pa.Table) -> dict[tuple[int, int], float]:
    assert edges.schema.equals(SEMANTIC_EDGES)
    rows = edges.to_pylist()
    found = {(row["left"], row["right"]): row["similarity"] for row in rows}
    assert len(found) == len(rows)
    assert all(left < right for left, right in found)
    return found


def test_a_vector_survives_int8() -> None:
    floats = np.random.default_rng(1).normal(size=(200, DIMENSIONS))
    unit = floats / np.linalg.norm(floats, axis=1, keepdims=True)
    mixed = unit + 3 * unit[:1]  # high cosines too
    before = mixed @ mixed.T / np.outer(np.linalg.norm(mixed, axis=1), np.linalg.norm(mixed, axis=1))
    small = quantise(mixed).astype(np.float64)
    after = small @ small.T / np.outer(np.linalg.norm(small, axis=1), np.linalg.norm(small, axis=1))
    assert np.abs(before - after).max() < 0.002
    assert quantise(np.zeros((1, DIMENSIONS))).any() == np.False_
    table = vectors_table(quantise(unit))
    assert np.array_equal(matrix(table.slice(3, 5)), quantise(unit)[3:8])
    assert matrix(VECTORS.empty_table()).shape == (0, DIMENSIONS)


def test_dot_products_are_exact_in_float32() -> None:
    assert semantic_match.LARGEST**2 * DIMENSIONS < 2**24
    extreme = np.full((2, DIMENSIONS), 127, np.int8)
    extreme[1] = -127
    edges = as_pairs(similar_pairs(clustered(np.vstack([extreme[:1], extreme[:1]])), 1.0, 2))
    assert list(edges.values()) == [1.0]
    assert not similar_pairs(clustered(extreme), 0.01, 2).num_rows


@pytest.mark.parametrize("similarity", [0.6, 0.8, 0.95])
def test_one_cluster_finds_all_pairs(similarity: float) -> None:
    rng = np.random.default_rng(2)
    vectors = quantise(directions(rng, 40, 400))
    vectors[7] = vectors[300]
    table = vectors_table(vectors)
    expected = oracle(table, similarity)
    assert len(expected) > (0 if similarity > 0.9 else 1000)
    found = as_pairs(match_clusters(assign_clusters(table, {}), similarity, 1000))
    assert found == pytest.approx(expected, abs=1e-6)
    assert found[tuple(sorted(table.column("reference").take([7, 300]).to_pylist()))] == 1.0


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = clustered(quantise(directions(np.random.default_rng(3), 30, 500)))
    expected = match_clusters(table, 0.7, 1000)
    monkeypatch.setattr(semantic_match, "BLOCK", 37)
    monkeypatch.setattr(semantic_match, "COLUMNS", 53)
    found = match_clusters(table, 0.7, 1000)
    assert expected.num_rows > 1000
    assert as_pairs(found) == as_pairs(expected)


def test_order_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    vectors = quantise(directions(rng, 60, 900, 0.03))
    table = vectors_table(vectors, [["eng", "deu"][row % 2] for row in range(len(vectors))])
    shuffled = table.take(pa.array(rng.permutation(table.num_rows)))
    results = []
    for each in (table, shuffled):
        centroids = {}
        for language in ("eng", "deu"):
            rows = each.filter(pc.equal(each.column("language"), language))
            centroids[language] = fit_centroids(rows, 9).tobytes()
        together = assign_clusters(each, centroids)
        results.append((centroids, match_clusters(together, 0.5, 20)))  # 20: some clusters are oversize
    assert results[0][0] == results[1][0]
    found = as_pairs(results[0][1])
    assert found == as_pairs(results[1][1])
    expected = oracle(table, 0.5)
    assert found == pytest.approx({pair: expected[pair] for pair in found}, abs=1e-6)
    assert len(found) > 0.8 * len(expected)  # the rest is on both sides of a border


def test_languages_never_meet() -> None:
    same = quantise(np.repeat(directions(np.random.default_rng(5), 1, 1), 4, axis=0))
    table = vectors_table(same, ["eng", "deu", "eng", "fra"])
    assert list(as_pairs(match_clusters(assign_clusters(table, {}), 0.9, 10)).values()) == [1.0]
    centroids = same[:1].tobytes()
    again = match_clusters(assign_clusters(table, {"eng": centroids, "deu": centroids, "fra": centroids}), 0.9, 10)
    assert again.num_rows == 1


def test_centroids_are_the_topics() -> None:
    rng = np.random.default_rng(6)
    topics = 5
    floats = directions(rng, topics, 1500, 0.01)
    vectors = quantise(floats)
    centroids = fit_centroids(vectors_table(vectors), 4 * topics)
    assigned = nearest(vectors, centroids)
    dots = floats @ floats.T / np.outer(np.linalg.norm(floats, axis=1), np.linalg.norm(floats, axis=1))
    for cluster in np.unique(assigned):
        inside = dots[np.ix_(assigned == cluster, assigned == cluster)]
        assert inside.min() > 0.5  # no cluster holds two topics
    # a centroid is found by its cosine, whatever its length
    assert nearest(vectors[:1], np.vstack([vectors[:1] // 3, vectors[:1]])).tolist() in ([0], [1])
    assert len(fit_centroids(vectors_table(vectors[:3]), 10)) <= 3
    assert len(fit_centroids(VECTORS.empty_table(), 10)) == 0


def test_plan() -> None:
    assert plan_clusters(0, 1000).clusters <= 1
    assert plan_clusters(1000, 1000) == semantic_match.Plan(1, 0)
    assert plan_clusters(1001, 1000).clusters == 2
    huge = plan_clusters(10**10, 1000)
    assert huge.clusters == MOST_CENTROIDS
    assert 0 < huge.sample_below < 2**64
    tiny = plan_clusters(10, 2)
    assert tiny == semantic_match.Plan(5, 2**64 - 1)


def components(edges: pa.Table) -> int:
    _, roots = contract(np.asarray(edges.column("left")), np.asarray(edges.column("right")))
    return len(np.unique(roots))


@pytest.mark.parametrize("cluster_texts", [300, 20])  # compared whole; split, in parts that are split again
def test_a_template_stays_linear(cluster_texts: int) -> None:
    """Thousands of pages that are all alike: edges and work are bounded, and they still are one component."""
    rng = np.random.default_rng(7)
    count = 1500
    alike = directions(rng, 1, 1, 0)[0] + 0.0005 * rng.normal(size=(count, DIMENSIONS))
    alike[: count // 2] = alike[0]
    edges = match_clusters(clustered(quantise(alike)), 0.9, cluster_texts)
    assert count - 1 <= edges.num_rows <= MOST_EDGES * count + semantic_match.MOST_PARTS**2
    assert components(edges) == 1
    if cluster_texts == 300:
        assert np.unique(np.asarray(edges.column("right")), return_counts=True)[1].max() == MOST_EDGES


def test_a_cluster_that_cannot_be_split_is_compared_along_a_line() -> None:
    same = quantise(np.repeat(directions(np.random.default_rng(9), 1, 1), 500, axis=0))
    edges = match_clusters(clustered(same), 1.0, 10)  # no k-means takes equal vectors apart
    assert edges.num_rows <= MOST_EDGES * 500
    assert components(edges) == 1
    assert set(edges.column("similarity").to_pylist()) == {1.0}


def test_an_oversize_cluster_is_split_by_meaning() -> None:
    rng = np.random.default_rng(8)
    vectors = quantise(directions(rng, 50, 1200, 0.01))
    table = clustered(vectors)
    whole = as_pairs(match_clusters(table, 0.85, 1000))
    split = as_pairs(match_clusters(table, 0.85, 30))  # 1,200 are more than 8 x 30
    assert split.items() <= whole.items()
    assert len(split) > 0.5 * len(whole)


def test_nothing_and_one_page() -> None:
    assert match_clusters(CLUSTERED.empty_table(), 0.9, 10).num_rows == 0
    assert match_clusters(clustered(quantise(np.ones((1, DIMENSIONS)))), 0.1, 10).num_rows == 0
    empty = similar_pairs(clustered(np.zeros((2, DIMENSIONS), np.int8)), 0.5, 2)  # no direction, no pair
    assert empty.num_rows == 0
    assert assign_clusters(VECTORS.empty_table(), {}).schema.equals(CLUSTERED)


def test_a_page_and_what_it_begins_are_no_pair() -> None:
    same = quantise(np.repeat(directions(np.random.default_rng(5), 1, 1), 4, axis=0))
    table = vectors_table(same, sizes=[1000, 2000, 2001, 4500])
    a, b, c, _ = table.column("reference").to_pylist()
    assert set(as_pairs(match_clusters(assign_clusters(table, {}), 0.9, 10))) == {(a, b), (b, c)}
