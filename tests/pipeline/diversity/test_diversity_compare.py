"""Metrics by hand, and what raises an alarm."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from pipeline.diversity import stratum
from pipeline.diversity.compare import Metric, compare
from pipeline.diversity.corpus import encode
from pipeline.diversity.definitions import METRICS
from pipeline.diversity.sample import Sample, measure
from pipeline.diversity.show import TOO_LITTLE, describe, headline, html_fragment, table
from pipeline.diversity.stratum import divergence, entropy, histogram, spread, zipf_exponent

DRAWS = 40


@cache
def corpus(
    seed: int, documents: int = 200, language: str = "eng", words: int = 5_000, alphabet: str = "", hosts: int = 60
) -> Sample:
    """Texts whose words follow Zipf's law, from hosts with topics of their own."""
    draw = np.random.default_rng(seed)
    letters = alphabet or "abcdefghijklmnopqrstuvwxyz"
    names = ["".join(letters[(n * (k + 3) + k * k) % len(letters)] for k in range(4)) + f"{n}" for n in range(words)]
    if alphabet:  # a script without spaces: each letter is a word
        names = [chr(ord(alphabet) + n) for n in range(words)]
    texts, ids, sites, kinds = [], [], [], []
    for n in range(documents):
        size = int(draw.integers(40, 160))
        ranks = np.minimum(draw.zipf(1.3, size) - 1, words - 1)
        text = ("" if alphabet else " ").join(names[(rank + n % 60 * 3 * (rank > 50)) % words] for rank in ranks)
        texts.append(text)
        ids.append(f"{seed}-{n}")
        sites.append(f"h{n % hosts}.example" if hosts else None)
        kinds.append(("article", "forum")[n % 2])
    return measure(ids, texts, hosts=sites, page_types=kinds, languages=[language] * documents)


def by_name(metrics: list[Metric], name: str = "all") -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics if metric.stratum == name}


def test_entropy_and_divergence_by_hand() -> None:
    assert entropy(np.array([1, 1, 0, 2])) == pytest.approx(1.5 * math.log(2))
    assert entropy(np.array([5])) == 0
    assert divergence(np.array([1, 0]), np.array([0, 3])) == 1
    assert divergence(np.array([2, 2]), np.array([1, 1])) == 0
    # (1, 0) against (1/2, 1/2): (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2
    assert divergence(np.array([1, 0]), np.array([1, 1])) == pytest.approx(0.311278, abs=1e-6)
    assert math.isnan(divergence(np.array([0, 0]), np.array([1, 1])))
    assert histogram(np.array([2, -1, 2, 0]), np.array([3])).tolist() == [1, 0, 2, 0]


def test_zipf_exponent_of_the_law_itself() -> None:
    ranks = np.arange(1, 3_000)
    assert zipf_exponent(np.round(1e7 / ranks).astype(np.int32)) == pytest.approx(1.0, abs=0.001)
    assert zipf_exponent(np.round(1e7 / ranks**1.5).astype(np.int32)) == pytest.approx(1.5, abs=0.01)
    assert zipf_exponent(np.array([100, 3], np.int32)) == pytest.approx(0)  # no word at any of the ranks


def test_words_pairs_and_triples_by_hand() -> None:
    from pipeline.diversity._tally import tally

    rows = measure(["a", "b"], ["x y x y", "x z"]).rows.sort_by([("kept", "descending")])
    found = encode(rows, rows.slice(0, 0))
    order = np.array([0, 1])

    def counted(limit: int) -> tuple[list[int], tuple[int, ...]]:
        counts = np.zeros(len(found.forms), np.int32)
        met = [np.zeros(10, np.int32), np.zeros(10, np.int32)]
        totals = tally(order, found.bounds, found.words, found.pairs, found.triples, limit, counts, *met, np.int32(1))
        return sorted(counts.tolist()), totals

    assert counted(6) == ([1, 2, 3], (3, 4, 2, 2))  # xy yx xz; xyx yxy; no pair across documents
    assert counted(5) == ([0, 2, 3], (2, 3, 2, 2))
    assert counted(100) == counted(6)


def test_capitals_inside_sentences() -> None:
    rows = measure(["a"], ["The man met Ann.\nBob saw The Hague, and Émile"]).rows
    found = encode(rows, rows.slice(0, 0))
    inside = found.words[found.inside]
    assert len(inside) == 4  # Ann, The, Hague, Émile; neither after a full stop nor at the beginning of a line


def test_human_against_human_raises_no_alarm() -> None:
    metrics = compare(corpus(1), corpus(2), draws=DRAWS)
    assert {metric.name for metric in metrics} >= set(METRICS) - {"entities_kept", "language_divergence"}
    assert not [metric.name for metric in metrics if metric.alarm]
    assert compare(corpus(1), corpus(2), draws=DRAWS) == metrics
    assert "No loss" in headline(metrics)


def test_a_corpus_against_itself_raises_no_alarm() -> None:
    metrics = compare(corpus(1), corpus(1), draws=DRAWS)
    assert not [metric.name for metric in metrics if metric.alarm]


@pytest.mark.full
def test_few_false_alarms() -> None:
    alarms = sum(any(m.alarm for m in compare(corpus(n), corpus(n + 50), seed=n, draws=DRAWS)) for n in range(12))
    assert alarms <= 3  # at 5 %, a chance of 2 in 1,000


def test_a_collapsed_corpus_raises_alarms() -> None:
    metrics = by_name(compare(corpus(3, words=400), corpus(2), draws=DRAWS))
    for name in ("vocabulary_kept", "missing_mass", "distinct_1", "distinct_2", "zipf_slope"):
        assert metrics[name].alarm, name
        assert METRICS[name].loss * (metrics[name].relative or 0) > 0.02


def test_lost_tails_raise_an_alarm() -> None:
    whole = corpus(3)
    counts = Counter(word for text in whole.rows.column("text").to_pylist() for word in text.split())
    texts = [
        " ".join(word for word in text.split() if counts[word] > 5) for text in whole.rows.column("text").to_pylist()
    ]
    metrics = by_name(compare(measure([str(n) for n in range(len(texts))], texts), corpus(2), draws=DRAWS))
    assert metrics["tail_mass"].alarm
    assert metrics["tail_mass"].value < 0.8 * metrics["tail_mass"].low


def test_repetition_raises_alarms() -> None:
    whole = corpus(2)
    part = Sample(whole.words, whole.documents, whole.rows.slice(0, 30))
    copies = pa.array([10] * 30, pa.int32())
    again = Sample(part.words, part.documents, part.rows.set_column(8, part.rows.schema.field("copies"), copies))
    metrics = by_name(compare(again, corpus(1), draws=DRAWS))
    assert metrics["missing_mass"].alarm
    assert metrics["distinct_3"].alarm
    assert metrics["compression_ratio"].alarm


def test_few_hosts_raise_an_alarm_of_hosts() -> None:
    metrics = by_name(compare(corpus(1, hosts=5), corpus(2), draws=DRAWS))
    assert metrics["effective_hosts"].alarm
    assert metrics["host_divergence"].alarm
    assert metrics["effective_hosts"].value == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize("first", ["一", "ก"])
def test_scripts_without_spaces(first: str) -> None:
    words = 40 if first == "ก" else 3_000
    metrics = compare(corpus(1, language="zho", words=words, alphabet=first), corpus(2, words=words, alphabet=first))
    assert by_name(metrics)["distinct_1"].words > 2_000
    assert not [metric.name for metric in metrics if metric.alarm and metric.name != "language_divergence"]


def test_strata_by_language() -> None:
    def both(one: int, other: int, words: int) -> Sample:
        return corpus(one).merge(corpus(other, language="deu", words=words))

    metrics = compare(both(1, 3, 300), both(2, 4, 5_000), draws=DRAWS)
    assert list(dict.fromkeys(metric.stratum for metric in metrics)) == ["all", "deu", "eng"]
    assert by_name(metrics, "deu")["vocabulary_kept"].alarm
    assert not [metric.name for metric in metrics if metric.alarm and metric.stratum == "eng"]
    assert "alarm: deu: vocabulary kept" in "\n".join(describe(metrics))


def test_a_language_that_is_lost_shows_in_the_whole() -> None:
    reference = corpus(2).merge(corpus(4, language="deu"))
    metrics = compare(corpus(1, documents=400), reference, draws=DRAWS)
    assert by_name(metrics)["language_divergence"].alarm


def test_too_little_text_says_nothing() -> None:
    nothing, one = measure([], []), measure(["a"], ["one document"])
    huge = measure(["a"], ["word " * 1_000_000])
    for part in (nothing, one, huge):
        assert compare(part, corpus(1), draws=5) == []
        assert compare(corpus(1), part, draws=5) == []
    assert describe([]) == [TOO_LITTLE] == [headline([])]
    assert TOO_LITTLE in html_fragment([])


def test_one_host_holds_most_of_the_reference() -> None:
    metrics = by_name(compare(corpus(1, hosts=2), corpus(2, hosts=2), draws=DRAWS))
    assert not [name for name, metric in metrics.items() if metric.alarm]  # halves by document


def test_a_mix_without_hosts_is_measured_without_them() -> None:
    names = by_name(compare(corpus(1, hosts=0), corpus(2), draws=DRAWS))
    assert "distinct_1" in names
    assert "effective_hosts" not in names


def test_values_for_json_and_for_people() -> None:
    metrics = compare(corpus(3, words=400), corpus(2), draws=DRAWS)
    for metric in metrics:
        found = json.loads(json.dumps(metric.as_dict(), allow_nan=False))
        assert found["name"] in METRICS
        assert found["low"] <= found["reference"] <= found["high"]
        assert (found["relative"] is None) == METRICS[metric.name].divergence
    lines = describe(metrics)
    assert lines[0].startswith("Less diverse than the human reference:")
    assert len(lines) == 1 + sum(metric.outside for metric in metrics)
    assert "vocabulary kept" in table(metrics)
    page = html_fragment(metrics)
    assert page.count('<svg class="bar"') == len(metrics)
    assert '<p class="alarm">' in page
    assert page.count("<tr") == page.count("</tr>")


def test_names_of_strata_are_escaped() -> None:
    metric = compare(corpus(1), corpus(2), draws=5)[0]
    page = html_fragment([Metric(**{**metric.as_dict(), "stratum": "<b>"})])
    assert "<b>" not in page


def test_spread_is_the_same_everywhere() -> None:
    values = np.array([0, 1, 2**63], np.uint64)
    # splitmix64 of its own state, Steele et al. 2014
    assert spread(values ^ np.uint64(0x9E3779B97F4A7C15), np.uint64(0))[0] == 0xE220A8397B1DCDAF
    assert len(set(spread(values, np.uint64(7)).tolist())) == 3
    assert random.Random(0).random() < 1
    assert stratum.ZIPF_RANKS[0] == 10
    assert stratum.ZIPF_RANKS[-1] == 1000
