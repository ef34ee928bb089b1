"""Pages of equal address and of equal text, which leave before the bands are matched.

A shard keeps one page of an address or a text before the shuffle, so that what stands a million times is no hot key;
which page stands in the end is told to each shard, and left beside it as the roles of its pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import match
from pipeline.arrow_lists import column
from pipeline.connect import EDGES
from pipeline.keys import write_arrow
from pipeline.match import LOSERS, OTHER_CAPTURE, OTHER_COPY, OUT, REPRESENTATIVE, STANDING, TAKEN_DOWN
from pipeline.packing import gather, pack
from pipeline.seen import file_stem, is_seen, shard_keys
from pipeline.semantic import ROWS
from pipeline.shuffle import BucketedShuffle, to_buckets, to_shards
from schemas.config import DuplicatePolicy

Packed = tuple[int, bytes]
Joined = tuple[int, dict[str, Iterable[Any]]]

EQUAL_COLUMNS = ("reference", "doc_id", "reason", "role", "rank", "capture_rank", "url_key", "content_key")
BAND_COLUMNS = ("reference", "rank", "bands", "shingles")


def standing_captures(name: str, keys: pa.Table, policy: DuplicatePolicy) -> tuple[pa.Table, pa.Table]:
    """STANDING: pages of a shard that stand for their address in it; and LOSERS."""
    roles = match.initial_roles(keys)
    takes_part = (roles != OUT) & policy.url
    if is_seen(name):
        takes_part &= roles != OTHER_CAPTURE
        gone = pa.array(roles == TAKEN_DOWN)  # stands for its address whatever the time
        ranks = pc.if_else(gone, pa.scalar(0, pa.uint64()), keys.column("capture_rank"))
        keys = keys.set_column(keys.schema.get_field_index("capture_rank"), "capture_rank", ranks)
    return compete_captures(match.standing(keys, takes_part, "url_key", "capture_rank"), policy)


def compete_captures(rows: pa.Table, policy: DuplicatePolicy) -> tuple[pa.Table, pa.Table]:
    """STANDING and LOSERS among captures.

    Where the oldest capture stands, that of an earlier run does. Where the newest stands, a newer capture of this run
    is kept beside the published one, if its text is new, and an older one is not.
    """
    return match.compete(rows, by_rank=policy.keep_capture == "newest")


def standing_texts(keys: pa.Table, captures: pa.Table, policy: DuplicatePolicy) -> tuple[pa.Table, pa.Table]:
    """STANDING: pages of a shard that stand for their text in it; and LOSERS; without the LOSERS among captures."""
    roles = match.initial_roles(keys)
    match.set_losers(roles, captures, OTHER_CAPTURE)
    takes_part = ((roles == REPRESENTATIVE) | (roles == TAKEN_DOWN)) & policy.exact
    return match.compete(match.standing(keys, takes_part, "content_key", "rank"))


class MatchEquals(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name) to packed EDGES of captures and equal texts, with the page that stands for each.

    Tagged `bands`: (bucket, packed BANDS) of the pages that stand for their text; `texts`: (shard number, packed ROWS)
    of those, where meanings are compared. Leaves the ROLES beside each shard.
    """

    def __init__(self, folder: str, policy: DuplicatePolicy, buckets: int) -> None:
        super().__init__()
        self.folder = folder
        self.policy = policy
        self.buckets = buckets

    def expand(self, shards: beam.PCollection) -> Any:
        """Captures, then texts, then roles."""
        folder, policy, buckets = self.folder, self.policy, self.buckets

        def equal_keys(name: str) -> pa.Table:
            return shard_keys(folder, name, EQUAL_COLUMNS, policy.keep_capture)

        def read_captures(shard: tuple[int, str]) -> Iterator[Packed]:
            rows, _ = standing_captures(shard[1], equal_keys(shard[1]), policy)
            yield from to_buckets(rows, "key", buckets)

        def lose_captures(bucket: tuple[int, pa.Table]) -> Iterator[Packed]:
            yield from to_shards(compete_captures(bucket[1], policy)[1])

        def lose_texts(bucket: tuple[int, pa.Table]) -> Iterator[Packed]:
            yield from to_shards(match.compete(bucket[1])[1])

        def captures_of(name: str, keys: pa.Table, joined: Joined) -> pa.Table:
            return match.follow(standing_captures(name, keys, policy)[1], gather(joined[1]["captures"], LOSERS))

        def read_texts(joined: Joined) -> Iterator[Packed]:
            for name in joined[1]["shards"]:
                keys = equal_keys(name)
                rows, _ = standing_texts(keys, captures_of(name, keys, joined), policy)
                yield from to_buckets(rows, "key", buckets)

        def settle(joined: Joined) -> Iterator[Any]:
            for name in joined[1]["shards"]:
                keys = equal_keys(name)
                captures = captures_of(name, keys, joined)
                texts = match.follow(standing_texts(keys, captures, policy)[1], gather(joined[1]["texts"], LOSERS))
                roles = match.initial_roles(keys)
                match.set_losers(roles, captures, OTHER_CAPTURE)
                match.set_losers(roles, texts, OTHER_COPY)
                write_arrow(match.roles_path(folder, file_stem(name)), match.roles_table(roles, captures, texts))
                for losers in (captures, texts):
                    if losers.num_rows:
                        yield pack(pa.table([losers.column("reference"), losers.column("winner")], schema=EDGES))
                if policy.semantic.enabled and not is_seen(name):
                    standing = column(keys.filter(pa.array(roles == REPRESENTATIVE)), "reference")
                    yield beam.pvalue.TaggedOutput("texts", (joined[0], pack(pa.table([standing], schema=ROWS))))
                if policy.near:
                    rows = match.band_rows(shard_keys(folder, name, BAND_COLUMNS), roles)
                    for bucket in to_buckets(rows, "key", buckets):
                        yield beam.pvalue.TaggedOutput("bands", bucket)

        captures = (
            shards
            | "ReadCaptures" >> beam.FlatMap(read_captures)
            | "ByAddress" >> BucketedShuffle(STANDING)
            | "LosingCaptures" >> beam.FlatMap(lose_captures)
        )
        texts = (
            {"shards": shards, "captures": captures}
            | "JoinCaptures" >> beam.CoGroupByKey()
            | "ReadTexts" >> beam.FlatMap(read_texts)
            | "ByText" >> BucketedShuffle(STANDING)
            | "LosingTexts" >> beam.FlatMap(lose_texts)
        )
        return (
            {"shards": shards, "captures": captures, "texts": texts}
            | "JoinTexts" >> beam.CoGroupByKey()
            | "SettleRoles" >> beam.FlatMap(settle).with_outputs("bands", "texts", main="losers")
        )
