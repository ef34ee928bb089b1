"""Residue of chatbots: every phrase, its span, and the guards."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.ai_text.artefacts import ARTEFACTS, REDUCED_NATS, Artefacts, find_artefacts
from detectors.api import FeatureCache
from detectors.laws import make_batch

BEFORE = "Our garden centre has sold plants in the valley since 1954.\n"
AFTER = "\nCome and see us, we are open on weekdays."
PHRASES = [(one, phrase) for one in ARTEFACTS for phrase in one.phrases]


def found(text: str, title: str | None = None, page: dict[str, Any] | None = None) -> dict[str, Any]:
    batch = make_batch([{"text": text, "title": title, "page": page}])
    evidence = Artefacts()(batch, FeatureCache(batch)).evidence
    for e in evidence:
        if e.start is not None:
            assert text[e.start : e.end].strip()
    return {e.signal: e for e in evidence}


@pytest.mark.parametrize(("artefact", "phrase"), PHRASES, ids=[phrase for _, phrase in PHRASES])
def test_each_phrase_is_found_with_its_span(artefact: Any, phrase: str) -> None:
    text = phrase + AFTER if artefact.scope == "start" else BEFORE + phrase + AFTER
    text = text.replace("'", "’")
    finding = found(text)[artefact.name]
    assert finding.weight == artefact.weight
    assert text[finding.start : finding.end].lower().replace("’", "'") in artefact.phrases


@pytest.mark.parametrize(
    ("text", "signal", "span"),
    [
        ("The capital is Paris citeturn0search0 and so on.", "chat_markup", "citeturn0search0"),
        ("The capital is Paris \ue200turn12news3\ue201.", "chat_markup", "turn12news3"),
        ("Dear [insert name here], we thank you.", "placeholder", "[insert name here]"),
        ("Yours, [Your Name]", "placeholder", "[Your Name]"),
        ("See https://example.org/?utm_source=chatgpt.com for it.", "chat_link", "utm_source=chatgpt.com"),
    ],
)
def test_patterns(text: str, signal: str, span: str) -> None:
    finding = found(text)[signal]
    assert text[finding.start : finding.end] == span


@pytest.mark.parametrize(
    "text",
    [
        BEFORE + AFTER,
        "As a teacher I cannot fulfil this task alone. Turn 0 search 1. The turnout was high.",
        "We said: Certainly! Here is the thing.",  # not at the start
        "Click on Regenerate response to try again.",  # not the whole line
        "saturn0search",
        "[insert] [your]",
    ],
)
def test_ordinary_text_has_none(text: str) -> None:
    assert found(text) == {}


def test_the_case_does_not_matter_and_dotted_i_keeps_spans() -> None:
    text = "İİİİ. AS AN AI LANGUAGE MODEL, I can't say."
    finding = found(text)["self_reference"]
    assert text[finding.start : finding.end] == "AS AN AI LANGUAGE MODEL"


@pytest.mark.parametrize(
    "quoted",
    [
        'The bot said: "As an AI language model, I cannot".',
        "The bot said: “I’m sorry, as an AI language model, I cannot”.",
        "Sie schrieb: „As an AI language model“.",
        "Il a écrit « As an AI language model ».",
        "他写道：「作为一个人工智能语言模型」。",
        "Look for `as an AI language model` in the text.",
        "Look for 'as an AI language model' in the text.",
    ],
)
def test_quoted_is_a_note(quoted: str) -> None:
    finding = found(BEFORE + quoted)["self_reference"]
    assert finding.weight is None


def test_unquoted_beside_quoted_counts() -> None:
    text = 'He said "as an AI language model".\nAs an AI language model, I cannot have a garden.'
    finding = found(text)["self_reference"]
    assert (finding.weight, finding.value) == (6.0, 2.0)
    assert finding.start > 30


def test_a_page_about_it_is_reduced_then_a_note() -> None:
    phrase = BEFORE + "As an AI language model, I have no garden." + AFTER
    assert found(phrase + " We asked ChatGPT.")["self_reference"].weight == REDUCED_NATS
    assert found(phrase, title="ChatGPT and us")["self_reference"].weight == REDUCED_NATS
    about = phrase + " We asked ChatGPT, a chatbot, with many prompts. OpenAI made it."
    assert found(about)["self_reference"].weight is None
    assert found("oaicite is what ChatGPT, the chatbot of OpenAI, leaves.")["chat_markup"].weight is None


def test_the_refusals_own_sentence_is_no_mention() -> None:
    text = BEFORE + "I'm sorry, but as an AI language model developed by OpenAI, I cannot do it." + AFTER
    assert found(text)["self_reference"].weight == 6.0
    text = BEFORE + "ChatGPT answered as an AI language model would." + AFTER
    assert found(text)["self_reference"].weight == REDUCED_NATS


def test_markdown_is_soft_and_only_in_html() -> None:
    text = "## Title\n**One** and **two**\nplain"
    finding = found(text, page={"html_lang": "en"})["markdown"]
    assert finding.weight == 0.5
    assert finding.value == 3
    assert found(text) == {}
    assert found("## one\n## two\n## three comments of a shell", page={"html_lang": "en"}) == {}
    assert found(text + "\nMarkdown is a way to write.", page={"html_lang": "en"})["markdown"].weight is None
    assert found("2 ** 3 ** 4 # comment", page={"html_lang": "en"}) == {}


def test_links_of_the_page() -> None:
    page = {"marks": [{"name": "chatgpt_link", "count": 3}]}
    finding = found(BEFORE + AFTER, page=page)["chat_link"]
    assert (finding.value, finding.weight, finding.start) == (3.0, 1.5, None)
    assert found(BEFORE + "ChatGPT, prompts, chatbots." + AFTER, page=page)["chat_link"].weight is None
    assert found("See https://example.org/?utm_source=openai here.", page=page)["chat_link"].start == 25
    batch = make_batch([{"text": BEFORE, "page": page, "url": "https://example.org/?utm_source=chatgpt.com"}])
    assert [e.weight for e in Artefacts()(batch, FeatureCache(batch)).evidence] == [None]
    assert found(BEFORE, page={"marks": [{"name": "chatgpt_link", "count": None}, None]}) == {}


def test_occurrences_are_bounded() -> None:
    text = "as an ai language model " * 5000
    ((name, value, *_),) = find_artefacts(text)
    assert (name, value) == ("self_reference", 1000.0)
