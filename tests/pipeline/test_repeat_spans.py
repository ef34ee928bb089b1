"""Repeated substrings against brute force: every run that is long enough is found, and nothing else is cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.features.tokens import tokenise
from pipeline.cuts import SUBSTRING, lay, without
from pipeline.repeat_spans import (
    FINGERPRINTS,
    WINDOWS,
    find_fingerprints,
    find_substring_cuts,
    find_windows,
    fingerprints_at,
    later_windows,
    make_stream,
    repeated_fingerprints,
    sliding_minimum,
    valid_windows,
    window_hashes,
    winnowing,
)

Page = tuple[str, str]  # doc_id, text


def cut_shards(shards: Sequence[Sequence[Page]], words: int) -> dict[str, list[tuple[int, int]]]:
    """Spans by document id, through both rounds."""
    streams = []
    for pages in shards:
        rows = np.arange(len(pages))
        ids, texts = [page[0] for page in pages], [page[1] for page in pages]
        streams.append(make_stream(iter([(rows, ids, [None] * len(ids), texts)] if ids else []), None, {}))

    def answers(table: pa.Table, number: int) -> np.ndarray:
        return np.sort(np.asarray(table.filter(pa.array(np.asarray(table.column("shard")) == number)).column("key")))

    prints = [find_fingerprints(stream, words, number) for number, stream in enumerate(streams)]
    repeated = repeated_fingerprints(pa.concat_tables([FINGERPRINTS.empty_table(), *prints]))
    windows = [find_windows(stream, words, n, answers(repeated, n)) for n, stream in enumerate(streams)]
    later = later_windows(pa.concat_tables([WINDOWS.empty_table(), *windows]))
    found: dict[str, list[tuple[int, int]]] = {}
    for number, (pages, stream) in enumerate(zip(shards, streams, strict=True)):
        cuts = find_substring_cuts(stream, words, answers(later, number))
        for row, start, end in zip(*(cuts.column(name).to_pylist() for name in cuts.schema.names), strict=True):
            found.setdefault(pages[row][0], []).append((start, end))
    return found


def oracle(pages: Sequence[Page], words: int) -> dict[str, list[tuple[int, int]]]:
    """Every window of every page, in a dictionary."""
    seen: set[tuple[int, ...]] = set()
    found: dict[str, list[tuple[int, int]]] = {}
    for doc_id, text in sorted(pages):
        tokens = tokenise([text])
        is_word = (tokens.kind & 1) != 0
        values, starts, ends = (array[is_word].tolist() for array in (tokens.hash, tokens.start, tokens.end))
        cut = [False] * len(values)
        for at in range(len(values) - words + 1):
            window = tuple(values[at : at + words])
            if window in seen:
                cut[at : at + words] = [True] * words
            seen.add(window)
        for at, hit in enumerate(cut):
            if hit and (at == 0 or not cut[at - 1]):
                found.setdefault(doc_id, []).append((starts[at], ends[at]))
            elif hit:
                found[doc_id][-1] = (found[doc_id][-1][0], ends[at])
    return found


def make_pages(rng: random.Random, count: int, vocabulary: int, longest: int) -> list[Page]:
    """Pages of few words that copy pieces of each other and of themselves."""
    texts: list[list[str]] = []
    for _ in range(count):
        text: list[str] = []
        while len(text) < rng.randrange(longest + 1):
            if texts and rng.random() < 0.5:
                source = rng.choice([*texts, text])
                begin = rng.randrange(len(source) + 1)
                text += source[begin : begin + rng.randrange(30)]
            else:
                text += [rng.choice("abcdefghijklmnopqrstuvwxyz") * rng.randrange(1, vocabulary + 1) for _ in range(9)]
        texts.append(text)
    join = [" ", ", ", "\n", " — "]
    return [(f"{rng.getrandbits(128):032x}", "".join(w + rng.choice(join) for w in text)) for text in texts]


@pytest.mark.parametrize("words", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("shards", [1, 2, 5])
def test_every_run_is_found_and_nothing_else(words: int, shards: int) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        pages = make_pages(rng, rng.randrange(12), rng.choice([1, 2, 9]), 120)
        dealt: list[list[Page]] = [[] for _ in range(shards)]
        for page in pages:
            rng.choice(dealt).append(page)
        found = cut_shards(dealt, words)
        assert found == oracle(pages, words)
        assert found or seed or len(pages) < 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab 漢字.\n", max_size=40), max_size=6), st.integers(1, 7), st.integers(1, 3))
def test_any_text_in_any_layout(texts: list[str], words: int, shards: int) -> None:
    pages = [(f"{number * 7919 % 65536:016x}{0:016x}", text) for number, text in enumerate(texts)]
    expected = oracle(pages, words)
    for order in (pages, pages[::-1]):
        assert cut_shards([order[n::shards] for n in range(shards)], words) == expected


def test_one_copy_of_every_word_stays() -> None:
    rng = random.Random(5)
    pages = make_pages(rng, 10, 3, 200)
    found = cut_shards([pages], 6)
    assert found
    whole = {word for _, text in pages for word in text.split()}
    left = set()
    for doc_id, text in pages:
        laid = lay(text, None, [(SUBSTRING, found.get(doc_id, []))])
        laid.finish()
        left |= set(without(text, laid.cuts()).split())
    strip = str.maketrans("", "", ",— ")
    assert {word.translate(strip) for word in whole} - {""} <= {word.translate(strip) for word in left}


def test_fingerprints_cover_every_run_and_overlap() -> None:
    for words in range(1, 80):
        n, w = winnowing(words)
        assert n + w - 1 == words
        assert n >= w >= 1
    hashes = np.random.default_rng(1).integers(0, 2**63, 500).astype(np.uint64)
    text = " ".join(str(value) for value in hashes.tolist())
    stream = make_stream(iter([(np.array([0]), ["0" * 32], [None], [text])]), None, {})
    valid = valid_windows(stream, 50)
    distinct = len(np.unique(fingerprints_at(stream, 50, valid)))
    assert 500 / 25 < distinct < 500 / 8, "about 2 / (w + 1) of the words are fingerprints"


def test_minimum_and_hashes_of_windows() -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(0, 2**63, 57).astype(np.uint64)
    for width in (1, 2, 3, 7, 56, 57, 58):
        expected = [values[i : i + width].min() for i in range(max(0, 57 - width + 1))]
        assert sliding_minimum(values, width).tolist() == expected
    words = rng.integers(0, 2**63, 600_000).astype(np.uint64)
    words[500_000:500_050] = words[100:150]
    hashes = window_hashes(words, 50)
    assert len(hashes) == 600_000 - 49
    assert hashes[100] == hashes[500_000], "equal windows in different blocks of hashing"
    assert len(np.unique(hashes)) == len(hashes) - 1
    assert len(window_hashes(words[:49], 50)) == 0


def test_a_fingerprint_on_very_many_places_is_linear() -> None:
    """A million equal words in a page, and a thousand pages of one text: neither pairs nor lists of places arise."""
    rows = np.arange(1001)
    texts = ["same " * 1_000_000] + ["one text on very many pages of the run " * 4] * 1000
    ids = [f"{number:032x}" for number in range(1001)]
    stream = make_stream(iter([(rows, ids, [None] * 1001, texts)]), None, {})
    assert find_fingerprints(stream, 10, 0).num_rows < 20
    cuts = find_substring_cuts(stream, 10, np.zeros(0, np.uint64))
    assert cuts.num_rows == 1001
    assert cuts.slice(0, 1).to_pylist() == [{"row": 0, "start": 5, "end": 4_999_999}]
