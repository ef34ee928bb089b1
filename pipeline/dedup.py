"""Duplicates of a run: which captures, copies and near copies belong together, and which page stands for them.

    shards ─ captures ─ texts ─ bands ─ pairs ─ verified edges ─ ConnectedComponents ─ SplitLargeClusters ─┐
                │         │                                                                                │
                └─────────┴── losers ────────────────────── ConnectedComponents of all ────────────────────┴─ verdicts

Captures of one address are matched first, and only the one that stands goes on, so that an old capture never ties two
unrelated pages together; of pages of equal text one goes on. Different texts then meet under the keys of their MinHash
bands, and the sketches of those that meet are compared. Only keys, sketches of candidates, edges and verdicts travel.

An index file of an earlier run is a shard like any other whose text is gone (`pipeline.seen`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import match, verify_pairs
from pipeline.arrow_lists import column
from pipeline.clusters import MEMBERS, choose_canonical, describe_members
from pipeline.connect import EDGES, LABELS, ConnectedComponents, label_shards, unique_labels
from pipeline.equals import MatchEquals
from pipeline.keys import read_arrow
from pipeline.large_clusters import SIMILAR_EDGES, FlaggedCluster, SplitLargeClusters
from pipeline.match import BANDS, PAIRS
from pipeline.packing import gather, pack, unpack
from pipeline.seen import file_stem, shard_keys
from pipeline.semantic import FindSemanticEdges, NameSemanticEdges
from pipeline.shuffle import BucketedShuffle, bucket_of, split_by, to_buckets, to_shards
from pipeline.verify_pairs import EDGES_VERIFIED, HALF, TEXT
from schemas.config import DuplicatePolicy

Packed = tuple[int, bytes]
Joined = tuple[int, dict[str, Iterable[Any]]]

SKETCH_COLUMNS = ("doc_id", "shingles", "sketch")
MEMBER_COLUMNS = ("rank", "doc_id", "cluster_id", "cluster_run", "taken_down")


class MeetAgain(beam.PTransform):  # type: ignore[misc]
    """(group of shards, packed BANDS of crowded keys) to (group of the left page, packed PAIRS), by `match.sampled`."""

    def __init__(self, folder: str, policy: DuplicatePolicy, shards: beam.PCollection, groups: int) -> None:
        super().__init__()
        self.folder = folder
        self.policy = policy
        self.shards = shards
        self.groups = groups

    def expand(self, crowded: beam.PCollection) -> beam.PCollection:
        """Take a sample of each page's shingles, and pair the pages that share one."""
        folder, groups = self.folder, self.groups

        def sample(joined: Joined) -> Iterator[Packed]:
            rows = gather(joined[1]["crowded"], BANDS)
            shard = column(rows, "reference") >> np.uint64(32)
            for number, name in sorted(joined[1]["shards"]) if rows.num_rows else ():
                mine = rows.filter(pa.array(shard == np.uint64(number)))
                if mine.num_rows:
                    sketches = shard_keys(folder, name, ("sketch",)).column("sketch")
                    taken = sketches.take(verify_pairs.rows_of(column(mine, "reference")))
                    # A crowded page has a row for each band and shingle of its sample: more than fit a bucket of bands.
                    yield from to_buckets(match.sampled(mine, taken), "key", groups)

        return (
            {"shards": group_shards(self.shards, groups), "crowded": crowded}
            | "JoinCrowded" >> beam.CoGroupByKey()
            | "SampleShingles" >> beam.FlatMap(sample)
            | "ByShingle" >> BucketedShuffle(BANDS)
            | "PairUpAgain" >> beam.FlatMap(pair_up, self.policy.similarity, groups)
        )


def group_shards(shards: beam.PCollection, groups: int) -> beam.PCollection:
    """(shard number, shard name) under the group of the shard."""
    return shards | "GroupShards" >> beam.Map(lambda shard: (shard[0] % groups, shard))


class VerifyPairs(beam.PTransform):  # type: ignore[misc]
    """(group of the left page, packed PAIRS) to (that group, packed EDGES_VERIFIED).

    `shards` are (shard number, shard name), taken in `groups` by number (`verify_pairs.groups_of`). The sketch of the
    left page travels once to each group of right pages.
    """

    def __init__(self, folder: str, policy: DuplicatePolicy, shards: beam.PCollection, groups: int) -> None:
        super().__init__()
        self.folder = folder
        self.policy = policy
        self.shards = shards
        self.groups = groups

    def expand(self, pairs: beam.PCollection) -> beam.PCollection:
        """Take the left sketch along, compare with the right one."""
        folder, similarity, groups = self.folder, self.policy.similarity, self.groups

        def attach(joined: Joined) -> Iterator[Packed]:
            # A pair that shares bands of several buckets comes several times.
            pairs = gather(joined[1]["pairs"], PAIRS)
            left, right = match.unique_pairs(column(pairs, "left"), column(pairs, "right"))
            if not len(left):
                return
            for number, name in sorted(joined[1]["shards"]):
                begin, end = np.searchsorted(left, np.array([number, number + 1], np.uint64) << np.uint64(32))
                if begin < end:
                    keys = shard_keys(folder, name, SKETCH_COLUMNS)
                    halves = verify_pairs.with_left_sketches(keys, left[begin:end], right[begin:end], groups)
                    yield from ((other, pack(half)) for other, half in halves)

        def compare(joined: Joined) -> Iterator[Packed]:
            halves = verify_pairs.Halves(gather(joined[1]["halves"], HALF))
            found = [EDGES_VERIFIED.empty_table()]
            for number, name in sorted(joined[1]["shards"]) if len(halves.rights) else ():
                keys = shard_keys(folder, name, SKETCH_COLUMNS)
                found.append(verify_pairs.compare_pairs(keys, halves, number, similarity))
            yield from by_group(pa.concat_tables(found), groups)

        by_groups = group_shards(self.shards, groups)
        halves = (
            {"shards": by_groups, "pairs": pairs}
            | "JoinLeft" >> beam.CoGroupByKey()
            | "AttachSketches" >> beam.FlatMap(attach)
        )
        return (
            {"shards": by_groups, "halves": halves}
            | "JoinRight" >> beam.CoGroupByKey()
            | "CompareSketches" >> beam.FlatMap(compare)
        )


class FindDuplicates(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name) to a dictionary of what was found:

    `verdicts`: (shard number, packed VERDICTS) for the pages that are in a cluster; `matches`: (shard number, packed
    MATCHES), every verified pair from both ends; `flagged`: (shard number, FlaggedCluster) for the components that were
    split, by the shard of their smallest reference; `rounds`: (name, RoundStatistics) of the components.

    `folder` holds the keys of every shard (`pipeline.keys.make_keys`); `buckets` is how many parts a shuffle has.
    Index files of earlier runs are among the shards, under the names of `pipeline.seen.SeenFile`. Semantic duplicates
    are looked for among the pages of this run, in the child processes of `workers` and `groups`.
    """

    def __init__(
        self,
        folder: str,
        policy: DuplicatePolicy,
        buckets: int,
        rounds: int | None = None,
        *,
        workers: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.policy = policy
        self.buckets = buckets
        self.rounds = rounds
        self.workers = workers
        self.groups = groups

    def expand(self, shards: beam.PCollection) -> dict[str, beam.PCollection]:
        """Equals, then pairs, then edges, then components, then verdicts."""
        policy, buckets = self.policy, self.buckets
        groups = max(buckets, verify_pairs.FEWEST_GROUPS)
        equals = shards | "MatchEquals" >> MatchEquals(self.folder, policy, buckets)
        bands = equals.bands | "ByBand" >> BucketedShuffle(BANDS)
        if policy.verify:
            pairs = bands | "PairUp" >> beam.FlatMap(pair_up, policy.similarity, groups)
            crowded = bands | "Crowded" >> beam.FlatMap(crowded_by_group, groups)
            more = crowded | "MeetAgain" >> MeetAgain(self.folder, policy, shards, groups)
            both = (pairs, more) | "AllPairs" >> beam.Flatten()
            edges = both | "VerifyPairs" >> VerifyPairs(self.folder, policy, shards, groups)
        else:
            edges = bands | "JoinUp" >> beam.FlatMap(join_up, groups) | "TakePairs" >> beam.MapTuple(unverified)
        if policy.semantic.enabled:
            same_meaning = (
                {"shards": shards, "rows": equals.texts}
                | "FindSemanticEdges"
                >> FindSemanticEdges(self.folder, policy.semantic, self.workers, self.groups, buckets)
                | "NameSemanticEdges" >> NameSemanticEdges(self.folder, shards)
                | "GroupSemanticEdges" >> beam.FlatMap(lambda shard: by_group(unpack(shard[1]), groups))
            )
            edges = (edges, same_meaning) | "BothKinds" >> beam.Flatten()
        matches = edges | "MatchesOf" >> beam.FlatMap(both_ends)
        if policy.keep == "oldest" and policy.verify:
            edges = edges | "ByLeftGroup" >> beam.GroupByKey() | "NearestPreferred" >> beam.Map(nearest_preferred)
        near = (
            edges
            | "PlainEdges" >> beam.MapTuple(plain_edges)
            | "NearComponents" >> ConnectedComponents(buckets, self.rounds)
        )
        similar = edges | "SimilarEdges" >> beam.MapTuple(similar_edges)
        split = (near.labels, similar) | "SplitLargeClusters" >> SplitLargeClusters(buckets, policy.cluster_limit)
        whole = (
            (split.labels | "LabelEdges" >> beam.MapTuple(label_edges), equals.losers)
            | "AllEdges" >> beam.Flatten()
            | "AllComponents" >> ConnectedComponents(buckets, self.rounds)
        )
        labels = whole.labels | "LabelShards" >> beam.FlatMap(label_shards)
        rounds = [
            statistics | f"Rounds{name}" >> beam.Map(lambda one, name=name: (name, one))
            for name, statistics in (("near", near.rounds), ("all", whole.rounds))
        ]
        verdicts = (
            {"shards": shards, "labels": labels}
            | "JoinLabels" >> beam.CoGroupByKey()
            | "DescribeMembers" >> beam.FlatMap(describe, self.folder, buckets)
            | "ByComponent" >> BucketedShuffle(MEMBERS)
            | "ChooseCanonical" >> beam.FlatMap(choose)
        )
        return {
            "verdicts": verdicts,
            "matches": matches,
            "flagged": split.flagged | "FlaggedByShard" >> beam.Map(by_shard),
            "rounds": rounds | "AllRounds" >> beam.Flatten(),
        }


def by_group(table: pa.Table, groups: int) -> Iterator[Packed]:
    """Rows by the group of shards of the left page."""
    yield from split_by(table, verify_pairs.groups_of(column(table, "left"), groups))


def pair_up(bucket: tuple[int, pa.Table], similarity: float, groups: int) -> Iterator[Packed]:
    """(group of the left page, PAIRS) of the pages of a bucket."""
    yield from by_group(match.candidate_pairs(bucket[1], similarity), groups)


def join_up(bucket: tuple[int, pa.Table], groups: int) -> Iterator[Packed]:
    """(group of the left page, PAIRS) of the pages of a bucket, enough to join them."""
    yield from by_group(match.hub_pairs(bucket[1]), groups)


def crowded_by_group(bucket: tuple[int, pa.Table], groups: int) -> Iterator[Packed]:
    """BANDS of crowded keys by the group of the page."""
    rows = match.crowded(bucket[1])
    yield from split_by(rows, verify_pairs.groups_of(column(rows, "reference"), groups))


def unverified(group: int, packed: bytes) -> Packed:
    """EDGES_VERIFIED of pairs that nobody compared: their similarity and ids are null."""
    pairs = unpack(packed)
    nulls = {name: pa.nulls(pairs.num_rows, EDGES_VERIFIED.field(name).type) for name in EDGES_VERIFIED.names}
    nulls |= {"left": pairs.column("left"), "right": pairs.column("right")}
    nulls["kind"] = pa.array(np.full(pairs.num_rows, TEXT, np.uint8))
    return group, pack(pa.table(nulls, schema=EDGES_VERIFIED))


def both_ends(group: Packed) -> Iterator[Packed]:
    """MATCHES by shard."""
    edges = unpack(group[1])
    verified = edges.filter(edges.column("similarity").is_valid())
    yield from to_shards(verify_pairs.matches_of(verified), "left")


def nearest_preferred(group: tuple[int, Iterable[bytes]]) -> Packed:
    """The edges that a group's pages keep where a page never ties preferred ones together."""
    return group[0], pack(verify_pairs.nearest_preferred(gather(group[1], EDGES_VERIFIED)))


def plain_edges(_: int, packed: bytes) -> bytes:
    """EDGES of EDGES_VERIFIED."""
    return pack(unpack(packed).select(EDGES.names))


def similar_edges(_: int, packed: bytes) -> bytes:
    """SIMILAR_EDGES of EDGES_VERIFIED; pages that nobody compared are taken for equal, so that nothing parts them."""
    edges = unpack(packed).select(SIMILAR_EDGES.names)
    return pack(edges.set_column(2, "similarity", pc.fill_null(edges.column("similarity"), 1.0)).cast(SIMILAR_EDGES))


def by_shard(flagged: FlaggedCluster) -> tuple[int, FlaggedCluster]:
    """A flagged component under the shard of its smallest reference."""
    return flagged.component >> 32, flagged


def label_edges(_: int, labels: pa.Table) -> bytes:
    """LABELS as edges between a page and the one that names its component."""
    return pack(labels.rename_columns(EDGES.names))


def describe(joined: Joined, folder: str, buckets: int) -> Iterator[Packed]:
    """MEMBERS of a shard by bucket of their component."""
    labels = unique_labels(gather(joined[1]["labels"], LABELS))
    if not labels.num_rows:
        return
    for name in joined[1]["shards"]:
        roles = read_arrow(match.roles_path(folder, file_stem(name)))
        members = describe_members(shard_keys(folder, name, MEMBER_COLUMNS), roles, labels)
        yield from split_by(members, bucket_of(column(members, "component"), buckets))


def choose(bucket: tuple[int, pa.Table]) -> Iterator[Packed]:
    """VERDICTS by shard."""
    yield from to_shards(choose_canonical(bucket[1]))
