"""Native code of sketches: sorting shingle hashes, and comparing sketches. Imported late, as `_kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int64, njit, types, uint8, uint64, void

READ_ONLY_BYTES = types.Array(uint8, 1, "C", readonly=True)  # Arrow's buffers, of writable ones too
READ_ONLY_UINT64 = types.Array(uint64, 1, "C", readonly=True)
READ_ONLY_INT64 = types.Array(int64, 1, "C", readonly=True)

FEW = 48  # values up to which insertion beats four passes over 256 counts
COMPLETE = np.int64(0xFFFFFFFF)  # the bound of a sketch that is the whole set


@njit(cache=True)
def sort_distinct(values: Any, spare: Any, counts: Any, n: Any) -> Any:
    """Sorts `values[:n]` (uint32) and moves distinct values to the front; returns their number.

    Radix sort by bytes: linear for any values, so that no text can be made to sort slowly. `spare` is as long as
    `values`, `counts` int64 of 4 x 256.
    """
    if n < 2:
        return n
    if n <= FEW:
        for i in range(1, n):
            v = values[i]
            j = i - 1
            while j >= 0 and values[j] > v:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = v
    else:
        for i in range(1024):
            counts[i] = 0
        for i in range(n):
            v = values[i]
            counts[v & 255] += 1
            counts[256 + ((v >> 8) & 255)] += 1
            counts[512 + ((v >> 16) & 255)] += 1
            counts[768 + (v >> 24)] += 1
        for digit in range(4):
            base = digit * 256
            total = 0
            for i in range(base, base + 256):
                here = counts[i]
                counts[i] = total
                total += here
            shift = digit * 8
            for i in range(n):
                v = spare[i] if digit & 1 else values[i]
                place = base + ((v >> shift) & 255)
                if digit & 1:
                    values[counts[place]] = v
                else:
                    spare[counts[place]] = v
                counts[place] += 1
    distinct = 1
    for i in range(1, n):
        if values[i] != values[i - 1]:
            values[distinct] = values[i]
            distinct += 1
    return distinct


@njit(cache=True)
def read_value(data: Any, at: Any) -> Any:
    """Little-endian uint32 at a byte offset, as int64."""
    return (
        np.int64(data[at])
        | (np.int64(data[at + 1]) << 8)
        | (np.int64(data[at + 2]) << 16)
        | (np.int64(data[at + 3]) << 24)
    )


@njit(
    void(
        READ_ONLY_BYTES, READ_ONLY_INT64, READ_ONLY_INT64,
        READ_ONLY_BYTES, READ_ONLY_INT64, READ_ONLY_INT64,
        float32[::1],
    ),
    cache=True,
)  # fmt: skip
def compare(
    left: Any, left_offset: Any, left_total: Any, right: Any, right_offset: Any, right_total: Any, out: Any
) -> None:
    """Estimated Jaccard similarity of row i of the left and of the right; `out[i]` stays where either is empty."""
    for row in range(len(out)):
        i = left_offset[row]
        j = right_offset[row]
        left_values = (left_offset[row + 1] - i) >> 2
        right_values = (right_offset[row + 1] - j) >> 2
        if left_values == 0 or right_values == 0:
            continue
        left_end = i + 4 * left_values
        right_end = j + 4 * right_values
        bound = COMPLETE
        if left_values < left_total[row]:
            bound = min(bound, read_value(left, left_end - 4))
        if right_values < right_total[row]:
            bound = min(bound, read_value(right, right_end - 4))
        both = 0
        either = 0
        while i < left_end and j < right_end:
            a = read_value(left, i)
            b = read_value(right, j)
            if a > bound and b > bound:
                break
            i += 4 if a <= b else 0  # without branches: which is smaller cannot be predicted
            j += 4 if b <= a else 0
            either += 1 if min(a, b) <= bound else 0
            both += 1 if a == b else 0
        while i < left_end and read_value(left, i) <= bound:
            either += 1
            i += 4
        while j < right_end and read_value(right, j) <= bound:
            either += 1
            j += 4
        out[row] = both / either


@njit(void(READ_ONLY_BYTES, READ_ONLY_INT64, READ_ONLY_UINT64, int64, uint64[:, ::1], int64[::1]), cache=True)
def sample(sketches: Any, offset: Any, keys: Any, size: Any, out: Any, counts: Any) -> None:
    """The `size` smallest of the values of each sketch mixed with its key (splitmix64), and how many there are."""
    most = 0
    for row in range(len(keys)):
        most = max(most, (offset[row + 1] - offset[row]) >> 2)
    mixed = np.empty(most, np.uint64)
    for row in range(len(keys)):
        n = (offset[row + 1] - offset[row]) >> 2
        for at in range(n):
            v = np.uint64(read_value(sketches, offset[row] + 4 * at)) * np.uint64(0x9E3779B97F4A7C15) ^ keys[row]
            v = (v ^ (v >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            v = (v ^ (v >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed[at] = v ^ (v >> np.uint64(31))
        chosen = np.sort(mixed[:n])
        counts[row] = min(n, size)
        for at in range(counts[row]):
            out[row, at] = chosen[at]
