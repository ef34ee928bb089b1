"""Extraction quality and cost of Headwater's extractors and of what others ship.

    python benchmarks/extraction.py ARCHIVE... --truth gt.jsonl.xz [--arms blocks,resiliparse-stock] [--limit N]
    python benchmarks/extraction.py ARCHIVE... --truth gt.jsonl.xz --cost-index pages.jsonl.gz --kinds wild --rounds 3
    python benchmarks/extraction.py --large

Truth is JSON lines with `record_id`, `benchmark` and `text` or `must_contain` / `must_not_contain`. Word F1 is that of
word multisets, mean over pages, as WCXB scores it; snippet F1 counts wanted snippets found and unwanted snippets that
slipped in.

Cost is CPU time of one thread, page by page: everything from bytes to text, title and signals for Headwater's arms;
decoding and their call, which parses, for the others, which give text alone. Arms take turns every few pages, and a
page's figure is the median of its rounds. `--large` runs pages that are hard on parsers, each in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

from pipeline.extract.api import Extractor, PageInput
from pipeline.extract.blocks import corpus
from pipeline.extract.blocks.extractor import LEAST_SHARE, BlockExtractor, choose
from pipeline.extract.blocks.features import block_features, feature_names
from pipeline.extract.blocks.render import render
from pipeline.extract.charset import decode
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import ResiliparseExtractor
from pipeline.extract.limits import MAX_BYTES, check_size
from pipeline.extract.measure import Tally, report_lines
from pipeline.extract.normalise import normalise_text
from pipeline.extract.page_table import scan_page
from pipeline.extract.signals import page_signals, page_title

TURN = 8  # pages that an arm reads before the next arm has its turn
LARGE_SECONDS = 60  # CPU time of one large page, after which it has lost
FOLDS = "blocks-folds"
REFERENCES = ("resiliparse-stock", "trafilatura")


@dataclass(slots=True)
class Arm:
    """One contender: `text` is all of its work on a page."""

    name: str
    note: str
    text: Callable[[PageInput], str]
    slow: bool = False


def headwater_arm(name: str, extractor: Extractor, note: str) -> Arm:
    """Everything that Headwater does to a page, with this extractor."""
    extractor.setup()
    return Arm(name, f"{note}; version {extractor.version}", lambda page: extract_page(page, extractor).text)


def blocks_arm() -> Arm:
    """The shipped model."""
    extractor = BlockExtractor()
    meta = extractor.model.meta
    seen = f"model of {meta['pages']:,} pages of {meta['domains']:,} domains"
    source = str(meta["sources"].get("attribution", "")).partition(" (")[0].removeprefix("Labels: ")
    return headwater_arm("blocks", extractor, f"{seen}, which it has seen: in-sample on {source or 'those'}")


def resiliparse_arm() -> Arm:
    """Headwater's use of resiliparse."""
    return headwater_arm(
        "resiliparse", ResiliparseExtractor(), "Headwater's options, and all text where little is found"
    )


def stock_arm() -> Arm:
    """resiliparse as it comes."""
    from resiliparse.extract.html2text import extract_plain_text

    return Arm(
        "resiliparse-stock",
        "extract_plain_text(html, main_content=True), no signals",
        lambda page: extract_plain_text(decode(page.body, page.charset).text, main_content=True),
    )


def trafilatura_arm(name: str, **options: Any) -> Arm:
    """trafilatura with options of its own."""
    from importlib.metadata import version

    from trafilatura import extract

    def text(page: PageInput) -> str:
        return extract(decode(page.body, page.charset).text, include_comments=True, **options) or ""

    return Arm(name, f"trafilatura {version('trafilatura')}, {options}, no signals", text, slow=True)


ARMS: dict[str, Callable[[], Arm]] = {
    "blocks": blocks_arm,
    "resiliparse": resiliparse_arm,
    "resiliparse-stock": stock_arm,
    "trafilatura": lambda: trafilatura_arm("trafilatura", fast=True),
    "trafilatura-default": lambda: trafilatura_arm("trafilatura-default", fast=False),
}


def attempt(arm: Arm, page: PageInput) -> tuple[str, str | None]:
    """Text of a page, or "" and what went wrong: a page that an arm cannot read scores nothing."""
    try:
        return arm.text(page), None
    except ExtractionError as error:
        return "", error.code
    except Exception as error:
        return "", type(error).__name__


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Mean, median, 99th percentile and maximum."""
    ordered = sorted(values) or [0.0]
    at = {"p50": ordered[len(ordered) // 2], "p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]}
    return {key: round(value, 3) for key, value in {"mean": mean(ordered), **at, "max": ordered[-1]}.items()}


def ms_line(ms: dict[str, float]) -> str:
    """Quantiles for people."""
    return f"{ms['mean']:8.2f} mean {ms['p50']:8.2f} p50 {ms['p99']:8.1f} p99 {ms['max']:8.1f} max"


def quality(arm: Arm, pages: Sequence[tuple[str, PageInput]], truth: corpus.Truth) -> dict[str, Any]:
    """Figures of one arm on the pages of the truth."""
    tally = Tally()
    failed: Counter[str] = Counter()
    for record_id, page in pages:
        text, code = attempt(arm, page)
        if code:
            failed[code] += 1
        for row in truth.rows[record_id]:
            tally.add(text, row)
    return {"note": arm.note, **tally.report(), "failed": dict(failed)}


def folds_quality(inputs: Sequence[str], truth: corpus.Truth, benchmark: str, folds: int) -> dict[str, Any]:
    """Figures of models that have seen no page of a measured page's domain; needs the extra `train`."""
    from pipeline.extract.blocks.evaluate import evaluate_folds

    human, _ = corpus.gather(inputs, truth, benchmark=benchmark, silver_weight=0.0)
    found = evaluate_folds(inputs, truth, human, [], folds=folds)
    note = f"{folds} folds of {benchmark} by registered domain; other benchmarks by a model of all of {benchmark}"
    return {"note": note, **found.report}


def cost(
    arms: Sequence[Arm], pages: Sequence[tuple[str, PageInput]], rounds: int, slow_rounds: int
) -> dict[str, list[float]]:
    """Milliseconds by arm and page, medians of the rounds."""
    for arm in arms:
        for _, page in pages[:TURN]:  # compiled code, caches and lazy imports
            attempt(arm, page)
    gc.collect()
    gc.freeze()  # the pages themselves are no work of any arm
    found: dict[str, list[list[float]]] = {arm.name: [[] for _ in pages] for arm in arms}
    for number in range(rounds):
        running = [arm for arm in arms if number < slow_rounds or not arm.slow]
        for first in range(0, len(pages), TURN):
            shift = (number + first // TURN) % len(running)
            for arm in running[shift:] + running[:shift]:
                for at in range(first, min(first + TURN, len(pages))):
                    began = time.process_time_ns()
                    attempt(arm, pages[at][1])
                    found[arm.name][at].append((time.process_time_ns() - began) / 1e6)
    gc.unfreeze()
    return {name: [median(times) for times in by_page] for name, by_page in found.items()}


@dataclass(slots=True)
class Steps:
    """Milliseconds of each step of the block extractor on one page."""

    extractor: BlockExtractor
    ms: dict[str, float] = field(default_factory=dict)

    def run(self, page: PageInput) -> None:
        """What `extract_page` does, with a clock between the steps."""
        clock = [time.process_time_ns()]

        def done(step: str) -> None:
            clock.append(time.process_time_ns())
            self.ms[step] = (clock[-1] - clock[-2]) / 1e6

        check_size(page.body)
        html = decode(page.body, page.charset).text
        done("decode")
        table = scan_page(html)
        done("scan")
        signals = page_signals(table, page.url, page.headers)
        title = page_title(table, signals)
        done("signals")
        x = block_features(table, signals, title)
        done("features")
        text = ""
        if len(x):
            self.extractor.page_type(x)
            shares = self.extractor.shares(x)
            done("forest")
            kept, _ = choose(shares, x[:, feature_names().index("words")], LEAST_SHARE)
            text = render(table, kept)
            done("choice and text")
        normalise_text(text)
        done("normalise")


def steps(pages: Sequence[tuple[str, PageInput]], rounds: int) -> list[dict[str, float]]:
    """Milliseconds of the steps by page, medians of the rounds; a page that is refused has none."""
    extractor = BlockExtractor()
    found: list[dict[str, float]] = []
    for _, page in pages:
        runs: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            one = Steps(extractor)
            with contextlib.suppress(ExtractionError):
                one.run(page)
                for step, ms in one.ms.items():
                    runs[step].append(ms)
        found.append({step: median(times) for step, times in runs.items()})
    return found


def tell_cost(
    arms: Sequence[Arm], pages: Sequence[tuple[str, PageInput]], options: argparse.Namespace
) -> dict[str, Any]:
    """Measure, print and return the cost of the arms."""
    size = sum(len(page.body) for _, page in pages) / 1e6
    print(f"\ncost: {len(pages):,} pages, mean {1000 * size / max(1, len(pages)):.0f} kB; CPU milliseconds a page")
    times = cost(arms, pages, options.rounds, options.slow_rounds)
    report: dict[str, Any] = {"pages": len(pages), "megabytes": round(size, 3), "ms": {}, "ratio": {}}
    for name, by_page in times.items():
        ms = report["ms"][name] = quantiles(by_page)
        ratios = {other: sum(times[other]) / sum(by_page) for other in REFERENCES if other in times and other != name}
        report["ratio"][name] = {other: round(ratio, 3) for other, ratio in ratios.items()}
        text = ", ".join(f"{ratio:.2f} x {other}" for other, ratio in ratios.items())
        print(f"  {name:20} {ms_line(ms)}   {'speed ' + text if text else ''}".rstrip(), flush=True)
    if "blocks" in times:
        by_step = steps(pages, min(options.rounds, 3))
        names = list(dict.fromkeys(step for page in by_step for step in page))
        report["steps"] = {step: quantiles(page.get(step, 0.0) for page in by_step) for step in names}
        for step in names:
            print(f"    blocks: {step:16} {ms_line(report['steps'][step])}")
        slowest = sorted(range(len(pages)), key=lambda at: -times["blocks"][at])[: options.slowest]
        report["slowest"] = []
        for at in slowest:
            page = pages[at][1]
            row = {"url": page.url, "bytes": len(page.body), "ms": round(times["blocks"][at], 2)}
            report["slowest"].append({**row, "steps": by_step[at]})
            text = ", ".join(f"{step} {ms:.1f}" for step, ms in sorted(by_step[at].items(), key=lambda s: -s[1])[:3])
            print(f"    {row['ms']:7.1f} ms {row['bytes'] / 1000:7.0f} kB  {text}  {str(page.url)[:80]}")
    return report


def _links(number: int) -> bytes:
    return b"<html><body>" + b"".join(b'<a href="/page/%d">link %d</a> ' % (n, n) for n in range(number))


LARGE: dict[str, Callable[[], bytes]] = {
    "100,000 tiny blocks": lambda: b"<html><body>" + b"<p>word</p>\n" * 100_000,
    "200,000 nested elements": lambda: b"<html><body>" + b"<div>" * 200_000 + b"some words of text",
    "10 MB of paragraphs": lambda: b"<html><body>" + (b"<p>" + b"Some words, and a line. " * 20 + b"</p>\n") * 20_500,
    "100,000 unclosed tables": lambda: b"<html><body>" + b"<table><tr><td>cell" * 100_000,
    "1,000,000 links, cut": lambda: _links(1_000_000)[:MAX_BYTES],
    "290,000 links": lambda: _links(290_000),  # the most that the limit of tags lets through
}


def one_large(name: str, arm_name: str) -> None:
    """Print the figures of one large page as JSON; a process of its own."""
    arm = ARMS[arm_name]()
    attempt(arm, PageInput(b"<title>t</title><p>Some words, and a line.</p><table><tr><td>a<td>b</table>"))
    page = PageInput(LARGE[name](), "https://example.org/")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limit = int(time.process_time()) + LARGE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    began = time.process_time()
    text, code = attempt(arm, page)
    ms = 1000 * (time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"ms": round(ms, 1), "megabytes": len(page.body) / 1e6, "peak_mb": peak / 1000, "more_mb": 0.0}
    print(json.dumps({**figures, "more_mb": (peak - before) / 1000, "characters": len(text), "failed": code}))


def large(arm_names: Sequence[str]) -> dict[str, Any]:
    """Print and return the figures of the large pages."""
    report: dict[str, Any] = {}
    print("\nlarge pages: CPU time, and the largest resident set of the process")
    for name in LARGE:
        for arm in arm_names:
            command = [sys.executable, __file__, "--one-large", name, "--arms", arm]
            done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
            lost = {"failed": f"over {LARGE_SECONDS} s of CPU time, or killed"}
            row = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else lost
            report.setdefault(name, {})[arm] = row
            if "ms" in row:
                told = f"{row['ms']:9.0f} ms  {row['ms'] / row['megabytes']:8.1f} ms per MB  {row['megabytes']:5.1f} MB"
                told += f"  peak {row['peak_mb']:6.0f} MB (+{row['more_mb']:.0f})"
                told += f"  {row['failed'] or str(row['characters']) + ' characters'}"
            else:
                told = row["failed"]
            print(f"  {name:26} {arm:18} {told}", flush=True)
    return report


def ids_of_kinds(index: Path, kinds: set[str]) -> set[str]:
    """Record ids of the pages of these kinds; of all pages if there are none."""
    with gzip.open(index, "rt", encoding="utf-8") as lines:
        return {row["record_id"] for row in map(json.loads, lines) if not kinds or row.get("kind") in kinds}


def parse() -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="*")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--arms", default=",".join((*ARMS, FOLDS)), help=f"of {', '.join((*ARMS, FOLDS))}")
    parser.add_argument("--benchmark", default="wcxb-dev", help=f"that the folds of {FOLDS} are made of")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="only the first N pages of the truth; 0 leaves quality out")
    parser.add_argument("--cost-index", type=Path, help="pages.jsonl.gz; without it cost is that of the truth's pages")
    parser.add_argument("--kinds", default="", help="with --cost-index: kinds of page, comma-separated; default all")
    parser.add_argument("--cost-pages", type=int, help="only N of the pages, evenly spread")
    parser.add_argument("--rounds", type=int, default=3, help="of the cost; 0 leaves it out")
    parser.add_argument("--slow-rounds", type=int, default=1, help="of the arms that take most of the time")
    parser.add_argument("--slowest", type=int, default=5, help="slowest pages of blocks to name")
    parser.add_argument("--large", action="store_true", help="large pages too, or only those where no archive is given")
    parser.add_argument("--large-arms", default="blocks")
    parser.add_argument("--one-large", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=Path("extraction.json"))
    options = parser.parse_args()
    options.arms = options.arms.split(",")
    if unknown := set(options.arms) - {*ARMS, FOLDS}:
        parser.error(f"unknown arm {', '.join(sorted(unknown))}")
    if options.archives and not options.truth:
        parser.error("give --truth")
    if not (options.archives or options.large or options.one_large):
        parser.error("give archives, or --large")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Quality and cost."""
    truth = corpus.read_truth([options.truth])
    wanted = set(truth.rows)
    costly = (
        ids_of_kinds(options.cost_index, set(filter(None, options.kinds.split(",")))) if options.cost_index else wanted
    )
    held = [(name, page) for name, page in corpus.read_pages(options.archives) if name in wanted or name in costly]
    pages = [(name, page) for name, page in held if name in wanted][: options.limit]
    arms = [ARMS[name]() for name in options.arms if name != FOLDS]
    report: dict[str, Any] = {"pages": len(pages), "arms": {}}
    print(f"quality: {len(pages):,} pages")
    for name in options.arms if pages else ():
        if name == FOLDS:
            figures = folds_quality(options.archives, truth, options.benchmark, options.folds)
        else:
            figures = quality(next(arm for arm in arms if arm.name == name), pages, truth)
        report["arms"][name] = figures
        print(f"\n{name} ({figures['note']})")
        print("\n".join(report_lines(figures)))
        if figures["failed"]:
            print(f"  failed: {figures['failed']}")
        sys.stdout.flush()
    if options.rounds:
        chosen = [(name, page) for name, page in held if name in costly]
        if options.cost_pages and options.cost_pages < len(chosen):
            chosen = [chosen[at * len(chosen) // options.cost_pages] for at in range(options.cost_pages)]
        report["cost"] = tell_cost(arms, chosen, options)
    return report


def main() -> int:
    """Print the tables; write them as JSON where asked."""
    options = parse()
    if options.one_large:
        one_large(options.one_large, options.arms[0])
        return 0
    report = measure(options) if options.archives else {}
    if options.large:
        report["large"] = large(options.large_arms.split(","))
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
