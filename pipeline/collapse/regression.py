"""Linear regression on labels of the regression before it: the case of model collapse that can be calculated.

The first generation is the least-squares fit to `rows` rows of d standard normal features, whose labels are linear in
them plus noise; the labels of every later generation come from the fit before it, with the same noise, on new rows
(Gerstgrasser et al. 2024; Dohmatob et al. 2024). The error is the squared distance from the true weights. It does not
depend on these, so they are 0 here, and the noise is 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.collapse.workflows import Float64, Workflow, error_multiplier

DIMENSIONS = 10
ROWS = 400  # of a generation
_CHUNK = 50  # simulations that are worked at together: bounds memory


def first_error(rows: int = ROWS, dimensions: int = DIMENSIONS) -> float:
    """Expected error of the first generation: the trace of E[(X'X)^-1], an inverse Wishart matrix."""
    return dimensions / (rows - dimensions - 1)


def carried(workflow: Workflow, rows: int = ROWS, dimensions: int = DIMENSIONS) -> float:
    """Expected share of the last generation's error in the next one's, exactly, for `replace` and `fresh`.

    With S = X'X of the rows that a model labelled and M that of all, the error e becomes M^-1 S e. Here S and M give a
    matrix-variate beta B = M^(-1/2) S M^(-1/2) that is independent of M, whose second moments follow from zonal
    polynomials (Muirhead 1982, theorem 7.2.7 and section 7.2.2). The limit for many rows is (1 - fresh)^2.
    """
    d, all_rows = dimensions, rows
    a, c = (all_rows - round(workflow.fresh * all_rows)) / 2, all_rows / 2
    whole = a * (a + 1) / (c * (c + 1)) * (d * d + 2 * d) / 3  # E of the zonal polynomial of (2)
    split = a * (a - 0.5) / (c * (c - 0.5)) * 2 * (d * d - d) / 3  # and of (1, 1)
    squared_trace, trace_of_square = whole + split, whole - split / 2
    # E[B_ij B_kl] = x d_ij d_kl + y (d_ik d_jl + d_il d_jk)
    if d == 1:
        return squared_trace
    y = (d * trace_of_square - squared_trace) / (d * (d - 1) * (d + 2))
    x = (squared_trace - 2 * d * y) / (d * d)
    return x + y + y * (all_rows * d - 2) / (all_rows - d - 1)  # E[M tr M^-1] = (rows d - 2) / (rows - d - 1)


def theory(workflow: Workflow, generations: int) -> Float64:
    """Error of generations 1 … n relative to the first one's, for many rows.

    - replace: n; fresh: (1 - rho^n) / (1 - rho), rho = (1 - fresh)^2
    - accumulate: the sum of 1 / i^2, at most pi^2 / 6 (Gerstgrasser et al. 2024)
    - budget: v_n + 1 - 1/n with v_1 = 1, v_(n+1) = v_n + (2 - 1/n) / (n + 1)^2; at most pi^2 / 2 - 2. Old rows keep
      their noise, each sample of them adds its own, and the mean of all earlier errors goes on.
    """
    n = np.arange(1, generations + 1, dtype=np.float64)
    if workflow.kind in ("replace", "fresh"):
        return np.array([error_multiplier(workflow.fresh, int(one)) for one in n])
    if workflow.kind == "accumulate":
        return np.cumsum(1 / n**2)
    kept = np.concatenate((np.zeros(1), np.cumsum((2 - 1 / n[:-1]) / n[1:] ** 2)))
    return 2 + kept - 1 / n


def limit(workflow: Workflow) -> float | None:
    """Where `theory` ends; None where it has no end."""
    if workflow.kind in ("accumulate", "budget"):
        return float(np.pi**2 / 6 if workflow.kind == "accumulate" else np.pi**2 / 2 - 2)
    return None if workflow.kind == "replace" else error_multiplier(workflow.fresh)


def exact(workflow: Workflow, generations: int, rows: int = ROWS, dimensions: int = DIMENSIONS) -> Float64 | None:
    """Like `theory`, for this number of rows; None for workflows that have no closed form here."""
    if workflow.kind not in ("replace", "fresh"):
        return None
    return np.cumsum(carried(workflow, rows, dimensions) ** np.arange(generations, dtype=np.float64))


def simulate(
    workflow: Workflow,
    generations: int,
    simulations: int,
    rng: np.random.Generator,
    rows: int = ROWS,
    dimensions: int = DIMENSIONS,
) -> Float64:
    """(generations,) mean error over the simulations."""
    chunks = [min(_CHUNK, simulations - begin) for begin in range(0, simulations, _CHUNK)]
    errors = [_errors(workflow, generations, size, rng, rows, dimensions) * size for size in chunks]
    result: Float64 = np.sum(errors, axis=0) / simulations
    return result


def _errors(
    workflow: Workflow, generations: int, simulations: int, rng: np.random.Generator, rows: int, dimensions: int
) -> Float64:
    real = round(workflow.fresh * rows)
    budget = workflow.kind == "budget"
    pool = np.empty((simulations, rows * generations if budget else 0, dimensions))
    labels = np.empty(pool.shape[:2])
    order = np.tile(np.arange(pool.shape[1]), (simulations, 1))
    gram, moment = np.zeros((simulations, dimensions, dimensions)), np.zeros((simulations, dimensions, 1))
    weights = np.zeros((simulations, dimensions, 1))
    errors = np.empty(generations)
    for generation in range(generations):
        x = rng.standard_normal((simulations, rows, dimensions))
        y = rng.standard_normal((simulations, rows, 1))
        y[:, real:] += x[:, real:] @ weights  # the first `real` rows have the labels of the truth, which is 0
        if budget:
            size = (generation + 1) * rows
            pool[:, size - rows : size], labels[:, size - rows : size] = x, y[..., 0]
            x, y = _subsample(pool, labels, order, size, rng.random((simulations, rows)))
        if workflow.kind != "accumulate":
            gram[:], moment[:] = 0.0, 0.0
        transposed = x.transpose(0, 2, 1)
        gram += transposed @ x
        moment += transposed @ y
        weights = np.asarray(np.linalg.solve(gram, moment), dtype=np.float64)
        errors[generation] = (weights**2).sum() / simulations
    return errors


def _subsample(
    pool: Float64, labels: Float64, order: npt.NDArray[np.int64], size: int, uniform: Float64
) -> tuple[Float64, Float64]:
    """As many of the first `size` rows of the pool as `uniform` has columns, without replacement."""
    from pipeline.collapse._kernels import shuffle_first

    shuffle_first(order, size, uniform)
    chosen = order[:, : uniform.shape[1]]
    return np.take_along_axis(pool, chosen[..., None], 1), np.take_along_axis(labels, chosen, 1)[..., None]
