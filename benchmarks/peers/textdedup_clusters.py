"""Clusters that a run of `text_dedup.minhash --debug` left, as JSON. Runs inside text-dedup's own environment.

python textdedup_clusters.py --output FOLDER --result FILE
"""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    with (options.output / "uf.pkl").open("rb") as source:
        union = pickle.load(source)  # noqa: S301 (the run before wrote it)
    options.result.write_text(json.dumps({"clusters": {name: union.find(name) for name in list(union.parent)}}))


if __name__ == "__main__":
    main()
