"""Native code of the forest. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

ONE = np.uint64(1)  # unsigned positions need no test for negative ones


@njit(cache=True)
def down(row: Any, at: Any, feature: Any, threshold: Any) -> Any:
    """The child of a node of a complete tree that a row goes to."""
    return at + at + ONE + np.uint64(row[feature[at]] > threshold[at])


@njit("void(f4[:,::1],u2[:,::1],f4[:,::1],f4[:,::1],f4[:,::1])", cache=True)
def add_trees(x: Any, feature: Any, threshold: Any, value: Any, found: Any) -> None:
    """Add the leaf of every complete tree to `found`: rows x outputs.

    Eight rows walk a tree together: their loads overlap, and no branch depends on the data.
    """
    rows, outputs = found.shape
    trees, inner = feature.shape
    first = np.uint64(inner)
    steps = 0
    while (1 << steps) <= inner:
        steps += 1
    for tree in range(trees):
        output = tree % outputs
        f, t, v = feature[tree], threshold[tree], value[tree]
        row = 0
        while row + 8 <= rows:
            x0, x1, x2, x3 = x[row], x[row + 1], x[row + 2], x[row + 3]
            x4, x5, x6, x7 = x[row + 4], x[row + 5], x[row + 6], x[row + 7]
            a = b = c = d = e = g = h = i = np.uint64(0)
            for _ in range(steps):
                a, b, c, d = down(x0, a, f, t), down(x1, b, f, t), down(x2, c, f, t), down(x3, d, f, t)
                e, g, h, i = down(x4, e, f, t), down(x5, g, f, t), down(x6, h, f, t), down(x7, i, f, t)
            found[row, output] += v[a - first]
            found[row + 1, output] += v[b - first]
            found[row + 2, output] += v[c - first]
            found[row + 3, output] += v[d - first]
            found[row + 4, output] += v[e - first]
            found[row + 5, output] += v[g - first]
            found[row + 6, output] += v[h - first]
            found[row + 7, output] += v[i - first]
            row += 8
        while row < rows:
            a = np.uint64(0)
            for _ in range(steps):
                a = down(x[row], a, f, t)
            found[row, output] += v[a - first]
            row += 1
