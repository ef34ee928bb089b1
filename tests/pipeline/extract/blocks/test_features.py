"""Block features: their names, their range, and what they do not depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.blocks.features import CONTEXT, block_features, feature_names, page_context
from pipeline.extract.page_table import scan_page

NOTHING: dict[str, Any] = {"meta": [], "generator": None, "structured": []}
NAMES = feature_names()


def column(html: str, name: str, title: str | None = None) -> list[float]:
    values: list[float] = block_features(scan_page(html), NOTHING, title)[:, NAMES.index(name)].tolist()
    return values


def test_names_are_unique_and_every_column_is_written() -> None:
    assert len(set(NAMES)) == len(NAMES)
    from pipeline.extract.blocks import _features

    table = scan_page("<body><nav><a href=/>x</a></nav><h1>t</h1><p>a, b. c<p>d")
    x = np.full((len(table.blocks), len(NAMES)), np.nan, np.float32)
    empty = np.zeros(0, np.uint8)
    written = _features.fill(
        table.text, table.blocks, table.block_words, table.nodes, table.node_words, empty, empty,
        np.zeros(len(CONTEXT), np.float32), x,
    )  # fmt: skip
    assert written == len(NAMES)
    assert np.isfinite(x).all()


def test_links_containers_and_words_of_class_names() -> None:
    html = '<nav><a href=/>Home page</a></nav><div class="article-body"><p>Some words <a href=/x>in</a> it</p></div>'
    assert column(html, "link_density") == [1, 0.25]
    assert column(html, "in_nav") == [0, 20]
    assert column(html, "near_article") == [21, 2]
    assert column(html, "is_paragraph") == [0, 1]


def test_repeats_sections_and_headings() -> None:
    html = "<h2>A</h2><p>same<p>same<h2>B</h2><p>other"
    assert column(html, "same_text") == [1, 2, 2, 1, 1]
    assert column(html, "since_heading") == [0, 1, 2, 0, 1]
    assert column(html, "section_blocks") == [3, 3, 3, 2, 2]
    assert column(html, "heading") == [2, 0, 0, 2, 0]


def test_words_of_the_title_in_any_script() -> None:
    assert column("<h1>The old Bridge</h1><p>elsewhere", "title_share", "The Old bridge - Site")[0] == 1
    assert column("<h1>長江大橋</h1><p>elsewhere", "title_share", "長江大橋 | 百科")[0] == 1


def test_scripts_without_spaces_have_words_and_sentences() -> None:
    html = "<p>これは川の調査についての長い文章です。春に始まり、秋に終わりました。"
    assert column(html, "words")[0] > 10
    assert column(html, "sentences")[0] == 2


def test_the_dense_run_and_the_best_container() -> None:
    prose = "The survey began in spring, and it went on along the river until the bridge was moved again. " * 3
    html = (
        f"<div><p><a href=/>one two</a><p><a href=/>three</a></div><div><p>{prose}<p>{prose}</div><footer>end</footer>"
    )
    assert column(html, "in_run") == [0, 0, 1, 1, 0]
    assert column(html, "in_best") == [0, 0, 1, 1, 0]


def test_what_a_page_says_of_itself() -> None:
    signals = {
        "meta": [{"name": "og:type", "value": "Article"}],
        "generator": "WordPress 6.4",
        "structured": [{"name": "@type", "value": "BlogPosting"}],
    }
    found = {name for name, value in zip(CONTEXT, page_context(signals), strict=True) if value}
    assert found == {"og_article", "made_by_wordpress", "schema_BlogPosting"}
    assert not page_context(NOTHING).any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<div class=nav>", "</div>", "<li>", "<ul>", "<table>", "<td>", "<h2>", "a, b. ", "text ",
             "<a href=x>", "</a>", "&amp;", "日本語。", "<br>", "<pre>", "<script>x</script>", "<", ">", "\x00"]
        ),
        max_size=60,
    ),
    st.text(max_size=20),
)  # fmt: skip
def test_finite_and_deterministic_on_anything(parts: list[str], title: str) -> None:
    html = "".join(parts)
    first = block_features(scan_page(html), NOTHING, title)
    assert np.isfinite(first).all()
    assert (first == block_features(scan_page(html), NOTHING, title)).all()


@pytest.mark.parametrize("html", ["", "   ", "<html></html>", "<script>only()</script>"])
def test_pages_without_text_have_no_rows(html: str) -> None:
    assert block_features(scan_page(html), NOTHING, None).shape == (0, len(NAMES))
