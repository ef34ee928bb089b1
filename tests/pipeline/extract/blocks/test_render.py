"""Kept blocks as plain text and as Markdown."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.extract.blocks.render import Markup, render
from pipeline.extract.page_table import scan_page


def text_of(html: str, markup: Markup, dropped: tuple[int, ...] = ()) -> str:
    table = scan_page(html)
    kept = np.ones(len(table.blocks), bool)
    kept[list(dropped)] = False
    return render(table, kept, markup)


CASES = [
    ("<h1>Title</h1><h3>Sub</h3><p>Text", "Title\nSub\nText", "# Title\n\n### Sub\n\nText"),
    ("<p>one<br>two<p>three", "one\ntwo\nthree", "one  \ntwo\n\nthree"),
    ("<ul><li>a<li>b<ul><li>c</ul></ul>", "a\nb\nc", "- a\n- b\n  - c"),
    ("<ol><li>a<li>b</ol>", "a\nb", "1. a\n2. b"),
    ("<ul><li><p>a</p><p>more</p></li></ul>", "a\nmore", "- a\n  more"),
    ("<pre>x = 1\n  y\n</pre>", "x = 1\n  y", "```\nx = 1\n  y\n```"),
    ("<pre><div>a</div><div>b</div></pre>", "a\nb", "```\na\nb\n```"),
    ("<blockquote><p>said</p></blockquote>", "said", "> said"),
    (
        "<table><tr><th>a<th>b<tr><td>1<td>2|3</table>after",
        "a\tb\n1\t2|3\nafter",
        "| a | b |\n| --- | --- |\n| 1 | 2\\|3 |\n\nafter",
    ),
    ("<table><tr><td>a layout<br>of one cell</table>", "a layout\nof one cell", "a layout  \nof one cell"),
    (
        "<table><tr><th><th>2022<th>2023<tr><th>Revenue<td>10<td>12</table>",
        "\t2022\t2023\nRevenue\t10\t12",
        "|  | 2022 | 2023 |\n| --- | --- | --- |\n| Revenue | 10 | 12 |",
    ),
    (
        "<table><tr><td>Anna<td><img src=x><td>Berlin<tr><td>Bert<td>12<td>Bonn</table>",
        "Anna\t\tBerlin\nBert\t12\tBonn",
        "| Anna |  | Berlin |\n| --- | --- | --- |\n| Bert | 12 | Bonn |",
    ),
    (
        "<table><tr><td rowspan=2>Germany<td>Berlin<tr><td>Hamburg<tr><th colspan=2>End</table>",
        "Germany\tBerlin\n\tHamburg\nEnd\t",
        "| Germany | Berlin |\n| --- | --- |\n|  | Hamburg |\n| End |  |",
    ),
    (
        "<table><tr><td><p>You can ask</p><ul><li>By post<li>By phone</ul><td>now</table>",
        "You can ask By post By phone\tnow",
        "| You can ask By post By phone | now |\n| --- | --- |",
    ),
    (
        "<table><tr><td>a<td>b</table><table><tr><td>c<td>d</table>",
        "a\tb\nc\td",
        "| a | b |\n| --- | --- |\n\n| c | d |\n| --- | --- |",
    ),
    (
        "<table><tr><td><pre>1\n2</pre><td><pre>x\n  y</pre></table>",
        "1\n2\nx\n  y",
        "```\n1\n2\n```\n\n```\nx\n  y\n```",
    ),
    ("<ol><li>a</ol><ol><li>b</ol>", "a\nb", "1. a\n\n1. b"),
    ("<blockquote><p>one<p>two</blockquote>", "one\ntwo", "> one\n>\n> two"),
    ("<h2>Install<a href=#i>\u00b6</a></h2>", "Install\u00b6", "## Install"),
    ("<ul><li>- own mark</ul>", "- own mark", "- own mark"),
    ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning", "term\n\nmeaning"),
]


@pytest.mark.parametrize(("html", "plain", "markdown"), CASES)
def test_structure(html: str, plain: str, markdown: str) -> None:
    assert text_of(html, "plain") == plain
    assert text_of(html, "markdown") == markdown


def test_only_kept_blocks_are_written() -> None:
    assert text_of("<p>a<p>b<p>c", "plain", dropped=(1,)) == "a\nc"
    assert text_of("<p>a<p>b", "markdown", dropped=(0, 1)) == ""


def test_code_with_a_fence_in_it_gets_another() -> None:
    assert text_of("<pre>```\nx\n```</pre>", "markdown").startswith("~~~~\n```")


def test_nested_tables_stay_in_reading_order() -> None:
    html = "<table><tr><td>a<table><tr><td>b<td>c</table><td>d</table>"
    assert text_of(html, "plain").replace("\t", " ").split() == ["a", "b", "c", "d"]


def test_a_row_of_a_table_is_kept_whole_or_not_at_all() -> None:
    html = "<table><tr><th>n<th>m<tr><td>one word<td>2<tr><td>x<td>some more words</table>"
    assert text_of(html, "plain", dropped=(3,)) == "n\tm\none word\t2\nx\tsome more words"
    assert text_of(html, "plain", dropped=(2,)) == "n\tm\nx\tsome more words"
    assert text_of(html, "plain", dropped=(0, 1, 2, 3, 4, 5)) == ""


def test_nesting_and_width_are_bounded() -> None:
    deep = "<ul>" * 400 + "<li>" + "a<br>" * 2_000
    assert len(text_of(deep, "markdown")) < 40 * 2_000
    skewed = "<table><tr>" + "<td>w" * 1_000 + "<tr><td>w" * 800 + "</table>"
    assert len(text_of(skewed, "markdown")) < 20_000
