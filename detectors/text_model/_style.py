"""Native code of stylometry, see stylometry.py. Imported late."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import SEED, finish, step
from detectors.text_model._units import CAPITAL, CAPITALS, FIGURE, JOINED, SYMBOL, WORD

ONE = np.uint64(1)
WINDOW, STRIDE = 50, 10  # of the moving type-token ratio, words
# Symbols with a rate of their own; stylometry.py names them in this order.
MARKS = (0x2C, 0x3B, 0x3A, 0x2D, 0x28, 0x22, 0x27, 0x21, 0x3F, 0x25, 0x2F)
COMMA = 0x2C


@njit("i8(u8,u8[::1],i4[::1],i4)", cache=True)
def place(key: Any, keys: Any, stamps: Any, stamp: Any) -> Any:
    """Slot of a key in an open hash table whose slots of another stamp are free; the slot is new if so stamped."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while stamps[at] == stamp and keys[at] != key:
        at = (at + ONE) & mask
    return np.int64(at)


@njit("i8(u8[::1],i8,i8,u8[::1],i4[::1],i4)", cache=True)
def distinct(sequence: Any, size: Any, width: Any, keys: Any, stamps: Any, stamp: Any) -> Any:
    """Number of different runs of `width` in the first `size` values."""
    found = 0
    for i in range(size - width + 1):
        h = SEED
        for j in range(width):
            h = step(h, sequence[i + j])
        h = finish(h)
        at = place(h, keys, stamps, stamp)
        if stamps[at] != stamp:
            stamps[at] = stamp
            keys[at] = h
            found += 1
    return found


@njit(
    "void(u4[::1],i4[::1],i4[::1],u8[::1],u1[::1],i4[::1],i4[::1],i8[::1],i4[::1],i8[::1],"
    "i4[::1],u4[::1],i8,i8,i8,i8,f4[:,::1])",
    cache=True,
)
def measure(
    chars: Any,
    start: Any,
    end: Any,
    hashes: Any,
    kind: Any,
    entry: Any,
    suffix: Any,
    doc_unit: Any,
    sentence_unit: Any,
    doc_sentence: Any,
    function: Any,
    classes: Any,
    n_suffixes: Any,
    n_classes: Any,
    n_functions: Any,
    and_class: Any,
    out: Any,
) -> None:
    """Features of all documents: rows x (general, marks, suffixes, classes, openings by class, function words)."""
    most = 16
    for d in range(len(doc_unit) - 1):
        most = max(most, doc_unit[d + 1] - doc_unit[d])
    size = 64
    while size < 3 * most:
        size *= 2
    keys = np.zeros(size, np.uint64)
    stamps = np.zeros(size, np.int32)
    types = np.zeros(size, np.int32)  # by slot
    words = np.empty(most, np.uint64)
    type_of = np.empty(most, np.int32)
    counts = np.zeros(most, np.int32)
    is_function = np.zeros(most, np.uint8)
    seen = np.zeros(most, np.int32)
    marks = np.zeros(len(MARKS) + 1, np.float64)
    ends = np.zeros(n_suffixes + 1, np.float64)
    rates = np.zeros(32, np.float64)
    opens = np.zeros(32, np.float64)
    functions = np.zeros(n_functions + 1, np.float64)
    stamp = np.int32(0)
    for d in range(len(doc_unit) - 1):
        first = doc_unit[d]
        last = doc_unit[d + 1]
        row = out[d]
        row[:] = 0
        if first == last:
            continue
        stamp += np.int32(1)
        marks[:] = 0
        ends[:] = 0
        rates[:] = 0
        opens[:] = 0
        functions[:] = 0
        n = 0
        n_types = 0
        total = 0.0
        squares = 0.0
        long7 = 0
        long10 = 0
        capital = 0
        upper = 0
        figures = 0
        possessive = 0
        contracted = 0
        function_words = 0
        oxford = 0
        ands = 0
        symbols = 0
        for u in range(first, last):
            bits = kind[u]
            if bits & WORD:
                length = end[u] - start[u]
                total += length
                squares += length * length
                long7 += length > 6
                long10 += length > 9
                capital += (bits & CAPITAL) != 0
                upper += (bits & CAPITALS) != 0
                if bits & JOINED:
                    if chars[end[u] - 1] | np.uint32(0x20) == 0x73 and chars[end[u] - 2] == 0x27:
                        possessive += 1
                    else:
                        contracted += 1
                at = place(hashes[u], keys, stamps, stamp)
                if stamps[at] != stamp:
                    stamps[at] = stamp
                    keys[at] = hashes[u]
                    types[at] = n_types
                    counts[n_types] = 0
                    is_function[n_types] = 0
                    seen[n_types] = -1
                    n_types += 1
                kindred = types[at]
                counts[kindred] += 1
                words[n] = hashes[u]
                type_of[n] = kindred
                n += 1
                if suffix[u] >= 0:
                    ends[suffix[u]] += 1
                e = entry[u]
                if e >= 0:
                    if function[e] >= 0:
                        functions[function[e]] += 1
                        function_words += 1
                        is_function[kindred] = 1
                    for b in range(n_classes):
                        if classes[e] >> np.uint32(b) & np.uint32(1):
                            rates[b] += 1
                            if b == and_class:
                                ands += 1
                                if u > first and chars[start[u - 1]] == COMMA:
                                    oxford += 1
            elif bits & FIGURE:
                figures += 1
            else:
                symbols += 1
                c = chars[start[u]]
                other = c != 0x2E and c != 0x29
                for m in range(len(MARKS)):
                    if c == MARKS[m]:
                        marks[m] += 1
                        other = False
                        break
                if other:
                    marks[len(MARKS)] += 1
        w = max(n, 1)
        mean = total / w
        once = 0
        repeated = 0.0
        content_types = 0
        content_repeats = 0
        entropy = 0.0
        for t in range(n_types):
            c = counts[t]
            once += c == 1
            repeated += c * c
            if is_function[t]:
                share = c / function_words
                entropy -= share * math.log(share)
            else:
                content_types += 1
                content_repeats += c - 1
        windows = 0
        moving = 0.0
        i = 0
        while i + WINDOW <= n:
            different = 0
            for j in range(i, i + WINDOW):
                if seen[type_of[j]] < i:
                    different += 1
                seen[type_of[j]] = j
            for j in range(i, i + WINDOW):
                seen[type_of[j]] = -1
            moving += different / WINDOW
            windows += 1
            i += STRIDE
        sentences = doc_sentence[d + 1] - doc_sentence[d]
        s_total = 0.0
        s_squares = 0.0
        s_least = 1e9
        s_most = 0.0
        s_short = 0
        s_long = 0
        s_steps = 0.0
        before = -1.0
        plain = 0
        after_opening = 0
        openings = 0
        comma_squares = 0.0
        ing = 0
        series = 0
        for s in range(doc_sentence[d], doc_sentence[d + 1]):
            a = sentence_unit[s]
            b = min(sentence_unit[s + 1], last)
            length = float(b - a)
            s_total += length
            s_squares += length * length
            s_least = min(s_least, length)
            s_most = max(s_most, length)
            s_short += length < 8
            s_long += length > 30
            if before >= 0:
                s_steps += abs(length - before)
            before = length
            commas = 0
            for u in range(a, b):
                if kind[u] & SYMBOL and chars[start[u]] == COMMA:
                    commas += 1
                    j = u + 1  # word, [word word word] and word
                    while j < b and j <= u + 4 and kind[j] & WORD:
                        e = entry[j]
                        if e >= 0 and and_class >= 0 and classes[e] >> np.uint32(and_class) & np.uint32(1):
                            series += 1
                            break
                        j += 1
            plain += commas == 0
            comma_squares += commas * commas
            while a < b and not kind[a] & WORD:
                a += 1
            if a < b:
                openings += 1
                words[openings - 1] = hashes[a]
                after_opening += a + 1 < b and chars[start[a + 1]] == COMMA
                ing += end[a] - start[a] > 5 and chars[end[a] - 1] == 0x67 and chars[end[a] - 2] == 0x6E
                e = entry[a]
                if e >= 0:
                    for c in range(n_classes):
                        if classes[e] >> np.uint32(c) & np.uint32(1):
                            opens[c] += 1
        q = max(sentences, 1)
        o = max(openings, 1)
        s_mean = max(s_total / q, 1.0)
        stamp += np.int32(1)
        open_types = distinct(words, openings, 1, keys, stamps, stamp)
        n = 0
        for u in range(first, last):  # again, as openings have used the place
            if kind[u] & WORD:
                words[n] = hashes[u]
                n += 1
        stamp += np.int32(1)
        pairs = distinct(words, n, 2, keys, stamps, stamp)
        stamp += np.int32(1)
        triples = distinct(words, n, 3, keys, stamps, stamp)
        row[0] = mean
        row[1] = math.sqrt(max(squares / w - mean * mean, 0.0))
        row[2] = long7 / w
        row[3] = long10 / w
        row[4] = n_types / math.sqrt(w)
        row[5] = once / w
        row[6] = 1e3 * (repeated - n) / w / w
        row[7] = moving / windows if windows > 0 else n_types / w
        row[8] = function_words / w
        row[9] = content_types / math.sqrt(max(n - function_words, 1))
        row[10] = content_repeats / max(n - function_words, 1)
        row[11] = entropy
        row[12] = s_mean
        row[13] = math.sqrt(max(s_squares / q - (s_total / q) ** 2, 0.0)) / s_mean
        row[14] = min(s_least, s_most) / s_mean
        row[15] = s_most / s_mean
        row[16] = s_short / q
        row[17] = s_long / q
        row[18] = s_steps / (sentences - 1) / s_mean if sentences > 1 else 0.5
        row[19] = pairs / max(n - 1, 1)
        row[20] = triples / max(n - 2, 1)
        row[21] = contracted / w
        row[22] = possessive / w
        row[23] = (capital - openings) / w
        row[24] = upper / w
        row[25] = figures / w
        row[26] = 1 - open_types / o
        row[27] = after_opening / o
        row[28] = ing / o
        row[29] = series / q
        row[30] = plain / q
        row[31] = math.sqrt(max(comma_squares / q - (marks[0] / q) ** 2, 0.0))
        row[32] = oxford / max(ands, 1)
        row[33] = symbols / w
        at = 34
        for m in range(len(MARKS) + 1):
            row[at] = marks[m] / w
            at += 1
        for m in range(n_suffixes):
            row[at] = ends[m] / w
            at += 1
        for m in range(n_classes):
            row[at] = rates[m] / w
            row[at + n_classes] = opens[m] / o
            at += 1
        at += n_classes
        for m in range(n_functions):
            row[at] = math.sqrt(functions[m] / w)
            at += 1
