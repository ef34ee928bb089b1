"""Matching of millions of generated documents: time, memory, bytes shuffled, and whether planted clusters are found.

    python benchmarks/duplicates_scale.py --documents 1000000 [--shards 40] [--buckets 2] [--json FILE]

Writes the keys of staged shards (`benchmarks/planted.py`: no text; 14 bands, 50 to 60 shingles), runs the matching of
`headwater curate` on them in one process on Beam's local runner, and compares every verdict with the planted truth.
Half of the documents are alone; clusters have sizes of a power law, three hold a hundredth of the documents each.

Peak memory is that of the process that matches. Bytes are those of the Arrow batches that are handed to a shuffle, by
their columns. CPU seconds by function are its own, without those of listed functions that it calls; what no function
accounts for is Beam. The sketch of a real page has four bytes for each of up to 256 shingles: `docs/scaling.md`.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import inspect
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from peers.measure import run_measured
from planted import CAPTURES, Planted, numbers_of, plant, represents, write_shards

from pipeline.keys import read_arrow, write_arrow
from pipeline.packing import packed_bytes
from schemas.config import DuplicatePolicy

MODULES = (
    "pipeline.keys", "pipeline.packing", "pipeline.shuffle", "pipeline.seen", "pipeline.match", "pipeline.verify_pairs",
    "pipeline.equals", "pipeline.components", "pipeline.connect",
    "pipeline.clusters", "pipeline.cluster_split", "pipeline.large_clusters",
    "pipeline.dedup",
)  # fmt: skip
PAGE_BYTES = 20_000  # compressed, as `headwater curate` chooses the number of buckets by the bytes of its input


LOOK_SECONDS = 0.02


def resident_bytes() -> int:
    """Resident set of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Clock:
    """CPU seconds and calls by function, and bytes and rows that were packed, by columns. Safe for threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.packed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.resident: dict[str, int] = defaultdict(int)  # largest resident set seen as a function returned, bytes
        self._looked = 0.0
        self._lock = threading.Lock()
        self._local = threading.local()

    def timed(self, name: str, function: Callable[[], Any]) -> Any:
        """Result of the call, its time without that of inner calls under `name`."""
        stack = self._local.__dict__.setdefault("stack", [0.0])
        stack.append(0.0)
        began = time.thread_time()
        try:
            return function()
        finally:
            spent = time.thread_time() - began
            inner = stack.pop()
            stack[-1] += spent
            with self._lock:
                self.seconds[name] += spent - inner
                self.calls[name] += 1
                if time.monotonic() - self._looked > LOOK_SECONDS:
                    self._looked = time.monotonic()
                    self.resident[name] = max(self.resident[name], resident_bytes())

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock; the items of a generator are timed one by one."""
        name = f"{function.__module__.removeprefix('pipeline.')}.{function.__name__}"
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **options: Any) -> Iterator[Any]:
                items, end = function(*args, **options), object()
                while (item := self.timed(name, lambda: next(items, end))) is not end:
                    yield item

            return generate

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            result = self.timed(name, lambda: function(*args, **options))
            if name == "packing.pack":
                with self._lock:
                    entry = self.packed[", ".join(args[0].schema.names)]
                    entry[0] += packed_bytes(result)
                    entry[1] += args[0].num_rows
            return result

        return call

    def install(self) -> None:
        """Wrap every function of MODULES, in every one of them that has its name."""
        modules = []
        for name in MODULES:
            try:
                modules.append(importlib.import_module(name))
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
        wrapped: dict[Any, Callable[..., Any]] = {}
        for module in modules:
            for name, value in list(vars(module).items()):
                if inspect.isfunction(value) and value.__module__ in MODULES and name != "column":
                    setattr(module, name, wrapped.setdefault(value, self.wrap(value)))


def find(folder: Path, shards: int, buckets: int, policy: DuplicatePolicy) -> dict[str, Any]:
    """Run the matching over the shards in `folder` and leave the verdicts beside them; returns what it cost."""
    clock = Clock()
    clock.install()
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.decide import VERDICTS
    from pipeline.dedup import FindDuplicates
    from pipeline.job import LOCAL_RUNNER
    from pipeline.packing import gather, spilling, unpack

    def keep(shard: tuple[int, dict[str, Any]]) -> int:
        write_arrow(folder / f"{shard[0]}.verdicts.arrow", gather(shard[1]["verdicts"], VERDICTS))
        return sum(unpack(packed).num_rows for packed in shard[1]["matches"])  # as a run takes them, to be written

    started, used = time.monotonic(), time.process_time()
    local = PipelineOptions([f"--runner={LOCAL_RUNNER}"], save_main_session=False)
    with spilling(folder), beam.Pipeline(options=local) as pipeline:  # as on one machine
        numbered = pipeline | beam.Create([(shard, str(shard)) for shard in range(shards)])
        found = numbered | "FindDuplicates" >> FindDuplicates(str(folder), policy, buckets)
        _ = (
            {"verdicts": found["verdicts"], "matches": found["matches"]}
            | "ByShard" >> beam.CoGroupByKey()
            | "Keep" >> beam.Map(keep)
        )
    return {
        "wall": time.monotonic() - started,
        "cpu": time.process_time() - used,
        "cpu_by_function": dict(sorted(clock.seconds.items(), key=lambda item: -item[1])),
        "calls_by_function": dict(clock.calls),
        "resident_by_function": dict(clock.resident),
        "packed": {name: {"bytes": size, "rows": rows} for name, (size, rows) in clock.packed.items()},
    }


def check(planted: Planted, folder: Path) -> dict[str, Any]:
    """Compare every verdict with the planted clusters."""
    found = np.full(planted.documents, -1, np.int64)  # document that stands
    size, stands = np.zeros(planted.documents, np.int64), np.zeros(planted.documents, bool)
    kinds = np.zeros(planted.documents, np.int8)  # 1 exact, 2 near, 3 capture
    rows = 0
    for shard in range(planted.shards):
        path = folder / f"{shard}.verdicts.arrow"
        if not path.exists():
            continue
        verdicts = read_arrow(path)
        rows += verdicts.num_rows
        row = np.asarray(verdicts.column("reference").combine_chunks()) & np.uint64(0xFFFFFFFF)
        here = shard * planted.rows + row.astype(np.int64)
        found[here] = numbers_of(verdicts.column("canonical"))
        size[here] = np.asarray(verdicts.column("size"))
        stands[here] = np.asarray(verdicts.column("is_canonical"))
        for number, kind in enumerate(("exact_duplicate", "near_duplicate", "url_duplicate"), 1):
            kinds[here[np.asarray(pa.compute.equal(verdicts.column("kind"), kind))]] = number
    true_size = planted.sizes[planted.cluster]
    in_cluster = true_size > 1
    has = found >= 0
    same = has & (planted.cluster[np.maximum(found, 0)] == planted.cluster)
    everything = np.arange(planted.documents)
    of_kind = planted.kinds[planted.cluster]
    wanted = np.where(of_kind == CAPTURES, 3, np.where(represents(planted), 2, 1))
    wrong_kind = has & ~stands & (kinds != wanted)
    right = same & (size == true_size) & (stands == (found == everything))
    return {
        "verdicts": rows,
        "documents_in_clusters": int(in_cluster.sum()),
        "right": int((right & in_cluster).sum()),
        "missing": int((in_cluster & ~has).sum()),
        "in_a_cluster_but_alone": int((~in_cluster & has).sum()),
        "joined_to_another_cluster": int((has & ~same).sum()),
        "of_another_size": int((same & (size != true_size)).sum()),
        "of_another_kind": int(wrong_kind.sum()),
        "standing": int(stands.sum()),
        "clusters": int((planted.sizes > 1).sum()),
        "largest": int(planted.sizes.max()),
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--buckets", type=int, help="parts of a shuffle (default: as curate for pages of 20 kB)")
    parser.add_argument("--cluster-limit", type=int, default=2**31 - 1, help="policy.duplicates.cluster_limit")
    parser.add_argument("--keep", choices=["longest", "newest", "oldest"], default="longest")
    parser.add_argument("--work", type=Path, help="folder of the shards (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--find", type=Path, help=argparse.SUPPRESS)  # the measured child: result file
    return parser.parse_args(arguments)


def main() -> None:
    """Command line."""
    options = parse()
    from pipeline.curate import BUCKET_BYTES

    buckets = options.buckets or max(1, -(-options.documents * PAGE_BYTES // BUCKET_BYTES))
    policy = DuplicatePolicy(cluster_limit=options.cluster_limit, keep=options.keep)
    if options.find:
        options.find.write_text(json.dumps(find(options.work, options.shards, buckets, policy)))
        return
    planted = plant(options.documents, options.shards)
    work = Path(tempfile.mkdtemp(prefix="scale-", dir=options.work))
    try:
        began = time.monotonic()
        stored = write_shards(planted, work)
        _say(f"{planted.documents:,} documents, {stored / 1e6:,.0f} MB of keys, {time.monotonic() - began:.0f} s")
        child = [sys.executable, __file__, "--find", str(work / "result.json"), "--work", str(work)]
        for name in ("shards", "cluster_limit", "keep", "documents"):
            child += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
        usage = run_measured([*child, "--buckets", str(buckets)], os.environ, Path.cwd(), work / "log")
        found = json.loads((work / "result.json").read_text())
        truth = check(planted, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report = {
        "command": " ".join(sys.argv),
        "documents": options.documents,
        "shards": options.shards,
        "buckets": buckets,
        "keys_bytes": stored,
        "process": usage.plain(),
        "matching": found,
        "packed_bytes": sum(entry["bytes"] for entry in found["packed"].values()),
        "truth": truth,
        "load": os.getloadavg(),
    }
    print(render(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def render(report: dict[str, Any]) -> str:
    """The figures as text."""
    documents, found, truth = report["documents"], report["matching"], report["truth"]
    lines = [
        f"{documents:,} documents, {report['shards']} shards, {report['buckets']} buckets",
        f"matching: {found['wall']:.1f} s, {found['cpu']:.1f} CPU s ({1e6 * found['cpu'] / documents:.1f} us a "
        f"document), peak {report['process']['peak_process_bytes'] / 1e9:.2f} GB "
        f"({report['process']['peak_process_bytes'] / documents:.0f} bytes a document)",
        f"packed: {report['packed_bytes'] / 1e9:.2f} GB, {report['packed_bytes'] / documents:.0f} bytes a document",
    ]
    for name, entry in sorted(found["packed"].items(), key=lambda item: -item[1]["bytes"]):
        lines.append(
            f"  {entry['bytes'] / documents:8.1f} bytes and {entry['rows'] / documents:7.3f} rows a document: {name}"
        )
    lines.append("CPU seconds by function, and memory as it returned:")
    timed = sum(found["cpu_by_function"].values())
    resident = found["resident_by_function"]
    for name, seconds in list(found["cpu_by_function"].items())[:18]:
        calls, memory = found["calls_by_function"][name], resident.get(name, 0) / 1e9
        lines.append(f"  {seconds:8.2f}  {name} ({calls} calls; at most {memory:.2f} GB resident)")
    lines.append(f"  {found['cpu'] - timed:8.2f}  Beam and other threads")
    lines.append("truth: " + ", ".join(f"{name} {value:,}" for name, value in truth.items()))
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
