"""Kept spans of a text: pure helpers of the rules that cut lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

Span = tuple[int, int]

# C4, tensorflow/datasets text/c4_utils.py.
CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")


def without(pattern: re.Pattern[str], text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans less all matches of `pattern`; each span is searched as a text of its own."""
    result: list[Span] = []
    for start, end in spans:
        at = start
        for match in pattern.finditer(text[start:end]):
            if start + match.start() > at:
                result.append((at, start + match.start()))
            at = start + match.end()
        if at < end:
            result.append((at, end))
    return result


def without_citations(text: str, start: int, end: int) -> list[Span]:
    """A line less its citation marks."""
    return without(CITATION, text, [(start, end)])


def join_spans(text: str, spans: Iterable[Span]) -> str:
    """The kept text: spans of different lines are joined by a line end, those of one line by nothing."""
    parts: list[str] = []
    last = -1
    for start, end in spans:
        if last >= 0 and "\n" in text[last:start]:
            parts.append("\n")
        parts.append(text[start:end])
        last = end
    return "".join(parts)
