"""Native code of diversity: words and word pairs of documents up to a number of words. Imported late."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(
    "UniTuple(i8,4)(i8[::1],i8[::1],i4[::1],i4[::1],i4[::1],i8,i4[::1],i4[::1],i4[::1],i4)",
    cache=True,
)
def tally(
    order: Any,
    bounds: Any,
    words: Any,
    pairs: Any,
    triples: Any,
    limit: Any,
    counts: Any,
    met_pairs: Any,
    met_triples: Any,
    stamp: Any,
) -> Any:
    """Adds the first `limit` words of the documents in `order` to `counts`.

    Returns distinct pairs, pairs, distinct triples, triples. `met_*` hold the stamp of the last call that met them.
    """
    left = limit
    distinct2 = 0
    total2 = 0
    distinct3 = 0
    total3 = 0
    for doc in order:
        first = bounds[doc]
        last = min(bounds[doc + 1], first + left)
        left -= last - first
        for i in range(first, last):
            counts[words[i]] += 1
            if i + 1 < last:
                total2 += 1
                if met_pairs[pairs[i]] != stamp:
                    met_pairs[pairs[i]] = stamp
                    distinct2 += 1
            if i + 2 < last:
                total3 += 1
                if met_triples[triples[i]] != stamp:
                    met_triples[triples[i]] = stamp
                    distinct3 += 1
        if left == 0:
            break
    return distinct2, total2, distinct3, total3
