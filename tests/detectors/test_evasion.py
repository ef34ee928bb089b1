"""Hidden characters and look-alikes: found after attacks, and never in ordinary typography of any script."""

from __future__ import annotations

import random

import pytest

from detectors.ai_text.evasion import DENSE_NATS, Evasion
from detectors.api import FeatureCache
from detectors.features.confusables import CONFUSABLES
from detectors.laws import make_batch
from schemas.evidence import Evidence

PROSE = (
    "The old garden behind the mill was laid out by a miller who wanted apples for his family and shade for the people"
    " who waited with their carts. Some of the trees that he planted are still there today. "
) * 4
_ALIKE = {latin: other for other, latin in CONFUSABLES.items()}


def found(text: str) -> dict[str, Evidence]:
    batch = make_batch([{"text": text}])
    return {e.signal: e for e in Evasion()(batch, FeatureCache(batch)).evidence}


def with_hidden(text: str, character: str, share: float) -> str:
    rng = random.Random(3)
    return "".join(c + character if rng.random() < share else c for c in text)


def with_homoglyphs(text: str, share: float) -> str:
    rng = random.Random(3)
    return "".join(_ALIKE.get(c, c) if rng.random() < share else c for c in text)


@pytest.mark.parametrize("character", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u200e", "\u00ad", "\u180e"])
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_an_attack_with_hidden_characters(character: str, share: float) -> None:
    text = with_hidden(PROSE, character, share)
    finding = found(text)["hidden_characters"]
    assert finding.weight == DENSE_NATS
    assert finding.start is not None
    assert text[finding.start : finding.end] == character
    assert finding.value is not None
    assert finding.value > share * len(PROSE) / 3


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_an_attack_with_look_alikes(share: float) -> None:
    text = with_homoglyphs(PROSE, share)
    finding = found(text)["homoglyphs"]
    assert finding.weight == DENSE_NATS
    assert text[finding.start : finding.end] in text.replace(".", "").split()


def test_few_are_a_note() -> None:
    text = "An ap\u200bple, a pe\u200bar and a pl\u200bum. " + PROSE
    assert found(text)["hidden_characters"].weight is None
    assert found(text)["hidden_characters"].value == 3
    assert found("A pаssword, an аddress and a numbеr. " + PROSE)["homoglyphs"].weight is None
    assert found("An ap\u200bple and a pe\u200bar.") == {}


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        # Persian joins letters with U+200C, Hindi shapes conjuncts with U+200D, Khmer and Thai part words with U+200B.
        "می\u200cخواهم کتاب\u200cها را به خانه\u200cام ببرم و نمی\u200cدانم که چه می\u200cشود. " * 20,
        "क्\u200dष त्र\u200dी हिन्\u200dदी में लिखा गया पाठ। " * 20,
        "ភាសា\u200bខ្មែរ\u200bគឺ\u200bជា\u200bភាសា\u200bផ្លូវការ " * 20,
        "ภาษา\u200bไทย\u200bเป็น\u200bภาษา\u200bราชการ " * 20,
        "עברית\u200f (Hebrew)\u200e היא שפה\u200f. " * 20,
        "👩\u200d👩\u200d👧 👨\u200d💻 are emoji of families and of people at work. " * 20,
        # Pages that hyphenate everything
        "Die Ge\u00adsell\u00adschaft für deut\u00adsche Spra\u00adche hat ihre Sat\u00adzung ge\u00adän\u00addert. "
        * 20,
        "The con\u00adsti\u00adtu\u00adtion of the re\u00adpub\u00adlic was amend\u00aded. " * 20,
        "\u00adDie \u00adWorte \u00adin der \u00adZeitung haben Kapi\u00adtel, an\u00adderes und Zeit\u00adalter. "
        * 20,
        "Rating: â\u00adâ\u00adâ\u00adâ\u00adâ\u00ad (5/5 stars) " * 20,
        # Spaces that editors leave beside words
        "One\u200b two \u200bthree\ufeff four\u2060. \u200b\n" * 20,
        # Science and mixed scripts
        "TNFα and IFNα raise HIFα; the force ρgh, the angle αx and βν in kΩ, 5 μm and λ/4. PPARα is a receptor. " * 20,
        "Η εταιρεία Google και το iPhone της Apple είναι γνωστά. " * 20,
        "Компания Google выпустила Androidа и купила SMSки у Fordа, а iPhoneа не было. " * 20,
        "В тексте есть cлово с латинской буквой, и еще oдно, и третьe, и четвeртое. " * 20,
        "ТЕЛЕФОН: HTC, ВЕС: 100 г, COM-порт и USB-кабель. " * 20,
        "Ћирилица и latinica стоје једна поред друге: Београд (Beograd), Нови Сад (Novi Sad). " * 20,
    ],
)
def test_ordinary_texts(text: str) -> None:
    assert found(text) == {}


def test_an_article_about_it_gets_no_weight() -> None:
    text = "An attack writes pаssword, аpple and bаnk with Cyrillic letters, or pa\u200bss, wo\u200brd and ba\u200bnk. "
    assert {e.weight for e in found(text + PROSE).values()} == {None}
