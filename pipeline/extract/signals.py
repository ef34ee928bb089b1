"""Signals of a page beside its text: a value of `schemas.document.PAGE_STRUCT`, read from the tree of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urljoin

from pipeline.extract.dates import (
    MODIFIED_NAMES,
    PUBLISHED_NAMES,
    first_plausible,
    reference_date,
    url_date,
)
from pipeline.extract.limits import measure_depth
from pipeline.extract.marks import MARKS_VERSION, count_marks
from pipeline.extract.structured import Structured, read_structured

SIGNALS_VERSION: Final = 1
VERSION: Final = f"{SIGNALS_VERSION}.{MARKS_VERSION}"

MAX_ELEMENTS: Final = 20_000  # meta, link and script elements that are looked at
MAX_META: Final = 128
MAX_LINKS: Final = 256
MAX_SCRIPTS: Final = 128
MAX_ATTRIBUTES: Final = 64
MAX_DIRECTIVES: Final = 64
MAX_LICENCES: Final = 32
MAX_HEADERS: Final = 32
MAX_NAME: Final = 100  # characters
MAX_VALUE: Final = 1_000
MAX_ADDRESS: Final = 2_048

HEADERS: Final = frozenset(
    {
        "x-robots-tag",
        "content-language",
        "tdm-reservation",
        "tdm-policy",
        "link",
        "x-translated-by",
        "x-generator",
        "x-powered-by",
    }
)
LINK_RELATIONS: Final = frozenset({"canonical", "license", "amphtml", "tdm-policy"})
ROBOTS: Final = frozenset(
    {
        "robots",
        "google-extended",
        "applebot-extended",
        "slurp",
        "anthropic-ai",
        "claude-web",
        "cohere-ai",
        "ia_archiver",
    }
)
_DIRECTIVES: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_UNSAFE: Final = re.compile("[\x00\ud800-\udfff]")
_ELEMENTS: Final = 'meta,link,script,a[rel~="license"],a[href*="creativecommons.org/"]'
_LINK_HEADER: Final = re.compile(r"<([^<>]{1,2048})>([^<]{0,500})")


def safe(value: str, limit: int = MAX_VALUE) -> str:
    """`value` cut to `limit` characters, without NUL and lone surrogates, which neither Parquet nor JSON can hold."""
    value = value[:limit]
    return _UNSAFE.sub("\ufffd", value) if not value.isascii() or "\x00" in value else value


def _is_robot(name: str) -> bool:
    return name in ROBOTS or (name.endswith("bot") and len(name) <= 40) or name.startswith("googlebot-")


def _directives(content: str, agent: str) -> list[str]:
    """Directives of one robots value, lower case; `agent` or an agent in the value is kept as a prefix."""
    found = []
    for part in content[:MAX_VALUE].lower().split(","):
        part = " ".join(part.split())
        head, colon, rest = part.partition(":")
        if colon and head not in _DIRECTIVES and re.fullmatch(r"[a-z0-9_.*/ -]{1,40}", head):
            agent, part = head, rest.strip()
        if part:
            found.append(f"{agent}: {part}" if agent and agent not in {"robots", "*"} else part)
    return found


class _Page:
    """Collects the signals of one page."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self.meta: list[dict[str, str]] = []
        self.dates: dict[str, str] = {}
        self.links: list[dict[str, str | None]] = []
        self.canonical: str | None = None
        self.generator: str | None = None
        self.robots: dict[str, None] = {}
        self.licences: dict[str, None] = {}
        self.scripts: dict[str, None] = {}
        self.json_ld: list[str] = []
        self.assets: list[str] = []
        self.kept_headers: list[dict[str, str]] = []

    def add_robots(self, content: str, agent: str = "") -> None:
        for directive in _directives(content, agent):
            if len(self.robots) < MAX_DIRECTIVES:
                self.robots[safe(directive, MAX_NAME)] = None

    def add_licence(self, href: str | None) -> None:
        if href and href.strip() and len(self.licences) < MAX_LICENCES:
            self.licences[safe(href.strip(), MAX_ADDRESS)] = None

    def add_meta(self, element: Any) -> None:
        get = element.getattr
        content = get("content")
        if content is None:
            return
        name = get("name") or get("property") or get("http-equiv")
        if not name:
            item = get("itemprop")
            if item:
                self.dates.setdefault(item.strip().lower()[:MAX_NAME], content[:64])
            return
        name = safe(name.strip().lower(), MAX_NAME)
        if _is_robot(name):
            self.add_robots(content, "" if name == "robots" else name)
        elif name in {"tdm-reservation", "tdm-policy"}:
            self.add_robots(f"{name}={content.strip()[:MAX_NAME]}")
        elif name == "generator" and self.generator is None:
            self.generator = safe(content.strip(), MAX_VALUE)
        self.dates.setdefault(name, content[:64])
        if len(self.meta) < MAX_META:
            self.meta.append({"name": name, "value": safe(content, MAX_VALUE)})

    def add_link(self, element: Any) -> None:
        href = element.getattr("href")
        if not href:
            return
        if len(self.assets) < MAX_LINKS:
            self.assets.append(href[:200])
        rel = (element.getattr("rel") or "").strip().lower()
        tokens = rel.split()
        language = element.getattr("hreflang")
        wanted = not LINK_RELATIONS.isdisjoint(tokens) or "machine-translated-from" in rel
        if not wanted and not (language and "alternate" in tokens):
            return
        if "canonical" in tokens and self.canonical is None:
            self.canonical = self.absolute(href)
        if "license" in tokens:
            self.add_licence(href)
        if len(self.links) < MAX_LINKS:
            self.links.append(
                {
                    "rel": safe(rel, MAX_NAME),
                    "lang": safe(language.strip(), MAX_NAME) if language else None,
                    "href": safe(href.strip(), MAX_ADDRESS),
                }
            )

    def absolute(self, href: str) -> str | None:
        try:
            return safe(urljoin(self.url or "", href.strip()[:MAX_ADDRESS]), MAX_ADDRESS) or None
        except ValueError:
            return None

    def add_script(self, element: Any) -> None:
        source = element.getattr("src")
        if source:
            source = source.strip().split("?", 1)[0].split("#", 1)[0]
            if source and not source.startswith("data:") and len(self.scripts) < MAX_SCRIPTS:
                self.scripts[safe(source, 500)] = None
        elif "ld+json" in (element.getattr("type") or "").lower() and len(self.json_ld) < 20:
            self.json_ld.append(element.text)

    def add_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        for name, value in headers:
            if len(name) > MAX_NAME:
                continue
            name = name.lower()
            if name not in HEADERS:
                continue
            value = safe(value)
            if name == "x-robots-tag":
                self.add_robots(value)
            elif name in {"tdm-reservation", "tdm-policy"}:
                self.add_robots(f"{name}={value.strip()[:MAX_NAME]}")
            elif name == "link":
                self._add_link_header(value)
                if "license" not in value and "tdm" not in value and "canonical" not in value:
                    continue
            if len(self.kept_headers) < MAX_HEADERS:
                self.kept_headers.append({"name": name, "value": value})

    def _add_link_header(self, value: str) -> None:
        for href, parameters in _LINK_HEADER.findall(value):
            lowered = parameters.lower()
            if "license" in lowered and "rel" in lowered:
                self.add_licence(href)
            elif "canonical" in lowered and self.canonical is None:
                self.canonical = self.absolute(href)


def _elements(document: Any) -> list[Any]:
    """meta, link and script elements and links to licences; a kind with absurdly many is left out.

    Lists are copied once, because an item of a resiliparse list costs a walk over the list.
    """
    found = document.query_selector_all(_ELEMENTS)
    if len(found) <= MAX_ELEMENTS:
        return list(found.values())
    elements: list[Any] = []
    for tag in _ELEMENTS.split(","):
        found = document.query_selector_all(tag)
        if len(found) <= MAX_ELEMENTS:
            elements += found.values()
    return elements


def _attributes(tag: str, element: Any) -> list[dict[str, str]]:
    if element is None:
        return []
    return [
        {"name": safe(f"{tag}.{name}", MAX_NAME), "value": safe(element.getattr(name) or "", MAX_VALUE)}
        for name in element.attrs[:MAX_ATTRIBUTES]
    ]


def _read_elements(page: _Page, document: Any) -> None:
    for element in _elements(document):
        tag = element.tag
        if tag == "meta":
            page.add_meta(element)
        elif tag == "link":
            page.add_link(element)
        elif tag == "script":
            page.add_script(element)
        else:
            page.add_licence(element.getattr("href"))


def _dates(
    page: _Page, structured: Structured, fetched_at: int | None, headers: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    reference = reference_date(fetched_at, headers)
    stated = page.dates
    sources = (
        ("json_ld", structured.published + structured.created, structured.modified),
        (
            "meta",
            [stated[name] for name in PUBLISHED_NAMES if name in stated],
            [stated[name] for name in MODIFIED_NAMES if name in stated],
        ),
    )
    published = modified = source = None
    for name, first, last in sources:
        if published is None and (published := first_plausible(first, reference)) is not None:
            source = name
        if modified is None and (modified := first_plausible(last, reference)) is not None:
            source = source or name
    if published is None and (published := url_date(page.url, reference)) is not None:
        source = "url"
    return {"published_at": published, "modified_at": modified, "date_source": source}


def page_signals(
    html: str,
    tree: Any,
    url: str | None,
    headers: Sequence[tuple[str, str]] = (),
    *,
    fetched_at: int | None = None,
    depth: int | None = None,
) -> dict[str, Any]:
    """Signals of a parsed page; never raises on what a page holds.

    `tree` is the resiliparse tree of `html`. `fetched_at` is the capture time in microseconds, UTC: later dates are
    ignored (else those after the HTTP Date header). Dates are microseconds, UTC. `depth` is measured where not given.
    """
    page = _Page(url)
    document = tree.document
    page.add_headers(headers)
    _read_elements(page, document)
    root = document.query_selector("html")
    attributes = _attributes("html", root) + _attributes("body", tree.body)
    structured = read_structured(page.json_ld)
    assets = "\n".join((*page.scripts, *page.assets, *(pair["value"] for pair in attributes))).lower()
    language = (root.getattr("lang") or root.getattr("xml:lang")) if root is not None else None
    return {
        "html_lang": safe(language.strip(), MAX_NAME) or None if language else None,
        "html_attributes": attributes,
        "meta": page.meta,
        "links": page.links,
        "canonical": page.canonical,
        "generator": page.generator,
        "robots": list(page.robots),
        "licence_links": list(page.licences),
        **_dates(page, structured, fetched_at, headers),
        "scripts": list(page.scripts),
        "marks": count_marks(html, document, assets),
        "structured": [{"name": safe(name), "value": safe(value)} for name, value in structured.pairs],
        "headers": page.kept_headers,
        "depth": measure_depth(document) if depth is None else depth,
    }
