"""Units, stylometry and hashed n-grams, against plain Python."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from detectors.text_model import _units
from detectors.text_model.canonical import canonicalise
from detectors.text_model.grams import GramSpec, count_grams, linear_scores
from detectors.text_model.lexicon import build, lexicon
from detectors.text_model.stylometry import feature_names, style_features
from detectors.text_model.units import Units, split_units

TEXT = "However, the old cats don't run. They slept, ate, and Played in 3.5 houses! Was the dog's name \"Rex?\" Yes."
WORDS = "However the old cats don't run They slept ate and Played in houses Was the dog's name Rex Yes".lower().split()
ENGLISH = lexicon("eng")


def units_of(*texts: str) -> Units:
    return split_units(canonicalise(texts), ENGLISH)


def features_of(text: str) -> dict[str, float]:
    return dict(zip(feature_names(ENGLISH), style_features(units_of(text), ENGLISH)[0].tolist(), strict=True))


def test_units_and_sentences() -> None:
    units = units_of(TEXT, "", "日本語の文。次の文。")
    text = units.canonical.text(0)
    shown = [text[a:b] for a, b in zip(units.start[: units.doc_unit[1]], units.end, strict=False)]
    words = [w.lower() for w, kind in zip(shown, units.kind, strict=False) if kind & _units.WORD]
    assert words == WORDS
    assert "3.5" in shown
    assert np.diff(units.doc_sentence).tolist() == [4, 0, 2]
    firsts = [shown[units.sentence_unit[s]] for s in range(4)]
    assert firsts == ["However", "They", "Was", "Yes"]
    assert int((units.kind[units.doc_unit[2] :] & _units.WORD).sum()) == 8  # each letter of a script without spaces


def test_lexicon_places() -> None:
    units = units_of("The cats happily slept.")
    assert ENGLISH.words[units.entry[0]] == "the"
    assert [ENGLISH.suffixes[s] if s >= 0 else "" for s in units.suffix[:4]] == ["", "s", "ly", ""]
    assert build("xxx", {}).words == ()
    with pytest.raises(ValueError, match="classes"):
        build("xxx", {f"class{i}": ["a"] for i in range(33)})


def test_stylometry_by_hand() -> None:
    found = features_of(TEXT)
    n, counts = len(WORDS), Counter(WORDS)
    assert found["word_length"] == pytest.approx(sum(map(len, WORDS)) / n)
    assert found["types"] == pytest.approx(len(counts) / math.sqrt(n))
    assert found["hapaxes"] == pytest.approx(sum(c == 1 for c in counts.values()) / n)
    assert found["yule_k"] == pytest.approx(1e3 * (sum(c * c for c in counts.values()) - n) / n / n)
    assert found["distinct_pairs"] == pytest.approx(len(set(pairwise(WORDS))) / (n - 1))
    assert found["contractions"] == pytest.approx(1 / n)
    assert found["possessives"] == pytest.approx(1 / n)
    assert found["mark_comma"] == pytest.approx(3 / n)
    assert found["mark_question"] == pytest.approx(1 / n)
    assert found["figures"] == pytest.approx(1 / n)
    assert found["oxford"] == 1
    assert found["series"] == pytest.approx(1 / 4)  # "ate, and"
    assert found["opening_comma"] == pytest.approx(1 / 4)
    assert found["opening_marker"] == pytest.approx(1 / 4)
    assert found["opening_third"] == pytest.approx(1 / 4)
    assert found["word_the"] == pytest.approx(math.sqrt(2 / n))
    assert found["suffix_ly"] == 0


def test_stylometry_of_nothing_is_zero() -> None:
    assert not style_features(units_of(""), ENGLISH).any()
    assert np.isfinite(style_features(units_of("!", "a", "1", "日"), ENGLISH)).all()


def buckets(text: str, spec: GramSpec) -> Counter[int]:
    grams = count_grams(units_of(text), ENGLISH, spec)
    return Counter(dict(zip(grams.bucket.tolist(), grams.count.tolist(), strict=True)))


def test_character_grams_are_those_within_words() -> None:
    text = "Ab abc ab."
    padded = [f" {word.lower()} " for word in text.split()]
    expected = Counter(w[i : i + n] for w in padded for n in (2, 3, 4) for i in range(len(w) - n + 1))
    found = buckets(text, GramSpec("characters", 2, 4, 20))
    assert sorted(found.values()) == sorted(expected.values())


def test_word_grams_fold_case() -> None:
    assert buckets("the cat. The cat.", GramSpec("words", 1, 2, 20)).total() == 6 + 5
    assert len(buckets("the cat. The cat.", GramSpec("words", 1, 2, 20))) == 3 + 3


def test_distortion_hides_topic_and_keeps_function_words() -> None:
    spec = GramSpec("distorted", 1, 3, 20)
    assert buckets("the zebra was running with 15 lions.", spec) == buckets("the bagel was cooking with 3 tunas.", spec)
    assert buckets("the zebra was running.", spec) != buckets("a zebra was running.", spec)


def test_linear_scores_equal_the_matrix_product_in_any_batch() -> None:
    texts = [TEXT, "", "Another text, with other words in it. " * 9, TEXT * 3]
    random = np.random.default_rng(0)
    spec = GramSpec("characters", 1, 4, 12)
    weights = random.integers(-127, 128, (1 << 12, 2)).astype(np.int8)
    scales, offsets = np.array([0.01, 0.5]), np.array([1.0, -2.0])
    grams = count_grams(units_of(*texts), ENGLISH, spec)
    found = linear_scores(grams, weights, scales, offsets)
    dense = np.zeros((4, 1 << 12))
    for d in range(4):
        part = slice(grams.indptr[d], grams.indptr[d + 1])
        dense[d, grams.bucket[part]] = grams.values()[part]
    assert np.allclose(np.linalg.norm(dense, axis=1), [1, 0, 1, 1], atol=1e-5)
    assert np.allclose(found, dense @ weights * scales + offsets, atol=1e-4)
    alone = [linear_scores(count_grams(units_of(t), ENGLISH, spec), weights, scales, offsets)[0] for t in texts]
    assert found.tolist() == [row.tolist() for row in alone]
