"""Recount and rehash a finished mix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.api import digest_of
from pipeline.mix.rows import count_cells
from pipeline.runs import RunError, check_bytes, check_unlisted
from pipeline.synthesize.ingest import verify_ingest
from schemas.manifest import MANIFEST_VERSION

MANIFEST = "mix.json"
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
            problems += check_bytes(root, entry, MANIFEST)
        if digest_of(manifest["recipe"]) != manifest["recipe_fingerprint"]:
            problems.append("recipe_fingerprint is not that of recipe")
        if not problems:
            problems += _check_counts(root, manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{MANIFEST} is damaged ({type(error).__name__})"]
    for folder in sorted((root / "synthetic").glob("*/synthetic.json")):
        problems += [f"{folder.parent.relative_to(root)}: {problem}" for problem in verify_ingest(folder.parent)]
    return problems


def _check_counts(root: Path, manifest: Mapping[str, Any]) -> list[str]:
    planned = {
        tuple(cell[name] for name in CELL): tuple(cell[name] for name in ("documents", "copies", "tokens"))
        for cell in manifest["plan"]["cells"]
        if cell["copies"]
    }
    problems = []
    found = {"weights": _weighted(root, manifest)}
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


def _weighted(root: Path, manifest: Mapping[str, Any]) -> Counts:
    """Documents, rows and tokens by cell, of the manifest of weights."""
    found: Counts = {}
    for entry in manifest["files"]:
        if not entry["path"].startswith("weights/"):
            continue
        table = pq.read_table(root / entry["path"], columns=[*CELL, "copies", "tokens", "split"], partitioning=None)
        table = table.filter(pc.equal(table.column("split"), "train"))
        copies = table.column("copies").cast(pa.int64())
        table = table.append_column("all", pc.multiply(copies, table.column("tokens")))
        sums = table.group_by(list(CELL)).aggregate([([], "count_all"), ("copies", "sum"), ("all", "sum")])
        for row in sums.to_pylist():
            _add(found, tuple(row[name] for name in CELL), (row["count_all"], row["copies_sum"], row["all_sum"]))
    return found


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
