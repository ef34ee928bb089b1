"""Units of canonical text: words, numbers and symbols, with their places in a language's lexicon, and sentences.

A word is a run of letters and marks with at most one apostrophe inside, and one letter in scripts without spaces. A
number may hold full stops and commas between digits. Everything else that is not space is a symbol of one character.
A sentence ends at terminal punctuation before a space, a letter of a script without spaces, or the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Int32, Int64, UInt8, UInt64, character_table
from detectors.text_model.canonical import Canonical
from detectors.text_model.lexicon import Lexicon

UNITS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Units:
    """Units of a batch of canonical texts: those of document d are `doc_unit[d]:doc_unit[d + 1]`.

    Sentences of document d are `doc_sentence[d]:doc_sentence[d + 1]`; sentence s has the units
    `sentence_unit[s]:sentence_unit[s + 1]`. Bits of `kind` are the constants of `_units`.
    """

    canonical: Canonical
    start: Int32  # characters in `canonical.chars`, half-open
    end: Int32
    hash: UInt64  # of the folded form
    kind: UInt8
    entry: Int32  # place in the lexicon; -1 = not a word of it
    suffix: Int32  # number of the longest suffix of the lexicon that the word ends in; -1 = none
    doc_unit: Int64
    sentence_unit: Int32
    doc_sentence: Int64

    @property
    def docs(self) -> int:
        """Number of documents."""
        return len(self.doc_unit) - 1


def split_units(canonical: Canonical, lexicon: Lexicon) -> Units:
    """Units and sentences of canonical texts."""
    from detectors.text_model import _units

    table, fold, _ = character_table()
    size = len(canonical.chars)
    start, end, entry, suffix = (np.empty(size + 1, np.int32) for _ in range(4))
    sentence_unit: npt.NDArray[np.int32] = np.empty(size + 2, np.int32)
    hashes, kind = np.empty(size + 1, np.uint64), np.empty(size + 1, np.uint8)
    doc_unit, doc_sentence = np.zeros(canonical.docs + 1, np.int64), np.zeros(canonical.docs + 1, np.int64)
    n, sentences = _units.split(
        canonical.chars, canonical.doc_start, table, fold,
        lexicon.word_keys, lexicon.word_values, lexicon.suffix_keys, lexicon.suffix_values,
        start, end, hashes, kind, entry, suffix, doc_unit, sentence_unit, doc_sentence,
    )  # fmt: skip
    return Units(
        canonical=canonical,
        start=start[:n].copy(),
        end=end[:n].copy(),
        hash=hashes[:n].copy(),
        kind=kind[:n].copy(),
        entry=entry[:n].copy(),
        suffix=suffix[:n].copy(),
        doc_unit=doc_unit,
        sentence_unit=sentence_unit[: sentences + 1].copy(),
        doc_sentence=doc_sentence,
    )
