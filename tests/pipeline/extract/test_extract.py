"""Extraction of a page: lines, titles, hostile pages, and that nothing but ExtractionError is raised."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.api import Extracted, PageInput
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import EXTRACTORS, ResiliparseExtractor, make_extractor, normalise_text

SENTENCE = "tells, in ordinary English sentences, how the river was surveyed in spring, and who kept the records."
PAGE = (
    "<html lang=en><head><title> A\n  page </title></head><body><nav><a href=/>Home</a><a href=/b>About us</a></nav>"
    "<main><article><h1>The survey</h1>"
    + "".join(f"<p>Paragraph {i} <b>of</b> the report {SENTENCE}</p>" for i in range(12))
    + f"<h2>The list</h2><ul><li>First item {SENTENCE}</li><li>Second item {SENTENCE}</li></ul>"
    "</article></main></body></html>"
)
EXTRACTOR = ResiliparseExtractor()


def run(body: bytes | str, charset: str | None = "utf-8") -> Extracted:
    """Extract a page that stands alone."""
    return extract_page(
        PageInput(body.encode() if isinstance(body, str) else body, "https://a.example/", charset), EXTRACTOR
    )


@pytest.mark.parametrize("name", sorted(EXTRACTORS))
def test_paragraphs_headings_and_items_are_lines(name: str) -> None:
    if name == "trafilatura":
        pytest.importorskip("trafilatura")
    extractor = make_extractor(name)
    extractor.setup()
    lines = [
        line.strip() for line in extract_page(PageInput(PAGE.encode()), extractor).text.split("\n") if line.strip()
    ]
    assert f"Paragraph 3 of the report {SENTENCE}" in lines
    assert "The list" in lines
    assert any(line.removeprefix("- ") == f"First item {SENTENCE}" for line in lines)
    assert not any("About us" in line for line in lines)
    assert extractor.version.split("+")[1].startswith(name)
    assert any(character.isdigit() for character in extractor.version.rsplit("-", 1)[1])


def test_unknown_extractor() -> None:
    with pytest.raises(ValueError, match="known: resiliparse, trafilatura"):
        make_extractor("x")


def test_trafilatura_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(RuntimeError, match=r"pip install 'headwater\[trafilatura\]'"):
        make_extractor("trafilatura").setup()


def test_a_miss_gives_all_visible_text() -> None:
    page = "<body><div class=sidebar>" + f"<span>{SENTENCE}</span><br>" * 30 + "</div><main><p>Menu</p></main>"
    assert run(page).text.count("surveyed") == 30


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title> A \n b </title><h1>x</h1>", "A b"),
        ('<meta property="og:title" content=" O ">', "O"),
        ("<title> </title><h1>The <b>head</b>\n ing</h1><h1>2</h1>", "The head ing"),
        ("<p>x", None),
        ("<title>" + "t" * 5000 + "</title>", "t" * 500),
        ("<title><script>alert(1)</script>{{7*7}}</title>", "<script>alert(1)</script>{{7*7}}"),
    ],
)
def test_title(page: str, title: str | None) -> None:
    assert run(page).title == title


@pytest.mark.parametrize(
    "body", [b"", b" ", b"\x00" * 100, b"\x89PNG\r\n\x1a\n\x00\x00\xff\xd8", b"%PDF-1.4 \xff", b"{}", b"\xff" * 500]
)
def test_what_is_no_html(body: bytes) -> None:
    got = run(body, None)
    got.text.encode()
    assert "\x00" not in got.text


def test_normalise_text() -> None:
    hidden = "a\u200bb\ufe0f\u00adc"
    assert normalise_text(f"\n\n x \r\ny\t \r\n\n\n\n\nz\x00\x07\x85 \ud800{hidden}  ") == f"x\ny\n\n\nz {hidden}"
    assert normalise_text("") == ""
    assert normalise_text("a\u00a0\nb") == "a\nb"


def test_equal_input_gives_equal_results() -> None:
    assert run(PAGE) == run(PAGE)


def test_deep_but_reasonable_pages_keep_their_text() -> None:
    assert "marker" in run("<div>" * 1500 + f"<p>marker {SENTENCE * 5}</p>").text


HOSTILE = {
    "deep": (b"<div>" * 200_000 + b"text", "too_deep"),
    "tables": (b"<table><tr><td>" * 100_000, "too_deep"),
    "attributes": (b"<div " + b" ".join(b"a%d=1" % i for i in range(200_000)) + b">text</div>", "too_many_attributes"),
    "bare attributes": (b"<div " + b" ".join(b"a%d" % i for i in range(200_000)), "too_many_attributes"),
    "formatting": (b"".join(b"<p><i a=%d>x" % i for i in range(5_000)), "too_many_nodes"),
    "links": (b"<body>" + b"<a href=/x>y</a>" * 1_000_000, "too_many_nodes"),
    "large": (b"<p>" + b"x" * 17_000_000, "too_large"),
    "deep and wide": (b"<div>" * 2_000 + b"<p>x some words" * 50_000, "too_deep"),
    "one word": (b"<p>" + b"x" * 15_000_000, None),
    "entities": (b"<p>" + b"&amp;&#x10FFFF;&#0;&notit;" * 250_000, None),
    "metas": (b"<meta name=a content=b>" * 10_000, None),
    "scripts": (b"<script src=a></script>" * 200_000, None),
    "nulls": (b"<p>" + b"\x00\xed\xa0\x80\xff\xfe" * 10_000 + b"</p>", None),
    "bait": (b"<p>" + b"a" * 50_000 + b"!" * 50_000 + b" " * 200_000 + b"</p><p>" + b"1-" * 200_000, None),
    "unclosed tags": (b"<" * 500_000, None),
    "unclosed quotes": (b'<a href="' * 100_000, "too_many_nodes"),
    "comments": (b"<!--" * 200_000, None),
    "cdata": (b"<script type=application/ld+json>" + b"[" * 400_000, None),
}
_CHILD = """
import resource, sys, time
from pipeline.extract.api import PageInput
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import ResiliparseExtractor
body = sys.stdin.buffer.read()
began = time.process_time()
try:
    extract_page(PageInput(body, "https://a.example/", "utf-8"), ResiliparseExtractor()).text.encode()
    code = "None"
except ExtractionError as error:
    code = error.code
print(code, time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_pages_are_bounded(name: str) -> None:
    body, code = HOSTILE[name]
    child = subprocess.run([sys.executable, "-c", _CHILD], input=body, capture_output=True, timeout=60, check=True)
    got, seconds, megabytes = child.stdout.decode().split()
    assert got == str(code)
    assert float(seconds) < 5
    assert float(megabytes) < 1000


PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<table>",
        "<tr>",
        "<td>",
        "<select>",
        "<svg>",
        "<math>",
        "<template>",
        "<title>",
        "</title>",
        "<script type=application/ld+json>",
        "</script>",
        "{",
        '"@type":',
        "[",
        "<meta name=date content=",
        "'",
        '"',
        ">",
        "<link rel=canonical href=",
        "<html lang=x>",
        "<body class=",
        "<!--",
        "-->",
        "&#xd800;",
        "&#0;",
        "\x00",
        "\ufeff",
        "<font style='vertical-align: inherit'>",
        "<a rel=license href=",
        "wp-",
        "<noscript>",
        "<frameset>",
        "<plaintext>",
        "<b>",
        "<i>",
        "<a>",
        "</a>",
        "</b>",
        "text ",
        "<h1>",
        "<ul><li>",
        "<br>",
        "<textarea>",
        "\r\n",
        "<?xml",
        "<![CDATA[",
    ]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(PIECES | st.text(max_size=8), max_size=60).map("".join), st.sampled_from(["utf-8", "utf-16", "cp1252"]))
def test_mutated_pages_raise_nothing_else(page: str, codec: str) -> None:
    body = page.encode(codec, "replace")
    try:
        got = run(body, None)
    except ExtractionError:
        return
    got.text.encode()
    assert "\x00" not in got.text


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_cut_and_flipped_pages(data: st.DataObject) -> None:
    body = bytearray(PAGE.encode())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=20)):
        body[place] = data.draw(st.integers(0, 255))
    try:
        run(bytes(body[: data.draw(st.integers(0, len(body)))])).text.encode()
    except ExtractionError:
        pass
