"""Provenance over a run: controls, hosts and parallel pages meet their documents.

    shards ─┬─ controls of each ─ merge ──────────────────────────┐ (side input)
            ├─ sums by host ─ BucketedShuffle ─ sums of the run ──┤
            ├─ keys ─ FindParallelGroups ─────────────────────────┴─ JudgeShards: verdicts and keys beside each shard
            └─────────────────────────────────────────────────────┘

What travels is one histogram a shard, one row a host and shard, and small keys of pages that may be parallel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import pyarrow as pa

from detectors.controls import ControlSet
from pipeline.annotate import ShardReport
from pipeline.calls import Call, RunOnHost
from pipeline.host_scores import HOST_PAGES, host_pages, sum_hosts
from pipeline.judge import Surroundings, judge_shard, read_scored
from pipeline.packing import gather
from pipeline.parallel_groups import PARALLEL
from pipeline.parallelism import FindParallelGroups
from pipeline.shuffle import BucketedShuffle, to_buckets, to_key
from pipeline.standards import Standards, controls_of
from schemas.config import CurateConfig


def merge_controls(parts: Iterable[str]) -> str:
    """JSON of all control sets together, in any order and grouping; empty where there are none."""
    sets = [ControlSet.from_json(part) for part in parts if part]
    return ControlSet.merge(sets).to_json() if sets else ""


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """What judging needs to know of a run. `models` are the fingerprints of the text models, by detector;
    the controls of `standards` are those that the user gave."""

    staged: str
    config: CurateConfig
    models: Mapping[str, str]
    standards: Standards
    buckets: int
    workers: int
    groups: int


class GatherControls(beam.PTransform):  # type: ignore[misc]
    """Reports of staged shards to the JSON of a run's controls, one element: those that the user gave, else its own."""

    def __init__(self, plan: JudgePlan) -> None:
        super().__init__()
        self._plan = plan

    def expand(self, reports: beam.PCollection) -> beam.PCollection:
        """Collect of every shard, and merge."""
        plan = self._plan

        def read_controls(report: ShardReport) -> str:
            if plan.standards.controls or not plan.config.provenance.own_controls:
                return ""
            return controls_of(read_scored(plan.staged, report.name), plan.models).to_json()

        def choose(own: str) -> str:
            """The user's, else the run's where any page is one; what is no control still counts in the sums."""
            has_any = bool(own) and bool(ControlSet.from_json(own).cells)
            return plan.standards.controls or (own if has_any else "")

        return (
            reports
            | "ReadControls" >> beam.Map(read_controls)
            | "MergeControls" >> beam.CombineGlobally(merge_controls)
            | "ChooseControls" >> beam.Map(choose)
        )


class JudgeShards(beam.PTransform):  # type: ignore[misc]
    """Reports of staged shards to the same, with the verdicts and the keys of each shard beside it.

    `controls` is the element of `GatherControls`.
    """

    def __init__(self, plan: JudgePlan, controls: beam.PCollection) -> None:
        super().__init__()
        self._plan = plan
        self._controls = controls

    def expand(self, reports: beam.PCollection) -> beam.PCollection:
        """Hosts and parallel pages, then verdicts."""
        plan = self._plan
        provenance = plan.config.provenance
        controls = beam.pvalue.AsSingleton(self._controls)

        def standards_with(found: str) -> Standards:
            return replace(plan.standards, controls=found)

        def read_hosts(report: ShardReport, controls: str) -> Iterator[tuple[int, bytes]]:
            if controls and provenance.hosts:
                pages = host_pages(read_scored(plan.staged, report.name), report.number, standards_with(controls))
                yield from to_buckets(pages, "host", plan.buckets)

        def host_sums(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            yield from to_key(sum_hosts(bucket[1]), "shard")

        def judge_call(joined: tuple[int, dict[str, Iterable[Any]]], controls: str) -> Iterator[Call]:
            hosts = gather(joined[1]["hosts"], HOST_PAGES)
            around = Surroundings(standards_with(controls), hosts, gather(joined[1]["parallel"], PARALLEL))
            for report in joined[1]["reports"]:
                arguments = (plan.staged, report, plan.config, around)
                yield Call(report.number, judge_shard, arguments, name=f"judge {report.name}")

        hosts = (
            reports
            | "ReadHosts" >> beam.FlatMap(read_hosts, controls)
            | "ByHost" >> BucketedShuffle(HOST_PAGES)
            | "SumHosts" >> beam.FlatMap(host_sums)
        )
        parts = {
            "reports": reports | "ReportsByNumber" >> beam.Map(lambda report: (report.number, report)),
            "hosts": hosts,
        }
        if provenance.parallel:
            parts["parallel"] = (
                reports
                | "ParallelShards" >> beam.Map(lambda report: (report.number, report.name))
                | "FindParallelGroups"
                >> FindParallelGroups(
                    plan.staged,
                    plan.buckets,
                    embeddings=provenance.embeddings,
                    workers=plan.workers,
                    groups=plan.groups,
                )
            )
        else:
            parts["parallel"] = hosts | "NoParallel" >> beam.Filter(lambda _: False)
        return (
            parts
            | "JoinSurroundings" >> beam.CoGroupByKey()
            | "JudgeCalls" >> beam.FlatMap(judge_call, controls)
            | "Judge" >> RunOnHost(plan.workers, plan.groups)
            | "Judged" >> beam.Values()
        )
