"""Extractors by name. Libraries are imported by the extractor that needs them."""

from __future__ import annotations

from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final

from pipeline.extract.api import Extractor, MainText
from pipeline.extract.blocks.extractor import BlockExtractor
from pipeline.extract.limits import check_depth, check_markup, measure_depth
from pipeline.extract.normalise import NORMALISE_VERSION
from pipeline.extract.page_table import PageTable
from schemas.config import ExtractConfig

_HIGH_LISTS: Final = "body>ul,body>*>ul,body>*>*>ul"
_MAX_HIGH_LISTS: Final = 2_000


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
        self.version = f"1.{NORMALISE_VERSION}+resiliparse-{library_version('resiliparse')}"

        self._parse: Any = None
        self._plain_text: Any = None

    def setup(self) -> None:
        """Import resiliparse."""
        if self._parse is None:
            from resiliparse.extract.html2text import extract_plain_text
            from resiliparse.parse.html import HTMLTree

            self._parse, self._plain_text = HTMLTree.parse, extract_plain_text

    def extract(self, html: str, table: PageTable, signals: dict[str, Any], title: str | None) -> MainText:
        """Main text; paragraphs, headings and list items are lines."""
        self.setup()
        check_markup(html)
        tree = self._parse(html)
        check_depth(measure_depth(tree.document), html)
        _lower_lists(tree)
        text: str = self._plain_text(tree, main_content=True, **self.OPTIONS)
        if len(text) < self.LOOK_AGAIN:
            everything: str = self._plain_text(tree, **self.OPTIONS)
            if len(text) < self.LEAST_SHARE * len(everything):
                text = everything
        return MainText(text)


class TrafilaturaExtractor:
    """trafilatura; parses the page itself, with lxml, and loses text nested deeper than 256 elements."""

    name = "trafilatura"

    def __init__(self, *, fast: bool = True) -> None:
        self.fast = fast
        self._extract: Any = None
        self.version = f"1.{NORMALISE_VERSION}+trafilatura"

    def setup(self) -> None:
        """Import trafilatura, or say how to install it."""
        if self._extract is None:
            try:
                from trafilatura import extract
            except ImportError as error:
                raise RuntimeError("trafilatura is not installed: pip install trafilatura lxml-html-clean") from error
            self._extract = extract
            self.version = f"1.{NORMALISE_VERSION}+trafilatura-{library_version('trafilatura')}"

    def extract(self, html: str, table: PageTable, signals: dict[str, Any], title: str | None) -> MainText:
        """Main text; "" where trafilatura finds none."""
        check_markup(html)
        check_depth(table.depth, html)
        self.setup()
        try:
            text = self._extract(html, fast=self.fast, include_comments=True, include_formatting=False)
        except Exception:  # lxml refuses some pages that are empty or no HTML
            text = None
        return MainText(text or "")


EXTRACTORS: Final[dict[str, type[Any]]] = {
    BlockExtractor.name: BlockExtractor,
    ResiliparseExtractor.name: ResiliparseExtractor,
    TrafilaturaExtractor.name: TrafilaturaExtractor,
}


def make_extractor(config: ExtractConfig) -> Extractor:
    """The extractor of a configuration; ValueError if there is none of that name, or it lacks what is asked for."""
    name = config.extractor
    if name not in EXTRACTORS:
        raise ValueError(f"unknown extractor {name!r}; known: {', '.join(sorted(EXTRACTORS))}")
    if name == BlockExtractor.name:
        model = Path(config.model) if config.model else None
        return BlockExtractor(markup=config.markup, precision=config.precision, model=model)
    for option, value, default in (
        ("markup", config.markup, "plain"), ("precision", config.precision, False), ("model", config.model, None),
    ):  # fmt: skip
        if value != default:
            raise ValueError(f"extract.{option} is of the extractor blocks; {name} has no such choice")
    extractor: Extractor = EXTRACTORS[name]()
    return extractor
