"""CutRepeats on Beam: the same cuts in every layout of the pages, for any number of buckets, delivered twice or not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipeline.cuts import line_cuts_path, read_repeats, substring_cuts_path
from pipeline.decide import DECISIONS, decisions_path, write_arrow
from pipeline.repeats import CutRepeats, after_repeats
from schemas.config import CurateConfig
from schemas.document import data_schema

FOOT = "All rights reserved by the people of this site"


def make_pages(seed: int = 1, count: int = 40) -> list[dict[str, Any]]:
    """Pages of two sites with a foot, some with a paragraph that others have too, some dropped."""
    rng = random.Random(seed)
    paragraph = " ".join(f"word{n}" for n in range(30))
    pages = []
    for number in range(count):
        own = " ".join(f"own{number}x{n}" for n in range(40))
        shared = f"Before {number} {paragraph} after {number}\n" if number % 3 == 0 else ""
        site = ("a.example", "b.example")[number % 2]
        pages.append(
            {
                "doc_id": f"{rng.getrandbits(128):032x}",
                "url": f"https://{site}/{number}" if number % 7 else None,
                "text": f"{own}\n{shared}{FOOT}",
                "reason": "language" if number % 5 == 4 else None,
            }
        )
    return pages


def stage(folder: Path, pages: list[dict[str, Any]], sizes: list[int]) -> list[tuple[int, str]]:
    """Shards of these many pages each."""
    folder.mkdir()
    shards, at = [], 0
    for number, size in enumerate(sizes):
        part = pages[at : at + size]
        at += size
        schema = pa.schema([field for field in data_schema([]) if field.name in ("doc_id", "url", "text")])
        rows = pa.Table.from_pylist([{name: page[name] for name in schema.names} for page in part], schema)
        pq.write_table(rows, folder / f"s{number}.documents.parquet", row_group_size=7)
        decisions = pa.table({"reason": pa.array([page["reason"] for page in part], pa.string())})
        nulls = {field.name: pa.nulls(len(part), field.type) for field in DECISIONS if field.name != "reason"}
        table = pa.table({**{"reason": decisions.column("reason")}, **nulls}).select(DECISIONS.names)
        write_arrow(decisions_path(folder, f"s{number}"), table.cast(DECISIONS))
        shards.append((number, f"s{number}"))
    assert at == len(pages)
    return shards


def config_of(rule: str, words: int) -> CurateConfig:
    duplicates = {"lines": {"rule": rule}, "substrings": {"words": words}}
    return CurateConfig.model_validate({"quality": {"profile": "none"}, "policy": {"duplicates": duplicates}})


def run(
    folder: Path, pages: list[dict[str, Any]], sizes: list[int], config: CurateConfig, buckets: int, *options: str
) -> dict[str, Any]:
    """Stages by doc_id."""
    shards = stage(folder, pages, sizes)
    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        done = pipeline | beam.Create(shards) | CutRepeats(str(folder), config, buckets, workers=1, groups=1)
        assert_that(done, equal_to(shards))
    found, at = {}, 0
    for (_, name), size in zip(shards, sizes, strict=True):
        for row, stages in read_repeats(folder, name, config.policy.duplicates).items():
            found[pages[at + row]["doc_id"]] = stages
        at += size
    return found


@pytest.mark.parametrize(("rule", "words"), [("site", 20), ("c4", 0), ("cc_net", 25), ("none", 20)])
def test_cuts_do_not_depend_on_layout(tmp_path: Path, rule: str, words: int) -> None:
    pages = make_pages()
    config = config_of(rule, words)
    one = run(tmp_path / "one", pages, [40], config, 1)
    shuffled = random.Random(3).sample(pages, 40)
    many = run(tmp_path / "many", shuffled, [3, 0, 17, 20], config, 3, "--direct_runner_bundle_repeat=1")
    assert one == many
    assert one
    dropped = {page["doc_id"] for page in pages if page["reason"]}
    assert not dropped & set(one), "pages that are not kept take no part"
    rules = [name for stages in one.values() for name, _ in stages]
    kept = [page for page in pages if not page["reason"]]
    with_paragraph = sum("word7" in page["text"] for page in kept)
    if words:
        assert rules.count("substring") == with_paragraph - 1, "one copy stays"
    if rule == "site":
        assert rules.count("line_site") == sum(page["url"] is not None for page in kept)
    elif rule == "c4":
        assert rules.count("line_c4") == len(kept) - 1
    elif rule == "cc_net":
        assert rules.count("line_cc_net") == len(kept)


def test_nothing_runs_where_no_rule_is_on() -> None:
    reports, decisions = object(), object()
    step = CutRepeats("nowhere", CurateConfig(), 1, 1, 1)
    assert after_repeats(reports, decisions, step, CurateConfig()) is reports  # type: ignore[arg-type]


def test_substrings_are_sought_in_what_the_lines_leave(tmp_path: Path) -> None:
    """The line that the site rule takes from every page must not be what a substring's copy was kept for."""
    foot = " ".join(f"foot{n}" for n in range(25))
    pages = [
        {
            "doc_id": f"{n:016x}{0:016x}",
            "url": f"https://a.example/{n}",
            "text": " ".join(f"own{n}x{k}" for k in range(40)) + f"\n{foot}",
            "reason": None,
        }
        for n in range(4)
    ]
    found = run(tmp_path / "s", pages, [2, 2], config_of("site", 20), 1)
    assert {name for stages in found.values() for name, _ in stages} == {"line_site"}
    assert line_cuts_path(tmp_path / "s", "s0").exists()
    assert substring_cuts_path(tmp_path / "s", "s0").exists()
