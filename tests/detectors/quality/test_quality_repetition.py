"""Repetition signals: hand-computed cases for each variant, a plain-Python reference, and laws."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.features.tokens import KIND_FIRST, KIND_WORD, character_table, tokenise
from detectors.quality import repetition

# Lines "the cat sat." twice, an empty line, "The end", and an empty last line: 12+1+12+1+0+1+7+1 = 35 characters.
LINES = "the cat sat.\nthe cat sat.\n\nThe end\n"
LINE_GOLD = {
    # lines of split("\n+"): both lines, "The end", "" = 4, one later copy of 12 characters; 2 different paragraphs.
    # tokens: the cat sat . the cat sat . The end. Twice each: "the cat" (7 characters with the space; first of equal
    # counts), "the cat sat" (11), "the cat sat ." (13).
    "datatrove": (1 / 4, 0, 12 / 35, 0, 2 * 7 / 35, 2 * 11 / 35, 2 * 13 / 35),
    # split("\n"): 5 lines; the two lines and the two empty lines are copies; 26 characters without spaces.
    # items: the cat sat. the cat sat. The end. "the cat" (6) twice, "the cat sat." (10) twice, 4-grams once: "the cat
    # sat. the" (13).
    "dolma": (4 / 5, None, 24 / 26, None, 2 * 6 / 26, 2 * 10 / 26, 13 / 26),
    # 3 lines that are not empty of 12+12+7 = 31 characters; 2 paragraphs. words: the cat sat the cat sat The end, 24
    # characters: "the cat" (6) and "the cat sat" (9) twice, no 4-gram twice.
    "dclm": (2 / 3, 0, 24 / 31, 0, 2 * 6 / 24, 2 * 9 / 24, 0),
    # folded: the cat sat the cat sat the end: now "the cat sat the" (12) comes twice.
    "rpv2": (None, None, None, None, 2 * 6 / 24, 2 * 9 / 24, 2 * 12 / 24),
}

# 17 words of one letter, 33 characters. Case kept, the 13 5-grams at 1-4 equal those at 6-9, and 5 equals 10; 0 ("A"),
# 11 and 12 are unique. Folded, 0 equals 5 and 10.
GRAMS = "A b c d e a b c d e a b c d e x y"
GRAM_GOLD = {
    # 0 to 5 are new, 6 is a repeat of 1 (5 characters), on to 11, 11 and 12 are new. 6-grams: 6 repeats 1.
    "datatrove": (5 / 33, 6 / 33),
    # 10 of 13 5-grams repeat; 8 of 12 6-grams (1-4 and 6-9).
    "dolma": (10 / 13, 8 / 12),
    # words 1 to 14 are covered by both.
    "dclm": (14 / 17, 14 / 17),
    # words 0 to 14.
    "rpv2": (15 / 17, 15 / 17),
}

# Two bigrams twice each, the shorter first: "a b" and "long word".
TIES = "a b x a b y long word z long word"
TIE_GOLD = {
    "datatrove": 2 * 3 / 33,  # first of equal counts, with its space, over 33 characters
    "dolma": 2 * 2 / 23,  # first, no space, over 23 letters
    "dclm": 2 * 8 / 23,  # longest
    "rpv2": 2 * 2 / 23,  # first
}


def values(text: str, variant: str) -> list[float | None]:
    found = repetition.signals(tokenise([text]), variant)
    return [None if math.isnan(v[0]) else float(v[0]) for v in found.values()]


@pytest.mark.parametrize("variant", repetition.VARIANTS)
def test_gold(variant: str) -> None:
    assert values(LINES, variant)[:7] == pytest.approx(LINE_GOLD[variant])
    assert values(LINES, variant)[7:] == [0] * 6
    assert values(GRAMS, variant)[7:9] == pytest.approx(GRAM_GOLD[variant])
    assert values(TIES, variant)[4] == pytest.approx(TIE_GOLD[variant])


def test_the_four_variants_differ() -> None:
    assert len({values(LINES, v)[6] for v in repetition.VARIANTS}) == 4
    assert len({values(GRAMS, v)[7] for v in repetition.VARIANTS}) == 4


def test_paragraphs() -> None:
    # Three paragraphs: "ab\ncd" (5 characters), "x", and a copy of the first, in part with outer spaces.
    assert values("ab\ncd\n\nx\n\n\nab\ncd", "datatrove")[1:4:2] == pytest.approx([1 / 3, 5 / 16])
    assert values("ab\ncd\n\nx\n\n\nab\ncd ", "datatrove")[1:4:2] == pytest.approx([1 / 3, 5 / 17])  # text.strip()
    assert values("ab\ncd \n\nx\n\n\nab\ncd", "datatrove")[1:4:2] == [0, 0]
    assert values("ab\ncd \n\nx\n\n\nab\ncd", "dclm")[1:4:2] == pytest.approx([2 / 3, 10 / 11])


def test_languages_without_spaces() -> None:
    # 天気 four times: eight words of one character, "天気" the top bigram.
    assert values("天気天気天気天気", "dclm")[4] == 1.0
    assert values("天気天気天気天気", "datatrove")[4] == pytest.approx(4 * 3 / 8)  # the formula adds a space
    assert values("天気天気天気天気", "dolma")[4] == 0.0  # one item of str.split


@pytest.mark.parametrize("variant", repetition.VARIANTS)
def test_degenerate_texts(variant: str) -> None:
    assert values("", variant) == [None] * 13
    for text in (" ", "\n", "\n\n\n", "a", ".", "a b", "\x00", "\ud800"):
        assert all(v is None or 0 <= v <= 2 for v in values(text, variant))
    assert values("\n", "datatrove")[:4] == [0.5, 0, 0, 0]


@pytest.mark.parametrize("variant", repetition.VARIANTS)
@pytest.mark.parametrize(
    "text", ["a " * 2_000_000, "a\n" * 1_000_000, "ab cd\n" * 700_000, "a b c d e f g h i j k " * 150_000]
)
def test_huge_texts_take_linear_time(text: str, variant: str) -> None:
    found = tokenise([text])
    started = time.process_time()
    repetition.signals(found, variant)
    assert time.process_time() - started < 8


def reference(text: str, variant: str) -> list[float | None]:
    """The peers' formulas over the words of our tokeniser."""
    found = tokenise([text])
    fold = character_table()[1]
    forms = [text[s:e] for s, e in zip(found.start.tolist(), found.end.tolist(), strict=True)]
    kinds = found.kind.tolist()
    if variant == "dolma":
        words: list[str] = []
        for form, kind in zip(forms, kinds, strict=True):
            words = [*words, form] if kind & KIND_FIRST else [*words[:-1], words[-1] + form]
    elif variant == "datatrove":
        words = forms
    else:
        words = [form for form, kind in zip(forms, kinds, strict=True) if kind & KIND_WORD]
    if variant == "rpv2":
        words = ["".join(chr(fold[ord(c)]) for c in word) for word in words]
    chars = sum(map(len, words))
    whole = len(text) if variant == "datatrove" else chars
    out: list[float | None] = [None] * 13
    if text and variant != "rpv2":
        out[0], out[2] = segment_shares(text, variant, chars, r"\n+", "\n")
        if variant != "dolma":
            out[1], out[3] = segment_shares(text, variant, chars, r"\n{2,}", "\n\n")
    if not whole:
        return out
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        counts = Counter(grams)
        if not grams:
            out[n + 2] = 0.0
        elif n <= 4:
            gram, count = counts.most_common(1)[0]
            length = sum(map(len, gram))
            if variant == "datatrove":
                length += n - 1
            elif variant == "dclm":
                length = max(sum(map(len, g)) for g, c in counts.items() if c == count)
            out[n + 2] = length * count / whole if count > 1 or variant in ("datatrove", "dolma") else 0.0
        elif variant == "datatrove":
            seen, i, copied = set(), 0, 0
            while i < len(grams):
                if grams[i] in seen:
                    copied += sum(map(len, grams[i]))
                    i += n
                else:
                    seen.add(grams[i])
                    i += 1
            out[n + 2] = copied / whole
        elif variant == "dolma":
            repeated = sum(c * sum(map(len, g)) for g, c in counts.items() if c > 1)
            out[n + 2] = repeated / sum(sum(map(len, g)) for g in grams)
        else:
            covered = set(chain.from_iterable(range(i, i + n) for i, g in enumerate(grams) if counts[g] > 1))
            out[n + 2] = sum(len(words[i]) for i in covered) / chars
    return out


def segment_shares(text: str, variant: str, chars: int, loose: str, exact: str) -> tuple[float | None, float | None]:
    """Share of repeated lines or paragraphs, and of their characters."""
    if variant == "datatrove":
        segments = re.split(loose, text.strip() if "{" in loose else text)
        later = [s for i, s in enumerate(segments) if s in segments[:i]]
        return len(later) / len(segments), sum(map(len, later)) / len(text)
    segments = text.split(exact)
    if variant == "dclm":
        segments = [s.strip() for s in segments if s.strip()]
        if len(segments) < 2:
            return (0.0, 0.0) if segments else (None, None)
        chars = sum(map(len, segments))
    copies = {s: c for s, c in Counter(segments).items() if c > 1}
    return sum(copies.values()) / len(segments), sum(len(s) * c for s, c in copies.items()) / max(chars, 1)


TEXT = st.text(st.sampled_from("abA.,\n\n  "), max_size=80)
LONG = st.lists(st.sampled_from(["a", "b", "c d e f g", "\n", "\n\n", "Word.", "b a b a"]), max_size=40).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(TEXT, LONG), st.sampled_from(repetition.VARIANTS))
@example(LINES, "datatrove")
@example("\n a", "datatrove")
def test_equals_the_reference(text: str, variant: str) -> None:
    assert values(text, variant) == pytest.approx(reference(text, variant))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(TEXT, LONG), min_size=2, max_size=6), st.integers(1, 5), st.sampled_from(repetition.VARIANTS))
def test_row_local(texts: list[str], at: int, variant: str) -> None:
    whole = repetition.signals(tokenise(texts), variant)
    parts = [repetition.signals(tokenise(part), variant) for part in (texts[:at], texts[at:])]
    for name, column in whole.items():
        assert np.array_equal(column, np.concatenate([part[name] for part in parts]), equal_nan=True)


def test_unknown_variant() -> None:
    with pytest.raises(ValueError, match="datatrove, dolma, dclm, rpv2"):
        repetition.signals(tokenise(["a"]), "other")
