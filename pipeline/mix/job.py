"""`headwater mix` from a recipe to the last message.

prepare ─ plan_mix ─ write_mix ─ inspect ─ report, card ─ mix.json
"""

from __future__ import annotations

import platform
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from detectors.api import digest_of
from pipeline.diversity.compare import Metric, compare
from pipeline.diversity.show import headline
from pipeline.host import HostTask, shared_host
from pipeline.index import MANIFESTS, read_index, read_manifest
from pipeline.keys import read_arrow
from pipeline.mix.choose import INDEX, ChoosePlan, MixFile
from pipeline.mix.formats import check_format
from pipeline.mix.freshness import verdicts_path
from pipeline.mix.inspect import Inspected, combine, human_groups, inspect_file
from pipeline.mix.ledger import write_ledger_file
from pipeline.mix.plan import Plan, copies_of, describe_plan, plan_mix
from pipeline.mix.prepare import Prepared, prepare, run_folders, tables_of
from pipeline.mix.report import write_report
from pipeline.mix.rows import WrittenCounts
from pipeline.mix.stock import check_hosts
from pipeline.mix.weights import OF_MIX
from pipeline.mix.write import WrittenMix, write_mix
from pipeline.progress import Reporter
from pipeline.read.sources import list_sources
from pipeline.runs import RunError, RunFolder, headwater_version, inputs_fingerprint
from schemas.manifest import MANIFEST_VERSION, write_json
from schemas.recipe import MixRecipe, RunSource, SyntheticSource

MANIFEST = "mix.json"
SYNTHETIC = "synthetic"  # folder of a mix: tables that were ingested for it


def mix_inputs(recipe: MixRecipe) -> list[tuple[str, int]]:
    """Names and sizes of what a recipe reads: runs, mixes and ingested folders by the names of their indexes, tables
    by their bytes.

    Raises:
        RunError, InputError: one is not there or damaged.
    """
    found: list[tuple[str, int]] = []
    folders = [*run_folders(recipe), *recipe.freshness.runs, *recipe.freshness.mixes]
    for source in recipe.sources:
        if isinstance(source, SyntheticSource):
            tables, ingested = tables_of(source)
            folders += ingested
            found += [(one.path, one.size_bytes) for one in (list_sources(tables) if tables else [])]
    return [*found, *((f"run:{read_index(folder).run}", 0) for folder in dict.fromkeys(folders))]


def print_plan(recipe: MixRecipe, *, workers: int, reporter: Reporter) -> None:
    """Print the plan of a recipe and write nothing."""
    with tempfile.TemporaryDirectory(prefix="headwater-mix-") as folder:
        prepared = prepare(recipe, Path(folder), Path(folder) / SYNTHETIC, workers, [], reporter)
        for line in describe_plan(plan_mix(prepared.stocks, recipe)):
            click.echo(line)


def mix_job(recipe: MixRecipe, output: Path, *, workers: int, beam_options: Sequence[str], reporter: Reporter) -> int:
    """Make a mix; returns the exit code."""
    check_format(recipe.output.format)
    check_outside(recipe, output)
    inputs = mix_inputs(recipe)
    folder = RunFolder(output, MANIFEST, "recipe")
    begun = folder.state()
    folder.open(recipe, inputs, None)
    try:
        if folder.is_finished():
            reporter.say(f"{output} is finished already: nothing to do. Look at {output}/report/index.html")
            return 0
        if folder.state() != begun:  # what was ingested for another recipe, or from other tables, is of no use
            shutil.rmtree(output / SYNTHETIC, ignore_errors=True)
        manifest = _make(recipe, folder, inputs, workers, beam_options, reporter)
    finally:
        folder.close()
    _conclude(output, manifest, reporter)
    return 0


def check_outside(recipe: MixRecipe, output: Path) -> None:
    """Raise RunError where the output lies in a folder that the recipe reads, or the other way round."""
    place = output.resolve()
    read = [*recipe.freshness.runs, *recipe.freshness.mixes]
    for source in recipe.sources:
        read += [source.run] if isinstance(source, RunSource) else source.files
    for name in read:
        path = Path(name).resolve()
        if path.is_relative_to(place):
            raise RunError(f"{name} is read by the recipe and lies in the output folder; give another --output")
        if path.is_dir() and place.is_relative_to(path) and any((path / one).is_file() for one in MANIFESTS):
            raise RunError(f"{output} lies in {name}, which the recipe reads; give another --output")


def _make(
    recipe: MixRecipe,
    folder: RunFolder,
    inputs: Sequence[tuple[str, int]],
    workers: int,
    beam_options: Sequence[str],
    reporter: Reporter,
) -> dict[str, Any]:
    began = time.monotonic()
    root = folder.path
    reporter.say("Surveying the sources …")
    prepared = prepare(recipe, folder.work, root / SYNTHETIC, workers, beam_options, reporter)
    plan = plan_mix(prepared.stocks, recipe)
    check_hosts(prepared.folder, prepared.files, plan, recipe)
    planned = time.monotonic()
    reporter.say(f"Writing {plan.tokens:,} {plan.unit} of {plan.documents:,} documents …")
    files = mix_files(prepared, root)
    choosing = ChoosePlan(
        root=str(root),
        candidates=str(prepared.folder),
        pieces=str(folder.pieces),
        select=partial(copies_of, plan=plan),
        seed=recipe.seed,
        form=recipe.output.format,
        shard_bytes=recipe.output.shard_bytes,
        tokens_are_bytes=recipe.tokens.unit == "bytes",
        validation=recipe.output.validation,
        weights_only=recipe.output.weights_only,
    )
    written = write_mix(files, choosing, workers, beam_options)
    check_written(plan, written)
    groups = human_groups((bound.group, bound.human_low) for bound in prepared.bounds)
    tasks = [HostTask(file.input.number, inspect_file, (file, choosing, groups)) for file in files]
    inspected = combine(found for _, found in sorted(shared_host(workers).run(tasks), key=lambda one: one[0]))
    metrics = compare(inspected.mix, inspected.human)
    fingerprint, bound_to = digest_of(recipe.plain()), inputs_fingerprint(inputs)
    folders = [name for names in prepared.folders.values() for name in names]
    ledger = [entry for entry in written.entries if entry.path.startswith(INDEX)]
    entries = [*written.entries, write_ledger_file(root, ledger, fingerprint, bound_to, list(dict.fromkeys(folders)))]
    manifest: dict[str, Any] = {
        "version": headwater_version(),
        "manifest_version": MANIFEST_VERSION,
        "recipe": recipe.plain(),
        "recipe_fingerprint": fingerprint,
        "config": read_manifest(Path(run_folders(recipe)[0]))["config"],  # what the keys of the ledger depend on
        "inputs_fingerprint": bound_to,
        **describe_sources(recipe, prepared, root),
        "bounds": [bound.as_dict() for bound in prepared.bounds],
        "plan": plan.as_dict(),
        "validation": _validation(written),
        "lineage": _lineage(inspected),
        "diversity": {
            "headline": headline(metrics),
            "alarms": sum(metric.alarm for metric in metrics),
            "human_groups": groups,
            "metrics": [metric.as_dict() for metric in metrics],
        },
        "files": sorted(map(asdict, entries), key=lambda entry: str(entry["path"])),
    }
    _report(root, manifest, metrics)
    manifest["execution"] = {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "seconds_planning": round(planned - began, 1),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "beam": version("apache-beam"),
        "workers": workers,
    }
    write_json(folder.manifest, manifest)
    folder.remove_work()
    return manifest


def _report(root: Path, manifest: dict[str, Any], metrics: Sequence[Metric]) -> None:
    written = map(asdict, write_report(root, manifest, metrics))
    manifest["files"] = sorted([*manifest["files"], *written], key=lambda entry: str(entry["path"]))


def mix_files(prepared: Prepared, root: Path) -> list[MixFile]:
    """The data files of a mix in `root`, with the folder and the run of each."""
    folders = {name for names in prepared.folders.values() for name in names}
    runs = {name: read_index(name).run for name in folders if (Path(name) / "run.json").is_file()}
    found = []
    for file in prepared.files:
        folder = next(name for name in prepared.folders[file.source] if Path(file.path).is_relative_to(name))
        found.append(MixFile(file, folder, runs.get(folder), folder_name(folder, root)))
    return found


def folder_name(folder: str, root: Path) -> str:
    """Name of a source's folder in the manifest: what lies in the mix moves with it."""
    path = Path(folder)
    return OF_MIX + path.relative_to(root).as_posix() if path.is_relative_to(root) else folder


def check_written(plan: Plan, written: WrittenMix) -> None:
    """Raise RunError unless exactly what was planned was written, cell by cell."""
    for cell in sorted({*plan.counts, *written.train}):
        planned, found = plan.counts.get(cell), written.train.get(cell, WrittenCounts())
        wanted = (planned.documents, planned.copies, planned.tokens, planned.fresh_tokens) if planned else (0, 0, 0, 0)
        counted = (found.documents, found.rows, found.tokens, found.fresh_tokens)
        if counted != wanted:
            raise RunError(
                f"{cell}: {wanted} documents, rows, tokens and fresh tokens were planned, {counted} written; the "
                "sources have changed since the plan: mix again"
            )


def describe_sources(recipe: MixRecipe, prepared: Prepared, root: Path) -> dict[str, Any]:
    """What became of the documents of each source, and what of them was seen before."""
    documents: dict[str, Counter[str]] = {source.name: Counter() for source in recipe.sources}
    tokens: dict[str, Counter[str]] = {source.name: Counter() for source in recipe.sources}
    for survey in prepared.surveys:
        documents[survey.source].update(survey.documents)
        tokens[survey.source].update(survey.tokens)
    verdicts = Counter[str]()
    if prepared.freshness is not None:
        for part in prepared.freshness.parts:
            verdicts.update(read_arrow(verdicts_path(prepared.folder, part.number)).column("verdict").to_pylist())
    return {
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "folders": [folder_name(one, root) for one in prepared.folders[source.name]],
                "documents": documents[source.name].pop("", 0),
                "tokens": tokens[source.name].pop("", 0),
                "left_out": dict(sorted(documents[source.name].items())),
            }
            for source in recipe.sources
        ],
        "freshness": {"compared": prepared.freshness is not None, "verdicts": dict(sorted(verdicts.items()))},
    }


def _validation(written: WrittenMix) -> dict[str, int]:
    counts = written.validation.values()
    return {"documents": sum(one.documents for one in counts), "tokens": sum(one.tokens for one in counts)}


def _lineage(inspected: Inspected) -> dict[str, Any]:
    rows = sorted(inspected.generators.items(), key=lambda one: (-one[1], one[0]))
    return {
        "synthetic_rows": sum(inspected.generators.values()),
        "rows_with_parents": inspected.parents,
        "generators": [
            {"generator": generator, "prompt": prompt, "depth": depth, "rows": count}
            for (generator, prompt, depth), count in rows
        ],
    }


def _conclude(output: Path, manifest: dict[str, Any], reporter: Reporter) -> None:
    plan = manifest["plan"]
    multiplier = plan["error_multiplier"]
    reporter.say(
        f"{plan['tokens']:,} {plan['unit']} in {plan['copies']:,} rows of {plan['documents']:,} documents "
        f"({manifest['execution']['seconds']:.1f} s); fresh human text: at least {plan['fresh_human_share']:.1%}"
        + ("" if multiplier is None else f", error multiplier at most {multiplier:.2f}"),
        counts={name: plan[name] for name in ("tokens", "copies", "documents")},
    )
    if plan["budget"] is None and plan["copies"] > 1.5 * plan["documents"]:
        reporter.say(
            f"Documents stand {plan['copies'] / plan['documents']:.1f} times on average, for want of a budget: give "
            "one, or lower `repeats`"
        )
    binding = [
        report["name"] + "".join(f" {value}" for value in report["stratum"].values())
        for report in plan["constraints"]
        if report["binding"] and report["name"] != "budget"
    ]
    if binding:
        reporter.say(f"Binding: {', '.join(binding[:6])}")
    reporter.say(manifest["diversity"]["headline"])
    weights_only = manifest["recipe"]["output"]["weights_only"]
    places = {
        "report/index.html": "the report",
        **(
            {"weights/": "how often the mix has each document"}
            if weights_only
            else {"data/": "shards, in random order"}
        ),
        "mix.json": "recipe, plan, bounds, lineage, digests",
    }
    reporter.say("Look at:" + "".join(f"\n  {output}/{name:<20} {what}" for name, what in places.items()))
