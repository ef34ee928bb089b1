"""Statistics of a language model against plain definitions, and the supervised teacher on them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from detectors.ai_text import zero_shot
from detectors.ai_text.zero_shot import (
    FEWEST_TOKENS,
    TEACHER_COLUMNS,
    TOKEN_STATISTICS,
    WARM_UP,
    document_statistics,
    fit_teacher,
    out_of_fold,
    token_statistics,
)


def some_logits(tokens: int, words: int, seed: int = 0) -> tuple[zero_shot.Float32, zero_shot.Int64]:
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (tokens, words)).astype(np.float32), random.integers(0, words, tokens)


def slow_row(logits: list[float], seen: int, observer: list[float] | None = None) -> list[float]:
    """One token by the definitions, with Python's floats."""
    p = [math.exp(v) for v in logits]
    p = [v / sum(p) for v in p]
    entropy = -sum(v * math.log(v) for v in p)
    crossed = math.nan
    if observer is not None:
        q = [math.exp(v) for v in observer]
        crossed = -sum(v / sum(q) * math.log(w) for v, w in zip(q, p, strict=True))
    return [
        math.log(p[seen]),
        sum(v > p[seen] for v in p),
        entropy,
        sum(v * math.log(v) ** 2 for v in p) - entropy**2,
        math.log(max(p)),
        sum(v * v for v in p),
        sum(v for v in p if v <= p[seen]),
        crossed,
    ]


def test_tokens_are_measured_by_their_definitions() -> None:
    logits, ids = some_logits(40, 17)
    observer, _ = some_logits(40, 17, seed=1)
    found = token_statistics(logits, ids, observer)
    expected = [
        slow_row(row.tolist(), int(i), other.tolist()) for row, i, other in zip(logits, ids, observer, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    assert found.shape == (40, len(TOKEN_STATISTICS))
    alone = token_statistics(logits, ids)
    np.testing.assert_array_equal(alone[:, :-1], found[:, :-1])
    assert np.isnan(alone[:, -1]).all()


def test_forbidden_and_huge_logits() -> None:
    logits = np.array([[-np.inf, 1e4, 0.0], [-np.inf, 0.0, 0.0]], np.float32)
    found = token_statistics(logits, np.array([0, 1]))
    assert found[0].tolist()[:2] == [-np.inf, 2]  # a token that the model rules out, below both others
    assert found[0, 2] == 0  # all on one token
    np.testing.assert_allclose(found[1, :7], [-math.log(2), 0, math.log(2), 0, -math.log(2), 0.5, 1], atol=1e-6)
    tokens = np.tile(found[:1], (50, 1))
    assert np.isfinite(document_statistics(tokens)[:-1]).all()


def test_what_does_not_fit_is_refused() -> None:
    logits, ids = some_logits(5, 7)
    with pytest.raises(ValueError, match="do not fit"):
        token_statistics(logits, ids[:4])
    with pytest.raises(ValueError, match="vocabulary"):
        token_statistics(logits, ids + 7)
    with pytest.raises(ValueError, match="vocabulary"):
        token_statistics(logits, ids, logits[:, :6])
    assert token_statistics(logits[:0], ids[:0]).shape == (0, 8)


def slow_document(tokens: list[list[float]]) -> dict[str, float]:
    """Some statistics by their definitions, in plain Python."""
    held = tokens[WARM_UP:]
    n = len(held)
    lp, rank, entropy, variance, top = ([row[c] for row in held] for c in range(5))

    def sd(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))

    def correlation(a: list[float], b: list[float]) -> float:
        am, bm = sum(a) / len(a), sum(b) / len(b)
        return sum((x - am) * (y - bm) for x, y in zip(a, b, strict=True)) / (len(a) * sd(a) * sd(b))

    steps = [b - a for a, b in itertools.pairwise(lp)]
    windows = [sum(lp[i : i + 20]) / len(lp[i : i + 20]) for i in range(0, max(1, n - 19), 10)]
    log_rank = sum(math.log(1 + r) for r in rank) / n
    return {
        "lm_log_probability": sum(lp) / n,
        "lm_log_probability_sd": sd(lp),
        "lm_log_rank": log_rank,
        "lm_top_1": sum(r == 0 for r in rank) / n,
        "lm_top_10": sum(r < 10 for r in rank) / n,
        "lm_over_8_nats": sum(v < -8 for v in lp) / n,
        # Fast-DetectGPT's discrepancy is sum(lp + H) / sqrt(sum variance); here without its growth by sqrt(n)
        "lm_discrepancy": sum(map(sum, zip(lp, entropy, strict=True))) / math.sqrt(sum(variance)) / math.sqrt(n),
        "lm_likelihood_rank_ratio": -sum(lp) / n / (log_rank + 0.05),
        "lm_gap_to_top": sum(a - b for a, b in zip(lp, top, strict=True)) / n,
        "lm_step_sd": sd(steps),
        "lm_second_step_sd": sd([b - a for a, b in itertools.pairwise(steps)]),
        "lm_step_mean": sum(map(abs, steps)) / len(steps),
        "lm_autocorrelation": correlation(lp[1:], lp[:-1]),
        "lm_window_sd": sd(windows),
        "lm_expectation_correlation": correlation(lp, [-h for h in entropy]),
        "lm_binoculars": sum(lp) / -sum(row[7] for row in held),
    }


@pytest.mark.parametrize("tokens", [WARM_UP + FEWEST_TOKENS, 29, 150])
def test_documents_are_measured_by_their_definitions(tokens: int) -> None:
    logits, ids = some_logits(tokens, 30, seed=tokens)
    measured = token_statistics(logits, ids, some_logits(tokens, 30, seed=5)[0])
    found = dict(zip(TEACHER_COLUMNS, document_statistics(measured), strict=True))
    for name, value in slow_document(measured.astype(float).tolist()).items():
        assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert all(map(math.isfinite, found.values()))


def test_short_and_constant_documents() -> None:
    logits, ids = some_logits(WARM_UP + FEWEST_TOKENS, 9)
    whole = token_statistics(logits, ids)
    for tokens in (0, 1, WARM_UP + FEWEST_TOKENS - 1):
        assert np.isnan(document_statistics(whole[:tokens])).all()
    same = dict(zip(TEACHER_COLUMNS, document_statistics(np.tile(whole[:1], (60, 1))), strict=True))
    for name in (
        "lm_log_probability_sd",
        "lm_step_sd",
        "lm_autocorrelation",
        "lm_standardised_kurtosis",
        "lm_window_sd",
    ):
        assert same[name] == pytest.approx(0, abs=1e-6), name
    assert same["lm_slow_share"] == 0.25
    assert [name for name, value in same.items() if not math.isfinite(value)] == ["lm_binoculars"]


def test_text_sampled_from_the_model_looks_like_the_model() -> None:
    """Known values: under its own model the discrepancy has mean 0, and the likeliest text lies above it."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 200)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    sampled = (p.cumsum(1) > random.random((4000, 1))).argmax(1)

    def of(ids: zero_shot.Int64) -> dict[str, float]:
        return dict(zip(TEACHER_COLUMNS, document_statistics(token_statistics(logits, ids)), strict=True))

    own, greedy, foreign = of(sampled), of(logits.argmax(1)), of(random.integers(0, 200, 4000))
    assert abs(own["lm_discrepancy"]) < 0.05  # 3 sd of a mean over 4,000 tokens
    assert own["lm_standardised_sd"] == pytest.approx(1, abs=0.1)
    assert foreign["lm_discrepancy"] < -0.5 < 0.5 < greedy["lm_discrepancy"]
    assert greedy["lm_top_1"] == 1


def corpus(seed: int, documents: int = 120) -> tuple[zero_shot.Float64, zero_shot.Bool, list[str]]:
    """Statistics where human documents lie in the middle, and two generators at both ends, in two sources."""
    random = np.random.default_rng(seed)
    labels = np.arange(documents) % 2 == 1
    end = np.where(np.arange(documents) % 4 == 1, 3.0, -3.0) * labels
    statistics = random.normal(size=(documents, len(TEACHER_COLUMNS)))
    statistics[:, 0] += end
    statistics[:, -1] = np.nan
    return statistics, labels, [f"source{n % 3}" for n in range(documents)]


def auc(scores: zero_shot.Float64, labels: zero_shot.Bool) -> float:
    pairs = scores[labels][:, None] - scores[~labels]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_the_teacher_sees_both_ends_of_a_statistic() -> None:
    statistics, labels, groups = corpus(0, 400)
    fresh, truth, _ = corpus(1, 400)
    teacher = fit_teacher(statistics, labels, groups)
    assert abs(auc(fresh[:, 0], truth) - 0.5) < 0.1  # in one direction the statistic says nothing
    assert auc(teacher.score(fresh), truth) > 0.9
    both = np.full((2, len(TEACHER_COLUMNS)), 0.0)
    both[:, 0] = -4, 4
    assert (teacher.score(both) > 0).all()


def test_scores_are_standardised_and_deterministic() -> None:
    statistics, labels, groups = corpus(2, 300)
    outside = out_of_fold(statistics, labels, groups)
    human, machine = outside[~labels], outside[labels]
    assert (human.mean() + machine.mean()) / 2 == pytest.approx(0, abs=1e-9)
    assert ((human**2).mean() + (machine**2).mean()) / 2 == pytest.approx(1)
    again = fit_teacher(statistics, labels, groups)
    np.testing.assert_array_equal(again.score(statistics), fit_teacher(statistics, labels, groups).score(statistics))
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = fit_teacher(statistics[order], labels[order], [groups[i] for i in order])
    np.testing.assert_allclose(shuffled.score(statistics), again.score(statistics), rtol=1e-6)


def test_shuffled_labels_teach_nothing() -> None:
    statistics, labels, groups = corpus(4, 400)
    wrong = np.random.default_rng(9).permutation(labels)
    assert abs(auc(out_of_fold(statistics, wrong, groups), wrong) - 0.5) < 0.1
    assert auc(out_of_fold(statistics, labels, groups), labels) > 0.8


def test_a_left_out_group_does_not_teach_itself() -> None:
    """A statistic that holds in one source only: inside it is certain, out of fold it is worth nothing there."""
    statistics, labels, groups = corpus(5, 300)
    statistics[:, 0] = np.random.default_rng(0).normal(size=300)
    inside = np.array([group == "source0" for group in groups])
    statistics[inside, 3] = 5.0 * labels[inside]
    statistics[~inside, 3] = np.random.default_rng(1).permutation(statistics[inside, 3].repeat(2))
    assert abs(auc(out_of_fold(statistics, labels, groups)[inside], labels[inside]) - 0.5) < 0.25
    alone = np.flatnonzero(inside)
    one = fit_teacher(statistics[alone], labels[alone], ["source0"] * len(alone))
    assert auc(one.score(statistics[alone]), labels[alone]) > 0.99


def test_missing_statistics() -> None:
    statistics, labels, groups = corpus(6)
    statistics[::10] = np.nan
    statistics[5, 2] = np.nan
    scores = fit_teacher(statistics, labels, groups).score(statistics)
    assert np.isnan(scores).tolist() == [n % 10 == 0 for n in range(len(labels))]
    assert np.isnan(out_of_fold(statistics, labels, groups)).tolist() == np.isnan(scores).tolist()
    with pytest.raises(ValueError, match="needs 10 of each"):
        fit_teacher(statistics[:30], np.zeros(30, bool), groups[:30])
    with pytest.raises(ValueError, match="shape"):
        fit_teacher(statistics[:, :4], labels, groups)
    with pytest.raises(ValueError, match="different numbers"):
        fit_teacher(statistics, labels, groups[:-1])
