"""The page table: what the scanner makes of tags, references, comments and attributes, and that it takes anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.extract.columns import (
    BLOCK_BREAKS,
    BLOCK_END,
    BLOCK_LINK_WORDS,
    BLOCK_LINKS,
    BLOCK_NODE,
    BLOCK_START,
    BLOCK_WORDS,
    HIDDEN,
    PARENT,
    TAG_OF,
)
from pipeline.extract.page_table import PageTable, decode_value, scan_page
from pipeline.extract.vocabulary import TAGS


def texts(page: str) -> list[str]:
    table = scan_page(page)
    return [table.block_text(block) for block in range(len(table.blocks))]


def path(table: PageTable, node: int) -> str:
    """Names of an element and what it is in, without html and body."""
    names: list[str] = []
    while node > 0:
        names.append(TAGS[table.nodes[node, TAG_OF]] or "?")
        node = int(table.nodes[node, PARENT])
    return ">".join(name for name in reversed(names) if name != "body")


def paths(page: str) -> list[tuple[str, str]]:
    """Where each block is, and its text."""
    table = scan_page(page)
    return [(path(table, int(row[BLOCK_NODE])), table.block_text(block)) for block, row in enumerate(table.blocks)]


@pytest.mark.parametrize(
    ("page", "want"),
    [
        ("<p>a<p>b", [("p", "a"), ("p", "b")]),
        ("<p>a<div>b</div>c", [("p", "a"), ("div", "b"), ("", "c")]),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e",
         [("ul>li", "a"), ("ul>li", "b"), ("ul>li>ul>li", "c"), ("ul>li", "d"), ("", "e")]),
        ("<dl><dt>a<dd>b<dt>c</dl>", [("dl>dt", "a"), ("dl>dd", "b"), ("dl>dt", "c")]),
        ("<table><tr><td>a<th>b<tr><td>c</table>d",
         [("table>tr>td", "a"), ("table>tr>th", "b"), ("table>tr>td", "c"), ("", "d")]),
        ("<table><tr><td><table><tr><td>a</table>b</table>",
         [("table>tr>td>table>tr>td", "a"), ("table>tr>td", "b")]),
        ("<table><tbody><tr><td>a<tfoot><tr><td>b", [("table>tbody>tr>td", "a"), ("table>tfoot>tr>td", "b")]),
        ("<h2>a</h3>b", [("h2", "a"), ("", "b")]),
        ("<h2>a<h3>b</h3>c", [("h2", "a"), ("h3", "b"), ("", "c")]),
        ("<template><p>a</template><p>b", [("template>p", "a"), ("p", "b")]),
        ("<template>a<body>b</template>c", [("template", "a"), ("template", "b"), ("", "c")]),
        ("<object><p>a</object><p>b", [("object>p", "a"), ("p", "b")]),
        ("<head><title>t</title>a", [("", "a")]),
        ("<head><meta name=x><p>a</head>b", [("p", "a"), ("p", "b")]),
        ("</p></div></table></html>a</body>b", [("", "ab")]),
        ("<td>a</td><li>b", [("td", "a"), ("li", "b")]),
    ],
)  # fmt: skip
def test_tags_may_be_missing(page: str, want: list[tuple[str, str]]) -> None:
    assert paths(page) == want


@pytest.mark.parametrize(
    ("page", "want"),
    [
        ("<b>a<i>b</b>c</i>d", ["abcd"]),
        ("<b><p>a</b>b</p>c", ["ab", "c"]),
        ("<div>a<span></div>b</span>c", ["a", "bc"]),
        ("<a href=x>a<a href=y>b</a>c", ["abc"]),
        ("<p>a</li>b", ["a", "b"]),
    ],
)
def test_misnested_tags_keep_the_text(page: str, want: list[str]) -> None:
    assert texts(page) == want


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&amp;&lt;&gt;&quot;x", "&<>\"x"), ("a&copyb", "a\xa9b"), ("&copy;x", "\xa9x"), ("&notit;", "\xacit;"),
        ("&notin;a", "\u2209a"), ("&hellipa", "&hellipa"), ("&a", "&a"), ("&;a", "&;a"), ("&#;a", "&#;a"),
        ("&#x;a", "&#x;a"),
        ("&NotEqualTilde;a", "\u2242\u0338a"), ("&CounterClockwiseContourIntegral;a", "\u2233a"), ("&AMPa", "&a"),
        ("&#65;", "A"), ("&#x42", "B"), ("&#X43;", "C"), ("&#65a", "Aa"), ("&#x1F600;a", "\U0001f600a"),
        ("&#x80;a", "\u20aca"), ("&#150;a", "\u2013a"), ("&#x81;a", "\x81a"),
        ("&#0;a", "\ufffda"), ("&#xD800;a", "\ufffda"), ("&#x110000;a", "\ufffda"),
        ("&#99999999999999999999;a", "\ufffda"),
        ("a&nbsp;&#160;\xa0b", "a b"), ("a&#32;&#9;&#10;b", "a b"), ("AT&T a & b", "AT&T a & b"),
    ],
)  # fmt: skip
def test_references(written: str, read: str) -> None:
    assert texts(f"<p>{written}</p>") == [read]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a&amp;b", "a&b"), ("?a=1&copy=2&reg=3", "?a=1&copy=2&reg=3"), ("&copy", "\xa9"), ("&copy x", "\xa9 x"),
        ("&copyx", "&copyx"), ("&notit;", "&notit;"), ("&#x80;&#65", "\u20acA"), ("a\r\nb\rc", "a\nb\nc"),
        ("&#13;", "\r"), ("&", "&"), ("&lt;&gt;", "<>"),
    ],
)  # fmt: skip
def test_references_in_attributes(written: str, read: str) -> None:
    assert decode_value(written) == read
    if "\r" not in read:
        table = scan_page(f'<p title="{written}">')
        assert table.attribute_values(table.elements("p")[0]) == {"title": read}


@pytest.mark.parametrize(
    ("page", "want"),
    [
        ("a<!-- b -->c", ["ac"]), ("a<!-->b", ["ab"]), ("a<!--->b", ["ab"]), ("a<!---->b", ["ab"]),
        ("a<!-- b --!>c", ["ac"]), ("a<!--!>b-->c", ["ac"]), ("a<!-- > <p> -- > -->c", ["ac"]), ("a<!-- b", ["a"]),
        ("a<!b>c", ["ac"]), ("a<?php b ?>c", ["ac"]), ("<!DOCTYPE html>a", ["a"]), ("a</ b>c", ["ac"]),
        ("a</>b", ["ab"]),
        ("a<![CDATA[ b > c ]]>d", ["a c ]]>d"]), ("a<svg><![CDATA[ b > c ]]></svg>d", ["ad"]),
        ("a < b <3 <", ["a < b <3 <"]),
    ],
)  # fmt: skip
def test_comments_and_what_looks_like_tags(page: str, want: list[str]) -> None:
    assert texts(page) == want


@pytest.mark.parametrize(
    ("page", "want"),
    [
        ("a<script>b<p></scriptx></p></SCRIPT >c", ["ac"]), ("a<style>b</style>c", ["ac"]),
        ("a<title><b>x</b></title>c", ["ac"]), ("a<script>1</script-a>2</script>c", ["ac"]),
        ("a<script>b", ["a"]), ("a<svg><text>b</text></svg>c", ["ac"]), ("a<svg>b", ["ab"]), ("a<svg/>b", ["ab"]),
        ("<textarea>a<p>b</textarea>c", ["c"]), ("<select><option>a<option>b</select>c", ["c"]),
    ],
)  # fmt: skip
def test_raw_text(page: str, want: list[str]) -> None:
    assert texts(page) == want


def test_content_is_as_written() -> None:
    table = scan_page("<title>a &amp; <b></title><script type=x>if (a < b) &amp;</script><script src=y>")
    title, first, last = table.elements("title", "script")
    assert table.content(title) == "a &amp; <b>"
    assert table.content(first) == "if (a < b) &amp;"
    assert table.content(last) == ""


@pytest.mark.parametrize(
    ("tag", "want"),
    [
        ("<p a=1 b='2' c=\"3\" d>", {"a": "1", "b": "2", "c": "3", "d": ""}),
        ("<p A=1 a=2 CLASS=X>", {"a": "1", "class": "X"}),
        ("<p a = 1 b= '>' c =\n\"\">", {"a": "1", "b": ">", "c": ""}),
        ("<p a=x/y/ b/c=1 />", {"a": "x/y/", "b": "", "c": "1"}),
        ("<p a='1'b=2>", {"a": "1", "b": "2"}),
        ("<p =a=1 a\"b=2 <c=3>", {"=a": "1", 'a"b': "2", "<c": "3"}),
        ("<p a=>", {"a": ""}),
        ("<p data-\xe9\u4e2d=\U0001f600>", {"data-\xe9\u4e2d": "\U0001f600"}),
    ],
)  # fmt: skip
def test_attributes(tag: str, want: dict[str, str]) -> None:
    table = scan_page(tag + "x")
    assert table.attribute_values(table.elements("p")[0]) == want
    assert texts(tag + "x") == ["x"]


def test_breaks_spaces_and_pre() -> None:
    assert texts("<p> a \n\t b<br>c<br> <br>d</p>") == ["a b\nc", "d"]
    assert texts("<pre>\n a\n\n  b\t&lt;</pre> c \n d") == [" a\n\n  b\t<", "c d"]
    assert int(scan_page("<p>a<br>b").blocks[0, BLOCK_BREAKS]) == 1


def test_words_and_links() -> None:
    def row(page: str) -> tuple[int, int, int]:
        block = scan_page(page).blocks[0]
        return int(block[BLOCK_WORDS]), int(block[BLOCK_LINK_WORDS]), int(block[BLOCK_LINKS])

    assert row("<p>one two <a href=x>three <b>four</b></a> five - . </p>") == (5, 2, 1)
    assert row("<p>on<b>e</b></p>") == (1, 0, 0)
    assert row("<p>\u6c34\u706b\u6728\u91d1\u571f\u65e5\u6708\u5e74</p>") == (5, 0, 0)  # two Han, a word more
    assert row("<p>\u0e01\u0e02\u0e03\u0e04\u0e05\u0e06\u0e07\u0e08</p>") == (3, 0, 0)
    assert texts("<p>- .</p>") == []


@pytest.mark.parametrize(
    "opening", ["<p hidden>", "<div style='DISPLAY : none'>", "<p aria-hidden=true>", "<noscript>", "<template>"]
)
def test_hidden_text_is_kept_and_marked(opening: str) -> None:
    table = scan_page(f"<body><p>a</p>{opening}<b>x</b>")
    assert [bool(table.nodes[row[BLOCK_NODE], HIDDEN]) for row in table.blocks] == [False, True]
    assert table.nodes[-1, HIDDEN]


@pytest.mark.parametrize("depth", [10, 511, 600, 5000])
def test_depth_is_told_and_text_below_stays(depth: int) -> None:
    page = "<div>" * depth + "<p>deep</p>" + "</div>" * depth + "<p>after</p>"
    table = scan_page(page)
    assert table.depth == depth + 3
    assert texts(page) == ["deep", "after"]
    assert path(table, int(table.blocks[-1, BLOCK_NODE])) == "p"


def test_nothing_and_only_text() -> None:
    table = scan_page("")
    assert (len(table.nodes), len(table.blocks), table.depth, table.body) == (1, 0, 1, -1)
    assert texts("just text") == ["just text"]
    assert texts("\ud800a\x00b\ufeff") == ["?a b\ufeff"]


def test_spans() -> None:
    table = scan_page("<div><div><p>a</p></div><div>" + "<i>" * 400 + "</div></div><p>b<div>c")
    divs = table.elements("div")
    (first, end), (last, after) = table.spans(divs)
    assert (first, last, after) == (divs[0], divs[-1], len(table.nodes))
    assert path(table, end) == "p"
    assert table.is_within(divs[1], "div")
    assert not table.is_within(divs[0], "div")


def check(table: PageTable) -> None:
    """What holds for every table."""
    nodes, blocks, attributes = table.nodes, table.blocks, table.attributes
    assert (nodes[1:, PARENT] < np.arange(1, len(nodes))).all()
    starts, ends = blocks[:, BLOCK_START], blocks[:, BLOCK_END]
    assert (starts < ends).all()
    assert (starts[1:] > ends[:-1]).all()
    assert (ends <= len(table.text)).all()
    assert (blocks[:, BLOCK_WORDS] >= 1).all()
    assert (blocks[:, BLOCK_LINK_WORDS] <= blocks[:, BLOCK_WORDS]).all()
    for block in range(len(blocks)):
        bytes(table.text[starts[block] : ends[block]]).decode()
    flat = attributes[:, 2:].ravel()
    assert (flat[1:] >= flat[:-1]).all()
    assert (flat <= len(table.source)).all()
    for start, end in attributes[:, 2:].reshape(-1, 2).tolist():
        table.source[start:end].decode()


def same(a: PageTable, b: PageTable) -> bool:
    columns = ("nodes", "node_words", "attributes", "text", "blocks", "block_words")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns) and a.depth == b.depth


TAG = st.sampled_from([name for name in TAGS if name])
PIECES = st.one_of(
    TAG.map(lambda name: f"<{name}>"),
    TAG.map(lambda name: f"</{name}>"),
    st.sampled_from(["<", ">", "</", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "&", "&#", ";", "&amp", "&#xd800;",
                     "&nGt;", "<p class='", '"', "'", "=", "<a href=", " hidden ", "\x00", "\xa0", "\u6c34", "\u0e01",
                     "\r\n", "word "]),
    st.text(max_size=6),
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=80).map("".join))
def test_anything_gives_a_table(page: str) -> None:
    table = scan_page(page)
    check(table)
    assert same(table, scan_page(page))


WORDS = st.lists(
    st.sampled_from(["river", "bank", "x1", "\xe9t\xe9", "&amp;", "&lt;b&gt;", "&nbsp;", "\u6c34\u706b"]), max_size=4
)
TEXT = WORDS.map(lambda words: f" {' '.join(words)} " if words else "")


def element(names: list[str], inner: Any) -> Any:
    return st.builds(lambda name, parts: f"<{name} class=a>{''.join(parts)}</{name}>", st.sampled_from(names), inner)


INLINE = st.recursive(
    TEXT, lambda inner: element(["b", "i", "span", "em", "code"], st.lists(inner, max_size=3)), max_leaves=4
)
PARAGRAPH = element(["p", "h1", "h3"], st.lists(INLINE | st.just("<br>") | st.just("<!-- c -->"), max_size=4))
FLOW = st.recursive(
    PARAGRAPH | INLINE | st.just("<script>var a = '<p>no</p>'</script>") | st.just("<img src=x><hr>"),
    lambda inner: (
        element(["div", "section", "article", "blockquote", "main"], st.lists(inner, max_size=4))
        | st.lists(inner, max_size=3).map(
            lambda items: "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
        )
        | st.lists(inner, max_size=3).map(
            lambda cells: "<table><tbody><tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr></tbody></table>"
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(st.lists(FLOW, max_size=5).map("".join))
def test_text_of_valid_pages_is_that_of_the_tree(body: str) -> None:
    page = f"<!DOCTYPE html><html><head><title>t</title></head><body>{body}</body></html>"
    check(scan_page(page))
    want = extract_plain_text(HTMLTree.parse(page), alt_texts=False, list_bullets=False, preserve_formatting=False)
    letters = [word for word in want.split() if any(character.isalnum() for character in word)]
    got = [word for word in " ".join(texts(page)).split() if any(character.isalnum() for character in word)]
    assert got == letters
    assert scan_page(page).depth == len(deepest(page))


def deepest(page: str) -> list[str]:
    """Names on the way to the deepest element of the tree."""
    best: list[str] = []
    queue = [(HTMLTree.parse(page).document.first_element_child, ["html"])]
    while queue:
        node, names = queue.pop()
        best = names if len(names) > len(best) else best
        child = node.first_element_child
        while child is not None:
            queue.append((child, [*names, child.tag]))
            child = child.next_element
    return best


def test_code_keeps_its_lines_and_tabs() -> None:
    assert texts("<pre>\n\tif x:\n\t\ty&#10;z\ra\r\nb</pre>") == ["\tif x:\n\t\ty\nz\na\nb"]
    assert texts("<pre>   \n\n  code</pre>") == ["  code"]


def test_a_line_break_between_ideographs_is_no_space() -> None:
    assert texts("<p>中文\n换行 好，\n好 a\nb</p>") == ["中文换行 好，好 a b"]


def test_hidden_words_in_a_visible_block_are_left_out() -> None:
    assert texts("<p>five<span hidden>HIDDEN</span> six<i style='display: none'>x</i></p>") == ["five six"]
    assert texts("<p hidden>all of it</p>") == ["all of it"]


def test_forgotten_svg_and_select_cost_no_text() -> None:
    assert texts("<p>a</p><svg><path d=x><div>text</div><p>more</p><svg><path></svg><p>b") == ["a", "text", "more", "b"]
    assert texts("<svg><title>t</title><text>x</text></svg>b") == ["b"]
    assert texts("<select><option>a<select><p>b") == ["b"]
