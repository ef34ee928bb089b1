"""Marks that translators, multilingual plugins and chat assistants leave in the DOM, as data.

A rule is a name and a CSS selector; its count is the number of elements that match. A mark quoted in the text of an
article is no element and no attribute, so it never counts. Which marks are evidence, and how strong, is the
detectors' business: most rules only say that a plugin is present. Sources: HPLT machine-translation rules, the
TranslatePress, Weglot, GTranslate, Transposh, WPML and Polylang plugins, and saved Google, Edge and Yandex pages. The
rules for chat assistants follow the markup of their web applications and are not confirmed on crawl pages; the
parameter of links is what ChatGPT adds to the addresses that it cites.

Gates come before any search for a selector: the tags, attributes and values of classes that it names, which one survey
of the page looks for together; strings in the addresses and classes that were read anyway (assets); WordPress; and for
links, strings in the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipeline.extract.page_table import PageTable
from pipeline.extract.selectors import SEARCHED, Selector, parse_selector
from pipeline.extract.survey import GRAM, Survey, seen_pattern

MARKS_VERSION: Final = 3
MAX_COUNT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One mark: `selector` is tried only where one of `needles`, if there are any, is found."""

    name: str
    selector: str
    needles: tuple[str, ...] = ()


def _plugin(name: str, *extra: str) -> str:
    return ",".join((f'[class*="{name}"]', f'[id*="{name}"]', f'script[src*="{name}"]', *extra))


def _translator(name: str, *extra: str) -> str:
    """Narrower: an article about the tool has its name in addresses, in classes of its tags and in ids of headings."""
    classes = (f'[class^="{name}"]', f'[class*=" {name}"]')
    return ",".join((*classes, f'script[src*="{name}"]', f'link[href*="/plugins/{name}"]', *extra))


# Found in any page.
RESIDUE: Final = (
    Rule("msthash", "[_msthash],[_msttexthash]"),
    Rule("google_font", 'font[style*="vertical-align: inherit"] font[style*="vertical-align: inherit"]'),
    Rule("google_source_text", '[class~="google-src-text"]'),  # the original beside it, in proxies and patents
    Rule("trp_gettext", "[data-trp-gettext]"),
    Rule("trp_gettext_empty", 'a[data-trp-gettext=""]'),
    Rule("trp_translated", "[data-trp-translate-id]"),
    Rule("yandex_span", "ya-tr-span"),
    Rule("chatgpt_markup", "[data-message-author-role],[data-is-last-node],[data-is-only-node]"),
    Rule("gemini_markup", "[data-path-to-node]"),
    Rule("claude_markup", '[class*="font-claude-"]'),
    Rule("goog_te", '[class*="goog-te-"],[id*="goog-te-"]'),
    Rule("google_widget", '[id^="google_translate_element"]'),
    Rule("gtranslate_click", 'a[onclick*="doGTranslate"]'),
    Rule("immersive_translate", '[class*="immersive-translate-target"]'),
    Rule("translate_no", '[translate="no"],[class~="notranslate"]'),
)

# Where a needle is in the addresses of scripts and links, or in attributes of html and body.
ASSETS: Final = (
    Rule("google_translated", "html.translated-ltr,html.translated-rtl", ("translated-",)),
    Rule("trp_body", 'body[class*="translatepress-"]', ("translatepress-",)),
    Rule(
        "weglot",
        _translator(
            "weglot",
            'script[id^="weglot"]',
            "[data-wg-notranslate]",
            '[class^="wg-"]',
            '[class*=" wg-"]',
        ),
        ("weglot",),
    ),
    Rule(
        "gtranslate",
        _translator("gtranslate", '[class*="gt_switcher"]', "[data-gt-lang]", '[id^="gtranslate_"]'),
        ("gtranslate",),
    ),
    Rule("conveythis", _translator("conveythis", '[id^="conveythis-wrapper"]'), ("conveythis",)),
    Rule("linguise", _translator("linguise", 'script[id^="linguise"]'), ("linguise",)),
    Rule("bablic", _translator("bablic"), ("bablic",)),
    Rule("transposh", _translator("transposh", '[id^="transposh_"]'), ("transposh",)),
    Rule("qtranslate", _translator("qtranslate", '[class*="qtranxs"]', "#qtranslate-chooser"), ("qtrans",)),
    Rule("mqtranslate", "#mqtranslate", ("mqtranslate",)),
    Rule("polylang", _plugin("polylang", '[class*="pll-"]', '[class~="lang-item"]'), ("polylang",)),
    Rule("wpml", _plugin("wpml", 'link[href*="sitepress-multilingual"]'), ("sitepress",)),
)

# In a page of WordPress, where addresses of scripts may be merged into one that names no plugin: needles may also be in
# a class or an id.
WORDPRESS: Final = (
    Rule("trp_switcher", '[class*="trp-language"]', ("trp-language",)),
    Rule("wp_translate", 'div#wp-translate,[id^="wporg-translate"]', ("wp-translate", "wporg-translate")),
    Rule("polylang", ASSETS[-2].selector, ("lang-item",)),
    Rule("wpml", ASSETS[-1].selector, ("wpml",)),
)

# Addresses of links, which no survey searches because they are most of the attributes: a needle is in the whole page.
LINKS: Final = (
    Rule(
        "chatgpt_link",
        'a[href*="utm_source=chatgpt.com"],a[href*="utm_source=openai"]',
        ("utm_source=chatgpt.com", "utm_source=openai"),
    ),
)

RULES: Final = (*RESIDUE, *ASSETS, *WORDPRESS, *LINKS)


# What a survey looks for, ignoring case: values of class, id, style and onclick, and needles, these also in what assets
# are made of. Shorter ones are no gate.
PATTERNS: Final = tuple(
    dict.fromkeys(
        value
        for rule in (*RESIDUE, *ASSETS, *WORDPRESS)
        for value in (
            *(needle.encode() for needle in rule.needles),
            *(
                test.value
                for chain in parse_selector(rule.selector).alternatives
                for compound in chain
                for test in compound.tests
                if test.attribute in SEARCHED and len(test.value) >= GRAM
            ),
        )
    )
)
_NUMBERS: Final = {pattern: seen_pattern(number) for number, pattern in enumerate(PATTERNS)}
_Parsed = tuple[tuple[Rule, Selector, frozenset[int]], ...]


def _parse(rules: tuple[Rule, ...]) -> _Parsed:
    return tuple(
        (
            rule,
            parse_selector(rule.selector, _NUMBERS),
            frozenset(_NUMBERS[needle.encode()] for needle in rule.needles),
        )
        for rule in rules
    )


_RESIDUE: Final = _parse(RESIDUE)
_ASSETS: Final = _parse(ASSETS)
_WORDPRESS: Final = _parse(WORDPRESS)
_LINKS: Final = tuple(
    (rule.name, parse_selector(rule.selector), tuple(needle.encode() for needle in rule.needles)) for rule in LINKS
)


def _candidates(seen: set[int], assets: str, source: bytes) -> dict[str, Selector]:
    """Rules worth a search, in the order of the tables."""
    found = {rule.name: selector for rule, selector, _ in _RESIDUE if selector.possible(seen)}
    for rule, selector, needles in _ASSETS:
        if not needles.isdisjoint(seen) and rule.needles[0] in assets and selector.possible(seen):
            found[rule.name] = selector
    if "wp-" in assets:
        for rule, selector, needles in _WORDPRESS:
            if not needles.isdisjoint(seen) and selector.possible(seen):
                found.setdefault(rule.name, selector)
    if b"utm_source=" in source:
        for name, selector, parts in _LINKS:
            if any(part in source for part in parts):
                found[name] = selector
    return found


def count_marks(table: PageTable, survey: Survey, assets: str) -> list[dict[str, Any]]:
    """Marks of a page as `name` and `count`, in the order of the rules.

    `assets` holds addresses of scripts and links, and the attributes of html and body, in lower case. What is inert
    does not count.
    """
    marks: list[dict[str, Any]] = []
    for name, selector in _candidates(survey.seen, assets, table.source).items():
        nodes = selector.match(table)
        count = len(nodes) - int(np.count_nonzero(survey.inert[nodes]))
        if count:
            marks.append({"name": name, "count": min(count, MAX_COUNT)})
    return marks
