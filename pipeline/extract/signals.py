"""Signals of a page beside its text: a value of `schemas.document.PAGE_STRUCT`, read from the page table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from html import unescape
from typing import Any, Final
from urllib.parse import urljoin

import numpy as np

from pipeline.extract.columns import HIDDEN
from pipeline.extract.dates import (
    MODIFIED_NAMES,
    PUBLISHED_NAMES,
    first_plausible,
    reference_date,
    url_date,
)
from pipeline.extract.marks import MARKS_VERSION, PATTERNS, count_marks
from pipeline.extract.page_table import PageTable, decode_value
from pipeline.extract.selectors import SEARCHED, parse_selector
from pipeline.extract.structured import Structured, read_structured, weglot_languages
from pipeline.extract.survey import Plan, Survey, build_patterns, survey_page
from pipeline.extract.vocabulary import ATTRIBUTE, ATTRIBUTES, TAG, TAGS

SIGNALS_VERSION: Final = 3
VERSION: Final = f"{SIGNALS_VERSION}.{MARKS_VERSION}"

MAX_TITLE: Final = 500  # characters
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
_CREATIVE_COMMONS: Final = b"creativecommons.org/"
_LICENCE_LINK: Final = parse_selector(f'a[href*="{_CREATIVE_COMMONS.decode()}"]')
# Attributes that are read of an element; of html and body all are.
_READ: Final = {
    "meta": ("name", "property", "http-equiv", "itemprop", "content"),
    "link": ("href", "rel", "hreflang"),
    "script": ("src", "type", "id"),
    "a": ("rel",),
}
_META, _LINK, _SCRIPT, _A, _HTML, _BODY = (TAG[name] for name in ("meta", "link", "script", "a", "html", "body"))
_NAME, _PROPERTY, _HTTP_EQUIV, _ITEMPROP, _CONTENT, _HREF, _REL, _HREFLANG, _SRC, _TYPE = (
    ATTRIBUTE[name]
    for name in ("name", "property", "http-equiv", "itemprop", "content", "href", "rel", "hreflang", "src", "type")
)
_ID = ATTRIBUTE["id"]
_ROOTS: Final = (_HTML, _BODY)
_Values = dict[int, str]  # attributes of an element by number
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
        self.html: dict[str, str] = {}
        self.body: dict[str, str] = {}
        self.meta: list[dict[str, str]] = []
        self.dates: dict[str, str] = {}
        self.links: list[dict[str, str | None]] = []
        self.canonical: str | None = None
        self.generator: str | None = None
        self.robots: dict[str, None] = {}
        self.licences: dict[str, None] = {}
        self.licences_of: dict[int, str] = {}  # of link elements, by node
        self.scripts: dict[str, None] = {}
        self.json_ld: list[str] = []
        self.plugins: list[tuple[str, str]] = []  # what plugins say of themselves in data for their scripts
        self.assets: list[str] = []
        self.kept_headers: list[dict[str, str]] = []

    def add_robots(self, content: str, agent: str = "") -> None:
        for directive in _directives(content, agent):
            if len(self.robots) < MAX_DIRECTIVES:
                self.robots[safe(directive, MAX_NAME)] = None

    def add_licence(self, href: str | None) -> None:
        if href and href.strip() and len(self.licences) < MAX_LICENCES:
            self.licences[safe(href.strip(), MAX_ADDRESS)] = None

    def add_element(self, tag: int, node: int, values: _Values, table: PageTable) -> None:
        if tag == _META:
            self.add_meta(values)
        elif tag == _LINK:
            self.add_link(values, node)
        elif tag == _SCRIPT:
            self.add_script(values, node, table)

    def add_licences(self, links: list[int], table: PageTable) -> None:
        """Those of `a` elements together with those of links."""
        for node in sorted({*links, *self.licences_of}):
            if len(self.licences) >= MAX_LICENCES:
                break
            self.add_licence(self.licences_of.get(node) or table.attribute_values(node).get("href"))

    def add_meta(self, values: _Values) -> None:
        content = values.get(_CONTENT)
        if content is None:
            return
        name = values.get(_NAME) or values.get(_PROPERTY) or values.get(_HTTP_EQUIV)
        if not name:
            item = values.get(_ITEMPROP)
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

    def add_link(self, values: _Values, node: int) -> None:
        href = values.get(_HREF)
        if not href:
            return
        if len(self.assets) < MAX_LINKS:
            self.assets.append(href[:200])
        rel = values.get(_REL, "").strip().lower()
        tokens = rel.split()
        language = values.get(_HREFLANG)
        wanted = not LINK_RELATIONS.isdisjoint(tokens) or "machine-translated-from" in rel
        if not wanted and not (language and "alternate" in tokens):
            return
        if "canonical" in tokens and self.canonical is None:
            self.canonical = self.absolute(href)
        if "license" in tokens:
            self.licences_of[node] = href
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

    def add_script(self, values: _Values, node: int, table: PageTable) -> None:
        source = values.get(_SRC)
        if source:
            source = source.strip().split("?", 1)[0].split("#", 1)[0]
            if source and not source.startswith("data:") and len(self.scripts) < MAX_SCRIPTS:
                self.scripts[safe(source, 500)] = None
        elif "ld+json" in values.get(_TYPE, "").lower() and len(self.json_ld) < 20:
            self.json_ld.append(table.content(node))
        elif values.get(_ID) == "weglot-data" and not self.plugins:
            self.plugins = weglot_languages(table.content(node))

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


@lru_cache(maxsize=1)
def _plan() -> Plan:
    """What is looked for in every page."""
    read = np.zeros((len(TAGS), len(ATTRIBUTES)), np.bool_)
    for tag, names in _READ.items():
        read[TAG[tag], [ATTRIBUTE[name] for name in names]] = True
    read[[_HTML, _BODY]] = True
    searched = np.zeros_like(read)
    for attribute, names in SEARCHED.items():
        searched[[TAG[name] for name in names] or slice(None), attribute] = True
    searched[[_SCRIPT, _LINK], [_SRC, _HREF]] = True  # and what `count_marks` gets as assets
    searched[[_HTML, _BODY]] = True
    return Plan(read, searched, build_patterns(PATTERNS))


def _read_elements(page: _Page, table: PageTable, survey: Survey) -> None:
    """html, body, meta, link and script elements, and links to licences, in document order."""
    source = table.source
    licences: list[int] = []
    current, kind, last_link = -1, 0, -1
    values: _Values = {}
    for tag, node, number, name, name_end, start, end in survey.rows:
        if tag == _A:  # only its rel
            if node != last_link and b"license" in source[start:end].lower().split():
                licences.append(node)
            last_link = node
            continue
        value = source[start:end].decode()
        if "\r" in value or "&" in value:
            value = decode_value(value)
        if tag in _ROOTS:  # of all start tags: of a name the first holds, as in a tree
            kept = page.html if tag == _HTML else page.body
            if len(kept) < MAX_ATTRIBUTES:
                kept.setdefault(source[name:name_end].decode("utf-8", "replace").lower(), value)
            continue
        if node != current:
            page.add_element(kind, current, values, table)
            current, kind, values = node, tag, {}
        values.setdefault(number, value)
    page.add_element(kind, current, values, table)
    if _CREATIVE_COMMONS in source:
        licences += [node for node in _LICENCE_LINK.match(table).tolist() if not survey.inert[node]]
    page.add_licences(licences, table)


def _pairs(tag: str, attributes: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": safe(f"{tag}.{name}", MAX_NAME), "value": safe(value, MAX_VALUE)} for name, value in attributes.items()
    ]


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
    table: PageTable,
    url: str | None,
    headers: Sequence[tuple[str, str]] = (),
    *,
    fetched_at: int | None = None,
) -> dict[str, Any]:
    """Signals of a page; never raises on what a page holds.

    `fetched_at` is the capture time in microseconds, UTC: later dates are ignored (else those after the HTTP Date
    header). Dates are microseconds, UTC.
    """
    page = _Page(url)
    page.add_headers(headers)
    survey = survey_page(table, _plan())
    _read_elements(page, table, survey)
    attributes = _pairs("html", page.html) + _pairs("body", page.body)
    structured = read_structured(page.json_ld)
    stated = (*structured.pairs, *page.plugins)
    assets = "\n".join((*page.scripts, *page.assets, *(pair["value"] for pair in attributes))).lower()
    language = page.html.get("lang") or page.html.get("xml:lang")
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
        "marks": count_marks(table, survey, assets),
        "structured": [{"name": safe(name), "value": safe(value)} for name, value in stated],
        "headers": page.kept_headers,
        "depth": table.depth,
    }


def _collapsed(value: str | None) -> str | None:
    return safe(" ".join(value[: 8 * MAX_TITLE].split()), MAX_TITLE) or None if value else None


def page_title(table: PageTable, signals: dict[str, Any]) -> str | None:
    """Text of the first `<title>`, else og:title, else the first h1; whitespace collapsed, at most 500 characters."""
    node = _first(table, "title")
    title = _collapsed(unescape(table.content(node)[: 8 * MAX_TITLE])) if node >= 0 else None
    if title is None:
        title = _collapsed(next((pair["value"] for pair in signals["meta"] if pair["name"] == "og:title"), None))
    if title is None:
        node = _first(table, "h1")
        title = _collapsed(table.text_of(node, 8 * MAX_TITLE)) if node >= 0 else None
    return title


def _first(table: PageTable, name: str) -> int:
    """First such element that is in no template, of those that are looked at, or -1."""
    for node in table.elements(name)[:8]:
        if not table.nodes[node, HIDDEN] or not table.is_within(node, "template"):
            return node
    return -1
