"""Gopher's quality signals by hand."""

from __future__ import annotations

import math

import pytest

from detectors.features.tokens import KIND_WORD, tokenise
from detectors.quality import gopher, stop_words


def value(text: str, signal: str, variant: str = "datatrove", language: str | None = "eng_Latn") -> float | None:
    found = float(gopher.signals(tokenise([text]), variant, [language])[f"gopher_{signal}"][0])
    return None if math.isnan(found) else found


@pytest.mark.parametrize(
    ("text", "signal", "datatrove", "dclm"),
    [
        ("One, two: three!", "words", 3, 3),
        ("ab, cdef.", "word_length", 3, 4),  # ab cdef | "ab," "cdef."
        ("#a b ## c", "hash_ratio", 3 / 5, None),  # "#" "a" "b" "##" "c"
        ("a... b…  ....", "ellipsis_ratio", 3 / 5, None),  # "...." counts once
        ("# a... . . . b….", "symbol_ratio", None, 4 / 6),  # #, "...", ". . .", "…" over 6 items
        (". . . . . . a", "symbol_ratio", None, 2 / 7),
        ("• a\n - b\n* c\n\n", "bullet_lines", 2 / 4, 3 / 3),  # lines "", but not the one after the last line end
        ("a...\nb… \nc. . .\n\nd", "ellipsis_lines", 2 / 5, 3 / 4),
        ("ab, 12 c3", "alpha_words", 2 / 4, 2 / 3),  # ab , 12 c3 | "ab," "12" "c3"
        ("The the be, of-be and", "stop_words", 4, 3),  # the be of and | The the and ("be," has a comma)
    ],
)
def test_gold(text: str, signal: str, datatrove: float | None, dclm: float | None) -> None:
    assert value(text, signal) == (None if datatrove is None else pytest.approx(datatrove))
    assert value(text, signal, "dclm") == (None if dclm is None else pytest.approx(dclm))


def test_empty_text() -> None:
    for variant in gopher.VARIANTS:
        found = gopher.signals(tokenise(["", "  "]), variant)
        assert found["gopher_words"].tolist() == [0, 0]
        assert math.isnan(found["gopher_word_length"][0])
        assert found["gopher_stop_words"].tolist() == [0, 0]


def test_stop_words_by_language() -> None:
    text = "der Hund und die Katze"
    assert value(text, "stop_words", language="deu_Latn") == 3
    assert value(text, "stop_words", language="deu") == 3
    assert value(text, "stop_words", language="eng_Latn") == 0
    assert value(text, "stop_words", language="zho_Hans") is None
    assert value(text, "stop_words", language=None) is None
    assert gopher.signals(tokenise([text]))["gopher_stop_words"].tolist() == [0]  # English without languages


def test_stop_word_lists() -> None:
    assert stop_words.STOP_WORDS["eng"] == ("the", "be", "to", "of", "and", "that", "have", "with")  # Gopher's
    for code in ("eng", "deu", "fra", "spa", "ita", "por", "nld", "pol", "rus"):
        assert code in stop_words.STOP_WORDS
    for code, words in stop_words.STOP_WORDS.items():
        assert len(set(words)) == len(words), code
        assert len(words) <= 64, code
        found = tokenise(words)
        assert len(found.start) == len(words), code
        assert (found.kind & KIND_WORD).all(), code
        assert all(word == word.lower() for word in words), code


def test_unknown_variant() -> None:
    with pytest.raises(ValueError, match="datatrove, dclm"):
        gopher.signals(tokenise(["a"]), "dolma")
