"""Semantic duplicates of a run: pages that say the same in other words. Optional, and costly: each page is embedded.

Vectors are made in the child processes and lie beside their staged shard; what is shuffled is the sample that centroids
are fitted on, and every vector once, to the bucket of its cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.arrow_lists import column
from pipeline.calls import Call, RunOnHost
from pipeline.keys import read_arrow
from pipeline.packing import gather, pack, unpack
from pipeline.seen import shard_keys
from pipeline.semantic_match import (
    CLUSTERED,
    SEMANTIC_EDGES,
    VECTORS,
    assign_clusters,
    fit_centroids,
    match_clusters,
    plan_clusters,
)
from pipeline.semantic_vectors import embed_shard, missing_encoder, vectors_path
from pipeline.shuffle import BucketedShuffle, to_buckets, to_shards
from pipeline.verify_pairs import EDGES_VERIFIED, MEANING, rows_of
from schemas.config import ConfigError, SemanticPolicy

ROWS = pa.schema([("reference", pa.uint64())])
# Pairs that know of one of their pages how it is called and preferred.
HALF_NAMED = pa.schema([*SEMANTIC_EDGES, ("left_id", pa.string()), ("left_rank", pa.uint64())])
NAME_COLUMNS = ("doc_id", "rank")


class FindSemanticEdges(beam.PTransform):  # type: ignore[misc]
    """{"shards": (shard number, shard name), "rows": (shard number, packed ROWS)} to packed SEMANTIC_EDGES.

    `rows` are the pages that take part: those that stand for their text. Shards without rows and rows without a shard
    (of an earlier run, whose texts are not at hand) take no part. `folder` holds the staged shards.

    Raises:
        ConfigError: the extra `embeddings` is not installed; raised when the transform is made, before any work.
    """

    def __init__(self, folder: str, policy: SemanticPolicy, workers: int, groups: int, buckets: int) -> None:
        super().__init__()
        if missing := missing_encoder():
            raise ConfigError(
                f"semantic duplicates need {' and '.join(missing)}; install headwater[embeddings], or leave them"
            )
        self.folder = folder
        self.policy = policy
        self.workers = workers
        self.groups = groups
        self.buckets = buckets

    def expand(self, inputs: dict[str, beam.PCollection]) -> beam.PCollection:
        """Vectors, then their number and a sample by language, then centroids, then clusters, then pairs."""
        folder, policy, buckets = self.folder, self.policy, self.buckets

        def embed(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Call]:
            rows = gather(joined[1]["rows"], ROWS)
            if rows.num_rows:
                for name in joined[1]["shards"]:
                    yield Call(name, embed_shard, (folder, name, pack(rows)), name=f"embed {name}")

        def vectors_of(name: str) -> pa.Table:
            return read_arrow(vectors_path(folder, name)).cast(VECTORS)

        def sample(shard: tuple[str, dict[str, int]], texts: dict[str, int]) -> Iterator[tuple[str, bytes]]:
            vectors = None
            for language in sorted(shard[1]):
                plan = plan_clusters(texts[language], policy.cluster_texts)
                if plan.clusters > 1:
                    vectors = vectors_of(shard[0]) if vectors is None else vectors
                    chosen = np.asarray(vectors.column("hash")) < np.uint64(plan.sample_below)
                    chosen &= np.asarray(pc.equal(vectors.column("language"), language))
                    if chosen.any():
                        yield language, pack(vectors.filter(pa.array(chosen)))

        def fit(sampled: tuple[str, Iterable[bytes]], texts: dict[str, int]) -> tuple[str, bytes]:
            plan = plan_clusters(texts[sampled[0]], policy.cluster_texts)
            return sampled[0], fit_centroids(gather(sampled[1], VECTORS), plan.clusters).tobytes()

        def spread(shard: tuple[str, dict[str, int]], centroids: dict[str, bytes]) -> Iterator[tuple[int, bytes]]:
            yield from to_buckets(assign_clusters(vectors_of(shard[0]), centroids), "cluster", buckets)

        def match(bucket: tuple[int, pa.Table]) -> Iterator[bytes]:
            edges = match_clusters(bucket[1], policy.similarity, policy.cluster_texts)
            if edges.num_rows:
                yield pack(edges)

        embedded = (
            {"shards": inputs["shards"], "rows": inputs["rows"]}
            | "JoinRows" >> beam.CoGroupByKey()
            | "EmbedCalls" >> beam.FlatMap(embed)
            | "Embed" >> RunOnHost(self.workers, self.groups)
        )
        texts = (
            embedded
            | "Count" >> beam.FlatMap(lambda shard: sorted(shard[1].items()))
            | "SumByLanguage" >> beam.CombinePerKey(sum)
        )
        centroids = (
            embedded
            | "Sample" >> beam.FlatMap(sample, beam.pvalue.AsDict(texts))
            | "SampleByLanguage" >> beam.GroupByKey()
            | "FitCentroids" >> beam.Map(fit, beam.pvalue.AsDict(texts))
        )
        return (
            embedded
            | "AssignClusters" >> beam.FlatMap(spread, beam.pvalue.AsDict(centroids))
            | "ByCluster" >> BucketedShuffle(CLUSTERED)
            | "MatchClusters" >> beam.FlatMap(match)
        )


def name_left(keys: pa.Table, edges: pa.Table) -> pa.Table:
    """HALF_NAMED: SEMANTIC_EDGES whose left pages are in the shard of `keys`."""
    named = keys.take(rows_of(column(edges, "left")))
    return pa.table([*edges.columns, *(named.column(name) for name in NAME_COLUMNS)], schema=HALF_NAMED)


def name_right(keys: pa.Table, half: pa.Table) -> pa.Table:
    """EDGES_VERIFIED of HALF_NAMED whose right pages are in the shard of `keys`: the preferred page becomes right."""
    named = keys.take(rows_of(column(half, "right")))
    left, right, left_rank = (column(half, name) for name in ("left", "right", "left_rank"))
    right_rank = column(named, "rank")
    turn = (left_rank < right_rank) | ((left_rank == right_rank) & (left < right))
    mask = pa.array(turn)
    left_id, right_id = half.column("left_id"), named.column("doc_id")
    return pa.table(
        [
            np.where(turn, right, left),
            np.where(turn, left, right),
            half.column("similarity"),
            pa.array(np.full(len(left), MEANING, np.uint8)),
            pc.if_else(mask, right_id, left_id),
            pc.if_else(mask, left_id, right_id),
        ],
        schema=EDGES_VERIFIED,
    )


class NameSemanticEdges(beam.PTransform):  # type: ignore[misc]
    """Packed SEMANTIC_EDGES to (shard number of the left page, packed EDGES_VERIFIED).

    `shards` are (shard number, shard name); `folder` holds their keys.
    """

    def __init__(self, folder: str, shards: beam.PCollection) -> None:
        super().__init__()
        self.folder = folder
        self.shards = shards

    def expand(self, edges: beam.PCollection) -> beam.PCollection:
        """Ask the shard of the left page, then that of the right one."""
        folder = self.folder

        def left(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            found = gather(joined[1]["edges"], SEMANTIC_EDGES)
            if found.num_rows:
                for name in joined[1]["shards"]:
                    yield from to_shards(name_left(shard_keys(folder, name, NAME_COLUMNS), found), "right")

        def right(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            found = gather(joined[1]["halves"], HALF_NAMED)
            if found.num_rows:
                for name in joined[1]["shards"]:
                    yield from to_shards(name_right(shard_keys(folder, name, NAME_COLUMNS), found), "left")

        by_left = edges | "ByLeft" >> beam.FlatMap(lambda packed: to_shards(unpack(packed), "left"))
        halves = (
            {"shards": self.shards, "edges": by_left}
            | "JoinLeftNames" >> beam.CoGroupByKey()
            | "NameLeft" >> beam.FlatMap(left)
        )
        return (
            {"shards": self.shards, "halves": halves}
            | "JoinRightNames" >> beam.CoGroupByKey()
            | "NameRight" >> beam.FlatMap(right)
        )
