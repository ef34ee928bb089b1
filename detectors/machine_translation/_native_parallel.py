"""Native code of parallelism: language-neutral tokens of a text, their smallest hashes, and the lengths of its lines.

Imported late, as `detectors.features._kernels`. All is `uint64`, `uint32` or `int64`, with typed constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import ALPHA, LETTER, MARK, NUMBER, S32, SEED, WORD, finish, is_digit, step

STRONG_SIZE = 64  # smallest hashes kept of the strong tokens (numbers, code, acronyms) …
WEAK_SIZE = 32  # … and of the weak ones (names)
ACRONYM = 5  # letters; longer words in capitals are headings
LINES = 64  # lines whose length is kept
PAIR_KEYS = 16
PLACE_KEYS = 6
SHAPE_KEYS = 4

NUMBER_SEED = np.uint64(0x51ED270B0A1F3C25)
PAIR_SEED = np.uint64(0xD6E8FEB86659FD93)
PLACE_SEED = np.uint64(0xA0761D6478BD642F)
SHAPE_SEED = np.uint64(0xE7037ED1A0B428DB)
HIGH64 = np.uint64(0xFFFFFFFFFFFFFFFF)
HIGH32 = np.uint32(0xFFFFFFFF)
TEN = np.uint64(10)

# Zero of each set of decimal digits in wide use: Arabic, Persian, Devanagari, Bengali, Gurmukhi, Gujarati, Oriya,
# Tamil, Telugu, Kannada, Malayalam, Thai, Lao, Tibetan, Myanmar, Khmer, full width.
ZEROS = np.array(
    [
        0x660, 0x6F0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
        0x17E0, 0xFF10,
    ],
    np.uint32,
)  # fmt: skip


@njit(cache=True)
def digit_value(c: Any) -> Any:
    """0 to 9, or -1 where the character is no decimal digit of a set in wide use."""
    if is_digit(c):
        return np.int64(c) - 0x30
    if c >= 0x660:
        for zero in ZEROS:
            if zero <= c < zero + 10:
                return np.int64(c) - np.int64(zero)
    return np.int64(-1)


@njit(cache=True)
def is_latin(c: Any) -> Any:
    """A letter of the Latin script, by its block."""
    return 0x61 <= (c | 0x20) <= 0x7A or 0xC0 <= c < 0x250 or 0x1E00 <= c < 0x1F00


@njit(cache=True)
def is_code_sign(c: Any) -> Any:
    """Signs that stand beside words of code, paths and addresses, seldom beside others: / \\ _ @ = $ ~ | { }."""
    return c in (0x2F, 0x5C, 0x5F, 0x40, 0x3D, 0x24, 0x7E, 0x7C, 0x7B, 0x7D)


@njit(cache=True)
def keep_smallest(values: Any, places: Any, held: Any, value: Any, place: Any) -> Any:
    """Insert into the sorted distinct `values[:held]` where it belongs to the smallest; returns the new `held`."""
    most = len(values)
    if held == most and value >= values[held - 1]:
        return held
    low = 0
    high = held
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    if low < held and values[low] == value:
        return held
    if held < most:
        held += 1
    i = held - 1
    while i > low:
        values[i] = values[i - 1]
        places[i] = places[i - 1]
        i -= 1
    values[low] = value
    places[low] = place
    return held


@njit(cache=True)
def length_code(length: Any) -> Any:
    """Length of a line on a scale of eighths of a doubling: 8 log2(1 + characters), 0 to 255."""
    return np.int64(min(255.0, np.floor(8.0 * np.log2(1.0 + length) + 0.5)))


@njit(cache=True)
def is_plain(chars: Any, table: Any, first: Any, last: Any, begin: Any, stop: Any) -> Any:
    """Whether a word without capitals has nothing but letters, and no sign of code beside it: class 0, found fast."""
    for i in range(first, last):
        if table[chars[i]] & 7 != LETTER:
            return False
    before = chars[first - 1] if first > begin else np.uint32(32)
    after = chars[last] if last < stop else np.uint32(32)
    return not (is_code_sign(before) or is_code_sign(after) or before == 0x2D or after == 0x28)


@njit(cache=True)
def classify(chars: Any, table: Any, fold: Any, first: Any, last: Any, begin: Any, stop: Any, foreign: Any) -> Any:
    """(class, hash) of the word at [first, last) of a text at [begin, stop).

    Class 0: says nothing across languages; 1: Latin letters in a text of another script, 2: written with a capital
    (a name, if it does not start a sentence), 3: number, code, acronym.
    """
    digits = 0
    letters = 0
    upper = 0
    lower = 0
    inner = 0  # capital behind a small letter
    joined = 0  # full stop or low line within
    number = NUMBER_SEED
    is_ordinal = False
    i = first
    while i < last:
        c = chars[i]
        lex = table[c] & 7
        if lex == NUMBER:
            value = digit_value(c)
            if value < 0:
                return 0, np.uint64(0)
            number = step(number, np.uint64(value))
            digits += 1
        elif lex == LETTER:
            if not is_latin(c):
                if letters == 0 and digits == 0:
                    return 0, np.uint64(0)
                last = i  # a particle or an ending behind a Latin word or a number
                break
            letters += 1
            if fold[c] != c:
                upper += 1
                if i > first and fold[chars[i - 1]] == chars[i - 1] and table[chars[i - 1]] & 7 == LETTER:
                    inner += 1
            else:
                lower += 1
                if letters == 1 and digits >= 2:  # 10th, 1990s
                    is_ordinal = True
                    last = i
                    break
        elif c in (0x27, 0x2019):
            if i - first > 3:  # Debian'ın
                last = i
                break
            first = i + 1  # l'UTF
            digits = letters = upper = lower = inner = joined = 0
        elif c in (0x2E, 0x5F) and letters:
            joined += 1
        i += 1
    if letters == 0 or is_ordinal:
        return (3, finish(number)) if digits >= 2 else (0, np.uint64(0))
    if last - first < 2:
        return 0, np.uint64(0)
    kind = 0
    if digits or inner or joined or (2 <= upper <= ACRONYM and lower == 0):
        kind = 3
    else:
        before = chars[first - 1] if first > begin else np.uint32(32)
        after = chars[last] if last < stop else np.uint32(32)
        if is_code_sign(before) or is_code_sign(after) or after == 0x28:
            kind = 3
        elif before == 0x2D:  # an option: -v, --help
            further = chars[first - 2] if first - 2 >= begin else np.uint32(32)
            if further == 0x2D or further <= 32:
                kind = 3
    if kind == 0:
        if foreign:
            kind = 1
        elif upper == 1 and fold[chars[first]] != chars[first] and last - first >= 3:
            kind = 2
    if kind == 0:
        return 0, np.uint64(0)
    h = SEED
    for j in range(first, last):
        c = chars[j]
        if table[c] & 7 in (LETTER, NUMBER, MARK) or c in (0x2E, 0x5F):
            h = step(h, np.uint64(fold[c]))
    return kind, finish(h)


@njit(cache=True)
def is_date_sign(c: Any) -> Any:
    """What joins the parts of a date: - . /"""
    return c in (0x2D, 0x2E, 0x2F)


@njit(cache=True)
def is_date(chars: Any, table: Any, first: Any, last: Any, begin: Any, stop: Any) -> Any:
    """Whether the number at [first, last) is a year, or part of a date in figures: pages of one day share it by chance.

    A date is three groups of figures joined by - . or /, of four, two and two figures or less, the year at either end.
    """
    low = first
    while low > begin and (table[chars[low - 1]] & 7 == NUMBER or is_date_sign(chars[low - 1])) and first - low < 12:
        low -= 1
    high = last
    while high < stop and (table[chars[high]] & 7 == NUMBER or is_date_sign(chars[high])) and high - last < 12:
        high += 1
    while high > low and is_date_sign(chars[high - 1]):
        high -= 1
    while low < high and is_date_sign(chars[low]):
        low += 1
    groups = 0
    length = 0
    longest = 0
    total = 0
    head = np.int64(0)
    for i in range(low, high):
        if is_date_sign(chars[i]):
            groups += 1
            length = 0
        else:
            value = digit_value(chars[i])
            if groups == 0 and length < 4:
                head = head * 10 + max(value, 0)
            length += 1
            total += 1
            longest = max(longest, length)
    if groups == 0:
        return total == 4 and 1900 <= head < 2100
    return groups == 2 and longest <= 4 and 4 <= total <= 8


@njit(cache=True)
def shape_of(lines: Any, count: Any, keys: Any) -> Any:
    """Keys of how the lengths of the lines lie: where the longest are, and that with the number of lines.

    Lengths scale with the language, so that only their order counts. Returns how many keys there are.
    """
    if count < 5:
        return 0
    top = np.full(6, -1, np.int64)
    for rank in range(min(6, count)):
        best = -1
        for i in range(count):
            taken = False
            for r in range(rank):
                taken |= top[r] == i
            if not taken and (best < 0 or lines[i] > lines[best]):
                best = i
        top[rank] = best
    made = 0
    for first, last, exact in ((0, 3, 1), (0, 4, 1), (0, 5, 0), (1, 4, 1)):
        if last > count:
            continue
        sum_ = np.uint64(0)
        for r in range(first, last):  # a sum: the set, whatever the order
            sum_ += finish(step(SHAPE_SEED, np.uint64(top[r])))
        h = step(step(SHAPE_SEED, np.uint64(made)), sum_)
        h = step(h, np.uint64(count) if exact else np.uint64(count >> 1))
        keys[made] = finish(h)
        made += 1
    return made


@njit(
    "void(u4[::1],u1[::1],u4[::1],i8[::1],i8[::1],i8[::1],i4[::1],i4[::1],u8[::1],u8[::1],u1[::1],"
    "i8[::1],i4[::1],i4[::1],"
    "u4[:,::1],u1[:,::1],u4[:,::1],u1[:,::1],u1[:,::1],u8[:,::1],u8[:,::1],u8[:,::1],i8[:,::1])",
    cache=True,
)
def survey(
    chars: Any,
    table: Any,
    fold: Any,
    doc_start: Any,
    doc_token: Any,
    doc_line: Any,
    start: Any,
    end: Any,
    hashes: Any,
    exact: Any,
    kind: Any,
    line_token: Any,
    line_first: Any,
    line_last: Any,
    strong: Any,
    strong_place: Any,
    weak: Any,
    weak_place: Any,
    lines: Any,
    pair_keys: Any,
    place_keys: Any,
    shape_keys: Any,
    counts: Any,
) -> None:
    """Fill one row a document: smallest hashes of tokens with their place in the text (256ths), lengths of lines, keys.

    `counts` gets the number of strong and weak hashes, lines kept, pair keys, place keys, shape keys, lines in all,
    and characters within lines.
    """
    unused = np.zeros(PAIR_KEYS + PLACE_KEYS, np.uint8)
    for d in range(len(doc_start) - 1):
        begin = doc_start[d]
        stop = doc_start[d + 1]
        size = max(stop - begin, 1)
        latin = 0
        other = 0
        for t in range(doc_token[d], doc_token[d + 1]):
            if kind[t] & ALPHA:
                if is_latin(chars[start[t]]):
                    latin += 1
                else:
                    other += 1
        foreign = other > latin
        filled = 0
        characters = 0
        for line in range(doc_line[d], doc_line[d + 1]):
            if line_last[line] > line_first[line]:
                filled += 1
                characters += line_last[line] - line_first[line]
        ns = 0
        nw = 0
        nl = 0
        np_ = 0
        nq = 0
        at = 0
        previous = np.uint64(0)
        previous_number = np.uint64(0)
        for line in range(doc_line[d], doc_line[d + 1]):
            if line_last[line] <= line_first[line]:
                continue
            if nl < LINES:
                lines[d, nl] = length_code(line_last[line] - line_first[line])
                nl += 1
            after_word = False
            for t in range(line_token[line], line_token[line + 1]):
                if not kind[t] & WORD:
                    after_word = False
                    continue
                c = chars[start[t]]
                lex = table[c] & 7
                named = after_word
                after_word = True
                if lex not in (LETTER, NUMBER):
                    continue
                if lex == LETTER and not is_latin(c):
                    continue
                if lex == LETTER and not foreign and end[t] - start[t] > 40:
                    continue
                if not foreign and hashes[t] == exact[t] and is_plain(chars, table, start[t], end[t], begin, stop):
                    continue
                if lex == NUMBER and is_date(chars, table, start[t], end[t], begin, stop):
                    continue
                what, h = classify(chars, table, fold, start[t], min(end[t], start[t] + 64), begin, stop, foreign)
                if what == 0 or (what == 2 and not named):
                    continue
                place = np.uint8(((start[t] - begin) * 255) // size)
                short = np.uint32(h >> S32)
                if what < 3:
                    nw = keep_smallest(weak[d], weak_place[d], nw, short, place)
                    continue
                ns = keep_smallest(strong[d], strong_place[d], ns, short, place)
                before = previous
                if previous != 0 and previous != h:
                    both = finish(step(step(PAIR_SEED, previous), h))
                    np_ = keep_smallest(pair_keys[d], unused, np_, both, np.uint8(0))
                previous = h
                if lex == NUMBER:  # numbers alone too: sections of laws and manuals, whatever their headings
                    if previous_number not in (np.uint64(0), h, before):
                        both = finish(step(step(NUMBER_SEED, previous_number), h))
                        np_ = keep_smallest(pair_keys[d], unused, np_, both, np.uint8(0))
                    previous_number = h
                if filled <= LINES:
                    spot = finish(step(step(step(PLACE_SEED, np.uint64(filled)), np.uint64(at)), h))
                    nq = keep_smallest(place_keys[d], unused, nq, spot, np.uint8(0))
            at += 1
        counts[d, 0] = ns
        counts[d, 1] = nw
        counts[d, 2] = nl
        counts[d, 3] = np_
        counts[d, 4] = nq
        counts[d, 5] = shape_of(lines[d], nl, shape_keys[d]) if filled == nl else 0
        counts[d, 6] = filled
        counts[d, 7] = characters
