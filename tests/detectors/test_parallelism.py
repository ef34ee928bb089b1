"""Keys and sketches of parallelism: what survives translation is kept, what does not is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.api import FeatureCache
from detectors.features.tokens import character_table, tokenise
from detectors.laws import check_laws, make_batch
from detectors.machine_translation.parallel_score import (
    ACCEPTED,
    MOST_NATS,
    compare_sketches,
    parallel_nats,
    score_pairs,
    score_sketches,
)
from detectors.machine_translation.parallelism import (
    IS_DEFAULT,
    KINDS,
    LINK,
    NO_TOKEN,
    SITE_LANGUAGE,
    TOKEN,
    URL,
    Parallelism,
    link_keys,
    strip_language,
)
from detectors.provenance import PRIOR, SOFT_CAP_NATS

SECTIONS = {
    "eng": "Install version {v} by apt-get --purge {p}, then set {c}=1 in /etc/{p}.conf and wait {n} seconds.",
    "deu": "Version {v} mit apt-get --purge {p} installieren, {c}=1 in /etc/{p}.conf setzen und {n} Sekunden warten.",
    "rus": "Установите версию {v} командой apt-get --purge {p}, задайте {c}=1 в /etc/{p}.conf и ждите {n} секунд.",
    "jpn": "コマンド apt-get --purge {p} でバージョン {v} を導入し、/etc/{p}.conf に {c}=1 と書いて {n} 秒待ちます。",
}


def manual(language: str, seed: int, sections: int = 12) -> str:
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(sections):
        values = {
            "v": f"{rng.integers(1, 90)}.{rng.integers(10, 99)}",
            "p": "".join(rng.choice(list("bcdfglmnprstvaeiou"), 7)),
            "c": "".join(rng.choice(list("BCDFGLMNPRST"), 5)) + "_MAX",
            "n": rng.integers(11, 999),
        }
        lines.append(SECTIONS[language].format(**values))
        lines += [lines[-1].split(",")[0] + "."] * int(rng.integers(0, 3))
    return "\n".join(lines)


def keys(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    batch = make_batch(rows)
    detector = Parallelism()
    detector.setup()
    return pa.RecordBatch.from_pydict(dict(detector(batch, FeatureCache(batch)).columns))


def by_kind(values: list[int], kind: int) -> set[int]:
    return {value for value in values if value & 7 == kind}


def test_laws() -> None:
    check_laws(Parallelism())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://help.example.org/7.4/en-US/text/a.html", "http://www.help.example.org/7.4/pt_br/text/a.html"),
        ("https://example.org/doc/checkit.zh-tw.html", "https://example.org/doc/checkit.html"),
        ("https://de.example.com/a", "https://example.fr/a"),
        ("https://example.co.uk/a?lang=de&id=3", "https://example.com/a?id=3&hl=pt-BR"),
        ("https://example.org/index.fr.html", "https://example.org/index.html"),
        ("https://example.org/page-de", "https://example.org/page"),
        ("https://example.org/jp/page", "https://example.org/page/"),
        ("https://example.org/qa-dates.zh-hans", "https://example.org/qa-dates"),
    ],
)
def test_addresses_of_versions_are_one(first: str, second: str) -> None:
    assert strip_language(first)[0] == strip_language(second)[0]
    assert strip_language(first)[1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://example.org/about-us", "https://example.org/about"),
        ("https://example.org/a?id=3", "https://example.org/a?id=4"),
        ("https://example.org/a?lang=all", "https://example.org/a"),
        ("https://one.example.org/a", "https://two.example.org/a"),
        ("https://10.0.0.1/a", "https://10.0.0.2/a"),
    ],
)
def test_other_addresses_stay_apart(first: str, second: str) -> None:
    assert strip_language(first)[0] != strip_language(second)[0]


def test_named_versions_meet() -> None:
    links = [("en", "https://example.org/"), ("de", "https://example.org/de/"), ("x-default", "https://example.org/")]
    english, is_default = link_keys("http://example.org", links)
    german, is_default_too = link_keys("https://www.example.org/de", links)
    assert set(english) == set(german)
    assert (is_default, is_default_too) == (True, False)
    relative, _ = link_keys("https://example.org/de/", [("en", "/"), ("de", "/de/")])
    assert set(relative) == set(english)
    assert link_keys("https://example.org/", []) == ([], False)
    assert link_keys("https://example.org/", [("en", "https://example.org/")]) == ([], False)  # itself alone


def test_source_bits() -> None:
    links = [
        {"rel": "alternate", "lang": lang, "href": href}
        for lang, href in (("en", "https://e.org/a"), ("de", "https://e.org/de/a"), ("x-default", "https://e.org/a"))
    ]
    batch = make_batch([{"url": url, "page": {"links": links}} for url in ("https://e.org/a", "https://e.org/de/a")])
    features = FeatureCache(batch)
    features.put("signal:language", pa.array(["eng_Latn", "deu_Latn"]))
    detector = Parallelism()
    detector.setup()
    english, german = detector(batch, features).columns["parallel_source"].to_pylist()
    assert english == IS_DEFAULT | NO_TOKEN | SITE_LANGUAGE
    assert not german & (IS_DEFAULT | NO_TOKEN | SITE_LANGUAGE)


def classified(text: str) -> list[tuple[int, int]]:
    from detectors.machine_translation import _native_parallel as native

    table, fold, _ = character_table()
    found = tokenise([text])
    return [
        tuple(
            int(value)
            for value in native.classify(
                found.chars, table, fold, start, end, 0, len(found.chars), False
            )
        )
        for start, end in zip(found.start.tolist(), found.end.tolist(), strict=True)
    ]  # fmt: skip


def test_numbers_without_their_separators() -> None:
    one = classified("1,234")[0]
    assert one[0] == 3
    for other in ("1.234", "1234", "١٢٣٤", "१२३४", "１２３４", "1234年", "1234th"):
        assert classified(other)[0] == one, other
    assert classified("7")[0][0] == 0  # one digit says nothing
    assert classified("1235")[0] != one


@pytest.mark.parametrize("word", ["amd64", "sources.list", "CamelCase", "DNS", "max_size", "v2"])
def test_code_is_strong(word: str) -> None:
    assert classified(word)[0][0] == 3


def test_names_are_weak_and_plain_words_nothing() -> None:
    assert classified("Debian")[0][0] == 2
    assert classified("Debian'ın")[0] == classified("Debian")[0]
    assert classified("l'UTF")[0] == classified("UTF")[0]
    assert classified("house")[0][0] == 0
    assert classified("don't")[0][0] == 0
    assert classified("--help")[-1][0] == 3
    assert classified("well-known")[-1][0] == 0


def test_versions_share_keys_and_others_do_not() -> None:
    rows = keys([{"text": manual(language, seed), "url": None} for seed in (1, 2) for language in SECTIONS])
    found = rows.column("parallel_keys").to_pylist()
    for version in (1, 2, 3):
        assert len(set(found[0]) & set(found[version])) >= 8, list(SECTIONS)[version]
        assert len(by_kind(found[0], TOKEN) & by_kind(found[4 + version], TOKEN)) <= 3
    assert not by_kind(found[0], URL)


def test_scores_part_versions_from_others() -> None:
    rows = keys([{"text": manual(language, seed), "url": None} for seed in range(6) for language in SECTIONS])
    sketches = rows.column("parallel_sketch").to_pylist()
    same = [(4 * s + a, 4 * s + b) for s in range(6) for a in range(4) for b in range(a)]
    other = [(4 * s + a, 4 * r + b) for s in range(6) for r in range(s) for a in range(4) for b in range(4) if a != b]
    for pairs, is_true in ((same, True), (other, False)):
        compared = compare_sketches([sketches[a] for a, _ in pairs], [sketches[b] for _, b in pairs])
        scores = score_pairs(np.zeros((len(pairs), len(KINDS))), compared)
        assert ((scores >= ACCEPTED) == is_true).mean() > 0.95
        assert ((score_sketches(compared) >= 2) == is_true).mean() > 0.95


def test_comparison_has_no_direction() -> None:
    rows = keys([{"text": manual(language, seed)} for seed in (1, 2) for language in SECTIONS] + [{"text": ""}])
    sketches = rows.column("parallel_sketch").to_pylist()
    there = [a for a in sketches for _ in sketches]
    back = [b for _ in sketches for b in sketches]
    first, second = compare_sketches(there, back), compare_sketches(back, there)
    np.testing.assert_allclose(first[:, :8], second[:, :8])
    np.testing.assert_allclose(first[:, 8], second[:, 8], atol=1e-9)
    np.testing.assert_allclose(first[:, 9:], -second[:, 9:], atol=1e-9)
    assert compare_sketches([], []).shape == (0, first.shape[1])


def test_an_address_does_not_outweigh_texts_that_differ() -> None:
    rows = keys([{"text": manual("eng", 1)}, {"text": manual("deu", 1)}, {"text": manual("deu", 2, sections=30)}])
    sketches = rows.column("parallel_sketch").to_pylist()
    evidence = np.zeros((2, len(KINDS)))
    evidence[:, URL] = 5000
    same, other = score_pairs(evidence, compare_sketches([sketches[0]] * 2, sketches[1:]))
    assert same >= ACCEPTED > other


def test_nats_are_bounded_and_raise_with_languages() -> None:
    found = [parallel_nats(n, False, 1.0) for n in range(1, 300)]
    assert found == sorted(found)
    assert found[:2] == [0.0, 0.0]
    assert max(found) == MOST_NATS <= SOFT_CAP_NATS
    assert parallel_nats(5, False, 1.0) == pytest.approx(0.5 * math.log(4))
    assert parallel_nats(5, None, 0.5) == pytest.approx(0.25 * math.log(4))
    assert parallel_nats(30, True, 1.0) == 0.0  # the original is no translation
    assert parallel_nats(None, None, None) == 0.0


def test_people_translate_into_many_languages_too() -> None:
    prior = math.log(PRIOR["machine_translated"] / PRIOR["human"])
    assert prior + parallel_nats(128, False, 1.0) < 0  # by itself it never makes machine-translated the likelier


def test_links_of_pages_are_keys() -> None:
    links = [{"rel": "alternate", "lang": tag, "href": f"https://e.org/{tag}/a"} for tag in ("en", "de", "fr")]
    rows = keys([{"url": f"https://e.org/{tag}/a", "page": {"links": links}} for tag in ("en", "de")])
    first, second = (by_kind(values, LINK) for values in rows.column("parallel_keys").to_pylist())
    assert first == second
    assert len(first) == 3
