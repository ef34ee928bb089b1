"""Main text of a page: extractors by name, and what they share."""

from __future__ import annotations

import re
from importlib.metadata import version as library_version
from typing import Any, Final

from resiliparse.extract.html2text import extract_plain_text

from pipeline.extract.api import Extractor

POSTPROCESSING_VERSION: Final = 1

# Controls but newline and tab. Zero-width and other hidden characters stay: they are evidence.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_C0: Final = bytes(code for code in (*range(32), 127) if code not in (9, 10))
_C1: Final = re.compile(rb"\xc2[\x80-\x9f]")
_HIGH_LISTS: Final = "body>ul,body>*>ul,body>*>*>ul"
_MAX_HIGH_LISTS: Final = 2_000
_SPACE_AT_END: Final = (" \n", "\t\n", "\u00a0\n")
_BLANK: Final = re.compile(r"\n{4,}")


def normalise_text(text: str) -> str:
    """Valid Unicode with `\\n` as the only line break, no spaces at line ends, at most two blank lines in a row."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        text = _CONTROL.sub("", text)
    else:  # 20 times faster than one expression over the text
        if _C1.search(raw) or len(raw.translate(None, _C0)) < len(raw):
            text = _CONTROL.sub("", text)
    if any(space in text for space in _SPACE_AT_END):
        text = "\n".join([line.rstrip(" \t\u00a0") for line in text.split("\n")])
    if "\n\n\n\n" in text:
        text = _BLANK.sub("\n\n\n", text)
    return text.strip("\n ").rstrip()


def _lower_lists(tree: Any) -> None:
    """Put lists that are close to `body` into three more elements: resiliparse takes those for menus and drops them."""
    found = tree.document.query_selector_all(_HIGH_LISTS)
    if not 0 < len(found) <= _MAX_HIGH_LISTS:
        return
    for high in found.values():
        outer = inner = tree.create_element("div")
        for _ in range(2):
            deeper = tree.create_element("div")
            inner.append_child(deeper)
            inner = deeper
        high.replace_with(outer)
        inner.append_child(high)


class ResiliparseExtractor:
    """resiliparse main content, with all visible text where that finds next to nothing.

    Alternative texts of images and list bullets are left out: on 830 WCXB dev pages word F1 rises from .844 to .851.
    A page whose main content is under a tenth of its visible text is mostly a miss (single-page apps, unusual
    templates), and then all visible text is taken: .876; with lists near `body` kept: .877
    (`benchmarks/extraction.py`).
    """

    name = "resiliparse"
    OPTIONS: Final[dict[str, Any]] = {"alt_texts": False, "list_bullets": False}
    LOOK_AGAIN: Final = 2_000  # characters of main content below which all visible text is extracted to compare
    LEAST_SHARE: Final = 0.1

    def __init__(self) -> None:
        self.version = f"1.{POSTPROCESSING_VERSION}+resiliparse-{library_version('resiliparse')}"

    def setup(self) -> None:
        """Nothing to load."""

    def text(self, html: str, tree: Any) -> str:
        """Main text; paragraphs, headings and list items are lines. Moves nodes of `tree`: call it last."""
        _lower_lists(tree)
        text: str = extract_plain_text(tree, main_content=True, **self.OPTIONS)
        if len(text) < self.LOOK_AGAIN:
            everything: str = extract_plain_text(tree, **self.OPTIONS)
            if len(text) < self.LEAST_SHARE * len(everything):
                text = everything
        return normalise_text(text)


class TrafilaturaExtractor:
    """trafilatura; parses the page itself, with lxml, and loses text nested deeper than 256 elements."""

    name = "trafilatura"

    def __init__(self, *, fast: bool = True) -> None:
        self.fast = fast
        self._extract: Any = None
        self.version = f"1.{POSTPROCESSING_VERSION}+trafilatura"

    def setup(self) -> None:
        """Import trafilatura, or say how to install it."""
        if self._extract is None:
            try:
                from trafilatura import extract
            except ImportError as error:
                raise RuntimeError("trafilatura is not installed: pip install 'headwater[trafilatura]'") from error
            self._extract = extract
            self.version = f"1.{POSTPROCESSING_VERSION}+trafilatura-{library_version('trafilatura')}"

    def text(self, html: str, tree: Any) -> str:
        """Main text; "" where trafilatura finds none."""
        self.setup()
        try:
            text = self._extract(html, fast=self.fast, include_comments=True, include_formatting=False)
        except Exception:  # lxml refuses some pages that are empty or no HTML
            text = None
        return normalise_text(text or "")


EXTRACTORS: Final[dict[str, type[Any]]] = {
    ResiliparseExtractor.name: ResiliparseExtractor,
    TrafilaturaExtractor.name: TrafilaturaExtractor,
}


def make_extractor(name: str) -> Extractor:
    """The extractor of that name."""
    try:
        extractor: Extractor = EXTRACTORS[name]()
    except KeyError:
        raise ValueError(f"unknown extractor {name!r}; known: {', '.join(sorted(EXTRACTORS))}") from None
    return extractor
