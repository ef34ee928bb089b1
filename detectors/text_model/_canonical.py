"""Native code of the canonical form, see canonical.py. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

SPACE, LETTER, NUMBER, MARK, ALONE = 1, 2, 3, 4, 5  # low three bits of the character table
LOWER, UPPER, TERMINAL = 8, 16, 64  # more bits of it
DROP, DROP_IN_LATIN = 0xFFFFFFFF, 0xFFFFFFFE  # in the replacement table
BMP = 0x10000  # size of the replacement tables: there is nothing to replace beyond
NEWLINE, BLANK, QUOTE, APOSTROPHE, HYPHEN, LONG_DASH, STOP = 0x0A, 0x20, 0x22, 0x27, 0x2D, 0x2014, 0x2E
UNIT, SINGLE_UNIT = 5, 2  # of the length budget: a space, and a letter of a script without spaces
SHORT_LINE = 5  # words; a line with fewer that ends without punctuation is a heading, a menu or a caption


@njit(cache=True)
def is_word(table: Any, c: Any) -> Any:
    """Letter, mark or number."""
    return LETTER <= (table[c] & 7) <= ALONE


@njit(cache=True)
def replace(raw: Any, first: Any, last: Any, table: Any, mapping: Any, out: Any) -> Any:
    """Drop hidden characters, unify quotes, dashes and spaces. Returns the length."""
    k = 0
    for i in range(first, last):
        c = raw[i]
        if c < BMP:
            new = mapping[c]
            if new == DROP:
                continue
            if new == DROP_IN_LATIN:
                if k == 0 or out[k - 1] < 0x250:
                    continue
            else:
                c = new
        if c != NEWLINE and (table[c] & 7) == SPACE:
            c = np.uint32(BLANK)
        out[k] = c
        k += 1
    return k


@njit(cache=True)
def repair_words(buffer: Any, size: Any, table: Any, fold: Any, lookalike: Any) -> Any:
    """In words that mix scripts, look-alikes become Latin; so do whole words of look-alikes in Latin text.

    Capitals within a word that has small letters too become small.
    """
    latin = 0
    other = 0
    for i in range(size):
        if (table[buffer[i]] & 7) == LETTER:
            if buffer[i] < 0x250:
                latin += 1
            else:
                other += 1
    i = 0
    while i < size:
        if not is_word(table, buffer[i]):
            i += 1
            continue
        j = i
        ascii_letters = 0
        similar = 0
        foreign = 0
        small = 0
        capitals = 0
        while j < size and is_word(table, buffer[j]):
            c = buffer[j]
            bits = table[c]
            if (bits & 7) == LETTER:
                if c < 0x250:
                    ascii_letters += 1
                elif c < BMP and lookalike[c] != 0:
                    similar += 1
                else:
                    foreign += 1
                if bits & LOWER:
                    small += 1
                elif (bits & UPPER) and j > i:
                    capitals += 1
            j += 1
        if similar > 0 and foreign == 0 and (ascii_letters > 0 or latin > other):
            for k in range(i, j):
                c = buffer[k]
                if c >= 0x250 and c < BMP and lookalike[c] != 0:
                    buffer[k] = lookalike[c]
        if capitals > 0 and small > 0:
            for k in range(i + 1, j):
                buffer[k] = fold[buffer[k]]
        i = j


@njit(cache=True)
def strip_lines(buffer: Any, size: Any, table: Any, out: Any) -> Any:
    """Join the lines; Markdown's marks and lines that are no prose go. Returns the length."""
    k = 0
    i = 0
    while i < size:
        stop = i
        while stop < size and buffer[stop] != NEWLINE:
            stop += 1
        first = i
        i = stop + 1
        while first < stop and buffer[first] == BLANK:
            first += 1
        last = stop
        while last > first and buffer[last - 1] == BLANK:
            last -= 1
        if first == last:
            continue
        c = buffer[first]
        j = first
        if c in (0x23, 0x2A, 0x2D, 0x2022, 0x3E):  # heading, item or quotation
            while j < last and buffer[j] == c and j - first < 6:
                j += 1
            if j < last and buffer[j] == BLANK:
                first = j + 1
        elif 0x30 <= c <= 0x39:  # numbered item
            while j < last and 0x30 <= buffer[j] <= 0x39 and j - first < 3:
                j += 1
            if j + 1 < last and buffer[j] in (STOP, 0x29) and buffer[j + 1] == BLANK:
                first = j + 2
        words = 1
        single = 0
        for j in range(first, last):
            words += buffer[j] == BLANK
            single += (table[buffer[j]] & 7) == ALONE
        end = buffer[last - 1]
        ended = (table[end] & 7) == 0  # punctuation
        if words < SHORT_LINE and single < 2 * SHORT_LINE and not ended and (stop < size or k > 0):
            j = i  # a line that is broken within a sentence stays
            while j < size and buffer[j] in (BLANK, NEWLINE):
                j += 1
            if not table[buffer[first]] & LOWER and (j >= size or not table[buffer[j]] & LOWER):
                continue
        if k > 0:
            out[k] = BLANK
            k += 1
        j = first
        while j < last:
            c = buffer[j]
            if c in (0x2A, 0x5F, 0x7C) and j + 1 < last and buffer[j + 1] == c:  # ** __ ||
                j += 2
                continue
            out[k] = c
            k += 1
            j += 1
    return k


@njit(cache=True)
def closes(c: Any) -> Any:
    """Punctuation that no space stands before: , . ; : ! ? ) %"""
    return c in (0x2C, 0x2E, 0x3B, 0x3A, 0x21, 0x3F, 0x29, 0x25)


@njit(cache=True)
def contraction(buffer: Any, i: Any, size: Any, table: Any) -> Any:
    """Whether n't, 's, 're, 've, 'll, 'd or 'm starts at i and ends there."""
    if i + 1 >= size:
        return False
    c = buffer[i]
    if c == 0x6E:
        length = 3 if i + 2 < size and buffer[i + 1] == APOSTROPHE and buffer[i + 2] == 0x74 else 0
    elif c == APOSTROPHE:
        a = buffer[i + 1]
        b = buffer[i + 2] if i + 2 < size else np.uint32(0)
        if (a in (0x72, 0x76) and b == 0x65) or (a == 0x6C and b == 0x6C):
            length = 3
        else:
            length = 2 if a in (0x73, 0x64, 0x6D) else 0
    else:
        length = 0
    return length > 0 and (i + length >= size or not is_word(table, buffer[i + length]))


@njit(cache=True)
def spaces(buffer: Any, size: Any, table: Any, budget: Any, out: Any) -> Any:
    """One space between words, none before punctuation; up to `budget` units. Returns length, units and end read."""
    k = 0
    units = 0
    quoted = False
    i = 0
    while i < size:
        c = buffer[i]
        before = out[k - 1] if k > 0 else np.uint32(BLANK)
        following = buffer[i + 1] if i + 1 < size else np.uint32(BLANK)
        if c == BLANK:
            while i + 1 < size and buffer[i + 1] == BLANK:
                i += 1
            i += 1
            if before == BLANK or before == 0x28 or i == size:
                continue
            following = buffer[i]
            if closes(following) or contraction(buffer, i, size, table):
                continue
            units += UNIT
            if units >= budget:
                return k, units, i
            out[k] = BLANK
            k += 1
            continue
        i += 1
        if c == QUOTE or (c == APOSTROPHE and following == APOSTROPHE):
            while i < size and buffer[i] in (QUOTE, APOSTROPHE):
                i += 1
            following = buffer[i] if i < size else np.uint32(BLANK)
            opening = before == BLANK and not (following == BLANK and quoted)
            if opening:
                while i < size and buffer[i] == BLANK:
                    i += 1
            elif before == BLANK and k > 1:
                k -= 1
            quoted = opening
            out[k] = QUOTE
            k += 1
            continue
        if c == before and c in (0x2E, 0x21, 0x3F):  # one of several
            continue
        if c == LONG_DASH or (c == HYPHEN and following == HYPHEN):
            while i < size and buffer[i] in (HYPHEN, LONG_DASH, BLANK):
                i += 1
            if before != BLANK:
                out[k] = BLANK
                k += 1
            out[k] = HYPHEN
            out[k + 1] = BLANK
            k += 2
            units += UNIT
            continue
        bits = table[c]
        if (bits & UPPER) and k > 1 and before in (0x2E, 0x21, 0x3F, 0x2C, 0x3B, 0x3A) and (table[out[k - 2]] & LOWER):
            out[k] = BLANK  # a space lost after a full stop
            k += 1
            units += UNIT
        if (bits & 7) == ALONE:
            units += SINGLE_UNIT
            if units >= budget:
                return k, units, i - 1
        out[k] = c
        k += 1
    return k, units, size


@njit(cache=True)
def drop_last_sentence(out: Any, size: Any, table: Any, cut: Any) -> Any:
    """Length without the last sentence if it is cut, unless that is most of the text."""
    i = size - 1
    while i >= 0 and out[i] in (QUOTE, APOSTROPHE, 0x29):
        i -= 1
    if not cut and i >= 0 and (table[out[i]] & TERMINAL):
        return size
    i = size - 1
    while i * 5 > size * 2:
        if table[out[i]] & TERMINAL:
            j = i + 1
            while j < size and out[j] in (QUOTE, APOSTROPHE, 0x29):
                j += 1
            if j == size or out[j] == BLANK or (table[out[j]] & 7) == ALONE:
                return j
        i -= 1
    return size


@njit("void(u4[::1],i8[::1],u1[::1],u1[::1],u4[::1],u4[::1],u4[::1],i8,u4[::1],i8[::1],i4[::1])", cache=True)
def canonicalise(
    raw: Any,
    raw_start: Any,
    cut: Any,
    table: Any,
    fold: Any,
    mapping: Any,
    lookalike: Any,
    budget: Any,
    chars: Any,
    doc_start: Any,
    units: Any,
) -> None:
    """Fills the canonical characters of all documents, their bounds, and their length in units before the last cut."""
    longest = 0
    for d in range(len(raw_start) - 1):
        longest = max(longest, raw_start[d + 1] - raw_start[d])
    a = np.empty(longest + 1, np.uint32)
    b = np.empty(2 * longest + 2, np.uint32)
    at = 0
    for d in range(len(raw_start) - 1):
        doc_start[d] = at
        size = replace(raw, raw_start[d], raw_start[d + 1], table, mapping, a)
        repair_words(a, size, table, fold, lookalike)
        size = strip_lines(a, size, table, b)
        out = chars[at:]
        length, found, end = spaces(b, size, table, budget, out)
        while length > 0 and out[length - 1] == BLANK:
            length -= 1
        at += drop_last_sentence(out, length, table, cut[d] != 0 or end < size)
        units[d] = found + UNIT if length > 0 else 0
    doc_start[len(raw_start) - 1] = at
