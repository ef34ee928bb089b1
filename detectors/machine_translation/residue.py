"""Residue of translation in text: broken placeholders and entities, marks of unknown words, digits of another script.

Grounds: what translation software does to text that is not language. It parts signs that belong together (`% s`,
`% 1 $ s`, `{ {name} }`, `& nbsp;`, `&# 39;`), translates the names in placeholders, and marks what it does not know
(Apertium writes `*word`). Lines that were left in another language are told as a note: projects of people leave whole
paragraphs for later, and more often than software does.

Guard: software documentation is full of placeholders. A page with lines of code, or with words for what it explains
(`GUARD`), has no findings about them. Weights are set by rule, in nats, and are not fitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.api import FeatureCache, Signals
from detectors.features.tokens import Tokens, tokens
from detectors.language_codes import same_language
from detectors.machine_translation.function_words import (
    FUNCTION_WORDS,
    LANGUAGES,
    LEAST_HITS,
    LEAST_SHARE,
    line_languages,
)
from schemas.evidence import Evidence

RULES_VERSION = 1


@dataclass(frozen=True, slots=True)
class ResidueRule:
    """One kind of residue: a pattern, and the least number of matches from which it is told.

    One of `signs` is in every match. Matches that are equal count once where more than one is needed.
    """

    name: str
    signs: tuple[str, ...]
    pattern: str
    weight: float | None
    at_least: int = 1


RULES: tuple[ResidueRule, ...] = (
    # Spaces within a conversion. `50 % d'alcool` and `in % d. Umsatzes` are language.
    ResidueRule(
        "broken_placeholder",
        ("%", "{"),
        r"(?<![\d%\w])(?<!\d )% [sd](?![\w.'’])|%\s?[1-9]\s\$\s?[sd]\b|%\s[1-9]\s?\$\s?[sd]\b"
        r"|\{ \{ ?[^\W\d]\w{0,30} ?\} ?\}|\{ ?\{ ?[^\W\d]\w{0,30} ?\} \}",
        1.5,
    ),
    # Names in placeholders are ASCII in every system of templates.
    ResidueRule(
        "translated_placeholder",
        ("{",),
        r"(?:\{\{|[%$]\{) {0,2}(?=[\w .-]{0,40}[^\W\d_A-Za-z])[^\W\d][\w .-]{0,40}\}\}?",
        1.5,
    ),
    ResidueRule(
        "unfilled_placeholder", ("{{", "%"), r"\{\{ ?[a-z][a-zA-Z0-9_.]{0,40} ?\}\}|(?<![\w%])%[1-9]\$[sd]\b", None
    ),
    ResidueRule(
        "broken_entity",
        ("&",),
        r"& (?:amp|nbsp|quot|lt|gt|apos|[lr][sd]quo|[nm]dash|hellip|[a-z]acute|[a-z]uml) ?;"
        r"|&(?:amp|nbsp|quot|lt|gt|apos) ;|& ?# ?\d{2,5} ;|& ?# \d{2,5} ?;|& #\d{2,5} ?;",
        0.5,  # tokenised copies of texts by people have them too
    ),
    # Escaped twice: more often the fault of a template than of a translator.
    ResidueRule(
        "visible_entity", ("&",), r"\w{1,20}&(?:#39|quot|amp|nbsp|rsquo|#8217);\w?|&amp;(?:amp|nbsp|quot);", None, 3
    ),
    ResidueRule("unknown_word_marks", (" *",), r"\*(?<=[^\W\d_] \*)[^\W\d_]{3,30}(?![^\s.,;:!?)])(?! ?\*)", 1.5, 4),
)
_COMPILED = {rule.name: re.compile(rule.pattern) for rule in RULES}

# Digits of scripts of their own in a text of letters that are counted with others.
_DIGITS = re.compile("[\u0660-\u0669\u06f0-\u06f9]{1,20}|[\u0966-\u096f]{1,20}|[\u09e6-\u09ef]{1,20}")
_THEIR_LETTERS = re.compile("[\u0600-\u06ff\u0750-\u077f\u0900-\u09ff]")
_OTHER_LETTERS = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f]")
WRONG_DIGITS_NATS = 0.5
WRONG_DIGITS_LEAST = 2
WRONG_DIGITS_LETTERS = 200

UNTRANSLATED_LEAST_SHARE = 0.05  # of the tokens of a text
UNTRANSLATED_MOST_SHARE = 0.5

# RE2 each: what makes a text worth a look, lines of code, and words of pages that explain such things.
_PREFILTER = (
    r"% [sd][^\w.'’]|%\s?[1-9]\s?\$\s?[sd]|\{ ?\{|[%$]\{[^}]{0,40}[^\x00-\x7f]"
    r"|&(?:amp;|#39|quot;|nbsp|rsquo|#8217| ?# ?\d|[a-z]{2,6} ;)|& [a-z]{2,6} ?;"
    r"|[a-zA-Z\x{c0}-\x{52f}] \*[a-zA-Z\x{c0}-\x{52f}]{3}"
    r"|[\x{660}-\x{669}\x{6f0}-\x{6f9}\x{966}-\x{96f}\x{9e6}-\x{9ef}]"
)
CODE = (
    r"(?m:[{};] {0,3}$)"
    r"|(?m:^ {0,12}(?:#include|import |from \w+ import|def |function |var |let |const |\$ |> |<\?|//|public ))"
    r"|/\*|\*/|\b(?:const|void|int|char|struct \w{1,40}) \*|</?[a-z]{1,10}[ >]|=>|==|\\n|printf|\w\(\)|\$\w+ ?="
    r"|%\}|&(?:lt|gt);"
)
CODE_LEAST = 2
GUARD = (
    r"(?i)placeholder|platzhalter|gettext|sprintf|\bformat string|escap(?:e|ing)|entit(?:y|ies|é|à|ät|äten|ad)|unicode"
    r"|html\b|template|markdown|regex|localiz|localis|internationali[sz]|\bi18n|numerals|ziffern|chiffres|apertium"
)


class Finding(NamedTuple):
    """Residue before it has a row."""

    signal: str
    value: float
    weight: float | None
    start: int
    end: int


class TranslationResidue:
    """Findings of `RULES`, `wrong_digits` and `untranslated_lines`; spans are those of the first occurrence.

    `value` counts occurrences; of `untranslated_lines` it is the share of the words, 0 to 1. Lines are looked at where
    the language detector, which must have run before, saw a second language.
    """

    name = "translation_residue"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The rules."""
        return {
            "rules_version": RULES_VERSION,
            "rules": list(RULES),
            "digits": [_DIGITS.pattern, WRONG_DIGITS_NATS, WRONG_DIGITS_LEAST],
            "guard": [CODE, CODE_LEAST, GUARD],
            "function_words": FUNCTION_WORDS,
            "untranslated": [UNTRANSLATED_LEAST_SHARE, UNTRANSLATED_MOST_SHARE, LEAST_HITS, LEAST_SHARE],
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        evidence: list[Evidence] = []
        texts = batch.column("text")
        suspects = _unguarded(texts)
        languages, mixed = _languages(features)
        untranslated = find_untranslated(tokens(features), mixed, languages) if mixed else {}
        for row in sorted(suspects | untranslated.keys()):
            findings = list(find_residue(texts[row].as_py())) if row in suspects else []
            if row in untranslated:
                findings.append(untranslated[row])
            evidence.extend(Evidence(row, self.name, f.signal, f.value, f.weight, f.start, f.end) for f in findings)
        return Signals({}, evidence)


def _languages(features: FeatureCache) -> tuple[list[str | None], list[int]]:
    """Language of each row, and the rows in which a second one was seen."""
    shares = features.signal("languages")
    if shares is None:
        return [], []
    languages, parts = features.languages(), pc.list_value_length(shares).to_pylist()
    return languages, [row for row, count in enumerate(parts) if (count or 0) > 1 and languages[row]]


def _unguarded(texts: pa.Array) -> set[int]:
    """Rows that may have residue, and neither have lines of code nor explain such things."""
    rows = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(texts, _PREFILTER), False))
    if not len(rows):
        return set()
    held = texts.take(rows)
    guarded = pc.or_(
        pc.greater_equal(pc.count_substring_regex(held, CODE), CODE_LEAST), pc.match_substring_regex(held, GUARD)
    )
    return set(rows.filter(pc.invert(guarded)).to_pylist())


def find_residue(text: str) -> Iterator[Finding]:
    """Findings of `RULES` and wrong digits in a text."""
    found = [
        (rule, list(_COMPILED[rule.name].finditer(text)) if any(sign in text for sign in rule.signs) else [])
        for rule in RULES
    ]
    for rule, matches in found:
        if matches and len({match.group() for match in matches}) >= rule.at_least:
            yield Finding(rule.name, float(len(matches)), rule.weight, *matches[0].span())
    if text.isascii():
        return
    digits = list(_DIGITS.finditer(text))
    if len(digits) >= WRONG_DIGITS_LEAST and not _THEIR_LETTERS.search(_DIGITS.sub("", text)):
        letters = sum(1 for _ in zip(_OTHER_LETTERS.finditer(text), range(WRONG_DIGITS_LETTERS), strict=False))
        if letters == WRONG_DIGITS_LETTERS:
            yield Finding("wrong_digits", float(len(digits)), WRONG_DIGITS_NATS, *digits[0].span())


def find_untranslated(batch: Tokens, rows: list[int], languages: Sequence[str | None]) -> dict[int, Finding]:
    """Lines in another language than that of their text, told by function words, by row; always notes."""
    lines = line_languages(batch, rows)
    row_of = np.searchsorted(batch.doc_line, lines.line, "right") - 1
    found: dict[int, Finding] = {}
    for row in rows:
        mine = slice(*np.searchsorted(row_of, [row, row + 1]))
        foreign = [
            line
            for line, code in zip(lines.line[mine].tolist(), lines.language[mine].tolist(), strict=True)
            if not same_language(LANGUAGES[code], languages[row])
        ]
        total = int(batch.doc_token[row + 1] - batch.doc_token[row])
        share = sum(int(batch.line_token[line + 1] - batch.line_token[line]) for line in foreign) / max(1, total)
        if foreign and UNTRANSLATED_LEAST_SHARE <= share <= UNTRANSLATED_MOST_SHARE:
            base = int(batch.doc_start[row])
            span = int(batch.line_first[foreign[0]]) - base, int(batch.line_last[foreign[0]]) - base
            found[row] = Finding("untranslated_lines", share, None, *span)
    return found
