"""Precision of marks and residue on whole pages: only an active page gets a weight, by every rule there is."""

from __future__ import annotations

from collections.abc import Iterator

import mark_pages as pages
import pytest
from mark_pages import Case, Page

from detectors.ai_text import artefacts as residue
from detectors.ai_text import evasion
from detectors.ai_text import page_marks as ai
from detectors.api import Detector, run_detectors
from detectors.laws import make_batch
from detectors.machine_translation import literal
from detectors.machine_translation import page_marks as mt
from detectors.machine_translation import residue as translation
from detectors.machine_translation.page_marks import HARD_NATS
from detectors.registry import build_detectors
from pipeline.extract.api import PageInput
from pipeline.extract.extract import extract_page
from pipeline.extract.extractors import make_extractor
from schemas.config import CurateConfig
from schemas.evidence import Evidence


def cases() -> Iterator[Case]:
    weights: dict[str, float] = {}
    for rule in mt.RULES:
        key = f"{rule.name} {rule.where}"
        weights[key] = max(rule.weight, weights.get(key, 0.0))
    for key, weight in weights.items():
        yield pages.case("translation_marks", key.partition(" ")[0], weight, *pages.TRANSLATION[key])
    for tool in mt.SITE_TRANSLATORS:
        yield pages.case("translation_marks", tool.mark, tool.active, *pages.SITE[tool.mark])
    for count, weight in mt.HREFLANG_WEIGHTS:
        yield pages.case("translation_marks", "hreflang_count", weight, *pages.FAN[count])
    for kind, weight in ai.SOURCE_TYPES.items():
        yield pages.case("ai_page_marks", "digital_source_type", weight, *pages.sourced(pages.SPELLED[kind]))
    for signal in sorted(ai.SIGNALS - {"digital_source_type"}):
        expected, active, inactive = pages.AI[signal]
        yield pages.case("ai_page_marks", signal, expected, active, inactive)
    for name, weight in [*((one.name, one.weight) for one in residue.ARTEFACTS), ("markdown", residue.MARKDOWN_WEIGHT)]:
        active_body, inactive_body = pages.ARTEFACTS[name]
        title = {"title": ""} if "opening" in name else {}
        yield Case(
            "ai_artefacts",
            name,
            weight,
            pages.page(active_body, **title),
            pages.page(inactive_body),
            pages.quoted_artefact(active_body),
        )
    soft: list[tuple[str, float | None]] = [(rule.name, rule.weight) for rule in translation.RULES]
    for name, nats in [*soft, ("wrong_digits", translation.WRONG_DIGITS_NATS), ("untranslated_lines", None)]:
        active_body, inactive_body = pages.RESIDUE[name]
        active = pages.page(active_body, paragraphs=pages.ENGLISH * (2 if name == "untranslated_lines" else 1))
        quoted = pages.quoted_residue(active_body)
        yield Case("translation_residue", name, nats, active, pages.page(inactive_body), quoted)
    for name, words in (
        ("hidden_characters", "pa\u200bss, ba\u200bnk, wo\u200brd"),
        ("homoglyphs", "pаss, bаnk, wоrd"),
    ):
        active_body, inactive_body = pages.EVASION[name]
        active = pages.page(active_body)
        yield Case("evasion", name, evasion.DENSE_NATS, active, pages.page(inactive_body), pages.quoted_evasion(words))
    active_body, inactive_body = pages.LITERAL
    active = pages.page(active_body)
    quoted = pages.page("<p>A “hamster purchase” is what Germans call panic buying.</p>")
    yield Case("literal_translation", "deu:Hamsterkauf", literal.WEIGHT, active, pages.page(inactive_body), quoted)


CASES = list(cases())


@pytest.fixture(scope="module")
def detectors() -> list[Detector]:
    wanted = {"language", *(case.detector for case in CASES)}
    return [detector for detector in build_detectors() if detector.name in wanted]


def findings(page: Page, detectors: list[Detector]) -> list[Evidence]:
    extractor = make_extractor(CurateConfig().extract)
    extractor.setup()
    found = extract_page(PageInput(page.html.encode(), page.url, "utf-8", page.headers), extractor)
    batch = make_batch([{"url": page.url, "title": found.title, "text": found.text, "page": found.page}])
    assert len(found.text) > 200, "the article was not found"
    return list(run_detectors(detectors, batch).evidence)


def name_of(case: Case) -> str:
    return f"{case.signal}-{case.weight}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_an_active_page_gets_the_weight_of_its_rule(case: Case, detectors: list[Detector]) -> None:
    found = {(e.detector, e.signal): e.weight for e in findings(case.active, detectors)}
    assert found[case.detector, case.signal] == case.weight
    others = {key: weight for key, weight in found.items() if weight and key != (case.detector, case.signal)}
    allowed = {"hreflang_count", "trp_gettext", "gtranslate_click", "trp_gettext_empty", "chat_opening"}
    assert {signal for _, signal in others} <= allowed
    assert not any(weight >= HARD_NATS for weight in others.values()) or case.weight is None


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_an_inactive_page_gets_none(case: Case, detectors: list[Detector]) -> None:
    assert [e for e in findings(case.inactive, detectors) if e.weight] == []


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_an_article_about_it_gets_none(case: Case, detectors: list[Detector]) -> None:
    assert [e for e in findings(case.quoted, detectors) if e.weight] == []


def test_every_rule_has_pages_and_no_pages_are_left_over() -> None:
    assert set(pages.TRANSLATION) == {f"{rule.name} {rule.where}" for rule in mt.RULES}
    assert set(pages.SITE) == {tool.mark for tool in mt.SITE_TRANSLATORS}
    assert set(pages.FAN) == {count for count, _ in mt.HREFLANG_WEIGHTS}
    assert set(pages.SPELLED) == set(ai.SOURCE_TYPES)
    assert set(pages.AI) == ai.SIGNALS - {"digital_source_type"}
    assert set(pages.RESIDUE) == {rule.name for rule in translation.RULES} | {"wrong_digits", "untranslated_lines"}
    assert set(pages.ARTEFACTS) == {one.name for one in residue.ARTEFACTS} | {"markdown"}
