"""Signs that a text was changed so that detectors do not know it: characters that nobody sees, and look-alike letters.

Grounds: the attacks of RAID (Dugan et al. 2024: zero-width spaces, homoglyphs), which take the recall of text models;
`detectors.features.confusables` has the characters, and text models undo them by the same table. This detector tells
that they are there, by the guards that keep ordinary typography out:

- hidden characters count inside words of Latin, Greek or Cyrillic letters only: joiners of Persian and Indic text,
  spaces of Thai and Khmer, marks of direction between words and marks at the begin of a text have their use. Soft
  hyphens count where they stand as no typesetter puts them: in short words, and beside the first or last letter;
- a look-alike counts in a word that is otherwise Latin, in a text that is mostly Latin. Greek ones have Latin small
  letters on both sides: `TNFα` and `ρgh` are spelled so.

A finding is a note, and has a small weight where it is dense as after an attack. Weights are set by rule, in nats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from detectors.api import FeatureCache, Signals
from detectors.features.confusables import CONFUSABLES, HIDDEN_IN_LATIN
from schemas.evidence import Evidence

RULES_VERSION = 1
LEAST = 3  # fewer are slips of an editor
DENSE_LEAST = 15  # hidden characters
DENSE_WORDS = 5  # words with look-alikes: attacks on half a page leave 3 to 11
DENSE_SHARE = 0.01  # of the letters for hidden characters, of the words for look-alikes
DENSE_NATS = 0.8
LATIN_SHARE = 0.9  # of the letters of a text in which look-alikes are looked for
SHORTEST, LONGEST = 3, 40  # letters of a word with look-alikes
SHORT_WORD = 5  # letters: shorter words are not hyphenated
SOFT_HYPHEN = "\u00ad"
_MOJIBAKE = "âÂÃ"  # of UTF-8 read as Latin-1, where U+00AD is a byte of stars and dashes
MOSTLY_WRONG = 0.3  # share of soft hyphens at wrong places from which they count: after an attack two in three are

_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_GREEK = "\u0370-\u03ff"
_CYRILLIC = "\u0400-\u052f"
_LETTER = f"[{_LATIN}{_GREEK}{_CYRILLIC}]"
_HIDDEN = "".join(sorted(HIDDEN_IN_LATIN))
_ALIKE = "".join(sorted(CONFUSABLES))
_GREEK_ALIKE = frozenset(c for c in CONFUSABLES if "\u0370" <= c <= "\u03ff")

# RE2 reads both; every word with a look-alike has such a pair.
_BETWEEN = f"{_LETTER}[{_HIDDEN}]+{_LETTER}"
_PAIR = f"[A-Za-z][{_ALIKE}]|[{_ALIKE}][A-Za-z]"
_PREFILTER = f"{_BETWEEN}|{_PAIR}"
_PAIRS = re.compile(_PAIR)
_INSIDE = re.compile(f"(?<={_LETTER})[{_HIDDEN}]+(?={_LETTER})")
_SOFT_WORDS = re.compile(f"[{_LATIN}{_GREEK}{_CYRILLIC}{SOFT_HYPHEN}]+")
_WORDS = re.compile(f"[{_LATIN}{_GREEK}{_CYRILLIC}{_ALIKE}]+")
_LATIN_OR_ALIKE = re.compile(f"[{_LATIN}{_ALIKE}]{{{SHORTEST},{LONGEST}}}")
_LATIN_LETTERS = re.compile(f"[{_LATIN}]")
_OTHER_LETTERS = re.compile(f"[{_GREEK}{_CYRILLIC}]")


class Found(NamedTuple):
    """Occurrences in a text, and the span of the first."""

    occurrences: int
    start: int
    end: int
    dense: bool


class Evasion:
    """Findings `hidden_characters` and `homoglyphs`; `value` counts the occurrences, the span is that of the first."""

    name = "evasion"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The rules."""
        return {
            "rules_version": RULES_VERSION,
            "hidden": _HIDDEN,
            "confusables": CONFUSABLES,
            "patterns": [_INSIDE.pattern, _LATIN_OR_ALIKE.pattern],
            "least": [LEAST, DENSE_LEAST, DENSE_WORDS, DENSE_SHARE, LATIN_SHARE, SHORT_WORD, MOSTLY_WRONG],
            "weight": DENSE_NATS,
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        evidence: list[Evidence] = []
        texts = batch.column("text")
        for row, suspect in enumerate(pc.match_substring_regex(texts, _PREFILTER).to_pylist()):
            if not suspect:
                continue
            text = texts[row].as_py()
            for signal, found in (("hidden_characters", find_hidden(text)), ("homoglyphs", find_homoglyphs(text))):
                if found is not None:
                    weight = DENSE_NATS if found.dense else None
                    evidence.append(
                        Evidence(row, self.name, signal, float(found.occurrences), weight, found.start, found.end)
                    )
        return Signals({}, evidence)


def find_hidden(text: str) -> Found | None:
    """Hidden characters inside words; dense where they are as many as after an attack."""
    spans = [match.span() for match in _INSIDE.finditer(text)]
    spans = [(start, end) for start, end in spans if not (text[start - 1] in _MOJIBAKE and text[end] in _MOJIBAKE)]
    if len(spans) < LEAST:
        return None
    soft = [span for span in spans if text[span[0] : span[1]] == SOFT_HYPHEN]
    if soft and not _misplaced(text):
        spans = [span for span in spans if text[span[0] : span[1]] != SOFT_HYPHEN]
    if len(spans) < LEAST:
        return None
    letters = sum(1 for _ in re.finditer(_LETTER, text))
    return Found(len(spans), *spans[0], len(spans) >= max(DENSE_LEAST, DENSE_SHARE * letters))


def _misplaced(text: str) -> bool:
    """Whether soft hyphens stand where no typesetter puts them."""
    places = wrong = 0
    for match in _SOFT_WORDS.finditer(text):
        parts = match.group().strip(SOFT_HYPHEN).split(SOFT_HYPHEN)
        if len(parts) == 1:
            continue
        places += len(parts) - 1
        if sum(map(len, parts)) < SHORT_WORD:
            wrong += len(parts) - 1
        else:
            wrong += (len(parts[0]) < 2) + (len(parts[-1]) < 2 and len(parts) > 2)
    return wrong >= MOSTLY_WRONG * places


def find_homoglyphs(text: str) -> Found | None:
    """Words that are Latin but for look-alikes of other scripts, in a text of Latin letters."""
    if not _PAIRS.search(text):
        return None
    words = 0
    spans = []
    for match in _WORDS.finditer(text):
        words += 1
        if not match.group().isascii() and _is_disguised(match.group()):
            spans.append(match.span())
    if len(spans) < LEAST:
        return None
    latin, other = (sum(1 for _ in pattern.finditer(text)) for pattern in (_LATIN_LETTERS, _OTHER_LETTERS))
    swapped = sum(1 for start, end in spans for c in text[start:end] if c in CONFUSABLES)
    if latin < LATIN_SHARE * (latin + other - swapped):
        return None
    return Found(len(spans), *spans[0], len(spans) >= max(DENSE_WORDS, DENSE_SHARE * words))


def _is_disguised(word: str) -> bool:
    """Whether most letters are Latin, and the others look like Latin ones; Greek ones between Latin small letters."""
    if not _LATIN_OR_ALIKE.fullmatch(word):
        return False
    swapped = [i for i, c in enumerate(word) if c in CONFUSABLES]
    if not 0 < len(swapped) < len(word) - len(swapped):
        return False
    if all(word[i] in _GREEK_ALIKE for i in swapped):
        return any("a" <= word[i - 1 : i] <= "z" and "a" <= word[i + 1 : i + 2] <= "z" for i in swapped)
    return True
