"""Recount and rehash a finished mix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.api import digest_of
from pipeline.mix.rows import count_cells
from pipeline.mix.weights import OF_MIX
from pipeline.runs import RunError, check_bytes, check_unlisted
from pipeline.synthesize.ingest import verify_ingest
from schemas.manifest import MANIFEST_VERSION

MANIFEST = "mix.json"
TOLERANCE = 1e-6  # of shares: bounds count at nine digits in a plan
Counts = dict[tuple[Any, ...], tuple[int, int, int]]  # documents, rows and tokens by cell
CELL = ("source", "origin", "fresh", "language", "page_type", "group")


def verify_mix(path: str | Path) -> list[str]:
    """What is wrong about a finished mix, nothing when all is right.

    Files are compared with their digests, the manifest of weights and the shards (Parquet) with the plan cell by cell,
    and text that was ingested for the mix with its own manifest.

    Raises:
        RunError: the folder holds no finished mix, or one of another release.
    """
    root = Path(path)
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        if manifest["manifest_version"] != MANIFEST_VERSION:
            raise RunError(f"{root / MANIFEST}: version {manifest['manifest_version']} is not one this reads")
        problems = check_unlisted(root, manifest, MANIFEST)
        for entry in manifest["files"]:
            if PurePosixPath(entry["path"]).is_absolute() or ".." in PurePosixPath(entry["path"]).parts:
                return [f"{MANIFEST} names {entry['path']}, which is not in the mix"]
            problems += check_bytes(root, entry, MANIFEST)
        if digest_of(manifest["recipe"]) != manifest["recipe_fingerprint"]:
            problems.append("recipe_fingerprint is not that of recipe")
        problems += _check_parts(root, manifest)
        if not problems:
            problems += _check_counts(root, manifest)
            problems += _check_shares(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{MANIFEST} is damaged ({type(error).__name__})"]
    for folder in sorted((root / "synthetic").glob("*/synthetic.json")):
        problems += [f"{folder.parent.relative_to(root)}: {problem}" for problem in verify_ingest(folder.parent)]
    return problems


def _check_parts(root: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Whether what every mix has is there, and no text that was ingested for another."""
    listed = [entry["path"] for entry in manifest["files"]]
    wanted = ["index/index.json", "index/part-", "weights/part-", "report/index.html", "README.md"]
    output, held_out = manifest["recipe"]["output"], manifest["validation"]["documents"]
    if not output["weights_only"]:
        wanted += ["data/train-", *(["data/validation-"] if held_out else [])]
    problems = [f"{MANIFEST} lists no {name}" for name in wanted if not any(one.startswith(name) for one in listed)]
    ingested = {name for source in manifest["sources"] for name in source["folders"] if name.startswith(OF_MIX)}
    found = {f"{OF_MIX}synthetic/{path.name}" for path in (root / "synthetic").glob("*")}
    problems += [f"{name.removeprefix(OF_MIX)} is of no source of the recipe" for name in sorted(found - ingested)]
    return problems + [f"{name.removeprefix(OF_MIX)} is missing" for name in sorted(ingested - found)]


def _check_shares(manifest: Mapping[str, Any]) -> list[str]:
    """Fresh human share, floors and caps of tokens, recomputed from the counts and bounds."""
    plan, problems = manifest["plan"], []
    bounds = {
        tuple(bound[name] for name in ("source", "language", "fresh", "group", "page_type")): bound
        for bound in manifest["bounds"]
    }
    human, suspected = [], []
    for cell in plan["cells"]:
        at = tuple(cell[name] for name in ("source", "language", "fresh", "group"))
        bound = bounds.get((*at, cell["page_type"])) or bounds.get((*at, "")) or {"human_low": 0.0, "ai_high": 0.0}
        is_real = cell["origin"] == "real"
        human.append(cell["fresh_tokens"] * bound["human_low"] if is_real else 0.0)
        suspected.append(cell["tokens"] * bound["ai_high"] if is_real else 0.0)
    parts = {
        "caps.grounded": [cell["tokens"] * (cell["origin"] == "grounded") for cell in plan["cells"]],
        "caps.ungrounded": [
            cell["tokens"] * (cell["origin"] == "ungrounded")
            + (one if manifest["recipe"]["caps"]["suspected"] else 0.0)
            for cell, one in zip(plan["cells"], suspected, strict=True)
        ],
    }
    wanted: list[tuple[str, Mapping[str, str], float, list[float]]] = [
        ("fresh_human_share", {}, plan["fresh_human_share"], human)
    ]
    for report in plan["constraints"]:
        part = human if report["kind"] == "floor" else parts.get(report["name"])
        if part is not None and report["value"] is not None:
            wanted.append((report["name"], report["stratum"], report["value"], part))
    for name, stratum, said, part in wanted:
        inside = [all(str(cell[column]) == one for column, one in stratum.items()) for cell in plan["cells"]]
        tokens = sum(cell["tokens"] for cell, yes in zip(plan["cells"], inside, strict=True) if yes)
        counted = sum(one for one, yes in zip(part, inside, strict=True) if yes) / max(1, tokens)
        if abs(counted - said) > TOLERANCE:
            problems.append(
                f"{name} {stratum or ''}: the counts and bounds give {counted:.6f}, the plan says {said:.6f}"
            )
    return problems


def _check_counts(root: Path, manifest: Mapping[str, Any]) -> list[str]:
    planned = {
        tuple(cell[name] for name in CELL): tuple(cell[name] for name in ("documents", "copies", "tokens"))
        for cell in manifest["plan"]["cells"]
        if cell["copies"]
    }
    problems = []
    weights, held_out = _weighted(root, manifest)
    found = {"weights": weights}
    if held_out != manifest["validation"]["documents"]:
        problems.append(f"weights: {held_out} documents are held out, {MANIFEST} says {manifest['validation']}")
    shards = [entry["path"] for entry in manifest["files"] if entry["path"].startswith("data/train-")]
    if shards and all(name.endswith(".parquet") for name in shards):
        found["data"] = _written(root, shards)
    for folder, counts in found.items():
        for cell in sorted({*counts, *planned}):
            if counts.get(cell) != planned.get(cell):
                name = " ".join(str(value) for value in cell)
                problems.append(
                    f"{folder}: {name}: documents, rows and tokens are {counts.get(cell)}, the plan has "
                    f"{planned.get(cell)}"
                )
    return problems


def _weighted(root: Path, manifest: Mapping[str, Any]) -> tuple[Counts, int]:
    """Documents, rows and tokens by cell, of the manifest of weights; and documents that are held out."""
    found: Counts = {}
    held_out = 0
    for entry in manifest["files"]:
        if not entry["path"].startswith("weights/"):
            continue
        table = pq.read_table(root / entry["path"], columns=[*CELL, "copies", "tokens", "split"], partitioning=None)
        held_out += pc.sum(pc.equal(table.column("split"), "validation")).as_py() or 0
        table = table.filter(pc.equal(table.column("split"), "train"))
        copies = table.column("copies").cast(pa.int64())
        table = table.append_column("all", pc.multiply(copies, table.column("tokens")))
        sums = table.group_by(list(CELL)).aggregate([([], "count_all"), ("copies", "sum"), ("all", "sum")])
        for row in sums.to_pylist():
            _add(found, tuple(row[name] for name in CELL), (row["count_all"], row["copies_sum"], row["all_sum"]))
    return found, held_out


def _written(root: Path, names: list[str]) -> Counts:
    """Documents, rows and tokens by cell, of Parquet shards."""
    found: Counts = {}
    for name in names:
        table = pq.read_table(root / name, columns=[*CELL, "copy", "tokens"], partitioning=None)
        for cell, counts in count_cells(table).items():
            _add(found, tuple(getattr(cell, name) for name in CELL), (counts.documents, counts.rows, counts.tokens))
    return found


def _add(found: Counts, cell: tuple[Any, ...], more: tuple[int, int, int]) -> None:
    documents, rows, tokens = found.get(cell, (0, 0, 0))
    found[cell] = (documents + more[0], rows + more[1], tokens + more[2])
