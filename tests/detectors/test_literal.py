"""Literal translations: the lexicon is sound, and each entry is found and explained by its source word."""

from __future__ import annotations

import pyarrow as pa
import pytest

from detectors.api import FeatureCache
from detectors.laws import make_batch
from detectors.machine_translation.literal import MOST, WEIGHT, Calque, LiteralTranslation, explain, lexicon
from schemas.evidence import Evidence


def found(text: str, language: str | None = None) -> list[Evidence]:
    batch = make_batch([{"text": "First row."}, {"text": text}])
    features = FeatureCache(batch)
    if language:
        features.put("signal:language", pa.array([None, language]))
    return list(LiteralTranslation()(batch, features).evidence)


@pytest.mark.parametrize("entry", lexicon(), ids=lambda entry: f"{entry.language}-{entry.word}")
def test_every_form_is_found_in_a_text_of_its_language(entry: Calque) -> None:
    for form in entry.forms:
        text = f"“It was” {form.capitalize().replace(chr(39), '’')}, (they) said."
        finding = next(e for e in found(text, f"{entry.language}_Latn") if e.signal == entry.signal)
        assert (finding.row, finding.value, finding.weight) == (1, 1.0, WEIGHT)
        assert text[finding.start : finding.end].lower().replace("’", "'") == form
        other = "deu" if entry.language != "deu" else "eng"
        assert not any(e.signal == entry.signal for e in found(text, other))


def test_the_lexicon_is_sound() -> None:
    forms = [(entry.language, form) for entry in lexicon() for form in entry.forms]
    assert len(set(forms)) == len(forms)
    assert all(form == form.strip().lower() and (" " in form or len(form) > 8) for _, form in forms)
    assert {entry.language for entry in lexicon()} == {"eng", "deu", "spa", "fra"}
    assert all(entry.source != entry.language and entry.idiomatic and entry.word for entry in lexicon())
    assert len(lexicon()) >= 250


def test_the_reason_names_the_source_word() -> None:
    (finding,) = found("The crisis led to Hamster purchases in all shops, and more hamster purchases.", "eng")
    assert (finding.signal, finding.value) == ("deu:Hamsterkauf", 2.0)
    said = explain(finding.signal)
    assert said is not None
    assert "hamster purchase" in said
    assert "panic buying" in said
    assert explain("deu:Garten") is None


@pytest.mark.parametrize(
    "text",
    ["They buy a hamster. Purchases are final.", "hamster purchasesx", "A hamster, purchases", "", "ear wormhole"],
)
def test_parts_are_not_enough(text: str) -> None:
    assert found(text, "eng") == []


def test_a_text_has_a_few_at_most() -> None:
    text = ". ".join(entry.forms[0] for entry in lexicon() if entry.language == "eng")
    assert len(found(text, "eng")) == MOST
