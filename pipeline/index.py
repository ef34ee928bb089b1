"""The index of a run: what it has seen, for the next one. `index/index.json` says what its keys depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors.api import digest_of
from pipeline.runs import RunError

INDEX_FILE = "index/index.json"
INDEX_VERSION = 2  # 1, without index.json, kept no sketches


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The index of a finished run; `run` is its name, 16 hex digits of its configuration and inputs."""

    path: Path
    run: str
    parameters: Mapping[str, Any]
    documents: int
    seen: tuple[str, ...]
    files: tuple[Path, ...]  # index/part-*


def index_json(manifest: Mapping[str, Any], parameters: Mapping[str, Any], documents: int, seen: Sequence[str]) -> str:
    """The content of index/index.json for a run of this manifest."""
    values = {
        "version": INDEX_VERSION,
        "run": digest_of([manifest["config_fingerprint"], manifest["inputs_fingerprint"]]),
        "parameters": dict(parameters),
        "documents": documents,
        "seen": list(seen),
    }
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def read_index(folder: str | Path) -> RunIndex:
    """The index of a finished run.

    Raises:
        RunError: there is no finished run, or its index is older, damaged or incomplete.
    """
    root = Path(folder)
    if not (root / "run.json").is_file():
        raise RunError(f"{root} holds no finished run (run.json is missing); give the folder of one, or finish it")
    if not (root / INDEX_FILE).is_file():
        raise RunError(f"{root} was made by an older release, whose index cannot be compared; curate it again")
    try:
        manifest = json.loads((root / "run.json").read_text(encoding="utf-8"))
        values = json.loads((root / INDEX_FILE).read_text(encoding="utf-8"))
        if values["version"] != INDEX_VERSION:
            found = values["version"]
            raise RunError(f"{root} has an index of version {found}, this release reads {INDEX_VERSION}; curate again")
        entries = [e for e in manifest["files"] if e["path"].startswith("index/part-")]
        index = RunIndex(
            root,
            str(values["run"]),
            dict(values["parameters"]),
            int(values["documents"]),
            tuple(values["seen"]),
            tuple(root / entry["path"] for entry in entries),
        )
        damaged = [e["path"] for e in entries if (root / e["path"]).stat().st_size != e["bytes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{root}: its index is damaged ({error}); `headwater verify {root}` says more") from None
    if damaged:
        raise RunError(f"{root}: {damaged[0]} has another size than run.json says; `headwater verify {root}` says more")
    return index


def check_compatible(indexes: Sequence[RunIndex], parameters: Mapping[str, Any]) -> None:
    """Raise RunError where the keys of an index are not made as those of this run, or one run is named twice."""
    runs: dict[str, Path] = {}
    for index in indexes:
        if index.run in runs:
            raise RunError(f"{index.path} and {runs[index.run]} are the same run; name it once")
        runs[index.run] = index.path
        for name in sorted({*parameters, *index.parameters}):
            theirs, ours = index.parameters.get(name), parameters.get(name)
            if json.dumps(theirs, sort_keys=True) != json.dumps(ours, sort_keys=True):
                raise RunError(
                    f"{index.path} cannot be compared with this run: its {name} is {theirs}, here it is {ours}; "
                    "set policy.duplicates alike, or curate the earlier run again"
                )
