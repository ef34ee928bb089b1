"""Native code of hashed n-grams, see grams.py. Imported late."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import SEED, finish, step
from detectors.text_model._canonical import BLANK
from detectors.text_model._units import CAPITAL, FIGURE, WORD

ONE = np.uint64(1)
FIGURES = np.uint64(0x51A7)  # stand for all numbers, and for words by their suffix, in distorted text
WORDS = np.uint64(0x3C6EF372)
MOST = 65535  # of one n-gram in a document that count


@njit("i8(u8,i8,u4[::1],i4[::1],i8[::1],i4,u4[::1],u2[::1],i8)", cache=True)
def add(h: Any, mask: Any, keys: Any, stamps: Any, slots: Any, stamp: Any, buckets: Any, counts: Any, n: Any) -> Any:
    """Count one n-gram of a document; new buckets are appended at n. Returns the new n."""
    bucket = np.uint32(h & np.uint64(mask))
    limit = np.uint64(len(keys) - 1)
    at = np.uint64(bucket) & limit
    while stamps[at] == stamp and keys[at] != bucket:
        at = (at + ONE) & limit
    if stamps[at] == stamp:
        found = slots[at]
        if counts[found] < MOST:
            counts[found] += np.uint16(1)
        return n
    stamps[at] = stamp
    keys[at] = bucket
    slots[at] = n
    buckets[n] = bucket
    counts[n] = 1
    return n + 1


@njit(cache=True)
def scratch(grams: Any) -> Any:
    """Size of an open hash table for this many n-grams."""
    size = 64
    while size < 2 * grams:
        size *= 2
    return size


@njit("i8(u4[::1],i8[::1],u4[::1],i8,i8,i8,u4[::1],u2[::1],i8[::1])", cache=True)
def characters(
    chars: Any, doc_start: Any, fold: Any, low: Any, high: Any, mask: Any, buckets: Any, counts: Any, indptr: Any
) -> Any:
    """N-grams of folded characters within words, each with a space on both sides. Returns the number of entries."""
    longest = 0
    for d in range(len(doc_start) - 1):
        longest = max(longest, doc_start[d + 1] - doc_start[d])
    size = scratch((high - low + 1) * (longest + 2))
    keys, stamps, slots = np.zeros(size, np.uint32), np.zeros(size, np.int32), np.zeros(size, np.int64)
    n = 0
    for d in range(len(doc_start) - 1):
        indptr[d] = n
        first = doc_start[d]
        stop = doc_start[d + 1]
        for i in range(first - 1, stop):  # the character before the first and the one after the last are spaces
            blank = i < first or chars[i] == BLANK
            h = step(SEED, np.uint64(BLANK if blank else fold[chars[i]]))
            if low == 1 and not blank:
                n = add(finish(h), mask, keys, stamps, slots, d + 1, buckets, counts, n)
            for j in range(i + 1, min(i + high, stop + 1)):
                end = j == stop or chars[j] == BLANK
                if end and j == i + 1 and blank:
                    break
                h = step(h, np.uint64(BLANK if end else fold[chars[j]]))
                if j - i + 1 >= low:
                    n = add(finish(h), mask, keys, stamps, slots, d + 1, buckets, counts, n)
                if end:
                    break
    indptr[len(doc_start) - 1] = n
    return n


@njit("i8(u8[::1],i8[::1],i8,i8,i8,u4[::1],u2[::1],i8[::1])", cache=True)
def sequences(
    values: Any, doc_unit: Any, low: Any, high: Any, mask: Any, buckets: Any, counts: Any, indptr: Any
) -> Any:
    """N-grams of 64-bit values. Returns the number of entries."""
    longest = 0
    for d in range(len(doc_unit) - 1):
        longest = max(longest, doc_unit[d + 1] - doc_unit[d])
    size = scratch((high - low + 1) * longest)
    keys, stamps, slots = np.zeros(size, np.uint32), np.zeros(size, np.int32), np.zeros(size, np.int64)
    n = 0
    for d in range(len(doc_unit) - 1):
        indptr[d] = n
        stop = doc_unit[d + 1]
        for i in range(doc_unit[d], stop):
            h = SEED
            for j in range(i, min(i + high, stop)):
                h = step(h, values[j])
                if j - i + 1 >= low:
                    n = add(finish(h), mask, keys, stamps, slots, d + 1, buckets, counts, n)
    indptr[len(doc_unit) - 1] = n
    return n


@njit("void(u8[::1],u1[::1],i4[::1],i4[::1],b1[::1],u8[::1])", cache=True)
def distort(hashes: Any, kind: Any, entry: Any, suffix: Any, frequent: Any, out: Any) -> None:
    """Frequent words and symbols keep their hash; other words show their suffix and first capital only."""
    for u in range(len(hashes)):
        if kind[u] & FIGURE:
            out[u] = FIGURES
        elif kind[u] & WORD and not (entry[u] >= 0 and frequent[entry[u]]):
            capital = np.uint64(1) if kind[u] & CAPITAL else np.uint64(0)
            out[u] = WORDS + (np.uint64(suffix[u] + 1) << ONE) + capital
        else:
            out[u] = hashes[u]


@njit("void(i8[::1],u4[::1],u2[::1],i1[:,::1],f8[::1],f8[::1],f8[:,::1])", cache=True)
def dot(indptr: Any, buckets: Any, counts: Any, weights: Any, scales: Any, offsets: Any, out: Any) -> None:
    """Linear models (columns of `weights`) on documents of unit length: rows x models."""
    models = weights.shape[1]
    for d in range(len(indptr) - 1):
        square = 0.0
        for m in range(models):
            out[d, m] = 0.0
        for i in range(indptr[d], indptr[d + 1]):
            value = math.sqrt(counts[i])
            square += value * value
            for m in range(models):
                out[d, m] += weights[buckets[i], m] * value
        norm = 1.0 / math.sqrt(square) if square > 0 else 0.0
        for m in range(models):
            out[d, m] = out[d, m] * norm * scales[m] + offsets[m]
