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

from pipeline.calls import Call, RunOnHost
from pipeline.keys import read_arrow
from pipeline.semantic_match import (
    CLUSTERED,
    VECTORS,
    assign_clusters,
    fit_centroids,
    match_clusters,
    plan_clusters,
)
from pipeline.semantic_vectors import embed_shard, missing_encoder, vectors_path
from pipeline.shuffle import BucketedShuffle, gather, pack, to_buckets
from schemas.config import ConfigError, SemanticPolicy

ROWS = pa.schema([("reference", pa.uint64())])


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
