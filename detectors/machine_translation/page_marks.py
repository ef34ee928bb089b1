"""Marks that translating software leaves on a page: addresses, attributes, headers, residue of widgets.

Sources: Google's own marks (`x-mtfrom` subtag, X-Translated-By, `translated-ltr`, proxy hosts, originals kept beside
the translation), HPLT's tag rules (hplt-project/warc2text-runner), the code of the plugins of Weglot, Transposh (whose
`translation-stats` count phrases and those that people translated) and GTranslate, and the public documentation of the
other site translators.

A widget that is merely there is no evidence. A site translator counts where the page is not in the site's own language,
by its text and by its `lang`; beside a plugin for translations by people (`BY_PEOPLE`) it is soft; else it is a note
(weight null). Weights are set by rule, in nats, and are not fitted; from `HARD_NATS` up a mark is hard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.features.page_values import named_values
from detectors.language_codes import ISO_639_3, language_of_tag, same_language
from schemas.evidence import Evidence

RULES_VERSION = 2
HARD_NATS = 4.0  # a finding this heavy may give a label by itself (detectors.provenance)


@dataclass(frozen=True, slots=True)
class MarkRule:
    """One mark: where it is looked for, what must be there, and what it weighs.

    `where` is `host`, `html_lang`, or a list of the page and a name: `html.class`, `meta:NAME`, `header:NAME`,
    `link:rel`, `mark:NAME` (counted by `pipeline.extract.marks`). `pattern` is matched on the value in lower case; a
    mark needs `at_least` occurrences, fewer weigh `weight_below`.
    """

    name: str
    where: str
    weight: float
    pattern: str = ""
    at_least: int = 1
    weight_below: float | None = None

    @property
    def hard(self) -> bool:
        """Whether the mark may give a label by itself."""
        return self.weight >= HARD_NATS


@dataclass(frozen=True, slots=True)
class SiteTranslator:
    """A service that offers a site in other languages.

    `active` weighs a page whose language is not the site's own, `unsure` one where the site's own is not known.
    """

    mark: str
    active: float
    unsure: float | None = None


_TRANSPOSH = r'"translated_phrases":"?[1-9]\d{{0,6}}"?,"human_translated_phrases":{}'

RULES: tuple[MarkRule, ...] = (
    MarkRule("google_lang", "html_lang", 9.0, r"-x-mtfrom-[a-z]"),
    MarkRule("google_translated_by", "meta:x-translated-by", 9.0, r"\S"),
    MarkRule("google_translated_by", "header:x-translated-by", 9.0, r"\S"),
    MarkRule("google_alternate", "link:rel", 9.0, r"\bmachine-translated-from\b"),
    MarkRule("google_proxy_host", "host", 8.0, r"(?:^|\.)(?:translate\.goog|translate\.googleusercontent\.com)$"),
    MarkRule(
        "translator_proxy_host",  # Bing and Yandex
        "host",
        8.0,
        r"(?:^|\.)(?:translatoruser(?:-int)?\.(?:com|net)|translated\.turbopages\.org)$",
    ),
    MarkRule("google_class", "html.class", 6.0, r"(?:^|\s)translated-(?:ltr|rtl)(?:\s|$)"),
    # Two spans may be an excerpt; a proxied page or a translated patent has one a sentence.
    MarkRule("google_source_text", "mark:google_source_text", 6.0, at_least=3, weight_below=1.0),
    # One or two nests are often a pasted sentence; a translated page has hundreds.
    MarkRule("google_font", "mark:google_font", 5.0, at_least=5, weight_below=1.0),
    MarkRule("google_class", "mark:google_translated", 6.0),
    MarkRule("edge_msthash", "mark:msthash", 6.0, at_least=3, weight_below=1.0),
    MarkRule("yandex_span", "mark:yandex_span", 6.0, at_least=3, weight_below=1.0),
    # Phrases of the page that have a translation, and of these what people did; null on pages in the site's language.
    MarkRule("transposh_stats", "meta:translation-stats", 6.0, _TRANSPOSH.format(r'(?:null|"?0"?\b)')),
    MarkRule("transposh_stats", "meta:translation-stats", 2.0, _TRANSPOSH.format(r"")),
    MarkRule("immersive_translate", "mark:immersive_translate", 1.5),  # original and translation, side by side
)

_WHERE = frozenset(rule.where for rule in RULES)

# GTranslate, Weglot, ConveyThis, Linguise, Bablic and Transposh translate by machine unless someone edits the result.
# TranslatePress and qTranslate also carry translations by people, so they stay soft.
SITE_TRANSLATORS: tuple[SiteTranslator, ...] = (
    SiteTranslator("gtranslate", 4.5),
    SiteTranslator("weglot", 4.0),
    SiteTranslator("conveythis", 4.0),
    SiteTranslator("linguise", 4.5),
    SiteTranslator("bablic", 4.0),
    SiteTranslator("transposh", 4.0),
    SiteTranslator("trp_gettext_empty", 3.0, unsure=2.0),  # HPLT's rule
    SiteTranslator("trp_translated", 2.5),
    SiteTranslator("trp_gettext", 2.5),
    SiteTranslator("trp_switcher", 1.0),
    SiteTranslator("wp_translate", 2.5),
    SiteTranslator("gtranslate_click", 2.5),
    SiteTranslator("qtranslate", 1.0),
)

# Plugins whose translations people write; GTranslate's free widget beside them is for the languages that they lack.
BY_PEOPLE = ("polylang", "wpml", "mqtranslate")
BESIDE_PEOPLE = 1.0

# Alternates in many languages: soft, small, and only off the site's own language. Big brands and public bodies have
# as many by human hand.
HREFLANG_WEIGHTS: tuple[tuple[int, float], ...] = ((20, 0.6), (8, 0.3))

_WEGLOT_NAMES = ("weglot.language_from", "weglot.original_language")
_LANGUAGE_PARAMETERS = frozenset({"lang", "language", "hl", "locale", "lng", "langid"})
_TOKEN = re.compile(r"([a-z]{2})(?:[-_][a-z]{2})?\Z")
# Two-letter codes that are mostly something else as a subdomain or first folder (India, "is", radio, television …).
_NOT_A_LANGUAGE = frozenset({"io", "ie", "my", "tv", "to", "so", "om", "ng", "na", "ii", "rm"})


def url_language(url: str | None) -> str | None:
    """ISO 639-3 of a language token in an address (`/de/`, `de.example.org`, `?lang=de`), or None. Weak by itself."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return None
    labels = host.split(".")
    segment = parts.path.lower().lstrip("/").partition("/")[0]
    tokens = [segment, labels[0] if len(labels) > 2 else ""]
    tokens += [v.lower() for k, v in parse_qsl(parts.query[:2000])[:50] if k.lower() in _LANGUAGE_PARAMETERS]
    for token in tokens:
        match = _TOKEN.match(token)
        if match and match.group(1) in ISO_639_3 and match.group(1) not in _NOT_A_LANGUAGE:
            return ISO_639_3[match.group(1)]
    return None


def alternates(page: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(hreflang in lower case, href) of the page's alternate links."""
    return [
        (link["lang"].lower(), link["href"] or "")
        for link in page.get("links") or ()
        if link and link["lang"] and "alternate" in (link["rel"] or "").lower()
    ]


def _names_language(name: str) -> bool:
    return name in _WEGLOT_NAMES


def site_language(page: Mapping[str, Any]) -> str | None:
    """The language that the site is written in, or None when the page does not tell.

    What Weglot says, else the twin of `x-default`, else its address's language token, else the one alternate whose
    address has no token.
    """
    stated = dict(named_values(page.get("structured"), _names_language))
    for name in _WEGLOT_NAMES:
        if name in stated:
            return language_of_tag(stated[name])
    links = alternates(page)
    default = next((href for lang, href in links if lang == "x-default"), None)
    if default is not None:
        twins = {language_of_tag(lang) for lang, href in links if href == default and lang != "x-default"} - {None}
        if len(twins) == 1:
            return twins.pop()
        if (named := url_language(default)) is not None:
            return named
    bare = {language_of_tag(lang) for lang, href in links if lang != "x-default" and url_language(href) is None} - {
        None
    }
    return bare.pop() if len(bare) == 1 and len({href for _, href in links}) > 1 else None


class TranslationMarks:
    """Findings of `RULES`, `SITE_TRANSLATORS` and the number of alternates; signals are the rules' names.

    The page's language is that of the language detector where it ran before, and that of the `lang` attribute: a page
    is foreign to its site when neither is the site's own language.
    """

    name = "translation_marks"
    version = 2
    columns = frozenset({"url", "page"})
    outputs: Mapping[str, pa.DataType] = {}

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """The rules."""
        return {
            "rules_version": RULES_VERSION,
            "rules": list(RULES),
            "site_translators": list(SITE_TRANSLATORS),
            "by_people": [list(BY_PEOPLE), BESIDE_PEOPLE],
            "hreflang": [list(step) for step in HREFLANG_WEIGHTS],
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Findings of the batch."""
        evidence: list[Evidence] = []
        rows = zip(features.column("url"), features.column("page"), features.languages(), strict=True)
        for row, (url, page, language) in enumerate(rows):
            for signal, value, weight in find_marks(url, page, language):
                evidence.append(Evidence(row, self.name, signal, value, weight))
        return Signals({}, evidence)


def find_marks(
    url: str | None, page: Mapping[str, Any] | None, language: str | None = None
) -> list[tuple[str, float, float | None]]:
    """(rule, value, weight in nats or None) of one page, each rule at most once."""
    found: dict[str, tuple[float, float | None]] = {}
    page = page or {}
    values = _values(url, page)
    for rule in RULES:
        hits = values.get(rule.where)
        if not hits:
            continue
        if rule.where.startswith("mark:"):
            count = float(sum(int(hit) for hit in hits))
        else:
            count = float(sum(re.search(rule.pattern, hit) is not None for hit in hits))
        if count >= 1:
            _keep(found, rule.name, count, rule.weight if count >= rule.at_least else rule.weight_below)
    _find_site_translators(found, values, page, language)
    return [(name, value, weight) for name, (value, weight) in found.items()]


def _find_site_translators(
    found: dict[str, tuple[float, float | None]],
    values: Mapping[str, Sequence[str]],
    page: Mapping[str, Any],
    language: str | None,
) -> None:
    marked = [tool for tool in SITE_TRANSLATORS if f"mark:{tool.mark}" in values]
    languages = {lang.partition("-")[0] for lang, _ in alternates(page)} - {"x"}
    if not marked and len(languages) < HREFLANG_WEIGHTS[-1][0]:
        return
    own = site_language(page)
    here = [code for code in (language, language_of_tag(page.get("html_lang"))) if code]
    known = own is not None and bool(here)
    foreign = known and not any(same_language(own, code) for code in here)
    beside_people = any(f"mark:{name}" in values for name in BY_PEOPLE)
    for tool in marked:
        count = float(sum(int(hit) for hit in values[f"mark:{tool.mark}"]))
        weight = tool.active if foreign else None if known else tool.unsure
        if weight is not None and beside_people:
            weight = min(weight, BESIDE_PEOPLE)
        if count >= 1:
            _keep(found, tool.mark, count, weight)
    for least, weight in HREFLANG_WEIGHTS:
        if len(languages) >= least:
            _keep(found, "hreflang_count", float(len(languages)), weight if foreign else None)
            break


def _keep(found: dict[str, tuple[float, float | None]], name: str, value: float, weight: float | None) -> None:
    old = found.get(name)
    if old is None or (weight or 0.0) > (old[1] or 0.0):
        found[name] = (value, weight)


def _values(url: str | None, page: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values in lower case under the `where` of the rules."""
    values: dict[str, list[str]] = {}

    def add(key: str, items: Iterable[Mapping[str, Any] | None]) -> None:
        for name, value in named_values(items, lambda name: f"{key}{name}" in _WHERE):
            values.setdefault(f"{key}{name}", []).append(value)

    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        host = None
    if host:
        values["host"] = [host]
    if page.get("html_lang"):
        values["html_lang"] = [page["html_lang"].lower()]
    add("", page.get("html_attributes") or ())
    add("meta:", page.get("meta") or ())
    add("header:", page.get("headers") or ())
    values["link:rel"] = [link["rel"].lower() for link in page.get("links") or () if link and link["rel"]]
    for mark in page.get("marks") or ():
        if mark and mark["name"] and (mark["count"] or 0) > 0:
            values.setdefault(f"mark:{mark['name']}", []).append(str(mark["count"]))
    return values
