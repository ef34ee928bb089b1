"""Native code of the units (words, numbers, symbols) and sentences of canonical text, see units.py. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import SEED, finish, step
from detectors.text_model._canonical import (
    ALONE,
    APOSTROPHE,
    BLANK,
    LETTER,
    MARK,
    NUMBER,
    QUOTE,
    SPACE,
    TERMINAL,
    UPPER,
)  # fmt: skip

WORD, FIGURE, SYMBOL, CAPITAL, CAPITALS, JOINED, LAST = 1, 2, 4, 8, 16, 32, 64  # bits of a unit's kind
LONGEST_SUFFIX = 4
SHORTEST_STEM = 3


@njit("u8(u4[::1],i8,i8,u4[::1])", cache=True)
def folded_hash(chars: Any, first: Any, last: Any, fold: Any) -> Any:
    """Hash of the folded characters of a span."""
    h = SEED
    for i in range(first, last):
        h = step(h, np.uint64(fold[chars[i]]))
    return finish(h)


@njit("i4(u8,u8[::1],i4[::1])", cache=True)
def find(key: Any, keys: Any, values: Any) -> Any:
    """Value of a key in an open hash table (a power of two in size, 0 = free); -1 = absent."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != np.uint64(0):
        if keys[at] == key:
            return values[at]
        at = (at + np.uint64(1)) & mask
    return np.int32(-1)


@njit(
    "Tuple((i8,i8))(u4[::1],i8[::1],u1[::1],u4[::1],u8[::1],i4[::1],u8[::1],i4[::1],"
    "i4[::1],i4[::1],u8[::1],u1[::1],i4[::1],i4[::1],i8[::1],i4[::1],i8[::1])",
    cache=True,
)
def split(
    chars: Any,
    doc_start: Any,
    table: Any,
    fold: Any,
    word_keys: Any,
    word_values: Any,
    suffix_keys: Any,
    suffix_values: Any,
    start: Any,
    end: Any,
    hashes: Any,
    kind: Any,
    entry: Any,
    suffix: Any,
    doc_unit: Any,
    sentence_unit: Any,
    doc_sentence: Any,
) -> Any:
    """Fills units and sentences; returns their numbers."""
    n = 0
    sentences = 0
    for d in range(len(doc_start) - 1):
        doc_unit[d] = n
        doc_sentence[d] = sentences
        i = doc_start[d]
        stop = doc_start[d + 1]
        fresh = True
        while i < stop:
            c = chars[i]
            lex = table[c] & 7
            if lex == SPACE:
                i += 1
                continue
            if fresh:
                sentence_unit[sentences] = n
                sentences += 1
                fresh = False
            start[n] = i
            entry[n] = -1
            suffix[n] = -1
            if lex in (LETTER, MARK, ALONE):
                bits = WORD | (CAPITAL if table[c] & UPPER else 0)
                h = SEED
                small = False
                joined = -1
                first = i
                while i < stop:
                    c = chars[i]
                    lex = table[c] & 7
                    if lex in (LETTER, MARK) or (lex == ALONE and i == first):
                        small = small or not (table[c] & UPPER)
                    elif c == APOSTROPHE and joined < 0 and i + 1 < stop and (table[chars[i + 1]] & 7) == LETTER:
                        joined = i
                    else:
                        break
                    h = step(h, np.uint64(fold[c]))
                    i += 1
                    if lex == ALONE:
                        while i < stop and (table[chars[i]] & 7) == MARK:
                            h = step(h, np.uint64(fold[chars[i]]))
                            i += 1
                        break
                h = finish(h)
                if i - first > 1 and not small:
                    bits |= CAPITALS
                if joined >= 0:
                    bits |= JOINED
                entry[n] = find(h, word_keys, word_values)
                if len(suffix_keys) > 1:
                    for length in range(LONGEST_SUFFIX, 0, -1):
                        if i - first >= length + SHORTEST_STEM:
                            found = find(folded_hash(chars, i - length, i, fold), suffix_keys, suffix_values)
                            if found >= 0:
                                suffix[n] = found
                                break
            elif lex == NUMBER:
                bits = FIGURE
                i += 1
                while i < stop:
                    if (table[chars[i]] & 7) == NUMBER:
                        i += 1
                    elif chars[i] in (0x2E, 0x2C) and i + 1 < stop and (table[chars[i + 1]] & 7) == NUMBER:
                        i += 2
                    else:
                        break
                h = np.uint64(FIGURE)
            else:
                bits = SYMBOL
                i += 1
                h = finish(step(SEED, np.uint64(c)))
                if table[c] & TERMINAL:
                    j = i
                    while j < stop and chars[j] in (QUOTE, APOSTROPHE, 0x29):
                        j += 1
                    fresh = j == stop or chars[j] == BLANK or (table[chars[j]] & 7) == ALONE
                    if fresh and j > i:  # closing marks belong to the sentence
                        end[n] = i
                        hashes[n] = h
                        kind[n] = bits
                        n += 1
                        while i < j:
                            start[n] = i
                            entry[n] = -1
                            suffix[n] = -1
                            h = finish(step(SEED, np.uint64(chars[i])))
                            i += 1
                            if i < j:
                                end[n] = i
                                hashes[n] = h
                                kind[n] = bits
                                n += 1
            end[n] = i
            hashes[n] = h
            kind[n] = bits
            n += 1
    doc_unit[len(doc_start) - 1] = n
    doc_sentence[len(doc_start) - 1] = sentences
    sentence_unit[sentences] = n
    return n, sentences
