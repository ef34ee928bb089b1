"""Compares MinHash signatures of the scheme `datatrove` with those that datatrove makes, text by text.

    python benchmarks/datatrove_signatures.py TEXTS... --peer ENVIRONMENT/bin/python [--limit 2000] [--column text]

TEXTS are files of JSON lines, plain, .gz or .xz. `--peer` is the Python of an environment with datatrove and spaCy
(benchmarks/peers/README.md says how to make one). The same number of texts is taken from each file. Prints how many
signatures are equal and the CPU time of either; exit code 1 where one differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np

from detectors.features import datatrove_minhash
from detectors.features.minhash import PRESETS

PEER = """
import json, sys, time
from importlib.metadata import version
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
import numpy as np
texts = json.load(sys.stdin)
step = MinhashDedupSignature(".", MinhashConfig(num_buckets=int(sys.argv[1]), hashes_per_bucket=int(sys.argv[2])))
step.get_shingles("warm up")
found, began = [], time.process_time()
for text in texts:
    shingles = step.get_shingles(text)
    found.append([v for row in step.get_signature(shingles) for v in row] if shingles.size else None)
print(json.dumps({"seconds": time.process_time() - began, "signatures": found, "version": version("datatrove")}))
"""


def read_texts(path: Path, column: str, limit: int) -> list[str]:
    """The first texts of a file of JSON lines."""
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = (json.loads(line).get(column) for line in lines)
        return list(islice((text for text in rows if text), limit))


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--peer", required=True)
    parser.add_argument("--limit", type=int, default=2000)
    parser.add_argument("--column", default="text")
    parser.add_argument("--preset", choices=list(PRESETS), default="fineweb")
    options = parser.parse_args()
    each = -(-options.limit // len(options.paths))
    texts = [text for path in options.paths for text in read_texts(path, options.column, each)][: options.limit]
    shape = PRESETS[options.preset]
    peer = subprocess.run(
        [options.peer, "-c", PEER, str(shape.bands), str(shape.rows)],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(peer.stdout.splitlines()[-1])
    tokenizer = datatrove_minhash.Tokenizer(datatrove_minhash.load_tokenizer())
    datatrove_minhash.signatures(["one two three four five"], tokenizer, shape)
    began = time.process_time()
    found, valid = datatrove_minhash.signatures(texts, tokenizer, shape)
    seconds = time.process_time() - began
    equal = sum(
        not ours if theirs is None else bool(ours) and np.array_equal(row, np.array(theirs, np.uint64))
        for row, ours, theirs in zip(found, valid, answer["signatures"], strict=True)
    )
    print(f"datatrove {answer['version']}, {shape}: {equal} of {len(texts)} signatures are equal")
    print(f"{sum(map(len, texts)) / len(texts):.0f} characters a text, {int((~valid).sum())} texts too short for one")
    for name, spent in (("ours", seconds), ("datatrove", answer["seconds"])):
        print(f"{name:10} {1000 * spent / len(texts):8.3f} ms a text")
    return 0 if equal == len(texts) else 1


if __name__ == "__main__":
    sys.exit(main())
