"""A command's work from inputs to the last message: what `curate`, `extract` and `score` have in common."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from detectors.api import digest_of
from detectors.features.url_key import URL_KEY_VERSION
from detectors.language import LanguageModel
from detectors.rights import DIRECTIVES
from pipeline.annotate import Annotator, StagePlan
from pipeline.decide import quality_profile
from pipeline.host import Host, HostTask, shared_host
from pipeline.index import INDEX_FILE, RunIndex, check_compatible, index_json, read_index
from pipeline.judge import fusion_of
from pipeline.packing import spilling
from pipeline.progress import Reporter, State
from pipeline.read.records import Source, Split
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.storage import is_remote, local_path
from pipeline.runs import RunError, RunFolder, headwater_version, inputs_fingerprint
from pipeline.seen import FIRST_SEEN_SHARD, SeenFile
from pipeline.semantic_vectors import missing_encoder
from pipeline.stage import split_name, stage_split
from pipeline.standards import fingerprints, read_standards
from pipeline.tabulate import Kind, write_table
from schemas.config import ConfigError, CurateConfig
from schemas.manifest import FileEntry, SourceAccount, run_manifest, write_json

# Beam's in-process runner: no server and no download. `DirectRunner` would first try to fetch another engine.
LOCAL_RUNNER = "FnApiRunner"
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")  # FASTTEXT_FILEFORMAT_MAGIC_INT32 of fasttext.cc
SAMPLE = "bundled:sample.warc.gz"
LARGEST_SPLIT = 64 << 20
SMALLEST_SPLIT = 1 << 20
SPLITS_PER_WORKER = 16  # enough that the last splits end together
FAILURES_ALWAYS_ALLOWED = 10
SEEN_BYTES = 20_000  # of input that a page of an earlier run counts for, where the number of buckets is chosen


def default_split_size(input_bytes: int, workers: int) -> int:
    """Bytes of a split: large, but small enough that all workers are busy to the end."""
    return min(LARGEST_SPLIT, max(SMALLEST_SPLIT, input_bytes // (workers * SPLITS_PER_WORKER)))


def is_too_many(failed: int, pages: int, allowed_share: float) -> bool:
    """Whether failures (pages and damaged regions) end a command with exit code 3."""
    if not pages:
        return failed > 0
    return failed > max(FAILURES_ALWAYS_ALLOWED, allowed_share * pages)


def curate_job(
    inputs: list[str],
    output: Path,
    config: CurateConfig,
    *,
    workers: int,
    split_size: int | None,
    beam_options: list[str],
    reporter: Reporter,
    keep_staged: bool = False,
) -> int:
    """Curate inputs into a run folder; returns the exit code."""
    sources = list_sources(inputs or [SAMPLE], table_root=config.read.table_root, text_column=config.read.text_column)
    check_inputs_outside(sources, output)
    named = [(source.path, source.size_bytes) for source in sources]
    annotator = prepare_annotator(config)
    seen = open_seen(config, annotator)
    run = RunFolder(output)  # touched only when inputs and configuration are known to be usable
    # Runs by their names alone: a take-down changes their number of documents.
    bound = [*named, *((f"run:{index.run}", 0) for index in seen)]
    split_size = run.open(config, bound, split_size)
    try:
        if run.is_finished():
            reporter.say(f"{output} is finished already: nothing to do. {_where_to_look(output, _counts(run))}")
            return _exit_code(run, config, reporter)
        host = shared_host(workers)
        if split_size is None:
            split_size = default_split_size(sum(size for _, size in named), workers)
            run.remember_split_size(split_size)
        splits = plan_splits(sources, split_size)
        summary = _run(run, config, annotator, splits, seen, host, workers, beam_options, reporter)
        manifest = _publish(
            run, config, annotator, named, bound, seen, summary, workers, split_size, beam_options, keep_staged
        )
    finally:
        run.close()
    _conclude(output, manifest, summary, reporter)
    return _exit_code(run, config, reporter)


def check_inputs_outside(sources: Sequence[Source], output: Path) -> None:
    """Raise RunError where an input lies in the output folder."""
    inside = [source.path for source in sources if _is_inside(source.path, output)]
    if inside:
        raise RunError(f"{inside[0]} is an input and lies in the output folder; give another --output")


def _is_inside(path: str, folder: Path) -> bool:
    return not is_remote(path) and Path(local_path(path)).resolve().is_relative_to(folder.resolve())


def prepare_annotator(config: CurateConfig, calibrated: bool = True) -> Annotator:
    """The annotator of a configuration, checked before any work begins.

    Where it is for scores alone (`calibrated` false), its text models need not be those of the shipped calibration.

    Raises:
        ConfigError: a list, model, extractor or rule that the configuration names is not to be had.
    """
    try:
        annotator = Annotator(config)
        annotator.fingerprint()
        quality_profile(config)
        check_names(config)
        if calibrated:
            read_standards(config, annotator.text_models())
    except (ValueError, RuntimeError, FileNotFoundError, ImportError) as error:
        raise ConfigError(f"the configuration cannot be used: {error}") from error
    return annotator


def index_parameters(annotator: Annotator) -> dict[str, Any]:
    """Everything that the keys of an index depend on: two indexes can be compared where these are equal."""
    detector = next(one for one in annotator.detectors if one.name == "duplicates")
    values = {"keys": detector.version, "addresses": URL_KEY_VERSION, **detector.parameters()}
    plain: dict[str, Any] = json.loads(json.dumps(values, default=asdict))
    return plain


def open_seen(config: CurateConfig, annotator: Annotator) -> list[RunIndex]:
    """The indexes of the earlier runs that a configuration names.

    Raises:
        RunError: one is not there, damaged, or of other parameters; the message says what to do.
    """
    indexes = [read_index(folder) for folder in config.policy.duplicates.seen]
    check_compatible(indexes, index_parameters(annotator))
    return indexes


def seen_files(indexes: Sequence[RunIndex]) -> tuple[SeenFile, ...]:
    """The index files of earlier runs, numbered as shards."""
    files = [(index.run, str(path)) for index in indexes for path in index.shards]
    return tuple(SeenFile(FIRST_SEEN_SHARD + number, run, path) for number, (run, path) in enumerate(files))


def provenance_fingerprints(config: CurateConfig, annotator: Annotator) -> dict[str, str]:
    """What decides provenance beside the detectors: fusion, calibration and controls, with their digests."""
    fusion = fusion_of(config)
    standards = read_standards(config, annotator.text_models())
    return {f"{fusion.name}/{fusion.version}": fusion.fingerprint(), **fingerprints(standards)}


def check_names(config: CurateConfig) -> None:
    """Raise ValueError for an opt-out that is never found, and for a language model that is no fastText model."""
    unknown = set(config.policy.drop_opt_outs) - {*DIRECTIVES, "tdm-reservation"}
    if unknown:
        known = ", ".join(sorted({*DIRECTIVES, "tdm-reservation"}))
        raise ValueError(
            f"policy.drop_opt_outs: {sorted(unknown)[0]!r} is not an opt-out that is found; choose from {known}"
        )
    if config.policy.duplicates.semantic.enabled and (missing := missing_encoder()):
        raise ValueError(f"policy.duplicates.semantic needs {' and '.join(missing)}; install headwater[embeddings]")
    if config.language.model == "lid176":
        return
    path = LanguageModel(config.language.model, config.language.sha256).path()
    with Path(path).open("rb") as handle:
        if handle.read(4) != FASTTEXT_MAGIC:
            raise ValueError(f"{config.language.model} is no fastText model")


def check_output(output: str, inputs: Sequence[str]) -> None:
    """Raise RunError where a table cannot be written to `output` without harm."""
    if output == "-":
        return
    path = Path(output)
    if path.is_dir():
        raise RunError(f"{output} is a folder; give a file, for example {output.rstrip('/')}/pages.parquet")
    if path.suffix not in (".parquet", ".jsonl"):
        raise RunError(f"{output}: the name must end in .parquet or .jsonl (or be - for JSONL on standard output)")
    if path.exists() and any(os.path.exists(name) and os.path.samefile(name, path) for name in inputs):
        raise RunError(f"{output} is an input of this command too; give another --output")


def _run(
    run: RunFolder,
    config: CurateConfig,
    annotator: Annotator,
    splits: Sequence[Split],
    seen: Sequence[RunIndex],
    host: Host,
    workers: int,
    beam_options: list[str],
    reporter: Reporter,
) -> dict[str, Any]:
    total = sum(split.end - split.start for split in splits)

    def state() -> State:
        working = host.working_on()
        done = host.finished["stage_split"]
        phase = "Reading" if done < len(splits) else "Matching" if not host.finished["write_pieces"] else "Writing"
        return State(
            phase,
            done,
            len(splits),
            host.pages_done + sum(pages for pages, _ in working),
            host.bytes_done + sum(size for _, size in working),
            total,
        )

    is_local = not any(option.startswith("--runner") for option in beam_options)
    spill = spilling(run.work / "shuffle") if is_local else contextlib.nullcontext()
    with reporter.watch(state), spill:
        if is_local:  # the children work while Beam is imported here; the dataflow takes their results
            stage = StagePlan(config, str(run.staged), annotator.fingerprint())
            host.begin(HostTask(split, stage_split, (stage, split), True, split_name(split)) for split in splits)
        from pipeline.curate import CuratePlan, run_dataflow

        plan = CuratePlan(
            root=str(run.path),
            staged=str(run.staged),
            pieces=str(run.pieces),
            summary=str(run.work / "summary.json"),
            config=config,
            fingerprint=annotator.fingerprint(),
            quality_signals=tuple(annotator.quality_signals),
            models=annotator.text_models(),
            standards=read_standards(config, annotator.text_models()),
            input_bytes=total + SEEN_BYTES * sum(index.documents for index in seen),
            workers=workers,
            groups=1 if is_local else max(1, len(splits)),
            seen=seen_files(seen),
        )
        options = [f"--runner={LOCAL_RUNNER}", *beam_options] if is_local else beam_options
        return run_dataflow(splits, plan, options)


def _publish(
    run: RunFolder,
    config: CurateConfig,
    annotator: Annotator,
    named: Sequence[tuple[str, int]],
    bound: Sequence[tuple[str, int]],
    seen: Sequence[RunIndex],
    summary: dict[str, Any],
    workers: int,
    split_size: int,
    beam_options: list[str],
    keep_staged: bool,
) -> dict[str, Any]:
    from pipeline.report import write_documents
    from pipeline.report.shares import CONTROLS
    from pipeline.report.write import publish_text

    accounts = {name: SourceAccount.from_dict(values) for name, values in summary["accounts"].items()}
    sizes = dict(named)
    sources = {name: (sizes.get(name, 0), accounts.get(name, SourceAccount())) for name in sorted({*sizes, *accounts})}
    unbalanced = [name for name, (_, account) in sources.items() if not account.is_balanced()]
    if unbalanced:
        raise RunError(f"pages are not kept + dropped + failed for {unbalanced[0]}; this is a bug, please report it")
    entries = [FileEntry(**entry) for entry in summary["files"]]
    execution = {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": summary["seconds"],
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "beam": version("apache-beam"),
        "workers": workers,
        "split_size_bytes": split_size,
        "splits": summary["splits"],
        "splits_reused": summary["reused"],
        "component_rounds": summary["rounds"],
        "beam_options": [option for option in beam_options if "=" not in option or "key" not in option.lower()],
    }
    manifest = run_manifest(
        version=headwater_version(),
        config=config.plain(),
        config_fingerprint=digest_of(config.plain()),
        inputs_fingerprint=inputs_fingerprint(bound),
        detectors={**annotator.detector_fingerprints(), **provenance_fingerprints(config, annotator)},
        sources=sources,
        files=entries,
        execution=execution,
        flagged_clusters=summary["flagged"],
    )
    parameters = index_parameters(annotator)
    parts = [entry for entry in entries if entry.path.startswith("index/part-")]
    documents, digests = sum(entry.rows for entry in parts), [entry.sha256 for entry in parts]
    index = index_json(manifest, parameters, documents, [one.run for one in seen], digests)
    entries.append(publish_text(run.path, INDEX_FILE, index))
    if summary["controls"]:
        entries.append(publish_text(run.path, CONTROLS, summary["controls"]))
    manifest["files"] = sorted(map(asdict, entries), key=lambda entry: str(entry["path"]))
    run.clean([entry.path for entry in entries])
    written = write_documents(run.path, {key: value for key, value in manifest.items() if key != "execution"})
    manifest["files"] = sorted([*manifest["files"], *map(asdict, written)], key=lambda entry: str(entry["path"]))
    if keep_staged:
        shutil.rmtree(run.pieces, ignore_errors=True)
    write_json(run.manifest, manifest)
    if not keep_staged:
        run.remove_work()
    return manifest


def _conclude(output: Path, manifest: dict[str, Any], summary: dict[str, Any], reporter: Reporter) -> None:
    counts = manifest["counts"]
    dropped, failed = sum(counts["dropped"].values()), sum(counts["failed"].values())
    regions = sum(counts["regions"].values())
    reporter.say(
        f"{counts['pages']:,} pages = {counts['kept']:,} kept + {dropped:,} dropped + {failed:,} failed"
        + (f"; {regions:,} damaged {'region' if regions == 1 else 'regions'}" if regions else "")
        + f" ({summary['seconds']:.1f} s)",
        counts=counts,
    )
    if not counts["kept"] and dropped:
        reason, number = max(counts["dropped"].items(), key=lambda item: item[1])
        reporter.say(f"Nothing was kept: {number:,} of {dropped:,} dropped pages for the reason {reason}.")
    if failed + regions:
        codes = Counter(counts["failed"]) + Counter(counts["regions"])
        reporter.say("Could not be read: " + ", ".join(f"{code} {number:,}" for code, number in sorted(codes.items())))
    reporter.say(_where_to_look(output, counts))


def _where_to_look(output: Path, counts: dict[str, Any]) -> str:
    places = [("report/index.html", "the report")]
    if counts["kept"]:
        places.append(("data/", "what was kept, by origin"))
    places.append(("dropped/", "what was not, and why"))
    if counts["failed"] or counts["regions"]:
        places.append(("failures/", "what could not be read, with file and offset"))
    places.append(("README.md", "how to load it"))
    return "Look at:\n" + "\n".join(f"  {output}/{path:<20} {what}" for path, what in places)


def _counts(run: RunFolder) -> dict[str, Any]:
    return dict(json.loads(run.manifest.read_text(encoding="utf-8"))["counts"])


def _exit_code(run: RunFolder, config: CurateConfig, reporter: Reporter) -> int:
    counts = _counts(run)
    failed = sum(counts["failed"].values()) + sum(counts["regions"].values())
    if not is_too_many(failed, counts["pages"], config.output.max_failed_share):
        return 0
    reporter.say(f"Too many failures ({failed:,} beside {counts['pages']:,} pages); the run is complete all the same.")
    return 3


def state_of(host: Host, task: str, phase: str, splits: int, total: int) -> Callable[[], State]:
    """What the progress line shows while splits go through a task of the host."""

    def state() -> State:
        working = host.working_on()
        pages = host.pages_done + sum(count for count, _ in working)
        return State(phase, host.finished[task], splits, pages, host.bytes_done + sum(s for _, s in working), total)

    return state


def table_job(
    kind: Kind,
    inputs: list[str],
    output: str,
    config: CurateConfig,
    *,
    workers: int,
    split_size: int | None,
    reporter: Reporter,
) -> int:
    """Extract or score inputs into one file; returns the exit code."""
    sources = list_sources(inputs, table_root=config.read.table_root, text_column=config.read.text_column)
    check_output(output, [local_path(source.path) for source in sources])
    prepare_annotator(config)
    total = sum(source.size_bytes for source in sources)
    size = split_size or default_split_size(total, workers)
    splits = plan_splits(sources, size)
    host = shared_host(workers)

    phase = "Scoring" if kind == "score" else "Extracting"
    state = state_of(host, "tabulate_split", phase, len(splits), total)
    with reporter.watch(state):
        result = write_table(kind, splits, output, config, workers)
    for line in result.regions[:20]:
        reporter.say(f"damaged: {line}")
    failed = sum(result.failed.values())
    listing = ", ".join(f"{code} {count}" for code, count in sorted(result.failed.items()))
    reporter.say(
        f"{result.rows:,} rows in {'standard output' if output == '-' else output}"
        + (f"; {failed:,} pages failed ({listing})" if failed else "")
        + (f"; {len(result.regions):,} damaged regions" if result.regions else "")
    )
    return 3 if is_too_many(failed + len(result.regions), result.rows, config.output.max_failed_share) else 0
