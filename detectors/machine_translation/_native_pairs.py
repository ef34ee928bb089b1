"""Native comparison of the sketches of two pages (`parallelism.sketches`). Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

HEAD = 12  # bytes before the hashes
NEAR = 16  # places that differ by so many 256ths of the text agree
BAND = 8  # lines that one page may be ahead of the other
SKIP = -2.0  # nats for a line without a counterpart
SPREAD = 3.5  # of the length of a line and its translation, in eighths of a doubling (about a third either way) …
SPREAD_SHORT = 6.0  # … and of lines of fewer than 30 characters
SHORT = 40
WORST = -4.0
FEATURES = 11


@njit(cache=True)
def short_at(data: Any, at: Any) -> Any:
    """Little-endian uint16."""
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@njit(cache=True)
def long_at(data: Any, at: Any) -> Any:
    """Little-endian uint32."""
    return short_at(data, at) | short_at(data, at + 2) << 16


@njit(cache=True)
def overlap(data: Any, a: Any, na: Any, pa: Any, b: Any, nb: Any, pb: Any, most: Any, out: Any) -> None:
    """Shared hashes of two sorted samples, the smaller sample's size, the union, and shared at the same place.

    A full sample says nothing above its largest hash, so that both are cut there.
    """
    limit = np.int64(1) << 32
    if na == most:
        limit = min(limit, long_at(data, a + 4 * (na - 1)))
    if nb == most:
        limit = min(limit, long_at(data, b + 4 * (nb - 1)))
    i = 0
    j = 0
    shared = 0
    near = 0
    left = 0
    right = 0
    while True:
        x = long_at(data, a + 4 * i) if i < na else np.int64(1) << 33
        y = long_at(data, b + 4 * j) if j < nb else np.int64(1) << 33
        if min(x, y) > limit:
            break
        if x == y:
            shared += 1
            if abs(np.int64(data[pa + i]) - np.int64(data[pb + j])) <= NEAR:
                near += 1
            i += 1
            j += 1
            left += 1
            right += 1
        elif x < y:
            i += 1
            left += 1
        else:
            j += 1
            right += 1
    out[0] = shared
    out[1] = min(left, right)
    out[2] = left + right - shared
    out[3] = near


@njit(cache=True)
def align(data: Any, a: Any, na: Any, b: Any, nb: Any, score: Any) -> Any:
    """Log-likelihood ratio of the lengths of lines being those of a translation, by the best alignment in a band.

    After Gale and Church 1993: lengths of lines that belong together differ by a constant factor and noise; of others
    as the lengths of lines do at all.
    """
    mean_a = 0.0
    mean_b = 0.0
    square_a = 0.0
    square_b = 0.0
    for i in range(na):
        mean_a += data[a + i]
        square_a += float(data[a + i]) ** 2
    for j in range(nb):
        mean_b += data[b + j]
        square_b += float(data[b + j]) ** 2
    mean_a /= na
    mean_b /= nb
    any_ = square_a / na - mean_a**2 + square_b / nb - mean_b**2
    shift = mean_a - mean_b
    for i in range(na + 1):
        for j in range(max(0, i - BAND), min(nb, i + BAND) + 1):
            if i == 0 or j == 0:
                score[i, j] = SKIP * (i + j)
                continue
            best = -1e9
            x = float(data[a + i - 1])
            y = float(data[b + j - 1])
            true = SPREAD if min(x, y) >= SHORT else SPREAD_SHORT
            wide = max(any_, true * true)
            d = x - y - shift
            gain = 0.5 * np.log(wide / (true * true)) - 0.5 * d * d * (1.0 / (true * true) - 1.0 / wide)
            if abs(i - j) <= BAND:
                best = score[i - 1, j - 1] + max(gain, WORST)
            if abs(i - 1 - j) <= BAND:
                best = max(best, score[i - 1, j] + SKIP)
            if abs(i - j + 1) <= BAND:
                best = max(best, score[i, j - 1] + SKIP)
            score[i, j] = best
    if abs(na - nb) > BAND:
        return SKIP * (na + nb)
    return score[na, nb]


@njit("void(u1[::1],i8[::1],i8[::1],i8,i8,f8[:,::1])", cache=True)
def compare(data: Any, left: Any, right: Any, strong: Any, weak: Any, out: Any) -> None:
    """Features of each pair of sketches that begin at `left` and `right`; `strong` and `weak` are full samples' sizes.

    Columns: shared, smaller, union, at the same place of strong hashes; the same of weak ones; nats of the lines;
    logarithms of the ratio of the numbers of lines and of characters.
    """
    score = np.empty((65, 65), np.float64)
    for p in range(len(left)):
        a = left[p]
        b = right[p]
        sa, wa, la = short_at(data, a), short_at(data, a + 2), short_at(data, a + 4)
        sb, wb, lb = short_at(data, b), short_at(data, b + 2), short_at(data, b + 4)
        ha = a + HEAD
        hb = b + HEAD
        pa = ha + 4 * (sa + wa)
        pb = hb + 4 * (sb + wb)
        overlap(data, ha, sa, pa, hb, sb, pb, strong, out[p, 0:4])
        overlap(data, ha + 4 * sa, wa, pa + sa, hb + 4 * sb, wb, pb + sb, weak, out[p, 4:8])
        out[p, 8] = align(data, pa + sa + wa, la, pb + sb + wb, lb, score) if la and lb else 0.0
        out[p, 9] = np.log((1.0 + short_at(data, a + 6)) / (1.0 + short_at(data, b + 6)))
        out[p, 10] = np.log((1.0 + long_at(data, a + 8)) / (1.0 + long_at(data, b + 8)))
