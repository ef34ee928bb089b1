"""Native code of datatrove's signatures: xxh64 of word 5-grams, and its permutations. Imported late, as `_kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64, njit, types, uint8, uint64, void

READ_ONLY_BYTES = types.Array(uint8, 1, "C", readonly=True)

P1 = np.uint64(0x9E3779B185EBCA87)
P2 = np.uint64(0xC2B2AE3D27D4EB4F)
P3 = np.uint64(0x165667B19E3779F9)
P4 = np.uint64(0x85EBCA77C2B2AE63)
P5 = np.uint64(0x27D4EB2F165667C5)
ZERO = np.uint64(0)
PRIME = np.uint64((1 << 61) - 1)
S61 = np.uint64(61)
LARGEST = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True)
def turn(x: Any, bits: Any) -> Any:
    """Rotation to the left."""
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@njit(cache=True)
def lane(data: Any, at: Any) -> Any:
    """Little-endian uint64 at a byte offset."""
    value = ZERO
    for i in range(8):
        value |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return value


@njit(cache=True)
def mix(accumulator: Any, value: Any) -> Any:
    """A round of xxh64."""
    return turn(accumulator + value * P2, 31) * P1


@njit(cache=True)
def xxh64(data: Any, first: Any, last: Any) -> Any:
    """xxh64 with seed 0 of `data[first:last]` (xxHash specification, 0.1.1)."""
    i = first
    if last - first >= 32:
        v1 = P1 + P2
        v2 = P2
        v3 = ZERO
        v4 = ZERO - P1
        while i + 32 <= last:
            v1 = mix(v1, lane(data, i))
            v2 = mix(v2, lane(data, i + 8))
            v3 = mix(v3, lane(data, i + 16))
            v4 = mix(v4, lane(data, i + 24))
            i += 32
        h = turn(v1, 1) + turn(v2, 7) + turn(v3, 12) + turn(v4, 18)
        h = (h ^ mix(ZERO, v1)) * P1 + P4
        h = (h ^ mix(ZERO, v2)) * P1 + P4
        h = (h ^ mix(ZERO, v3)) * P1 + P4
        h = (h ^ mix(ZERO, v4)) * P1 + P4
    else:
        h = P5
    h += np.uint64(last - first)
    while i + 8 <= last:
        h = turn(h ^ mix(ZERO, lane(data, i)), 27) * P1 + P4
        i += 8
    if i + 4 <= last:
        value = ZERO
        for k in range(4):
            value |= np.uint64(data[i + k]) << np.uint64(8 * k)
        h = turn(h ^ (value * P1), 23) * P2 + P3
        i += 4
    while i < last:
        h = turn(h ^ (np.uint64(data[i]) * P5), 11) * P1
        i += 1
    h = (h ^ (h >> np.uint64(33))) * P2
    h = (h ^ (h >> np.uint64(29))) * P3
    return h ^ (h >> np.uint64(32))


@njit(
    void(READ_ONLY_BYTES, int64[::1], int64, uint64[::1], uint64[::1], uint64[:, ::1], boolean[::1]),
    cache=True,
)
def minhash(data: Any, start: Any, size: Any, a: Any, b: Any, out: Any, valid: Any) -> None:
    """Minimum per permutation over the runs of `size` words of each document, whose words one space parts.

    `out` (all ones at first) and `valid` stay as they are for a document of fewer words.
    """
    perms = len(a)
    begins = np.empty(size, np.int64)  # of the latest words, in a ring
    low = np.empty(perms, np.uint64)
    for d in range(len(start) - 1):
        first = start[d]
        last = start[d + 1]
        if first == last:
            continue
        for k in range(perms):
            low[k] = LARGEST
        words = 0
        begins[0] = first
        for i in range(first, last + 1):
            if i < last and data[i] != 0x20:
                continue
            words += 1
            if words >= size:
                x = xxh64(data, begins[words % size], i)
                for k in range(perms):
                    p = x * a[k] + b[k]
                    p = (p & PRIME) + (p >> S61)  # modulo 2^61 - 1, of a value below 2^64
                    if p >= PRIME:
                        p -= PRIME
                    low[k] = min(low[k], p)
            begins[words % size] = i + 1
        if words >= size:
            valid[d] = True
            for k in range(perms):
                out[d, k] = low[k]
