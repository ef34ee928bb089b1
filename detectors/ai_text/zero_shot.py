r"""Statistics of a text under a causal language model, and a supervised teacher on them.

A language model says for each token what could have come instead. Measured per token (`token_statistics`), then per
document (`document_statistics`), this shows whether a text is likelier, steadier or more even than people write.

No statistic is read in one direction: text of chat models is too likely under a small model, text sampled with
penalties on repetition or at a high temperature is too unlikely, and so one threshold on perplexity has an AUC of .92
on one source and of .24 on another. `fit_teacher` is therefore supervised, on the normal scores of the statistics *and
their squares*, so that both ends of a statistic can speak for a machine.

Sources, by the short names used below:
  GLTR       Gehrmann et al. 2019, https://arxiv.org/abs/1906.04043 (rank buckets, entropy)
  DetectGPT  Mitchell et al. 2023, https://arxiv.org/abs/2301.11305 (log-probability and log-rank baselines)
  LRR        Su et al. 2023, https://arxiv.org/abs/2306.05540 (likelihood / log-rank ratio)
  Fast       Bao et al. 2024, https://arxiv.org/abs/2310.05130 (Fast-DetectGPT: conditional probability curvature)
  Binoculars Hans et al. 2024, https://arxiv.org/abs/2401.12070 (perplexity / cross-perplexity of two models)
  Fourier    Xu et al. 2024, https://arxiv.org/abs/2406.19874 (spectrum of surprisal)
  UID        Venkatraman et al. 2024, https://arxiv.org/abs/2310.06202 (uniform information density: surprisal steps)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

STATISTICS_VERSION = 1  # changes with any number that `document_statistics` returns

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

# Columns of the per-token array. p is the model's distribution before the token x; natural logarithms throughout.
TOKEN_STATISTICS = (
    "log_probability",  # log p(x)
    "rank",  # number of tokens that are more probable than x
    "entropy",  # H = -sum p log p
    "variance",  # of log p under p: sum p (log p)^2 - H^2
    "top",  # log p of the most probable token
    "collision",  # sum p^2
    "tail",  # probability of all tokens that are at most as probable as x
    "cross_entropy",  # -sum q log p, q the observer's distribution; NaN with one model
)
LOG_PROBABILITY, RANK, ENTROPY, VARIANCE, TOP, COLLISION, TAIL, CROSS_ENTROPY = range(len(TOKEN_STATISTICS))

WARM_UP = 3  # tokens left out at the start: without context their surprisal says how a text begins, not who wrote it
FEWEST_TOKENS = 8  # with fewer after the warm-up, steps and correlations mean nothing: null
WINDOW, WINDOW_STEP = 20, 10  # tokens: stretches whose mean log-probability is compared
TEACHER_WEIGHT = 0.6  # of the teacher beside the student, both standardised; chosen on left-out sources

_RIDGE = 40.0  # penalty of the logistic regression, on normal scores of documents that weigh 1 on average
_QUANTILES = 100  # knots of the quantile normalisation
_MOST_GROUPS = 8  # folds of the inner calibration


def token_statistics(logits: Float32, ids: Int64, observer: Float32 | None = None) -> Float32:
    """Statistics of each token under a model.

    Args:
        logits: (tokens, vocabulary) raw scores; row t is the model's output before token t.
        ids: (tokens,) the tokens that came.
        observer: logits of a second model with the same vocabulary, for Binoculars.

    Returns:
        (tokens, 8) in the order of `TOKEN_STATISTICS`.

    Raises:
        ValueError: shapes that do not fit, or an id outside the vocabulary.
    """
    from detectors.ai_text._token_statistics import measure, measure_cross

    ids = np.ascontiguousarray(ids, dtype=np.int64)
    if logits.ndim != 2 or ids.shape != logits.shape[:1]:
        raise ValueError(f"logits of shape {logits.shape} do not fit {ids.shape} tokens")
    if observer is not None and observer.shape != logits.shape:
        raise ValueError(f"the observer's vocabulary has {observer.shape[-1]} tokens, the model's {logits.shape[-1]}")
    if len(ids) and not 0 <= ids.min() <= ids.max() < logits.shape[1]:
        raise ValueError("a token id lies outside the vocabulary")
    out = np.full((len(ids), len(TOKEN_STATISTICS)), np.nan, np.float32)
    if len(ids):
        measure(np.ascontiguousarray(logits, dtype=np.float32), ids, out)
        if observer is not None:
            measure_cross(
                np.ascontiguousarray(logits, dtype=np.float32), np.ascontiguousarray(observer, dtype=np.float32), out
            )
    return out


def _correlation(a: Float64, b: Float64) -> float:
    """Pearson's, 0 where either side is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-9 * len(a) else 0.0


def _window_spread(values: Float64) -> float:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    starts = np.arange(0, max(1, len(values) - WINDOW + 1), WINDOW_STEP)
    ends = np.minimum(starts + WINDOW, len(values))
    return float(((sums[ends] - sums[starts]) / (ends - starts)).std())


def _slow_share(values: Float64) -> float:
    """Share of the power of a series in the slowest quarter of its frequencies; .25 for white noise."""
    power = np.abs(np.fft.rfft(values - values.mean()))[1:] ** 2
    total = float(power.sum())
    return float(power[: max(1, len(power) // 4)].sum()) / total if total > 1e-9 else 0.25


@dataclass(frozen=True, slots=True)
class _Series:
    """What the statistics of a document are computed from; all (tokens,), warm-up left out."""

    lp: Float64
    log_rank: Float64  # log(1 + rank)
    rank: Float64
    entropy: Float64
    variance: Float64
    top: Float64
    collision: Float64
    tail: Float64
    cross: Float64
    standardised: Float64  # (log p + H) / sd: how surprising beyond what the model expected
    step: Float64  # change of log p from one token to the next


def _surprise(s: _Series) -> float:
    return float((s.lp + s.entropy).mean() / np.sqrt(s.variance.mean() + 1e-6))


# One entry per column: name -> formula, with its source. Order is that of `TEACHER_COLUMNS`.
_FORMULAS: dict[str, Callable[[_Series], float]] = {
    "lm_log_probability": lambda s: float(s.lp.mean()),  # DetectGPT
    "lm_log_probability_sd": lambda s: float(s.lp.std()),
    "lm_log_rank": lambda s: float(s.log_rank.mean()),  # DetectGPT
    "lm_top_1": lambda s: float((s.rank < 1).mean()),  # GLTR
    "lm_top_10": lambda s: float((s.rank < 10).mean()),  # GLTR
    "lm_top_100": lambda s: float((s.rank < 100).mean()),  # GLTR
    "lm_beyond_1000": lambda s: float((s.rank >= 1000).mean()),  # GLTR
    "lm_over_8_nats": lambda s: float((s.lp < -8).mean()),  # names and facts that a small sampler does not come up with
    "lm_entropy": lambda s: float(s.entropy.mean()),  # GLTR
    # Fast: sum(log p + H) / sqrt(sum variance), divided by sqrt(tokens) so that length does not scale it
    "lm_discrepancy": _surprise,
    "lm_likelihood_rank_ratio": lambda s: float(-s.lp.mean() / (s.log_rank.mean() + 0.05)),  # LRR
    "lm_gap_to_top": lambda s: float((s.lp - s.top).mean()),
    "lm_log_probability_q05": lambda s: float(np.quantile(s.lp, 0.05)),
    "lm_log_probability_q10": lambda s: float(np.quantile(s.lp, 0.1)),
    "lm_log_probability_q50": lambda s: float(np.quantile(s.lp, 0.5)),
    "lm_step_sd": lambda s: float(s.step.std()),  # UID
    "lm_second_step_sd": lambda s: float(np.diff(s.step).std()),  # UID
    "lm_autocorrelation": lambda s: _correlation(s.lp[1:], s.lp[:-1]),
    "lm_window_sd": lambda s: _window_spread(s.lp),
    "lm_entropy_sd": lambda s: float(s.entropy.std()),
    "lm_expectation_correlation": lambda s: _correlation(s.lp, -s.entropy),
    "lm_collision": lambda s: float(s.collision.mean()),
    "lm_standardised_sd": lambda s: float(s.standardised.std()),
    # Where in the model's distribution the token lies: text sampled from it has a tail that is uniform on [0, 1] up to
    # steps, text sampled from its head (nucleus, top-k) has none near 0.
    "lm_tail": lambda s: float(s.tail.mean()),
    "lm_tail_below_1": lambda s: float((s.tail < 0.01).mean()),
    "lm_tail_below_10": lambda s: float((s.tail < 0.1).mean()),
    "lm_standardised_skew": lambda s: _moment(s.standardised, 3),
    "lm_standardised_kurtosis": lambda s: _moment(s.standardised, 4),
    "lm_step_mean": lambda s: float(np.abs(s.step).mean()),  # UID
    "lm_slow_share": lambda s: _slow_share(s.lp),  # Fourier
    "lm_standardised_autocorrelation": lambda s: _correlation(s.standardised[1:], s.standardised[:-1]),
    # Binoculars: log perplexity / log cross-perplexity, of the model that is named under the observer
    "lm_binoculars": lambda s: float(-s.lp.mean() / (s.cross.mean() + 1e-6)),
}
TEACHER_COLUMNS: tuple[str, ...] = tuple(_FORMULAS)


def _moment(values: Float64, order: int) -> float:
    """Standardised central moment, cut at 50 so that one token does not decide; 0 for a constant."""
    centred = values - values.mean()
    scale = float(centred.std())
    return float(np.clip((centred**order).mean() / scale**order, -50, 50)) if scale > 1e-6 else 0.0


def document_statistics(tokens: Float32) -> Float64:
    """Statistics of one document, (len(TEACHER_COLUMNS),); NaN for what cannot be said.

    `tokens` is what `token_statistics` returns. With fewer than `FEWEST_TOKENS` tokens after the warm-up all are NaN,
    and `lm_binoculars` is NaN without an observer. Values are finite otherwise, whatever the text.
    """
    held = np.asarray(tokens, dtype=np.float64)[WARM_UP:]
    if len(held) < FEWEST_TOKENS:
        return np.full(len(TEACHER_COLUMNS), np.nan)
    # A model that forbids a token gives it -inf.
    held[:, [LOG_PROBABILITY, TOP]] = np.maximum(held[:, [LOG_PROBABILITY, TOP]], -100.0)
    held[:, CROSS_ENTROPY] = np.minimum(held[:, CROSS_ENTROPY], 100.0)
    lp, entropy, variance = held[:, LOG_PROBABILITY], held[:, ENTROPY], held[:, VARIANCE]
    series = _Series(
        lp=lp,
        log_rank=np.log1p(held[:, RANK]),
        rank=held[:, RANK],
        entropy=entropy,
        variance=variance,
        top=held[:, TOP],
        collision=held[:, COLLISION],
        tail=held[:, TAIL],
        cross=held[:, CROSS_ENTROPY],
        standardised=(lp + entropy) / np.sqrt(variance + 1e-3),
        step=np.diff(lp),
    )
    return np.array([formula(series) for formula in _FORMULAS.values()])


@dataclass(frozen=True, slots=True)
class Teacher:
    """A supervised model of document statistics; see `fit_teacher`."""

    columns: tuple[int, ...]  # of TEACHER_COLUMNS that are used
    knots: Float64  # (columns, quantiles) of the training documents
    weights: Float64  # of the normal scores, then of their squares
    intercept: float
    centre: float  # of the decision over the training documents, scored out of fold
    scale: float

    def score(self, statistics: Float64) -> Float64:
        """Standardised score, (rows,): positive for a machine, NaN where a row has no statistics."""
        return (self.decide(statistics) - self.centre) / self.scale

    def decide(self, statistics: Float64) -> Float64:
        """Log-odds before standardisation."""
        statistics = _checked(statistics)
        found: Float64 = self._features(statistics) @ self.weights + self.intercept
        found[~_known(statistics)] = np.nan
        return found

    def _features(self, statistics: Float64) -> Float64:
        used = zip(self.columns, self.knots, strict=True)
        scores = np.stack([_normal_scores(statistics[:, column], knots) for column, knots in used], axis=1)
        return np.concatenate([scores, scores**2], axis=1)


def fit_teacher(statistics: Float64, labels: Bool, groups: Sequence[str]) -> Teacher:
    """Logistic regression on the normal scores of the statistics and their squares.

    Normal scores (each value by its quantile among the training documents) make unlike scales comparable and bound what
    an odd document can do; squares let both ends of a statistic speak for a machine. Documents are balanced by
    (group, label)^-1/2, the labels against each other.

    Args:
        statistics: (documents, len(TEACHER_COLUMNS)); NaN where unknown, all NaN rows are left out.
        labels: (documents,) True for machine text.
        groups: (documents,) source of each document. The score is standardised on documents of groups left out.

    Raises:
        ValueError: fewer than 10 documents of a label, or shapes that do not fit.
    """
    statistics, labels, groups = _training_rows(statistics, labels, groups)
    teacher = _fit(statistics, labels, groups)
    outside = _leave_out(statistics, labels, groups)
    centre, scale = _location(outside, labels)
    return Teacher(teacher.columns, teacher.knots, teacher.weights, teacher.intercept, centre, scale)


def out_of_fold(statistics: Float64, labels: Bool, groups: Sequence[str]) -> Float64:
    """Standardised scores of the training documents, each by a teacher that has seen no document of its group.

    (documents,), NaN for rows without statistics. Small groups are left out together; with one group alone, documents
    are.
    """
    known = _known(_checked(statistics))
    rows, held, names = _training_rows(statistics, labels, groups)
    outside = _leave_out(rows, held, names)
    centre, scale = _location(outside, held)
    found = np.full(len(known), np.nan)
    found[known] = (outside - centre) / scale
    return found


def _checked(statistics: Float64) -> Float64:
    statistics = np.asarray(statistics, dtype=np.float64)
    if statistics.ndim != 2 or statistics.shape[1] != len(TEACHER_COLUMNS):
        raise ValueError(f"statistics have the shape {statistics.shape}, not (documents, {len(TEACHER_COLUMNS)})")
    return statistics


def _known(statistics: Float64) -> Bool:
    """Rows that have statistics."""
    known: Bool = np.logical_not(np.isnan(statistics).all(axis=1))
    return known


def _training_rows(statistics: Float64, labels: Bool, groups: Sequence[str]) -> tuple[Float64, Bool, list[str]]:
    statistics, labels = _checked(statistics), np.asarray(labels, dtype=bool)
    if not len(statistics) == len(labels) == len(groups):
        raise ValueError("statistics, labels and groups have different numbers of documents")
    known = _known(statistics)
    statistics, labels = statistics[known], labels[known]
    held = [group for group, is_known in zip(groups, known, strict=True) if is_known]
    machine = int(labels.sum())
    if min(machine, len(labels) - machine) < 10:
        raise ValueError(
            f"{machine} machine and {len(labels) - machine} human documents with statistics; a teacher needs 10 of each"
        )
    return statistics, labels, held


def _fit(statistics: Float64, labels: Bool, groups: Sequence[str]) -> Teacher:
    columns = tuple(int(c) for c in np.flatnonzero(~np.isnan(statistics).all(axis=0)))
    grid = np.linspace(0, 1, _QUANTILES)
    knots = np.stack([np.nanquantile(statistics[:, c], grid) for c in columns])
    bare = Teacher(columns, knots, np.zeros(2 * len(columns)), 0.0, 0.0, 1.0)
    weights, intercept = _logistic(bare._features(statistics), labels, _balance(labels, groups))
    return Teacher(columns, knots, weights, intercept, 0.0, 1.0)


def _normal_scores(values: Float64, knots: Float64) -> Float64:
    """Normal scores by the training quantiles; the middle of its range for a value that many share, 0 for NaN."""
    grid = np.linspace(0, 1, len(knots))
    low = np.interp(values, knots, grid)
    high = 1 - np.interp(-values, -knots[::-1], grid)
    edge = 0.5 / len(knots)
    scores: Float64 = ndtri(np.clip((low + high) / 2, edge, 1 - edge))
    return np.where(np.isnan(values), 0.0, scores)


def _balance(labels: Bool, groups: Sequence[str]) -> Float64:
    keys = list(zip(groups, labels.tolist(), strict=True))
    counts = Counter(keys)
    weights = np.array([counts[key] ** -0.5 for key in keys])
    for label in (False, True):
        weights[labels == label] *= len(labels) / 2 / weights[labels == label].sum()
    return weights


def _logistic(features: Float64, labels: Bool, weights: Float64) -> tuple[Float64, float]:
    """Ridge logistic regression by Newton's method; the intercept is not penalised. Deterministic."""
    design = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    penalty = np.full(design.shape[1], _RIDGE)
    penalty[-1] = 1e-6
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (weights * (p - labels)) + penalty * beta
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        change = np.linalg.solve(curvature, gradient)
        beta -= change
        if np.abs(change).max() < 1e-8:
            break
    return beta[:-1], float(beta[-1])


def _leave_out(statistics: Float64, labels: Bool, groups: Sequence[str]) -> Float64:
    """Decisions on each fold by a model of the others; a fold is a group, or several small ones."""
    folds = _folds(groups)
    found = np.empty(len(labels))
    for fold in range(int(folds.max()) + 1):
        inside = folds == fold
        others = ~inside
        if not 0 < labels[others].sum() < others.sum():  # the other groups have one label only
            others = np.ones(len(labels), dtype=bool)
        names = [group for group, is_other in zip(groups, others, strict=True) if is_other]
        found[inside] = _fit(statistics[others], labels[others], names).decide(statistics[inside])
    return found


def _folds(groups: Sequence[str]) -> Int64:
    """A fold for each document: groups by size, largest first, each to the smallest of at most `_MOST_GROUPS` folds."""
    sizes = sorted(Counter(groups).items(), key=lambda item: (-item[1], item[0]))
    if len(sizes) < 2:
        return np.arange(len(groups), dtype=np.int64) % min(5, len(groups))
    totals = [0] * min(_MOST_GROUPS, len(sizes))
    fold_of: dict[str, int] = {}
    for group, size in sizes:
        smallest = totals.index(min(totals))
        fold_of[group] = smallest
        totals[smallest] += size
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def _location(scores: Float64, labels: Bool) -> tuple[float, float]:
    """Mean and standard deviation over human and machine documents in equal parts."""
    human, machine = scores[~labels], scores[labels]
    centre = (human.mean() + machine.mean()) / 2
    spread = (((human - centre) ** 2).mean() + ((machine - centre) ** 2).mean()) / 2
    return float(centre), float(max(np.sqrt(spread), 1e-6))
