"""Word lists of topics, gender terms and spellings, and what a batch of texts holds of them.

The lists are data (`data/gaps_*.yaml`), written for this project and read by people. A text is compared by the hashes
of its case-folded words, so that all lists cost one pass over the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from detectors.features.tokens import KIND_WORD, Tokens, UInt64, tokenise
from schemas.targets import TOPICS

Int = npt.NDArray[np.int64]

# A topic is named where its words are several, frequent, and clearly more than those of the next topic.
MOST_OF_A_WORD = 3  # a word counts as often at most: one term of a menu names no topic
LEAST_SCORE = 6
LEAST_DISTINCT = 4
LEAST_PER_WORD = 0.008  # score by words of the text
MARGIN = 1.5
# Gender terms: which side prevails is said of three and more.
LEAST_TERMS = 3
PREVAILS = 2 / 3
GENDER_KINDS = ("pronouns", "kinship", "roles")
_VOWELS = "aàâeéèêëiîïoôœuùûyh"


@lru_cache(maxsize=8)
def read_data(name: str) -> dict[str, Any]:
    """A file of `data/`: `gaps_topics`, `gaps_gender`, `gaps_regions` or `gaps_prompts`."""
    text = files("pipeline.synthesize").joinpath(f"data/{name}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    return values


def versions() -> dict[str, int]:
    """Version of every list."""
    names = ("gaps_topics", "gaps_gender", "gaps_regions", "gaps_prompts")
    return {name: read_data(name)["version"] for name in names}


def expand(words: str) -> Iterator[str]:
    """Words of a list: `word(s,es)` is word, words, wordes."""
    for entry in words.split():
        stem, _, endings = entry.partition("(")
        yield stem
        if endings:
            yield from (stem + ending for ending in endings.rstrip(")").split(","))


@dataclass(frozen=True, slots=True)
class WordTable:
    """Words of one language, each with a class, sorted by the hash of their folded form."""

    hashes: UInt64
    classes: Int

    @classmethod
    def of(cls, words: Mapping[int, Sequence[str]]) -> WordTable:
        """Table of words by class; a word that two classes name belongs to the first."""
        pairs = [(word, number) for number, listed in words.items() for word in listed]
        found = tokenise([word for word, _ in pairs])
        single = np.flatnonzero(np.diff(found.doc_token) == 1)  # what is no one word meets no word
        hashes, first = np.unique(found.hash[found.doc_token[single]], return_index=True)
        return cls(hashes, np.array([number for _, number in pairs], np.int64)[single[first]])


@dataclass(frozen=True, slots=True)
class Hits:
    """Words of a table met in texts: text, class and number of times; one entry a text and word."""

    rows: Int
    classes: Int
    counts: Int

    def totals(self, rows: int, classes: int, most: int | None = None) -> Int:
        """Times by text and class, int64[rows, classes]; a word counts `most` times at most."""
        counts = self.counts if most is None else np.minimum(self.counts, most)
        found = np.zeros((rows, classes), np.int64)
        np.add.at(found, (self.rows, self.classes), counts)
        return found

    def distinct(self, rows: int, classes: int) -> Int:
        """Different words by text and class."""
        found = np.zeros((rows, classes), np.int64)
        np.add.at(found, (self.rows, self.classes), 1)
        return found


def find_words(texts: Tokens, languages: Sequence[str | None], tables: Mapping[str, WordTable]) -> Hits:
    """Hits of each text in the table of its language; none where the language has no table."""
    word = (texts.kind & KIND_WORD) != 0
    row = np.repeat(np.arange(texts.docs), np.diff(texts.doc_token))[word]
    hashes = texts.hash[word]
    known = {language for language in languages if language is not None and language in tables}
    parts = []
    for language in sorted(known):
        table = tables[language]
        chosen = np.array([one == language for one in languages], np.bool_)[row]
        rows, values = row[chosen], hashes[chosen]
        place = np.minimum(np.searchsorted(table.hashes, values), len(table.hashes) - 1)
        met = table.hashes[place] == values
        code = rows[met] * len(table.hashes) + place[met]
        pairs, counts = np.unique(code, return_counts=True)
        parts.append((pairs // len(table.hashes), table.classes[pairs % len(table.hashes)], counts))
    none = np.zeros(0, np.int64)
    columns = [np.concatenate([none, *(part[at] for part in parts)]) for at in range(3)]
    return Hits(*columns)


@lru_cache(maxsize=1)
def topic_tables() -> dict[str, WordTable]:
    """Words of topics by language; a class is a place in TOPICS."""
    data = read_data("gaps_topics")
    tables = {}
    for language in sorted({language for lists in data["topics"].values() for language in lists}):
        before = data["elisions"].get(language, ())
        words = {
            TOPICS.index(topic): [
                form
                for word in expand(lists.get(language, ""))
                for form in (word, *(e + word for e in before if word[0] in _VOWELS))
            ]
            for topic, lists in data["topics"].items()
        }
        tables[language] = WordTable.of(words)
    return tables


@lru_cache(maxsize=1)
def gender_tables() -> dict[str, WordTable]:
    """Gender terms by language; a class is 2 * place in GENDER_KINDS, plus 1 for masculine terms."""
    return {
        language: WordTable.of(
            {
                2 * GENDER_KINDS.index(kind) + side: list(expand(pair[name]))
                for kind, pair in kinds.items()
                for side, name in enumerate(("feminine", "masculine"))
            }
        )
        for language, kinds in read_data("gaps_gender")["terms"].items()
    }


def topics_of(texts: Tokens, languages: Sequence[str | None]) -> list[str | None]:
    """Topic of each text; None where no topic's words stand out, or the language has no list."""
    hits = find_words(texts, languages, topic_tables())
    scores = hits.totals(texts.docs, len(TOPICS), MOST_OF_A_WORD)
    distinct = hits.distinct(texts.docs, len(TOPICS))
    if not texts.docs:
        return []
    ranked = np.sort(scores, axis=1)
    best, second = ranked[:, -1], ranked[:, -2]
    place = np.argmax(scores, axis=1)
    words = np.maximum(texts.word_counts(), 1)
    clear = (best >= LEAST_SCORE) & (best >= LEAST_PER_WORD * words) & (best >= MARGIN * second)
    clear &= distinct[np.arange(texts.docs), place] >= LEAST_DISTINCT
    return [TOPICS[at] if sure else None for at, sure in zip(place.tolist(), clear.tolist(), strict=True)]


def gender_counts(texts: Tokens, languages: Sequence[str | None]) -> Int:
    """Gender terms of each text, int64[texts, kinds, 2]: kinds as GENDER_KINDS, feminine and masculine."""
    hits = find_words(texts, languages, gender_tables())
    return hits.totals(texts.docs, 2 * len(GENDER_KINDS)).reshape(texts.docs, len(GENDER_KINDS), 2)


def genders_of(counts: Int) -> list[str | None]:
    """Whose terms prevail in each text: two thirds of three terms and more; else balanced. None under three terms."""
    both = counts.sum(axis=1)
    found: list[str | None] = []
    for feminine, masculine in both.tolist():
        terms = feminine + masculine
        if terms < LEAST_TERMS:
            found.append(None)
        elif max(feminine, masculine) < PREVAILS * terms:
            found.append("balanced")
        else:
            found.append("feminine" if feminine > masculine else "masculine")
    return found
