"""datatrove's four MinHash stages over JSON lines, with its defaults: 14x8, word 5-grams, xxh64, English.

Runs inside datatrove's own environment:

    python datatrove_minhash.py --input FOLDER --output FOLDER --result FILE [--workers 2]

One task a file and as many workers as asked. In datatrove's favour: processes are forked and so import nothing again,
and what is kept is written without compression. The ids of clusters are saved for the comparison (8 bytes for each
document in a cluster).
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def run(source: Path, output: Path, workers: int) -> dict[str, Any]:
    """All stages; returns CPU seconds by stage."""
    tasks = len(sorted(source.glob("*.jsonl")))
    config = MinhashConfig()  # 14 buckets of 8 hashes, word 5-grams, xxhash of 64 bits
    seconds: dict[str, float] = {"start": cpu_seconds()}

    def execute(name: str, steps: list[PipelineStep], tasks: int) -> None:
        before = cpu_seconds()
        LocalPipelineExecutor(
            steps, tasks=tasks, workers=workers, logging_dir=str(output / "logs" / name), start_method="fork"
        ).run()
        seconds[name] = cpu_seconds() - before

    read = JsonlReader(str(source), glob_pattern="*.jsonl")
    signatures, buckets, remove = (str(output / name) for name in ("signatures", "buckets", "remove"))
    execute("signature", [read, MinhashDedupSignature(signatures, config=config)], tasks)
    execute("buckets", [MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets)
    execute("cluster", [MinhashDedupCluster(buckets, remove, config=config, save_cluster_id=True)], 1)
    kept = JsonlWriter(str(output / "kept"), output_filename="${rank}.jsonl", compression=None)
    execute("filter", [read, MinhashDedupFilter(remove), kept], tasks)
    return {"cpu_by_stage": {name: round(value, 3) for name, value in seconds.items()}}


def clusters(source: Path, remove: Path) -> dict[str, int]:
    """Cluster by document id, out of the files that the third stage saves: (place in the file, cluster) pairs."""
    found: dict[str, int] = {}
    for rank, path in enumerate(sorted(source.glob("*.jsonl"))):
        with path.open(encoding="utf-8") as lines:
            ids = [json.loads(line)["id"] for line in lines]
        saved = remove / f"{rank:06d}.clusters"
        if saved.exists():
            found.update({ids[place]: cluster for place, cluster in struct.iter_unpack("<2I", saved.read_bytes())})
    return found


def signed(source: Path, signatures: Path) -> list[str]:
    """Ids of the documents that have a signature: those of five tokens and more."""
    found = []
    size = struct.calcsize("<8QI")
    for rank, path in enumerate(sorted(source.glob("*.jsonl"))):
        with path.open(encoding="utf-8") as lines:
            ids = [json.loads(line)["id"] for line in lines]
        data = (signatures / "bucket_000" / f"{rank:05d}.minhash.sig").read_bytes()
        found += [ids[struct.unpack_from("<I", data, at + size - 4)[0]] for at in range(0, len(data), size)]
    return found


def main() -> None:
    """Command line of the arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--read", action="store_true", help="only read the clusters of a finished run")
    options = parser.parse_args()
    if options.read:
        report: dict[str, Any] = {
            "clusters": clusters(options.input, options.output / "remove"),
            "signed": signed(options.input, options.output / "signatures"),
        }
    else:
        report = run(options.input, options.output, options.workers)
    options.result.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
