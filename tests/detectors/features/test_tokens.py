"""The token array against a slow reference, and its definitions by example."""

from __future__ import annotations

import re
import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.api import FeatureCache
from detectors.features.tokens import (
    FEATURE,
    KIND_ALPHA,
    KIND_FIRST,
    KIND_SINGLE,
    KIND_WORD,
    Tokens,
    character_table,
    tokenise,
    tokens,
    unicode_version,
)

MASK = (1 << 64) - 1
SEED = 0x9E3779B97F4A7C15
CLASS = "OSLNMAI"  # symbol, space, letter, number, mark, letter that stands alone, ignored
WORD = re.compile(r"(?:L[MI]*[qp](?=L)|N[MI]*[pc](?=N)|[LN][MI]*u(?=[LN])|[LN][MI]*)+|A[MI]*")
INNER = {"'": "q", "’": "q", ".": "p", ",": "c", "_": "u", "\n": "\n"}


def step(h: int, value: int) -> int:
    h = ((h ^ value) * 0xBF58476D1CE4E5B9) & MASK
    return h ^ (h >> 32)


def finish(h: int) -> int:
    h ^= h >> 33
    h = (h * 0xFF51AFD7ED558CCD) & MASK
    h ^= h >> 33
    h = (h * 0xC4CEB9FE1A85EC53) & MASK
    return h ^ (h >> 33)


def rolling(values: list[int]) -> int:
    h = SEED
    for value in values:
        h = step(h, value)
    return finish(h)


def reference(text: str) -> list[tuple[int, int, int, int, int]]:
    """(start, end, hash, exact, kind) of each token, from class strings and one expression."""
    table, fold, _ = character_table()
    classes = "".join(INNER.get(c) or CLASS[table[ord(c)] & 7] for c in text)
    found = []
    i = 0
    spaced = True
    while i < len(text):
        if classes[i] in "S\n":
            spaced = True
            i += 1
            continue
        match = WORD.match(classes, i)
        if match:
            j = match.end()
            kind = KIND_WORD
            kind |= KIND_ALPHA if set(classes[i:j]) & set("LA") else 0
            kind |= KIND_SINGLE if classes[i] == "A" else 0
            used = [text[k] for k in range(i, j) if classes[k] != "I"]
            codes = [ord("'") if c == "’" else ord(c) for c in used]
            folded = [int(fold[c]) for c in codes]
        else:
            j = i
            while j < len(text) and text[j] == text[i]:
                j += 1
            codes = [ord(text[i])] * (j - i)
            folded = list(codes)
            kind = 0
            while j < len(text) and classes[j] in "MI":
                if classes[j] == "M":
                    codes.append(ord(text[j]))
                    folded.append(int(fold[ord(text[j])]))
                j += 1
        found.append((i, j, rolling(folded), rolling(codes), kind | (KIND_FIRST if spaced else 0)))
        spaced = False
        i = j
    return found


def rows(found: Tokens, doc: int) -> list[tuple[int, int, int, int, int]]:
    base = int(found.doc_start[doc])
    window = slice(int(found.doc_token[doc]), int(found.doc_token[doc + 1]))
    return [
        (int(s) - base, int(e) - base, int(h), int(x), int(k))
        for s, e, h, x, k in zip(
            found.start[window], found.end[window], found.hash[window], found.exact[window], found.kind[window],
            strict=True,
        )
    ]  # fmt: skip


def strings(text: str) -> list[str]:
    return [text[s:e] for s, e, *_ in rows(tokenise([text]), 0)]


ALPHABET = "aAbßİςΣé\u0301'’-. ,…\n\n\t#12²½Ⅷ日本ーテภาไ\u0e31नम\u093e\u00ad\u200b\u200d\ufe0f❤👍\x00\u2028_[]"
TEXT = st.text(st.one_of(st.sampled_from(ALPHABET), st.characters(codec="utf-8")), max_size=60)


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXT, max_size=5))
def test_tokens_equal_the_reference(texts: list[str]) -> None:
    found = tokenise(texts)
    assert found.docs == len(texts)
    for doc, text in enumerate(texts):
        assert rows(found, doc) == reference(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5))
def test_lines_are_those_of_split(texts: list[str]) -> None:
    found = tokenise(texts)
    for doc, text in enumerate(texts):
        base = int(found.doc_start[doc])
        span = range(int(found.doc_line[doc]), int(found.doc_line[doc + 1]))
        lines = [text[int(found.line_start[i]) - base : int(found.line_end[i]) - base] for i in span]
        assert lines == (text.split("\n") if text else [])
        for i, line in zip(span, lines, strict=True):
            inner = text[int(found.line_first[i]) - base : int(found.line_last[i]) - base]
            assert inner.strip("\u200b") == line.strip("\u200b").strip().strip("\u200b") or "\u200b" in line
            window = slice(int(found.line_token[i]), int(found.line_token[i + 1]))
            words = found.hash[window][(found.kind[window] & KIND_WORD) != 0]
            assert int(found.line_hash[i]) == (rolling([int(h) for h in words]) if len(words) else 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=6), st.integers(1, 5))
def test_any_split_of_a_batch_gives_the_same_rows(texts: list[str], at: int) -> None:
    whole = tokenise(texts)
    parts = [(part, i) for part in (tokenise(texts[:at]), tokenise(texts[at:])) for i in range(part.docs)]
    assert [rows(whole, i) for i in range(whole.docs)] == [rows(part, i) for part, i in parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop", ["Don't", "stop"]),
        ("l’eau d'Or 'quoted'", ["l’eau", "d'Or", "'", "quoted", "'"]),
        ("rock'n'roll 5'6", ["rock'n'roll", "5", "'", "6"]),
        ("3.14 m² 1,000 1,a a,1 v.2", ["3.14", "m²", "1,000", "1", ",", "a", "a", ",", "1", "v", ".", "2"]),
        (
            "example.org. U.S.A. a..b snake_case_1 _a_",
            ["example.org", ".", "U.S.A", ".", "a", "..", "b", "snake_case_1", "_", "a", "_"],
        ),
        ("wait... -----", ["wait", "...", "-----"]),
        ("co\u00adop", ["co\u00adop"]),
        ("日本語テキスト", list("日本語テキスト")),
        ("ภาษา ก็", ["ภ", "า", "ษ", "า", "ก็"]),
        ("नमस्ते", ["नमस्ते"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("a\u200bb", ["a", "b"]),
        ("❤️❤️!!", ["❤️", "❤️", "!!"]),
        ("\x00a\x00", ["\x00", "a", "\x00"]),
    ],
)
def test_words_by_example(text: str, expected: list[str]) -> None:
    assert strings(text) == expected


def test_hash_ignores_case_apostrophe_and_format_characters() -> None:
    found = tokenise(["Don’t ΣΑΣ co\u00adOp", "don't σας COOP"])
    assert np.array_equal(found.words(0), found.words(1))
    assert not np.array_equal(found.exact[:3], found.exact[3:])


def test_empty_null_and_surrogates() -> None:
    found = tokenise(["", None, "\ud800 a", "   ", "\n"])
    assert found.doc_token.tolist() == [0, 0, 0, 2, 2, 2]
    assert found.doc_line.tolist() == [0, 0, 0, 1, 2, 4]
    assert tokenise([]).docs == 0


def test_table_agrees_with_unicodedata_where_assigned() -> None:
    table, fold, version = character_table()
    assert unicode_version() == version
    for c in range(0x3000):
        char = chr(c)
        category = unicodedata.category(char)
        if category == "Cn":
            continue
        lex = int(table[c]) & 7
        assert (lex in (2, 5)) == category.startswith("L") or char.isspace(), hex(c)
        assert (lex == 1) == (char.isspace() or c == 0x200B), hex(c)
        assert bool(table[c] & 16) == char.isupper(), hex(c)
        assert bool(table[c] & 32) == char.isdigit(), hex(c)
        if len(char.casefold()) == 1:
            assert chr(fold[c]) == char.casefold(), hex(c)


def test_computed_once_a_batch() -> None:
    features = FeatureCache(pa.record_batch({"text": ["a b", "c"]}))
    first = tokens(features)
    assert tokens(features) is first
    assert features.get(FEATURE, lambda batch: None) is first


def test_huge_texts_take_linear_time() -> None:
    started = time.process_time()
    found = tokenise(["ab " * 3_000_000, "\n" * 1_000_000, "x" * 5_000_000, "." * 1_000_000])
    assert found.word_counts().tolist() == [3_000_000, 0, 1, 0]
    assert time.process_time() - started < 10
