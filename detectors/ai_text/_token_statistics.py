"""Native loop over the logits of a language model. Imported late, as compiling takes seconds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# No fastmath: infinities are legal logits (forbidden tokens), and sums must not depend on the machine's vector width.


@njit(cache=True)
def measure(logits: Any, ids: Any, out: Any) -> None:
    """Columns 0 to 6 of `zero_shot.TOKEN_STATISTICS`, a row of `out` per token; `logits[t]` come before `ids[t]`."""
    tokens, words = logits.shape
    for t in range(tokens):
        row = logits[t]
        top = row[0]
        for j in range(1, words):
            top = max(top, row[j])
        seen = row[ids[t]]
        total = 0.0
        first = 0.0
        second = 0.0
        squares = 0.0
        tail = 0.0
        rank = 0
        for j in range(words):
            value = row[j]
            if value == -np.inf:
                continue
            d = np.float64(value - top)
            e = math.exp(d)
            total += e
            first += e * d
            second += e * d * d
            squares += e * e
            if value > seen:
                rank += 1
            else:
                tail += e
        mean = first / total
        log_total = math.log(total)
        out[t, 0] = np.float64(seen - top) - log_total
        out[t, 1] = rank
        out[t, 2] = log_total - mean
        out[t, 3] = max(second / total - mean * mean, 0.0)
        out[t, 4] = -log_total
        out[t, 5] = squares / (total * total)
        out[t, 6] = tail / total


@njit(cache=True)
def measure_cross(logits: Any, observer: Any, out: Any) -> None:
    """Column 7 of `out`: cross-entropy of the model under the observer's distribution."""
    tokens, words = logits.shape
    for t in range(tokens):
        row, other = logits[t], observer[t]
        top, other_top = row[0], other[0]
        for j in range(1, words):
            top = max(top, row[j])
            other_top = max(other_top, other[j])
        total = 0.0
        other_total = 0.0
        crossed = 0.0
        for j in range(words):
            d = np.float64(row[j] - top)
            total += math.exp(d)
            e = math.exp(np.float64(other[j] - other_top))
            other_total += e
            if e > 0.0:
                crossed += e * d
        out[t, 7] = math.log(total) - crossed / other_total
