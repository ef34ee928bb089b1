"""What a generator returned, made safe: declared, traced to its parents, scored and compared with all real text.

    tables ─ declare ─ rows ─ find the parents in the runs ─ lineage, language, parent copies ─┬─ refused
                                                                                               └─ accepted
    accepted ─ `headwater curate`, with the runs as what it has seen ─ join lineage ─ data, dropped, index

The run in the middle has the detectors, models and settings of duplicates of the first run, so that scores compare and
what is an exact or near copy of any page that the runs met is found as it is among pages.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detectors.api import digest_of
from pipeline.annotate import Annotator
from pipeline.index import INDEX_FILE, MANIFESTS, RunIndex, check_compatible, index_json, read_index, read_manifest
from pipeline.job import check_inputs_outside, curate_job, index_parameters, prepare_annotator
from pipeline.progress import Reporter
from pipeline.read.records import ReadLimits, Source
from pipeline.read.sources import list_sources
from pipeline.read.storage import InputError, is_remote, local_path
from pipeline.report.shares import CONTROLS
from pipeline.report.write import publish_text
from pipeline.runs import RESULT_FOLDERS, RunError, RunFolder, check_manifest, headwater_version, inputs_fingerprint
from pipeline.synthesize import ingest_judge
from pipeline.synthesize.ingest_judge import Judge, judge_rows
from pipeline.synthesize.ingest_mapped import MappedRows
from pipeline.synthesize.ingest_rows import Declarations, all_declared, read_requests, read_rows, write_rows
from pipeline.synthesize.ingest_schema import PARENT_CONTAINMENT
from pipeline.synthesize.ingest_write import Staged, parquet_files, publish
from pipeline.synthesize.lineage_parents import ParentFile, Sketcher, holds_documents, parent_names
from pipeline.write import conform
from schemas.config import CurateConfig, DuplicatePolicy
from schemas.failure import FAILURES
from schemas.manifest import SourceAccount, run_manifest, sha256_of, write_json
from schemas.recipe import SyntheticSource

MANIFEST = "synthetic.json"
INGEST_VERSION = 1  # changes whenever the same rows would have another lineage or another reason
# Of a declaration, what a mix makes of the rows and not what they are.
_OF_THE_MIX = frozenset({"kind", "name", "files", "weight", "languages"})


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Everything that decides the bytes of an ingest folder: the configuration of its run, and the declarations."""

    config: CurateConfig
    source: SyntheticSource
    requests: str | None  # digest of the file
    runs: tuple[str, ...]
    parent_containment: float

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, as synthetic.json has them; a part is the configuration of a run."""
        return {
            **self.config.plain(),
            "synthetic": {
                "version": INGEST_VERSION,
                "runs": list(self.runs),
                "declarations": self.source.model_dump(mode="json", exclude=set(_OF_THE_MIX)),
                "requests": self.requests,
                "parent_containment": self.parent_containment,
                "language_score": ingest_judge.LANGUAGE_SCORE,
                "language_words": ingest_judge.LANGUAGE_WORDS,
            },
        }


class IngestFolder(RunFolder):
    """`DIR` of ingested text: as the folder of a run, but begun anew where it was interrupted."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, MANIFEST)
        self.scratch = self.work / "ingest"

    def begin(self) -> None:
        """Remove what an interrupted attempt left."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        for folder in RESULT_FOLDERS:
            shutil.rmtree(self.path / folder, ignore_errors=True)


def ingest(
    files: Sequence[str],
    source: SyntheticSource,
    runs: Sequence[str | Path],
    output: str | Path,
    workers: int,
    reporter: Reporter,
    *,
    requests: str | None = None,
    parent_containment: float = PARENT_CONTAINMENT,
) -> dict[str, Any]:
    """Ingest tables of synthetic text into a folder; returns its synthetic.json. A finished folder is left as it is.

    `source` declares columns and defaults (its name, files and weight do not count); `runs` are folders of runs, or of
    earlier ingested text, which may hold parents; a text is a copy of its parent from `parent_containment` on. Child
    processes are those of `pipeline.host.shared_host(workers)`.

    Raises:
        InputError: a file that is no table, a column that is not there, a score that is no number.
        RunError: a run cannot be compared with the first, or the folder is of something else.
        ConfigError: the configuration of the first run cannot be used here, such as a model that is gone.
    """
    sources = list_sources(list(files), text_column=source.columns.get("text", "text"))
    if other := next((one for one in sources if one.ranges is not None), None):
        raise InputError(f"{other.path}: is named by a table of offsets; give tables that hold texts")
    check_inputs_outside(sources, Path(output))
    if not runs:
        raise RunError("no run is named; give the runs that hold the real text with --run")
    indexes = [read_index(run) for run in runs]
    config = config_of_runs(indexes)
    annotator = prepare_annotator(config)
    check_compatible(indexes, index_parameters(annotator))
    declared = Declarations(source, requests=read_requests(requests) if requests else {})
    digest = sha256_of(Path(requests)) if requests else None
    settings = IngestSettings(config, source, digest, tuple(index.run for index in indexes), parent_containment)
    inputs = [(one.path, one.size_bytes) for one in sources]
    # By content too: tables are small beside archives, and one of the same size may be another one.
    bound = [*inputs, *((f"sha256:{digest}", 0) for digest in _digests(sources)), *_named(indexes)]
    folder = IngestFolder(output)
    folder.open(settings, bound, None)
    try:
        if folder.is_finished():
            reporter.say(f"{output} is finished already: nothing to do.")
            return read_manifest(folder.path, (MANIFEST,))
        folder.begin()
        manifest = _ingest(folder, settings, declared, sources, bound, indexes, annotator, workers, reporter)
    finally:
        folder.close()
    folder.remove_work()
    return manifest


def _digests(sources: Sequence[Source]) -> list[str]:
    return [sha256_of(Path(local_path(one.path))) for one in sources if not is_remote(one.path)]


def _named(indexes: Sequence[RunIndex]) -> list[tuple[str, int]]:
    return [(f"run:{index.run}", 0) for index in indexes]


def config_of_runs(indexes: Sequence[RunIndex]) -> CurateConfig:
    """The configuration by which synthetic text is curated: that of the first run, with all runs as seen.

    What concerns pages, hosts and splits is off, nothing is cut from a text, and no rule of quality drops it.

    Raises:
        RunError: it is none that this release reads.
    """
    run = next((index for index in indexes if holds_documents(index)), None)
    if run is None:
        raise RunError(f"{indexes[0].path} is a mix; give the runs that hold the real text with --run")
    stored = dict(read_manifest(run.path, MANIFESTS)["config"])
    stored.pop("synthetic", None)
    try:
        first = CurateConfig.model_validate(stored)
    except ValueError as error:
        raise RunError(f"{run.path}: its configuration cannot be read ({error}); curate it again") from None
    kept = ("shape", "scheme", "seed", "shingle", "verify", "similarity", "sketch", "cluster_limit")
    copies = DuplicatePolicy(
        **{name: getattr(first.policy.duplicates, name) for name in kept},
        url=False,
        seen=tuple(str(index.path) for index in indexes),
    )
    # What a run left is what its own scores were compared with, wherever the file that it was given is now.
    left = next((path for index in indexes if (path := index.path / CONTROLS).is_file()), None)
    provenance = {"own_controls": False, "hosts": False, "parallel": False}
    controls = str(left) if left else first.provenance.controls
    return CurateConfig(
        language=first.language,
        quality=first.quality.model_copy(
            update={"profile": "none", "repetition": None, "thresholds": {}, "language_thresholds": {}}
        ),
        provenance=first.provenance.model_copy(update={**provenance, "controls": controls}),
        policy=CurateConfig().policy.model_copy(
            update={"duplicates": copies, "validation_share": 0.0, "test_share": 0.0}
        ),
        output=first.output,
    )


def _ingest(
    folder: IngestFolder,
    settings: IngestSettings,
    declared: Declarations,
    sources: Sequence[Source],
    bound: Sequence[tuple[str, int]],
    indexes: Sequence[RunIndex],
    annotator: Annotator,
    workers: int,
    reporter: Reporter,
) -> dict[str, Any]:
    began, config, scratch = datetime.now(UTC), settings.config, folder.scratch
    rows = scratch / "rows.parquet"
    read = config.read
    write_rows(rows, all_declared(sources, declared, ReadLimits(read.max_body_bytes, read.max_record_bytes)))
    pages, failed = _counted(rows)
    names = parent_names(rows)
    reporter.say(f"{sum(pages.values()):,} rows; {len(names):,} names of parents")
    sketcher = Sketcher(config)
    parents = ParentFile(scratch / "parents.arrow", names, sketcher)
    judge = Judge(parents.pedigree, parents.collect(indexes, rows), sketcher, settings.parent_containment)
    judged = judge_rows(rows, judge, scratch)
    reporter.say(f"{judged.rows:,} rows are compared with what the runs hold")
    curated, flagged = None, []
    detectors: dict[str, str] = annotator.detector_fingerprints()
    stored: dict[str, list[str]] = {}
    if judged.rows:
        curated = scratch / "run"
        quiet = Reporter(quiet=True)
        curate_job(
            [str(judged.texts)], curated, config, workers=workers, split_size=None, beam_options=[], reporter=quiet
        )
        run = read_manifest(curated)
        stored = parquet_files(run, ("data", "dropped", "failures", "index"))
        detectors, flagged = run["detectors"], run["flagged_clusters"]
    staged = Staged(
        MappedRows(judged.accepted), MappedRows(judged.refused), failed, curated, stored,
        tuple(annotator.quality_signals),
    )  # fmt: skip
    entries, accounts = publish(folder.path, staged, config.output.file_bytes)
    for name, count in pages.items():
        accounts.setdefault(name, SourceAccount()).pages = count
        accounts[name].records["row"] = count
        if not accounts[name].is_balanced():
            raise RunError(f"rows are not kept + dropped + failed for {name}; this is a bug, please report it")
    manifest = run_manifest(
        version=headwater_version(),
        config=settings.plain(),
        config_fingerprint=digest_of(settings.plain()),
        inputs_fingerprint=inputs_fingerprint(bound),
        detectors=detectors,
        sources={one.path: (one.size_bytes, accounts.get(one.path, SourceAccount())) for one in sources},
        files=entries,
        execution={
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": (datetime.now(UTC) - began).total_seconds(),
            "workers": workers,
        },
        flagged_clusters=flagged,
    )
    manifest["counts"]["rows"] = manifest["counts"]["pages"]
    parameters = index_parameters(annotator)
    parts = [entry for entry in entries if entry.path.startswith("index/part-")]
    documents, digests = sum(entry.rows for entry in parts), [entry.sha256 for entry in parts]
    index = index_json(manifest, parameters, documents, settings.runs, digests)
    entries.append(publish_text(folder.path, INDEX_FILE, index))
    manifest["files"] = sorted(map(asdict, entries), key=lambda entry: str(entry["path"]))
    manifest["runs"], manifest["index_parameters"] = list(settings.runs), parameters
    folder.clean([entry.path for entry in entries])
    write_json(folder.manifest, manifest)
    conclude(folder.path, manifest, reporter)
    return manifest


def _counted(rows: Path) -> tuple[Counter[str], pa.Table]:
    """Rows by source file, and FAILURES of those that could not be read."""
    pages: Counter[str] = Counter()
    failures = [FAILURES.empty_table()]
    for table in read_rows(rows, ["source_file", "source_offset", "record_id", "doc_id", "code", "message"]):
        for one in pc.value_counts(table.column("source_file")).to_pylist():
            pages[one["values"]] += one["counts"]
        bad = table.filter(table.column("code").is_valid())
        if bad.num_rows:
            for name, value in (("unit", "page"), ("stage", "read")):
                bad = bad.append_column(name, pa.array([value] * bad.num_rows, pa.string()))
            failures.append(conform(bad, FAILURES))
    return pages, pa.concat_tables(failures)


def conclude(output: Path, manifest: dict[str, Any], reporter: Reporter) -> None:
    """Say what became of the rows."""
    counts = manifest["counts"]
    dropped, failed = sum(counts["dropped"].values()), sum(counts["failed"].values())
    reporter.say(
        f"{counts['rows']:,} rows = {counts['kept']:,} kept + {dropped:,} dropped + {failed:,} failed", counts=counts
    )
    for what, reasons in (("Dropped", counts["dropped"]), ("Could not be read", counts["failed"])):
        if reasons:
            reporter.say(f"{what}: " + ", ".join(f"{reason} {number:,}" for reason, number in reasons.items()))
    reporter.say(f"Look at:\n  {output}/data/     what was kept\n  {output}/dropped/  what was not, and why")


def is_ingested(path: str | Path) -> bool:
    """Whether a folder holds ingested text."""
    return (Path(path) / MANIFEST).is_file()


def verify_ingest(path: str | Path) -> list[str]:
    """Recount and rehash a finished folder of ingested text; returns what is wrong, nothing when all is right.

    Raises:
        RunError: the folder holds none.
    """
    root = Path(path)
    if not is_ingested(root):
        raise RunError(f"{root} holds no ingested text ({MANIFEST} is missing); run the same ingest command again")
    try:
        manifest = read_manifest(root, (MANIFEST,))
        problems = [problem.replace("run.json", MANIFEST) for problem in check_manifest(root, manifest)]
        kept = _rows_under(manifest, "index/part-")
        if manifest["counts"]["rows"] != manifest["counts"]["pages"] or kept != manifest["counts"]["kept"]:
            problems.append(f"the index has {kept} rows, {manifest['counts']['kept']} of {path} were kept")
        return problems
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{MANIFEST} is damaged ({type(error).__name__})"]


def _rows_under(manifest: dict[str, Any], head: str) -> int:
    return sum(entry["rows"] for entry in manifest["files"] if entry["path"].startswith(head))
