"""FindDuplicates on Beam against a plain Python oracle, for any number of buckets."""

from __future__ import annotations

import functools
import itertools
import json
import random
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

from pipeline.connect import UnconvergedError
from pipeline.dedup import FindDuplicates
from pipeline.keys import KEYS, keys_path, write_arrow
from pipeline.shuffle import unpack
from schemas.config import DuplicatePolicy

Row = dict[str, Any]
THRESHOLD = 0.75


def sketch(shingles: set[int]) -> bytes:
    return np.sort(np.array(list(shingles), "<u4")).tobytes()


def make_shards(folder: Path, shards: int = 4, rows: int = 60, seed: int = 1) -> list[Row]:
    """Documents with few distinct addresses and contents, whose shingles are mutations of few texts."""
    rng = random.Random(seed)
    texts = [{rng.getrandbits(32) for _ in range(40)} for _ in range(30)]
    everything: list[Row] = []
    for number in range(shards):
        found = []
        for row in range(rows):
            origin = rng.randrange(len(texts))
            content = rng.randrange(20)
            # Equal contents have equal shingles, as equal words have.
            words = random.Random(content * 100 + origin)
            shingles = set(texts[origin])
            for old in words.sample(sorted(shingles), words.randrange(12)):
                shingles.remove(old)
                shingles.add(words.getrandbits(32))
            found.append(
                {
                    "reference": (number << 32) | row,
                    "doc_id": f"{rng.getrandbits(128):032x}",
                    "source_file": "a.warc.gz",
                    "reason": "language" if rng.random() < 0.1 else None,
                    "rank": rng.getrandbits(64),
                    "capture_rank": rng.getrandbits(64),
                    "url_key": rng.choice([None, rng.randrange(10**6), rng.randrange(60)]),
                    "content_key": 10**9 + content * 100 + origin if rng.random() < 0.9 else None,
                    # Some pages share a band without being alike.
                    "bands": [1000 + origin, 5000 + rng.randrange(40)] if rng.random() < 0.95 else None,
                    "shingles": len(shingles),
                    "sketch": sketch(shingles),
                    "label": "unknown",
                    "row_bytes": 100,
                }
            )
        write_arrow(keys_path(folder, f"s{number}"), pa.Table.from_pylist(found, KEYS))
        everything += found
    return everything


def jaccard(one: Row, other: Row) -> float:
    a, b = (set(np.frombuffer(r["sketch"], "<u4").tolist()) for r in (one, other))
    return len(a & b) / len(a | b)


def losers_of(rows: list[Row], key: str, rank: str) -> dict[int, Row]:
    best: dict[int, Row] = {}
    for r in sorted(rows, key=lambda r: (r[rank], r["reference"])):
        if r[key] is not None:
            best.setdefault(r[key], r)
    return {r["reference"]: best[r[key]] for r in rows if r[key] is not None and best[r[key]] is not r}


def oracle(
    rows: list[Row], policy: DuplicatePolicy
) -> tuple[dict[int, tuple[str, bool, int, str]], set[frozenset[str]]]:
    part = [r for r in rows if r["reason"] is None]
    captures = losers_of(part, "url_key", "capture_rank") if policy.url else {}
    standing = [r for r in part if r["reference"] not in captures]
    copies = losers_of(standing, "content_key", "rank") if policy.exact else {}
    texts = [r for r in standing if r["reference"] not in copies] if policy.near else []
    parent = {r["reference"]: r["reference"] for r in part}

    def root(x: int) -> int:
        while parent[x] != x:
            x = parent[x]
        return x

    for loser, winner in [*captures.items(), *copies.items()]:
        parent[root(loser)] = root(winner["reference"])
    pairs: list[tuple[float, Row, Row]] = []
    by_band: dict[int, list[Row]] = {}
    for r in sorted(texts, key=lambda r: (r["rank"], r["reference"])):
        for band in r["bands"] or []:
            by_band.setdefault(band, []).append(r)
    for members in by_band.values():
        for i, younger in enumerate(members):
            for older in {**dict.fromkeys(range(min(8, i))), **dict.fromkeys(range(max(0, i - 8), i))}:
                similarity = jaccard(younger, members[older])
                if similarity >= policy.similarity:
                    pairs.append((similarity, younger, members[older]))
    if policy.keep == "oldest":
        best: dict[int, tuple[float, Row, Row]] = {}
        for pair in sorted(pairs, key=lambda p: (-p[0], p[2]["doc_id"])):
            best.setdefault(pair[1]["reference"], pair)
        edges = list(best.values())
    else:
        edges = pairs
    for _, younger, older in edges:
        parent[root(younger["reference"])] = root(older["reference"])
    groups: dict[int, list[Row]] = {}
    for r in part:
        groups.setdefault(root(r["reference"]), []).append(r)
    verdicts = {}
    for members in groups.values():
        if len(members) == 1:
            continue
        head = min(members, key=lambda r: (r["reference"] in captures, r["rank"], r["reference"]))
        for r in members:
            kind = "exact_duplicate" if r["reference"] in copies else "near_duplicate"
            kind = "url_duplicate" if r["reference"] in captures else kind
            verdicts[r["reference"]] = (head["doc_id"], r is head, len(members), kind)
    return verdicts, {frozenset((a["doc_id"], b["doc_id"])) for _, a, b in pairs}


def run(folder: Path, policy: DuplicatePolicy, buckets: int, shards: int = 4, **options: Any) -> tuple[Any, Any]:
    def keep(rows: list[tuple[int, bytes]], name: str) -> None:  # a pickled copy of it runs: a file is how it tells
        found = [{"shard": shard, **row} for shard, packed in rows for row in unpack(packed).to_pylist()]
        (folder / f"{name}.json").write_text(json.dumps(found))

    numbered = [(n, f"s{n}") for n in range(shards)]
    random.Random(buckets).shuffle(numbered)
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        found = p | beam.Create(numbered) | FindDuplicates(str(folder), policy, buckets, **options)
        for name in ("verdicts", "matches"):
            assert_that(found[name], functools.partial(keep, name=name), label=name)
    verdicts, matches = (json.loads((folder / f"{name}.json").read_text()) for name in ("verdicts", "matches"))
    assert all(row["reference"] >> 32 == row["shard"] for row in verdicts)
    assert all(row["left"] >> 32 == row["shard"] for row in matches)
    assert len({row["reference"] for row in verdicts}) == len(verdicts)
    names = ("canonical", "is_canonical", "size", "kind")
    return {row["reference"]: tuple(row[name] for name in names) for row in verdicts}, matches


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("keep", ["longest", "oldest"])
@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_and_pairs_equal_the_oracle(tmp_path: Path, buckets: int, keep: Any, seed: int) -> None:
    policy = DuplicatePolicy(keep=keep)
    want, pairs = oracle(make_shards(tmp_path, seed=seed), policy)
    assert len({v[0] for v in want.values()}) > 3, "the case must hold several clusters"
    assert {"url_duplicate", "near_duplicate", "exact_duplicate"} <= {v[3] for v in want.values()}
    verdicts, matches = run(tmp_path, policy, buckets)
    assert verdicts == want
    assert {frozenset((m["left_id"], m["right_id"])) for m in matches} == pairs
    assert len(matches) == 2 * len(pairs), "every pair is seen from both ends"
    assert all(THRESHOLD <= m["similarity"] <= 1 for m in matches)


def test_the_order_of_files_does_not_count(tmp_path: Path) -> None:
    """The same pages in other shards and rows: the same clusters, and the same page stands for each."""
    rows = make_shards(tmp_path)
    found = []
    for seed, shards in ((1, 4), (2, 3), (3, 1)):
        shuffled = [dict(r) for r in rows]
        random.Random(seed).shuffle(shuffled)
        folder = tmp_path / str(seed)
        folder.mkdir()
        for number in range(shards):
            part = shuffled[number::shards]
            for row, r in enumerate(part):
                r["reference"] = (number << 32) | row
            write_arrow(keys_path(folder, f"s{number}"), pa.Table.from_pylist(part, KEYS))
        ids = {r["reference"]: r["doc_id"] for r in shuffled}
        verdicts, _ = run(folder, DuplicatePolicy(), 2, shards)
        found.append({ids[reference]: verdict for reference, verdict in verdicts.items()})
    assert found[0] == found[1] == found[2]


def test_what_has_not_converged_is_an_error(tmp_path: Path) -> None:
    make_shards(tmp_path, seed=3)
    with pytest.raises((UnconvergedError, RuntimeError), match="not converged"):
        run(tmp_path, DuplicatePolicy(verify=False), 5, rounds=1)


@pytest.mark.parametrize("switched_off", ["url", "exact", "near"])
def test_each_kind_can_be_switched_off(tmp_path: Path, switched_off: str) -> None:
    policy = DuplicatePolicy(**{switched_off: False})
    rows = make_shards(tmp_path)
    verdicts, _ = run(tmp_path, policy, 1)
    assert verdicts == oracle(rows, policy)[0]
    assert verdicts != oracle(rows, DuplicatePolicy())[0]


def test_without_verification_what_shares_a_band_is_one_cluster(tmp_path: Path) -> None:
    rows = make_shards(tmp_path)
    policy = DuplicatePolicy(verify=False, url=False, exact=False)
    verdicts, matches = run(tmp_path, policy, 2)
    assert not matches
    heads = {r["reference"]: verdicts.get(r["reference"], (r["doc_id"],))[0] for r in rows}
    part = [r for r in rows if r["reason"] is None]
    for one, other in itertools.combinations(part, 2):
        if set(one["bands"] or []) & set(other["bands"] or []):
            assert heads[one["reference"]] == heads[other["reference"]]


def test_no_shard_and_empty_shards(tmp_path: Path) -> None:
    write_arrow(keys_path(tmp_path, "s0"), KEYS.empty_table())
    assert run(tmp_path, DuplicatePolicy(), 1, shards=1) == ({}, [])
    assert run(tmp_path, DuplicatePolicy(), 1, shards=0) == ({}, [])
