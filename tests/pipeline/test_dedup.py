"""FindDuplicates on Beam against a plain Python oracle, for any number of buckets."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

from pipeline.connect import UnconvergedError
from pipeline.decide import KEYS, keys_path, write_arrow
from pipeline.dedup import FindDuplicates
from pipeline.shuffle import unpack
from schemas.config import DuplicatePolicy

Row = dict[str, Any]


def make_shards(folder: Path, shards: int = 4, rows: int = 60, seed: int = 1) -> list[Row]:
    """Documents with few distinct addresses, contents and bands, so that all kinds of duplicates arise."""
    rng = random.Random(seed)
    everything: list[Row] = []
    for number in range(shards):
        found = []
        for row in range(rows):
            bands = [band * 1000 + rng.randrange(400) for band in range(3)]
            found.append(
                {
                    "reference": (number << 32) | row,
                    "doc_id": f"{rng.getrandbits(128):032x}",
                    "source_file": "a.warc.gz",
                    "reason": "language" if rng.random() < 0.1 else None,
                    "rank": rng.getrandbits(63),
                    "capture_rank": rng.getrandbits(63),
                    "url_key": rng.choice([None, rng.randrange(10**6), rng.randrange(60)]),
                    "content_key": 10**9 + rng.randrange(500) if rng.random() < 0.9 else None,
                    "bands": bands if rng.random() < 0.9 else None,
                    "label": "unknown",
                    "row_bytes": 100,
                }
            )
        import pyarrow as pa

        write_arrow(keys_path(folder, f"s{number}"), pa.Table.from_pylist(found, KEYS))
        everything += found
    return everything


def oracle(rows: list[Row]) -> dict[int, tuple[str, bool, int, str]]:
    part = [r for r in rows if r["reason"] is None]
    best: dict[int, Row] = {}
    for r in part:
        if r["url_key"] is not None:
            held = best.get(r["url_key"])
            if held is None or (r["capture_rank"], r["reference"]) < (held["capture_rank"], held["reference"]):
                best[r["url_key"]] = r
    loser_of = {
        r["reference"]: best[r["url_key"]]["reference"]
        for r in part
        if r["url_key"] is not None and best[r["url_key"]] is not r
    }
    parent = {r["reference"]: r["reference"] for r in part}

    def root(x: int) -> int:
        while parent[x] != x:
            x = parent[x]
        return x

    by_key: dict[tuple[str, int], int] = {}
    for r in part:
        if r["reference"] in loser_of:
            parent[root(r["reference"])] = root(loser_of[r["reference"]])
            continue
        for key in [("c", r["content_key"])] * (r["content_key"] is not None) + [("b", b) for b in r["bands"] or []]:
            other = by_key.setdefault(key, r["reference"])
            parent[root(other)] = root(r["reference"])
    groups: dict[int, list[Row]] = {}
    for r in part:
        groups.setdefault(root(r["reference"]), []).append(r)
    verdicts = {}
    for members in groups.values():
        if len(members) == 1:
            continue
        head = min(members, key=lambda r: (r["reference"] in loser_of, r["rank"] >> 1, r["reference"]))
        for r in members:
            kind = "exact_duplicate" if (r["content_key"] or 0) == (head["content_key"] or 0) else "near_duplicate"
            kind = "url_duplicate" if r["reference"] in loser_of else kind
            verdicts[r["reference"]] = (head["doc_id"], r is head, len(members), kind)
    return verdicts


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_equal_the_oracle(tmp_path: Path, buckets: int, seed: int) -> None:
    rows = make_shards(tmp_path, seed=seed)
    want = oracle(rows)
    assert len({v[0] for v in want.values()}) > 3, "the case must hold several clusters"
    assert {"url_duplicate", "near_duplicate"} <= {v[3] for v in want.values()}

    def check(found: list[tuple[int, bytes]]) -> None:
        got = {}
        for shard, packed in found:
            for r in unpack(packed).to_pylist():
                assert r["reference"] >> 32 == shard
                assert r["reference"] not in got
                got[r["reference"]] = (r["canonical"], r["is_canonical"], r["size"], r["kind"])
        assert got == want

    shards = [(n, f"s{n}") for n in range(4)]
    random.Random(seed).shuffle(shards)
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        verdicts = p | beam.Create(shards) | FindDuplicates(str(tmp_path), DuplicatePolicy(), buckets)
        assert_that(verdicts, check)


def test_what_has_not_converged_is_an_error(tmp_path: Path) -> None:
    make_shards(tmp_path, seed=3)
    with pytest.raises((UnconvergedError, RuntimeError), match="not converged"):  # noqa: SIM117
        with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
            _ = (
                p
                | beam.Create([(n, f"s{n}") for n in range(4)])
                | FindDuplicates(str(tmp_path), DuplicatePolicy(), buckets=5, rounds=1)
            )


@pytest.mark.parametrize("switched_off", ["url", "exact", "near"])
def test_each_kind_can_be_switched_off(tmp_path: Path, switched_off: str) -> None:
    make_shards(tmp_path)
    policy = DuplicatePolicy(**{switched_off: False})

    def check(found: list[tuple[int, bytes]]) -> None:
        kinds = {r["kind"] for _, packed in found for r in unpack(packed).to_pylist() if not r["is_canonical"]}
        assert kinds
        if switched_off != "exact":  # equal text also has equal bands
            assert f"{switched_off}_duplicate" not in kinds or switched_off == "near"

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as p:
        shards = p | beam.Create([(n, f"s{n}") for n in range(4)])
        assert_that(shards | FindDuplicates(str(tmp_path), policy, 1), check)
