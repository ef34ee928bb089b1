"""Statements of a page about how its text came to be."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.ai_text.page_marks import AiPageMarks, find_manifests
from detectors.api import FeatureCache
from detectors.laws import make_batch


def selectors(data: bytes) -> str:
    return "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in data)


def pair(name: str, value: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value}]


def found(text: str = "", **page: Any) -> dict[str, float | None]:
    batch = make_batch([{"text": text, "page": page or None}])
    return {e.signal: e.weight for e in AiPageMarks()(batch, FeatureCache(batch)).evidence}


IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    ("page", "signal", "weight"),
    [
        ({"structured": pair("digitalSourceType", IPTC)}, "digital_source_type", 6.0),
        (
            {"structured": pair("digitalSourceType", "https://schema.org/TrainedAlgorithmicMediaDigitalSource")},
            "digital_source_type",
            6.0,
        ),
        ({"structured": pair("digitalSourceType", "compositeWithTrainedAlgorithmicMedia")}, "digital_source_type", 2.0),
        ({"meta": pair("iptc:digitalsourcetype", IPTC)}, "digital_source_type", 6.0),
        ({"meta": pair("ai-generated", "true")}, "ai_meta", 6.0),
        ({"meta": pair("ai-content-declaration", "AI-generated")}, "ai_meta", 6.0),
        ({"meta": pair("ai-content-declaration", "mixed")}, "ai_assisted_meta", 1.0),
        ({"meta": pair("ai-disclosure", "ai-assisted")}, "ai_assisted_meta", 1.0),
        ({"headers": pair("ai-disclosure", 'mode="ai-originated"; model=x')}, "ai_meta", 6.0),
        ({"meta": pair("AIGC", '{"AIGC":{"Label":"1","ContentProducer":"x"}}')}, "aigc_label", 6.0),
        ({"meta": pair("AIGC", '{"AIGC":{"Label":"3"}}')}, "aigc_label", 1.0),
        ({"meta": pair("generator", "ChatGPT 4")}, "ai_generator", 4.0),
        ({"generator": "ZimmWriter"}, "ai_generator", 4.0),
        ({"meta": pair("author", "ChatGPT")}, "ai_author", 4.0),
        ({"marks": [{"name": "chatgpt_markup", "count": 4}]}, "chatgpt_markup", 1.5),
    ],
)
def test_stated(page: dict[str, Any], signal: str, weight: float) -> None:
    assert found(**page) == {signal: weight}


@pytest.mark.parametrize(
    "page",
    [
        {"structured": pair("digitalSourceType", "https://schema.org/DigitalCaptureDigitalSource")},
        {"meta": pair("ai-generated", "false")},
        {"meta": pair("ai-disclosure", "none")},
        {"meta": pair("ai-content-declaration", "human-created")},
        {"meta": pair("ai-content-declaration", "official site of a person who heals")},
        {"meta": pair("generator", "WordPress 6.5")},
        {"meta": pair("generator", "Claude Monet Gallery Builder of Giverny, made by hand in the year 2001")},
        {"meta": pair("author", "Claudette Koala")},
        {"meta": pair("keywords", "ChatGPT, OpenAI, AI-generated")},
        {"meta": pair("description", "ai-generated")},
        {"marks": [{"name": "chatgpt_markup", "count": 0}]},
        {},
    ],
)
def test_not_stated(page: dict[str, Any]) -> None:
    assert found(**page) == {}


def test_a_generated_picture_is_a_note() -> None:
    source = {"name": "digitalSourceType", "value": IPTC}
    types = [{"name": "@type", "value": value} for value in ("Article", "ImageObject", "Person")]
    assert found(structured=[types[0], types[1], source]) == {"digital_source_type": None}
    assert found(structured=[types[0], types[1], types[2], source]) == {"digital_source_type": None}
    assert found(structured=[types[0], source, types[1]]) == {"digital_source_type": 6.0}
    assert found(structured=pair("ImageObject.digitalSourceType", IPTC)) == {"digital_source_type": None}
    whole = [{"name": "Article.digitalSourceType", "value": IPTC}, {"name": "@type", "value": "ImageObject"}]
    assert found(structured=whole) == {"digital_source_type": 6.0}


def test_manifests_in_the_text() -> None:
    body = b"jumb" + IPTC.encode()
    run = selectors(b"C2PATXT\0\x01" + len(body).to_bytes(4, "big") + body)
    text = "A text.\ufeff" + run + " More."
    (finding,) = find_manifests(text)
    assert (finding.signal, finding.weight) == ("c2pa_manifest", 6.0)
    assert text[finding.start : finding.end] == run
    assert found(text) == {"c2pa_manifest": 6.0}


def test_a_manifest_of_a_person_is_a_note_and_a_cut_one_broken() -> None:
    signed = selectors(b"C2PATXT\0\x01" + (4).to_bytes(4, "big") + b"jumb")
    assert found(signed) == {"c2pa_manifest": None}
    assert found(signed[:-2]) == {"c2pa_manifest_broken": None}
    assert found("👍\ufe0f fine \u2764\ufe0f") == {}
