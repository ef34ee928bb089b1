"""Bottom-k sketches of shingle sets, and the Jaccard similarity of two of them.

A sketch is the k smallest distinct 32-bit shingle hashes of a text, sorted, little-endian; beside it stands the number
of distinct shingles. A sketch that holds as many values is the whole set, and similarity is exact. Else it is a random
sample of the union up to the smaller of the two largest hashes, and similarity is the share of that sample which is in
both (Broder 1997, "On the resemblance and containment of documents"; Cohen & Kaplan 2007, "Summarizing data using
bottom-k sketches").

Hashes are those of `detectors.features.minhash`, before the permutations. Two different shingles of a text of n have
one hash with probability n^2 / 2^33: below a thousandth up to 2,900 words, and then one shingle in as many is missed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DEFAULT_SIZE = 256

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]


def compare(
    left: pa.Array,
    right: pa.Array,
    left_shingles: pa.Array | npt.NDArray[Any],
    right_shingles: pa.Array | npt.NDArray[Any],
) -> Float32:
    """Jaccard similarities of pairs of sketches, row by row, in [0, 1]; NaN where either has no shingle.

    `left` and `right` are binary arrays (also large, sliced or chunked) of equal length, `…_shingles` the numbers of
    distinct shingles. Sketches of different k compare, at the precision of the smaller one. Time is linear in the
    bytes of the sketches.

    Raises:
        ValueError: arrays of different lengths.
    """
    from detectors.features import _native_sketch

    lengths = [len(left), len(right), len(left_shingles), len(right_shingles)]
    if len(set(lengths)) > 1:
        raise ValueError(f"expected arrays of one length, found {lengths}")
    out = np.full(len(left), np.nan, np.float32)
    _native_sketch.compare(*_buffers(left), _counts(left_shingles), *_buffers(right), _counts(right_shingles), out)
    return out


def sample_keys(sketches: pa.Array, keys: npt.NDArray[np.uint64], size: int) -> tuple[npt.NDArray[np.uint64], Int64]:
    """For each sketch, up to `size` of its values, chosen and hashed by its key; all in one array, and the numbers.

    Texts that are compared under one key choose alike: their samples share a value with the probability that a shingle
    of both is in both samples.
    """
    from detectors.features import _native_sketch

    out = np.empty((len(keys), size), np.uint64)
    counts = np.zeros(len(keys), np.int64)
    _native_sketch.sample(*_buffers(sketches), np.ascontiguousarray(keys, np.uint64), size, out, counts)
    return out[np.arange(size) < counts[:, None]], counts


def standard_error(jaccard: float, size: int) -> float:
    """Largest standard error of a similarity by sketches of `size`; none up to as many shingles in both texts.

    It is that of `size` values of the union. Texts of equal length have a sample of 2 / (1 + jaccard) times as many.
    """
    return math.sqrt(max(0.0, jaccard * (1.0 - jaccard)) / size)


def sketch_array(values: npt.NDArray[np.uint32], offsets: Int64, valid: npt.NDArray[np.bool_]) -> pa.Array:
    """Binary array of the runs `values[offsets[i]:offsets[i + 1]]`, null where not `valid`.

    Raises:
        ValueError: the sketches of the batch exceed the 2 GiB that a binary array can address.
    """
    total = 4 * int(offsets[-1])
    if total >= 1 << 31:
        raise ValueError(f"sketches of {total} bytes in one batch, expected less than 2 GiB; use smaller batches")
    data = values[: offsets[-1]].astype("<u4")  # a copy: the rest of the buffer is not kept alive
    buffers = [
        pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()),
        pa.py_buffer((4 * offsets).astype(np.int32)),
        pa.py_buffer(data),
    ]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _buffers(sketches: pa.Array) -> tuple[UInt8, Int64]:
    """Bytes and offsets of a binary array; null rows are empty."""
    if isinstance(sketches, pa.ChunkedArray):
        sketches = sketches.combine_chunks()
    if sketches.null_count:  # a null may cover bytes
        sketches = pc.fill_null(sketches, b"")
    _, offsets, data = sketches.buffers()
    kind = np.dtype(np.int64 if pa.types.is_large_binary(sketches.type) else np.int32)
    if not len(sketches):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, kind, len(sketches) + 1, sketches.offset * kind.itemsize).astype(np.int64)
    return np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8), bounds


def _counts(shingles: pa.Array | npt.NDArray[Any]) -> Int64:
    if isinstance(shingles, pa.Array | pa.ChunkedArray):
        shingles = pc.fill_null(shingles, 0)
    return np.ascontiguousarray(shingles, dtype=np.int64)
