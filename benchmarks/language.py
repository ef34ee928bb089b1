"""Language identification against labelled text: accuracy, macro recall and precision, CPU milliseconds a document.

    python benchmarks/language.py FILE.jsonl[.xz|.gz]... [--model PATH] [--sha256 HEX]

Rows hold `lang` and `text`. Codes are compared as ISO 639-3, script and region ignored, members of a macro-language
equal to it (`same_language`; hrv, srp and bos stay apart).
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detectors.language import Language
from detectors.language_codes import ISO_639_3, MACRO


def comparable(label: str | None) -> str:
    """The code that two labels of one language share: ISO 639-3, macro-language, `und` for none."""
    code = (label or "und").replace("_", "-").partition("-")[0].lower()
    code = ISO_639_3.get(code, code)
    macro = MACRO.get(code, code)
    return code if macro == "hbs" else macro


def open_text(path: Path) -> TextIO:
    """The file as text, decompressed by its suffix."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def measure(detector: Language, path: Path) -> dict[str, Any]:
    """Figures of one file."""
    with open_text(path) as file:
        rows = [json.loads(line) for line in file]
    seen: Counter[str] = Counter()
    said: Counter[str] = Counter()
    right: Counter[str] = Counter()
    start = time.process_time()
    answers = [detector.identify(row["text"])[0] for row in rows]
    seconds = time.process_time() - start
    for row, answer in zip(rows, answers, strict=True):
        truth, guess = comparable(row["lang"]), comparable(answer)
        seen[truth] += 1
        said[guess] += 1
        right[truth] += guess == truth
    recall = {k: right[k] / n for k, n in seen.items()}
    precision = [right[k] / said[k] for k in seen if said[k]]
    found = {k: v for k, v in recall.items() if v}
    return {
        "file": path.name,
        "rows": len(rows),
        "languages": len(seen),
        "languages_found": len(found),
        "accuracy": round(right.total() / max(1, len(rows)), 4),
        "accuracy_of_found": round(right.total() / max(1, sum(seen[k] for k in found)), 4),
        "recall_macro": round(sum(recall.values()) / max(1, len(seen)), 4),
        "precision_macro": round(sum(precision) / max(1, len(precision)), 4),
        "cpu_ms_per_document": round(seconds / max(1, len(rows)) * 1e3, 4),
        "weakest": sorted(((k, round(v, 2)) for k, v in found.items() if v < 1), key=lambda kv: (kv[1], kv[0]))[:12],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", default="lid176", help="lid176, or path or URL of a fastText model")
    parser.add_argument("--sha256", help="digest of the model; required with a URL")
    arguments = parser.parse_args()
    detector = Language(arguments.model, arguments.sha256)
    detector.setup()
    for path in arguments.files:
        sys.stdout.write(json.dumps(measure(detector, path)) + "\n")


if __name__ == "__main__":
    main()
