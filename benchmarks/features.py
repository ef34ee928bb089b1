"""CPU time of each text feature in milliseconds a page, on texts of the user's own.

    python benchmarks/features.py texts.jsonl [--column text] [--batch 256] [--rounds 3] [--limit 5000]

Reads JSON lines or Parquet. The best of the rounds counts, after native code has been loaded. `total` is the sum of
tokens, hashes, signatures and the signals of the profile `fineweb`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from detectors.api import run_detectors
from detectors.duplicates import Duplicates, content_hashes
from detectors.features import minhash
from detectors.features.tokens import Tokens, tokenise
from detectors.quality import c4, fineweb, gopher, refinedweb, repetition
from detectors.quality.detector import Quality


def read_texts(path: Path, column: str, limit: int) -> list[str]:
    """Texts of a file of JSON lines or Parquet."""
    if path.suffix == ".parquet":
        texts = pq.read_table(path, columns=[column]).column(0).to_pylist()
    else:
        with path.open(encoding="utf-8") as lines:
            texts = [json.loads(line).get(column) for line in lines]
    return [text for text in texts if text][:limit]


def steps() -> dict[str, Callable[[Tokens], object]]:
    """Steps that read the token array."""
    shape = minhash.SHAPES["14x8"]
    rules = c4.RULES["c4_fineweb"]

    def after_c4(found: Tokens) -> object:
        lines = c4.judge(found, rules)
        return c4.signals(found, rules, lines), fineweb.signals(found, lines)

    return {
        "content_hash": content_hashes,
        "minhash_14x8": lambda found: minhash.signatures(found, shape),
        "minhash_26x11": lambda found: minhash.signatures(found, minhash.SHAPES["26x11"]),
        **{f"repetition_{v}": lambda found, v=v: repetition.signals(found, v) for v in repetition.VARIANTS},  # type: ignore[misc]
        "gopher": gopher.signals,
        "c4_and_fineweb": after_c4,
        "refinedweb": refinedweb.signals,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--column", default="text")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    started = time.process_time()
    detectors = [Quality(("fineweb", "refinedweb"), variant="datatrove"), Duplicates()]
    for detector in detectors:
        detector.setup()
    loaded = time.process_time() - started
    texts = read_texts(options.path, options.column, options.limit)
    batches = [texts[i : i + options.batch] for i in range(0, len(texts), options.batch)]
    best: dict[str, float] = {}

    def measure(name: str, work: Callable[[], object]) -> None:
        begun = time.process_time()
        work()
        spent = (time.process_time() - begun) / len(texts) * 1000
        best[name] = min(best.get(name, spent), spent)

    whole = [Quality(("fineweb",)), Duplicates()]
    tables = [pa.record_batch({"text": batch}) for batch in batches]
    for _ in range(options.rounds):
        measure("tokens", lambda: [tokenise(batch) for batch in batches])
        arrays = [tokenise(batch) for batch in batches]
        for name, step in steps().items():
            measure(name, lambda step=step, arrays=arrays: [step(found) for found in arrays])  # type: ignore[misc]
        measure("detectors_from_arrow", lambda: [run_detectors(whole, table) for table in tables])
    parts = ("tokens", "content_hash", "minhash_14x8", "repetition_datatrove", "gopher", "c4_and_fineweb")
    best["total"] = sum(best[name] for name in parts)
    facts = {
        "pages": len(texts),
        "mean_chars": round(sum(map(len, texts)) / len(texts)),
        "load_seconds": round(loaded, 2),
        "ms_per_page": {name: round(value, 4) for name, value in best.items()},
    }
    for name, value in best.items():
        sys.stdout.write(f"{name:24s} {value:8.4f} ms/page\n")
    sys.stdout.write(f"{facts['pages']} pages, mean {facts['mean_chars']} characters, load {loaded:.2f} s\n")
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
