"""Fits the members of a text model: a forest over stylometry, logistic regressions over hashed n-grams.

Weights of documents are (documents of their group and class)^-1/2, each class summing to half: large sources count for
more than small ones, but not in proportion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.features.forest import Forest, forest_of
from detectors.text_model.grams import Grams

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TREES: Final = 200
FOREST_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "cross_entropy", "num_leaves": 15, "max_depth": 7, "learning_rate": 0.05, "min_data_in_leaf": 80,
    "feature_fraction": 0.4, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 20.0, "max_bin": 63,
}  # fmt: skip
_ALWAYS: Final = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
INVERSE_PENALTY: Final = 10.0
ROUNDS: Final = 20  # of L-BFGS
CAP_HUMAN: Final = 500  # documents of a group
CAP_MACHINE: Final = 100  # documents of a group and generator


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


def lightgbm() -> Any:
    """LightGBM, or TrainingError: now, and not after an hour's work."""
    try:
        return import_module("lightgbm")
    except ImportError:
        raise TrainingError("training needs LightGBM: pip install '.[train]' in the repository") from None


def balance(groups: Sequence[str], machine: Bools, power: float = 0.5) -> Floats:
    """Weights of documents, see above; their mean is 1."""
    keys = list(zip(groups, machine.tolist(), strict=True))
    counts = Counter(keys)
    found = np.array([counts[key] ** -power for key in keys])
    for side in (True, False):
        part = machine == side
        if part.any():
            found[part] *= len(found) / 2 / found[part].sum()
    return found


def cap(
    groups: Sequence[str],
    machine: Bools,
    generators: Sequence[str],
    order: npt.NDArray[np.uint64],
    human: int = CAP_HUMAN,
    generated: int = CAP_MACHINE,
) -> npt.NDArray[np.int64]:
    """Documents kept: of a group at most `human` human ones, and `generated` by each generator, least `order` first."""
    counts: Counter[tuple[str, str]] = Counter()
    kept = []
    for i in np.argsort(order, kind="stable").tolist():
        key = (groups[i], generators[i] if machine[i] else "")
        if counts[key] < (generated if machine[i] else human):
            counts[key] += 1
            kept.append(i)
    return np.array(sorted(kept), np.int64)


def matrix(grams: Sequence[Grams]) -> Any:
    """Sparse matrix of hashed n-grams: documents x buckets of all kinds, side by side."""
    from scipy import sparse

    parts = [
        sparse.csr_matrix(
            (g.values(), g.bucket.astype(np.int32), g.indptr), shape=(len(g.indptr) - 1, 1 << g.bits), dtype=np.float32
        )
        for g in grams
    ]
    return sparse.hstack(parts, format="csr") if len(parts) > 1 else parts[0]


def fit_linear(
    x: Any, target: Floats, weight: Floats, inverse_penalty: float = INVERSE_PENALTY, rounds: int = ROUNDS
) -> tuple[Floats, float]:
    """Logistic regression with squared penalty by L-BFGS: coefficients and intercept. `target` in [0, 1]."""
    from scipy.optimize import minimize

    from pipeline.text_training import _sparse

    matrix = x.data, x.indices.astype(np.int32, copy=False), x.indptr.astype(np.int32, copy=False)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        coefficients, intercept = parameters[:-1], parameters[-1]
        margin = _sparse.times(*matrix, coefficients) + intercept
        value = (weight * (np.logaddexp(0, margin) - target * margin)).sum()
        residual = weight * (1 / (1 + np.exp(-margin)) - target)
        gradient = np.empty_like(parameters)
        gradient[:-1] = coefficients / inverse_penalty
        _sparse.add_transposed(*matrix, residual, gradient[:-1])
        gradient[-1] = residual.sum()
        return value + coefficients @ coefficients / (2 * inverse_penalty), gradient

    start = np.zeros(x.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": rounds, "ftol": 1e-6})
    return found.x[:-1], float(found.x[-1])


def fit_forest(x: Any, target: Floats, weight: Floats, trees: int = TREES, seed: int = 1, **parameters: Any) -> Forest:
    """Gradient-boosted trees as arrays. `target` in [0, 1]."""
    library = lightgbm()
    data = library.Dataset(x, label=target, weight=weight)
    booster = library.train({**FOREST_PARAMETERS, **_ALWAYS, "seed": seed, **parameters}, data, trees)
    return forest_of(booster.dump_model())


def quantise(coefficients: Floats, bits: Sequence[int]) -> tuple[list[npt.NDArray[np.int8]], list[float]]:
    """Coefficients of each kind of n-gram as bytes, and their scales.

    The scale keeps the largest coefficients but one in ten thousand exact to half a step; those are clipped.
    """
    weights: list[npt.NDArray[np.int8]] = []
    scales: list[float] = []
    start = 0
    for size in (1 << b for b in bits):
        part = coefficients[start : start + size]
        start += size
        present = np.abs(part[part != 0])
        largest = float(np.quantile(present, 0.9999)) if len(present) else 0.0
        scale = largest / 127 if largest > 0 else 1.0
        weights.append(np.clip(np.rint(part / scale), -127, 127).astype(np.int8)[:, None])
        scales.append(scale)
    return weights, scales
