"""Marks of translators: each active, each merely present, and quoted in an article about it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from detectors.api import FeatureCache
from detectors.laws import make_batch
from detectors.machine_translation.page_marks import (
    HARD_NATS,
    RULES,
    SITE_TRANSLATORS,
    TranslationMarks,
    find_marks,
    site_language,
    url_language,
)


def pair(name: str, value: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value}]


def mark(name: str, count: int) -> dict[str, Any]:
    return {"marks": [{"name": name, "count": count}]}


def link(rel: str, lang: str | None = None, href: str = "https://example.org/") -> dict[str, Any]:
    return {"rel": rel, "lang": lang, "href": href}


GERMAN_SITE = [
    link("alternate", "x-default", "https://example.org/a"),
    link("alternate", "de", "https://example.org/a"),
    link("alternate", "en", "https://example.org/en/a"),
]


def found(url: str | None = None, language: str | None = None, **page: Any) -> dict[str, tuple[float, float | None]]:
    return {name: (value, weight) for name, value, weight in find_marks(url, page, language)}


TRANSPOSH = '{"total_phrases":55,"translated_phrases":%s,"human_translated_phrases":%s,"hidden_phrases":3}'

ACTIVE: list[tuple[str, str | None, dict[str, Any]]] = [
    ("google_lang", None, {"html_lang": "de-x-mtfrom-en"}),
    ("google_translated_by", None, {"meta": pair("X-Translated-By", "Google")}),
    ("google_translated_by", None, {"headers": pair("x-translated-by", "Google")}),
    ("google_alternate", None, {"links": [link("alternate machine-translated-from", "en")]}),
    ("google_proxy_host", "https://example-org.translate.goog/a", {}),
    ("google_proxy_host", "http://translate.googleusercontent.com/translate_c?u=x", {}),
    ("translator_proxy_host", "https://www.translatoruser-int.com/translate?to=en", {}),
    ("translator_proxy_host", "https://translated.turbopages.org/proxy_u/en-ru.ru.1/a", {}),
    ("google_source_text", None, mark("google_source_text", 40)),
    ("transposh_stats", None, {"meta": pair("translation-stats", TRANSPOSH % (50, 0))}),
    ("google_class", None, {"html_attributes": pair("html.class", "js translated-ltr")}),
    ("google_class", None, {"html_attributes": pair("html.class", "translated-rtl no-js")}),
    ("google_class", None, mark("google_translated", 1)),
    ("google_font", None, mark("google_font", 60)),
    ("edge_msthash", None, mark("msthash", 40)),
    ("yandex_span", None, mark("yandex_span", 40)),
]


@pytest.mark.parametrize(("rule", "url", "page"), ACTIVE)
def test_active_marks_are_hard(rule: str, url: str | None, page: dict[str, Any]) -> None:
    weight = found(url, **page)[rule][1]
    assert weight is not None
    assert weight >= HARD_NATS


def test_every_hard_rule_has_an_active_case() -> None:
    assert {rule.name for rule in RULES if rule.hard} == {rule for rule, _, _ in ACTIVE}


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (None, {"html_lang": "de"}),
        (None, {"html_lang": "en-x-custom"}),
        (None, {"meta": pair("x-translated-by", "")}),
        (None, {"meta": pair("description", "how X-Translated-By works")}),
        (None, {"links": [link("alternate", "en")]}),
        (None, {"meta": pair("translation-stats", TRANSPOSH % ("null", "null"))}),
        (None, {"meta": pair("translation-stats", TRANSPOSH % (0, 0))}),
        ("https://translate.google.com/about", {}),
        ("https://nottranslate.goog.example.org/", {}),
        ("https://example.org/?u=x.translate.goog", {}),
        (None, {"html_attributes": pair("html.class", "not-translated-ltr-x untranslated-ltr")}),
        (None, {"html_attributes": pair("body.class", "translated-ltr")}),
        (None, mark("google_widget", 3)),
        (None, mark("goog_te", 3)),
        (None, mark("google_font", 0)),
    ],
)
def test_present_but_inactive_is_no_evidence(url: str | None, page: dict[str, Any]) -> None:
    assert not any(weight for _, weight in found(url, **page).values())


@pytest.mark.parametrize(("rule", "name"), [("google_font", "google_font"), ("edge_msthash", "msthash")])
def test_a_pasted_sentence_is_soft(rule: str, name: str) -> None:
    assert found(**mark(name, 2))[rule] == (2.0, 1.0)


def test_phrases_that_people_translated_make_it_soft() -> None:
    stats = pair("translation-stats", TRANSPOSH % (50, 31))
    assert found(meta=stats)["transposh_stats"] == (1.0, 2.0)


def test_a_widget_beside_translations_by_people_is_soft() -> None:
    marks = {"marks": [{"name": name, "count": 1} for name in ("gtranslate", "polylang")]}
    assert found(language="eng", links=GERMAN_SITE, **marks)["gtranslate"] == (1.0, 1.0)


@pytest.mark.parametrize("tool", SITE_TRANSLATORS, ids=lambda tool: tool.mark)
def test_site_translators_count_only_off_the_sites_own_language(tool: Any) -> None:
    here = mark(tool.mark, 3)
    assert found(language="eng", links=GERMAN_SITE, **here)[tool.mark] == (3.0, tool.active)
    assert found(html_lang="en-US", links=GERMAN_SITE, **here)[tool.mark] == (3.0, tool.active)
    assert found(language="deu", links=GERMAN_SITE, **here)[tool.mark] == (3.0, None)
    assert found(language="eng", **here)[tool.mark] == (3.0, tool.unsure)
    assert found(links=GERMAN_SITE, **here)[tool.mark] == (3.0, tool.unsure)


def test_a_translation_by_a_plugin_that_people_use_is_soft() -> None:
    soft = {tool.mark for tool in SITE_TRANSLATORS if tool.active < HARD_NATS}
    assert {"qtranslate", "trp_gettext", "trp_gettext_empty", "trp_translated"} <= soft


@pytest.mark.parametrize(("count", "weight"), [(3, "absent"), (8, 0.3), (25, 0.6), (90, 0.6)])
def test_many_alternates_are_soft_and_capped(count: int, weight: float | str) -> None:
    codes = [a + b for a in "abcdefgh" for b in "klmnopqrstuv"][:count]
    links = [*GERMAN_SITE[:2], *(link("alternate", code, f"https://example.org/{code}/a") for code in codes)]
    got = found(language="eng", links=links).get("hreflang_count")
    assert (got[1] if got else "absent") == weight
    own = found(language="deu", links=links).get("hreflang_count")
    assert own is None or own[1] is None


def test_an_article_about_it_is_no_evidence() -> None:
    detector = TranslationMarks()
    text = 'Google writes <html lang="de-x-mtfrom-en" class="translated-ltr"> and Edge leaves _msthash="1" behind.'
    page = {"html_lang": "en", "meta": pair("description", text)}
    batch = make_batch([{"text": text, "page": page, "url": "https://example.org/translate.goog"}])
    assert detector(batch, FeatureCache(batch)).evidence == []


def test_the_detected_language_is_used() -> None:
    detector = TranslationMarks()
    page = {"links": GERMAN_SITE, **mark("weglot", 1)}
    pages = [page, {"html_lang": "en", **page}, {"html_lang": "de", **page}]
    batch = make_batch([{"text": "", "page": page} for page in pages])
    assert [e.weight for e in detector(batch, FeatureCache(batch)).evidence] == [None, 4.0, None]
    features = FeatureCache(batch)
    features.put("signal:language", pa.array(["eng"] * 3))
    # English text where the page says that it is in German, the site's own language: a guest's article
    assert [e.weight for e in detector(batch, features).evidence] == [4.0, 4.0, None]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/de/seite", "deu"),
        ("https://example.org/pt-br/", "por"),
        ("https://fr.example.org/", "fra"),
        ("https://example.org/?lang=es", "spa"),
        ("https://example.org/design/", None),
        ("https://io.example.org/", None),
        ("https://xx.example.org/zz/", None),
        ("http://[", None),
        (None, None),
    ],
)
def test_language_tokens_of_addresses(url: str | None, code: str | None) -> None:
    assert url_language(url) == code


def test_language_of_the_site() -> None:
    assert site_language({"links": GERMAN_SITE}) == "deu"
    assert site_language({"links": GERMAN_SITE[1:]}) == "deu"
    only_default = [link("alternate", "x-default", "https://example.org/fr/")]
    assert site_language({"links": only_default}) == "fra"
    assert site_language({"links": []}) is None
    assert site_language({}) is None
    assert site_language({"links": GERMAN_SITE, "structured": pair("weglot.language_from", "fr")}) == "fra"
