"""`WriteMix`: from candidates and a selection to the files of a mix.

    files ─ measure ─ number of shards ─┐
      └──────────────────────────────── cut (each file is read once) ─ pieces by target ─ shards, ledger
                                         └─ manifest of weights

Text never enters a shuffle: it waits in pieces, and only their names travel.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import apache_beam as beam

from pipeline.calls import Call, RunOnHost
from pipeline.mix.candidates import Cell
from pipeline.mix.choose import INDEX, VALIDATION, ChoosePlan, Cut, MixFile, cut_file, measure_file, shard_counts
from pipeline.mix.engine import running
from pipeline.mix.formats import check_format, file_name
from pipeline.mix.ledger import index_files, write_ledger_part
from pipeline.mix.rows import WrittenCounts, add_counts
from pipeline.mix.shards import WrittenShard, write_shard
from pipeline.runs import RunFolder
from pipeline.write import Piece, file_path
from schemas.manifest import FileEntry, write_json


class WriteMix(beam.PTransform):  # type: ignore[misc]
    """Data files (`MixFile`) to the files of a mix.

    Returns a dictionary: `entries`, a FileEntry of every file that was written, and `counts`, pairs of a split
    (`train`, `validation`) and the counts by cell of what was written to a file of it.
    """

    def __init__(self, plan: ChoosePlan, indexes: Mapping[str, Sequence[str]], workers: int, groups: int = 1) -> None:
        """`indexes`: the index files of each source folder."""
        super().__init__()
        self._plan = plan
        self._indexes = dict(indexes)
        self._workers = workers
        self._groups = groups

    def expand(self, files: beam.PCollection) -> dict[str, beam.PCollection]:
        """Measure, cut, gather."""
        plan, indexes, workers, groups = self._plan, self._indexes, self._workers, self._groups

        def measure_call(numbered: tuple[int, MixFile]) -> Call:
            return Call(numbered[0], measure_file, (numbered[1], plan), name=f"measure {numbered[1].input.path}")

        def cut_call(numbered: tuple[int, MixFile], counts: dict[str, int]) -> Call:
            number, file = numbered
            return Call(number, cut_file, (file, number, plan, counts), name=f"cut {file.input.path}")

        def always(_: None, counts: dict[str, int]) -> Iterator[tuple[str, list[Piece]]]:
            for group, count in counts.items():
                if group == INDEX:
                    yield from ((file_path(group, number, count), []) for number in range(count))
                elif not plan.weights_only:
                    yield from ((file_name(group, number, count, plan.form), []) for number in range(count))

        def by_target(cut: tuple[int, Cut]) -> Iterator[tuple[str, list[Piece]]]:
            pieces: dict[str, list[Piece]] = defaultdict(list)
            for piece in cut[1].pieces:
                pieces[piece.target].append(piece)
            yield from pieces.items()

        def file_call(target: tuple[str, Iterable[list[Piece]]]) -> Call:
            name = target[0]
            pieces = sorted((p for part in target[1] for p in part), key=lambda p: (p.path, p.batch))
            if name.startswith(INDEX):
                return Call(name, write_ledger_part, (plan.root, name, pieces, indexes), name=name)
            return Call(name, write_shard, (plan.root, name, plan.form, pieces), name=name)

        def entry_of(written: FileEntry | WrittenShard) -> FileEntry:
            return written.entry if isinstance(written, WrittenShard) else written

        def counts_of_cut(cut: Cut) -> Iterator[tuple[str, dict[Cell, WrittenCounts]]]:
            yield "train", cut.train
            yield "validation", cut.validation

        def counts_of_shard(written: FileEntry | WrittenShard) -> Iterator[tuple[str, dict[Cell, WrittenCounts]]]:
            if isinstance(written, WrittenShard):
                split = "validation" if written.entry.path.startswith(VALIDATION) else "train"
                yield split, written.counts

        counts = beam.pvalue.AsSingleton(
            files
            | "MeasureCalls" >> beam.Map(measure_call)
            | "Measure" >> RunOnHost(workers, groups)
            | "Sizes" >> beam.Values()
            | "SumSizes" >> beam.CombineGlobally(_add_sizes)
            | "CountShards" >> beam.Map(shard_counts, plan)
        )
        cut = files | "CutCalls" >> beam.Map(cut_call, counts) | "Cut" >> RunOnHost(workers, groups)
        once = files.pipeline | "Once" >> beam.Create([None]) | "Always" >> beam.FlatMap(always, counts)
        written = (
            (cut | "ByTarget" >> beam.FlatMap(by_target), once)
            | "AllPieces" >> beam.Flatten()
            | "TargetPieces" >> beam.GroupByKey()
            | "FileCalls" >> beam.Map(file_call)
            | "WriteFiles" >> RunOnHost(workers, groups)
            | "Written" >> beam.Values()
        )
        cuts = cut | "Cuts" >> beam.Values()
        entries = (
            written | "EntriesOfFiles" >> beam.Map(entry_of),
            cuts | "EntriesOfWeights" >> beam.Map(lambda one: one.entry),
        ) | "Entries" >> beam.Flatten()
        if plan.weights_only:
            of_cells = cuts | "CountsOfWeights" >> beam.FlatMap(counts_of_cut)
        else:
            of_cells = written | "CountsOfShards" >> beam.FlatMap(counts_of_shard)
        return {"entries": entries, "counts": of_cells}


def _add_sizes(sizes: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in sizes:
        total.update(one)
    return dict(total)


@dataclass(frozen=True, slots=True)
class WrittenMix:
    """The files of a mix, by path, and what they hold of each cell."""

    entries: tuple[FileEntry, ...]
    train: dict[Cell, WrittenCounts] = field(default_factory=dict)
    validation: dict[Cell, WrittenCounts] = field(default_factory=dict)


def write_mix(files: Sequence[MixFile], plan: ChoosePlan, workers: int, beam_options: Sequence[str] = ()) -> WrittenMix:
    """Run `WriteMix` by itself, on this machine unless `beam_options` name a runner.

    Files that an earlier attempt left in the folders of results, and that are not of this one, are removed in the end.

    Raises:
        ConfigError: the library of the format is not installed.
        RunError: a source is not what was surveyed.
        RuntimeError: the runner ended in another state than DONE.
    """
    check_format(plan.form)
    ordered = sorted(files, key=lambda file: (file.input.source, file.input.path))
    plan = replace(plan, files=len(ordered))
    indexes = {file.folder: index_files(file.folder) for file in ordered}
    for folder in (plan.root, plan.pieces):
        Path(folder).mkdir(parents=True, exist_ok=True)
    summary = Path(plan.pieces) / "written.json"
    summary.unlink(missing_ok=True)
    with running(Path(plan.pieces), beam_options) as (pipeline, spreads):
        written = (
            pipeline
            | "Files" >> beam.Create(list(enumerate(ordered)))
            | "WriteMix" >> WriteMix(plan, indexes, workers, max(1, len(ordered)) if spreads else 1)
        )
        _ = (
            pipeline
            | "Finish" >> beam.Create([str(summary)])
            | "WriteSummary"
            >> beam.Map(_write_summary, beam.pvalue.AsList(written["entries"]), beam.pvalue.AsList(written["counts"]))
        )
    if not summary.exists():
        raise RuntimeError("the Beam runner left no account of what it wrote; its log says why")
    mix = _read_summary(summary)
    RunFolder(plan.root).clean([entry.path for entry in mix.entries])
    return mix


def _write_summary(path: str, entries: list[FileEntry], counts: list[tuple[str, dict[Cell, WrittenCounts]]]) -> None:
    """Leave what was written where the driver finds it, whatever the runner."""
    total: dict[str, dict[Cell, WrittenCounts]] = {"train": {}, "validation": {}}
    for split, one in counts:
        total[split] = add_counts(total[split], one)
    values = {
        "entries": [asdict(entry) for entry in entries],
        "counts": {
            split: [[asdict(cell), asdict(cells[cell])] for cell in sorted(cells)] for split, cells in total.items()
        },
    }
    write_json(Path(path), values)


def _read_summary(path: Path) -> WrittenMix:
    values = json.loads(path.read_text(encoding="utf-8"))
    entries = sorted((FileEntry(**entry) for entry in values["entries"]), key=lambda entry: entry.path)
    cells = {
        split: {Cell(**cell): WrittenCounts(**counts) for cell, counts in values["counts"][split]}
        for split in ("train", "validation")
    }
    return WrittenMix(tuple(entries), cells["train"], cells["validation"])
