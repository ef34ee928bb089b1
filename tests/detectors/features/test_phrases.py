"""The index of phrases finds what comparing texts finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.api import FeatureCache
from detectors.features.phrases import index_phrases, token_span
from detectors.features.tokens import tokens
from detectors.laws import make_batch

WORDS = ["one", "two", "three", "four", "five", "a", "b", "c", "it's", "x", "y", "-", "二", "三", "四"]
PHRASES = ["one", "two three", "a b c", "one two three four five", "it's a b it's", "二三四", "x-y"]


@pytest.mark.parametrize("first", [True, False])
@settings(deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(WORDS)), max_size=4))
def test_every_phrase_that_is_there_is_found(first: bool, texts: list[list[str]]) -> None:
    rows = [" ".join(words) for words in texts]
    rows = [row.replace(" - ", "-").replace("二 三", "二三").replace("三 四", "三四") for row in rows]
    features = FeatureCache(make_batch([{"text": row} for row in rows]))
    got = index_phrases(PHRASES, first).find(features)
    for row, text in enumerate(rows):
        padded = f" {text} "
        for number, phrase in enumerate(PHRASES):
            if f" {phrase} " in padded:
                assert any((row, number) == hit[:2] for hit in got), (phrase, text)
    for row, number, token in got:
        if first:
            span = token_span(tokens(features), row, token)
            assert span is not None
            key = PHRASES[number].split()[0][:1]
            assert rows[row][span[0] :].startswith(key)


def test_keys_do_not_join_rows() -> None:
    features = FeatureCache(make_batch([{"text": "two"}, {"text": "three"}, {"text": None}, {"text": "two three"}]))
    assert index_phrases(["two three"]).find(features) == [(3, 0, 2)]


def test_a_phrase_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="without a token"):
        index_phrases(["one", " "])


def test_a_token_of_another_row_has_no_span() -> None:
    features = FeatureCache(make_batch([{"text": "one two"}, {"text": "three"}]))
    assert token_span(tokens(features), 1, 2) == (0, 5)
    assert token_span(tokens(features), 1, 1) is None
    assert token_span(tokens(features), 0, -1) is None
