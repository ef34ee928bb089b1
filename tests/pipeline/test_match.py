"""Pages that meet under keys: who stands, who is paired, and what a crowd costs."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from pipeline.keys import time_ranks
from pipeline.match import (
    BANDS,
    FIRST_PAGES,
    NEAREST_PAGES,
    SAMPLE,
    SEEN,
    STANDING,
    candidate_pairs,
    compete,
    crowded,
    sampled,
)
from schemas.document import TIMESTAMP


def bands(keys: list[int], shingles: int = 100, seen: frozenset[int] = frozenset()) -> pa.Table:
    references = [n + (int(SEEN) if n in seen else 0) for n in range(len(keys))]
    return pa.table([keys, list(range(len(keys))), references, [shingles] * len(keys)], schema=BANDS)


def pairs_of(table: pa.Table) -> set[tuple[int, int]]:
    return set(zip(table.column("left").to_pylist(), table.column("right").to_pylist(), strict=True))


def test_all_are_paired_up_to_the_limit_and_then_as_many() -> None:
    most = FIRST_PAGES + NEAREST_PAGES
    small = pairs_of(candidate_pairs(bands([7] * (most + 1)), 0.75))
    assert small == {(a, b) for a in range(most + 1) for b in range(a)}
    assert not crowded(bands([7] * (most + 1))).num_rows
    large = pairs_of(candidate_pairs(bands([7] * 5000), 0.75))
    assert len(large) <= 5000 * most
    assert {(a, b) for a, b in large if a <= most} == small, "pages that come later change no pairs of those before"
    assert crowded(bands([7] * 5000 + [8] * 3)).num_rows == 5000


def test_sizes_that_cannot_be_alike_are_no_pair() -> None:
    rows = bands([1, 1, 1]).set_column(3, "shingles", pa.array([100, 76, 70], pa.uint32()))
    assert pairs_of(candidate_pairs(rows, 0.75)) == {(1, 0), (2, 1)}
    assert not pairs_of(candidate_pairs(BANDS.empty_table(), 0.75))


def test_pages_of_earlier_runs_are_preferred_and_not_paired_with_one_another() -> None:
    got = pairs_of(candidate_pairs(bands([5] * 4, seen=frozenset({2, 3})), 0.75))
    assert got == {(0, 2 + int(SEEN)), (0, 3 + int(SEEN)), (1, 2 + int(SEEN)), (1, 3 + int(SEEN)), (1, 0)}


def test_likes_of_a_template_meet_again() -> None:
    """600 pages share 160 of 200 shingles (0.67); planted pairs share 190 (0.9), far apart in the order."""
    rng = random.Random(3)
    template = [rng.getrandbits(32) for _ in range(160)]
    own = [[rng.getrandbits(32) for _ in range(40)] for _ in range(600)]
    planted = {(300 + n, n) for n in range(100, 150)}
    for later, earlier in planted:
        own[later] = [*own[earlier][:30], *own[later][:10]]
    sketches = pa.array([np.sort(np.array(template + part, "<u4")).tobytes() for part in own], pa.binary())
    rows = bands([99] * 600, 200)
    assert len(planted & pairs_of(candidate_pairs(rows, 0.75))) == 0, "a crowd hides them"
    again = sampled(crowded(rows), sketches)
    assert again.num_rows == 600 * SAMPLE
    found = pairs_of(candidate_pairs(again, 0.75))
    assert len(planted & found) >= 48
    assert len(found) <= 600 * 2 * (FIRST_PAGES + NEAREST_PAGES), "what the template gives are the same pairs"
    other = sampled(bands([98] * 600, 200), sketches)
    assert not set(again.column("key").to_pylist()) & set(other.column("key").to_pylist()), "a key is of one band"


def standing(*rows: tuple[int, int, bool]) -> pa.Table:
    """(key, rank, is seen)."""
    table = [
        {"key": key, "rank": rank, "reference": n + (int(SEEN) if is_seen else 0), "doc_id": str(n)}
        for n, (key, rank, is_seen) in enumerate(rows)
    ]
    return pa.Table.from_pylist(table, STANDING)


@pytest.mark.parametrize(
    ("by_rank", "stands", "losers"),
    [
        (False, {"2", "3"}, {"0": "2", "1": "2"}),  # what is published stands
        (True, {"0", "3"}, {"1": "0"}),  # the best capture stands, and one that is published loses to none
    ],
)
def test_who_stands_beside_an_earlier_run(by_rank: bool, stands: set[str], losers: dict[str, str]) -> None:
    winners, lost = compete(standing((1, 5, False), (1, 9, False), (1, 7, True), (2, 1, False)), by_rank)
    assert set(winners.column("doc_id").to_pylist()) == stands
    found = zip(lost.column("reference").to_pylist(), lost.column("winner_id").to_pylist(), strict=True)
    assert {str(reference): winner for reference, winner in found} == losers


def test_at_equal_times_what_is_published_stands() -> None:
    winners, lost = compete(standing((1, 7, False), (1, 7, True)), by_rank=True)
    assert winners.column("doc_id").to_pylist() == ["1"]
    assert lost.column("reference").to_pylist() == [0]


@pytest.mark.parametrize("keep", ["oldest", "newest"])
def test_times_order_by_the_millisecond_before_and_after_1970(keep: str) -> None:
    times = [
        datetime(1899, 5, 1, tzinfo=UTC),
        datetime(1965, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 100_000, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 900_000, tzinfo=UTC),
    ]
    table = pa.table({"fetched_at": pa.array([*times, None], TIMESTAMP)})
    hashes = np.array([2**64 - 1, 5, 2**64 - 1, 0, 0], np.uint64)
    order = np.argsort(time_ranks(table, keep, hashes)).tolist()
    assert order == ([0, 1, 2, 3, 4] if keep == "oldest" else [3, 2, 1, 0, 4])
