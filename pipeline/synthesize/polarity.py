"""Triplets that differ in polarity alone, mined in text: (anchor, positive, hard negative). Patterns are data.

Embedding models place `hotel without breakfast` beside `hotel with breakfast`. A triplet has as its anchor a sentence
or phrase of the text as it stands, as its positive the same with the polarity said in another way, and as its negative
the same words with the polarity turned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import xxhash

from pipeline.synthesize.polarity_language import Language, Pattern, Refused

VERSION = 1
MIN_CHARACTERS, MAX_CHARACTERS = 8, 220  # of an anchor
MIN_WORDS, MAX_WORDS = 3, 28
MAX_SIMPLE_WORDS = 18
MAX_COMMAS = 3
MAX_LINE_WORDS = 10  # of a line without a full stop, a heading or an item of a list

# A sentence ends with its mark before a space and a capital letter, or with the line; abbreviations are short words.
_SENTENCE = re.compile(r"[.!?](?<=[^\W\d_]{3}.)[\"”»)]? +(?=[^\W\d_a-zà-ÿ])")
_LINE = re.compile(r"[^\n]+")
_SHAPE = re.compile(
    r"[^\W\d_a-zà-ÿ](?:[\w '’,%€$£:/+–-]|\([\w '’,%-]{1,60}\)|[“„][\w '’,.%-]{1,80}[”“]|«[\w '’,.%-]{1,80}»|"
    r'"[\w \'’,.%-]{1,80}")*[.!]?'
)
_SIMPLE = re.compile(r"[^\W\d_a-zà-ÿ][\w '’-]*\.")
_ODD = re.compile(
    r"[@<>=_{}\[\]|\\]|  |\d{5}|%[a-z]|\$[a-z]|Ã|^[A-ZÀ-Þ]{3,} [A-ZÀ-Þ][a-zà-ÿ]+ | [.,]"
    r"|https?|www|\.\w|(?:[A-ZÀ-Þ]{2,}\W+){3}|:.*:|/.*/| -|- |^\W|\b(?:\w )(?:\w ){2}"
)


@dataclass(frozen=True, slots=True)
class Triplet:
    """A mined triplet; `start` and `end` are of the anchor in the text, `flip` the words that attest the negative."""

    anchor: str
    positive: str
    negative: str
    language: str
    pattern: str
    template: str
    polarity: str
    start: int
    end: int
    flip: str | None
    attested_at_least: int
    confidence: float

    @property
    def id(self) -> str:
        """32 hex digits of the content."""
        return xxhash.xxh3_128_hexdigest("\0".join((self.language, self.anchor, self.positive, self.negative)).encode())


def mine(text: str, language: Language, closed: Sequence[tuple[int, int]] = ()) -> Iterator[Triplet]:
    """Triplets of a text, in its order, at most one a sentence; nothing that touches a closed span is used."""
    for start, end in sentences(text):
        if any(start < to and since < end for since, to in closed):
            continue
        triplet = triplet_of(text[start:end], start, language)
        if triplet is not None:
            yield triplet


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of sentences, and of lines without any, that are no longer than an anchor may be. Linear in the text."""
    for line in _LINE.finditer(text):
        begin, last = line.span()
        if last - begin < MIN_CHARACTERS:
            continue
        ends = [(cut.start() + 1, cut.end()) for cut in _SENTENCE.finditer(text, begin, last)]
        for end, following in (*ends, (last, last)):
            if MIN_CHARACTERS <= end - begin <= 2 * MAX_CHARACTERS:
                held = text[begin:end].rstrip()
                sentence = held.lstrip()
                if MIN_CHARACTERS <= len(sentence) <= MAX_CHARACTERS:
                    start = begin + len(held) - len(sentence)
                    yield start, start + len(sentence)
            begin = following


def triplet_of(sentence: str, start: int, language: Language) -> Triplet | None:
    """The triplet of a sentence: of the first pattern that fits; None where none does."""
    words = sentence.count(" ") + 1
    most = MAX_WORDS if sentence[-1] in ".!" else MAX_LINE_WORDS
    if not MIN_WORDS <= words <= most or sentence.count(",") > MAX_COMMAS or not _SHAPE.fullmatch(sentence):
        return None
    lowered = sentence.lower()
    numbers: set[int] = set()
    for gate, triggers in language.gates:
        if gate in lowered:
            for trigger, held in triggers:
                if trigger in lowered:
                    numbers.update(held)
    negators: int | None = None
    simple: bool | None = None
    for number in sorted(numbers):
        pattern = language.patterns[number]
        found = pattern.find(sentence)
        if found is None:
            continue
        if negators is None:  # what costs more than most patterns is asked of sentences alone that one of them fits
            if _ODD.search(sentence) or language.refuse.search(sentence):
                return None
            negators = len(language.negators.findall(sentence))
        if negators != pattern.negators:
            continue
        if pattern.data.simple:
            if simple is None:
                simple = (
                    words <= MAX_SIMPLE_WORDS
                    and _SIMPLE.fullmatch(sentence) is not None
                    and language.refuse_simple.search(sentence) is None
                )
            if not simple:
                continue
        if pattern.unless and pattern.unless.search(sentence):
            continue
        if pattern.needs and not pattern.needs.search(sentence):
            continue
        triplet = _fill(sentence, start, found, pattern, language)
        if triplet is not None:
            return triplet
    return None


def _fill(sentence: str, start: int, found: re.Match[str], pattern: Pattern, language: Language) -> Triplet | None:
    data = pattern.data
    template = data.templates[xxhash.xxh3_64_intdigest(sentence.encode()) % len(data.templates)]
    groups = found.groupdict()
    made = []
    try:
        for text in (template.positive, template.negative):
            whole = sentence[: found.start()] + language.fill(text, groups) + sentence[found.end() :]
            whole = language.join(whole).strip(" ")
            made.append(whole[:1].upper() + whole[1:])
    except Refused:
        return None
    if len({sentence, *made}) < 3:
        return None
    flip = language.fill(data.attest, groups).strip().lower() if data.attest else None
    return Triplet(
        sentence, made[0], made[1], language.data.language, data.name, f"{data.name}/{template.id}", data.polarity,
        start, start + len(sentence), flip, data.attested, data.confidence,
    )  # fmt: skip
