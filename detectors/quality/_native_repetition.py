"""Native code of the repetition signals. Imported late: compiling takes seconds, loading a fraction of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import FIRST, SEED, WORD, finish, range_hash, step

# Variants of the repetition formulas, see repetition.py.
DATATROVE, DOLMA, DCLM, RPV2 = 0, 1, 2, 3
EMPTY_KEY = np.uint64(1)


@njit(cache=True)
def slots_for(items: Any) -> Any:
    """Smallest power of two that is at least twice the number of items."""
    size = 8
    while size < 2 * items:
        size *= 2
    return size


@njit(cache=True)
def repeats(keys: Any, lengths: Any, n: Any, slots: Any, counts: Any, out: Any) -> None:
    """Repeats among `n` keys: `out` = later copies, their characters, all copies, their characters."""
    size = slots_for(n)
    mask = np.uint64(size - 1)
    for i in range(size):  # loops, not slices: those would compile NumPy's broadcasting, for seconds
        slots[i] = -1
    for i in range(len(out)):
        out[i] = 0
    for i in range(n):
        key = keys[i]
        place = key & mask
        counts[i] = 0
        while True:
            j = slots[place]
            if j < 0:
                slots[place] = i
                counts[i] = 1
                break
            if keys[j] == key:
                counts[j] += 1
                out[0] += 1
                out[1] += lengths[i]
                break
            place = (place + np.uint64(1)) & mask
    for i in range(n):
        if counts[i] > 1:
            out[2] += counts[i]
            out[3] += np.int64(counts[i]) * lengths[i]


@njit(cache=True)
def space(code: Any, table: Any) -> Any:
    """Whether a code point is a space of `str.isspace`."""
    return (table[code] & 7) == 1 and code != 0x200B


@njit(cache=True)
def lines_of(
    chars: Any, table: Any, first: Any, last: Any, variant: Any, starts: Any, ends: Any, keys: Any, lengths: Any
) -> Any:
    """Lines of one document as the variant splits them; returns their number."""
    n = 0
    if variant == DATATROVE:  # re.split("\n+"): an outer line end leaves one empty line at that end
        for edge in range(2):
            if last > first and chars[first if edge == 0 else last - 1] == 10:
                keys[n] = EMPTY_KEY
                lengths[n] = 0
                n += 1
    for i in range(len(starts)):
        a = starts[i]
        b = ends[i]
        if variant == DCLM:
            while a < b and space(chars[a], table):
                a += 1
            while b > a and space(chars[b - 1], table):
                b -= 1
        if a == b and variant != DOLMA:
            continue
        keys[n] = range_hash(chars, a, b)
        lengths[n] = b - a
        n += 1
    return n


@njit(cache=True)
def paragraphs_of(chars: Any, table: Any, first: Any, last: Any, variant: Any, keys: Any, lengths: Any) -> Any:
    """Paragraphs of one document: between runs of two line ends or more; returns their number."""
    while first < last and space(chars[first], table):
        first += 1
    while last > first and space(chars[last - 1], table):
        last -= 1
    n = 0
    i = first
    while i < last:
        j = i
        while j < last and not (chars[j] == 10 and j + 1 < last and chars[j + 1] == 10):
            j += 1
        a = i
        b = j
        if variant == DCLM:
            while a < b and space(chars[a], table):
                a += 1
            while b > a and space(chars[b - 1], table):
                b -= 1
        if a < b:
            keys[n] = range_hash(chars, a, b)
            lengths[n] = b - a
            n += 1
        while j < last and chars[j] == 10:
            j += 1
        i = j
    return max(n, 1) if variant == DATATROVE else n


@njit(cache=True)
def units_of(
    start: Any, end: Any, hashes: Any, exact: Any, kind: Any, first: Any, last: Any, variant: Any, units: Any, ends: Any
) -> Any:
    """Words of one document as the variant counts them, and the running sum of their lengths; returns their number."""
    n = 0
    total = 0
    ends[0] = 0
    rolling = SEED
    for t in range(first, last):
        if variant == DOLMA:
            if kind[t] & FIRST:
                rolling = SEED
            rolling = step(rolling, exact[t])
            total += end[t] - start[t]
            if t + 1 < last and not kind[t + 1] & FIRST:
                continue
            units[n] = finish(rolling)
        elif variant == DATATROVE:
            units[n] = exact[t]
            total += end[t] - start[t]
        elif kind[t] & WORD:
            units[n] = exact[t] if variant == DCLM else hashes[t]
            total += end[t] - start[t]
        else:
            continue
        n += 1
        ends[n] = total
    return n


@njit(cache=True)
def ngrams(
    units: Any,
    ends: Any,
    m: Any,
    chars: Any,
    variant: Any,
    rolling: Any,
    order: Any,
    first_of: Any,
    counts: Any,
    hit: Any,
    slots: Any,
    marks: Any,
    out: Any,
) -> None:
    """Top 2- to 4-gram and duplicate 5- to 10-gram shares of one document; `m` units, `chars` characters of text.

    For n only those positions are looked at where a (n-1)-gram that repeats begins, and another at the next unit: no
    other n-gram can repeat.
    """
    total = ends[m]
    whole = chars if variant == DATATROVE else total
    if whole == 0:
        return
    # Most 2-grams occur once, and two looks at a table of marks leave nearly all of them out.
    size = 4 * slots_for(m)
    mask = np.uint64(size - 1)
    for i in range(size):
        marks[i] = 0
    for i in range(m):
        rolling[i] = step(SEED, units[i])
    for i in range(m - 1):
        place = step(rolling[i], units[i + 1]) & mask
        marks[place] = 2 * marks[place] + 1
    live = 0
    for i in range(m - 1):
        order[live] = i
        live += marks[step(rolling[i], units[i + 1]) & mask] > 1
    for n in range(2, 11):
        column = n + 2
        out[column] = 0.0
        if m < n:
            continue
        size = slots_for(live)
        mask = np.uint64(size - 1)
        for i in range(size):
            slots[i] = -1
        used = 0
        for x in range(live):
            i = order[x]
            if i + n > m:
                break
            used = x + 1
            key = step(rolling[i], units[i + n - 1])
            rolling[i] = key
            place = key & mask
            while True:
                j = slots[place]
                if j < 0:
                    slots[place] = i
                    counts[i] = 1
                    hit[i] = 0
                    first_of[i] = i
                    break
                if rolling[j] == key:
                    counts[j] += 1
                    first_of[i] = j
                    break
                place = (place + np.uint64(1)) & mask
        if n <= 4:
            best = 1
            where = 0
            for x in range(used):
                i = order[x]
                if first_of[i] != i or counts[i] < best:
                    continue
                if counts[i] > best or (variant == DCLM and ends[i + n] - ends[i] > ends[where + n] - ends[where]):
                    best = counts[i]
                    where = i
            length = ends[where + n] - ends[where]
            if variant == DATATROVE:
                length += n - 1
            if best > 1 or variant <= DOLMA:
                out[column] = length * best / whole
        else:
            copied = 0
            after = 0
            for x in range(used):
                i = order[x]
                j = first_of[i]
                if counts[j] < 2:
                    continue
                if variant == DATATROVE:
                    if i >= after:
                        if hit[j]:
                            copied += ends[i + n] - ends[i]
                            after = i + n
                        else:
                            hit[j] = 1
                elif variant == DOLMA:
                    copied += ends[i + n] - ends[i]
                else:
                    copied += ends[i + n] - ends[max(i, after)]
                    after = i + n
            base = whole
            if variant == DOLMA:
                base = 0
                for i in range(m - n + 1):
                    base += ends[i + n] - ends[i]
            out[column] = copied / base
        kept = 0
        for x in range(used):
            i = order[x]
            if counts[first_of[i]] > 1:
                order[kept] = i
                kept += 1
        live = 0
        for x in range(kept - 1):
            i = order[x]
            if order[x + 1] == i + 1:
                order[live] = i
                live += 1


@njit(
    "void(u4[::1],i8[::1],u1[::1],i4[::1],i4[::1],u8[::1],u8[::1],u1[::1],i8[::1],i4[::1],i4[::1],i8[::1],i8,f8[:,::1])",
    cache=True,
)
def repetition(
    chars: Any,
    doc_start: Any,
    table: Any,
    start: Any,
    end: Any,
    hashes: Any,
    exact: Any,
    kind: Any,
    doc_token: Any,
    line_start: Any,
    line_end: Any,
    doc_line: Any,
    variant: Any,
    out: Any,
) -> None:
    """All repetition signals of each document; `out` has 13 columns and comes filled with NaN."""
    most = 2
    for d in range(len(doc_start) - 1):
        most = max(most, doc_token[d + 1] - doc_token[d], doc_line[d + 1] - doc_line[d] + 2)
    keys = np.empty(most, np.uint64)
    rolling = np.empty(most, np.uint64)
    lengths = np.empty(most + 1, np.int64)
    slots = np.empty(slots_for(most), np.int32)
    marks = np.empty(4 * slots_for(most), np.uint8)
    counts = np.empty(most, np.int32)
    order = np.empty(most, np.int32)
    first_of = np.empty(most, np.int32)
    hit = np.empty(most, np.uint8)
    found = np.empty(4, np.int64)
    for d in range(len(doc_start) - 1):
        first = doc_start[d]
        last = doc_start[d + 1]
        if first == last:
            continue
        m = units_of(start, end, hashes, exact, kind, doc_token[d], doc_token[d + 1], variant, keys, lengths)
        nonspace = lengths[m]
        ngrams(keys, lengths, m, last - first, variant, rolling, order, first_of, counts, hit, slots, marks, out[d])
        if variant == RPV2:
            continue
        a = doc_line[d]
        b = doc_line[d + 1]
        for level in range(2):
            if level == 0:
                n = lines_of(chars, table, first, last, variant, line_start[a:b], line_end[a:b], keys, lengths)
            elif variant == DOLMA:
                break
            else:
                n = paragraphs_of(chars, table, first, last, variant, keys, lengths)
            if n == 0:
                continue
            repeats(keys, lengths, n, slots, counts, found)
            if variant == DATATROVE:
                out[d, level] = found[0] / n
                out[d, level + 2] = found[1] / (last - first)
            elif variant == DOLMA:
                out[d, level] = found[2] / n
                out[d, level + 2] = found[3] / max(nonspace, 1)
            elif n == 1:
                out[d, level] = 0.0
                out[d, level + 2] = 0.0
            else:
                whole = 0
                for i in range(n):
                    whole += lengths[i]
                out[d, level] = found[2] / n
                out[d, level + 2] = found[3] / whole
