"""Native code of the scanner: characters, character references and runs of text. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from pipeline.extract.columns import (
    ALNUM,
    BLOCK_PARENT,
    HEIGHT,
    HIDDEN,
    INLINE,
    LINK,
    LINK_WORDS,
    PRE,
    RUN,
    SPACE,
    STACK,
    START,
    STARTED,
    TAG_OF,
    TEXT,
    WORD_COUNT,
)
from pipeline.extract.vocabulary import FLAGS, HASH_SEED, HASH_STEP, vocabulary

# Constants of the compiled code: passed as arguments they would cost more than most calls do. The cache of compiled
# code does not see a change of them: `page_table` compares `_scan.compiled_vocabulary`.
FLAG_OF = vocabulary().tag_flags
_BLOCK = FLAGS["BLOCK"]
_ENTITY_KEYS, _ENTITY_VALUES, _ENTITY_TEXT, _C1 = vocabulary()[5:9]
# Types are spelled out where calls would otherwise be compiled once for every kind of integer.
INT = types.int64
SOURCE = types.Array(types.uint8, 1, "C", readonly=True)  # a view of bytes
TEXT_BUFFER = types.uint8[::1]
STATE_ARRAY = types.int64[::1]
TABLE = types.int32[:, ::1]
BITS = types.uint64[::1]
LT, GT, SLASH, EQ, BANG, QUESTION, DASH, AMP, SEMI, HASH = (ord(c) for c in "<>/=!?-&;#")


@njit(cache=True)
def is_space(c: Any) -> Any:
    return c == 32 or (9 <= c <= 13 and c != 11)


@njit(cache=True)
def is_letter(c: Any) -> Any:
    return 97 <= (c | 32) <= 122


@njit(cache=True)
def is_alnum(c: Any) -> Any:
    return 48 <= c <= 57 or 97 <= (c | 32) <= 122


@njit(cache=True)
def look_up(keys: Any, values: Any, key: Any) -> Any:
    """Value of a key in an open-addressed table, or -1."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != np.uint64(0):
        if keys[slot] == key:
            return np.int64(values[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@njit(INT(TEXT_BUFFER, INT, INT), cache=True)
def put_code_point(text: Any, at: Any, code: Any) -> Any:
    """Write a code point as UTF-8; NUL, surrogates and what is out of range become U+FFFD. Returns the new length."""
    if code <= 0 or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        code = np.int64(0xFFFD)
    if code < 0x80:
        text[at] = code
        return at + 1
    if code < 0x800:
        text[at] = 0xC0 | (code >> 6)
        text[at + 1] = 0x80 | (code & 63)
        return at + 2
    if code < 0x10000:
        text[at] = 0xE0 | (code >> 12)
        text[at + 1] = 0x80 | ((code >> 6) & 63)
        text[at + 2] = 0x80 | (code & 63)
        return at + 3
    text[at] = 0xF0 | (code >> 18)
    text[at + 1] = 0x80 | ((code >> 12) & 63)
    text[at + 2] = 0x80 | ((code >> 6) & 63)
    text[at + 3] = 0x80 | (code & 63)
    return at + 4


@njit("UniTuple(i8, 2)(Array(u1, 1, 'C', True), i8, i8, u1[::1], i8)", cache=True)
def put_reference(src: Any, i: Any, end: Any, text: Any, at: Any) -> Any:
    """Decode the character reference at `&`; returns (position after it, new length), or (i, at) if there is none."""
    j = i + 1
    if j < end and src[j] == HASH:
        j += 1
        code = np.int64(0)
        first = j
        if j < end and (src[j] | 32) == 120:
            j += 1
            first = j
            while j < end:
                c = np.int64(src[j])
                if 48 <= c <= 57:
                    c -= 48
                elif 97 <= (c | 32) <= 102:
                    c = (c | 32) - 87
                else:
                    break
                code = min(code * 16 + c, np.int64(0x110000))
                j += 1
        else:
            while j < end and 48 <= src[j] <= 57:
                code = min(code * 10 + (np.int64(src[j]) - 48), np.int64(0x110000))
                j += 1
        if j == first:
            return i, at
        if j < end and src[j] == SEMI:
            j += 1
        if 0x80 <= code <= 0x9F:
            code = np.int64(_C1[code - 0x80])
        return j, put_code_point(text, at, code)
    key = HASH_SEED
    best = np.int64(-1)
    after = i
    while j < end and j - i <= 32 and is_alnum(src[j]):  # the longest name that is known, as the standard says
        key = (key ^ np.uint64(src[j])) * HASH_STEP
        j += 1
        if j - i <= 7:  # no name without semicolon is longer than six letters
            row = look_up(_ENTITY_KEYS, _ENTITY_VALUES, key)
            if row >= 0:
                best, after = row, j
    if j < end and src[j] == SEMI:
        row = look_up(_ENTITY_KEYS, _ENTITY_VALUES, (key ^ np.uint64(SEMI)) * HASH_STEP)
        if row >= 0:
            best, after = row, j + 1
    if best < 0:
        return i, at
    for k in range(_ENTITY_TEXT[best, 0]):
        text[at + k] = _ENTITY_TEXT[best, 1 + k]
    return after, at + np.int64(_ENTITY_TEXT[best, 0])


@njit(cache=True)
def is_ideographic(lead: Any, array: Any, at: Any, end: Any) -> Any:
    """Whether a character is Han, Kana, or full-width punctuation, by its first two bytes."""
    return 0xE3 <= lead <= 0xE9 or (lead == 0xEF and at + 1 < end and 0xBC <= array[at + 1] <= 0xBD)


@njit(cache=True)
def is_close(lead: Any, following: Any) -> Any:
    """Whether a character is of Thai, Lao, Tibetan, Khmer or Myanmar, by its first two bytes."""
    if lead == 0xE0:
        return following >= 0xB8
    return lead == 0xE1 and (0x80 <= following <= 0x82 or following == 0x9E)


@njit(types.void(SOURCE, INT, INT, STATE_ARRAY, TABLE, TEXT_BUFFER), cache=True)
def push_text(src: Any, i: Any, end: Any, s: Any, nodes: Any, text: Any) -> None:
    """Append a run of text: spaces collapsed outside `pre`, references decoded, words counted.

    A word is a run without space that holds a letter or a digit. In scripts without spaces two Han or Kana, or four
    letters of Thai, Lao, Khmer, Myanmar or Tibetan, count as a word more; so do 24 letters in one run.
    """
    top = s[STACK + s[HEIGHT] - 1]
    outer = nodes[top, BLOCK_PARENT]
    if nodes[top, HIDDEN] and outer >= 0 and not nodes[outer, HIDDEN] and not FLAG_OF[nodes[top, TAG_OF]] & _BLOCK:
        return  # hidden inside a visible block: a word that nobody sees would stand in the middle of a sentence
    at = s[TEXT]
    first = i
    broken = False  # the spaces before the word hold a line break
    while i < end:
        c = src[i]
        if c <= 32 or (c == 0xC2 and i + 1 < end and src[i + 1] == 0xA0):
            broken |= c == 10
            if s[PRE] > 0:
                if c == 13:
                    if i + 1 < end and src[i + 1] == 10:
                        i += 1
                    c = np.uint8(10)
                if s[STARTED] == 1 or c != 10:  # line breaks before the first word are none of the code
                    text[at] = c if c in (9, 10) else 32
                    at += 1
                elif c == 10:
                    at = s[START]
                s[SPACE] = 1
            elif s[SPACE] == 0:
                text[at] = 32
                at += 1
                s[SPACE] = 1
            i += 2 if c == 0xC2 else 1
            continue
        if (
            broken
            and s[PRE] == 0
            and at > s[START] + 3
            and text[at - 1] == 32
            and is_ideographic(c, src, i, end)
            and is_ideographic(text[at - 4], text, at - 4, at)
        ):
            at -= 1  # a line break between Han or Kana is no space
        broken = False
        begin = i
        written = at
        alnum = False
        wide, close, other = np.int64(0), np.int64(0), np.int64(0)
        spaced = False
        mark = np.uint8(32)
        while i < end:
            c = src[i]
            if c <= 32 or (c == 0xC2 and i + 1 < end and src[i + 1] == 0xA0):
                break
            if c == AMP:
                j, after = put_reference(src, i, end, text, at)
                if j > i:
                    if after == at + 2 and text[at] == 0xC2 and text[at + 1] == 0xA0:  # a no-break space
                        spaced = True
                        i = j
                        break
                    if after == at + 1 and text[at] <= 32:
                        spaced = True
                        mark = text[at]
                        i = j
                        break
                    alnum |= text[at] > 127 or is_alnum(text[at])
                    other += 1
                    i, at = j, after
                    continue
            text[at] = c
            at += 1
            i += 1
            if c > 127:
                alnum = True
                if 0xE3 <= c <= 0xE9:
                    wide += 1
                elif i < end and is_close(c, src[i]):
                    close += 1
                elif c >= 0xC0:
                    other += 1
            else:
                other += 1
                if is_alnum(c):
                    alnum = True
        if at > written:
            if s[STARTED] == 0:
                s[STARTED] = 1
                s[INLINE] = nodes[s[STACK + s[HEIGHT] - 1], TAG_OF]
            joined = s[SPACE] == 0 and begin == first
            s[SPACE] = 0
            s[RUN] = 0
            if alnum:
                s[ALNUM] = 1
                words = wide // 2 + close // 4 + other // 24
                if not joined:
                    words += 1
                s[WORD_COUNT] += words
                if s[LINK] >= 0:
                    s[LINK_WORDS] += words
        if spaced and s[PRE] > 0:
            text[at] = mark if mark in (9, 10) else 32
            at += 1
            s[SPACE] = 1
        elif spaced and s[SPACE] == 0:
            text[at] = 32
            at += 1
            s[SPACE] = 1
    s[TEXT] = at
