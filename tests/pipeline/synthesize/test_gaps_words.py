"""Topics, gender terms and regions of texts."""

from __future__ import annotations

import pytest
from gaps_samples import COOKING, HEALTH, page

from detectors.features.tokens import tokenise
from pipeline.synthesize.gaps_regions import region_of, region_of_host, region_of_tag, spelling_regions
from pipeline.synthesize.gaps_words import expand, gender_counts, genders_of, read_data, topics_of
from schemas.targets import TOPICS


def topic(text: str, language: str | None = "eng") -> str | None:
    return topics_of(tokenise([text]), [language])[0]


def regions(text: str, language: str) -> list[str]:
    return spelling_regions(tokenise([text]), [language])[0]


def test_words_of_a_list_are_expanded() -> None:
    assert list(expand("word(s,es) other")) == ["word", "words", "wordes", "other"]


def test_every_language_has_words_of_every_topic_and_no_word_has_two() -> None:
    data = read_data("gaps_topics")
    assert tuple(data["topics"]) == TOPICS
    for language in ("eng", "deu", "spa", "fra"):
        words = [word for lists in data["topics"].values() for word in expand(lists[language])]
        assert len(words) > 900
        assert sorted({word for word in words if words.count(word) > 1}) == []
        assert all(len(tokenise([word]).hash) == 1 for word in words)  # else it could never be met


def test_gender_terms_are_single_words_of_one_side() -> None:
    for kinds in read_data("gaps_gender")["terms"].values():
        sides = [{w for kind in kinds.values() for w in expand(kind[side])} for side in ("feminine", "masculine")]
        assert not sides[0] & sides[1]
        assert all(len(tokenise([word]).hash) == 1 for side in sides for word in side)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (HEALTH, "eng", "health"),
        (COOKING, "eng", "food"),
        ("Die Ärztin im Krankenhaus gab dem Patienten Medikamente; die Krankheit und die Diagnose …", "deu", "health"),
        ("El tribunal oyó al juez, al abogado y al fiscal antes de la sentencia y la condena.", "spa", "law"),
        ("L'église et l'évêque: la messe, la prière, le prêtre et l’évangile.", "fra", "religion"),
        (HEALTH, "ita", None),
        (HEALTH, None, None),
        ("", "eng", None),
        ("doctor " * 50, "eng", None),
        (HEALTH + " " + COOKING, "eng", None),
        (HEALTH + " word" * 5000, "eng", None),
    ],
)
def test_a_topic_is_named_where_several_of_its_words_stand_out(
    text: str, language: str | None, expected: str | None
) -> None:
    assert topic(text, language) == expected


def test_texts_of_a_batch_do_not_touch_one_another() -> None:
    assert topics_of(tokenise([HEALTH, None, "", COOKING]), ["eng", "eng", None, "eng"]) == [
        "health",
        None,
        None,
        "food",
    ]
    assert topics_of(tokenise([]), []) == []


def test_gender_terms_are_counted_by_kind_and_side() -> None:
    counts = gender_counts(tokenise(["She told her mother that the actress and two women and a man came."]), ["eng"])
    assert counts[0].tolist() == [[2, 0], [1, 0], [2, 1]]
    assert genders_of(counts) == ["feminine"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("he he", None), ("he he she", "masculine"), ("he she he she", "balanced"), ("words alone", None)],
)
def test_which_terms_prevail(text: str, expected: str | None) -> None:
    assert genders_of(gender_counts(tokenise([text]), ["eng"])) == [expected]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("zeitung.at", "at"), ("shop.example.co.uk", "gb"), ("example.io", None), ("gov.ai", None),
        ("tax.gov.ai", "ai"), ("elpais.com.co", "co"), ("example.co", None), ("university.edu", "us"),
        ("example.com", None),
        ("10.0.0.1", None), (None, None), ("xn--p1ai", None),
    ],
)  # fmt: skip
def test_domains(host: str | None, expected: str | None) -> None:
    assert region_of_host(host) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("en-GB", ("gb", 2)), ("pt_BR", ("br", 2)), ("en-US", ("us", 1)), ("de_DE.UTF-8", ("de", 1)),
        ("zh-Hant-TW", ("tw", 2)), ("de", None), ("ca-valencia", None), ("zh-hans", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_tags(tag: str | None, expected: tuple[str, int] | None) -> None:
    assert region_of_tag(tag) == expected


def test_a_default_locale_needs_a_second_witness() -> None:
    american = page(html_lang="en-US", meta=[{"name": "og:locale", "value": "en_US"}])
    assert region_of("example.com", american, []) is None
    assert region_of("example.com", american, ["us"]) == "us"
    assert region_of("example.com", american, ["gb", "au"]) is None
    assert region_of("example.com.au", american, ["us"]) == "au"
    assert region_of("example.com", None, ["us"]) is None
    assert region_of(None, page(html_lang="de-CH"), []) == "ch"


def test_tags_that_disagree_say_nothing() -> None:
    assert region_of("a.com", page(html_lang="pt-BR", meta=[{"name": "og:locale", "value": "pt_PT"}]), []) is None


def test_spelling() -> None:
    assert regions("The colour of the neighbour's centre", "eng")[0] == "gb"
    assert regions("My favorite color is gray", "eng") == ["us"]
    assert regions("colour color favourite favorite", "eng") == []
    assert regions("Die Strasse ist gross, ausserdem heisst sie so", "deu") == ["ch"]
    assert regions("colour favourite", "fra") == []
