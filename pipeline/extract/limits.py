"""Bounds that keep native code within seconds and a gigabyte, checked before it runs.

The page table is linear in the page, so that it needs `check_size` alone; the other checks belong to extractors that
hand the page to a parser of their own.

Measured on resiliparse 2.0.1: an element with n attributes costs n² (40,000: 2.9 s); main content costs elements ×
depth (2,000 × 50,000: 12 s; 200,000 nested elements did not return in 60 s); every unclosed formatting element is
opened again in each later paragraph, so n of them make n²/2 nodes (2,000: 2 million); a million links take 700 MB.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.extract.errors import ExtractionError

MAX_BYTES: Final = 16 * 2**20  # Common Crawl cuts at 1 MiB, and at 5 MiB since 2025
MAX_TAGS: Final = 600_000  # `<` in the page; about 1 KB of memory each
MAX_ATTRIBUTES: Final = 10_000  # of one element: 0.2 s
MAX_UNCLOSED: Final = 600  # formatting elements: 180,000 extra nodes
MAX_DEPTH: Final = 4_096  # 0.3 s for one chain
MAX_DEPTH_WORK: Final = 20_000_000  # elements × depth: 3 s
DEPTH_STEP: Final = 512  # depths below are exact; above, of the chain of first children

_GAP: Final = 65_536  # characters without `>` that make an element worth a look
_TAG: Final = re.compile(
    r"<(script|style|textarea|title|noscript|iframe|xmp)\b.*?(?:</\1\b|\Z)|<!--.*?(?:-->|\Z)|<[a-zA-Z]((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)",
    re.DOTALL | re.IGNORECASE,
)
_SEPARATOR: Final = re.compile(r"[\s/]+[^\s/=]")
_FORMATTING: Final = re.compile(
    r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s>/])", re.IGNORECASE
)
_CHAINS: Final[dict[int, str]] = {}


def check_size(body: bytes) -> None:
    """Refuse pages that are too large for one process."""
    if len(body) > MAX_BYTES:
        raise ExtractionError("too_large", f"{len(body)} bytes, limit {MAX_BYTES}")
    if len(body) > MAX_TAGS:
        tags = body.count(b"<")
        if tags > MAX_TAGS:
            raise ExtractionError("too_many_nodes", f"{tags} tags, limit {MAX_TAGS}")


def check_markup(html: str) -> None:
    """Refuse pages on which the parser takes quadratic time or memory."""
    tags = html.count("<")
    if tags > 2 * MAX_UNCLOSED:
        unclosed = tags - 2 * html.count("</")
        if unclosed > MAX_UNCLOSED:
            _check_formatting(html)
    if len(html) > 4 * MAX_ATTRIBUTES and (
        _has_gap(html) or (len(html) > 40 * MAX_ATTRIBUTES and html.count("=") > 5 * MAX_ATTRIBUTES)
    ):
        _check_attributes(html)


def _has_gap(html: str) -> bool:
    """Whether `_GAP` characters follow each other without `>`; hops, so nearly free."""
    position, end = 0, len(html)
    while end - position > _GAP:
        last = html.rfind(">", position, position + _GAP)
        if last < 0:
            return True
        position = last + 1
    return False


def _check_formatting(html: str) -> None:
    opened = sum(-1 if found[1] else 1 for found in _FORMATTING.finditer(html))
    if opened > MAX_UNCLOSED:
        raise ExtractionError("too_many_nodes", f"{opened} formatting elements are never closed")


def _check_attributes(html: str) -> None:
    for tag in _TAG.finditer(html):
        inside = tag[2]
        if inside and len(inside) > 2 * MAX_ATTRIBUTES:
            bare = re.sub(r"\"[^\"]*\"|'[^']*'", " ", inside)
            count = sum(1 for _ in _SEPARATOR.finditer(bare))
            if count > MAX_ATTRIBUTES:
                raise ExtractionError("too_many_attributes", f"{count} in one element, limit {MAX_ATTRIBUTES}")


def _chain(length: int) -> str:
    if length not in _CHAINS:
        _CHAINS[length] = ">".join("*" * length)
    return _CHAINS[length]


def measure_depth(document: Any) -> int:
    """Depth of the deepest element (`html` is 1), without a walk of the tree in Python.

    `*>*>…` of length k finds the first element at depth k; its chain of first children is a better bound, so the
    search rises in a few steps, and only the last query visits the whole tree.
    """
    known, probe = 0, 12
    while probe <= DEPTH_STEP:
        element = document.query_selector(_chain(probe))
        if element is None:
            break
        known = probe
        while (element := element.first_element_child) is not None and known <= MAX_DEPTH:
            known += 1
        probe = known + 1
    if known:
        return known
    for probe in range(11, 0, -1):
        if document.query_selector(_chain(probe)) is not None:
            return probe
    return 0


def check_depth(depth: int, html: str) -> None:
    """Refuse trees on which main content takes more than seconds."""
    elements = html.count("<") // 2 if depth > 100 else 0
    if depth > MAX_DEPTH or depth * elements > MAX_DEPTH_WORK:
        raise ExtractionError("too_deep", f"elements nest {depth} deep")
