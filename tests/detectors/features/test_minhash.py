"""MinHash: equal to datasketch, equal to a reference, and unbiased."""

from __future__ import annotations

import random
from importlib.metadata import version

import datasketch
import numpy as np
import pytest
from test_tokens import finish, rolling, step

from detectors.features import minhash
from detectors.features.tokens import tokenise

DATASKETCH_2 = int(version("datasketch").split(".")[0]) >= 2
NEEDS_2 = pytest.mark.skipif(not DATASKETCH_2, reason="scheme affine32 is new in datasketch 2")
TEXTS = [
    "the quick brown fox jumps over the lazy dog and runs away from it",
    "one two three four five",
    "only three words",
    "Ünïcode wörds, with punctuation! And 日本語 too.",
]


def shingles(text: str) -> list[int]:
    """32-bit shingle hashes of a text, in plain Python."""
    found = tokenise([text])
    words = [int(h) for h in found.words(0)]
    width = min(5, len(words))
    return [rolling(words[i : i + width]) & 0xFFFFFFFF for i in range(len(words) - width + 1 if words else 0)]


@NEEDS_2
@pytest.mark.parametrize("shape", minhash.SHAPES)
@pytest.mark.parametrize("seed", [1, 7])
def test_signatures_equal_datasketch(shape: str, seed: int) -> None:
    size = minhash.SHAPES[shape].size
    ours = minhash.signatures(tokenise(TEXTS), minhash.SHAPES[shape], seed)
    assert ours.dtype == np.uint32
    for row, text in zip(ours, TEXTS, strict=True):
        theirs = datasketch.MinHash(num_perm=size, seed=seed, hashfunc=lambda value: value)
        theirs.update_batch(shingles(text))
        assert np.array_equal(row, theirs.hashvalues)


@NEEDS_2
def test_permutations_are_those_of_datasketch() -> None:
    a, b = minhash.permutations(112, 3)
    theirs = datasketch.MinHash(num_perm=112, seed=3).permutations
    assert np.array_equal(a, theirs[0])
    assert np.array_equal(b, theirs[1])


def test_signature_is_pinned() -> None:
    """Stored signatures must keep their meaning over releases."""
    row = minhash.signatures(tokenise(["the quick brown fox jumps over the lazy dog"]), minhash.SHAPES["14x8"])[0]
    assert row[:4].tolist() == [266915113, 318870733, 580266330, 543918155]


MASK = (1 << 64) - 1


def character_shingles(text: str, size: int) -> set[int]:
    """32-bit hashes of runs of characters, in plain Python, of a text whose words are of letters, marks and spaces."""
    values = [finish(SEED_OF_BANDS ^ ord(c)) for c in text]
    width = min(size, len(values))
    found = set()
    for start in range(len(values) - width + 1):
        h = 0
        for value in values[start : start + width]:
            h = (h * 0xFF51AFD7ED558CCD + value) & MASK
        found.add(finish(h) & 0xFFFFFFFF)
    return found


@pytest.mark.parametrize("size", [1, 3, 20, 64])
@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Don\u2019t  STOP,\n\nnow!! ", "don t stop now"),
        ("ภาษาไทย เขียน", "ภาษาไทย เขียน"),
        ("soft\u00adhyphen \u2764\ufe0f 42", "softhyphen 42"),  # the mark of a symbol is of the symbol
        ("e\u0301t\u00e9", "e\u0301t\u00e9"),
        ("x" * 200 + " y", "x" * 200 + " y"),
        ("...", ""),
    ],
)
def test_shingles_of_characters(size: int, text: str, folded: str) -> None:
    kind = minhash.Shingle("characters", size)
    found = minhash.keys(
        tokenise(["before", text, "after"]),
        minhash.SHAPES["14x8"],
        sketch=1000,
        shingles=[minhash.Shingle(), kind, kind],
    )
    expected = sorted(character_shingles(folded, size)) if folded else []
    assert found.sketch[found.sketch_start[1] : found.sketch_start[2]].tolist() == expected
    assert found.shingles[1] == len(expected)
    assert found.words[1] == tokenise([text]).word_counts()[0]


def test_shingles_of_other_numbers_of_words() -> None:
    texts = ["a b c d e f"] * 3
    kinds = [minhash.Shingle("words", size) for size in (1, 6, 7)]
    found = minhash.keys(tokenise(texts), minhash.SHAPES["14x8"], sketch=9, shingles=kinds)
    assert found.shingles.tolist() == [6, 1, 1]
    assert found.sketch[6] == found.sketch[7]  # all there is


def test_languages_written_without_spaces_take_longer_shingles() -> None:
    shingles = minhash.Shingles()
    kinds = shingles.of(["tha_Thai", "zho", "eng_Latn", None, "", "xyz_Hani"])
    assert [kind.size for kind in kinds] == [20, 8, 5, 5, 5, 5]
    for unit, size in (("letters", 5), ("words", 0)):
        with pytest.raises(ValueError, match="expected words or characters"):
            minhash.Shingle(unit, size)


def test_short_texts() -> None:
    keys = minhash.keys(
        tokenise(["", "...", "one", "One!", "one two three four", "one two three five"]), minhash.SHAPES["14x8"]
    )
    found = keys.signatures
    assert keys.words.tolist() == [0, 0, 1, 1, 4, 4]
    assert (found[:2] == 0xFFFFFFFF).all()
    assert np.array_equal(found[2], found[3])
    assert minhash.estimate(found[4], found[5]) < 0.2


def test_case_and_punctuation_do_not_count() -> None:
    found = minhash.signatures(tokenise([TEXTS[0], TEXTS[0].upper().replace(" ", ", ")]), minhash.SHAPES["20x13"])
    assert np.array_equal(found[0], found[1])


def test_band_keys() -> None:
    shape = minhash.SHAPES["14x8"]
    row = np.full((1, shape.size), 7, dtype=np.uint32)
    keys = minhash.band_keys(row, shape)
    assert keys.shape == (1, 14)
    assert len(set(keys[0].tolist())) == 14  # equal rows in different bands never meet
    changed = row.copy()
    changed[0, 8] += 1
    assert np.flatnonzero(minhash.band_keys(changed, shape)[0] != keys[0]).tolist() == [1]
    expected = step(SEED_OF_BANDS, 1)
    for _ in range(8):
        expected = step(expected, 7)
    assert int(keys[0, 1]) == finish(expected)


SEED_OF_BANDS = 0x9E3779B97F4A7C15


def test_probability() -> None:
    assert minhash.probability(0.0, 14, 8) == 0.0
    assert minhash.probability(1.0, 14, 8) == 1.0
    assert minhash.probability(0.685, 14, 8) == pytest.approx(0.5, abs=0.01)  # FineWeb's shape
    for shape in minhash.PRESETS.values():
        for share in (0.01, 0.5, 0.99):
            middle = minhash.similarity_of(share, shape.bands, shape.rows)
            assert minhash.probability(middle, shape.bands, shape.rows) == pytest.approx(share)


def test_estimates_are_unbiased() -> None:
    random.seed(0)
    texts, truth = [], []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        for _ in range(40):
            left = [f"w{random.randrange(10**6)}" for _ in range(300)]
            edit = max(1, round(300 * share))
            right = left[:edit] + [f"w{random.randrange(10**6)}" for _ in range(300 - edit)]
            texts += [" ".join(left), " ".join(right)]
            a, b = ({tuple(words[i : i + 5]) for i in range(296)} for words in (left, right))
            truth.append(len(a & b) / len(a | b))
    found = minhash.signatures(tokenise(texts), minhash.SHAPES["26x11"])
    errors = np.array([minhash.estimate(found[2 * i], found[2 * i + 1]) - j for i, j in enumerate(truth)])
    assert abs(errors.mean()) < 0.005  # 200 pairs of standard error at most .03
    assert errors.std() < 0.03
