"""Native inner loops of the simulations. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

TRIES = 10_000  # draws of an unseen word before the last one stands; about one is expected


@njit("void(i8[:,::1], i8, f8[:,::1])", cache=True, nogil=True)
def shuffle_first(order: Any, size: Any, uniform: Any) -> None:
    """In each row, bring a sample of the first `size` entries to its beginning, as many as `uniform` has columns."""
    for row in range(order.shape[0]):
        for i in range(uniform.shape[1]):
            j = i + int(uniform[row, i] * (size - i))
            order[row, i], order[row, j] = order[row, j], order[row, i]


@njit("i8(f8[::1], i8, i8, f8)", cache=True, nogil=True)
def _place(cumulated: Any, begin: Any, end: Any, value: Any) -> Any:
    """First entry in [begin, end) whose cumulated weight is over `value`; the last one where none is."""
    low, high = begin, end - 1
    while low < high:
        middle = (low + high) // 2
        if cumulated[middle] > value:
            high = middle
        else:
            low = middle + 1
    return low


@njit("b1(i4[::1], i8, i8, i8)", cache=True, nogil=True)
def _holds(words: Any, begin: Any, end: Any, word: Any) -> Any:
    """Whether a sorted stretch of words holds the word."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if words[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low < end and words[low] == word


@njit("i4[::1](i8[::1], i4[::1], f8[::1], f8[::1], f8[::1], i8, i8)", cache=True, nogil=True)
def sample_words(bounds: Any, words: Any, seen: Any, unseen: Any, lower: Any, count: Any, seed: Any) -> Any:
    """Words that a bigram model writes, beginning after a boundary (word 0).

    Args:
        bounds: (vocabulary + 1) where the words that were seen after each word stand in `words`.
        words: words that were seen after another, ascending for each.
        seen: their weights, cumulated from the first word's first entry to the last word's last.
        unseen: (vocabulary) weight of all words together that were not seen after a word.
        lower: (vocabulary) weights of the words without context, cumulated.
        count: number of words to write, boundaries included.
        seed: of the generator, from 0 to 2^32 - 1.
    """
    np.random.seed(seed)
    out = np.empty(count, np.int32)
    before = 0
    for at in range(count):
        begin, end = bounds[before], bounds[before + 1]
        base = seen[begin - 1] if begin > 0 else 0.0
        inner = seen[end - 1] - base if end > begin else 0.0
        drawn = np.random.random() * (inner + unseen[before])
        if drawn < inner:
            word = int(words[_place(seen, begin, end, base + drawn)])
        else:
            word = 0
            for _ in range(TRIES):
                word = _place(lower, 0, len(lower), np.random.random() * lower[len(lower) - 1])
                # No empty line; nothing else that was seen here, which has its own weight.
                if not (word == 0 and before == 0) and not _holds(words, begin, end, word):
                    break
        out[at] = word
        before = word
    return out
