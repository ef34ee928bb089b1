"""The small interface behind which an extractor is a named choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(slots=True)
class Extracted:
    """Text and signals of one page.

    `text` has paragraphs, headings and list items as lines; "" where the page has none. `page` is a value of
    `schemas.document.PAGE_STRUCT`. `encoding` is the character set that was used, `encoding_source` one of
    header, bom, meta, detected, default; `replaced` counts characters that could not be decoded.
    """

    text: str
    title: str | None
    page: dict[str, Any]
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


class Extractor(Protocol):
    """Main text from a parsed page."""

    name: str
    version: str  # changes whenever the text may change: part of the fingerprint

    def setup(self) -> None:
        """Load what is needed, once per process."""

    def text(self, html: str, tree: Any) -> str:
        """Main text of the page; `tree` is the resiliparse DOM of `html`, parsed once for text and signals."""
