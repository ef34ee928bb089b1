"""Native products of a sparse matrix of float32 with vectors, without a copy of the matrix. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit("f8[::1](f4[::1],i4[::1],i4[::1],f8[::1])", cache=True)
def times(data: Any, indices: Any, indptr: Any, vector: Any) -> Any:
    """Matrix times vector."""
    found = np.zeros(len(indptr) - 1, np.float64)
    for row in range(len(indptr) - 1):
        total = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            total += data[i] * vector[indices[i]]
        found[row] = total
    return found


@njit("void(f4[::1],i4[::1],i4[::1],f8[::1],f8[::1])", cache=True)
def add_transposed(data: Any, indices: Any, indptr: Any, vector: Any, out: Any) -> None:
    """Add the transposed matrix times vector to `out`."""
    for row in range(len(indptr) - 1):
        value = vector[row]
        for i in range(indptr[row], indptr[row + 1]):
            out[indices[i]] += data[i] * value
