"""Labelled translations, by language: originals, human and machine translations, and which rows share their content.

A row has `id`, `lang`, `label` (`human_original`, `human_translation`, `mt`, `mt_postedited`), `doc_id`, `text` or
`segs` (a list of sentences), and optionally `system` (who translated), `orig_lang`, `set` (year or part of a source;
its systems may occur in others), `source`, `pair`, `boundary`, `domain` and `licence`.

All translations of a document share its content, so documents, never rows, are split. Post-edited machine translation
is translated text, but neither a human nor a machine translation.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.language_codes import ISO_639_3
from detectors.machine_translation.model_file import MACHINE
from detectors.machine_translation.text import UNSPACED, least_words
from detectors.text_model.canonical import canonicalise
from detectors.text_model.grams import GramSpec
from detectors.text_model.lexicon import build, lexicon
from detectors.text_model.model import TextFeatures
from detectors.text_model.units import split_units
from pipeline.text_training import fit
from pipeline.text_training.corpus import CorpusError, joined_documents

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

ORIGINAL: Final = "human_original"
HUMAN: Final = "human_translation"
MT: Final = "mt"
EDITED: Final = "mt_postedited"
LABELS: Final = (ORIGINAL, HUMAN, MT, EDITED)

MOST_HUMAN: Final = 1600  # documents of a human label in a language
MOST_MACHINE: Final = 9  # machine translations for each human one; between 4 and 9 the area still grows by .01
MOST_TRANSLATED: Final = 2  # the same where originals are told from translations
FREQUENT: Final = 250  # words (letters, without spaces) that the topic-free control keeps
SHARED_RUN: Final = 8  # words of a run; letters where there are no spaces: twice as many


@dataclass(frozen=True, slots=True)
class Translation:
    """A labelled text."""

    id: str
    text: str
    language: str  # ISO 639-3
    label: str
    system: str  # who translated; "" for originals
    source: str
    part: str  # year or part of the source: `set`, else the source
    content: str  # rows with the same text or translations of it
    origin: str  # language of the original, as the file says it
    domain: str
    licence: str


def read_translations(paths: Iterable[Path], languages: frozenset[str] | None) -> dict[str, list[Translation]]:
    """Rows by language (ISO 639-3), the second with an id dropped; None = all languages.

    Raises:
        CorpusError: a file that cannot be read, or a row that lacks a field.
    """
    found: dict[str, list[Translation]] = {}
    seen: set[tuple[str, str]] = set()
    for path in paths:
        for number, record in _records(path):
            try:
                row = _row(record, path)
            except (KeyError, TypeError, AttributeError) as error:
                raise CorpusError(f"{path}, line {number}: lacks or spoils a field ({error})") from None
            if (languages is None or row.language in languages) and (row.part, row.id) not in seen:
                seen.add((row.part, row.id))
                found.setdefault(row.language, []).append(row)
    return found


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    opener = lzma.open if path.suffix == ".xz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield number, json.loads(line)
    except (OSError, UnicodeDecodeError, lzma.LZMAError, json.JSONDecodeError, EOFError) as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from None


def _row(record: Mapping[str, Any], path: Path) -> Translation:
    label = record["label"]
    if label not in LABELS:
        raise KeyError(f"label {label!r}")
    text = " ".join(record["segs"]) if "segs" in record else record["text"]
    code = record["lang"].partition("-")[0]
    stem = path.name.partition(".")[0]
    part = str(record.get("set") or record.get("source") or stem)
    source = str(record.get("source") or part)
    content = [source, part, str(record.get("orig_lang") or ""), str(record["doc_id"])]
    if record.get("boundary") not in (None, "xml", "document"):  # numbers of pieces that hold within a pair only
        content.append(str(record.get("pair") or ""))
    return Translation(
        str(record["id"]), text, ISO_639_3.get(code, code), label, str(record.get("system") or ""), source, part,
        ":".join(content), str(record.get("orig_lang") or ""), str(record.get("domain") or ""),
        str(record.get("licence") or ""),
    )  # fmt: skip


def hash_of(text: str) -> int:
    """A number for order and folds that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@dataclass
class TranslationDesign:
    """Rows of one language with their features. Arrays are by row."""

    language: str
    rows: list[Translation]
    features: TextFeatures
    document: Ints  # rows of one number share content

    def __len__(self) -> int:
        return len(self.rows)

    def _text(self, name: str) -> npt.NDArray[np.str_]:
        return np.array([getattr(row, name) for row in self.rows], np.str_)

    @cached_property
    def label(self) -> npt.NDArray[np.str_]:
        """Labels."""
        return self._text("label")

    @cached_property
    def system(self) -> npt.NDArray[np.str_]:
        """Systems and translators; empty for originals."""
        return self._text("system")

    @cached_property
    def part(self) -> npt.NDArray[np.str_]:
        """Years or parts of sources."""
        return self._text("part")

    @cached_property
    def source(self) -> npt.NDArray[np.str_]:
        """Sources."""
        return self._text("source")

    @cached_property
    def content(self) -> npt.NDArray[np.str_]:
        """Names of the contents."""
        return self._text("content")

    @cached_property
    def order(self) -> npt.NDArray[np.uint64]:
        """Order in which rows are kept where there are too many."""
        return np.array([hash_of(f"{row.part}:{row.id}") for row in self.rows], np.uint64)

    @cached_property
    def group(self) -> Ints:
        """A number by hash of the document's first name, for folds."""
        name: dict[int, str] = {}
        for content, document in zip(self.content.tolist(), self.document.tolist(), strict=True):
            name[document] = min(name.get(document, content), content)
        found = {document: hash_of(content) % 1_000_003 for document, content in name.items()}
        return np.array([found[document] for document in self.document.tolist()], np.int64)

    @cached_property
    def matrices(self) -> list[Any]:
        """Sparse n-grams of each member."""
        return [fit.matrix([self.features.grams(spec)]) for spec in specs_of(self.language)]

    @cached_property
    def masked(self) -> list[Any]:
        """Sparse n-grams of the topic-free control: frequent words stay, all others show their kind alone."""
        canonical = self.features.canonical
        unspaced = self.language in UNSPACED
        counts: Counter[str] = Counter()
        for document in range(0, canonical.docs, max(1, canonical.docs // 2000)):
            text = canonical.text(document).lower()
            counts.update(set(text) if unspaced else {word.strip('.,;:!?"()') for word in text.split()})
        frequent = [word for word, _ in counts.most_common(2 * FREQUENT) if word.isalpha()][:FREQUENT]
        words = build(self.language, {"frequent": frequent})
        grams = TextFeatures(canonical, words).grams(GramSpec("distorted", 1, 3, 17))
        return [fit.matrix([grams])]

    def is_machine(self, head: str) -> Bools:
        """The positive side of a head: machine translations, or translations."""
        found: Bools = self.label == MT if head == MACHINE else self.label != ORIGINAL
        return found

    def used(self, head: str) -> Ints:
        """Rows that a head learns from and is measured on, capped, in order of the corpus."""
        kept = np.zeros(len(self), np.bool_)
        if head != MACHINE:
            kept |= self._first(self.label == ORIGINAL, MOST_HUMAN)
        human = self._first(self.label == HUMAN, MOST_HUMAN)
        kept |= human
        times = MOST_MACHINE if head == MACHINE else MOST_TRANSLATED
        beside = max(int(human.sum()), int(kept.sum() - human.sum()))
        kept |= self._first(self.label == MT, times * beside)
        if head != MACHINE:
            kept |= self._first(self.label == EDITED, beside)
        return np.flatnonzero(kept)

    def take(self, rows: Ints) -> TranslationDesign:
        """These rows only."""
        features = TextFeatures(self.features.canonical.take(rows), self.features.lexicon)
        return TranslationDesign(self.language, [self.rows[i] for i in rows.tolist()], features, self.document[rows])

    def _first(self, mask: Bools, most: int) -> Bools:
        rows = np.flatnonzero(mask)
        chosen = np.zeros(len(self), np.bool_)
        chosen[rows[np.argsort(self.order[rows], kind="stable")[:most]]] = True
        return chosen


def specs_of(language: str) -> tuple[GramSpec, ...]:
    """One kind of n-grams a member. Those of languages with spaces are the AI heads' kinds, so pages share them."""
    if language in UNSPACED:
        return (GramSpec("characters", 1, 3, 18),)
    return GramSpec("characters", 2, 4, 18), GramSpec("words", 1, 2, 18)


def make_design(language: str, rows: Sequence[Translation]) -> TranslationDesign | None:
    """Rows that are long enough, with features and shared content; None if none is."""
    canonical = canonicalise([row.text for row in rows])
    kept = np.flatnonzero(canonical.words() >= least_words(language))
    if not len(kept):
        return None
    features = TextFeatures(canonical.take(kept), lexicon(language))
    chosen = [rows[i] for i in kept.tolist()]
    units = split_units(features.canonical, features.lexicon)
    words = (units.kind & 1) != 0
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(words)))[units.doc_unit]
    width = 2 * SHARED_RUN if language in UNSPACED else SHARED_RUN
    document = joined_documents(units.hash[words], bounds, [row.content for row in chosen], width=width)
    return TranslationDesign(language, chosen, features, document)
