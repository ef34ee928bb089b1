"""The Beam graph: every step has a hand-written label, and nothing but bytes, names and small records is shuffled."""

from __future__ import annotations

import re

import apache_beam as beam

from pipeline import calls, curate, dedup, equals, parallelism, provenance, shuffle
from pipeline.calls import hash_group
from pipeline.curate import CuratePlan, build_pipeline, merge_counts
from pipeline.read.records import Split
from pipeline.standards import Standards
from schemas.config import CurateConfig


def labels(buckets: int) -> list[str]:
    pipeline = beam.Pipeline()
    plan = CuratePlan("r", "s", "p", "y", CurateConfig(), "f", (), {}, Standards(), buckets * (16 << 30), 1, 1)
    assert plan.buckets == buckets
    build_pipeline(pipeline, [Split(0, "a.warc.gz", 0, 10, 10)], plan)
    proto, _ = pipeline.to_runner_api(return_context=True)
    return [t.unique_name for t in proto.components.transforms.values() if t.unique_name]


def test_steps_are_labelled_by_hand() -> None:
    own = {
        name for module in (calls, curate, dedup, equals, parallelism, provenance, shuffle) for name in dir(module)
    } | {
        "decide",
        "always",
        "join",
        "check",
    }
    for buckets in (1, 3):
        for path in labels(buckets):
            name = path.split("/")[-1]
            assert not re.search(r"lambda at (calls|curate|dedup|equals|parallelism|provenance|shuffle)", name), path
            by_default = re.fullmatch(r"(?:Flat)?Map\((\w+)\)|ParDo\((\w+)\)", name)
            assert not by_default or not own & set(by_default.groups()), path


def test_the_graph_of_a_laptop_is_small() -> None:
    assert len(labels(1)) < 300 < len(labels(3)) < 700


def test_groups_are_stable_and_spread() -> None:
    names = [f"file-{n} at 0" for n in range(200)]
    assert {hash_group(name, 1) for name in names} == {0}
    groups = [hash_group(name, 7) for name in names]
    assert groups == [hash_group(name, 7) for name in names]
    assert len(set(groups)) == 7


def test_counts_are_summed() -> None:
    assert merge_counts([{"a": 1}, {}, {"a": 2, "b": 3}]) == {"a": 3, "b": 3}
