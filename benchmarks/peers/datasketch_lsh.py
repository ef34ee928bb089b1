"""datasketch's own LSH over JSON lines: word 5-grams, 14 bands of 8, one process. To check clusters, not speed.

PYTHONPATH=benchmarks python -m peers.datasketch_lsh --input FOLDER --result FILE
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import xxhash
from datasketch import MinHash, MinHashLSH

from peers.exact import read_documents, shingles

BANDS, ROWS = 14, 8


def clusters(folder: Path) -> dict[str, str]:
    """Cluster by document id: each document is joined with all that LSH returns for it."""
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for name, text in read_documents(folder):
        grams = shingles(text)
        if not grams:
            continue
        signature = MinHash(num_perm=BANDS * ROWS, hashfunc=xxhash.xxh32_intdigest)
        signature.update_batch(grams)
        parent[name] = name
        for other in index.query(signature):
            parent[root(other)] = root(name)
        index.insert(name, signature, check_duplication=False)
    return {name: root(name) for name in parent}


def main() -> None:
    """Command line of the arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    options.result.write_text(json.dumps({"clusters": clusters(options.input)}))


if __name__ == "__main__":
    main()
