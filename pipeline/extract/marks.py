"""Marks that translators, multilingual plugins and chat assistants leave in the DOM, as data.

A rule is a name and a CSS selector; its count is the number of elements that match. A mark quoted in the text of an
article is no element and no attribute, so it never counts. Which marks are evidence, and how strong, is the
detectors' business: most rules only say that a plugin is present. Sources: HPLT machine-translation rules, the
TranslatePress, Weglot, GTranslate, Transposh, WPML and Polylang plugins, and saved Google, Edge and Yandex pages. The
rules for chat assistants follow the markup of their web applications and are not confirmed on crawl pages.

A CSS query costs 0.09 ms or more a page and a substring test 0.03 ms, so three gates come before any query: strings
in the page (residue), strings in the addresses and classes that were read anyway (assets), and WordPress.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MARKS_VERSION: Final = 1
MAX_COUNT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One mark: `selector` is tried only where one of `needles` is in the page, or in its assets."""

    name: str
    needles: tuple[str, ...]
    selector: str


def _plugin(name: str, *extra: str) -> str:
    return ",".join((f'[class*="{name}"]', f'[id*="{name}"]', f'script[src*="{name}"]', *extra))


# Found anywhere in the page.
RESIDUE: Final = (
    Rule("msthash", ("_msthash",), "[_msthash],[_msttexthash]"),
    Rule(
        "google_font",
        ("vertical-align: inherit",),
        'font[style*="vertical-align: inherit"] font[style*="vertical-align: inherit"]',
    ),
    Rule("trp_gettext", ("data-trp-",), "[data-trp-gettext]"),
    Rule("trp_gettext_empty", ("data-trp-",), 'a[data-trp-gettext=""]'),
    Rule("trp_translated", ("data-trp-",), "[data-trp-translate-id]"),
    Rule("yandex_span", ("ya-tr-span",), "ya-tr-span"),
    Rule(
        "chatgpt_markup",
        ("data-message-author", "data-is-last-node"),
        "[data-message-author-role],[data-is-last-node],[data-is-only-node]",
    ),
    Rule("gemini_markup", ("data-path-to-node",), "[data-path-to-node]"),
    Rule("claude_markup", ("font-claude-",), '[class*="font-claude-"]'),
)

# Found anywhere in a page that has "ranslat" somewhere.
TRANSLATE: Final = (
    Rule("goog_te", ("goog-te-",), '[class*="goog-te-"],[id*="goog-te-"]'),
    Rule("google_widget", ("google_translate_element",), '[id^="google_translate_element"]'),
    Rule("gtranslate_click", ("doGTranslate",), 'a[onclick*="doGTranslate"]'),
    Rule("immersive_translate", ("immersive-translate",), '[class*="immersive-translate-target"]'),
    Rule("translate_no", ('translate="no"', "notranslate"), '[translate="no"],[class~="notranslate"]'),
)

# Found in the addresses of scripts and links, and in attributes of html and body.
ASSETS: Final = (
    Rule("google_translated", ("translated-",), "html.translated-ltr,html.translated-rtl"),
    Rule("trp_body", ("translatepress-",), 'body[class*="translatepress-"]'),
    Rule("weglot", ("weglot",), _plugin("weglot", "[data-wg-notranslate]", '[class^="wg-"]', '[class*=" wg-"]')),
    Rule("gtranslate", ("gtranslate",), _plugin("gtranslate", '[class*="gt_switcher"]', "[data-gt-lang]")),
    Rule("conveythis", ("conveythis",), _plugin("conveythis")),
    Rule("linguise", ("linguise",), _plugin("linguise")),
    Rule("bablic", ("bablic",), _plugin("bablic")),
    Rule("transposh", ("transposh",), _plugin("transposh")),
    Rule("qtranslate", ("qtrans",), _plugin("qtranslate", '[class*="qtranxs"]')),
    Rule("mqtranslate", ("mqtranslate",), "#mqtranslate"),
    Rule("polylang", ("polylang",), _plugin("polylang", '[class*="pll-"]', '[class~="lang-item"]')),
    Rule("wpml", ("sitepress",), _plugin("wpml", 'link[href*="sitepress-multilingual"]')),
)

# Found anywhere in a page of WordPress, where addresses of scripts may be merged into one that names no plugin.
WORDPRESS: Final = (
    Rule("trp_switcher", ("trp-language",), '[class*="trp-language"]'),
    Rule("wp_translate", ('"wp-translate"', '"wporg-translate'), '#wp-translate,[id^="wporg-translate"]'),
    Rule("polylang", ("lang-item",), ASSETS[-2].selector),
    Rule("wpml", ("wpml",), ASSETS[-1].selector),
)

RULES: Final = (*RESIDUE, *TRANSLATE, *ASSETS, *WORDPRESS)


def _by_needle(rules: tuple[Rule, ...]) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
    needles = dict.fromkeys(needle for rule in rules for needle in rule.needles)
    return tuple((needle, tuple(rule for rule in rules if needle in rule.needles)) for needle in needles)


_RESIDUE: Final = _by_needle(RESIDUE)
_TRANSLATE: Final = _by_needle(TRANSLATE)
_ASSETS: Final = _by_needle(ASSETS)
_WORDPRESS: Final = _by_needle(WORDPRESS)


def _candidates(html: str, assets: str) -> list[Rule]:
    """Rules worth a query, in the order of the tables."""
    found: dict[str, Rule] = {}
    for place, table in (
        (html, _RESIDUE),
        (html, _TRANSLATE if "ranslat" in html else ()),
        (assets, _ASSETS),
        (html, _WORDPRESS if "wp-" in assets else ()),
    ):
        for needle, rules in table:
            if needle in place:
                found.update((rule.name, rule) for rule in rules)
    return list(found.values())


def count_marks(html: str, document: Any, assets: str) -> list[dict[str, Any]]:
    """Marks of a page as `name` and `count`, in the order of the rules.

    `document` is the resiliparse document node of `html`; `assets` holds addresses of scripts and links, and the
    attributes of html and body, in lower case.
    """
    marks: list[dict[str, Any]] = []
    for rule in _candidates(html, assets):
        count = len(document.query_selector_all(rule.selector))
        if count:
            marks.append({"name": rule.name, "count": min(count, MAX_COUNT)})
    return marks
