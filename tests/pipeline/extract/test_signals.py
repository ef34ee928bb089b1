"""Signals: each one from a page made for it; marks count elements and never quoted text."""

from __future__ import annotations

import html as html_module
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from pipeline.extract.dates import parse_date, to_microseconds
from pipeline.extract.marks import RULES
from pipeline.extract.page_table import scan_page
from pipeline.extract.selectors import parse_selector
from pipeline.extract.signals import page_signals, page_title
from schemas.document import PAGE_STRUCT


def signals(page: str, url: str | None = "https://a.example/x/", headers: Any = (), **options: Any) -> dict[str, Any]:
    """Signals of a page, checked against the schema."""
    found = page_signals(scan_page(page), url, headers, **options)
    pa.array([found], type=PAGE_STRUCT)
    assert set(found) == {field.name for field in PAGE_STRUCT}
    json.dumps(found).encode()
    return found


def micros(*parts: int) -> int:
    return to_microseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


def test_html_and_body_attributes() -> None:
    found = signals('<html lang="de-AT" class="translated-ltr x"><body class="home blog" data-a="1"><p>x')
    assert found["html_lang"] == "de-AT"
    assert {"name": "html.class", "value": "translated-ltr x"} in found["html_attributes"]
    assert {"name": "body.data-a", "value": "1"} in found["html_attributes"]


def test_meta_links_canonical_generator() -> None:
    found = signals(
        '<meta name="Generator" content="WordPress 6.5"><meta property="og:type" content="article">'
        '<meta http-equiv="X-Translated-By" content="Google"><link rel="canonical" href="../y?a=1">'
        '<link rel="alternate" hreflang="fr" href="/fr/"><link rel=alternate type="application/rss+xml" href=/feed>'
        '<link rel="alternate machine-translated-from" hreflang="en" href="https://b.example/">'
        "<link rel=amphtml href=/amp>"
    )
    assert found["generator"] == "WordPress 6.5"
    assert {"name": "x-translated-by", "value": "Google"} in found["meta"]
    assert {"name": "og:type", "value": "article"} in found["meta"]
    assert found["canonical"] == "https://a.example/y?a=1"
    assert [(link["rel"], link["lang"], link["href"]) for link in found["links"]] == [
        ("canonical", None, "../y?a=1"),
        ("alternate", "fr", "/fr/"),
        ("alternate machine-translated-from", "en", "https://b.example/"),
        ("amphtml", None, "/amp"),
    ]


def test_robots_keep_the_agent() -> None:
    found = signals(
        '<meta name="robots" content="NoIndex, nofollow"><meta name="googlebot" content="noindex">'
        '<meta name="CCBot" content="nofollow"><meta name="tdm-reservation" content="1">',
        headers=[
            ("X-Robots-Tag", "noai, noimageai"),
            ("x-robots-tag", "bingbot: noarchive, nosnippet"),
            ("x-robots-tag", "unavailable_after: 25 Jun 2030 15:00:00 PST"),
            ("TDM-Policy", "https://a.example/p"),
        ],
    )
    assert set(found["robots"]) == {
        "noindex", "nofollow", "googlebot: noindex", "ccbot: nofollow", "tdm-reservation=1", "noai", "noimageai",
        "bingbot: noarchive", "bingbot: nosnippet", "unavailable_after: 25 jun 2030 15:00:00 pst",
        "tdm-policy=https://a.example/p",
    }  # fmt: skip
    assert {"name": "tdm-policy", "value": "https://a.example/p"} in found["headers"]


def test_licences() -> None:
    found = signals(
        '<a rel="license noopener" href="/l">l</a><a href="https://creativecommons.org/licenses/by/4.0/">cc</a>'
        '<link rel=license href="/m"><p>creativecommons.org/licenses/by-nc/4.0 is a license',
        headers=[("Link", '<https://c.example/lic>; rel="license"')],
    )
    assert set(found["licence_links"]) == {
        "/l", "/m", "https://creativecommons.org/licenses/by/4.0/", "https://c.example/lic",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("2019-05-17", micros(2019, 5, 17)),
        ("2019-05-17T10:20:30+02:00", micros(2019, 5, 17, 8, 20, 30)),
        ("2019-05-17T10:20:30.5Z", micros(2019, 5, 17, 10, 20, 30, 500_000)),
        ("20190517", micros(2019, 5, 17)),
        ("2019/5/7 10:20", micros(2019, 5, 7, 10, 20)),
        ("Fri, 17 May 2019 10:20:30 GMT", micros(2019, 5, 17, 10, 20, 30)),
    ],
)
def test_dates_are_read(value: str, want: int) -> None:
    moment = parse_date(value)
    assert moment is not None
    assert to_microseconds(moment) == want


@pytest.mark.parametrize(
    "value", ["", "x", "2019-13-45", "99999-01-01", "0000-00-00", "May", "1" * 500, "٢٠١٩-٠٥-١٧x", ", "]
)
def test_broken_dates_are_none(value: str) -> None:
    parse_date(value)
    assert signals(f'<meta name=date content="{value}">')["published_at"] is None or value.startswith("٢")


def test_date_sources_in_order() -> None:
    meta = '<meta property="article:published_time" content="2018-01-02"><meta name="lastmod" content="2018-03-04">'
    ld = '<script type="application/ld+json">{"@graph":[{"@type":"NewsArticle","datePublished":"2017-02-03"}]}</script>'
    url = "https://a.example/2016/07/08/x"
    assert signals(meta + ld, url)["published_at"] == micros(2017, 2, 3)
    assert signals(meta + ld, url)["date_source"] == "json_ld"
    assert signals(meta, url)["published_at"] == micros(2018, 1, 2)
    assert signals(meta, url)["modified_at"] == micros(2018, 3, 4)
    assert signals("<p>x", url)["published_at"] == micros(2016, 7, 8)
    assert signals("<p>x", url)["date_source"] == "url"
    assert signals("<p>x", "https://a.example/2016/07/x")["date_source"] is None


def test_implausible_dates_are_ignored() -> None:
    page = '<meta property="article:published_time" content="2031-01-02">'
    assert signals(page)["published_at"] == micros(2031, 1, 2)
    assert signals(page, fetched_at=micros(2024, 5, 1))["published_at"] is None
    assert signals(page, headers=[("Date", "Wed, 01 May 2024 00:00:00 GMT")])["published_at"] is None
    assert signals('<meta name=date content="1970-01-01">')["published_at"] is None


def test_scripts_and_structured_data() -> None:
    found = signals(
        '<script src="/a.js?v=1#x"></script><script src="data:text/javascript,1"></script>'
        '<script type="application/ld+json">{"@type":["Article","Thing"],"inLanguage":"en","license":"https://l.example",'
        '"author":{"@type":"Person"},"digitalSourceType":"trainedAlgorithmicMedia","isAccessibleForFree":false}</script>'
        '<script type="application/ld+json">{"@type":"WebSite", "inLanguage": "fr", broken</script>'
    )
    assert found["scripts"] == ["/a.js"]
    pairs = {(pair["name"], pair["value"]) for pair in found["structured"]}
    assert pairs >= {
        ("@type", "Article"), ("@type", "Thing"), ("inLanguage", "en"), ("license", "https://l.example"),
        ("author.@type", "Person"), ("digitalSourceType", "trainedAlgorithmicMedia"), ("isAccessibleForFree", "false"),
        ("@type", "WebSite"), ("inLanguage", "fr"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    ["", "[", '{"a":' * 50_000, '"\\ud800"', '{"@type":"\\ud800\\u0000"}', "9" * 10_000, "[" * 100_000, "null"],
)
def test_broken_json_never_raises(broken: str) -> None:
    signals(f'<script type="application/ld+json">{broken}</script><p>x')


WP = '<script src="/wp-content/plugins/x.js"></script>'
ACTIVE = {
    "msthash": '<p _msthash="1" _msttexthash="2">x</p>',
    "google_font": '<font style="vertical-align: inherit;"><font style="vertical-align: inherit;">x</font></font>',
    "google_source_text": '<p><span class="google-src-text">x</span>y</p>',
    "google_translated": '<html class="translated-ltr"><p>x',
    "goog_te": '<div class="goog-te-banner-frame" title=translate></div>',
    "google_widget": '<div id="google_translate_element"></div>',
    "trp_gettext": '<a data-trp-gettext="">x</a>',
    "trp_gettext_empty": '<a data-trp-gettext="">x</a>',
    "trp_translated": '<p data-trp-translate-id="4">x</p>',
    "trp_body": '<body class="translatepress-de_DE">x',
    "trp_switcher": WP + '<div class="trp-language-switcher">x</div>',
    "yandex_span": "<ya-tr-span>x</ya-tr-span>",
    "weglot": '<script src="https://cdn.weglot.com/w.js"></script>',
    "gtranslate": '<script src="https://cdn.gtranslate.net/w.js"></script>',
    "gtranslate_click": "<a onclick=\"doGTranslate('en|de')\">x</a>",
    "transposh": '<link href="/transposh/x.css"><span class="transposh_a">x</span>',
    "qtranslate": '<script src="/plugins/qtranslate-x/x.js"></script>',
    "mqtranslate": '<link href="/plugins/mqtranslate/x.css"><div id="mqtranslate"></div>',
    "wp_translate": WP + '<div id="wp-translate"></div>',
    "conveythis": '<script src="https://cdn.conveythis.com/x.js"></script>',
    "linguise": '<script src="https://static.linguise.com/x.js"></script>',
    "bablic": '<script src="https://cdn.bablic.com/x.js"></script>',
    "polylang": WP + '<li class="lang-item lang-item-de">x</li>',
    "wpml": WP + '<div class="wpml-ls-item">x</div>',
    "immersive_translate": '<font class="immersive-translate-target-wrapper">x</font>',
    "translate_no": '<p translate="no">x</p>',
    "chatgpt_markup": '<div data-message-author-role="assistant">x</div>',
    "gemini_markup": '<p data-path-to-node="0">x</p>',
    "chatgpt_link": '<a href="https://a.example/?a=1&amp;utm_source=chatgpt.com">x</a>',
    "claude_markup": '<div class="font-claude-message">x</div>',
}


def test_every_rule_has_an_example() -> None:
    assert set(ACTIVE) == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", sorted(ACTIVE))
def test_a_mark_counts_when_active_and_never_when_quoted(name: str) -> None:
    page = f"{ACTIVE[name]}"
    assert name in {mark["name"]: mark["count"] for mark in signals(page)["marks"]}
    quoted = f"<html><body><p>Plugins translate pages: <code>{html_module.escape(page)}</code></p>"
    assert signals(quoted)["marks"] == []
    comment = f"<html><body><!-- {page.replace('--', '')} --><p>x"
    assert signals(comment)["marks"] == []


def test_marks_are_counted() -> None:
    assert signals("<p _msthash=1>x" * 7)["marks"] == [{"name": "msthash", "count": 7}]


def count(page: str, name: str) -> int:
    return next((mark["count"] for mark in signals(page)["marks"] if mark["name"] == name), 0)


@pytest.mark.parametrize(
    ("page", "name", "want"),
    [
        ("<P _MSTHASH=1 _msttexthash=2>x", "msthash", 1),  # names ignore case; an element counts once
        ("<p translate=no>x<p translate='no' class=notranslate>y", "translate_no", 2),
        ('<p class="a notranslate\nb">x<p class="notranslated">y', "translate_no", 1),
        ('<p class=a class="notranslate">x', "translate_no", 0),  # the first of a name counts
        ('<p translate="NO">x', "translate_no", 0),
        ('<p title="notranslate" data-x=notranslate>class="notranslate"', "translate_no", 0),
        ('<div id="google_translate_element2">', "google_widget", 1),
        ('<div id="x_google_translate_element">', "google_widget", 0),
        ("<b onclick=doGTranslate()>x</b>", "gtranslate_click", 0),
        ('<font style="vertical-align: inherit;">x</font>' * 3, "google_font", 0),
        ('<font style="vertical-align: inherit;">' * 3, "google_font", 2),
        ('<a data-trp-gettext="x">x</a><a data-trp-gettext>x</a>', "trp_gettext_empty", 1),
        ("<template><p _msthash=1>x</template><p _msthash=1>y", "msthash", 1),
        ("<template>" * 3 + "<p _msthash=1>x", "msthash", 0),
        ('<script src="/weglot.js"></script><p class="wg-x"><p class="a wg-x"><p class="awg-x">', "weglot", 3),
        ('<p class="wg-x">', "weglot", 0),  # too short a name to mean anything on a page without the plugin
        ("<p class='font-claude-x'>" * 4, "claude_markup", 4),
    ],
)
def test_what_a_mark_counts(page: str, name: str, want: int) -> None:
    assert count(page, name) == want


def test_languages_of_weglot() -> None:
    settings = '{"website":"x","language_from":"en","current_language":"pt-br","languages":[{"language_to":"fr"}]}'
    found = signals(f'<script type="application/json" id="weglot-data">{settings}</script>')
    assert found["structured"] == [
        {"name": "weglot.language_from", "value": "en"}, {"name": "weglot.current_language", "value": "pt-br"},
    ]  # fmt: skip
    assert signals(f'<script type="application/json" id="other">{settings}</script>')["structured"] == []
    assert signals('<script id="weglot-data">{"language_from":</script>')["structured"] == []


@pytest.mark.parametrize("extra", [0, 1, 9, 40, 300, 1000, 5000])
def test_depth(extra: int) -> None:
    found = signals("<p>a</p>" + "<div>" * extra + "x" + "</div>" * extra + "<p>b</p><ul><li>c</ul>")
    assert found["depth"] == max(4, 2 + extra)


def test_attributes_of_all_html_and_body_tags_merge() -> None:
    found = signals("<html lang=de a=1><body class=x><p>y<html lang=fr b='2&amp;'><body class=z id=i>")
    assert found["html_lang"] == "de"
    assert [tuple(pair.values()) for pair in found["html_attributes"]] == [
        ("html.lang", "de"), ("html.a", "1"), ("html.b", "2&"), ("body.class", "x"), ("body.id", "i"),
    ]  # fmt: skip


def test_values_are_decoded() -> None:
    found = signals(
        '<meta name="&#100;escription" content="a &amp; b&nbsp;c&eacute; &notit; &#x80; ?x=1&copy=2 &copy\r\nd\re">'
        "<LINK REL=Canonical HREF='/x?a=1&amp;b=2&reg=3'>"
    )
    assert found["meta"] == [{"name": "description", "value": "a & b\xa0c\xe9 &notit; \u20ac ?x=1&copy=2 \xa9\nd\ne"}]
    assert found["canonical"] == "https://a.example/x?a=1&b=2&reg=3"


def test_what_is_no_element_gives_no_signal() -> None:
    meta = (
        "<meta name=robots content=noai><link rel=license href=/l><script src=/s></script><a rel=license href=/a>x</a>"
    )
    assert signals(meta)["robots"] == ["noai"]
    for page in (f"<!-- {meta} -->", f"<textarea>{meta}</textarea>", f"<style>{meta}</style>", f"<title>{meta}</title>",
                 f"<template>{meta}</template>", f'<p title="{meta}">'):  # fmt: skip
        found = signals(page)
        assert (found["robots"], found["licence_links"], found["scripts"]) == ([], [], []), page


def test_licences_are_in_the_order_of_the_page() -> None:
    found = signals(
        '<a href="http://creativecommons.org/licenses/by/4.0/">x</a><link rel="license" href=/b>'
        "<a rel='nofollow' rel=license href=/no>x</a><a rel='LICENSE x' href=/c>x</a><a rel=license>x</a>"
    )
    assert found["licence_links"] == ["http://creativecommons.org/licenses/by/4.0/", "/b", "/c"]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>A &lt;b&gt; &amp; &eacute;</title><title>2</title>", "A <b> & \xe9"),
        ("<svg><title>icon</title></svg><title>page</title>", "page"),
        ("<template><title>t</title></template><h1>h</h1>", "h"),
        ("<h1><p>a</p><div>b <i>c</i></div></h1><p>d", "a b c"),
        ("<h1></h1><h1>x</h1>", None),
        ("<title>unclosed", "unclosed"),
    ],
)
def test_page_title(page: str, title: str | None) -> None:
    table = scan_page(page)
    assert page_title(table, page_signals(table, None)) == title


@pytest.mark.parametrize(
    "selector", ["p > a", "p:first-child", "a b c", "[unknown]", "unknown", "*", "p,", "", '[id="x]']
)
def test_other_selectors_are_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="selector"):
        parse_selector(selector)


def test_everything_is_bounded() -> None:
    found = signals(
        "<html " + " ".join(f"a{i}='{'v' * 2000}'" for i in range(200)) + ">"
        + "".join(f'<meta name="n{i}" content="{"c" * 3000}">' for i in range(1000))
        + "".join(f'<link rel=alternate hreflang=x{i} href="/{"h" * 3000}{i}">' for i in range(1000))
        + "".join(f'<script src="/{i}{"s" * 3000}.js"></script>' for i in range(1000))
        + "".join(f'<a rel=license href="/{i}">x</a>' for i in range(1000)),
        headers=[("X-Robots-Tag", f"d{i}") for i in range(1000)] + [("Link", "<" * 100_000)],
    )  # fmt: skip
    assert len(pa.array([found], type=PAGE_STRUCT).to_pylist()[0]["meta"]) == 128
    assert len(json.dumps(found)) < 1_500_000
    assert len(found["links"]) == 256
    assert len(found["robots"]) == 64


@pytest.mark.parametrize("url", [None, "", "http://[", "//", "\udcff", "data:,x", "https://a.example/" + "9/" * 5000])
def test_broken_addresses_never_raise(url: str | None) -> None:
    signals(
        '<link rel=canonical href="http://[::1"><link rel=canonical href="x"><p>x',
        url,
        [("x-robots-tag", "\udcff\x00")],
    )
