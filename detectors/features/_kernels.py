"""Native code of the token array and of MinHash. Imported late: compiling takes seconds, loading a fraction of one.

Everything is `uint64` or `int64`; a mix of both would silently become `float64`, hence the typed constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._native_sketch import sort_distinct

SPACE, LETTER, NUMBER, MARK, ALONE, IGNORED = 1, 2, 3, 4, 5, 6  # low three bits of the character table
WORD, ALPHA, FIRST, SINGLE = 1, 2, 4, 8  # bits of a token's kind, see tokens.py

EMAIL, IPV4, IPV6, MARKDOWN = 1, 2, 4, 8  # bits of a document's shapes, see shapes.py

SEED = np.uint64(0x9E3779B97F4A7C15)  # odd 64-bit constants of splitmix64 and MurmurHash3's finaliser
STEP = np.uint64(0xBF58476D1CE4E5B9)
MIX1 = np.uint64(0xFF51AFD7ED558CCD)
MIX2 = np.uint64(0xC4CEB9FE1A85EC53)
S32 = np.uint64(32)
S33 = np.uint64(33)
LOW32 = np.uint64(0xFFFFFFFF)
FMIX1 = np.uint64(0x85EBCA6B)
FMIX2 = np.uint64(0xC2B2AE35)
SPACE_CHARACTER = np.uint64(0x20)
S13 = np.uint64(13)
S16 = np.uint64(16)


@njit(cache=True)
def finish(h: Any) -> Any:
    """MurmurHash3's 64-bit finaliser: spreads a rolling hash over all bits."""
    h ^= h >> S33
    h *= MIX1
    h ^= h >> S33
    h *= MIX2
    return h ^ (h >> S33)


@njit(cache=True)
def step(h: Any, value: Any) -> Any:
    """One more element of a rolling hash; a bijection of `h`, and of `value`."""
    h = (h ^ value) * STEP
    return h ^ (h >> S32)


@njit(cache=True)
def range_hash(chars: Any, first: Any, last: Any) -> Any:
    """Hash of the code points of a span: those at even and at odd places apart, as steps wait for each other."""
    even = SEED
    odd = SEED
    i = first
    while i + 1 < last:
        even = step(even, np.uint64(chars[i]))
        odd = step(odd, np.uint64(chars[i + 1]))
        i += 2
    if i < last:
        even = step(even, np.uint64(chars[i]))
    return finish(step(odd, finish(even)))


@njit(cache=True)
def joins(c: Any, letter: Any, following: Any) -> Any:
    """Whether a symbol between a letter (else a number) and a character of class `following` is part of the word."""
    if c == 0x2E:  # full stop
        return following == (LETTER if letter else NUMBER)
    if c in (0x27, 0x2019):  # apostrophes
        return letter and following == LETTER
    if c == 0x2C:  # comma
        return not letter and following == NUMBER
    return c == 0x5F and following in (LETTER, NUMBER)  # low line


@njit(
    "Tuple((i8,i8))(u4[::1],i8[::1],u1[::1],u4[::1],i4[::1],i4[::1],u8[::1],u8[::1],u1[::1],i8[::1],"
    "i4[::1],i4[::1],i4[::1],i4[::1],i8[::1],u8[::1],i8[::1])",
    cache=True,
)
def tokenise(
    chars: Any,
    doc_start: Any,
    table: Any,
    fold: Any,
    start: Any,
    end: Any,
    hashes: Any,
    exact: Any,
    kind: Any,
    doc_token: Any,
    line_start: Any,
    line_end: Any,
    line_first: Any,
    line_last: Any,
    line_token: Any,
    line_hash: Any,
    doc_line: Any,
) -> Any:
    """Fills the token and line arrays; returns the number of tokens and of lines."""
    nt = 0
    nl = 0
    for d in range(len(doc_start) - 1):
        doc_token[d] = nt
        doc_line[d] = nl
        i = doc_start[d]
        stop = doc_start[d + 1]
        if i == stop:
            continue
        line_start[nl] = i
        line_token[nl] = nt
        first = i
        last = i
        seen = False
        words = False
        rolling = SEED
        spaced = True
        while True:
            if i == stop or chars[i] == 10:
                line_end[nl] = i
                line_first[nl] = first if seen else i
                line_last[nl] = last if seen else i
                line_hash[nl] = finish(rolling) if words else np.uint64(0)
                nl += 1
                if i == stop:
                    break
                i += 1
                line_start[nl] = i
                line_token[nl] = nt
                seen = False
                words = False
                rolling = SEED
                spaced = True
                continue
            c = chars[i]
            lex = table[c] & 7
            if lex == SPACE:
                spaced = True
                i += 1
                continue
            if not seen:
                seen = True
                first = i
            start[nt] = i
            h = SEED
            r = SEED
            bits = FIRST if spaced else 0
            spaced = False
            if lex in (LETTER, NUMBER):
                bits |= WORD
                letter = False
                while i < stop:
                    c = chars[i]
                    lex = table[c] & 7
                    while lex == LETTER:  # nearly all there is
                        letter = True
                        h = step(h, np.uint64(fold[c]))
                        r = step(r, np.uint64(c))
                        i += 1
                        c = chars[i] if i < stop else np.uint32(10)
                        lex = table[c] & 7
                    bits |= ALPHA if letter else 0
                    if i == stop:
                        break
                    if lex in (NUMBER, MARK):
                        h = step(h, np.uint64(fold[c]))
                        r = step(r, np.uint64(c))
                        if lex == NUMBER:
                            letter = False
                    elif lex == IGNORED:
                        pass
                    elif i + 1 < stop and joins(c, letter, table[chars[i + 1]] & 7):
                        if c == 0x2019:
                            c = np.uint32(0x27)
                        h = step(h, np.uint64(c))
                        r = step(r, np.uint64(c))
                    else:
                        break
                    i += 1
            else:
                if lex == ALONE:
                    bits |= WORD | ALPHA | SINGLE
                    h = step(h, np.uint64(fold[c]))
                    r = step(r, np.uint64(c))
                    i += 1
                else:
                    same = c
                    while i < stop and chars[i] == same:
                        h = step(h, np.uint64(same))
                        i += 1
                    r = h
                while i < stop:
                    c = chars[i]
                    lex = table[c] & 7
                    if lex == MARK:
                        h = step(h, np.uint64(fold[c]))
                        r = step(r, np.uint64(c))
                    elif lex != IGNORED:
                        break
                    i += 1
            end[nt] = i
            last = i
            h = finish(h)
            hashes[nt] = h
            exact[nt] = finish(r)
            kind[nt] = bits
            if bits & WORD:
                words = True
                rolling = step(rolling, h)
            nt += 1
    doc_token[len(doc_start) - 1] = nt
    doc_line[len(doc_start) - 1] = nl
    line_token[nl] = nt
    return nt, nl


@njit(cache=True)
def word_shingles(hashes: Any, kind: Any, first: Any, last: Any, size: Any, buffer: Any, found: Any) -> Any:
    """Hashes of the runs of `size` words among the tokens of a span; the numbers of words and of shingles."""
    n = 0
    for t in range(first, last):
        if kind[t] & WORD:
            buffer[n] = hashes[t]
            n += 1
    width = min(size, n)
    total = n - width + 1 if n > 0 else 0
    for s in range(total):
        h = SEED
        for w in range(width):
            h = step(h, buffer[s + w])
        found[s] = np.uint32(finish(h) & LOW32)
    return n, total


@njit(cache=True)
def character_shingles(
    chars: Any, table: Any, fold: Any, first: Any, last: Any, size: Any, buffer: Any, found: Any
) -> Any:
    """Hashes of the runs of `size` folded characters of a span; the number of shingles."""
    n = 0
    gap = True
    for i in range(first, last):
        c = chars[i]
        lex = table[c] & 7
        if lex == IGNORED or (lex == MARK and gap):  # a mark of a symbol is of the symbol
            continue
        if lex in (LETTER, NUMBER, ALONE, MARK):
            if gap and n > 0:
                buffer[n] = finish(SEED ^ SPACE_CHARACTER)
                n += 1
            buffer[n] = finish(SEED ^ np.uint64(fold[c]))
            n += 1
            gap = False
        else:
            gap = True
    if n == 0:
        return 0
    width = min(size, n)
    leaving = np.uint64(1)  # polynomial in MIX1, so that a shingle costs as much whatever its size
    h = np.uint64(0)
    for i in range(width):
        h = h * MIX1 + buffer[i]
        leaving *= MIX1
    found[0] = np.uint32(finish(h) & LOW32)
    for i in range(width, n):
        h = h * MIX1 + buffer[i] - leaving * buffer[i - width]
        found[i - width + 1] = np.uint32(finish(h) & LOW32)
    return n - width + 1


@njit(
    "void(u8[::1],u1[::1],i8[::1],u4[::1],i8[::1],u1[::1],u4[::1],b1[::1],i8[::1],u4[::1],u4[::1],i8,u4[:,::1],"
    "i4[::1],i4[::1],u4[::1],i8[::1])",
    cache=True,
)
def minhash(
    hashes: Any,
    kind: Any,
    doc_token: Any,
    chars: Any,
    doc_start: Any,
    table: Any,
    fold: Any,
    by_character: Any,
    size: Any,
    a: Any,
    b: Any,
    keep: Any,
    out: Any,
    words: Any,
    shingles: Any,
    kept: Any,
    offsets: Any,
) -> None:
    """Minimum per permutation over the shingles of `size[d]` words or characters, and the `keep` smallest hashes.

    By document: `words` gets the number of words, `shingles` that of distinct shingles, `kept[offsets[d]:offsets[d+1]]`
    the smallest hashes, sorted. Without permutations there are no signatures.
    """
    most = 0
    for d in range(len(doc_token) - 1):
        most = max(most, doc_token[d + 1] - doc_token[d])
        if by_character[d]:
            most = max(most, doc_start[d + 1] - doc_start[d])
    buffer = np.empty(most, np.uint64)
    found = np.empty(most, np.uint32)
    spare = np.empty(most, np.uint32)
    counts = np.empty(1024, np.int64)
    perms = len(a)
    low = np.empty(perms, np.uint32)
    end = 0
    offsets[0] = 0
    for d in range(len(doc_token) - 1):
        n, total = word_shingles(hashes, kind, doc_token[d], doc_token[d + 1], size[d], buffer, found)
        words[d] = n
        if by_character[d] and n > 0:
            total = character_shingles(chars, table, fold, doc_start[d], doc_start[d + 1], size[d], buffer, found)
        total = sort_distinct(found, spare, counts, total)
        shingles[d] = total
        for s in range(min(keep, total)):
            kept[end] = found[s]
            end += 1
        offsets[d + 1] = end
        for k in range(perms):  # loops, not slices: those would compile NumPy's broadcasting, for seconds
            low[k] = np.uint32(LOW32)
        for s in range(total):
            v = np.uint64(found[s])
            v ^= v >> S16  # MurmurHash3's 32-bit finaliser, as datasketch mixes its input in scheme affine32
            v = (v * FMIX1) & LOW32
            v ^= v >> S13
            v = (v * FMIX2) & LOW32
            v ^= v >> S16
            x = np.uint32(v)
            for k in range(perms):
                p = np.uint32(a[k] * x + b[k])
                low[k] = min(low[k], p)
        for k in range(perms):
            out[d, k] = low[k]


@njit(["void(u4[:,::1],i8,i8,u8[:,::1])", "void(u8[:,::1],i8,i8,u8[:,::1])"], cache=True)
def band_hashes(signatures: Any, bands: Any, rows: Any, out: Any) -> None:
    """One 64-bit key per band: a rolling hash of the band's rows that starts from the band's number."""
    for d in range(signatures.shape[0]):
        for band in range(bands):
            h = step(SEED, np.uint64(band))
            for r in range(band * rows, band * rows + rows):
                h = step(h, np.uint64(signatures[d, r]))
            out[d, band] = finish(h)


@njit(cache=True)
def is_digit(c: Any) -> Any:
    """ASCII digit."""
    return 0x30 <= c <= 0x39


@njit(cache=True)
def is_hex(c: Any) -> Any:
    """ASCII hexadecimal digit."""
    return is_digit(c) or 0x61 <= (c | 0x20) <= 0x66


@njit(cache=True)
def is_alphanumeric(c: Any) -> Any:
    """ASCII letter or digit."""
    return is_digit(c) or 0x61 <= (c | 0x20) <= 0x7A


@njit("void(u4[::1],i8[::1],u1[::1])", cache=True)
def find_shapes(chars: Any, doc_start: Any, out: Any) -> None:
    """The shapes that occur in each document, see `shapes.py`. Looks at punctuation only, which is rare."""
    for d in range(len(doc_start) - 1):
        first = doc_start[d]
        stop = doc_start[d + 1]
        found = 0
        for i in range(first, stop):
            c = chars[i]
            if c < 0x23 or c > 0x40:
                continue
            before = chars[i - 1] if i > first else np.uint32(10)
            after = chars[i + 1] if i + 1 < stop else np.uint32(10)
            if c == 0x40:
                if is_alphanumeric(after) and (is_alphanumeric(before) or before in (0x5F, 0x2E, 0x2B, 0x25, 0x2D)):
                    found |= EMAIL
            elif c == 0x2E:
                if not is_digit(before) or not is_digit(after):
                    continue
                j = i
                for part in range(2):  # a full stop and up to three digits, twice, and a full stop and a digit
                    j += 1
                    digits = 0
                    while j < stop and digits < 3 and is_digit(chars[j]):
                        j += 1
                        digits += 1
                    if digits == 0 or j + 1 >= stop or chars[j] != 0x2E or not is_digit(chars[j + 1]):
                        break
                    if part == 1:
                        found |= IPV4
            elif c == 0x3A:
                if after != 0x3A and not is_hex(before):
                    continue
                j = i + 1
                while j < stop and j - i < 5 and is_hex(chars[j]):
                    j += 1
                if j + 1 < stop and chars[j] == 0x3A and is_hex(chars[j + 1]):
                    found |= IPV6
            elif c == 0x2A:
                if after == 0x2A:
                    found |= MARKDOWN
            elif c == 0x23 and after == 0x23 and before == 10:
                found |= MARKDOWN
        out[d] = found
