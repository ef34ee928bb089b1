"""Accuracy of `pipeline.extract.charset` by encoding.

    python benchmarks/charset.py FOLDER [--json FILE]

FOLDER holds `index.jsonl.gz` (file, encoding_label). A file counts as right when the decoded text equals the text
that the labelled codec gives, after NUL and the byte order mark are removed. No label is passed: this measures
detection alone. A second figure passes the label as the HTTP charset.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from pipeline.extract.charset import decode


def truth(body: bytes, label: str) -> str:
    """Text under the labelled codec, as `decode` would clean it."""
    return body.decode(label, "replace").replace("\x00", "").removeprefix("\ufeff")


def measure(folder: Path) -> dict[str, dict[str, object]]:
    """Files, right without and with a label, and milliseconds of CPU, by encoding."""
    table: dict[str, dict[str, object]] = {}
    counts: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])
    chosen: dict[str, list[str]] = defaultdict(list)
    with gzip.open(folder / "index.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            body = (folder / row["file"]).read_bytes()
            want = truth(body, row["encoding_label"])
            began = time.process_time()
            got = decode(body, None)
            took = time.process_time() - began
            labelled = decode(body, row["encoding_label"])
            count = counts[row["encoding_label"]]
            count[0] += 1
            count[1] += got.text == want
            count[2] += labelled.text == want
            count[3] += 1000 * took
            chosen[row["encoding_label"]].append(got.encoding)
    for label, (files, right, with_label, ms) in sorted(counts.items()):
        table[label] = {
            "files": int(files),
            "right": int(right),
            "right_with_label": int(with_label),
            "ms": round(ms / files, 3),
            "detected_as": chosen[label],
        }
    return table


def main() -> int:
    """Print the table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = measure(options.folder)
    out = sys.stdout
    out.write(f"{'encoding':16} {'files':>5} {'right':>5} {'with label':>10}  detected as\n")
    for label, row in table.items():
        names = ", ".join(row["detected_as"])  # type: ignore[arg-type]
        out.write(f"{label:16} {row['files']:5} {row['right']:5} {row['right_with_label']:10}  {names}\n")
    total = {key: sum(int(row[key]) for row in table.values()) for key in ("files", "right", "right_with_label")}  # type: ignore[call-overload]
    out.write(f"{'all':16} {total['files']:5} {total['right']:5} {total['right_with_label']:10}\n")
    if options.json:
        options.json.write_text(json.dumps({"by_encoding": table, "all": total}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
