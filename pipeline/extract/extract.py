"""One page: decode, parse once, signals and text from the same tree."""

from __future__ import annotations

from typing import Any, Final

from resiliparse.parse.html import HTMLTree

from pipeline.extract.api import Extracted, Extractor, PageInput
from pipeline.extract.charset import decode
from pipeline.extract.errors import ExtractionError
from pipeline.extract.limits import check_depth, check_markup, check_size, measure_depth
from pipeline.extract.signals import page_signals, safe

MAX_TITLE: Final = 500  # characters


def _collapsed(value: str | None) -> str | None:
    return safe(" ".join(value[: 8 * MAX_TITLE].split()), MAX_TITLE) or None if value else None


def page_title(tree: Any, page: dict[str, Any]) -> str | None:
    """Text of `<title>`, else og:title, else the first h1; whitespace collapsed, at most 500 characters."""
    title = _collapsed(tree.title)
    if title is None:
        title = _collapsed(next((pair["value"] for pair in page["meta"] if pair["name"] == "og:title"), None))
    if title is None:
        heading = tree.document.query_selector("h1")
        title = _collapsed(heading.text) if heading is not None else None
    return title


def extract_page(page: PageInput, extractor: Extractor, *, fetched_at: int | None = None) -> Extracted:
    """Text, title and signals of a page; `fetched_at` is its capture time in microseconds, UTC.

    Raises ExtractionError, and nothing else, for a page that cannot be extracted in bounded time and memory.
    """
    check_size(page.body)
    html, encoding, source, replaced = decode(page.body, page.charset)
    check_markup(html)
    try:
        tree = HTMLTree.parse(html)
        depth = measure_depth(tree.document)
        check_depth(depth, html)
        signals = page_signals(html, tree, page.url, page.headers, fetched_at=fetched_at, depth=depth)
        title = page_title(tree, signals)
        text = extractor.text(html, tree)
    except ExtractionError:
        raise
    except MemoryError as error:
        raise ExtractionError("out_of_memory", f"with {len(page.body)} bytes of HTML") from error
    except Exception as error:  # the message may hold text of the page, so only its type is told
        raise ExtractionError("extractor_failed", f"{type(error).__name__} in {extractor.name}") from error
    return Extracted(text, title, signals, encoding, source, replaced)
