"""`headwater curate`: the dataflow, from splits of archives to published files.

    splits ─ Stage ─ Judge ─┬─ keys ─ FindDuplicates ─┐
                            └─ reports ───────────────┴─ Decide ─ CutRepeats ─ WritePieces ─ WriteFiles ─ summary

Text never enters a shuffle: it waits in staged shards and pieces, and only references, keys and verdicts travel.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.annotate import ShardReport, StagePlan
from pipeline.calls import Call, RunOnHost
from pipeline.connect import RoundStatistics
from pipeline.decide import VERDICTS, ShardDecision, decide_shard
from pipeline.dedup import FindDuplicates
from pipeline.host import HostTask, shared_host
from pipeline.packing import gather
from pipeline.provenance import GatherControls, JudgePlan, JudgeShards
from pipeline.read.records import Split
from pipeline.read.splits import SplitSummary, check_chain
from pipeline.repeats import CutRepeats, after_repeats
from pipeline.seen import SeenFile
from pipeline.stage import split_name, stage_split
from pipeline.standards import Standards
from pipeline.verify_pairs import MATCHES
from pipeline.write import ALWAYS, Piece, file_counts, file_path, group_schema, write_file, write_pieces
from schemas.config import ConfigError, CurateConfig
from schemas.manifest import FileEntry, SourceAccount

# Input bytes per shuffle bucket: about 25 million keys, 400 MB where they are sorted.
BUCKET_BYTES = 16 << 30


class StageSplits(beam.PTransform):  # type: ignore[misc]
    """Splits to reports of staged shards, with the chain of splits of every file checked.

    A split that does not know where its first member starts looks for it. When all splits of a file are read, each
    must have begun where the one before it ended; one that did not (a gzip file stored inside a record looks like a
    member) is read again from the right place, so that the records are those of a sequential read.
    """

    def __init__(self, plan: StagePlan, workers: int, groups: int) -> None:
        super().__init__()
        self._plan = plan
        self._workers = workers
        self._groups = groups

    def expand(self, splits: beam.PCollection) -> beam.PCollection:
        """Stage, check the chains, repair."""
        plan, workers = self._plan, self._workers

        def call(split: Split) -> Call:
            return Call(split, stage_split, (plan, split), guarded=True, name=split_name(split))

        def by_file(result: tuple[Split, ShardReport]) -> tuple[str, tuple[Split, ShardReport]]:
            return result[0].source_file, result

        def repair(file: tuple[str, Iterable[tuple[Split, ShardReport]]]) -> Iterator[ShardReport]:
            results = {split.number: (split, report) for split, report in file[1]}
            for _ in range(len(results) + 1):
                wrong = check_chain(
                    SplitSummary(split, report.first_offset, report.next_offset, report.whole_file)
                    for split, report in results.values()
                )
                if not wrong:
                    break
                calls = [
                    HostTask(s.number, stage_split, (plan, s), True, f"{s.source_file} at {s.start}") for s in wrong
                ]
                again = dict(shared_host(workers).run(calls))
                for split in wrong:
                    results[split.number] = (split, again[split.number])
            yield from (report for _, report in results.values())

        return (
            splits
            | "StageCalls" >> beam.Map(call)
            | "Stage" >> RunOnHost(workers, self._groups)
            | "ByFile" >> beam.Map(by_file)
            | "FileSplits" >> beam.GroupByKey()
            | "RepairChain" >> beam.FlatMap(repair)
        )


@dataclass(frozen=True, slots=True)
class CuratePlan:
    """Everything that the dataflow needs to know; plain data, so that it travels to workers."""

    root: str
    staged: str
    pieces: str
    summary: str
    config: CurateConfig
    fingerprint: str
    quality_signals: tuple[str, ...]
    models: Mapping[str, str]
    standards: Standards
    input_bytes: int
    workers: int
    groups: int
    seen: tuple[SeenFile, ...] = ()

    @property
    def runs(self) -> dict[int, str]:
        """Earlier runs by the number of their shards."""
        return {file.number: file.run for file in self.seen}

    @property
    def buckets(self) -> int:
        """Buckets of a shuffle, by the size of the input and of what was seen."""
        return max(1, -(-self.input_bytes // BUCKET_BYTES))


def merge_counts(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Sum of dictionaries of counts."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def build_pipeline(pipeline: beam.Pipeline, splits: Sequence[Split], plan: CuratePlan) -> None:
    """Add the dataflow of a run to a Beam pipeline. The summary is written when all files are published."""
    config, duplicates = plan.config, plan.config.policy.duplicates

    def decide(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[ShardDecision]:
        for report in joined[1]["reports"]:
            verdicts = gather(joined[1]["verdicts"], VERDICTS)
            matches = gather(joined[1]["matches"], MATCHES)
            flagged = list(joined[1]["flagged"])
            yield decide_shard(plan.staged, report, verdicts, matches, flagged, plan.runs, config)

    def piece_call(report: ShardReport, counts: dict[str, int]) -> Call:
        return Call(
            report.number,
            write_pieces,
            (plan.staged, plan.pieces, report, counts, config),
            name=f"pieces {report.name}",
        )

    def always(_: None, counts: dict[str, int]) -> Iterator[tuple[str, list[Piece]]]:
        for group in ALWAYS:
            yield from ((file_path(group, number, counts[group]), []) for number in range(counts[group]))

    def by_target(result: tuple[int, list[Piece]]) -> Iterator[tuple[str, list[Piece]]]:
        pieces: dict[str, list[Piece]] = defaultdict(list)
        for piece in result[1]:
            pieces[piece.target].append(piece)
        yield from pieces.items()

    def file_call(target: tuple[str, Iterable[list[Piece]]]) -> Call:
        pieces = sorted((p for part in target[1] for p in part), key=lambda p: (p.path, p.batch))
        group = target[0].rsplit("-", 3)[0]
        schema = group_schema(group, plan.quality_signals)
        return Call(target[0], write_file, (plan.root, target[0], pieces, schema), name=target[0])

    judge = JudgePlan(plan.staged, config, plan.models, plan.standards, plan.buckets, plan.workers, plan.groups)
    staged = (
        pipeline
        | "Splits" >> beam.Create(list(splits))
        | "StageSplits" >> StageSplits(StagePlan(config, plan.staged, plan.fingerprint), plan.workers, plan.groups)
    )
    controls = staged | "GatherControls" >> GatherControls(judge)
    reports = staged | "JudgeShards" >> JudgeShards(judge, controls)
    shards = reports | "ShardNames" >> beam.Map(lambda report: (report.number, report.name))
    if plan.seen:
        earlier = pipeline | "SeenFiles" >> beam.Create([(file.number, file.name) for file in plan.seen])
        shards = (shards, earlier) | "AllShards" >> beam.Flatten()
    found = shards | "FindDuplicates" >> FindDuplicates(
        plan.staged, duplicates, plan.buckets, workers=plan.workers, groups=plan.groups
    )
    by_shard = {name: found[name] for name in ("verdicts", "matches", "flagged")}
    decisions = (
        {"reports": reports | "ByNumber" >> beam.Map(lambda report: (report.number, report)), **by_shard}
        | "JoinVerdicts" >> beam.CoGroupByKey()
        | "Decide" >> beam.FlatMap(decide)
    )
    counts = beam.pvalue.AsSingleton(
        decisions
        | "GroupBytes" >> beam.Map(lambda decision: decision.group_bytes)
        | "SumGroups" >> beam.CombineGlobally(merge_counts)
        | "CountFiles" >> beam.Map(file_counts, config.output.file_bytes)
    )
    repeats = CutRepeats(plan.staged, config, plan.buckets, plan.workers, plan.groups)
    pieces = (
        after_repeats(reports, decisions, repeats, config)
        | "PieceCalls" >> beam.Map(piece_call, counts)
        | "WritePieces" >> RunOnHost(plan.workers, plan.groups)
        | "ByTarget" >> beam.FlatMap(by_target)
    )
    files = (
        (pieces, pipeline | "Once" >> beam.Create([None]) | "Always" >> beam.FlatMap(always, counts))
        | "AllPieces" >> beam.Flatten()
        | "TargetPieces" >> beam.GroupByKey()
        | "FileCalls" >> beam.Map(file_call)
        | "WriteFiles" >> RunOnHost(plan.workers, plan.groups)
        | "Entries" >> beam.Values()
    )
    _ = (
        pipeline
        | "Finish" >> beam.Create([plan.summary])
        | "WriteSummary"
        >> beam.Map(
            write_summary,
            beam.pvalue.AsList(reports),
            beam.pvalue.AsList(decisions),
            beam.pvalue.AsList(files),
            beam.pvalue.AsSingleton(controls),
            beam.pvalue.AsList(found["rounds"]),
        )
    )


def write_summary(
    path: str,
    reports: list[ShardReport],
    decisions: list[ShardDecision],
    files: list[FileEntry],
    controls: str,
    rounds: list[tuple[str, RoundStatistics]],
) -> None:
    """Leave the account of the run where the driver finds it, whatever the runner."""
    accounts: dict[str, SourceAccount] = defaultdict(SourceAccount)
    clusters: Counter[str] = Counter()
    for report in reports:
        accounts[report.source_file].add(report.account)
    for decision in decisions:
        for source, kept in decision.kept.items():
            accounts[source].kept += kept
        for source, counts in decision.dropped.items():
            accounts[source].dropped.update(counts)
        clusters.update(decision.clusters)
    values = {
        "accounts": {source: account.as_dict() for source, account in accounts.items()},
        "files": [asdict(entry) for entry in files],
        "clusters": dict(clusters),
        "controls": controls,
        "flagged": [flagged for decision in decisions for flagged in decision.flagged],
        "rounds": [{"of": name, **one._asdict()} for name, one in sorted(rounds)],
        "reused": sum(report.reused for report in reports),
        "splits": len(reports),
    }
    target = Path(path)
    temporary = target.with_name(f".{target.name}.writing")
    temporary.write_text(json.dumps(values), encoding="utf-8")
    temporary.replace(target)


def run_dataflow(splits: Sequence[Split], plan: CuratePlan, beam_options: Sequence[str]) -> dict[str, Any]:
    """Run the dataflow to its end and return the summary.

    Raises:
        ConfigError: Beam refuses its options.
        RuntimeError: the runner ended the job in another state than DONE.
    """
    Path(plan.summary).unlink(missing_ok=True)
    began = time.monotonic()
    try:
        pipeline = beam.Pipeline(options=PipelineOptions(list(beam_options), save_main_session=False))
    except (ValueError, AttributeError, ImportError, SystemExit) as error:
        raise ConfigError(f"Beam refuses the options after --: {error}") from error
    build_pipeline(pipeline, splits, plan)
    state = pipeline.run().wait_until_finish()
    if str(state) not in ("DONE", "None") or not Path(plan.summary).exists():
        raise RuntimeError(
            f"the Beam runner ended in state {state}; its log says why. The same command goes on from here"
        )
    summary: dict[str, Any] = json.loads(Path(plan.summary).read_text(encoding="utf-8"))
    summary["seconds"] = round(time.monotonic() - began, 3)
    return summary
