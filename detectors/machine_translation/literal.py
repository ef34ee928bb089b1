"""Word-for-word translations that a translator avoids, as an explanation: `hamster purchases` for German Hamsterkauf.

Source: a lexicon written for this project (`data/calques.tsv`): what idioms and compounds of a dozen languages become
in English, and English idioms in German, Spanish and French, when each word is translated by itself. Such translations
are what older and weaker systems leave; current ones know the idioms, and people play with them.

Weight: none. On 8,735 sentences of news from German there are too few of them in machine translation, in human
translation and in ordinary text to earn one (docs/marks.md has the counts). A finding names the source word
as `LANGUAGE:WORD`, and `explain` says what is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pyarrow as pa

from detectors.api import FeatureCache, Signals, digest_of
from detectors.features.phrases import PhraseIndex, index_phrases, token_span
from detectors.features.tokens import tokens
from detectors.language_codes import same_language
from schemas.evidence import Evidence

RULES_VERSION = 1
WEIGHT: float | None = None
MOST = 8  # findings of a text


@dataclass(frozen=True, slots=True)
class Calque:
    """An entry of the lexicon: `forms` in `language`, in lower case, for `word` of the language `source`."""

    language: str
    forms: tuple[str, ...]
    idiomatic: str
    source: str
    word: str

    @property
    def signal(self) -> str:
        """Name of the finding."""
        return f"{self.source}:{self.word}"


@lru_cache(maxsize=1)
def lexicon() -> tuple[Calque, ...]:
    """The lexicon that ships with the package."""
    text = (files("detectors.machine_translation") / "data" / "calques.tsv").read_text(encoding="utf-8")
    entries = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            language, forms, idiomatic, source, word = line.split("\t")
            entries.append(Calque(language, tuple(forms.split("|")), idiomatic, source, word))
    return tuple(entries)


def explain(signal: str) -> str | None:
    """What a finding means, in a sentence; None for a signal that is not of the lexicon."""
    for entry in lexicon():
        if entry.signal == signal:
            return f"“{entry.forms[0]}” is {entry.word} ({entry.source}) word for word; one says: {entry.idiomatic}"
    return None


@lru_cache(maxsize=1)
def _index() -> tuple[PhraseIndex, tuple[tuple[str, Calque], ...]]:
    forms = tuple((form, entry) for entry in lexicon() for form in entry.forms)
    return index_phrases([form for form, _ in forms], first=True), forms


class LiteralTranslation:
    """Notes that name the source word of a literal translation, each at most once; `value` counts the occurrences.

    Entries are for texts in their language, by the language detector where it ran before.
    """

    name = "literal_translation"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Index the lexicon."""
        _index()

    def parameters(self) -> Mapping[str, Any]:
        """Digest of the lexicon, and the weight."""
        return {"rules_version": RULES_VERSION, "lexicon": digest_of(list(lexicon())), "weight": WEIGHT, "most": MOST}

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        index, forms = _index()
        found: dict[int, dict[str, tuple[int, int, int]]] = {}  # row, signal: count, start, end
        for row, number, token in index.find(features):
            form, entry = forms[number]
            language = _language(features, row)
            if language is not None and not same_language(language, entry.language):
                continue
            span = token_span(tokens(features), row, token)
            text = features.column("text")[row]
            if span is None or not is_form(text, span[0], form):
                continue
            here = found.setdefault(row, {})
            count, start, end = here.get(entry.signal, (0, span[0], span[0] + len(form)))
            here[entry.signal] = (count + 1, start, end)
        evidence = [
            Evidence(row, self.name, signal, float(count), WEIGHT, start, end)
            for row, here in found.items()
            for signal, (count, start, end) in list(here.items())[:MOST]
        ]
        return Signals({}, evidence)


def _language(features: FeatureCache, row: int) -> str | None:
    """Language of a row, where the language detector ran before."""
    languages = features.signal("language")
    return None if languages is None else languages[row].as_py()


def is_form(text: str, start: int, form: str) -> bool:
    """Whether a form stands at a place of a text, as whole words and whatever its case and its apostrophes."""
    there = text[start : start + len(form)].replace("’", "'").lower()
    return there == form and not text[start + len(form) : start + len(form) + 1].isalnum()
