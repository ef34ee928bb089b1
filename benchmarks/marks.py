"""Marks, residue and evasion on archives: findings by rule and kind of page, hard ones by page, CPU time by detector.

    python benchmarks/marks.py ARCHIVE... [--index pages.jsonl.gz] [--json FILE]

Pages are extracted and annotated as `headwater score` does it, in one process. With an index (JSON lines with
`record_id` and `kind`), findings are counted by the kind of the page.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from detectors.api import FeatureCache
from detectors.features.shapes import shapes
from detectors.machine_translation.page_marks import HARD_NATS
from pipeline.annotate import annotator_for, batches, document_batch, open_split, read_outcomes
from pipeline.read.sources import list_sources, plan_splits
from schemas.config import CurateConfig

DETECTORS = (
    "language",  # the others read it
    "translation_marks",
    "translation_residue",
    "literal_translation",
    "ai_page_marks",
    "ai_artefacts",
    "evasion",
)


def main() -> int:
    """Print the tables; write them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kinds: dict[str, str] = {}
    if options.index:
        with gzip.open(options.index, "rt", encoding="utf-8") as lines:
            kinds = {row["record_id"]: row["kind"] for row in map(json.loads, lines)}
    config = CurateConfig()
    annotator = annotator_for(config)
    chosen = [detector for detector in annotator.detectors if detector.name in DETECTORS]
    pages: Counter[str] = Counter()
    found: Counter[tuple[str, str, str]] = Counter()  # rule, weight, kind
    spent: dict[str, float] = dict.fromkeys(DETECTORS, 0.0)
    hard: list[dict[str, Any]] = []
    for split in plan_splits(list_sources([str(path) for path in sorted(options.archives)]), 1 << 62):
        outcomes = read_outcomes(annotator, open_split(split, config), {}, None, filter_urls=False)
        for held, _ in batches(outcomes):
            if not held:
                continue
            batch = document_batch(held)
            features = FeatureCache(batch)
            shapes(features)  # shared work: tokens, and the columns that several detectors read
            names = [kinds.get(record or "", "page") for record in features.column("record_id")]
            pages.update(names)
            for column in ("url", "title", "page"):
                features.column(column)
            for detector in chosen:
                began = time.process_time()
                signals = detector(batch, features)
                spent[detector.name] += time.process_time() - began
                for name, values in signals.columns.items():
                    features.put(f"signal:{name}", values)
                for finding in signals.evidence:
                    rule, kind = f"{finding.detector}:{finding.signal}", names[finding.row]
                    found[rule, "none" if finding.weight is None else f"{finding.weight:g}", kind] += 1
                    if (finding.weight or 0.0) >= HARD_NATS:
                        hard.append({"rule": rule, "kind": kind, "url": features.column("url")[finding.row]})
    total = sum(pages.values())
    sys.stdout.write("pages: " + ", ".join(f"{count:,} {kind}" for kind, count in sorted(pages.items())) + "\n")
    for (rule, weight, kind), count in sorted(found.items()):
        sys.stdout.write(f"{count:6,}  {rule}  weight {weight}  {kind}\n")
    sys.stdout.write(
        f"hard: {len(hard)}\n" + "".join(f"  {one['rule']}  {one['kind']}  {one['url']}\n" for one in hard)
    )
    for name, seconds in spent.items():
        sys.stdout.write(f"{1000 * seconds / max(1, total):8.4f} ms a page  {name}\n")
    marks = sum(seconds for name, seconds in spent.items() if name != "language")
    sys.stdout.write(f"{1000 * marks / max(1, total):8.4f} ms a page  all but language\n")
    if options.json:
        rows = [{"rule": r, "weight": w, "kind": k, "findings": n} for (r, w, k), n in sorted(found.items())]
        report = {
            "pages": dict(pages),
            "found": rows,
            "hard": hard,
            "ms": {n: 1000 * s / total for n, s in spent.items()},
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
