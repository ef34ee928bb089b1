"""Native code of `survey`: one pass over the nodes and attributes of a page table. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipeline.extract.columns import (
    ATTR_ID,
    ATTR_NAME,
    ATTR_NAME_END,
    ATTR_NODE,
    ATTR_VALUE,
    ATTR_VALUE_END,
    PARENT,
    TAG_OF,
)

GRAM_STEP = np.uint32(0x9E3779B1)  # of a multiplicative hash
GRAM_SHIFT = np.uint32(20)  # leaves 12 bits


@njit(cache=True)
def survey(
    source: Any, nodes: Any, attributes: Any, template: Any, read: Any, searched: Any, patterns: Any, out: Any
) -> Any:
    """Fill `inert`, `seen` and `rows` of `out`; returns the number of rows. Tables are arguments, never constants:
    cached code would keep what they were."""
    slots, letters, ends, lengths = patterns
    inert, seen, rows = out
    tags = read.shape[1]
    first_pattern = tags + read.shape[0]
    inert[0] = 0
    seen[tags + nodes[0, TAG_OF]] = 1
    for node in range(1, len(nodes)):
        parent = nodes[node, PARENT]
        inert[node] = inert[parent] | (nodes[parent, TAG_OF] == template)
        if not inert[node]:
            seen[tags + nodes[node, TAG_OF]] = 1
    count = 0
    for a in range(len(attributes)):
        node = attributes[a, ATTR_NODE]
        number = attributes[a, ATTR_ID]
        if inert[node]:
            continue
        seen[number] = 1
        tag = nodes[node, TAG_OF]
        if searched[tag, number]:
            start, end = attributes[a, ATTR_VALUE], attributes[a, ATTR_VALUE_END]
            gram = np.uint32(0)  # the last four bytes: they say which pattern may be there
            for i in range(start, end):
                gram = np.uint32((gram << np.uint32(8)) | np.uint32(source[np.uint64(i)] | 32))
                pattern = slots[(gram * GRAM_STEP & np.uint32(0xFFFFFFFF)) >> GRAM_SHIFT]
                if pattern == 0:
                    continue
                pattern -= 1
                begin = i - ends[pattern]
                if begin < start or begin + lengths[pattern] > end:
                    continue
                k = 0
                while k < lengths[pattern] and (source[begin + k] | 32) == letters[pattern, k]:
                    k += 1
                if k == lengths[pattern]:
                    seen[first_pattern + pattern] = 1
        if read[tag, number] and count < len(rows):
            rows[count, 0], rows[count, 1], rows[count, 2] = tag, node, number
            rows[count, 3], rows[count, 4] = attributes[a, ATTR_NAME], attributes[a, ATTR_NAME_END]
            rows[count, 5], rows[count, 6] = attributes[a, ATTR_VALUE], attributes[a, ATTR_VALUE_END]
            count += 1
    return count
