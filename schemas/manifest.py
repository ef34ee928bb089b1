"""Run and shard manifests: what was read, what became of it, and the digests of every file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MANIFEST_VERSION = 1


@dataclass(slots=True)
class SourceAccount:
    """Account of one source file, or of all: pages = kept + dropped + failed, exactly."""

    records: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)

    def add(self, other: SourceAccount) -> None:
        """Add the counts of another account to this one."""
        self.records.update(other.records)
        self.pages += other.pages
        self.kept += other.kept
        self.dropped.update(other.dropped)
        self.failed.update(other.failed)
        self.regions.update(other.regions)

    def is_balanced(self) -> bool:
        """Whether every page is accounted for."""
        return self.pages == self.kept + self.dropped.total() + self.failed.total()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, keys sorted, zero counts left out."""

        def clean(counts: Counter[str]) -> dict[str, int]:
            return {k: int(v) for k, v in sorted(counts.items()) if v}

        return {
            "records": clean(self.records),
            "pages": self.pages,
            "kept": self.kept,
            "dropped": clean(self.dropped),
            "failed": clean(self.failed),
            "regions": clean(self.regions),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SourceAccount:
        """Inverse of `as_dict`; unknown keys are ignored."""
        return cls(
            Counter(values["records"]),
            values["pages"],
            values["kept"],
            Counter(values["dropped"]),
            Counter(values["failed"]),
            Counter(values["regions"]),
        )


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A published file: path relative to the run, rows (0 where it has none), size in bytes and sha256."""

    path: str
    rows: int
    bytes: int
    sha256: str


def sha256_of(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def run_manifest(
    *,
    version: str,
    config: dict[str, Any],
    config_fingerprint: str,
    inputs_fingerprint: str,
    detectors: dict[str, str],
    sources: dict[str, tuple[int, SourceAccount]],
    files: Iterable[FileEntry],
    execution: dict[str, Any],
    flagged_clusters: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The content of run.json. `sources` maps a source file to its size in bytes and its account.

    `flagged_clusters` have the keys doc_id, nodes, edges, pieces, largest_piece and level.
    """
    total = SourceAccount()
    for _, account in sources.values():
        total.add(account)
    return {
        "version": version,
        "manifest_version": MANIFEST_VERSION,
        "config": config,
        "config_fingerprint": config_fingerprint,
        "inputs_fingerprint": inputs_fingerprint,
        "detectors": detectors,
        "counts": total.as_dict(),
        "sources": [
            {"source_file": name, "bytes": size, **account.as_dict()}
            for name, (size, account) in sorted(sources.items())
        ],
        "flagged_clusters": sorted(flagged_clusters, key=lambda one: (-one["nodes"], one["doc_id"])),
        "files": [asdict(entry) for entry in sorted(files, key=lambda entry: entry.path)],
        "execution": execution,
    }


def write_json(path: Path, value: object) -> None:
    """Write JSON under a temporary name and rename it, so that a reader sees all of it or none."""
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
