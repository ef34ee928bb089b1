"""What the local engine does with memory and cores: one command, a table, a JSON file.

    python benchmarks/engine.py ARCHIVE... [--copies 1 8] [--workers 1 2] [--rounds 3] [--json FILE]

`memory`: peak resident size of the largest process on one and on eight copies of the archives. Copies differ: every
address gets its own host, and the letters of every text node are shuffled by another alphabet, so that nothing is
a duplicate of another copy. `workers`: wall time with one and with two workers, and the time from the command to the
first staged page. Runs are interleaved.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import tempfile
import time
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from isal import igzip
from peers.measure import run_measured
from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

HEADWATER = shlex.split(os.environ.get("HEADWATER", "headwater"))
TEXT_NODE = re.compile(rb">[^<]{12,}<")
LETTERS = b"abcdefghijklmnopqrstuvwxyz"


def copy_archive(source: Path, target: Path, number: int) -> None:
    """The responses of an archive under other hosts and with other letters in every text node."""
    shuffled = bytearray(LETTERS)
    random.Random(number).shuffle(shuffled)
    table = bytes.maketrans(LETTERS, bytes(shuffled))
    plain = target.with_suffix("")
    with source.open("rb") as stream, plain.open("wb") as sink:
        writer = WARCWriter(sink, gzip=False)
        offsets = [0]
        for record in ArchiveIterator(stream):
            if record.rec_type != "response":
                continue
            url = record.rec_headers.get_header("WARC-Target-URI") or "http://none.example/"
            body = record.content_stream().read()
            body = TEXT_NODE.sub(lambda match: match.group().translate(table), body)
            url = re.sub(r"^(\w+://)", rf"\g<1>copy{number}.", url)
            date = record.rec_headers.get_header("WARC-Date")
            copied = writer.create_warc_record(
                url, "response", payload=BytesIO(body), http_headers=record.http_headers,
                warc_headers_dict={"WARC-Date": date} if date else {},
            )  # fmt: skip
            writer.write_record(copied)
            offsets.append(sink.tell())
    with plain.open("rb") as stream, target.open("wb") as sink:
        for begin, end in pairwise(offsets):
            sink.write(igzip.compress(stream.read(end - begin), 1))
    plain.unlink()


def first_staged_seconds(archives: list[Path], folder: Path) -> float:
    """Seconds from the command to the first shard that is complete."""
    out = folder / "first"
    began = time.monotonic()
    process = subprocess.Popen([*HEADWATER, "curate", *map(str, archives), "--output", str(out), "--quiet"])
    while process.poll() is None and not list(out.glob("_work/staged/*.json")):
        time.sleep(0.02)
    seconds = time.monotonic() - began
    process.terminate()
    process.wait()
    return seconds


def measure(archives: list[Path], folder: Path, workers: int, name: str) -> dict[str, float]:
    """CPU and wall seconds and the largest process of one run."""
    out = folder / name
    command = [*HEADWATER, "curate", *map(str, archives), "--output", str(out), "--workers", str(workers), "--quiet"]
    usage = run_measured(command, os.environ, folder, folder / f"{name}.log")
    pages = json.loads((out / "run.json").read_text())["counts"]["pages"]
    subprocess.run(["rm", "-rf", str(out)], check=True)
    return {"pages": pages, "cpu": usage.cpu, "wall": usage.wall, "peak_mb": usage.peak_process_bytes / 2**20}


def main() -> None:
    """Run both measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=lambda text: Path(text).resolve())
    parser.add_argument("--copies", nargs="*", type=int, default=[1, 8])
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="headwater-engine-"))
    work.mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {"archives": len(options.archives), "cores": os.cpu_count()}
    if options.workers:
        rows: dict[int, list[dict[str, float]]] = {count: [] for count in options.workers}
        for number in range(options.rounds):
            for count in options.workers:
                rows[count].append(measure(options.archives, work, count, f"w{count}-{number}"))
        walls = {count: statistics.median(row["wall"] for row in rows[count]) for count in rows}
        first = statistics.median(first_staged_seconds(options.archives, work / f"f{n}") for n in range(options.rounds))
        result["workers"] = {str(count): rows[count] for count in rows}
        result["speedup"] = {str(c): walls[options.workers[0]] / walls[c] for c in rows}
        result["first_staged_seconds"] = first
        for count, wall in walls.items():
            print(f"{count} workers: {wall:.1f} s wall, {walls[options.workers[0]] / wall:.2f} times one")
        print(f"first staged page after {first:.1f} s")
    if options.copies:
        peaks = {}
        for copies in options.copies:
            made = []
            for number in range(copies):
                for source in options.archives:
                    target = work / f"copy{number}-{source.name.removesuffix('.gz')}.gz"
                    if not target.exists():
                        copy_archive(source, target, number)
                    made.append(target)
            row = measure(made, work, max(options.workers or [2]), f"c{copies}")
            peaks[str(copies)] = row
            print(f"{copies} copies: {row['pages']:,.0f} pages, largest process {row['peak_mb']:.0f} MB")
        result["copies"] = peaks
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
