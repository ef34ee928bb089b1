"""Polarity triplets: how many and how fast, a sample to read, and the precision of what was read.

    python benchmarks/polarity.py mine INPUT... --output triplets.parquet
    python benchmarks/polarity.py sample triplets.parquet --output sample.jsonl [--each 150] [--parents ids.txt]
    python benchmarks/polarity.py score judged.jsonl

`sample` writes triplets in a random order, each with `"verdict": ""`. A reader writes one of: good, anchor (not
well-formed), positive (not the same meaning, or not well-formed), negative (likewise, not the opposite). `score` gives
the share of good ones with Wilson's interval at 95 %, by language and by pattern.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.synthesize.polarity_files import Options, list_inputs, read_rows
from pipeline.synthesize.polarity_job import Caps, synthesize_polarity
from pipeline.synthesize.polarity_language import languages

VERDICTS = ("good", "anchor", "positive", "negative")


def wilson(good: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share (Wilson 1927)."""
    share = good / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return middle - half, min(1.0, middle + half)


def mine(inputs: list[str], output: str, per_document: int, pattern_share: float) -> None:
    """Write triplets in one process and print counts, and MB of UTF-8 a second of CPU time, reading included."""
    files, options = list_inputs(inputs), Options(languages())
    size = Counter[str]()
    for path in files:
        for row in read_rows(path, options):
            size[row["language"]] += len(row["text"].encode("utf-8", "replace"))
    begin = time.process_time()
    result = synthesize_polarity(files, output, options, caps=Caps(per_document, 100, pattern_share))
    seconds = time.process_time() - begin
    for code in options.languages:
        print(f"{code}: {size[code] / 1e6:.1f} MB, {result.documents.get(code, 0)} documents, "
              f"{result.found.get(code, 0)} found, {result.written.get(code, 0)} written")  # fmt: skip
        for (held, pattern), number in sorted(result.patterns.items(), key=lambda item: (-item[1], item[0])):
            if held == code:
                print(f"    {pattern:<24}{number:>6}")
    print(f"{sum(size.values()) / 1e6 / seconds:.2f} MB/s of one core")


def sample(path: str, output: str, each: int, parents: str | None, seed: int) -> None:
    """Draw triplets to read."""
    wanted = set(Path(parents).read_text(encoding="utf-8").split()) if parents else None
    columns = ["id", "language", "pattern", "template", "parent", "anchor", "positive", "negative"]
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(path, columns=columns).to_pylist():
        if wanted is None or row["parent"] in wanted:
            rows[row["language"]].append(row)
    with open(output, "w", encoding="utf-8") as sink:
        for code in sorted(rows):
            held = sorted(rows[code], key=lambda row: row["id"])
            for row in random.Random(seed).sample(held, min(each, len(held))):
                sink.write(json.dumps({**row, "verdict": ""}, ensure_ascii=False) + "\n")


def score(path: str) -> None:
    """Print the precision of a judged sample."""
    groups: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["verdict"] not in VERDICTS:
            raise SystemExit(f"{row['id']}: verdict {row['verdict']!r} is none of {', '.join(VERDICTS)}")
        for key in ((row["language"], ""), (row["language"], row["pattern"])):
            groups[key][row["verdict"]] += 1
    for (code, pattern), verdicts in sorted(groups.items()):
        total = sum(verdicts.values())
        low, high = wilson(verdicts["good"], total)
        faults = ", ".join(f"{name} {verdicts[name]}" for name in VERDICTS[1:] if verdicts[name])
        print(f"{code} {pattern or 'all':<24}{verdicts['good']:>5} of {total:>4}  {verdicts['good'] / total:.3f} "
              f"({low:.3f} to {high:.3f})  {faults}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("mine")
    one.add_argument("inputs", nargs="+")
    one.add_argument("--output", required=True)
    one.add_argument("--per-document", type=int, default=5)
    one.add_argument("--pattern-share", type=float, default=0.5)
    two = commands.add_parser("sample")
    two.add_argument("triplets")
    two.add_argument("--output", required=True)
    two.add_argument("--each", type=int, default=150)
    two.add_argument("--parents", help="file of ids, one a line: triplets of these documents alone")
    two.add_argument("--seed", type=int, default=1)
    commands.add_parser("score").add_argument("judged")
    given = parser.parse_args()
    if given.command == "mine":
        mine(given.inputs, given.output, given.per_document, given.pattern_share)
    elif given.command == "sample":
        sample(given.triplets, given.output, given.each, given.parents, given.seed)
    else:
        score(given.judged)


if __name__ == "__main__":
    main()
