"""Duplicates of a run: which captures, copies and near copies belong together, and which page stands for them.

Captures of one address are matched first, and only the one that stands for it goes on, so that an old capture never
ties two unrelated pages together. Pages then meet under the keys of their content and of their MinHash bands;
components of the resulting graph are clusters. Only keys, edges and verdicts are shuffled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.components import contract
from pipeline.connect import LABELS, ConnectedComponents, column, edge_table
from pipeline.decide import FIRST, VERDICTS, keys_path, read_arrow
from pipeline.shuffle import BucketedShuffle, bucket_of, gather, pack, split_by, to_buckets, to_shards, unpack
from schemas.config import DuplicatePolicy

U64 = npt.NDArray[np.uint64]

CAPTURES = pa.schema([("key", pa.uint64()), ("rank", pa.uint64()), ("reference", pa.uint64())])
LOSERS = pa.schema([("reference", pa.uint64()), ("winner", pa.uint64())])
MATCHES = pa.schema([("key", pa.uint64()), ("reference", pa.uint64())])
MEMBERS = pa.schema(
    [
        ("component", pa.uint64()),
        ("reference", pa.uint64()),
        ("rank", pa.uint64()),
        ("content_key", pa.uint64()),
        ("doc_id", pa.string()),
    ]
)


def capture_keys(keys: pa.Table) -> pa.Table:
    """Rows of CAPTURES for the documents that take part in deduplication and have an address."""
    mask = pc.and_(pc.is_null(keys.column("reason")), pc.is_valid(keys.column("url_key")))
    rows = keys.filter(mask)
    return pa.table([rows.column("url_key"), rows.column("capture_rank"), rows.column("reference")], schema=CAPTURES)


def match_captures(captures: pa.Table) -> pa.Table:
    """LOSERS: every capture of an address but the one of smallest rank, with that one."""
    key, rank, reference = (column(captures, name) for name in CAPTURES.names)
    order = np.lexsort((reference, rank, key))
    key, reference = key[order], reference[order]
    first = np.append(True, key[1:] != key[:-1]) if len(key) else np.zeros(0, bool)
    starts = np.flatnonzero(first)
    winner = np.repeat(reference[starts], np.diff(np.append(starts, len(key))))
    return pa.table([reference[~first], winner[~first]], schema=LOSERS)


def content_keys(keys: pa.Table, losers: U64, policy: DuplicatePolicy) -> pa.Table:
    """MATCHES of a shard: a row per document and key of its content and bands, without losers and dropped pages."""
    takes_part = np.asarray(pc.is_null(keys.column("reason")))
    takes_part &= ~np.isin(column(keys, "reference"), losers)
    rows = keys.filter(pa.array(takes_part))
    references, found = column(rows, "reference"), []
    if policy.exact:
        valid = rows.column("content_key").is_valid()
        kept = rows.filter(valid)
        found.append(pa.table([kept.column("content_key"), kept.column("reference")], schema=MATCHES))
    if policy.near:
        bands = rows.column("bands").combine_chunks()
        lengths = np.asarray(pc.fill_null(pc.list_value_length(bands), 0))
        found.append(pa.table([bands.flatten(), np.repeat(references, lengths)], schema=MATCHES))
    return pa.concat_tables(found) if found else MATCHES.empty_table()


def match_keys(matches: pa.Table) -> pa.Table:
    """EDGES: documents that share a key, each joined to the first of them, so that a huge bucket stays linear."""
    key, reference = (column(matches, name) for name in MATCHES.names)
    order = np.lexsort((reference, key))
    key, reference = key[order], reference[order]
    first = np.append(True, key[1:] != key[:-1]) if len(key) else np.zeros(0, bool)
    starts = np.flatnonzero(first)
    hub = np.repeat(reference[starts], np.diff(np.append(starts, len(key))))
    return edge_table(*contract(reference[~first], hub[~first]))


def describe_members(keys: pa.Table, losers: U64, labels: pa.Table) -> pa.Table:
    """MEMBERS of a shard: what the choice of the canonical page needs to know of each labelled document."""
    references = column(labels, "reference")
    rows = references & np.uint64(0xFFFFFFFF)
    described = keys.take(pa.array(rows))
    rank = column(described, "rank") >> np.uint64(1)
    rank[np.isin(references, losers)] |= FIRST  # a capture that lost never stands for a cluster
    return pa.table(
        [labels.column("component"), references, rank, described.column("content_key"), described.column("doc_id")],
        schema=MEMBERS,
    )


def choose_canonical(members: pa.Table) -> pa.Table:
    """VERDICTS: the member of smallest (rank, reference) stands for its component."""
    component, reference, rank = (column(members, name) for name in ("component", "reference", "rank"))
    contents = np.asarray(pc.fill_null(members.column("content_key"), 0), dtype=np.uint64)
    order = np.lexsort((reference, rank, component))
    component, first = component[order], np.ones(len(order), bool)
    first[1:] = component[1:] != component[:-1]
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(order)))
    head = np.repeat(order[starts], sizes)
    kind = np.where(contents[order] == contents[head], "exact_duplicate", "near_duplicate")
    kind = np.where(rank[order] & FIRST != 0, "url_duplicate", kind)
    return pa.table(
        [
            reference[order],
            members.column("doc_id").take(pa.array(head)),
            first,
            np.repeat(sizes, sizes).astype(np.int32),
            kind,
        ],
        schema=VERDICTS,
    )


class FindDuplicates(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name) to (shard number, packed VERDICTS) for the documents that are in a cluster.

    `folder` holds the keys of every shard (`pipeline.decide.prepare_keys`); `buckets` is how many parts a shuffle has.
    """

    def __init__(self, folder: str, policy: DuplicatePolicy, buckets: int, rounds: int | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.policy = policy
        self.buckets = buckets
        self.rounds = rounds

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        """Captures, then keys, then components, then verdicts."""
        folder, policy, buckets = self.folder, self.policy, self.buckets

        def keys_of(name: str) -> pa.Table:
            return read_arrow(keys_path(Path(folder), name))

        def read_captures(shard: tuple[int, str]) -> Iterator[tuple[int, bytes]]:
            if policy.url:
                yield from to_buckets(capture_keys(keys_of(shard[1])), "key", buckets)

        def find_losers(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(match_captures(bucket[1]))

        def read_keys(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            for name in joined[1]["shards"]:
                losers = column(gather(joined[1]["losers"], LOSERS), "reference")
                yield from to_buckets(content_keys(keys_of(name), losers, policy), "key", buckets)

        def losing_edges(shard: tuple[int, bytes]) -> bytes:
            losers = unpack(shard[1])
            return pack(edge_table(column(losers, "reference"), column(losers, "winner")))

        def label_shards(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            labels = bucket[1]
            roots = np.unique(column(labels, "component"))
            own = pa.table([roots, roots], schema=LABELS)  # the smallest of a component labels itself
            yield from to_shards(labels)
            yield from to_shards(own)

        def describe(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
            labels = gather(joined[1]["labels"], LABELS)
            if not labels.num_rows:
                return
            reference, component = column(labels, "reference"), column(labels, "component")
            _, once = np.unique(reference, return_index=True)  # two buckets may both name a root
            labels = pa.table([reference[once], component[once]], schema=LABELS)
            losers = column(gather(joined[1]["losers"], LOSERS), "reference")
            for name in joined[1]["shards"]:
                members = describe_members(keys_of(name), losers, labels)
                yield from split_by(members, bucket_of(column(members, "component"), buckets))

        def choose(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            yield from to_shards(choose_canonical(bucket[1]))

        losers = (
            shards
            | "ReadCaptures" >> beam.FlatMap(read_captures)
            | "ByAddress" >> BucketedShuffle(CAPTURES)
            | "FindLosers" >> beam.FlatMap(find_losers)
        )
        edges = (
            {"shards": shards, "losers": losers}
            | "JoinLosers" >> beam.CoGroupByKey()
            | "ReadKeys" >> beam.FlatMap(read_keys)
            | "ByKey" >> BucketedShuffle(MATCHES)
            | "MatchKeys" >> beam.Map(lambda bucket: pack(match_keys(bucket[1])))
        )
        components = (
            (edges, losers | "LosingEdges" >> beam.Map(losing_edges))
            | "AllEdges" >> beam.Flatten()
            | "ConnectedComponents" >> ConnectedComponents(buckets, self.rounds)
        )
        labels = components.labels | "LabelShards" >> beam.FlatMap(label_shards)
        return (
            {"shards": shards, "losers": losers, "labels": labels}
            | "JoinLabels" >> beam.CoGroupByKey()
            | "DescribeMembers" >> beam.FlatMap(describe)
            | "ByComponent" >> BucketedShuffle(MEMBERS)
            | "ChooseCanonical" >> beam.FlatMap(choose)
        )
