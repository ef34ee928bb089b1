"""Spans that are cut from a text, and what else must move with them. No Beam.

Cuts are laid over a text in stages (line rules of the quality profile, repeated lines, repeated substrings); each sees
what the ones before it have left. What is published is exactly the text without the characters of its `cuts`, so that
the offsets, which are those of the text before any cut, give back where every character stood.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.features.tokens import KIND_WORD, tokenise
from detectors.quality.profiles import spans_for
from pipeline.keys import read_arrow
from schemas.config import DuplicatePolicy
from schemas.document import CUT_STRUCT

Span = tuple[int, int]
Stage = tuple[str, Sequence[Span]]

# Raw spans of a rule in a staged shard, before they are laid over the texts.
CUTS = pa.schema([("row", pa.int32()), ("start", pa.int32()), ("end", pa.int32())])
SUBSTRING: Final = "substring"
_WORD = re.compile(r"[^\W_]")
_SPACES = " \t\u00a0\u3000"
_OPENING = ("Ps", "Pi")
_NEAR: Final = 4  # characters that decide whether two words become one


class CutText:
    """A text, and which of its characters are cut by which rule.

    Lines end at `\\n`. A line that a cut leaves without a letter or a number goes whole, with one line end; line ends
    inside a cut that takes parts of two lines leave one. A stage after which no letter or number would be left is not
    applied: pages are kept or dropped whole, never by cutting.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._owner = np.zeros(len(text), np.uint8)  # 0: stays, else the number of the rule from 1
        self._rules: list[str] = []
        ends = [match.start() for match in re.finditer("\n", text)]
        self._starts = [0, *(end + 1 for end in ends)]
        self._ends = [*ends, len(text)]
        self._gone: dict[int, int] = {}  # rule by line

    def apply(self, rule: str, spans: Iterable[Span], gone: Iterable[int] = ()) -> bool:
        """Cut the spans, and the whole lines of number `gone`; False where nothing would be left, and nothing is cut.

        Spans may overlap each other and what is cut already, which keeps its rule.
        """
        before, gone_before = self._owner.copy(), dict(self._gone)
        self._rules.append(rule)
        code = len(self._rules)
        for line in gone:
            self._gone.setdefault(line, code)
            self._paint(self._starts[line], self._ends[line], code)
        touched: set[int] = set()
        for start, end in spans:
            line = bisect_right(self._starts, start) - 1
            while line < len(self._starts) and self._starts[line] < end:
                first, last = max(start, self._starts[line]), min(end, self._ends[line])
                if first < last:
                    self._paint(first, last, code)
                    touched.add(line)
                elif start <= self._starts[line] and self._ends[line] < end:  # an empty line in the middle
                    self._gone.setdefault(line, code)
                line += 1
        for line in touched:
            if not _WORD.search(self.line(line)):
                self._gone.setdefault(line, code)
                self._paint(self._starts[line], self._ends[line], code)
        if any(_WORD.search(self.line(line)) for line in range(len(self._starts)) if line not in self._gone):
            return True
        self._owner, self._gone = before, gone_before
        return False

    def _paint(self, start: int, end: int, code: int) -> None:
        part = self._owner[start:end]
        part[part == 0] = code

    def line(self, number: int) -> str:
        """What is left of a line."""
        start, end = self._starts[number], self._ends[number]
        part = self._owner[start:end]
        if not part.any():
            return self.text[start:end]
        return "".join(char for char, cut in zip(self.text[start:end], part.tolist(), strict=True) if not cut)

    def is_cut(self, positions: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
        """Whether the characters at these offsets are cut."""
        found: npt.NDArray[np.bool_] = self._owner[positions] != 0
        return found

    def finish(self) -> None:
        """Cut the line ends of the lines that are gone: the one after each, or before it where no line follows."""
        stay = next((n for n in range(len(self._starts) - 1, -1, -1) if n not in self._gone), -1)
        for line, code in self._gone.items():
            at = self._ends[line] if line < stay else self._starts[line] - 1
            if 0 <= at < len(self._owner):
                self._owner[at] = code

    def cuts(self) -> list[dict[str, Any]]:
        """Rows of CUT_STRUCT, in order, without overlaps."""
        edges = np.flatnonzero(np.diff(self._owner, prepend=np.uint8(0), append=np.uint8(0)) != 0).tolist()
        return [
            {"rule": self._rules[int(self._owner[start]) - 1], "start": start, "end": end}
            for start, end in pairwise(edges)
            if self._owner[start]
        ]


def without(text: str, cuts: Sequence[Mapping[str, Any]]) -> str:
    """The text less its cuts."""
    parts, at = [], 0
    for cut in cuts:
        parts.append(text[at : cut["start"]])
        at = cut["end"]
    return "".join([*parts, text[at:]])


def profile_rule(rules: str) -> str:
    """Name that the line rules of a quality profile have in `cuts`."""
    return "profile_refinedweb" if rules == "refinedweb" else "profile_c4"


def lay(text: str, profile: str | None, stages: Sequence[Stage]) -> CutText:
    """The text with the line rules of a profile and then the spans of each stage laid over it; not finished."""
    found = CutText(text)
    if profile is not None:
        kept = spans_for(profile, text)
        if kept:
            starts = [0, *(match.end() for match in re.finditer("\n", text))]
            lines = {bisect_right(starts, begin) - 1 for begin, _ in kept}
            gaps = [(a, b) for (_, a), (b, _) in zip([(0, 0), *kept], [*kept, (len(text), 0)], strict=True)]
            within = [
                span for span in _split_at_lines(text, gaps, starts) if bisect_right(starts, span[0]) - 1 in lines
            ]
            found.apply(profile_rule(profile), within, [n for n in range(len(starts)) if n not in lines])
    for rule, spans in stages:
        found.apply(rule, snap(text, spans) if rule == SUBSTRING else spans)
    return found


def _split_at_lines(text: str, spans: Sequence[Span], starts: Sequence[int]) -> list[Span]:
    result = []
    for start, end in spans:
        line = bisect_right(starts, start) - 1
        while start < end:
            stop = starts[line + 1] - 1 if line + 1 < len(starts) else len(text)
            if start < min(stop, end):
                result.append((start, min(stop, end)))
            start, line = stop + 1, line + 1
    return result


def snap(text: str, spans: Iterable[Span]) -> list[Span]:
    """Spans of whole words with the marks that belong to them: closing ones after the last word, opening ones before
    the first, and the spaces behind (or before, at a line's end). What was two words stays two."""
    result = []
    for start, end in spans:
        before = start
        while before and not (text[before - 1].isspace() or text[before - 1].isalnum()):
            before -= 1
        if before == 0 or text[before - 1].isspace():
            start = before
        while start and unicodedata.category(text[start - 1]) in _OPENING:
            start -= 1
        after = end
        while after < len(text) and not (text[after].isspace() or text[after].isalnum()):
            if unicodedata.category(text[after]) in _OPENING:
                break
            after += 1
        attached = start > 0 and not text[start - 1].isspace()
        if not attached or not _merge(text, start, after):
            end = after
        if not attached:
            while end < len(text) and text[end] in _SPACES:
                end += 1
        if end == len(text) or "\n" in text[start : end + 1]:
            while start and text[start - 1] in _SPACES:
                start -= 1
        while attached and start < end < len(text) and _merge(text, start, end):
            starts = _words(text[start:end])  # one more word stays
            end = start + (starts[-1] if starts else 0)
        if start < end:
            result.append((start, end))
    return result


def _words(text: str) -> list[int]:
    tokens = tokenise([text])
    starts: list[int] = tokens.start[(tokens.kind & KIND_WORD) != 0].tolist()
    return starts


def _merge(text: str, start: int, end: int) -> bool:
    """Whether the words on both sides of a cut would become one: `a漢b`, or `example.` and `org`."""
    left, right = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    return len(_words(left + right)) != len(_words(left)) + len(_words(right))


def cut_table(table: pa.Table, profile: str | None, repeats: Mapping[int, Sequence[Stage]]) -> pa.Table:
    """Apply the line rules `profile` and the repeats (stages by row of the table), and append the column `cuts`.

    Evidence and benchmark findings of which a character is cut lose their span, those of personal data go.
    """
    texts = table.column("text")
    changed: dict[int, tuple[str, list[dict[str, Any]]]] = {}
    for row in range(table.num_rows) if profile is not None else sorted(repeats):
        text = texts[row].as_py()
        found = lay(text, profile, repeats.get(row, ()))
        found.finish()
        cuts = found.cuts()
        if cuts:
            changed[row] = (text, cuts)
    column = pa.array(
        [changed[row][1] if row in changed else [] for row in range(table.num_rows)], pa.list_(CUT_STRUCT)
    )
    if not changed:
        return table.append_column("cuts", column)
    new_texts = texts.to_pylist()
    for row, (text, cuts) in changed.items():
        new_texts[row] = without(text, cuts)
    table = _replaced(table, "text", new_texts)
    for name in ("evidence", "benchmarks", "personal_data"):
        if name not in table.schema.names:
            continue
        values = table.column(name).to_pylist()
        for row, (_, cuts) in changed.items():
            if values[row]:
                moved = [move(finding, cuts) for finding in values[row]]
                values[row] = [f for f in moved if name != "personal_data" or f["start"] is not None]
        table = _replaced(table, name, values)
    return table.append_column("cuts", column)


def _replaced(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def move(finding: Mapping[str, Any], cuts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A finding with its span in the text without the cuts; without a span where one of its characters is cut."""
    start, end, shift = finding["start"], finding["end"], 0
    if start is None:
        return dict(finding)
    for cut in cuts:
        if cut["start"] >= end and cut["start"] > start:
            break
        if cut["end"] > start:
            return {**finding, "start": None, "end": None}
        shift += cut["end"] - cut["start"]
    return {**finding, "start": start - shift, "end": end - shift}


def line_cuts_path(folder: str | Path, name: str) -> Path:
    """Where the repeated lines of a shard are."""
    return Path(folder) / f"{name}.line-cuts.arrow"


def substring_cuts_path(folder: str | Path, name: str) -> Path:
    """Where the repeated substrings of a shard are."""
    return Path(folder) / f"{name}.substring-cuts.arrow"


def read_repeats(folder: str | Path, name: str, policy: DuplicatePolicy) -> dict[int, list[Stage]]:
    """Stages by row of a staged shard, of the rules that a policy asks for; what other runs left is not read."""
    found: dict[int, list[Stage]] = {}
    sources = []
    if policy.lines.rule != "none":
        sources.append((f"line_{policy.lines.rule}", line_cuts_path(folder, name)))
    if policy.substrings.words:
        sources.append((SUBSTRING, substring_cuts_path(folder, name)))
    for rule, path in sources:
        by_row: dict[int, list[Span]] = {}
        table = read_arrow(path)
        for row, start, end in zip(*(table.column(column).to_pylist() for column in CUTS.names), strict=True):
            by_row.setdefault(row, []).append((start, end))
        for row, spans in by_row.items():
            found.setdefault(row, []).append((rule, spans))
    return found
