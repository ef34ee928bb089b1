"""Generations of bigram models on a user's own text: what each writes, against text of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.collapse import bigrams
from pipeline.collapse.corpus import Corpus, Shares
from pipeline.collapse.workflows import Float64, Workflow, over_seeds

Int32 = npt.NDArray[np.int32]

WRITTEN = ("vocabulary", "tail", "distinct_1", "distinct_2", "distinct_3")  # of what a model writes
MEASURES = ("perplexity", *WRITTEN, *(f"data_{name}" for name in WRITTEN))  # data_: of what it is trained on
RARE_MASS = 0.1  # rare words: the least frequent, which make up to this share of people's text; words seen once are

# A workflow collapses where, in the last generation, the perplexity on people's text is this many times the first
# generation's and still grows, or the text to learn from has less than this share of people's vocabulary left.
COLLAPSE_RATIO = 8.0
COLLAPSE_VOCABULARY = 0.1


_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Reference:
    """What text of people holds; every measure but distinct-n is relative to it."""

    held_out: Int32
    known: npt.NDArray[np.bool_]  # (vocabulary) words of the held-out text
    rare: npt.NDArray[np.bool_]  # (vocabulary) rare words of all text of people
    vocabulary: float  # words of the held-out text that stand in as much other text of people
    tail: float  # share of rare words in other text of people


def make_reference(corpus: Corpus, held_out: Int32, human: Int32) -> Reference:
    """The reference by held-out text and as much other text (`human`) as models will write."""
    counts = np.bincount(corpus.words, minlength=corpus.vocabulary)[1:]
    by_count = np.cumsum(np.bincount(counts) * np.arange(counts.max() + 1))  # words of the text by count or less
    most = max(1, int(np.searchsorted(by_count, RARE_MASS * by_count[-1], "right")) - 1)
    rare = np.concatenate((np.zeros(1, np.bool_), (counts <= most) & (counts > 0)))
    known = np.zeros(corpus.vocabulary, np.bool_)
    known[held_out] = True
    known[0] = False
    found = np.zeros(corpus.vocabulary, np.bool_)
    found[human] = True
    return Reference(held_out, known, rare, float((found & known).sum()), float(rare[human].mean()))


def measure(text: Int32, reference: Reference) -> list[float]:
    """Figures of a text in the order of WRITTEN: shares of what people's text has, and distinct n-grams by n-grams."""
    found = np.zeros(len(reference.known), np.bool_)
    found[text] = True
    numbers = text.astype(np.uint64)
    pairs = numbers[:-1] * _MIX + numbers[1:]  # 64-bit hashes, which overflow
    triples = pairs[:-1] * _MIX + numbers[2:]
    return [
        float((found & reference.known).sum()) / max(reference.vocabulary, 1.0),
        float(reference.rare[text].mean()) / max(reference.tail, 1e-9),
        int(found.sum()) / len(text),
        _distinct(pairs) / len(pairs),
        _distinct(triples) / len(triples),
    ]


def _distinct(values: npt.NDArray[np.uint64]) -> int:
    values = np.sort(values)
    return 1 + int(np.count_nonzero(values[1:] != values[:-1]))


def draw_lines(text: Int32, count: int, rng: np.random.Generator) -> Int32:
    """Lines of a text in random order, as many as `count` words need; the last one is cut."""
    ends = np.flatnonzero(text == 0) + 1
    bounds = np.unique(np.concatenate((np.zeros(1, np.int64), ends, np.array([len(text)]))))
    order = rng.permutation(len(bounds) - 1)
    lengths = np.diff(bounds)[order]
    taken = order[: int(np.searchsorted(np.cumsum(lengths), count)) + 1]
    return np.concatenate([text[bounds[line] : bounds[line + 1]] for line in taken])[:count]


def run_workflow(
    workflow: Workflow,
    temperature: float,
    human: Int32,
    fresh: Int32,
    reference: Reference,
    generations: int,
    rng: np.random.Generator,
) -> Float64:
    """(generations, measures) of one seed, in the order of MEASURES. The first model is trained on text of people.

    Args:
        workflow: what a generation is trained on.
        temperature: of sampling.
        human: text that the first model is trained on; all later texts are as long.
        fresh: text that no earlier generation saw; enough for all generations.
        reference: what text of people holds.
        generations: number of models.
        rng: source of all chance.
    """
    size, unseen = len(human), round(workflow.fresh * len(human))
    rows = []
    data, pool = human, [human]
    for generation in range(generations):
        model = bigrams.train(data, len(reference.known))
        text = bigrams.write(model, size, temperature, int(rng.integers(1 << 32)))
        same_size = data if len(data) == size else draw_lines(data, size, rng)
        rows.append(
            [bigrams.perplexity(model, reference.held_out), *measure(text, reference), *measure(same_size, reference)]
        )
        if workflow.kind in ("replace", "fresh"):
            data = np.concatenate((text[: size - unseen], fresh[generation * unseen : (generation + 1) * unseen]))
        else:
            pool.append(text)
            data = np.concatenate(pool)
            if workflow.kind == "budget":
                data = draw_lines(data, size, rng)
    return np.array(rows)


def collapses(perplexity: Sequence[float], vocabulary: Sequence[float]) -> bool:
    """Whether a workflow collapses, by means over seeds of all generations.

    It does where the last perplexity is over `COLLAPSE_RATIO` times the first and over the one before it, or where the
    text that the last model is trained on has less than `COLLAPSE_VOCABULARY` of people's vocabulary.
    """
    grows = perplexity[-1] > perplexity[-2]
    return (perplexity[-1] > COLLAPSE_RATIO * perplexity[0] and grows) or vocabulary[-1] < COLLAPSE_VOCABULARY


def simulate_seed(
    corpus: Corpus, shares: Shares, runs: Sequence[tuple[float, Workflow]], generations: int, seed: int
) -> Float64:
    """(runs, generations, measures) of one seed; a run is a temperature and a workflow."""
    held_out, human, fresh = corpus.parts(shares, seed)
    reference = make_reference(corpus, held_out, human)
    return np.array(
        [
            run_workflow(
                workflow, temperature, human, fresh, reference, generations, np.random.default_rng([seed, number])
            )
            for number, (temperature, workflow) in enumerate(runs)
        ]
    )


def text_case(workflow: Workflow, temperature: float, values: Float64) -> dict[str, Any]:
    """Figures of a workflow by generation with intervals over seeds, and the verdict.

    Args:
        workflow: what was simulated.
        temperature: of sampling.
        values: (seeds, generations, measures), as of `run_workflow`.
    """
    figures = {name: over_seeds(values[:, :, at], logarithms=name == "perplexity") for at, name in enumerate(MEASURES)}
    perplexity = figures["perplexity"]["mean"]
    return {
        "workflow": workflow.name,
        "title": workflow.title,
        "fresh": workflow.fresh,
        "temperature": temperature,
        "collapses": collapses(perplexity, figures["data_vocabulary"]["mean"]),
        "growth": round(perplexity[-1] / perplexity[0], 4),
        "growth_of_the_last_generation": round(perplexity[-1] / perplexity[-2] - 1.0, 4),
        "figures": figures,
    }
