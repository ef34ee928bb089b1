"""Connected components on Beam: time, memory and growth of the hardest graphs, each compared with SciPy.

    python benchmarks/components.py [--graphs hub clique chain star random] [--buckets 1 8] [--workers 1 2] [--json F]

`hub`: 100,000 equal documents, each tied to the first. `clique`: the same, tied by a million random pairs. `chain` and
`star`: a million nodes. `random`: ten million edges among twelve million nodes, so that there is a giant component and
millions of small ones. Ids are random; edges are shuffled and turned, in 16 batches. Each graph is also run at a tenth
of its size; `growth` is the ratio of CPU seconds divided by ten. Labels must be exactly SciPy's: the smallest node.
Peaks are those of resident memory, of the driver and of the largest of its worker processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
BATCHES = 16
FULL = {"hub": 100_000, "clique": 100_000, "chain": 1_000_000, "star": 1_000_000, "random": 10_000_000}


def make_graph(name: str, size: int) -> tuple[U64, U64]:
    """Edges of a graph, in random order and direction. `size`: nodes; edges, for `random`."""
    rng = np.random.default_rng(7)
    nodes = size * 12 // 10 if name == "random" else size
    ids = rng.permutation(nodes).astype(np.uint64) * np.uint64(977)
    if name in ("hub", "star"):
        left, right = ids[1:], np.repeat(ids[:1], nodes - 1)
    elif name == "chain":
        left, right = ids[:-1], ids[1:]
    else:
        count = size if name == "random" else 10 * size
        left, right = ids[rng.integers(0, nodes, count)], ids[rng.integers(0, nodes, count)]
    order = rng.permutation(len(left))
    turned = rng.random(len(left)) < 0.5
    left, right = left[order], right[order]
    return np.where(turned, right, left), np.where(turned, left, right)


def compare_with_scipy(edges: tuple[U64, U64], node: U64, label: U64) -> bool:
    """Whether each node but the smallest of its component has exactly that as its label."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes, index = np.unique(np.concatenate(edges), return_inverse=True)
    half = len(edges[0])
    graph = coo_array((np.ones(half, np.int8), (index[:half], index[half:])), shape=(len(nodes),) * 2)
    count, component = connected_components(graph, directed=False)
    smallest = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, component, nodes)
    want = smallest[component]
    others = want != nodes
    order = np.argsort(node)
    return bool(np.array_equal(node[order], nodes[others]) and np.array_equal(label[order], want[others]))


def write_batches(folder: Path, edges: tuple[U64, U64]) -> list[str]:
    """One file for each batch, as stages before would leave them."""
    paths = []
    for number, cut in enumerate(np.array_split(np.arange(len(edges[0])), BATCHES)):
        paths.append(str(folder / f"edges{number}.npy"))
        np.save(paths[-1], np.stack([edges[0][cut], edges[1][cut]]))
    return paths


class _PeakOfChildren(threading.Thread):
    """Largest peak of resident memory of the processes under this one, in bytes, while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        own = os.getpid()
        while not self.is_over.wait(0.2):
            parents: dict[int, int] = {}
            peaks: dict[int, int] = {}
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        status = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines())
                        parents[int(entry.name)] = int(status["PPid"])
                        peaks[int(entry.name)] = int(status["VmHWM"].split()[0]) * 1024
                    except (OSError, KeyError, ValueError):
                        continue
            for process, peak in peaks.items():
                above = parents.get(process)
                while above not in (None, 0, own):
                    above = parents.get(above)
                if above == own:
                    self.bytes = max(self.bytes, peak)


def run_pipeline(folder: Path, buckets: int, workers: int, paths: list[str]) -> dict[str, Any]:
    """The transform alone, in this process; labels are left in `folder`."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.connect import ConnectedComponents, edge_table
    from pipeline.packing import pack

    flags = ["--runner=FnApiRunner"]
    if workers > 1:
        flags += [f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"]

    def read(path: str) -> bytes:
        left, right = np.load(path)
        return pack(edge_table(left, right))

    def keep_labels(bucket: tuple[int, Any]) -> None:
        np.save(folder / f"labels{bucket[0]}.npy", np.stack([np.asarray(c) for c in bucket[1].columns]))

    def keep_rounds(statistics: tuple[int, int, int]) -> None:
        (folder / f"round{statistics[0]:02d}.json").write_text(json.dumps(statistics))

    children = _PeakOfChildren()
    children.start()
    began, cpu = time.monotonic(), os.times()
    with beam.Pipeline(options=PipelineOptions(flags)) as p:
        found = p | beam.Create(paths) | "Read" >> beam.Map(read) | ConnectedComponents(buckets)
        _ = found.labels | "KeepLabels" >> beam.Map(keep_labels)
        _ = found.rounds | "KeepRounds" >> beam.Map(keep_rounds)
    wall, after = time.monotonic() - began, os.times()
    children.is_over.set()
    children.join()
    return {
        "wall": wall,
        "cpu": sum(after[:4]) - sum(cpu[:4]),
        "driver_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker_mb": children.bytes / 2**20 or None,
    }


def measure(name: str, size: int, buckets: int, workers: int) -> dict[str, Any]:
    """One run in a process of its own, compared with SciPy in this one."""
    with tempfile.TemporaryDirectory(prefix="headwater-components-") as temporary:
        folder = Path(temporary)
        edges = make_graph(name, size)
        paths = write_batches(folder, edges)
        command = [sys.executable, __file__, "--child", str(folder), str(buckets), str(workers), *paths]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        rounds = [json.loads(path.read_text()) for path in sorted(folder.glob("round*.json"))]
        labels = np.concatenate([np.load(path) for path in folder.glob("labels*.npy")], axis=1)
        is_right = compare_with_scipy(edges, labels[0], labels[1])
    row |= {"graph": name, "edges": len(edges[0]), "buckets": buckets, "workers": workers, "is_right": is_right}
    row |= {"rounds": len(rounds), "edges_by_round": [r[1] for r in rounds]}
    return row


def main() -> None:
    """Run all, smallest first."""
    if sys.argv[1:2] == ["--child"]:
        folder, buckets, workers, *paths = sys.argv[2:]
        print(json.dumps(run_pipeline(Path(folder), int(buckets), int(workers), paths)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", nargs="+", choices=list(FULL), default=list(FULL))
    parser.add_argument("--buckets", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--tenths", nargs="+", type=int, default=[1, 10], help="sizes, in tenths of the full one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print("graph       edges buckets workers rounds  wall s  cpu s  driver MB  worker MB  growth  as SciPy")
    for name in options.graphs:
        for buckets in options.buckets:
            for workers in options.workers:
                small = None
                for tenths in options.tenths:
                    row = measure(name, FULL[name] * tenths // 10, buckets, workers)
                    small = small or row
                    row["growth"] = row["cpu"] / small["cpu"] * small["edges"] / row["edges"]
                    rows.append(row)
                    print(
                        f"{name:7} {row['edges']:>9,} {buckets:7} {workers:7} {row['rounds']:6} {row['wall']:7.1f} "
                        f"{row['cpu']:6.1f} {row['driver_mb']:10,.0f} {row['worker_mb'] or 0:10,.0f} "
                        f"{row['growth']:7.2f}  {row['is_right']}",
                        flush=True,
                    )
                    if options.json:
                        options.json.write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=2) + "\n")
    if not all(row["is_right"] for row in rows):
        raise SystemExit("labels differ from SciPy's")


if __name__ == "__main__":
    main()
