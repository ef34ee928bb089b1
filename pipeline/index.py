"""The index of a run: what it has seen, for the next one. `index/index.json` says what its keys depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detectors.api import digest_of
from pipeline.runs import JOURNAL, RunError
from schemas.manifest import sha256_of

INDEX_FILE = "index/index.json"
# Pages that were taken down, with what recognises them: columns of an index file, and nothing of their text.
TAKEN_DOWN_FILE = "index/taken-down.parquet"
TAKEN_DOWN_REASON = "taken_down"  # of these, and of the pages that were dropped as their copies
# Of folders that hold an index: a run, a mix, whose index is the ledger of what it used, and ingested text.
MANIFESTS = ("run.json", "mix.json", "synthetic.json")
INDEX_VERSION = 2  # 1, without index.json, kept no sketches


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The index of a finished run, mix or ingest; `run` is its name, 16 hex digits of configuration, inputs, index."""

    path: Path
    run: str
    parameters: Mapping[str, Any]
    documents: int
    seen: tuple[str, ...]
    files: tuple[Path, ...]  # index/part-*
    taken_down: Path | None = None
    version: int = INDEX_VERSION

    @property
    def shards(self) -> tuple[Path, ...]:
        """Files of all pages that a later run compares itself with."""
        return self.files if self.taken_down is None else (*self.files, self.taken_down)


def index_json(
    manifest: Mapping[str, Any],
    parameters: Mapping[str, Any],
    documents: int,
    seen: Sequence[str],
    digests: Sequence[str] = (),
) -> str:
    """The content of index/index.json for a run of this manifest, whose index files have these `digests`."""
    values = {
        "version": INDEX_VERSION,
        "run": digest_of([manifest["config_fingerprint"], manifest["inputs_fingerprint"], sorted(digests)]),
        "parameters": dict(parameters),
        "documents": documents,
        "seen": list(seen),
    }
    return json.dumps(values, indent=2, sort_keys=True, default=asdict) + "\n"


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Parameters as index.json holds them, those inside others under dotted names."""
    found: dict[str, str] = {}
    for name, value in json.loads(json.dumps(dict(parameters), default=asdict)).items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = json.dumps(value)
    return found


def read_manifest(root: Path, names: Sequence[str] = ("run.json",)) -> dict[str, Any]:
    """run.json of a finished run, or the first that is there of manifests of other `names` and the same shape.

    Raises:
        RunError: there is none, or it is no JSON object with the parts of one.
    """
    path = next((root / name for name in names if (root / name).is_file()), root / names[0])
    if not path.is_file() and any((root / name).is_file() for name in MANIFESTS):
        raise RunError(f"{root} holds a mix or ingested text, and no run; make it again from its sources")
    if not path.is_file():
        raise RunError(f"{root} holds no finished run (run.json is missing); give the folder of one, or finish it")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        settings = "recipe" if path.name == "mix.json" else "config"
        shape = (("files", list), ("sources", list), (settings, dict), ("execution", dict))
        if all(isinstance(manifest[name], kind) for name, kind in shape):
            return dict(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise RunError(f"{path} is damaged; `headwater verify {root}` says more")


def check_whole(root: Path) -> None:
    """Raise RunError where a take-down has begun and not ended."""
    if (root / JOURNAL).exists():
        raise RunError(
            f"{root}: a take-down of documents was interrupted here; run `headwater seen remove {root} --ids FILE` "
            "again (it goes on with what it had begun)"
        )


def _damage(root: Path, entry: Mapping[str, Any]) -> str | None:
    """What is other about a file than its manifest says. It is read in full: no worker meets damage later."""
    path = root / entry["path"]
    if path.stat().st_size != entry["bytes"]:
        return f"{path} has another size"
    return None if sha256_of(path) == entry["sha256"] else f"{path} has another sha256"


def read_index(folder: str | Path) -> RunIndex:
    """The index of a finished run, of a mix (its ledger) or of a folder of `headwater synthesize ingest`.

    Raises:
        RunError: there is no finished run, or its index is older, damaged or incomplete.
    """
    root = Path(folder)
    manifest = read_manifest(root, MANIFESTS)
    check_whole(root)
    if not (root / INDEX_FILE).is_file():
        raise RunError(f"{root} was made by an older release, whose index cannot be compared; curate it again")
    try:
        values = json.loads((root / INDEX_FILE).read_text(encoding="utf-8"))
        if values["version"] != INDEX_VERSION:
            found = values["version"]
            raise RunError(f"{root} has an index of version {found}, this release reads {INDEX_VERSION}; curate again")
        entries = [e for e in manifest["files"] if e["path"].startswith(("index/part-", TAKEN_DOWN_FILE))]
        index = RunIndex(
            root,
            str(values["run"]),
            dict(values["parameters"]),
            int(values["documents"]),
            tuple(values["seen"]),
            tuple(root / entry["path"] for entry in entries if entry["path"] != TAKEN_DOWN_FILE),
            next((root / entry["path"] for entry in entries if entry["path"] == TAKEN_DOWN_FILE), None),
        )
        damage = next((found for entry in entries if (found := _damage(root, entry))), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{root}: its index is damaged ({error}); `headwater verify {root}` says more") from None
    if damage:
        raise RunError(f"{damage} than its manifest says; `headwater verify {root}` says more")
    return index


def check_compatible(indexes: Sequence[RunIndex], parameters: Mapping[str, Any]) -> None:
    """Raise RunError where the keys of an index are not made as those of this run, or one run is named twice."""
    runs: dict[str, Path] = {}
    for index in indexes:
        if index.run in runs:
            raise RunError(f"{index.path} and {runs[index.run]} are the same run; name it once")
        runs[index.run] = index.path
        theirs, ours = _flat(index.parameters), _flat(parameters)
        different = [name for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)]
        if different:
            said = [f"its {name} is {theirs.get(name)}, here it is {ours.get(name)}" for name in different[:3]]
            more = f"; {len(different) - 3} more differ" if len(different) > 3 else ""
            raise RunError(
                f"{index.path} cannot be compared with this run: {'; '.join(said)}{more}; "
                "set policy.duplicates alike, or curate the earlier run again"
            )
