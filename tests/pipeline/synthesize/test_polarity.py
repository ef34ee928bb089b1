"""Patterns of each language, what must not be mined, agreement and elision. All sentences are made up for the tests."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from pipeline.synthesize.polarity import mine, sentences
from pipeline.synthesize.polarity_language import LanguageData, compile_language, languages, read_language
from schemas.config import ConfigError


def triplets(code: str, text: str) -> list[tuple[str, str, str]]:
    return [(t.anchor, t.positive, t.negative) for t in mine(text, read_language(code))]


def pairs(code: str, sentence: str) -> tuple[str, str]:
    (found,) = triplets(code, sentence)
    assert found[0] == sentence
    return found[1:]


@pytest.mark.parametrize(
    ("code", "sentence", "positives", "negative"),
    [
        ("eng", "They rent a house without a garden.",
         ("They rent a house with no garden.", "They rent a house without any garden."),
         "They rent a house with a garden."),
        ("eng", "The lift is not available.", ("The lift is unavailable.",), "The lift is available."),
        ("eng", "The old format is incompatible with this printer.",
         ("The old format is not compatible with this printer.",), "The old format is compatible with this printer."),
        ("eng", "Dogs are not allowed on the beach.", ("Dogs are forbidden on the beach.",),
         "Dogs are allowed on the beach."),
        ("eng", "The shop is no longer open on Mondays.", ("The shop is not open on Mondays anymore.",),
         "The shop is still open on Mondays."),
        ("eng", "All rooms have a bath except the attic.",
         ("All rooms have a bath with the exception of the attic.",), "All rooms have a bath including the attic."),
        ("eng", "The soup contains no nuts.", ("The soup does not contain any nuts.",), "The soup contains nuts."),
        ("eng", "The bread is gluten-free.", ("The bread is free of gluten.",), "The bread is not free of gluten."),
        ("eng", "The valve is neither open nor closed.", ("The valve is not open and not closed either.",),
         "The valve is both open and closed."),
        ("deu", "Wir suchen eine Wohnung ohne einen Balkon.",
         ("Wir suchen eine Wohnung ganz ohne einen Balkon.",), "Wir suchen eine Wohnung mit einem Balkon."),
        ("deu", "Das Konto ist nicht mehr gültig.", ("Das Konto ist nicht länger gültig.",), None),
        ("deu", "Die Brücke ist noch nicht fertig.", ("Die Brücke ist bislang nicht fertig.",),
         "Die Brücke ist bereits fertig."),
        ("deu", "Im Regal stehen zuckerfreie Kekse.", ("Im Regal stehen nicht zuckerhaltige Kekse.",),
         "Im Regal stehen zuckerhaltige Kekse."),
        ("deu", "Der Eintritt ist kostenlos.", ("Der Eintritt ist nicht kostenpflichtig.",),
         "Der Eintritt ist kostenpflichtig."),
        ("deu", "Das Rauchen im Flur ist verboten.", ("Das Rauchen im Flur ist nicht erlaubt.",),
         "Das Rauchen im Flur ist erlaubt."),
        ("deu", "Wir finden keine lauten Maschinen.", ("Wir finden keinerlei laute Maschinen.",),
         "Wir finden laute Maschinen."),
        ("spa", "Alquilamos un piso sin un balcón.", ("Alquilamos un piso sin ningún balcón.",),
         "Alquilamos un piso con un balcón."),
        ("spa", "Salimos sin el perro.", ("Salimos en ausencia del perro.",), "Salimos con el perro."),
        ("spa", "La pieza no es compatible con este modelo.", ("La pieza es incompatible con este modelo.",),
         "La pieza es compatible con este modelo."),
        ("spa", "Aquí está prohibido fumar.", ("Aquí no está permitido fumar.",), "Aquí está permitido fumar."),
        ("spa", "El horno todavía no funciona.",
         ("El horno hasta ahora no funciona.", "El horno por el momento no funciona."), "El horno ya funciona."),
        ("fra", "Ils cherchent un logement sans un balcon.",
         ("Ils cherchent un logement en l'absence d'un balcon.",), "Ils cherchent un logement avec un balcon."),
        ("fra", "La pièce est livrée sans aucune garantie.", ("La pièce est livrée sans la moindre garantie.",),
         "La pièce est livrée avec une garantie."),
        ("fra", "Cette option n'est pas disponible.", ("Cette option est indisponible.",),
         "Cette option est disponible."),
        ("fra", "Le tabac est interdit dans la cour.", ("Le tabac n'est pas autorisé dans la cour.",),
         "Le tabac est autorisé dans la cour."),
        ("fra", "La boutique n'est plus ouverte le lundi.", ("La boutique n'est désormais plus ouverte le lundi.",),
         "La boutique est encore ouverte le lundi."),
    ],
)  # fmt: skip
def test_patterns(code: str, sentence: str, positives: tuple[str, ...], negative: str | None) -> None:
    positive, turned = pairs(code, sentence)
    assert positive in positives
    assert negative is None or turned == negative


@pytest.mark.parametrize(
    ("code", "sentence", "negative"),
    [
        ("eng", "The kitchen is clean.", "The kitchen is not clean."),
        ("eng", "The kitchen can seat twelve guests.", "The kitchen cannot seat twelve guests."),
        ("deu", "Die Küche ist sauber.", "Die Küche ist nicht sauber."),
        ("deu", "Das Haus ist ein Neubau.", "Das Haus ist kein Neubau."),
        ("deu", "Das Museum wurde am Montag geschlossen.", "Das Museum wurde nicht am Montag geschlossen."),
        ("spa", "La cocina está limpia.", "La cocina no está limpia."),
        ("spa", "El alcalde se reunió con los vecinos.", "El alcalde no se reunió con los vecinos."),
        ("fra", "La cuisine est propre.", "La cuisine n'est pas propre."),
        ("fra", "Il a choisi la couleur du mur.", "Il n'a pas choisi la couleur du mur."),
        ("fra", "La porte s'ouvre vers la rue.", "La porte ne s'ouvre pas vers la rue."),
    ],
)
def test_affirmative_sentences(code: str, sentence: str, negative: str) -> None:
    (found,) = mine(sentence, read_language(code))
    assert (found.polarity, found.negative) == ("affirmative", negative)
    assert found.positive.endswith(("it is true", sentence[4:])) or code == "deu"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("eng", "This is without doubt a fine bridge."),
        ("eng", "He left without a trace."),
        ("eng", "They met without regard to safety."),
        ("eng", "She left without it."),
        ("eng", "He left without saying goodbye."),
        ("eng", "The tram runs with or without passengers."),
        ("eng", "All rooms are warm."),
        ("eng", "Nobody never saw the ship without a sail."),
        ("deu", "Das geht ohne Weiteres."),
        ("deu", "Sie kam ohne Zweifel zu spät."),
        ("deu", "Mit Hilfe der Leiter kamen sie hinauf."),
        ("deu", "Nicht nur der Hund bellte."),
        ("spa", "Sin embargo, la casa es grande."),
        ("spa", "Es una casa sin duda."),
        ("spa", "No solo el perro ladra."),
        ("fra", "Il viendra sans doute."),
        ("fra", "Sans cesse, le vent tourne."),
        ("fra", "Il ne mange que du pain."),
        ("fra", "La maison n'a pas de jardin."),
        ("eng", "Young trees cannot thoroughly shade a garden."),
        ("deu", "Falls das Tor nicht offen steht, klingeln die Gäste."),
        ("deu", "Manche Türen werden abends nicht geschlossen."),
        ("deu", "Im Schuppen liegen nicht lackierte Bretter."),
        ("spa", "Para la sopa, corta una cebolla grande."),
        ("fra", "Le soir, la sauce n'est pas fréquemment remuée."),
        ("fra", "Le retard reste sans importance."),
    ],
)
def test_fixed_expressions_and_scope_are_refused(code: str, sentence: str) -> None:
    assert triplets(code, sentence) == []


def test_elision_and_contraction() -> None:
    assert pairs("fra", "Il est ouvert le lundi.")[0].split(" est ouvert")[0].endswith("qu'il")
    assert pairs("fra", "Cette page affiche les heures.")[1] == "Cette page n'affiche pas les heures."
    assert pairs("spa", "Vivimos bien sin el coche.")[0] == "Vivimos bien en ausencia del coche."


def test_gender_follows_the_ending() -> None:
    assert pairs("fra", "La pompe tourne sans interruption.")[0] == "La pompe tourne sans la moindre interruption."
    assert pairs("fra", "La pompe tourne sans arrosage.")[0] == "La pompe tourne sans le moindre arrosage."


def test_every_trigger_has_a_gate() -> None:
    for code in languages():
        language = read_language(code)
        held = {(trigger, number) for _, group in language.gates for trigger, numbers in group for number in numbers}
        patterns = enumerate(language.data.patterns)
        assert held == {(trigger, n) for n, pattern in patterns for trigger in pattern.trigger.split("|")}
        assert all(gate in trigger for gate, group in language.gates for trigger, _ in group)


def test_dative_follows_the_article() -> None:
    assert pairs("deu", "Wir suchen ein Zimmer ohne eine Heizung.")[1] == "Wir suchen ein Zimmer mit einer Heizung."


def test_sentences_end_before_a_closing_mark() -> None:
    text = "  Die Tür ist offen.  Das Tor ist „grün.” Am 3. Mai kam Dr. Maus!\n\n x \nEin Rest ohne Punkt "
    found = [text[a:b] for a, b in sentences(text)]
    assert found == ["Die Tür ist offen.", "Das Tor ist „grün.", "Am 3. Mai kam Dr. Maus!", "Ein Rest ohne Punkt"]


def test_spans_reproduce_and_do_not_overlap() -> None:
    text = "Welcome home.\nThe kitchen is clean. The lift is not available. Call us!\n\n  The bread is gluten-free.  "
    found = list(mine(text, read_language("eng")))
    assert len(found) == 3
    assert all(text[t.start : t.end] == t.anchor for t in found)
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))


def test_offsets_where_small_letters_are_longer() -> None:
    text = "İzmir İİ\nThe kitchen is clean."
    (found,) = mine(text, read_language("eng"))
    assert text[found.start : found.end] == "The kitchen is clean."


def test_closed_spans_are_not_used() -> None:
    text = "The kitchen is clean. The lift is not available."
    found = list(mine(text, read_language("eng"), closed=[(5, 9)]))
    assert [t.anchor for t in found] == ["The lift is not available."]


@pytest.mark.parametrize("text", ["", "\n\n", ".", "厨房很干净。电梯不可用。没有早餐。", "without", "is not " * 5])
def test_nothing_to_mine(text: str) -> None:
    for code in languages():
        assert triplets(code, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The kitchen is not " + "very " * 60_000,
        "The " * 100_000 + ".",
        ("(" * 50 + "is not ") * 5_000,
        "La " + "a de la " * 40_000 + " no es.",
        "Die " + "alten " * 40_000 + "Haus ist nicht gut.",
        "Le " + "mot de la " * 40_000 + "n'est pas là.",
        '"' * 100_000 + " ohne sans sin without ",
        "A" + "'" * 150_000 + " is not.",
        ". ".join(["En la casa, se " + "no " * 40] * 2_000),
        "\n".join(["Le " + "a" * 215 + " est"] * 800),
    ],
)
def test_hostile_text_is_linear(text: str) -> None:
    begin = time.process_time()
    for code in languages():
        list(mine(text, read_language(code)))
    assert time.process_time() - begin < 8


def test_languages_are_sound() -> None:
    assert set(languages()) >= {"deu", "eng", "fra", "spa"}
    for code in languages():
        names = [p.data.name for p in read_language(code).patterns]
        assert len(names) == len(set(names))
        for pattern in read_language(code).patterns:
            ids = [t.id for t in pattern.data.templates]
            assert len(ids) == len(set(ids)), pattern.data.name


def test_unknown_language_and_faulty_patterns() -> None:
    with pytest.raises(ConfigError, match="no polarity patterns"):
        read_language("zho")
    plain: dict[str, Any] = {
        "language": "xxx", "version": 1, "negators": "no", "refuse": "x", "refuse_simple": "x",
        "patterns": [{"name": "a", "trigger": "no", "match": "no (?P<y>a)", "confidence": 1,
                      "templates": [{"id": "b", "positive": "{y}", "negative": "{z}"}]}],
    }  # fmt: skip
    with pytest.raises(ConfigError, match="names nothing"):
        compile_language(LanguageData.model_validate(plain))
    one = {**plain["patterns"][0], "templates": [{"id": "b", "positive": "{y}", "negative": "not {y}"}]}
    with pytest.raises(ConfigError, match="no list or fragment"):
        compile_language(LanguageData.model_validate({**plain, "negators": "%absent%", "patterns": [one]}))
