"""All that `headwater collapse` calculates, as one JSON-able value; a function of input and options alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from pipeline.collapse import gaussian, regression, text
from pipeline.collapse.corpus import DEFAULT_TOKENS, choose_tokens, needed, read_corpus
from pipeline.collapse.inputs import read_texts
from pipeline.collapse.workflows import CONFIDENCE, Float64, Workflow, all_workflows, over_seeds, plain
from pipeline.progress import Reporter
from schemas.config import ConfigError

COLLAPSE_VERSION = 1
REGRESSION_GENERATIONS, GAUSSIAN_GENERATIONS = 25, 50
REGRESSION_SIMULATIONS, GAUSSIAN_SIMULATIONS = 2000, 4000  # of all seeds together


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the figures, beside the text."""

    fresh: tuple[float, ...] = (0.1, 0.3)
    temperatures: tuple[float, ...] = (0.8, 1.0)
    generations: int = 8
    seeds: int = 5
    tokens: int | None = None
    regression_simulations: int = REGRESSION_SIMULATIONS
    gaussian_simulations: int = GAUSSIAN_SIMULATIONS


def collapse_figures(
    inputs: Sequence[str], text_column: str, options: Options, workers: int, reporter: Reporter
) -> dict[str, Any]:
    """The theory cases and, where there are inputs, the text.

    Raises:
        ConfigError: too little text.
        InputError, RunError: what cannot be read.
    """
    workflows = all_workflows(options.fresh)
    plan = None
    if inputs:  # what cannot be used is said before any work
        plan = _read(inputs, text_column, options, reporter)
    with ThreadPoolExecutor(workers) as pool:
        reporter.say("Regression and Gaussian cases, which can be calculated …")
        found: dict[str, Any] = {
            "version": COLLAPSE_VERSION,
            "options": asdict(options),
            "confidence": CONFIDENCE,
            "regression": {
                "dimensions": regression.DIMENSIONS,
                "rows": regression.ROWS,
                "simulations": options.regression_simulations,
                "cases": list(pool.map(partial(_regression, options), workflows, range(len(workflows)))),
            },
            "gaussian": {
                "samples": gaussian.SAMPLES,
                "simulations": options.gaussian_simulations,
                "cases": list(pool.map(partial(_gaussian, options), workflows, range(len(workflows)))),
            },
            "text": None,
        }
        if plan is not None:
            corpus, shares, unreadable = plan
            reporter.say(f"{options.generations} generations on text, {options.seeds} seeds …")
            runs = [(temperature, workflow) for temperature in options.temperatures for workflow in workflows]
            one = partial(text.simulate_seed, corpus, shares, runs, options.generations)
            values = np.array(list(pool.map(one, range(options.seeds))))
            found["text"] = {
                "documents": len(corpus.documents) - 1,
                "tokens": len(corpus.words),
                "vocabulary": corpus.vocabulary - 1,
                "unreadable": dict(sorted(unreadable.items())),
                "tokens_by_use": asdict(shares),
                "criterion": {"perplexity_ratio": text.COLLAPSE_RATIO, "vocabulary": text.COLLAPSE_VOCABULARY},
                "cases": [
                    text.text_case(workflow, temperature, values[:, number])
                    for number, (temperature, workflow) in enumerate(runs)
                ],
            }
    return found


def _read(inputs: Sequence[str], text_column: str, options: Options, reporter: Reporter) -> Any:
    fresh = max(options.fresh, default=0.0)
    most = needed(options.tokens or DEFAULT_TOKENS, fresh, options.generations).total
    unreadable: Counter[str] = Counter()
    corpus = read_corpus(read_texts(inputs, text_column, unreadable), most)
    if unreadable:
        what = ", ".join(f"{code} {count:,}" for code, count in sorted(unreadable.items()))
        reporter.say(f"{sum(unreadable.values()):,} rows could not be read ({what})", unreadable=dict(unreadable))
    if len(corpus.words) == 0:
        raise ConfigError(f"{', '.join(inputs)}: no text in the input; give text tables, runs or mixes that hold some")
    return corpus, choose_tokens(corpus, options.tokens, fresh, options.generations), unreadable


def _case(workflow: Workflow) -> dict[str, Any]:
    return {"workflow": workflow.name, "title": workflow.title, "fresh": workflow.fresh}


def _against(values: Float64, theory: Float64 | None, *, logarithms: bool = False) -> dict[str, Any]:
    """Figures over seeds, beside the theory where there is one, and the largest distance between the two."""
    figures: dict[str, Any] = over_seeds(values, logarithms=logarithms)
    figures["theory"] = figures["deviation"] = None
    if theory is not None:
        figures["theory"] = plain(theory)
        figures["deviation"] = round(float(np.max(np.abs(np.array(figures["mean"]) / theory - 1))), 4)
    return figures


def _blocks(simulations: int, seeds: int) -> list[int]:
    return [len(part) for part in np.array_split(np.arange(simulations), seeds)]


def _regression(options: Options, workflow: Workflow, number: int) -> dict[str, Any]:
    values = np.array(
        [
            regression.simulate(workflow, REGRESSION_GENERATIONS, size, np.random.default_rng([seed, number, 1]))
            for seed, size in enumerate(_blocks(options.regression_simulations, options.seeds))
        ]
    )
    exact = regression.exact(workflow, REGRESSION_GENERATIONS)
    return {
        **_case(workflow),
        "limit": regression.limit(workflow),
        "exact": None if exact is None else plain(exact),
        "error": _against(values / regression.first_error(), regression.theory(workflow, REGRESSION_GENERATIONS)),
    }


def _gaussian(options: Options, workflow: Workflow, number: int) -> dict[str, Any]:
    runs = [
        gaussian.simulate(workflow, GAUSSIAN_GENERATIONS, size, np.random.default_rng([seed, number, 2]))
        for seed, size in enumerate(_blocks(options.gaussian_simulations, options.seeds))
    ]
    logs, errors = np.array(runs).transpose(1, 0, 2)
    falls = np.exp(gaussian.log_variance(GAUSSIAN_GENERATIONS)) if workflow.kind == "replace" else None
    return {
        **_case(workflow),
        "variance": _against(np.exp(logs), falls, logarithms=True),
        "mean_error": _against(errors, gaussian.mean_error(workflow, GAUSSIAN_GENERATIONS)),
    }
