"""How extracted text compares with a truth: word F1 and snippets."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import mean
from typing import Any, Final

WORD: Final = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Words of a text in lower case, as WCXB counts them."""
    return WORD.findall(text.lower())


def count_f1(got: Counter[str], truth: Counter[str]) -> float:
    """F1 of two multisets; 1 if both are empty, 0 if one is."""
    if not got or not truth:
        return float(not got and not truth)
    return 2 * (got & truth).total() / (got.total() + truth.total())


def word_f1(got: str, truth: str) -> float:
    """F1 of the word multisets of two texts (WCXB, the Web Content Extraction Benchmark)."""
    return count_f1(Counter(words_of(got)), Counter(words_of(truth)))


class Tally:
    """Scores of one extractor over many pages of several benchmarks."""

    def __init__(self) -> None:
        self.f1: dict[str, list[float]] = defaultdict(list)
        self.types: dict[str, list[float]] = defaultdict(list)
        self.snippets: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, text: str, truth: Mapping[str, Any]) -> None:
        """Score one page: `benchmark`, and `text` (with `page_type`) or `must_contain` / `must_not_contain`."""
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
        """Figures by benchmark and by page type."""
        return {
            "benchmarks": {name: self._figures(name) for name in sorted({*self.f1, *self.snippets})},
            "page_types": {k: [round(mean(v), 4), len(v)] for k, v in sorted(self.types.items())},
        }

    def _figures(self, name: str) -> dict[str, Any]:
        count = self.snippets[name]
        precision = count["found"] / max(1, count["found"] + count["slipped_in"])
        recall = count["found"] / max(1, count["wanted"])
        return {
            "pages": len(self.f1[name]) or None,
            "word_f1": round(mean(self.f1[name]), 4) if self.f1[name] else None,
            "must_rate": round(recall, 4),
            "leak_rate": round(count["slipped_in"] / max(1, count["unwanted"]), 4),
            "snippet_f1": round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0,
        }


def report_lines(report: Mapping[str, Any]) -> Iterable[str]:
    """A tally's report for people."""
    for benchmark, row in report["benchmarks"].items():
        f1 = "  -  " if row["word_f1"] is None else f"{row['word_f1']:.3f}"
        yield (
            f"  {benchmark:14} word F1 {f1} ({row['pages'] or 0} pages)  snippet F1 {row['snippet_f1']:.3f}"
            f"  must {row['must_rate']:.3f}  leak {row['leak_rate']:.3f}"
        )
    types = [f"{name} {value[0]:.3f} ({value[1]})" for name, value in report["page_types"].items()]
    if types:
        yield "  " + ", ".join(types)
