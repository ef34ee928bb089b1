"""The small interface behind which an extractor is a named choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.extract.page_table import PageTable


@dataclass(slots=True)
class Extracted:
    """Text and signals of one page.

    `text` has paragraphs, headings and list items as lines; "" where the page has none. `page` is a value of
    `schemas.document.PAGE_STRUCT`. `encoding` is the character set that was used, `encoding_source` one of
    header, bom, meta, detected, default; `replaced` counts characters that could not be decoded. `page_type` and
    `confidence` are those of `MainText`.
    """

    text: str
    title: str | None
    page: dict[str, Any]
    page_type: str | None = None
    confidence: float | None = None
    encoding: str = "utf-8"
    encoding_source: str = "default"
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class PageInput:
    """What an extraction reads: decoded payload bytes and what the archive says about them."""

    body: bytes
    url: str | None = None
    charset: str | None = None  # of the HTTP Content-Type
    headers: tuple[tuple[str, str], ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class MainText:
    """What an extractor found.

    `confidence` is the expected word F1 of the text, 0 to 1, and `page_type` what kind of page it is (article, forum,
    listing …); both are None where the extractor has no opinion.
    """

    text: str
    confidence: float | None = None
    page_type: str | None = None


class Extractor(Protocol):
    """Main text of a page."""

    name: str

    @property
    def version(self) -> str:
        """Changes whenever the text may change: part of the fingerprint."""

    def setup(self) -> None:
        """Load what is needed, once per process."""

    def extract(self, html: str, table: PageTable, signals: dict[str, Any], title: str | None) -> MainText:
        """Main text of the page; `table`, `signals` and `title` are what was read of `html`.

        Raises ExtractionError for a page that is out of this extractor's bounds.
        """
