"""Which texts of a batch may hold which of many phrases, from the token array: no pass over the characters.

Of each phrase up to three tokens in a row are its key. A match of a key is a hint at a place: whoever asks compares the
text there. Regular expressions with hundreds of alternatives build their automaton anew for every batch, which costs
several times what this does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.api import FeatureCache
from detectors.features.tokens import FEATURE, Tokens, UInt64, tokenise, tokens

KEY_TOKENS = 3
_STEP = np.uint64(0x9E3779B97F4A7C15)
_BITS = 16
_SHIFT = np.uint64(64 - _BITS)
_APOSTROPHES = "'’"

Choose = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class PhraseIndex:
    """Keys of phrases by number of tokens.

    `present[n]` says which hashes begin with which 16 bits; `keys[n]` are the hashes in order and `owners[n]` the
    phrases of each, by their number.
    """

    present: tuple[npt.NDArray[np.bool_], ...]
    keys: tuple[UInt64, ...]
    owners: tuple[tuple[tuple[int, ...], ...], ...]
    offsets: tuple[int, ...]  # by phrase: token of the phrase at which its key begins

    def find(self, features: FeatureCache) -> list[tuple[int, int, int]]:
        """(row, phrase, token) of each match of a key, in order of row; the token is the first of the phrase.

        The token counts within the batch, and may be outside the row where only a part of the phrase is there.
        """
        found: list[tuple[int, int, int]] = []
        batch = tokens(features)
        hashes, tops = _rolled(features)
        for n in range(KEY_TOKENS):
            if not len(self.keys[n]) or not len(hashes[n]):
                continue
            at = np.flatnonzero(self.present[n][tops[n]])
            if not len(at):
                continue
            place = np.minimum(np.searchsorted(self.keys[n], hashes[n][at]), len(self.keys[n]) - 1)
            exact = self.keys[n][place] == hashes[n][at]
            at, place = at[exact], place[exact]
            rows = np.searchsorted(batch.doc_token, at, "right") - 1
            within = at + n < batch.doc_token[rows + 1]
            for row, token, key in zip(rows[within].tolist(), at[within].tolist(), place[within].tolist(), strict=True):
                found.extend((row, phrase, token - self.offsets[phrase]) for phrase in self.owners[n][key])
        return sorted(found)


def index_phrases(phrases: Sequence[str], first: bool = False) -> PhraseIndex:
    """Index of phrases, each with a token at least; `first` takes the key at the beginning of the phrase.

    Else it is the longest in letters, without apostrophes where that can be had (texts write them in several ways) and
    without the first and the last token where there are enough, which may be parts of words.
    """
    cut = tokenise(phrases)
    tables: list[dict[int, list[int]]] = [{} for _ in range(KEY_TOKENS)]
    offsets = []
    for number, phrase in enumerate(phrases):
        begin, stop = int(cut.doc_token[number]), int(cut.doc_token[number + 1])
        if begin == stop:
            raise ValueError(f"a phrase without a token: {phrase!r}")
        base = int(cut.doc_start[number])
        words = [phrase[cut.start[i] - base : cut.end[i] - base] for i in range(begin, stop)]
        offset, length = (0, min(KEY_TOKENS, len(words))) if first else _best_key(words)
        key = cut.hash[begin + offset]
        for i in range(1, length):
            key = _join(key, cut.hash[begin + offset + i])
        tables[length - 1].setdefault(int(key), []).append(number)
        offsets.append(offset)
    keys = tuple(np.array(sorted(table), np.uint64) for table in tables)
    present = tuple(np.zeros(1 << _BITS, np.bool_) for _ in tables)
    for bits, held in zip(present, keys, strict=True):
        bits[held >> _SHIFT] = True
    owners = tuple(tuple(tuple(table[int(key)]) for key in held) for table, held in zip(tables, keys, strict=True))
    return PhraseIndex(present, keys, owners, tuple(offsets))


def _best_key(words: Sequence[str]) -> tuple[int, int]:
    """First token and number of tokens of a key."""
    length = min(KEY_TOKENS, len(words))
    inner = 1 if len(words) >= KEY_TOKENS + 2 else 0
    choices = range(inner, len(words) - length - inner + 1)

    def rank(offset: int) -> tuple[bool, int, int]:
        chosen = words[offset : offset + length]
        plain = not any(sign in word for word in chosen for sign in _APOSTROPHES)
        return plain, sum(map(len, chosen)), offset  # late, where words are signs: they begin alike

    return max(choices, key=rank), length


def _join(left: UInt64, right: UInt64) -> UInt64:
    with np.errstate(over="ignore"):
        return left * _STEP ^ right


def _roll(batch: Tokens) -> tuple[UInt64, ...]:
    rolled = [batch.hash]
    for n in range(1, KEY_TOKENS):
        rolled.append(_join(rolled[-1][: max(0, len(batch.hash) - n)], batch.hash[n:]))
    return tuple(rolled)


class _Rolled(NamedTuple):
    hashes: tuple[UInt64, ...]
    tops: tuple[npt.NDArray[np.uint16], ...]  # their first 16 bits


def _rolled(features: FeatureCache) -> _Rolled:
    """Hashes of one, two and three tokens in a row, computed once per batch."""

    def compute(_: pa.RecordBatch) -> _Rolled:
        hashes = _roll(tokens(features))
        return _Rolled(hashes, tuple((held >> _SHIFT).astype(np.uint16) for held in hashes))

    return features.get(f"rolled:{KEY_TOKENS}:{FEATURE}", compute)


def token_span(batch: Tokens, row: int, token: int) -> tuple[int, int] | None:
    """Characters of a token in the text of its row, half-open; None where the row has no such token."""
    if not batch.doc_token[row] <= token < batch.doc_token[row + 1]:
        return None
    base = int(batch.doc_start[row])
    return int(batch.start[token]) - base, int(batch.end[token]) - base
