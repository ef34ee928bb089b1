"""Word lists of a language as native tables: function words, word classes, suffixes.

A list is a text file `data/words_LANG.txt` (ISO 639-3): lines `name: word word ...`. The section `frequent` gives the
words that distortion keeps; `function` those whose rates are features; `suffixes` endings of words; every other section
is a word class, whose rate is a feature. Lexicons of languages without a file come from lists of words (`build`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from detectors.api import digest_of
from detectors.features.tokens import Int32, UInt32, UInt64, character_table

Bools = npt.NDArray[np.bool_]
RESERVED = ("frequent", "function", "suffixes")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words of a language. `word_values` are places in `words`; bit b of `classes` says that a word is of class b."""

    language: str
    words: tuple[str, ...]
    frequent: Bools  # by word: kept by distortion
    function: Int32  # by word: number of the function word; -1 = none
    classes: UInt32  # by word
    class_names: tuple[str, ...]
    function_words: tuple[str, ...]
    suffixes: tuple[str, ...]
    word_keys: UInt64
    word_values: Int32
    suffix_keys: UInt64
    suffix_values: Int32
    digest: str  # of the sections


def _hash(word: str) -> int:
    from detectors.text_model import _units

    chars = np.frombuffer(word.encode("utf-32-le"), np.uint32).copy()
    return int(_units.folded_hash(chars, 0, len(chars), character_table()[1]))


def _table(words: Sequence[str]) -> tuple[UInt64, Int32]:
    """An open hash table, at most a quarter full: word hash to place."""
    size = 1
    while size < 4 * len(words):
        size *= 2
    keys, values = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    for place, word in enumerate(words):
        key = _hash(word)
        at = key & (size - 1)
        while keys[at]:
            at = (at + 1) & (size - 1)
        keys[at], values[at] = key, place
    return keys, values


def build(language: str, sections: Mapping[str, Sequence[str]]) -> Lexicon:
    """A lexicon from its sections; at most 32 classes.

    Raises:
        ValueError: more classes than bits.
    """
    class_names = tuple(name for name in sections if name not in RESERVED)
    if len(class_names) > 32:
        raise ValueError(f"{len(class_names)} word classes; there are bits for 32")
    words = list(dict.fromkeys(word for name, listed in sections.items() if name != "suffixes" for word in listed))
    place = {word: number for number, word in enumerate(words)}
    function_words = tuple(dict.fromkeys(sections.get("function", ())))
    frequent = np.zeros(len(words), np.bool_)
    frequent[[place[word] for word in sections.get("frequent", ())]] = True
    function = np.full(len(words), -1, np.int32)
    for number, word in enumerate(function_words):
        function[place[word]] = number
    classes = np.zeros(len(words), np.uint32)
    for bit, name in enumerate(class_names):
        for word in sections[name]:
            classes[place[word]] |= np.uint32(1 << bit)
    suffixes = tuple(dict.fromkeys(sections.get("suffixes", ())))
    return Lexicon(
        language, tuple(words), frequent, function, classes, class_names, function_words, suffixes,
        *_table(words), *_table(suffixes), digest_of({name: list(listed) for name, listed in sections.items()}),
    )  # fmt: skip


@lru_cache(maxsize=16)
def lexicon(language: str) -> Lexicon:
    """The lexicon that ships for a language (ISO 639-3); an empty one where none does."""
    source = files("detectors.text_model") / "data" / f"words_{language}.txt"
    if not source.is_file():
        return build(language, {})
    sections: dict[str, list[str]] = {}
    for line in source.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, listed = line.partition(":")
            sections.setdefault(name, []).extend(listed.split())
    return build(language, sections)
