"""Groups of pages that are versions of one document in several languages, over a whole run.

    keys ─ by key ─ pairs ─ left's shard ─ right's shard ─ scored pairs ─┬──────────────┬─ ConnectedComponents ─ groups
                              (sketch)       (sketch)                    └─ embeddings ─┘

Only keys, sketches (at most 560 bytes a page) and verdicts are shuffled, never text. Memory of a worker is bounded: a
key keeps few rows of a shard, pairs are linear in the pages, and a group is resolved with the sketches of its members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from detectors.machine_translation.parallel_score import ACCEPTED, compare_sketches, score_pairs
from detectors.machine_translation.parallelism import KINDS
from pipeline.arrow_lists import column
from pipeline.components import contract
from pipeline.connect import LABELS, ConnectedComponents, edge_table, label_shards, unique_labels
from pipeline.keys import read_arrow
from pipeline.packing import gather, pack, unpack
from pipeline.parallel_confirm import (
    HALF_CONFIRMED,
    REQUESTS,
    UNDECIDED,
    UNDECIDED_EDGES,
    VECTORS,
    EmbedRows,
    confirm,
    encoder_for,
    missing_encoders,
    with_left_vectors,
)
from pipeline.parallel_groups import (
    COMPONENT_EDGES,
    COMPONENT_MEMBERS,
    EDGES_SCORED,
    addresses_of,
    resolve_groups,
)
from pipeline.parallel_match import (
    CANDIDATES,
    KEYED,
    PAIRS,
    gather_candidates,
    keyed_rows,
    match_pairs,
    parallel_path,
)
from pipeline.shuffle import BucketedShuffle, bucket_of, split_by, to_buckets, to_shards
from schemas.config import ConfigError

HALF_COMPARED = pa.schema([*CANDIDATES, ("language", pa.string()), ("sketch", pa.binary())])
ROW = np.uint64(0xFFFFFFFF)


def rows_of(table: pa.Table, name: str) -> pa.Array:
    """Rows, within their shard, of the references in a column."""
    return pa.array(column(table, name) & ROW)


def with_left_sketches(prepared: pa.Table, pairs: pa.Table) -> pa.Table:
    """HALF_COMPARED: the candidates among the PAIRS whose left page is in a shard, with that page's sketch."""
    candidates = gather_candidates(pairs)
    left = prepared.select(["language", "sketch"]).take(rows_of(candidates, "left"))
    return pa.table([*candidates.columns, *left.columns], schema=HALF_COMPARED)


def score_candidates(prepared: pa.Table, candidates: pa.Table) -> pa.Table:
    """UNDECIDED_EDGES: the HALF_COMPARED whose right page is in a shard, with scores; hopeless ones are left out."""
    right = prepared.select(["language", "sketch"]).take(rows_of(candidates, "right"))
    compared = compare_sketches(candidates.column("sketch").to_pylist(), right.column("sketch").to_pylist())
    keys = np.stack([np.asarray(candidates.column(name)) for name in KINDS], axis=1)
    scores = np.round(1000 * score_pairs(keys, compared)).astype(np.int32)
    languages = zip(candidates.column("language").to_pylist(), right.column("language").to_pylist(), strict=True)
    encoders = np.array([encoder_for(a, b) for a, b in languages], np.uint8)
    columns = [candidates.column("left"), candidates.column("right"), pa.array(scores), pa.array(encoders)]
    return pa.table(columns, schema=UNDECIDED_EDGES).filter(pa.array(scores >= 1000 * UNDECIDED))


def accepted(edges: pa.Table, is_accepted: bool = True) -> pa.Table:
    """EDGES_SCORED from the accepted of UNDECIDED_EDGES; or UNDECIDED_EDGES from the others."""
    mask = np.asarray(edges.column("score")) >= 1000 * ACCEPTED
    if not is_accepted:
        return edges.filter(pa.array(~mask))
    return edges.filter(pa.array(mask)).select(EDGES_SCORED.names)


def requests_of(edges: pa.Table) -> pa.Table:
    """REQUESTS: both pages of each edge, each with an encoder once."""
    both = [edges.select([side, "encoder"]).rename_columns(REQUESTS.names) for side in ("left", "right")]
    return pa.concat_tables(both).group_by(REQUESTS.names).aggregate([]).select(REQUESTS.names)


def describe_members(prepared: pa.Table, labels: pa.Table) -> pa.Table:
    """COMPONENT_MEMBERS of a shard: what resolving a component needs to know of its labelled pages."""
    rows = prepared.take(pa.array(column(labels, "reference") & ROW))
    columns = [labels.column("component"), labels.column("reference")]
    columns += [rows.column(name) for name in ("doc_id", "language", "fetched_at", "source")]
    columns += [addresses_of(rows), rows.column("sketch"), rows.column("signature")]
    return pa.table(columns, schema=COMPONENT_MEMBERS)


def label_edges(edges: pa.Table, labels: pa.Table) -> pa.Table:
    """COMPONENT_EDGES: the edges whose left page is in a shard, with its component."""
    reference, component = column(labels, "reference"), column(labels, "component")
    order = np.argsort(reference)
    at = np.searchsorted(reference[order], column(edges, "left"))
    return pa.table([component[order][at], *edges.columns], schema=COMPONENT_EDGES)


class FindParallelGroups(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name) to (shard number, packed PARALLEL) for the pages that have versions.

    `folder` holds the keys of every shard (`pipeline.parallel_match.prepare_parallel_keys`); `buckets` is how many
    parts a shuffle has. With `embeddings`, undecided pairs are decided by the meaning of their first sentences, in the
    child processes of `workers` and `groups` (`pipeline.parallel_confirm`).

    Raises:
        ConfigError: `embeddings` without the packages of the extra of that name.
    """

    def __init__(
        self,
        folder: str,
        buckets: int,
        rounds: int | None = None,
        *,
        embeddings: bool = False,
        workers: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if embeddings and (missing := missing_encoders()):
            raise ConfigError(f"embeddings need {' and '.join(missing)}; install headwater[embeddings], or leave them")
        self.folder = folder
        self.buckets = buckets
        self.rounds = rounds
        self.embeddings = embeddings
        self.workers = workers
        self.groups = groups

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        """Keys, then pairs, then scores, then components, then groups."""
        folder, buckets = self.folder, self.buckets

        def prepared(name: str) -> pa.Table:
            return read_arrow(parallel_path(Path(folder), name))

        def read_keys(shard: tuple[int, str]) -> Iterator[tuple[int, bytes]]:
            yield from to_buckets(keyed_rows(prepared(shard[1])), "key", buckets)

        def pair_up(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(match_pairs(bucket[1]), "left")

        def attach(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            for name in joined[1]["shards"]:
                pairs = gather(joined[1]["pairs"], PAIRS)
                if pairs.num_rows:
                    yield from to_shards(with_left_sketches(prepared(name), pairs), "right")

        def score(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            for name in joined[1]["shards"]:
                candidates = gather(joined[1]["candidates"], HALF_COMPARED)
                if candidates.num_rows:
                    yield from to_shards(score_candidates(prepared(name), candidates), "left")

        def only_accepted(shard: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(accepted(unpack(shard[1])), "left")

        def plain_edges(shard: tuple[int, bytes]) -> bytes:
            edges = unpack(shard[1])
            return pack(edge_table(column(edges, "left"), column(edges, "right")))

        def describe(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, tuple[str, bytes]]]:
            labels = unique_labels(gather(joined[1]["labels"], LABELS))
            for name in joined[1]["shards"]:
                if not labels.num_rows:
                    continue
                members = describe_members(prepared(name), labels)
                edges = label_edges(gather(joined[1]["edges"], EDGES_SCORED), labels)
                for what, table in (("members", members), ("edges", edges)):
                    for bucket, data in split_by(table, bucket_of(column(table, "component"), buckets)):
                        yield bucket, (what, data)

        def resolve(bucket: tuple[int, Iterable[tuple[str, bytes]]]) -> Iterator[tuple[int, bytes]]:
            parts = list(bucket[1])
            members = gather([data for what, data in parts if what == "members"], COMPONENT_MEMBERS)
            edges = gather([data for what, data in parts if what == "edges"], COMPONENT_EDGES)
            yield from to_shards(resolve_groups(members, edges))

        pairs = (
            shards
            | "ReadKeys" >> beam.FlatMap(read_keys)
            | "ByKey" >> BucketedShuffle(KEYED)
            | "PairUp" >> beam.FlatMap(pair_up)
        )
        candidates = (
            {"shards": shards, "pairs": pairs}
            | "JoinLeft" >> beam.CoGroupByKey()
            | "AttachLeft" >> beam.FlatMap(attach)
        )
        scored = (
            {"shards": shards, "candidates": candidates}
            | "JoinRight" >> beam.CoGroupByKey()
            | "ScorePairs" >> beam.FlatMap(score)
        )
        edges = scored | "Accepted" >> beam.FlatMap(only_accepted)
        if self.embeddings:
            more = scored | "ConfirmPairs" >> ConfirmPairs(folder, shards, self.workers, self.groups)
            edges = (edges, more) | "AllAccepted" >> beam.Flatten()
        components = (
            edges
            | "PlainEdges" >> beam.Map(plain_edges)
            | "ConnectedComponents" >> ConnectedComponents(buckets, self.rounds)
        )
        labels = components.labels | "LabelShards" >> beam.FlatMap(label_shards)
        return (
            {"shards": shards, "edges": edges, "labels": labels}
            | "JoinLabels" >> beam.CoGroupByKey()
            | "Describe" >> beam.FlatMap(describe)
            | "ByComponent" >> beam.GroupByKey()
            | "ResolveGroups" >> beam.FlatMap(resolve)
        )


class ConfirmPairs(beam.PTransform):  # type: ignore[misc]
    """(shard number, packed UNDECIDED_EDGES) to (shard number, packed EDGES_SCORED) of those that meaning confirms."""

    def __init__(self, folder: str, shards: beam.PCollection, workers: int, groups: int) -> None:
        super().__init__()
        self.folder = folder
        self.shards = shards
        self.workers = workers
        self.groups = groups

    def expand(self, scored: beam.PCollection) -> beam.PCollection:
        """Ask for vectors of both sides, attach the left one, compare with the right one."""

        def undecided(shard: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(accepted(unpack(shard[1]), False), "left")

        def ask(shard: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(requests_of(unpack(shard[1])))

        def name_shard(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, tuple[str, bytes]]]:
            requests = gather(joined[1]["requests"], REQUESTS)
            if requests.num_rows:
                yield from ((joined[0], (name, pack(requests))) for name in joined[1]["shards"])

        def attach(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            edges = gather(joined[1]["edges"], UNDECIDED_EDGES)
            if edges.num_rows:
                yield from to_shards(with_left_vectors(edges, gather(joined[1]["vectors"], VECTORS)), "right")

        def decide(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            edges = gather(joined[1]["edges"], HALF_CONFIRMED)
            if edges.num_rows:
                scores = confirm(edges, gather(joined[1]["vectors"], VECTORS))
                columns = [edges.column("left"), edges.column("right"), pa.array(scores), edges.column("encoder")]
                yield from to_shards(accepted(pa.table(columns, schema=UNDECIDED_EDGES)), "left")

        edges = scored | "Undecided" >> beam.FlatMap(undecided)
        requests = edges | "Ask" >> beam.FlatMap(ask)
        vectors = (
            {"shards": self.shards, "requests": requests}
            | "JoinRequests" >> beam.CoGroupByKey()
            | "NameShards" >> beam.FlatMap(name_shard)
            | "EmbedRows" >> EmbedRows(self.folder, self.workers, self.groups)
        )
        half = (
            {"edges": edges, "vectors": vectors}
            | "JoinLeftVectors" >> beam.CoGroupByKey()
            | "AttachVectors" >> beam.FlatMap(attach)
        )
        return (
            {"edges": half, "vectors": vectors}
            | "JoinRightVectors" >> beam.CoGroupByKey()
            | "DecidePairs" >> beam.FlatMap(decide)
        )


def find_groups(prepared: pa.Table) -> pa.Table:
    """PARALLEL of one PREPARED table whose references are row numbers: what the transform gives, in one call."""
    edges = accepted(score_candidates(prepared, with_left_sketches(prepared, match_pairs(keyed_rows(prepared)))))
    left, right = column(edges, "left"), column(edges, "right")
    nodes, roots = contract(left, right)
    own = np.unique(roots)
    labels = pa.table([np.append(nodes, own), np.append(roots, own)], schema=LABELS)
    return resolve_groups(describe_members(prepared, labels), label_edges(edges, labels))
