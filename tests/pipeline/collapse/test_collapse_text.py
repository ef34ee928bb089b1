"""Bigram models, corpora and generations of `headwater collapse`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from collapse_texts import make_texts

from pipeline.collapse import bigrams
from pipeline.collapse.corpus import LEAST_TOKENS, choose_tokens, needed, read_corpus
from pipeline.collapse.text import MEASURES, collapses, draw_lines, make_reference, simulate_seed, text_case
from pipeline.collapse.workflows import all_workflows
from schemas.config import ConfigError

SMALL = np.array([1, 2, 0, 1, 3, 0, 2, 2, 1, 0, 1, 2, 3, 0], np.int32)


def test_probabilities_sum_to_one_after_every_word() -> None:
    model = bigrams.train(SMALL, 6)
    every = np.arange(6, dtype=np.int32)
    for word in range(6):
        found = bigrams.probabilities(model, np.full(6, word, np.int32), every)
        assert found.sum() == pytest.approx(1)
        assert found.min() > 0  # words 4 and 5 were never seen


def test_kneser_ney_by_hand() -> None:
    model = bigrams.train(np.array([1, 2, 0, 1, 2, 0, 1, 3, 0], np.int32), 4)
    # Pairs: 0-1 three times, 1-2 and 2-0 twice, 1-3 and 3-0 once; n1 = 2, n2 = 2, so D = 2/6. Words before: 0 has two,
    # 1, 2, 3 have one; n1 = 3, n2 = 1, so E = 3/5.
    assert model.discount == pytest.approx(1 / 3)
    assert model.lower_discount == pytest.approx(3 / 5)
    lower = (1 - 3 / 5) / 5 + (3 / 5) * 4 / 5 / 4
    expected = (2 - 1 / 3) / 3 + (1 / 3) * 2 / 3 * lower
    found = bigrams.probabilities(model, np.array([1], np.int32), np.array([2], np.int32))
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.5])
def test_sampling_has_the_tempered_probabilities(temperature: float) -> None:
    model = bigrams.train(SMALL, 4)
    written = bigrams.write(model, 400_000, temperature, 1)
    before = np.concatenate((np.zeros(1, np.int32), written[:-1]))
    for word in range(4):
        exact = bigrams.probabilities(model, np.full(4, word, np.int32), np.arange(4, dtype=np.int32))
        exact = exact ** (1 / temperature)
        exact[0] *= word != 0  # no empty line
        counts = np.bincount(written[before == word], minlength=4)
        assert counts / counts.sum() == pytest.approx(exact / exact.sum(), abs=0.006)


def test_a_model_writes_only_what_it_has_met() -> None:
    written = bigrams.write(bigrams.train(SMALL, 50), 5_000, 1.0, 3)
    assert set(written.tolist()) == {0, 1, 2, 3}
    one = bigrams.write(bigrams.train(np.array([1, 1, 1, 1], np.int32), 2), 100, 0.5, 3)
    assert set(one.tolist()) == {1}


def test_corpus_does_not_depend_on_order_or_copies() -> None:
    texts = make_texts(8_000)
    found = read_corpus(texts, 3_000)
    again = read_corpus([*texts[::-1], *texts[:7], "", " \n "], 3_000)
    assert np.array_equal(found.words, again.words)
    assert np.array_equal(found.documents, again.documents)
    assert 3_000 <= len(found.words) < 3_300
    assert found.words.max() == found.vocabulary - 1


def test_corpus_of_odd_text() -> None:
    assert len(read_corpus([], 100).words) == 0
    assert len(read_corpus(["", "\n\n"], 100).words) == 0
    one = read_corpus(["word"], 100)
    assert one.words.tolist() == [1, 0]
    long = read_corpus(["a b c d " * 100_000, "x" * 10_000_000], 10**9)
    assert len(long.words) <= 2_001 + 2
    assert read_corpus(["你好世界"], 100).words.size == 5  # a word for each character, and the end of the line
    assert read_corpus(["\ud800 broken"], 100).words.size > 1


def test_too_little_text_says_what_is_missing() -> None:
    corpus = read_corpus(["one word"], 10**6)
    with pytest.raises(ConfigError, match=r"holds 3 tokens of text, and 4,100 are needed"):
        choose_tokens(corpus, None, 0.3, 8)
    corpus = read_corpus(make_texts(9_000), 10**6)
    with pytest.raises(ConfigError, match="or fewer --tokens"):
        choose_tokens(corpus, 5_000, 0.3, 8)
    assert choose_tokens(corpus, 2_000, 0.3, 8) == needed(2_000, 0.3, 8)
    chosen = choose_tokens(corpus, None, 0.3, 8)
    assert chosen.human > LEAST_TOKENS
    assert len(corpus.words) - 10 < chosen.total <= len(corpus.words)


def test_parts_of_a_seed_are_apart() -> None:
    corpus = read_corpus([f"t{n}" for n in range(5_000)], 10**6)  # each word in one document
    parts = corpus.parts(needed(1_000, 0.5, 4), 2)
    assert [len(part) for part in parts] == [1_000, 1_000, 1_500]
    for one, other in itertools.combinations(parts, 2):
        assert not set(one.tolist()) & set(other.tolist()) - {0}
    assert not np.array_equal(parts[0], corpus.parts(needed(1_000, 0.5, 4), 3)[0])


@pytest.mark.parametrize("spaces", [True, False], ids=["words", "characters"])
def test_replace_collapses_and_fresh_text_prevents_it(spaces: bool) -> None:
    corpus = read_corpus(make_texts(20_000, spaces=spaces), 10**6)
    shares = choose_tokens(corpus, 4_000, 0.3, 8)
    workflows = all_workflows((0.3,))
    runs = [(0.8, workflow) for workflow in workflows]
    values = np.array([simulate_seed(corpus, shares, runs, 8, seed) for seed in range(3)])
    assert np.array_equal(values[1], simulate_seed(corpus, shares, runs, 8, 1))
    assert values.shape == (3, 4, 8, len(MEASURES))
    cases = {workflow.name: text_case(workflow, 0.8, values[:, at]) for at, workflow in enumerate(workflows)}
    assert {name: case["collapses"] for name, case in cases.items()} == {
        "replace": True, "fresh_0.3": False, "accumulate": False, "budget": False,
    }  # fmt: skip
    replace, fresh = cases["replace"]["figures"], cases["fresh_0.3"]["figures"]
    assert replace["perplexity"]["mean"][-1] > 2 * fresh["perplexity"]["mean"][-1]
    assert replace["data_vocabulary"]["mean"][-1] < 0.1 < 0.4 < fresh["data_vocabulary"]["mean"][-1]
    assert replace["data_vocabulary"]["mean"][0] == 1
    assert replace["distinct_3"]["mean"][-1] < fresh["distinct_3"]["mean"][-1]


def test_one_word_again_and_again() -> None:
    corpus = read_corpus([f"{'ha ' * n}" for n in range(1, 120)], 10**6)
    shares = choose_tokens(corpus, None, 0.3, 3)
    values = simulate_seed(corpus, shares, [(0.8, one) for one in all_workflows((0.3,))], 3, 0)
    assert np.isfinite(values).all()


def test_criterion() -> None:
    assert collapses([100.0, 500.0, 900.0], [1.0, 0.9, 0.8])
    assert not collapses([100.0, 900.0, 890.0], [1.0, 0.9, 0.8])  # does not grow any more
    assert not collapses([100.0, 200.0, 300.0], [1.0, 0.9, 0.8])
    assert collapses([100.0, 90.0, 80.0], [1.0, 0.2, 0.09])


def test_lines_are_drawn_whole() -> None:
    text = np.array([1, 1, 0, 2, 0, 3, 3, 3, 0], np.int32)
    for seed in range(5):
        drawn = draw_lines(text, 9, np.random.default_rng(seed))
        assert sorted(drawn.tolist()) == sorted(text.tolist())
        assert len(draw_lines(text, 4, np.random.default_rng(seed))) == 4
    assert draw_lines(np.array([5, 5], np.int32), 1, np.random.default_rng(0)).tolist() == [5]


def test_reference_is_relative_to_people() -> None:
    corpus = read_corpus(make_texts(40_000), 10**6)
    held_out, human, _ = corpus.parts(needed(2_000, 0.0, 2), 0)
    reference = make_reference(corpus, held_out, human)
    counts = np.bincount(corpus.words)
    counts[0] = 0
    assert 0 < counts[reference.rare].sum() <= 0.1 * counts.sum()
    assert counts[reference.rare].max() < counts[~reference.rare & (counts > 0)].min()
