"""The arms of the comparison of duplicates: how each is started, and the clusters that it found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.environments import (
    HERE,
    SINGLE_THREAD,
    datatrove_environment,
    datatrove_variables,
    headwater_command,
    package_versions,
    textdedup_environment,
)
from peers.measure import Usage, run_measured

Clusters = dict[str, Any]  # cluster by document id
ARMS = ("headwater", "headwater-compatible", "datatrove", "text-dedup", "datasketch")
WORDS = {
    "headwater": "headwater duplicates, defaults: exact, then 14x8, candidates verified at a similarity of 0.75",
    "headwater-compatible": "headwater duplicates with datatrove's signatures, nothing verified",
    "datatrove": "datatrove's four MinHash stages, 14x8, its defaults",
    "text-dedup": "text_dedup.minhash, 14x8, xxh3, clusters unverified",
    "datasketch": "datasketch MinHashLSH, 14x8, clusters unverified, one process",
}
# datatrove verifies nothing and compares MinHash alone; no cluster of it is ever split.
COMPATIBLE = {
    "policy": {
        "duplicates": {
            "scheme": "datatrove",
            "shape": "14x8",
            "url": False,
            "exact": False,
            "verify": False,
            "cluster_limit": 2**31 - 1,
        }
    }
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One contender: `command(corpus, output)` starts it, `clusters(corpus, output)` reads what it found."""

    name: str
    command: Callable[[Path, Path], list[str]]
    clusters: Callable[[Path, Path], Clusters]
    figures: Callable[[Path], dict[str, Any]]
    variables: Mapping[str, str]
    versions: dict[str, str]

    def run(self, corpus: Path, folder: Path) -> tuple[Usage, Clusters, dict[str, Any]]:
        """Run once in a fresh folder; the output is removed, the log stays."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        output = folder / "output"
        usage = run_measured(
            self.command(corpus, output), {**os.environ, **self.variables}, folder, folder.with_suffix(".log")
        )
        found, figures = self.clusters(corpus, output), self.figures(output)
        figures["output_bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        return usage, found, figures


def make_arms(names: list[str], environments: Path, work: Path, workers: int) -> list[Arm]:
    """The named arms, their environments in place."""
    makers: dict[str, Callable[[], Arm]] = {
        "headwater": lambda: _headwater("headwater", environments, None, workers),
        "headwater-compatible": lambda: _headwater(
            "headwater-compatible", environments, _write(work / "compatible.yaml", COMPATIBLE), workers
        ),
        "datatrove": lambda: _datatrove(environments, workers),
        "text-dedup": lambda: _textdedup(environments, workers),
        "datasketch": _datasketch,
    }
    return [makers[name]() for name in names]


def _headwater(name: str, environments: Path, config: Path | None, workers: int) -> Arm:
    program = headwater_command(environments)
    settings = ["--config", str(config)] if config else []

    def command(corpus: Path, output: Path) -> list[str]:
        files = [str(path) for path in sorted(corpus.glob("*.jsonl"))]
        start = [str(program), "duplicates", *files, "--output", str(output)]
        return [*start, "--workers", str(workers), "--quiet", *settings]

    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return Arm(name, command, _headwater_clusters, _headwater_figures, SINGLE_THREAD, {"headwater": version})


def _headwater_clusters(corpus: Path, output: Path) -> Clusters:
    import pyarrow.parquet as pq

    table = pq.read_table(output / "clusters.parquet", columns=["record_id", "cluster_id"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _headwater_figures(output: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    return {"verified_pairs": pq.read_metadata(output / "pairs.parquet").num_rows}


def _datatrove(environments: Path, workers: int) -> Arm:
    python = datatrove_environment(environments)
    start = [str(python), str(HERE / "datatrove_minhash.py")]

    def command(corpus: Path, output: Path) -> list[str]:
        places = ["--input", str(corpus), "--output", str(output), "--result", str(output) + ".json"]
        return [*start, *places, "--workers", str(workers)]

    def clusters(corpus: Path, output: Path) -> Clusters:
        result = Path(f"{output}.clusters.json")
        places = ["--input", str(corpus), "--output", str(output), "--result", str(result)]
        return _read([*start, *places, "--read"], datatrove_variables(environments), result)

    def figures(output: Path) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(Path(f"{output}.json").read_text())
        known["signed"] = len(json.loads(Path(f"{output}.clusters.json").read_text())["signed"])
        return known

    versions = package_versions(python, ("datatrove", "spacy", "xxhash", "numpy"))
    return Arm("datatrove", command, clusters, figures, datatrove_variables(environments), versions)


def _textdedup(environments: Path, workers: int) -> Arm:
    python = textdedup_environment(environments)
    variables = {**SINGLE_THREAD, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

    def command(corpus: Path, output: Path) -> list[str]:
        read = ["--path", "json", "--data_files", f"{corpus}/*.jsonl", "--split", "train", "--column", "text"]
        shape = ["--num_perm", "112", "--b", "14", "--r", "8", "--ngram", "5", "--hash_func", "xxh3"]
        places = ["--idx_column", "id", "--debug", "--output", str(output), "--cache_dir", str(output) + ".cache"]
        return [str(python), "-m", "text_dedup.minhash", *read, *shape, *places, "--num_proc", str(workers)]

    def clusters(corpus: Path, output: Path) -> Clusters:
        result = Path(f"{output}.clusters.json")
        script = [str(python), str(HERE / "textdedup_clusters.py")]
        return _read([*script, "--output", str(output), "--result", str(result)], variables, result)

    versions = package_versions(python, ("text-dedup", "datasets", "xxhash", "numpy"))
    return Arm("text-dedup", command, clusters, lambda output: {}, variables, versions)


def _datasketch() -> Arm:
    start = [sys.executable, "-m", "peers.datasketch_lsh"]

    def command(corpus: Path, output: Path) -> list[str]:
        return [*start, "--input", str(corpus), "--result", str(output) + ".json"]

    def clusters(corpus: Path, output: Path) -> Clusters:
        found: Clusters = json.loads(Path(f"{output}.json").read_text())["clusters"]
        return found

    variables = {**SINGLE_THREAD, "PYTHONPATH": str(HERE.parent)}
    versions = package_versions(Path(sys.executable), ("datasketch", "xxhash", "numpy"))
    return Arm("datasketch", command, clusters, lambda output: {}, variables, versions)


def _read(command: list[str], variables: Mapping[str, str], result: Path) -> Clusters:
    subprocess.run(command, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL)
    found: Clusters = json.loads(result.read_text())["clusters"]
    return found


def _write(path: Path, values: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(values, indent=1))  # JSON is YAML
    return path
