"""A normal distribution fitted to samples of the fit before it (Shumailov et al. 2023; Alemohammad et al. 2023).

The first generation is the mean and the unbiased variance of `SAMPLES` draws from N(0, 1); each later one of as many
draws from what the workflow gives it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from pipeline.collapse.workflows import Float64, Workflow

SAMPLES = 100  # of a generation
_CHUNK = 250  # simulations that are worked at together: bounds memory


def log_variance(generations: int, samples: int = SAMPLES) -> Float64:
    """Expected logarithm of the variance after generations 1 … n of `replace`, exactly.

    Each generation multiplies the variance by a chi-square of samples - 1 degrees of freedom over their number, whose
    logarithm is expected at digamma(k) - log(k), k = (samples - 1) / 2: about -1 / (samples - 1). So the geometric mean
    falls without end although the expected variance stays 1.
    """
    k = (samples - 1) / 2
    result: Float64 = np.arange(1, generations + 1) * (float(digamma(k)) - np.log(k))
    return result


def mean_error(workflow: Workflow, generations: int, samples: int = SAMPLES) -> Float64 | None:
    """Expected squared error of the mean after generations 1 … n, times `samples`, exactly; None for `budget`.

    With m that error and v the expected variance: `replace` and `fresh` f give m' = (1 - f)^2 m + ((1 - f) v + f) / N
    and v' = (1 - f) v + f + f (1 - f) m N / (N - 1); `accumulate` gives m' = m + v / (N n^2) and
    v' = v (1 - 1 / (n (N n - 1))) for the n-th generation.
    """
    if workflow.kind == "budget":
        return None
    size, f = samples, round(workflow.fresh * samples) / samples
    m, v = 1 / size, 1.0
    found = [m]
    for n in range(2, generations + 1):
        if workflow.kind == "accumulate":
            m, v = m + v / (size * n * n), v * (1 - 1 / (n * (size * n - 1)))
        else:
            m, v = (1 - f) ** 2 * m + ((1 - f) * v + f) / size, (1 - f) * v + f + f * (1 - f) * m * size / (size - 1)
        found.append(m)
    return np.array(found) * size


def simulate(
    workflow: Workflow, generations: int, simulations: int, rng: np.random.Generator, samples: int = SAMPLES
) -> tuple[Float64, Float64]:
    """Means over the simulations after each generation: logarithm of the variance, squared error times `samples`."""
    chunks = [min(_CHUNK, simulations - begin) for begin in range(0, simulations, _CHUNK)]
    found = [np.array(_chunk(workflow, generations, size, rng, samples)) * size for size in chunks]
    logs, errors = np.sum(found, axis=0) / simulations
    return logs, errors


def _chunk(
    workflow: Workflow, generations: int, simulations: int, rng: np.random.Generator, samples: int
) -> tuple[Float64, Float64]:
    from pipeline.collapse._kernels import shuffle_first

    real = round(workflow.fresh * samples)
    mean, deviation = np.zeros((simulations, 1)), np.ones((simulations, 1))
    pool = np.empty((simulations, samples * generations))
    order = np.tile(np.arange(pool.shape[1]), (simulations, 1))
    logs, errors = np.empty(generations), np.empty(generations)
    for generation in range(generations):
        drawn = rng.standard_normal((simulations, samples))
        drawn[:, real:] = mean + deviation * drawn[:, real:]
        if workflow.kind in ("accumulate", "budget"):
            size = (generation + 1) * samples
            pool[:, size - samples : size] = drawn
            drawn = pool[:, :size]
        if workflow.kind == "budget":
            shuffle_first(order, size, rng.random((simulations, samples)))
            drawn = np.take_along_axis(pool, order[:, :samples], 1)
        mean, deviation = drawn.mean(1, keepdims=True), drawn.std(1, ddof=1, keepdims=True)
        logs[generation] = 2 * np.log(deviation).mean()
        errors[generation] = (mean**2).mean() * samples
    return logs, errors
