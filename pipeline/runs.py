"""The folder of a run: its state while it is unfinished, its lock, and the check of a finished one."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from detectors.api import digest_of
from schemas.config import CurateConfig
from schemas.manifest import MANIFEST_VERSION, sha256_of, write_json

WORK = "_work"
RESULT_FOLDERS = ("data", "dropped", "failures", "index")


class RunError(Exception):
    """A run folder that cannot be used as asked; the message says what to do."""


def headwater_version() -> str:
    """Version of the installed distribution."""
    return version("headwater")


def inputs_fingerprint(inputs: Sequence[tuple[str, int]]) -> str:
    """Digest of names and sizes in bytes of the input files."""
    return digest_of(sorted(list(pair) for pair in inputs))


class RunFolder:
    """`DIR` of a run. `_work/` holds staged shards until run.json is written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.work = self.path / WORK
        self.staged = self.work / "staged"
        self.pieces = self.work / "pieces"
        self.manifest = self.path / "run.json"
        self._lock: IO[str] | None = None

    def is_finished(self) -> bool:
        """Whether run.json stands."""
        return self.manifest.exists()

    def open(self, config: CurateConfig, inputs: Sequence[tuple[str, int]], split_size: int | None) -> int | None:
        """Lock the folder and bind it to a configuration and inputs; returns the split size to use.

        The split size of an interrupted run is kept unless one is given, so that its shards are found again.

        Raises:
            RunError: another process works here, or the folder belongs to another configuration or input.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file; --output needs a folder")
        foreign = self.path.is_dir() and any(self.path.iterdir()) and not self.work.exists() and not self.is_finished()
        if foreign:
            raise RunError(f"{self.path} is not empty and not a run of headwater; give another --output")
        for folder in (self.work, self.staged, self.pieces):
            folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        state = {
            "config": config.plain(),
            "config_fingerprint": digest_of(config.plain()),
            "inputs": inputs_fingerprint(inputs),
            "headwater": headwater_version(),
            "split_size": split_size,
        }
        path = self.work / "state.json"
        known = self._known_state(path)
        if known:
            self._compare(known, state)
            if split_size is None:
                split_size = known.get("split_size")
                state["split_size"] = split_size
        write_json(path, state)
        return split_size

    def remember_split_size(self, split_size: int) -> None:
        """Keep the split size that was chosen for a resumed run."""
        path = self.work / "state.json"
        state = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, {**state, "split_size": split_size})

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clean(self, published: Sequence[str]) -> None:
        """Remove files of earlier attempts that this run did not publish."""
        wanted = {str(self.path / name) for name in published}
        for folder in RESULT_FOLDERS:
            for path in sorted((self.path / folder).rglob("*"), reverse=True):
                if path.is_file() and str(path) not in wanted:
                    path.unlink()
                elif path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    def remove_work(self) -> None:
        """Remove staged shards and pieces."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _take_lock(self) -> None:
        self._lock = (self.work / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{self.path}: another headwater works in this folder; wait for it, or end it") from None

    def _known_state(self, path: Path) -> dict[str, Any]:
        if self.is_finished():
            manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
            return {
                "config": manifest["config"],
                "config_fingerprint": manifest["config_fingerprint"],
                "inputs": manifest["inputs_fingerprint"],
                "headwater": manifest["version"],
            }
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _compare(self, known: dict[str, Any], wanted: dict[str, Any]) -> None:
        advice = "give another --output, or remove this folder to start again"
        if known["config_fingerprint"] != wanted["config_fingerprint"]:
            changed = ", ".join(_differences(known["config"], wanted["config"]))
            raise RunError(f"{self.path} holds a run of another configuration (changed: {changed}); {advice}")
        if known["inputs"] != wanted["inputs"]:
            raise RunError(f"{self.path} holds a run of other input files (names or sizes differ); {advice}")
        if known["headwater"] != wanted["headwater"]:
            raise RunError(f"{self.path} holds a run of headwater {known['headwater']}; {advice}")


def _differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key in sorted(set(one) | set(other)):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            names += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            names.append(f"{prefix}{key}")
    return names


def verify_run(path: str | Path) -> list[str]:
    """Recount and rehash a finished run; returns what is wrong, nothing when all is right.

    Raises:
        RunError: the folder holds no finished run.
    """
    run = RunFolder(path)
    if not run.is_finished():
        what = "an unfinished run; run the same curate command again" if run.work.exists() else "no run"
        raise RunError(f"{run.path} holds {what} (run.json is missing)")
    manifest = json.loads(run.manifest.read_text(encoding="utf-8"))
    if manifest.get("manifest_version") != MANIFEST_VERSION:
        raise RunError(f"{run.manifest}: manifest version {manifest.get('manifest_version')} is not one this reads")
    problems: list[str] = []
    named = {entry["path"] for entry in manifest["files"]}
    for folder in RESULT_FOLDERS:
        for file in sorted((run.path / folder).rglob("*")):
            if file.is_file() and str(file.relative_to(run.path)) not in named:
                problems.append(f"{file.relative_to(run.path)} is not in run.json")
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for entry in manifest["files"]:
        problems += _check_file(run.path, entry, counted)
    for source in manifest["sources"]:
        problems += _check_source(source, counted[source["source_file"]])
    total: Counter[str] = Counter()
    for source in manifest["sources"]:
        total.update(pages=source["pages"], kept=source["kept"])
    counts = manifest["counts"]
    problems += [
        f"counts.{key} is {counts[key]}, the sources sum to {total[key]}"
        for key in ("pages", "kept")
        if counts[key] != total[key]
    ]
    return problems


def _check_file(root: Path, entry: dict[str, Any], counted: dict[str, dict[str, Counter[str]]]) -> list[str]:
    path = root / entry["path"]
    if not path.is_file():
        return [f"{entry['path']} is missing"]
    if path.stat().st_size != entry["bytes"]:
        return [f"{entry['path']} has {path.stat().st_size} bytes, run.json says {entry['bytes']}"]
    if sha256_of(path) != entry["sha256"]:
        return [f"{entry['path']} has another sha256 than run.json says"]
    if path.suffix != ".parquet":
        return []
    kind = entry["path"].split("/")[0]
    names = {"data": ["source_file"], "dropped": ["source_file", "reason"], "failures": ["source_file", "unit", "code"]}
    table = pq.read_table(path, columns=names.get(kind, []), partitioning=None)
    rows = pq.read_metadata(path).num_rows
    for row in table.to_pylist() if kind in names else []:
        if kind == "data":
            counted[row["source_file"]]["kept"]["kept"] += 1
        elif kind == "dropped":
            counted[row["source_file"]]["dropped"][row["reason"]] += 1
        else:
            counted[row["source_file"]]["failed" if row["unit"] == "page" else "regions"][row["code"]] += 1
    return [] if rows == entry["rows"] else [f"{entry['path']} has {rows} rows, run.json says {entry['rows']}"]


def _check_source(source: dict[str, Any], counted: dict[str, Counter[str]]) -> list[str]:
    name, problems = source["source_file"], []
    if counted["kept"]["kept"] != source["kept"]:
        problems.append(f"{name}: {counted['kept']['kept']} rows kept, run.json says {source['kept']}")
    for key in ("dropped", "failed", "regions"):
        if dict(counted[key]) != source[key]:
            problems.append(f"{name}: {key} is {dict(counted[key])}, run.json says {source[key]}")
    if source["pages"] != source["kept"] + sum(source["dropped"].values()) + sum(source["failed"].values()):
        problems.append(f"{name}: {source['pages']} pages are not kept + dropped + failed")
    return problems
