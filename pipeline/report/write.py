"""Writes the documents of a finished run: report, figures, dataset card, Croissant description."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.card import render_card
from pipeline.report.croissant import build_croissant
from pipeline.report.figures import compute_figures, run_files
from pipeline.report.html import render_html
from schemas.manifest import FileEntry


def publish_text(root: Path, name: str, text: str) -> FileEntry:
    """Write a file of a run under its name when it is whole."""
    content = text.encode("utf-8", "replace")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return FileEntry(name, 0, len(content), hashlib.sha256(content).hexdigest())


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_documents(root: Path, manifest: Mapping[str, Any]) -> list[FileEntry]:
    """Write report/index.html, report/figures.json, README.md and croissant.json under the run's folder.

    Each appears whole under its name or not at all, and is a function of the run's Parquet files and of `manifest`
    without its `execution`. Returns the entries for run.json, in the order of their paths.
    """
    root = Path(root)
    figures = compute_figures(root, manifest)
    return [
        publish_text(root, "README.md", render_card(figures, run_files(root, manifest, "data"))),
        publish_text(root, "croissant.json", _json(build_croissant(figures, manifest.get("files") or []))),
        publish_text(root, "report/figures.json", _json(figures)),
        publish_text(root, "report/index.html", render_html(figures)),
    ]
