"""Groups of pages that are versions of one document in several languages, over a whole run.

    keys ─ by key ─ pairs ─ left's shard ─ right's shard ─ scored pairs ─ ConnectedComponents ─ groups
                              (sketch)       (sketch)

Only keys, sketches (at most 560 bytes a page) and verdicts are shuffled, never text. Memory of a worker is bounded: a
key keeps few rows of a shard, pairs are linear in the pages, and a group is resolved with the sketches of its members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.machine_translation.parallel_score import ACCEPTED, compare_sketches, score_pairs
from detectors.machine_translation.parallelism import KINDS
from pipeline.components import contract
from pipeline.decide import read_arrow
from pipeline.dedup import LABELS, ROUNDS, ConnectedComponents, edge_table
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
from pipeline.shuffle import BucketedShuffle, bucket_of, gather, pack, split_by, to_buckets, to_shards

U64 = npt.NDArray[np.uint64]

HALF_COMPARED = pa.schema([*CANDIDATES, ("sketch", pa.binary())])
ROW = np.uint64(0xFFFFFFFF)


def column(table: pa.Table, name: str) -> U64:
    """A uint64 column as one NumPy array."""
    return np.asarray(table.column(name).combine_chunks(), dtype=np.uint64)


def with_left_sketches(prepared: pa.Table, pairs: pa.Table) -> pa.Table:
    """HALF_COMPARED: the candidates among the PAIRS whose left page is in a shard, with that page's sketch."""
    candidates = gather_candidates(pairs)
    rows = column(candidates, "left") & ROW
    return candidates.append_column("sketch", prepared.column("sketch").take(pa.array(rows))).cast(HALF_COMPARED)


def score_candidates(prepared: pa.Table, candidates: pa.Table) -> pa.Table:
    """EDGES_SCORED: accepted pairs among the HALF_COMPARED whose right page is in a shard."""
    rows = column(candidates, "right") & ROW
    right = prepared.column("sketch").take(pa.array(rows)).to_pylist()
    compared = compare_sketches(candidates.column("sketch").to_pylist(), right)
    keys = np.stack([np.asarray(candidates.column(name)) for name in KINDS], axis=1)
    scores = np.round(1000 * score_pairs(keys, compared)).astype(np.int32)
    accepted = pa.array(scores >= 1000 * ACCEPTED)
    columns = [candidates.column("left"), candidates.column("right"), pa.array(scores)]
    return pa.table(columns, schema=EDGES_SCORED).filter(accepted)


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


def unique_labels(labels: pa.Table) -> pa.Table:
    """LABELS without repetitions: several buckets may name one root."""
    reference, component = column(labels, "reference"), column(labels, "component")
    _, once = np.unique(reference, return_index=True)
    return pa.table([reference[once], component[once]], schema=LABELS)


class FindParallelGroups(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name) to (shard number, packed PARALLEL) for the pages that have versions.

    `folder` holds the keys of every shard (`pipeline.parallel_match.prepare_parallel_keys`); `buckets` is how many
    parts a shuffle has.
    """

    def __init__(self, folder: str, buckets: int, rounds: int = ROUNDS) -> None:
        super().__init__()
        self.folder = folder
        self.buckets = buckets
        self.rounds = rounds

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

        def plain_edges(shard: tuple[int, bytes]) -> bytes:
            edges = gather([shard[1]], EDGES_SCORED)
            return pack(edge_table(column(edges, "left"), column(edges, "right")))

        def label_shards(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            roots = np.unique(column(bucket[1], "component"))
            yield from to_shards(bucket[1])
            yield from to_shards(pa.table([roots, roots], schema=LABELS))  # the smallest labels itself

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
        edges = (
            {"shards": shards, "candidates": candidates}
            | "JoinRight" >> beam.CoGroupByKey()
            | "ScorePairs" >> beam.FlatMap(score)
        )
        labels = (
            edges
            | "PlainEdges" >> beam.Map(plain_edges)
            | "ConnectedComponents" >> ConnectedComponents(buckets, self.rounds)
            | "LabelShards" >> beam.FlatMap(label_shards)
        )
        return (
            {"shards": shards, "edges": edges, "labels": labels}
            | "JoinLabels" >> beam.CoGroupByKey()
            | "Describe" >> beam.FlatMap(describe)
            | "ByComponent" >> beam.GroupByKey()
            | "ResolveGroups" >> beam.FlatMap(resolve)
        )


def find_groups(prepared: pa.Table) -> pa.Table:
    """PARALLEL of one PREPARED table whose references are row numbers: what the transform gives, in one call."""
    edges = score_candidates(prepared, with_left_sketches(prepared, match_pairs(keyed_rows(prepared))))
    left, right = column(edges, "left"), column(edges, "right")
    nodes, roots = contract(left, right)
    own = np.unique(roots)
    labels = pa.table([np.append(nodes, own), np.append(roots, own)], schema=LABELS)
    return resolve_groups(describe_members(prepared, labels), label_edges(edges, labels))
