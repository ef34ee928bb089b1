"""Sketches: the smallest distinct hashes, and similarities that are exact or within the stated error."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from test_minhash import TEXTS, shingles

from detectors.features import minhash, sketch
from detectors.features.tokens import tokenise

SHAPE = minhash.SHAPES["14x8"]


def packed(sets: Iterable[Iterable[int] | None], k: int = 1 << 20) -> tuple[pa.Array, pa.Array]:
    """Sketches of sets of hashes, and the sizes of the sets."""
    values, sizes = [], []
    for given in sets:
        values.append(None if given is None else struct.pack(f"<{len(s := sorted(set(given))[:k])}I", *s))
        sizes.append(None if given is None else len(set(given)))
    return pa.array(values, pa.binary()), pa.array(sizes, pa.int32())


def similarity(left: Iterable[int], right: Iterable[int], k: int = 1 << 20) -> float:
    (a, na), (b, nb) = packed([left], k), packed([right], k)
    return float(sketch.compare(a, b, na, nb)[0])


@pytest.mark.parametrize("k", [1, 3, 4, 1000])
def test_the_smallest_distinct_hashes_of_a_text(k: int) -> None:
    generator = random.Random(1)
    repeated = " ".join(["one two three four five six"] * 200)
    many = " ".join(f"w{generator.randrange(300)}" for _ in range(5000))
    few = " ".join(f"w{generator.randrange(300)}" for _ in range(52))  # on either side of the switch of the sort
    texts = ["", "...", "one", *TEXTS, repeated, many, few, few + " x", few[:-4], "日本語 " * 40]
    found = minhash.keys(tokenise(texts), SHAPE, sketch=k)
    for row, text in enumerate(texts):
        expected = sorted(set(shingles(text)))
        assert found.shingles[row] == len(expected)
        assert found.sketch[found.sketch_start[row] : found.sketch_start[row + 1]].tolist() == expected[:k], row
    assert found.sketch_start[0] == 0
    assert np.array_equal(found.signatures, minhash.signatures(tokenise(texts), SHAPE))


def test_sorting_a_long_text_is_that_of_numpy() -> None:
    from detectors.features import _native_sketch

    generator = np.random.default_rng(2)
    for n in (0, 1, 2, 47, 48, 49, 255, 100_000):
        for top in (1, 3, 1 << 8, 1 << 24, 1 << 32):
            values = generator.integers(0, top, n, dtype=np.uint32)
            expected = np.unique(values)
            distinct = _native_sketch.sort_distinct(values, np.empty_like(values), np.empty(1024, np.int64), n)
            assert np.array_equal(values[:distinct], expected)


def test_complete_sketches_give_the_jaccard_similarity() -> None:
    assert similarity([1, 2, 3], [2, 3, 4]) == 0.5
    assert similarity([1], [1]) == 1.0
    assert similarity([0], [0xFFFFFFFF]) == 0.0
    assert similarity([0, 0xFFFFFFFF], [0xFFFFFFFF]) == 0.5
    assert similarity(range(10), range(5, 1000)) == np.float32(5 / 1000)


def test_incomplete_sketches_compare_up_to_the_smaller_of_the_largest_hashes() -> None:
    # 1 2 5 | 2 5 9 with k = 3 of more: bound 5, in both 2 5, in either 1 2 5
    assert similarity([1, 2, 5, 100], [2, 5, 9, 10, 11], 3) == np.float32(2 / 3)
    # a complete set beside an incomplete one: what is above the bound does not count
    assert similarity([1, 2, 5, 100], [2, 9], 3) == np.float32(1 / 3)
    assert similarity([7, 8], [1, 2, 3, 4], 2) == 0.0
    left, right = packed([range(0, 100)], 10), packed([range(0, 100)], 40)  # of runs of different k
    assert sketch.compare(left[0], right[0], left[1], right[1])[0] == 1.0


def test_estimates_keep_to_the_standard_error() -> None:
    generator = np.random.default_rng(3)
    for truth in (0.1, 0.5, 0.75, 0.9):
        n = 4000  # values of the union
        both, errors = round(truth * n), []
        for _ in range(150):
            union = generator.choice(1 << 32, n, replace=False).tolist()
            half = (n - both) // 2
            errors.append(similarity(union[: both + half], union[:both] + union[both + half :], 256) - both / n)
        expected = sketch.standard_error(truth, 256)
        assert abs(np.mean(errors)) < 4 * expected / np.sqrt(len(errors))
        of_equal_sizes = expected * np.sqrt((1 + truth) / 2)  # the sample grows with what only one of them has
        assert 0.8 * of_equal_sizes < np.std(errors) < 1.2 * of_equal_sizes <= 1.2 * expected
    assert sketch.standard_error(0.75, 256) == pytest.approx(0.0271, abs=1e-4)
    assert sketch.standard_error(1.0, 256) == sketch.standard_error(0.0, 256) == 0.0


def test_arrow_arrays_of_every_layout() -> None:
    (a, na), (b, nb) = packed([[9], [1, 2], None, [3], [4]]), packed([[9], [2], [5], None, [4, 5]])
    found = sketch.compare(a, b, na, nb)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.array([1, 0.5, np.nan, np.nan, 0.5], np.float32), equal_nan=True)
    for start in range(5):
        sliced = [array.slice(start, 2) for array in (a, b, na, nb)]
        assert np.array_equal(sketch.compare(*sliced), found[start : start + 2], equal_nan=True)
    chunked = pa.chunked_array([a.slice(0, 2), a.slice(2)])
    large = b.cast(pa.large_binary())
    assert np.array_equal(sketch.compare(chunked, large, na, np.array([1, 1, 1, 0, 2])), found, equal_nan=True)
    none = pa.array([], pa.binary())
    assert len(sketch.compare(none, none, pa.array([], pa.int32()), pa.array([], pa.int32()))) == 0
    empty = pa.array([b"", None], pa.binary())
    assert np.isnan(sketch.compare(empty, empty, pa.array([0, 0]), pa.array([0, None]))).all()
    with pytest.raises(ValueError, match=r"one length, found \[5, 4, 5, 5\]"):
        sketch.compare(a, b.slice(1), na, nb)


def test_bytes_that_no_sketch_has_do_no_harm() -> None:
    """A damaged index gives some similarity, and no read beyond the value."""
    odd = pa.array([b"abc", b"abcde", bytes(range(255, 0, -1)), b"\xff" * 8])
    counts = pa.array([1, 9, 5, 1], pa.int32())
    found = sketch.compare(odd, odd, counts, counts)
    assert np.isnan(found[0])
    assert ((found[1:] >= 0) & (found[1:] <= 1)).all()


def test_similarity_of_texts_with_short_ones() -> None:
    texts = ["a b c d e f g", "a b c d e f h", "one", "two", "A, b. C d e f G!"]
    keys = minhash.keys(tokenise(texts), SHAPE, sketch=16)
    column = sketch.sketch_array(keys.sketch, keys.sketch_start, np.ones(5, bool))
    for left, right, expected in ((0, 1, 2 / 4), (0, 4, 1.0), (2, 3, 0.0), (0, 2, 0.0)):
        given = [column.slice(row, 1) for row in (left, right)] + [keys.shingles[[row]] for row in (left, right)]
        assert sketch.compare(*given)[0] == np.float32(expected)


def test_a_batch_beyond_two_gigabytes_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller batches"):
        sketch.sketch_array(np.zeros(0, np.uint32), np.array([0, 1 << 29]), np.ones(1, bool))
