"""Which pages of a run may be copies of one another: keys to losers and to pairs. Pure functions; no Beam.

Pages meet three times. Captures of one address: one stands, the others leave. Pages of equal text: one stands, the
others leave. What is left are different texts, and these meet under the keys of their MinHash bands. A page of an
earlier run ("seen": the top bit of its reference) comes before every page of this one, so that it always stands.

Before a shuffle a shard keeps one page of a key of address or content, so that a page that stands a million times is
no hot key; under a band key each page is paired with a fixed number of others, so that work is linear in its pages.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.features.sketch import sample_keys
from pipeline.arrow_lists import U64, column

Bools = npt.NDArray[np.bool_]

SEEN = np.uint64(1) << np.uint64(63)  # bit of references to pages of earlier runs
ROW = np.uint64(0xFFFFFFFF)

# Roles in the matching of texts, as the index of a run records them.
OUT, OTHER_CAPTURE, OTHER_COPY, REPRESENTATIVE = 0, 1, 2, 3
TAKEN_DOWN = 4  # of an earlier run alone: stands for its address and text, so that no later page does

STANDING = pa.schema([("key", pa.uint64()), ("rank", pa.uint64()), ("reference", pa.uint64()), ("doc_id", pa.string())])
LOSERS = pa.schema([("reference", pa.uint64()), ("winner", pa.uint64()), ("winner_id", pa.string())])
BANDS = pa.schema([("key", pa.uint64()), ("rank", pa.uint64()), ("reference", pa.uint64()), ("shingles", pa.uint32())])
PAIRS = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])
EDGES = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])
ROLES = pa.schema([("role", pa.int8()), ("winner", pa.uint64()), ("winner_id", pa.string())])

# Pages of a band key, in order of rank, that each page after them is paired with: the first, and those just before it.
# Pairs of like pages share several bands, and each band is another chance.
FIRST_PAGES, NEAREST_PAGES = 8, 8
# Shingles by which the pages of a crowded band meet again. Of two pages with a similarity of 0.82 on a site whose
# template alone gives 0.69, one shingle in thirteen is of both and not of the template; they share three bands of 14x8.
SAMPLE = 24


def roles_path(folder: str | Path, name: str) -> Path:
    """Where the roles of a shard's pages are."""
    return Path(folder) / f"{name}.roles.arrow"


def by_preference(table: pa.Table, *keys: U64) -> npt.NDArray[np.int64]:
    """Order by `keys`, then what is seen before what is not, then smaller rank, then smaller reference."""
    reference = column(table, "reference")
    return np.lexsort((reference, column(table, "rank"), reference < SEEN, *reversed(keys)))


def starts_of(ordered: U64) -> Bools:
    """Whether each of sorted values is the first of its kind."""
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def standing(keys: pa.Table, takes_part: Bools, key: str, rank: str) -> pa.Table:
    """STANDING: rows of a shard's KEYS that take part and have the key."""
    rows = keys.filter(pa.array(takes_part & np.asarray(keys.column(key).is_valid())))
    return pa.table([rows.column(name) for name in (key, rank, "reference", "doc_id")], schema=STANDING)


def compete(rows: pa.Table, by_rank: bool = False) -> tuple[pa.Table, pa.Table]:
    """STANDING with the first of every key by preference, and LOSERS of the others.

    With `by_rank`, pages of earlier runs are preferred at equal ranks only. A later page may then stand in their place,
    which makes it no loser of theirs, nor them of it: they are published already.
    """
    reference = column(rows, "reference")
    if by_rank:
        order = np.lexsort((reference, reference < SEEN, column(rows, "rank"), column(rows, "key")))
    else:
        order = by_preference(rows, column(rows, "key"))
    key = column(rows, "key")[order]
    first = starts_of(key)
    starts = np.flatnonzero(first)
    head = np.repeat(order[starts], np.diff(np.append(starts, len(key))))
    loses = ~first & ((reference[order] < SEEN) | (not by_rank))
    head = head[loses]
    winner_ids = rows.column("doc_id").take(pa.array(head)).combine_chunks()
    losers = pa.table([reference[order[loses]], reference[head], winner_ids], schema=LOSERS)
    return rows.take(pa.array(order[starts])), losers


def follow(own: pa.Table, later: pa.Table) -> pa.Table:
    """LOSERS of a shard: its `own`, whose winners may have lost `later` to a page of another shard, and those."""
    if not later.num_rows:
        return own
    order = np.argsort(column(later, "reference"))
    known = column(later, "reference")[order]
    winner = column(own, "winner")
    place = np.minimum(np.searchsorted(known, winner), len(known) - 1)
    lost = known[place] == winner
    final = pa.table(
        [
            column(own, "reference"),
            np.where(lost, column(later, "winner")[order[place]], winner),
            pc.if_else(pa.array(lost), later.column("winner_id").take(pa.array(order[place])), own.column("winner_id")),
        ],
        schema=LOSERS,
    )
    return pa.concat_tables([final, later])


def initial_roles(keys: pa.Table) -> npt.NDArray[np.int8]:
    """Role of each row before any matching: of the index for seen pages, else by the policy's reason."""
    if "role" in keys.schema.names:
        return np.asarray(keys.column("role").combine_chunks(), dtype=np.int8).copy()
    return np.where(np.asarray(pc.is_null(keys.column("reason"))), REPRESENTATIVE, OUT).astype(np.int8)


def set_losers(roles: npt.NDArray[np.int8], losers: pa.Table, role: int) -> None:
    """Give the rows of the LOSERS of a shard their role."""
    roles[(column(losers, "reference") & ROW).astype(np.int64)] = role


def roles_table(roles: npt.NDArray[np.int8], *losers: pa.Table) -> pa.Table:
    """ROLES of a shard, with the winner of every row that lost."""
    winner = np.zeros(len(roles), np.uint64)
    ids: npt.NDArray[np.object_] = np.full(len(roles), None, object)
    for table in losers:
        rows = (column(table, "reference") & ROW).astype(np.int64)
        winner[rows] = column(table, "winner")
        ids[rows] = table.column("winner_id").to_pylist()
    return pa.table([pa.array(roles), winner, pa.array(ids, pa.string())], schema=ROLES)


def band_rows(keys: pa.Table, roles: npt.NDArray[np.int8]) -> pa.Table:
    """BANDS: a row per representative of a shard and band."""
    rows = keys.filter(pa.array((roles == REPRESENTATIVE) & np.asarray(keys.column("bands").is_valid())))
    bands = rows.column("bands").combine_chunks()
    if pa.types.is_binary(bands.type):  # as the index of an earlier run keeps them
        flat = np.frombuffer(b"".join(bands.to_pylist()), "<u8")
        lengths = np.asarray(pc.binary_length(bands)) // 8
    else:
        flat, lengths = bands.flatten(), np.asarray(pc.list_value_length(bands))
    shingles = np.asarray(pc.fill_null(rows.column("shingles"), 0)).astype(np.uint32)
    return pa.table(
        [
            flat,
            np.repeat(column(rows, "rank"), lengths),
            np.repeat(column(rows, "reference"), lengths),
            np.repeat(shingles, lengths),
        ],
        schema=BANDS,
    )


def _shared(rows: pa.Table) -> tuple[pa.Table, U64]:
    """Rows whose key another row has, by key and preference, and the place where each one's key begins."""
    key = column(rows, "key")
    order = np.argsort(key, kind="stable")
    first = starts_of(key[order])
    alone = first & np.append(first[1:], True)
    rows = rows.take(pa.array(order[~alone]))
    rows = rows.take(pa.array(by_preference(rows, column(rows, "key"))))
    first = starts_of(column(rows, "key"))
    starts = np.flatnonzero(first)
    return rows, np.repeat(starts, np.diff(np.append(starts, len(first)))).astype(np.uint64)


def candidate_pairs(rows: pa.Table, similarity: float) -> pa.Table:
    """PAIRS of BANDS that share a key, each page (left) with preferred ones (right); repeated where they share more.

    Jaccard similarity is at most the ratio of the numbers of shingles, so pairs under `similarity` by that are left
    out. Linear in the rows. Pages that come later never change the pairs of those before them.
    """
    rows, begin = _shared(rows)
    reference, size = column(rows, "reference"), np.asarray(rows.column("shingles"), dtype=np.float64)
    place = np.arange(len(reference), dtype=np.int64)
    index = place - begin.astype(np.int64)  # of the row under its key
    left: list[U64] = []
    right: list[U64] = []

    def pair(later: npt.NDArray[np.int64], earlier: npt.NDArray[np.int64]) -> None:
        # Counts beyond the sketch are exact too, so the bound is.
        smaller, larger = np.minimum(size[later], size[earlier]), np.maximum(size[later], size[earlier])
        possible = (smaller >= similarity * larger) & (reference[later] < SEEN)
        left.append(reference[later[possible]])
        right.append(reference[earlier[possible]])

    for back in range(1, NEAREST_PAGES + 1):
        later = place[index >= back]
        pair(later, later - back)
    for number in range(FIRST_PAGES):
        later = place[index > number + NEAREST_PAGES]
        pair(later, begin[later].astype(np.int64) + number)
    return pa.table(list(unique_pairs(np.concatenate(left), np.concatenate(right))), schema=PAIRS)


def crowded(rows: pa.Table) -> pa.Table:
    """Rows of BANDS whose key has more pages than are paired with one another."""
    _, place, count = np.unique(column(rows, "key"), return_inverse=True, return_counts=True)
    return rows.filter(pa.array(count[place] > FIRST_PAGES + NEAREST_PAGES + 1))


def sampled(rows: pa.Table, sketches: pa.Array) -> pa.Table:
    """BANDS by a sample of the shingles of each of the crowded `rows`, whose sketches are given.

    Pages of a template share bands for what they have in common. Those that have more in common than the template
    share shingles that few others have, and so meet again where there is no crowd. A key belongs to one band, so that
    only pages that share a band meet.
    """
    keys, counts = sample_keys(sketches, column(rows, "key"), SAMPLE)
    owner = np.repeat(np.arange(rows.num_rows), counts)
    others = rows.select(["rank", "reference", "shingles"]).take(pa.array(owner))
    return pa.table([keys, *others.columns], schema=BANDS)


def unique_pairs(left: U64, right: U64) -> tuple[U64, U64]:
    """Pairs without repetitions, sorted."""
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    fresh = starts_of(left) | starts_of(right)
    return left[fresh], right[fresh]


def hub_pairs(rows: pa.Table) -> pa.Table:
    """PAIRS of each row of BANDS with the first of its key: enough where pairs are not verified."""
    rows, begin = _shared(rows)
    reference = column(rows, "reference")
    hub = reference[begin.astype(np.int64)]
    others = (reference != hub) & (reference < SEEN)
    return pa.table(list(unique_pairs(reference[others], hub[others])), schema=PAIRS)
