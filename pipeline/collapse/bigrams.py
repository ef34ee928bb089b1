"""A bigram model with interpolated Kneser-Ney smoothing (Chen & Goodman 1999), and exact sampling at a temperature.

A corpus is an array of word numbers in which 0 stands for the end of a line; the first line follows such an end.

    p(w | v) = max(c(v, w) - D, 0) / c(v) + D n(v) / c(v) p(w)
    p(w)     = max(m(w) - E, 0) / m + E n / m / V

c counts pairs, n(v) different words after v, m(w) different words before w, and V is the size of the vocabulary: no
word of it has the probability 0. D and E are n1 / (n1 + 2 n2) of the counts of counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_FALLBACK = 0.5  # discount where counts of one and two are missing, as in text that repeats itself


@dataclass(frozen=True, slots=True)
class Bigrams:
    """Counts of a corpus with their discounts. `words[bounds[v]:bounds[v + 1]]` were seen after word v."""

    bounds: Int64  # (vocabulary + 1)
    words: Int32
    counts: Int64
    totals: Int64  # (vocabulary) words after each word
    before: Int64  # (vocabulary) different words before each word
    discount: float
    lower_discount: float

    @property
    def vocabulary(self) -> int:
        """Number of words, the end of a line included."""
        return len(self.totals)


def _discount(counts: Int64) -> float:
    once, twice = int(np.count_nonzero(counts == 1)), int(np.count_nonzero(counts == 2))
    return once / (once + 2 * twice) if once and twice else _FALLBACK


def train(corpus: Int32, vocabulary: int) -> Bigrams:
    """The model of a corpus (at least one word) whose words are under `vocabulary`."""
    pairs = np.empty(len(corpus), np.int64)
    pairs[0] = corpus[0]
    np.multiply(corpus[:-1], vocabulary, out=pairs[1:], dtype=np.int64)
    pairs[1:] += corpus[1:]
    found, counts = np.unique(pairs, return_counts=True)
    first, second = found // vocabulary, found % vocabulary
    bounds = np.searchsorted(first, np.arange(vocabulary + 1)).astype(np.int64)
    before = np.bincount(second, minlength=vocabulary).astype(np.int64)
    totals = np.bincount(first, counts, minlength=vocabulary).astype(np.int64)
    counts = counts.astype(np.int64)
    return Bigrams(bounds, second.astype(np.int32), counts, totals, before, _discount(counts), _discount(before))


def _lower(model: Bigrams) -> tuple[Float64, float]:
    """Discounted probabilities of the words without context, and what the discount left."""
    total = len(model.words)
    kept = np.maximum(model.before - model.lower_discount, 0.0) / total
    return kept, 1.0 - float(kept.sum())


def _left(model: Bigrams) -> Float64:
    """What the discount leaves after each word: D n(v) / c(v); 1 after a word that was never seen."""
    kinds = np.diff(model.bounds)
    return np.where(model.totals > 0, model.discount * kinds / np.maximum(model.totals, 1), 1.0)


def probabilities(model: Bigrams, first: Int32, second: Int32) -> Float64:
    """p(second | first), pair by pair."""
    kept, rest = _lower(model)
    lower = kept + rest / model.vocabulary
    rows = np.repeat(np.arange(model.vocabulary, dtype=np.int64), np.diff(model.bounds))
    keys = rows * model.vocabulary + model.words
    wanted = first.astype(np.int64) * model.vocabulary + second
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    counts = np.where(keys[at] == wanted, model.counts[at], 0)
    own = np.maximum(counts - model.discount, 0.0) / np.maximum(model.totals[first], 1)
    result: Float64 = own + _left(model)[first] * lower[second]
    return result


def perplexity(model: Bigrams, corpus: Int32) -> float:
    """Perplexity of the model on a corpus, ends of lines included."""
    first = np.concatenate((np.zeros(1, np.int32), corpus[:-1]))
    return float(np.exp(-np.log(probabilities(model, first, corpus)).mean()))


def write(model: Bigrams, count: int, temperature: float, seed: int) -> Int32:
    """A corpus of `count` words that the model writes: each by p(w | v)^(1 / temperature), normalised.

    A model cannot write what it has not met: what the lower discount leaves goes to the words that were seen, in equal
    parts, and not to the whole vocabulary as in `probabilities`. The temperature is exact, for the words that were not
    seen after v have the weights of the words without context times one constant.
    """
    from pipeline.collapse._kernels import sample_words

    power = 1.0 / temperature
    kept, rest = _lower(model)
    met = model.before > 0
    lower = np.where(met, kept + rest / met.sum(), 0.0)
    weights = np.where(met, lower**power, 0.0)
    left = _left(model)
    rows = np.repeat(np.arange(model.vocabulary, dtype=np.int64), np.diff(model.bounds))
    own = np.maximum(model.counts - model.discount, 0.0) / model.totals[rows]
    seen = np.cumsum((own + left[rows] * lower[model.words]) ** power)
    taken = np.bincount(rows, weights[model.words], minlength=model.vocabulary)
    if not (model.bounds[1] > 0 and model.words[0] == 0):
        taken[0] += weights[0]  # no empty line
    free = weights.sum() - taken
    unseen = np.where(free > 1e-12 * weights.sum(), left**power * free, 0.0)
    return np.asarray(
        sample_words(model.bounds, model.words, seen, unseen, np.cumsum(weights), count, seed), dtype=np.int32
    )
