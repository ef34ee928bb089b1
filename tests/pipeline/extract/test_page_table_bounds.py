"""Large and crowded pages: a bounded number of blocks, and all of the text in them. Time is measured elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.extract.api import PageInput
from pipeline.extract.blocks.extractor import BlockExtractor
from pipeline.extract.columns import BLOCK_END, BLOCK_START, BLOCK_WORDS, MAX_BLOCKS
from pipeline.extract.extract import extract_page
from pipeline.extract.page_table import PageTable, scan_page

SENTENCE = "The survey of river number {} began in spring, and its records were kept until the bridge was moved again."


def text_of(table: PageTable) -> str:
    return "\n".join(table.block_text(block) for block in range(len(table.blocks)))


def large(size: int) -> tuple[str, list[str]]:
    """A page of that many bytes, and its words."""
    parts: list[str] = []
    words: list[str] = []
    total = number = 0
    while total < size:
        line = SENTENCE.format(number)
        words += line.split()
        form = ("<p>{}</p>", "<ul><li><a href='/x'>{}</a></li></ul>", "<div class=box><h2>{}</h2></div>", "<td>{}")
        parts.append(form[number % len(form)].format(line) + "\n")
        total += len(parts[-1])
        number += 1
    return "".join(parts), words


CASES = {
    "tiny paragraphs": lambda: ("".join(f"<p>x{n}" for n in range(100_000)), [f"x{n}" for n in range(100_000)]),
    "tiny items with links": lambda: (
        "<ul>" + "".join(f"<li><a href=/{n}>i{n}</a>" for n in range(100_000)),
        [f"i{n}" for n in range(100_000)],
    ),
    "cells": lambda: (
        "<table>" + "".join("<tr>" + "".join(f"<td>c{r}.{c}" for c in range(100)) for r in range(1_000)),
        [f"c{r}.{c}" for r in range(1_000) for c in range(100)],
    ),
    "line breaks": lambda: ("".join(f"b{n}<br><br>" for n in range(100_000)), [f"b{n}" for n in range(100_000)]),
    "lines of code": lambda: (
        "<pre>" + "".join(f"<div>l{n} = 1</div>" for n in range(100_000)),
        [word for n in range(100_000) for word in (f"l{n}", "=", "1")],
    ),
    "no words": lambda: ("<p>-" * 100_000 + "<p>word", ["word"]),  # a block has a word, so signs alone are none
    "nested": lambda: ("<div>" * 200_000 + "deep" + "</div>" * 200_000 + "<p>after", ["deep", "after"]),
    "nested with text": lambda: (
        "".join(f"<div>n{n}" for n in range(200_000)), [f"n{n}" for n in range(200_000)],
    ),
    "nested inline": lambda: ("<p>" + "".join(f"<b> n{n}" for n in range(200_000)), [f"n{n}" for n in range(200_000)]),
    "ten megabytes": lambda: large(10_000_000),
    "one paragraph": lambda: (f"<p>{'many words ' * 900_000}", ["many", "words"] * 900_000),
    "scripts without spaces": lambda: (
        "".join(f"<p>\u6c34\u706b{n}" for n in range(50_000)), [f"\u6c34\u706b{n}" for n in range(50_000)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_few_blocks_hold_all_words(name: str) -> None:
    page, words = CASES[name]()
    table = scan_page(page)
    assert 1 <= len(table.blocks) <= MAX_BLOCKS
    starts, ends = table.blocks[:, BLOCK_START], table.blocks[:, BLOCK_END]
    assert (starts < ends).all()
    assert (starts[1:] >= ends[:-1]).all()
    if name == "no words":
        assert [word for word in text_of(table).split() if word != "-"] == words
        return
    assert text_of(table).split() == words
    assert int(table.blocks[:, BLOCK_WORDS].sum()) >= len(words) - words.count("=")


def test_joined_blocks_stay_apart_in_the_text() -> None:
    """Past `SOFT_BLOCKS` tiny blocks share one: their texts are lines of it."""
    table = scan_page("".join(f"<p>x{n}" for n in range(20_000)))
    assert len(table.blocks) < 20_000
    assert Counter(text_of(table).split("\n")) == {f"x{n}": 1 for n in range(20_000)}


@pytest.mark.parametrize("name", ["tiny paragraphs", "nested with text", "ten megabytes"])
def test_the_extractor_takes_them(name: str) -> None:
    page, words = CASES[name]()
    got = extract_page(PageInput(page.encode(), "https://a.example/", "utf-8"), BlockExtractor())
    assert not Counter(got.text.split()) - Counter(words)  # nothing is there that the page does not say
    assert got.confidence is not None
    assert 0 <= got.confidence <= 1
