"""Extraction quality and cost of each choice of extractor.

    python benchmarks/extraction.py ARCHIVE... --truth gt.jsonl.xz [--extractors resiliparse,trafilatura] [--limit N]

Truth is JSON lines with `record_id`, `benchmark` and `text` or `must_contain` / `must_not_contain`. Word F1 is that of
word multisets, mean over pages, as WCXB scores it; snippet F1 counts wanted snippets found and unwanted snippets that
slipped in. Cost is CPU milliseconds a page of decode + parse + signals + text in one process, over the same pages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from statistics import mean
from typing import Any, TextIO

from warcio.archiveiterator import ArchiveIterator

from pipeline.extract.api import PageInput
from pipeline.extract.charset import decode
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import make_extractor

WORD = re.compile(r"\w+")


def open_lines(path: Path) -> TextIO:
    """Text of a plain, gzip or xz file."""
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def word_f1(got: str, truth: str) -> float:
    """F1 of two word multisets, case folded to lower."""
    a, b = Counter(WORD.findall(got.lower())), Counter(WORD.findall(truth.lower()))
    return 2 * (a & b).total() / (a.total() + b.total()) if a and b else float(not a and not b)


def read_pages(archives: list[Path], wanted: set[str], limit: int | None) -> Iterator[tuple[str, PageInput]]:
    """Records of the truth, in the order of the archives."""
    found = 0
    for archive in archives:
        with archive.open("rb") as stream:
            for record in ArchiveIterator(stream):
                name = record.rec_headers.get_header("WARC-Record-ID")
                if record.rec_type != "response" or name not in wanted:
                    continue
                headers = tuple(record.http_headers.headers)
                kind = Message()
                kind["content-type"] = record.http_headers.get_header("Content-Type") or ""
                url = record.rec_headers.get_header("WARC-Target-URI")
                yield name, PageInput(record.content_stream().read(), url, kind.get_content_charset(), headers)
                found += 1
                if limit and found >= limit:
                    return


class Tally:
    """Scores of one extractor."""

    def __init__(self) -> None:
        self.f1: dict[str, list[float]] = defaultdict(list)
        self.types: dict[str, list[float]] = defaultdict(list)
        self.snippets: dict[str, Counter[str]] = defaultdict(Counter)
        self.ms: list[float] = []
        self.base_ms: list[float] = []
        self.failed: Counter[str] = Counter()

    def add(self, text: str, truth: dict[str, Any]) -> None:
        """Score one page."""
        name = truth["benchmark"]
        if truth.get("text"):
            score = word_f1(text, truth["text"])
            self.f1[name].append(score)
            self.types[f"{name}/{truth.get('page_type') or '-'}"].append(score)
        flat = " ".join(text.split())
        count = self.snippets[name]
        for key, total, hit in (("must_contain", "wanted", "found"), ("must_not_contain", "unwanted", "slipped_in")):
            for snippet in truth.get(key) or ():
                count[total] += 1
                count[hit] += " ".join(snippet.split()) in flat

    def report(self) -> dict[str, Any]:
        """Figures by benchmark, and milliseconds."""
        by_name: dict[str, Any] = {}
        for name in sorted({*self.f1, *self.snippets}):
            count = self.snippets[name]
            precision = count["found"] / max(1, count["found"] + count["slipped_in"])
            recall = count["found"] / max(1, count["wanted"])
            by_name[name] = {
                "pages": len(self.f1[name]) or None,
                "word_f1": round(mean(self.f1[name]), 4) if self.f1[name] else None,
                "must_rate": round(recall, 4),
                "leak_rate": round(count["slipped_in"] / max(1, count["unwanted"]), 4),
                "snippet_f1": round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0,
            }
        return {
            "benchmarks": by_name,
            "page_types": {k: [round(mean(v), 4), len(v)] for k, v in sorted(self.types.items())},
            "ms": quantiles(self.ms),
            "failed": dict(self.failed),
        }


def quantiles(values: list[float]) -> dict[str, float]:
    """Mean, median, 99th percentile and maximum."""
    ordered = sorted(values) or [0.0]
    at = [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.99)]
    return {
        "mean": round(mean(ordered), 3),
        "p50": round(at[0], 3),
        "p99": round(at[1], 3),
        "max": round(ordered[-1], 3),
    }


def run(
    name: str, pages: list[tuple[str, PageInput]], truth: dict[str, list[dict[str, Any]]]
) -> tuple[dict[str, Any], str]:
    """Figures and version of one extractor."""
    extractor = make_extractor(name)
    extractor.setup()
    tally = Tally()
    for record_id, page in pages:
        began = time.process_time()
        try:
            text = extract_page(page, extractor).text
        except ExtractionError as error:
            tally.failed[error.code] += 1
            text = ""
        tally.ms.append(1000 * (time.process_time() - began))
        for row in truth[record_id]:
            tally.add(text, row)
    return tally.report(), extractor.version


class _NoText:
    """Everything but the text, to tell what the extractor alone costs."""

    name = "none"
    version = "1"

    def setup(self) -> None:
        """Nothing to load."""

    def text(self, html: str, tree: Any) -> str:
        """No text."""
        return ""


def base_cost(pages: list[tuple[str, PageInput]]) -> dict[str, dict[str, float]]:
    """Milliseconds of decoding, and of decode + parse + signals."""
    decoded, whole = [], []
    for _, page in pages:
        began = time.process_time()
        decode(page.body, page.charset)
        middle = time.process_time()
        try:
            extract_page(page, _NoText())
        except ExtractionError:
            pass
        decoded.append(1000 * (middle - began))
        whole.append(1000 * (time.process_time() - middle))
    return {"decode": quantiles(decoded), "decode_parse_signals": quantiles(whole)}


def main() -> int:
    """Print the table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--extractors", default="resiliparse,trafilatura")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path, default=Path("extraction.json"))
    options = parser.parse_args()
    truth: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with open_lines(options.truth) as lines:
        for line in lines:
            row = json.loads(line)
            truth[row["record_id"]].append(row)
    pages = list(read_pages(options.archives, set(truth), options.limit))
    size = mean(len(page.body) for _, page in pages) if pages else 0.0
    report: dict[str, Any] = {
        "pages": len(pages),
        "mean_bytes": round(size),
        "base_ms": base_cost(pages),
        "extractors": {},
    }
    out = sys.stdout
    out.write(f"{len(pages)} pages, mean {size / 1000:.0f} kB\n")
    for step, ms in report["base_ms"].items():
        out.write(
            f"{step:24} ms {ms['mean']:7.2f} mean {ms['p50']:7.2f} p50 {ms['p99']:7.1f} p99 {ms['max']:7.1f} max\n"
        )
    for name in options.extractors.split(","):
        figures, version = run(name, pages, truth)
        report["extractors"][name] = {"version": version, **figures}
        ms = figures["ms"]
        out.write(f"\n{name} ({version})\n")
        out.write(
            f"{'decode … text':24} ms {ms['mean']:7.2f} mean {ms['p50']:7.2f} p50"
            f" {ms['p99']:7.1f} p99 {ms['max']:7.1f} max\n"
        )
        for benchmark, row in figures["benchmarks"].items():
            f1 = "  -  " if row["word_f1"] is None else f"{row['word_f1']:.3f}"
            out.write(
                f"  {benchmark:14} word F1 {f1} ({row['pages'] or 0} pages)  snippet F1 {row['snippet_f1']:.3f}"
                f"  must {row['must_rate']:.3f}  leak {row['leak_rate']:.3f}\n"
            )
        out.write(
            "  " + ", ".join(f"{k} {v[0]:.3f} ({v[1]})" for k, v in figures["page_types"].items() if v[1] > 4) + "\n"
        )
        if figures["failed"]:
            out.write(f"  failed: {figures['failed']}\n")
        out.flush()
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
