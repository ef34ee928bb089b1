"""Residue of translation: each rule, and the pages that must have none."""

from __future__ import annotations

import pyarrow as pa
import pytest

from detectors.api import FeatureCache
from detectors.features.tokens import tokenise
from detectors.laws import make_batch
from detectors.machine_translation.function_words import FUNCTION_WORDS, LANGUAGES, line_languages
from detectors.machine_translation.residue import RULES, WRONG_DIGITS_NATS, TranslationResidue
from schemas.evidence import Evidence

BEFORE = (
    "The garden behind the mill was laid out by a miller who wanted apples for his family and shade for the people. "
)
AFTER = " Some of the trees that he planted are still there today, and visitors are welcome on the first weekend."
PROSE = (BEFORE + AFTER.strip() + "\n") * 3


def found(text: str, language: str | None = None, parts: tuple[str, ...] = ()) -> dict[str, Evidence]:
    batch = make_batch([{"text": text}])
    features = FeatureCache(batch)
    if language:
        shares = [{"language": name, "share": 1 / (1 + i)} for i, name in enumerate((language, *parts))]
        features.put("signal:language", pa.array([language]))
        features.put("signal:languages", pa.array([shares]))
    return {e.signal: e for e in TranslationResidue()(batch, features).evidence}


RESIDUE = [
    ("broken_placeholder", "You have % s new messages", "% s"),
    ("broken_placeholder", "Page % 1 $ s of the list", "% 1 $ s"),
    ("broken_placeholder", "Page %1 $ s of the list", "%1 $ s"),
    ("broken_placeholder", "Hello { {name} }, welcome", "{ {name} }"),
    ("translated_placeholder", "Hallo {{größe}}, willkommen", "{{größe}}"),
    ("translated_placeholder", "Привет, %{имя}, как дела", "%{имя}"),
    ("unfilled_placeholder", "Dear {{first_name}}, we are", "{{first_name}}"),
    ("unfilled_placeholder", "Page %1$s of the list", "%1$s"),
    ("broken_entity", "apples & nbsp; pears", "& nbsp;"),
    ("broken_entity", "the miller&# 39;s garden", "&# 39;"),
    ("broken_entity", "the miller & # 39; s garden", "& # 39;"),
    ("visible_entity", "don&#39;t and can&#39;t and l&#39;eau", "don&#39;t"),
    ("unknown_word_marks", "la *miller tenía un *garden y una *wheel con *apples", "*miller"),
]


@pytest.mark.parametrize(("signal", "residue", "span"), RESIDUE, ids=[residue for _, residue, _ in RESIDUE])
def test_each_rule(signal: str, residue: str, span: str) -> None:
    text = BEFORE + residue + AFTER
    finding = found(text)[signal]
    assert finding.weight == {rule.name: rule.weight for rule in RULES}[signal]
    assert text[finding.start : finding.end] == span
    assert set(found(text)) == {signal}


def test_every_rule_has_an_example() -> None:
    assert {rule.name for rule in RULES} == {signal for signal, _, _ in RESIDUE}


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "La bière a 5 % d'alcool, le vin 12 % d’alcool et 30 % de plus. Der Anteil in % d. Umsatzes stieg um 50 % seit",
        "Der Anteil beträgt 50 % s. Tabelle 3. Umsatz in %: 40. Le taux (en %) s'élève à 3. 20 % dans l'eau.",
        "Rock & roll; salt & pepper; R & D; A&B; Smith & Sons; Q&A. Wines & more; fine food.",
        "*Required fields. Name *Required. The *nix systems and other *nix tools of *nix people with *nix. * one * two",
        "Prices: $5 {special}, sizes {1, 2}, sets {{1}, {2}} and ${amount}. 5 * 3 * x * y",
    ],
)
def test_ordinary_texts_have_none(text: str) -> None:
    assert found(BEFORE + text + AFTER) == {}


@pytest.mark.parametrize(
    "code",
    [
        'printf("%s of % s\\n", name);\nint main(void) {\n  return 0;\n}\n',
        "$ grep % s file\n$ echo {{name}}\n",
        "<p>Hello {{größe}}</p> <b>x</b>",
        "Placeholders such as {{größe}} or % s must not be translated.",
        "HTML writes an apostrophe as &#39; and a space as & nbsp; or &nbsp; or &#39; and &quot;.",
        "Apertium marks unknown words: *miller, *garden, a *wheel with *apples and *pears.",
    ],
)
def test_pages_with_code_or_about_it_have_none(code: str) -> None:
    assert found(BEFORE + "\n" + code + "\n" + AFTER) == {}


def test_digits_of_another_script() -> None:
    text = PROSE + "It was opened in ١٩٩٨ and repaired in २०१९."
    finding = found(text)["wrong_digits"]
    assert (finding.value, finding.weight) == (2.0, WRONG_DIGITS_NATS)
    assert text[finding.start : finding.end] == "١٩٩٨"
    assert found(PROSE + "العام ١٩٩٨ والعام ٢٠١٩") == {}  # Arabic words are there too: they are its digits
    assert found(PROSE + "Arabic numerals in the east are ١٩٩٨ and ٢٠١٩.") == {}
    assert found("١٩٩٨ ٢٠١٩ short") == {}


GERMAN = "Der Garten hinter der Mühle ist nicht groß, und die Leute aus dem Dorf sind auch am Sonntag eingeladen.\n"
ENGLISH = "The garden behind the mill is not large, and the people from the village are invited on Sunday with that.\n"


def test_untranslated_lines_are_a_note() -> None:
    text = GERMAN * 6 + ENGLISH + GERMAN * 3
    finding = found(text, "deu", ("eng",))["untranslated_lines"]
    assert finding.weight is None
    assert text[finding.start : finding.end] == ENGLISH.strip()
    assert finding.value is not None
    assert 0.08 < finding.value < 0.12
    assert found(text, "deu") == {}  # one language was seen
    assert found(text) == {}  # no language detector ran
    assert found(GERMAN * 2 + ENGLISH * 5, "deu", ("eng",)) == {}  # a page in two languages
    assert found(GERMAN * 9, "deu", ("eng",)) == {}
    assert found(GERMAN * 9 + "Download the PDF, Contact, Home\n", "deu", ("eng",)) == {}


def test_lines_are_told_by_row() -> None:
    batch = make_batch(
        [{"text": ENGLISH + GERMAN * 2}, {"text": ""}, {"text": GERMAN * 8 + ENGLISH}, {"text": ENGLISH}]
    )
    features = FeatureCache(batch)
    shares = [{"language": name, "share": 0.5} for name in ("deu", "eng")]
    features.put("signal:language", pa.array(["deu", None, "deu", "eng"]))
    features.put("signal:languages", pa.array([shares, None, shares, shares[:1]]))
    evidence = TranslationResidue()(batch, features).evidence
    assert [(e.row, e.signal) for e in evidence] == [(0, "untranslated_lines"), (2, "untranslated_lines")]
    assert [(e.start, e.end) for e in evidence] == [(0, len(ENGLISH) - 1), (8 * len(GERMAN), 8 * len(GERMAN) + 105)]


def test_function_words_tell_their_own_language() -> None:
    lines = list(FUNCTION_WORDS.values())
    got = line_languages(tokenise(lines), list(range(len(lines))))
    assert [LANGUAGES[code] for code in got.language] == list(LANGUAGES)
    assert len(line_languages(tokenise(["", "1 2 3"]), [0, 1]).line) == 0
