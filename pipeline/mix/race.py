"""The order in which documents of a cell come: an exponential race by weight. No Beam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from schemas.recipe import MixRecipe

U64 = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

# A weight of 0 would never come, one of infinity always first.
LEAST_WEIGHT, LARGEST_WEIGHT = 1e-6, 1e6


def value_column(rows: pa.Table, name: str) -> Floats:
    """A numeric column, or a field of a struct (`quality.SIGNAL`); NaN where it is null or not there."""
    top, _, inner = name.partition(".")
    if top not in rows.schema.names:
        return np.full(rows.num_rows, np.nan)
    values = rows.column(top).combine_chunks()
    if inner:
        values = pc.struct_field(values, inner)
    return np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan), np.float64)


def weights_of(recipe: MixRecipe, rows: pa.Table, means: Mapping[str, float]) -> Floats:
    """Weight of each document: the product of columns to their exponents, and of `mix_weight` with rehydration.

    A null counts as the mean of its source, and as 1 where the source has no value at all.
    """
    weights = np.ones(rows.num_rows)
    for name, exponent in sorted(recipe.weights.columns.items()):
        values = value_column(rows, name)
        values = np.where(np.isnan(values), means.get(name, 1.0), values)
        weights *= np.clip(values, LEAST_WEIGHT, LARGEST_WEIGHT) ** exponent
    if recipe.weights.rehydration:
        values = value_column(rows, "mix_weight")
        weights *= np.where(np.isnan(values), 1.0, values)
    # In 24 bits, so that the last bits of a power, which differ between processors, decide nothing.
    return np.clip(weights, LEAST_WEIGHT, LARGEST_WEIGHT).astype(np.float32).astype(np.float64)


def uniform_of(seed: str, doc_id: str) -> float:
    """A number in (0, 1] that a seed and a document decide."""
    return (xxhash.xxh3_64_intdigest(f"{seed}\x00{doc_id}".encode()) + 1) / 2**64


def race_keys(seed: str, doc_ids: Sequence[str], weights: Floats) -> U64:
    """Keys of an exponential race (Efraimidis & Spirakis 2006): floor(2^32 * -ln(u) / weight)."""
    times = np.array([-math.log(uniform_of(seed, doc_id)) for doc_id in doc_ids])
    return np.floor(times / weights * 2.0**32).astype(np.uint64)
