"""What cutting repeated lines and substrings does to the text: precision, recall and F1 of words against truth.

    python benchmarks/boilerplate.py ARCHIVE... --truth gt.jsonl.xz [--extractors blocks,resiliparse] [--words 50]

Every page of the archives is extracted: by `blocks`, by `resiliparse`, or all `visible` text as in WET conversions. Of
pages with one address, with one text, and of those that share a MinHash band and three quarters of the signature, one
takes part, as in a run. Each rule then cuts the repeats that it finds in all of them. Measured are the pages that have
a truth: word multisets as WCXB counts them, mean over pages, before and after; and unwanted and wanted snippets of the
truths that have only those.

    all     pages with truth
    sites   those on sites with at least three pages here, where alone rule `site` can know anything
    changed those that the rule changed

The first line of a rule counts the words that it cut of pages whose truth is a text, and the share of these that the
truth does not miss: the precision of the cuts themselves. Rules `c4` and `substring` leave one copy of what they cut on
another page, so that what a page's recall loses, the corpus has kept; `cc_net` leaves none.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from detectors.features.minhash import SHAPES, band_keys, signatures
from detectors.features.tokens import tokenise
from detectors.features.url_key import site_of, url_key
from pipeline.cuts import SUBSTRING, Span, Stage, lay, without
from pipeline.extract.api import Extractor, MainText
from pipeline.extract.blocks import corpus
from pipeline.extract.blocks.extractor import BlockExtractor
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import ResiliparseExtractor
from pipeline.extract.limits import check_markup
from pipeline.extract.measure import words_of
from pipeline.extract.page_table import PageTable
from pipeline.repeat_lines import find_line_cuts, keys_of, lines_of, resolve_keys
from pipeline.repeat_spans import find_substring_cuts, make_stream
from schemas.config import LinePolicy


class VisibleText:
    """All visible text, which is what WET conversions hold."""

    name = "visible"
    version = "1"

    def setup(self) -> None:
        """Nothing to load."""

    def extract(self, html: str, table: PageTable, signals: dict[str, Any], title: str | None) -> MainText:
        """Text of the whole page."""
        from resiliparse.extract.html2text import extract_plain_text

        check_markup(html)
        return MainText(extract_plain_text(html, main_content=False, alt_texts=False))


EXTRACTORS: dict[str, type[Extractor]] = {
    "blocks": BlockExtractor,
    "resiliparse": ResiliparseExtractor,
    "visible": VisibleText,
}
SITE_PAGES = 3
SHAPE = "14x8"
SAME = 0.75  # of the signature of two pages that count as one


@dataclass(slots=True)
class Page:
    """A page of the pool."""

    record_id: str
    url: str | None
    text: str


def extract_pool(inputs: Sequence[str], names: Sequence[str]) -> dict[str, list[Page]]:
    """Pages by extractor, in the order of the archives."""
    extractors = {name: EXTRACTORS[name]() for name in names}
    for extractor in extractors.values():
        extractor.setup()
    found: dict[str, list[Page]] = {name: [] for name in names}
    for record_id, page in corpus.read_pages(inputs):
        for name, extractor in extractors.items():
            try:
                text = extract_page(page, extractor).text
            except ExtractionError:
                text = ""
            found[name].append(Page(record_id, page.url, text))
    return found


def one_each(pages: Iterable[Page], truth: corpus.Truth) -> list[Page]:
    """One page of each address, of each text and of near duplicates, with a truth where there is one."""
    kept: list[Page] = []
    seen: set[Any] = set()
    by_band: dict[int, Any] = {}
    for page in sorted(pages, key=lambda page: (page.record_id not in truth.rows, page.record_id)):
        keys = {key for key in (page.url and url_key(page.url), " ".join(page.text.split())) if key}
        if not page.text or keys & seen:
            continue
        signature = signatures(tokenise([page.text]), SHAPES[SHAPE])[0]
        bands = band_keys(signature[None], SHAPES[SHAPE])[0].tolist()
        if any(np.mean(by_band[band] == signature) >= SAME for band in bands if band in by_band):
            continue
        kept.append(page)
        seen |= keys
        for band in bands:
            by_band.setdefault(band, signature)
    return kept


def batch_of(pages: Sequence[Page]) -> tuple[Any, list[str], list[str | None], list[str]]:
    """Pages as `pipeline.repeat_lines.kept_pages` gives them."""
    ids = [xxhash.xxh3_128_hexdigest(page.record_id.encode()) for page in pages]
    return np.arange(len(pages)), ids, [page.url for page in pages], [page.text for page in pages]


def spans_by_row(cuts: pa.Table) -> dict[int, list[Span]]:
    """Spans of CUTS by row."""
    found: dict[int, list[Span]] = defaultdict(list)
    for row in cuts.to_pylist():
        found[row["row"]].append((row["start"], row["end"]))
    return found


def repeats_of(pages: Sequence[Page], rule: str, words: int) -> dict[int, list[Stage]]:
    """Stages by page: of a line rule, of `substring`, or of both as `rule+substring`."""
    batch = batch_of(pages)
    stages: dict[int, list[Stage]] = defaultdict(list)
    if (line_rule := rule.removesuffix("+substring")) != SUBSTRING:
        policy = LinePolicy.model_validate({"rule": line_rule})
        lines = lines_of(*batch, line_rule)
        cuts = find_line_cuts(lines, resolve_keys(keys_of(lines, 0), policy), policy)
        for row, spans in spans_by_row(cuts).items():
            stages[row].append((f"line_{line_rule}", spans))
    if rule.endswith(SUBSTRING):
        stream = make_stream(iter([batch]), None, stages)
        cuts = find_substring_cuts(stream, words, np.zeros(0, np.uint64))
        for row, spans in spans_by_row(cuts).items():
            stages[row].append((SUBSTRING, spans))
    return stages


def scores(got: Counter[str], truth: Counter[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of word multisets; precision is 1 where nothing was given."""
    common = (got & truth).total()
    precision = common / got.total() if got else 1.0
    recall = common / truth.total() if truth else 1.0
    return precision, recall, 2 * common / max(1, got.total() + truth.total())


def measure(pages: Sequence[Page], truth: corpus.Truth, stages: dict[int, list[Stage]]) -> dict[str, Any]:
    """Figures of one rule, by group of pages."""
    on_site = Counter(site_of(page.url) for page in pages if page.url)
    groups: dict[str, list[tuple[Any, Any]]] = {"all": [], "sites": [], "changed": []}
    snippets: dict[str, Counter[str]] = {name: Counter() for name in groups}
    cut, wanted, changed, cut_anywhere = 0, 0, Counter[str](), 0
    for row, page in enumerate(pages):
        after = page.text
        if row in stages:
            laid = lay(page.text, None, stages[row])
            laid.finish()
            after = without(page.text, laid.cuts())
            cut_anywhere += after != page.text
        for known in truth.rows.get(page.record_id, ()):
            names = ["all"]
            names += ["sites"] if page.url and on_site[site_of(page.url)] >= SITE_PAGES else []
            names += ["changed"] if after != page.text else []
            changed.update(names if after != page.text else ())
            if known.get("text"):
                wanted_words = Counter(words_of(known["text"]))
                old, new = Counter(words_of(page.text)), Counter(words_of(after))
                both = (scores(old, wanted_words), scores(new, wanted_words))
                for name in names:
                    groups[name].append(both)
                cut += old.total() - new.total()
                wanted += (old & wanted_words).total() - (new & wanted_words).total()
            for name in names:
                count_snippets(snippets[name], known, page.text, after)
    report: dict[str, Any] = {"pages_cut": cut_anywhere, "words_cut": cut, "words_missed": wanted, "groups": {}}
    for name, values in groups.items():
        before = [round(mean(pair[0][k] for pair in values), 4) for k in range(3)] if values else None
        now = [round(mean(pair[1][k] for pair in values), 4) for k in range(3)] if values else None
        report["groups"][name] = {
            "pages": len(values), "changed": changed[name], "before": before, "after": now,
            "snippets": dict(snippets[name]),
        }  # fmt: skip
    return report


def count_snippets(count: Counter[str], known: dict[str, Any], before: str, after: str) -> None:
    """Wanted and unwanted snippets that are in a page before and after."""
    flat = {"before": " ".join(before.split()), "after": " ".join(after.split())}
    for key in ("must_contain", "must_not_contain"):
        for snippet in known.get(key) or ():
            count[key] += 1
            for when, text in flat.items():
                count[f"{key}_{when}"] += " ".join(snippet.split()) in text


def tell(rule: str, report: dict[str, Any]) -> None:
    """Print a rule's figures."""
    cut = report["words_cut"]
    share = f"{1 - report['words_missed'] / cut:.3f} of them not in the truth" if cut else "none"
    print(f"\n{rule}: {report['pages_cut']:,} pages cut; on pages with a truth {cut:,} words, {share}")
    for name, row in report["groups"].items():
        if row["before"] is None:
            continue
        figures = "  ".join(
            f"{label} {a:.4f} -> {b:.4f}"
            for label, a, b in zip(("precision", "recall", "F1"), row["before"], row["after"], strict=True)
        )
        seen = row["snippets"]
        told = "  ".join(
            f"{label} {seen.get(f'{key}_before', 0)} -> {seen.get(f'{key}_after', 0)} of {seen.get(key, 0)}"
            for key, label in (("must_contain", "wanted"), ("must_not_contain", "unwanted"))
        )
        print(f"  {name:8} {row['pages']:5} pages, {row['changed']:4} changed  {figures}  {told}")
    sys.stdout.flush()


def main() -> int:
    """Print the figures of every rule; write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--extractors", default=",".join(EXTRACTORS), help=f"of {', '.join(EXTRACTORS)}")
    parser.add_argument("--rules", default="site,c4,cc_net,substring,site+substring")
    parser.add_argument("--words", type=int, default=50, help="shortest run of words of rule substring")
    parser.add_argument("--json", type=Path, default=Path("boilerplate.json"))
    options = parser.parse_args()
    truth = corpus.read_truth([options.truth])
    report: dict[str, Any] = {}
    for name, found in extract_pool(options.archives, options.extractors.split(",")).items():
        pages = one_each(found, truth)
        sites = Counter(site_of(page.url) for page in pages if page.url)
        large = sum(count >= SITE_PAGES for count in sites.values())
        print(f"\n== {name}: {len(pages):,} pages of {len(sites):,} sites, {large} with {SITE_PAGES} pages or more")
        report[name] = {"pages": len(pages), "sites": len(sites), "rules": {}}
        for rule in options.rules.split(","):
            began = time.process_time()
            stages = repeats_of(pages, rule, options.words)
            seconds = time.process_time() - began
            figures = report[name]["rules"][rule] = {"cpu_s": round(seconds, 1), **measure(pages, truth, stages)}
            tell(f"{rule} ({seconds:.1f} s)", figures)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
