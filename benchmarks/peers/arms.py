"""The arms of a comparison: how each is started, and what it says it did."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from peers.archives import Input
from peers.environments import (
    HERE,
    REPOSITORY,
    SINGLE_THREAD,
    datatrove_environment,
    datatrove_variables,
    headwater_command,
    headwater_python,
    package_versions,
)
from peers.headwater_config import write_config
from peers.measure import Usage, run_measured

DATATROVE = ("datatrove", "trafilatura", "resiliparse", "spacy", "numpy", "fasttext-numpy2-wheel", "warcio")
HEADWATER = ("headwater", "apache-beam", "resiliparse", "fasttext-new", "numpy", "numba", "pyarrow")
LIMITS = {"limit": [], "limit-all": ["--all-detectors"]}
ARMS = ("headwater", "datatrove-trafilatura", "datatrove-resiliparse", *LIMITS)
WORDS = {
    "headwater": "headwater curate, one worker",
    "datatrove-trafilatura": "datatrove, FineWeb's recipe with its own extractor",
    "datatrove-resiliparse": "datatrove, the same with resiliparse main content",
    "limit": "bare loop: page signals, text, language, quality signals, MinHash, Parquet",
    "limit-all": "bare loop with all of Headwater's detectors",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One contender: `command(input, output folder)` starts it, `counts(output folder)` reads what it did."""

    name: str
    command: Callable[[Input, Path], list[str]]
    counts: Callable[[Path], dict[str, Any]]
    variables: dict[str, str]
    versions: dict[str, str]

    def run(self, source: Input, folder: Path) -> tuple[Usage, dict[str, Any]]:
        """Run once in a fresh folder; the output is removed, the log stays."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        output = folder / "output"
        usage = run_measured(
            self.command(source, output), {**os.environ, **self.variables}, folder, folder.with_suffix(".log")
        )
        counts = self.counts(output)
        shutil.rmtree(folder)
        return usage, counts


def make_arms(names: list[str], environments: Path, work: Path, languages: str) -> list[Arm]:
    """The named arms, their environments in place."""
    # Headwater uses the URL lists that datatrove ships, so its environment is needed in any case.
    peer = datatrove_environment(environments)
    assets = next((peer.parents[1] / "lib").glob("python3*/site-packages/datatrove/assets"))
    config = write_config(work / "headwater.yaml", assets, languages)
    makers: dict[str, Callable[[], Arm]] = {"headwater": partial(_headwater, environments, config)}
    for extractor in ("trafilatura", "resiliparse"):
        makers[f"datatrove-{extractor}"] = partial(_datatrove, environments, peer, extractor, languages)
    for name, flags in LIMITS.items():
        makers[name] = partial(_bare_loop, name, environments, config, flags)
    return [makers[name]() for name in names]


def _headwater(environments: Path, config: Path) -> Arm:
    command = headwater_command(environments)

    def start(source: Input, output: Path) -> list[str]:
        files = [str(path) for path in source.files]
        return [str(command), "curate", *files, "--output", str(output), "--workers", "1", "--config", str(config)]

    def counts(output: Path) -> dict[str, Any]:
        total = json.loads((output / "run.json").read_text())["counts"]
        return {
            "read": total["pages"],
            "kept": total["kept"],
            "dropped": total["dropped"],
            "failed": total["failed"],
        }

    return Arm("headwater", start, counts, SINGLE_THREAD, package_versions(headwater_python(command), HEADWATER))


def _datatrove(environments: Path, python: Path, extractor: str, languages: str) -> Arm:
    def start(source: Input, output: Path) -> list[str]:
        folder = source.files[0].parent
        if sorted(folder.glob("*.gz")) != sorted(source.files):  # datatrove reads a folder
            folder = output.parent / "input"
            folder.mkdir()
            for number, path in enumerate(source.files):
                (folder / f"{number:05d}-{path.name}").symlink_to(path.resolve())
        script = [str(python), str(HERE / "datatrove_arm.py"), "--extractor", extractor, "--languages", languages]
        return [*script, "--input", str(folder), "--output", str(output), "--result", str(output / "result.json")]

    return Arm(
        f"datatrove-{extractor}", start, _result, datatrove_variables(environments), package_versions(python, DATATROVE)
    )


def _bare_loop(name: str, environments: Path, config: Path, flags: list[str]) -> Arm:
    python = headwater_python(headwater_command(environments))

    def start(source: Input, output: Path) -> list[str]:
        script = [str(python), str(HERE / "bare_loop.py"), *flags, "--config", str(config), "--output", str(output)]
        return [*script, *(str(path) for path in source.files)]

    variables = {**SINGLE_THREAD, "PYTHONPATH": str(REPOSITORY)}
    return Arm(name, start, _result, variables, package_versions(python, HEADWATER))


def _result(output: Path) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((output / "result.json").read_text())
    return counts
