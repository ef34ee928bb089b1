"""The folder of a run: its state while it is unfinished, its lock, and the check of a finished one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from detectors.api import digest_of
from pipeline.read.storage import is_remote, local_path
from schemas.manifest import MANIFEST_VERSION, SourceAccount, sha256_of, write_json

WORK = "_work"
JOURNAL = ".take-down.json"  # of a run in which a take-down has begun and not ended
RESULT_FOLDERS = ("data", "dropped", "failures", "index", "weights")  # weights: of a mix


class RunError(Exception):
    """A run folder that cannot be used as asked; the message says what to do."""


def headwater_version() -> str:
    """Version of the installed distribution."""
    return version("headwater")


def inputs_fingerprint(inputs: Sequence[tuple[str, int]]) -> str:
    """Digest of names and sizes in bytes of the input files."""
    return digest_of(sorted(list(pair) for pair in inputs))


class Settings(Protocol):
    """Everything that decides the bytes of a folder: a configuration or a recipe."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready values, every default spelled out."""


class RunFolder:
    """`DIR` of a run. `_work/` holds staged shards until the manifest is written.

    Its manifest holds the settings under the name `settings`.
    """

    def __init__(self, path: str | Path, manifest: str = "run.json", settings: str = "config") -> None:
        self.path = Path(path)
        self.work = self.path / WORK
        self.staged = self.work / "staged"
        self.pieces = self.work / "pieces"
        self.manifest = self.path / manifest
        self._settings = settings
        self._lock: IO[str] | None = None

    def is_finished(self) -> bool:
        """Whether run.json stands."""
        return self.manifest.exists()

    def open(self, config: Settings, inputs: Sequence[tuple[str, int]], split_size: int | None) -> int | None:
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
        state = {
            "config": config.plain(),
            "config_fingerprint": digest_of(config.plain()),
            "inputs": inputs_fingerprint(inputs),
            "modified": {name: _modified_at(name) for name, _ in inputs},
            "headwater": headwater_version(),
            "split_size": split_size,
        }
        if self.is_finished():
            self._compare(self._finished_state(), state)
            return split_size
        for folder in (self.work, self.staged, self.pieces):
            folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        path = self.work / "state.json"
        known = _read_state(path)
        # A folder in which nothing was staged holds no work that another configuration could spoil.
        if known and any(self.staged.glob("*.json")):
            self._compare(known, state)
            if split_size is None:
                split_size = known.get("split_size")
                state["split_size"] = split_size
        write_json(path, state)
        return split_size

    def state(self) -> dict[str, Any]:
        """What the folder is bound to while it is unfinished; empty where nothing has begun."""
        return _read_state(self.work / "state.json")

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

    def _finished_state(self) -> dict[str, Any]:
        try:
            manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
            gone = [e["path"] for e in manifest["files"] if _size_of(self.path / e["path"]) != e["bytes"]]
            known = {
                "config": manifest[self._settings],
                "config_fingerprint": manifest[f"{self._settings}_fingerprint"],
                "inputs": manifest["inputs_fingerprint"],
                "headwater": manifest["version"],
            }
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{self.manifest} is damaged; remove the folder, or give another --output") from None
        if gone:
            raise RunError(
                f"{self.path} is finished, but {gone[0]} is missing or changed ({len(gone)} files in all); "
                "remove the folder to run again, or give another --output"
            )
        return known

    def _compare(self, known: dict[str, Any], wanted: dict[str, Any]) -> None:
        advice = "give another --output, or remove this folder to start again"
        if known["config_fingerprint"] != wanted["config_fingerprint"]:
            keys = ", ".join(_differences(known["config"], wanted["config"]))
            what = "configuration" if self._settings == "config" else self._settings
            raise RunError(f"{self.path} was made with another {what} (changed: {keys}); {advice}")
        if known["inputs"] != wanted["inputs"]:
            raise RunError(f"{self.path} holds a run of other input files (names or sizes differ); {advice}")
        changed = [name for name, when in known.get("modified", {}).items() if wanted["modified"].get(name) != when]
        if changed:
            raise RunError(f"{changed[0]} has changed since this run began; {advice}")
        if known["headwater"] != wanted["headwater"]:
            raise RunError(f"{self.path} holds a run of headwater {known['headwater']}; {advice}")


def _read_state(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _modified_at(name: str) -> int | None:
    """Time of the last change of a local file in nanoseconds; null for others. Never part of published files."""
    if is_remote(name):
        return None
    try:
        return os.stat(local_path(name)).st_mtime_ns
    except OSError:
        return None


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
        what = "unfinished work; run the same command again" if run.work.exists() else "no run"
        raise RunError(f"{run.path} holds {what} (run.json is missing)")
    try:
        manifest = json.loads(run.manifest.read_text(encoding="utf-8"))
        if manifest["manifest_version"] != MANIFEST_VERSION:
            raise RunError(f"{run.manifest}: manifest version {manifest['manifest_version']} is not one this reads")
        return check_manifest(run.path, manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"run.json is damaged ({type(error).__name__})"]


def check_manifest(root: Path, manifest: dict[str, Any]) -> list[str]:
    """What is wrong about the files and counts of a folder that a manifest of the shape of run.json describes."""
    problems = ["a take-down of documents has begun and not ended"] if (root / JOURNAL).exists() else []
    problems += check_unlisted(root, manifest)
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for entry in manifest["files"]:
        problems += _check_file(root, entry, counted)
    total = SourceAccount()
    for source in manifest["sources"]:
        problems += _check_source(source, counted[source["source_file"]])
        total.add(SourceAccount.from_dict(source))
    for key, value in total.as_dict().items():
        if manifest["counts"][key] != value:
            problems.append(f"counts.{key} is {manifest['counts'][key]}, the sources sum to {value}")
    if digest_of(manifest["config"]) != manifest["config_fingerprint"]:
        problems.append("config_fingerprint is not that of config")
    return problems


def check_unlisted(root: Path, manifest: dict[str, Any], name: str = "run.json") -> list[str]:
    """Files in the folders of results that the manifest does not list."""
    named = {entry["path"] for entry in manifest["files"]}
    files = (file for folder in RESULT_FOLDERS for file in sorted((root / folder).rglob("*")) if file.is_file())
    found = (str(file.relative_to(root)) for file in files)
    return [f"{file} is not in {name}" for file in found if file not in named]


def check_bytes(root: Path, entry: dict[str, Any], name: str = "run.json") -> list[str]:
    """What is wrong about the bytes of a file."""
    path = root / entry["path"]
    if not path.is_file():
        return [f"{entry['path']} is missing"]
    if path.stat().st_size != entry["bytes"]:
        return [f"{entry['path']} has {path.stat().st_size} bytes, {name} says {entry['bytes']}"]
    return [] if sha256_of(path) == entry["sha256"] else [f"{entry['path']} has another sha256 than {name} says"]


def _check_file(root: Path, entry: dict[str, Any], counted: dict[str, dict[str, Counter[str]]]) -> list[str]:
    path = root / entry["path"]
    if problems := check_bytes(root, entry):
        return problems
    if path.suffix != ".parquet":
        return []
    kind = entry["path"].split("/")[0]
    names = {"data": ["source_file"], "dropped": ["source_file", "reason"], "failures": ["source_file", "unit", "code"]}
    try:
        table = pq.read_table(path, columns=names.get(kind, []), partitioning=None)
        rows = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return [f"{entry['path']} is no Parquet file that can be read"]
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
