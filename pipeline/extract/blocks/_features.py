"""Native code of the block features: each function fills some columns. Imported late."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, types

from pipeline.extract._text import BITS, INT, TABLE, TEXT_BUFFER
from pipeline.extract.blocks._measure import (
    CAPITAL,
    CHARACTERS,
    COMMAS,
    COUNTS,
    DIGITS,
    DISTANCES,
    ENDS,
    FLOATS,
    HEADING,
    LETTERS,
    MATRIX,
    N_BEFORE,
    N_BLOCKS,
    N_FIRST,
    N_LINK_WORDS,
    N_PARAGRAPH_WORDS,
    N_WORDS,
    NODE_SUMS,
    ONE,
    SENTENCES,
    SHAPE_GROUP,
    STATISTICS,
    TEXT_GROUP,
    UPPER,
    best_container,
    densest_run,
    mark_words,
    measure_blocks,
    measure_distances,
    next_word,
    page_features,
    ratio,
    sum_nodes,
)  # fmt: skip
from pipeline.extract.blocks.names import (
    CONTAINERS,
    INLINE_KINDS,
    KINDS,
    LEVELS,
    MANY_BLOCKS,
    MANY_POINTS,
    MANY_WORDS,
    NEIGHBOURS,
    PAGE_FEATURES,
    WINDOWS,
)
from pipeline.extract.columns import (
    BLOCK_BREAKS,
    BLOCK_END,
    BLOCK_INLINE,
    BLOCK_LINK_WORDS,
    BLOCK_LINKS,
    BLOCK_NODE,
    BLOCK_START,
    BLOCK_WORDS,
    CHILDREN,
    DEPTH,
    HIDDEN,
    PARENT,
    PLACE,
    TAG_OF,
)
from pipeline.extract.vocabulary import TAG, TAGS

TITLE_SLOTS: Final = 4096
_H1: Final = TAG["h1"]
_CONTAINERS, _KINDS, _INLINES = len(CONTAINERS), len(KINDS), len(INLINE_KINDS)
_KIND = np.full(len(TAGS), -1, np.int32)
for _number, _names in enumerate(KINDS.values()):
    for _name in _names.split():
        _KIND[TAG[_name]] = _number
_INLINE = np.full(len(TAGS), -1, np.int32)
for _number, _names in enumerate(INLINE_KINDS.values()):
    for _name in _names.split():
        _INLINE[TAG[_name]] = _number


@njit(cache=True)
def within(blocks: Any) -> Any:
    """A number of blocks, or a distance in blocks, up to MANY_BLOCKS: a text may be long."""
    return max(-MANY_BLOCKS, min(blocks, MANY_BLOCKS))


@njit(INT(TABLE, TABLE, TABLE, MATRIX, INT), cache=True)
def fill_own(blocks: Any, nodes: Any, stats: Any, x: Any, k: Any) -> Any:
    """Features of a block alone. Like all below, writes from column `k` on and returns the next free column."""
    for b in range(len(blocks)):
        out, stat = x[b], stats[b]
        node, words, links = blocks[b, BLOCK_NODE], blocks[b, BLOCK_WORDS], blocks[b, BLOCK_LINK_WORDS]
        tag = nodes[node, TAG_OF]
        characters = np.float32(max(stat[CHARACTERS], 1))
        out[k], out[k + 1], out[k + 2], out[k + 3] = words, characters, ratio(links, words), blocks[b, BLOCK_LINKS]
        out[k + 4], out[k + 5] = characters / np.float32(words), ratio(stat[COMMAS], words)
        out[k + 6], out[k + 7], out[k + 8] = stat[SENTENCES], stat[ENDS], stat[CAPITAL]
        out[k + 9] = np.float32(stat[DIGITS]) / characters
        out[k + 10] = ratio(stat[UPPER], stat[LETTERS])
        out[k + 11], out[k + 12] = blocks[b, BLOCK_BREAKS], HEADING[tag]
        at = k + 13
        for i in range(_KINDS):
            out[at + i] = _KIND[tag] == i
        at += _KINDS
        for i in range(_INLINES):
            out[at + i] = _INLINE[blocks[b, BLOCK_INLINE]] == i
        at += _INLINES
        out[at], out[at + 1], out[at + 2] = nodes[node, HIDDEN], nodes[node, DEPTH], within(nodes[node, PLACE])
    return k + 16 + _KINDS + _INLINES


@njit(INT(TABLE, BITS, types.uint8[:, ::1], MATRIX, INT), cache=True)
def fill_near(blocks: Any, block_words: Any, distances: Any, x: Any, k: Any) -> Any:
    """Elements and words of class names above a block; a word of an inline element in the block is at 0."""
    for b in range(len(blocks)):
        out, near = x[b], distances[blocks[b, BLOCK_NODE]]
        bits = block_words[b]
        for i in range(_CONTAINERS):
            out[k + i] = near[i]
        for i in range(_CONTAINERS, DISTANCES):
            out[k + i] = 0 if bits & ONE else near[i] + 1
            bits >>= ONE
    return k + DISTANCES


@njit(INT(TABLE, TABLE, TABLE, FLOATS, COUNTS, types.uint8[::1], INT, types.float32, MATRIX, INT), cache=True)
def fill_containers(
    blocks: Any, nodes: Any, sums: Any, scores: Any, before: Any, in_best: Any, best: Any, score: Any, x: Any, k: Any
) -> Any:
    """The elements around a block that hold more than the one before, and the best container."""
    total = np.float32(max(sums[0, N_WORDS], 1))
    around = np.zeros(LEVELS, np.int32)
    steps = np.zeros(LEVELS, np.int32)
    for b in range(len(blocks)):
        out, node = x[b], blocks[b, BLOCK_NODE]
        inner, level, step, up = blocks[b, BLOCK_WORDS], 0, 0, node
        while up >= 0 and level < LEVELS:
            if sums[up, N_WORDS] > inner:
                around[level], steps[level] = up, step
                level += 1
                inner = sums[up, N_WORDS] + sums[up, N_WORDS] // 4
            up = nodes[up, PARENT]
            step += 1
        at = k
        for i in range(LEVELS):
            up = around[i] if i < level else 0
            held = sums[up]
            out[at] = min(held[N_WORDS], MANY_WORDS) if i < level else -1
            out[at + 1] = ratio(held[N_LINK_WORDS], held[N_WORDS])
            out[at + 2] = held[N_WORDS] / total
            out[at + 3] = ratio(held[N_PARAGRAPH_WORDS], held[N_WORDS])
            out[at + 4] = ratio(held[N_WORDS], held[N_BLOCKS])
            out[at + 5] = ratio(before[b] - held[N_BEFORE], held[N_WORDS])
            out[at + 6] = within(nodes[up, CHILDREN])
            out[at + 7] = steps[i] if i < level else 0
            at += 8
        near = scores[around[0] if level > 0 else 0]
        outer = scores[around[1] if level > 1 else 0]
        out[at], out[at + 1] = in_best[node], sums[best, N_WORDS] / total
        first, last = sums[best, N_FIRST], sums[best, N_FIRST] + sums[best, N_BLOCKS]
        out[at + 2], out[at + 3] = within(b - first), within(last - b)
        out[at + 4] = min(np.log(np.float32(1) + near), MANY_POINTS)
        out[at + 5] = near / score if score > 0 else np.float32(0)
        out[at + 6] = outer / score if score > 0 else np.float32(0)
    return k + 8 * LEVELS + 7


@njit(INT(TABLE, TABLE, TABLE, COUNTS, TABLE, types.float32, INT, INT, MATRIX, INT), cache=True)
def fill_repeats(
    blocks: Any, nodes: Any, stats: Any, same: Any, shapes: Any, total: Any, first: Any, last: Any, x: Any, k: Any
) -> Any:
    """The densest run, repeated texts and shapes, and the section under the last heading."""
    count = len(blocks)
    section = np.empty(count, np.int32)
    sections = np.zeros((count + 1, 3), np.int32)
    number = 0
    for b in range(count):
        number += HEADING[nodes[blocks[b, BLOCK_NODE], TAG_OF]] > 0
        section[b] = number
        sections[number, 0] += blocks[b, BLOCK_WORDS]
        sections[number, 1] += blocks[b, BLOCK_LINK_WORDS]
        sections[number, 2] += 1
    last_heading, last_level = -1, 0
    for b in range(count):
        out = x[b]
        heading = HEADING[nodes[blocks[b, BLOCK_NODE], TAG_OF]]
        out[k], out[k + 1], out[k + 2] = first <= b < last, within(b - first), within(last - b)
        shape = shapes[stats[b, SHAPE_GROUP]]
        out[k + 3], out[k + 4] = within(same[stats[b, TEXT_GROUP]]), within(shape[0])
        out[k + 5], out[k + 6], out[k + 7] = ratio(shape[1], shape[0]), ratio(shape[2], shape[1]), shape[1] / total
        if heading:
            last_heading, last_level = b, heading
        out[k + 8], out[k + 9] = within(b - last_heading) if last_heading >= 0 else -1, last_level
        part = sections[section[b]]
        out[k + 10], out[k + 11] = min(part[0], MANY_WORDS), ratio(part[1], part[0])
        out[k + 12] = within(part[2])
    return k + 13


@njit(INT(TABLE, TABLE, TABLE, COUNTS, MATRIX, INT), cache=True)
def fill_neighbours(blocks: Any, nodes: Any, stats: Any, before: Any, x: Any, k: Any) -> Any:
    """The blocks before and after, and their words in two windows."""
    count = len(blocks)
    for b in range(count):
        out, node = x[b], blocks[b, BLOCK_NODE]
        at = k
        for i in range(len(NEIGHBOURS)):
            j = b + NEIGHBOURS[i]
            if j < 0 or j >= count:
                for m in range(5):
                    out[at + m] = -1
            else:
                other = blocks[j, BLOCK_NODE]
                kin = np.float32(0)
                if other == node:
                    kin = np.float32(2)
                elif nodes[other, PARENT] == nodes[node, PARENT]:
                    kin = np.float32(1)
                elif stats[j, SHAPE_GROUP] == stats[b, SHAPE_GROUP]:
                    kin = np.float32(0.5)
                out[at] = blocks[j, BLOCK_WORDS]
                out[at + 1] = ratio(blocks[j, BLOCK_LINK_WORDS], blocks[j, BLOCK_WORDS])
                out[at + 2], out[at + 3], out[at + 4] = HEADING[nodes[other, TAG_OF]], kin, stats[j, ENDS]
            at += 5
        for i in range(len(WINDOWS)):
            low, high = max(b - WINDOWS[i], 0), min(b + WINDOWS[i] + 1, count)
            out[at] = ratio(before[b] - before[low], max(b - low, 1))
            out[at + 1] = ratio(before[high] - before[b + 1], max(high - b - 1, 1))
            at += 2
    return k + 5 * len(NEIGHBOURS) + 2 * len(WINDOWS)


@njit(INT(TEXT_BUFFER, TABLE, TABLE, COUNTS, TEXT_BUFFER, TEXT_BUFFER, MATRIX, INT), cache=True)
def fill_place(text: Any, blocks: Any, nodes: Any, before: Any, title: Any, description: Any, x: Any, k: Any) -> Any:
    """Where a block is on the page, and what it shares with title and description."""
    count = len(blocks)
    marks = np.zeros(TITLE_SLOTS, np.uint8)
    title_words = mark_words(title, 60, marks, 1)
    mark_words(description, 60, marks, 2)
    total = np.float32(max(before[count], 1))
    h1 = -1
    for b in range(count):
        if nodes[blocks[b, BLOCK_NODE], TAG_OF] == _H1:
            h1 = b
            break
    for b in range(count):
        out = x[b]
        out[k], out[k + 1], out[k + 2] = ratio(b, count), within(b), before[b] / total
        out[k + 3] = min(before[count] - before[b], MANY_WORDS)
        out[k + 4] = within(b - h1) if h1 >= 0 else -999
        at, seen, in_title, in_description = blocks[b, BLOCK_START], 0, 0, 0
        while at < blocks[b, BLOCK_END] and seen < 40:
            key, at = next_word(text, at, blocks[b, BLOCK_END])
            if key == np.uint64(0):
                break
            mark = marks[np.int64(key >> np.uint64(52))]
            in_title += mark & 1
            in_description += mark >> 1
            seen += 1
        out[k + 5], out[k + 6] = ratio(in_title, seen), min(ratio(in_title, title_words), np.float32(1))
        out[k + 7] = ratio(in_description, seen)
    return k + 8


@njit(INT(TEXT_BUFFER, TABLE, BITS, TABLE, BITS, TEXT_BUFFER, TEXT_BUFFER, FLOATS, MATRIX), cache=True)
def fill(
    text: Any,
    blocks: Any,
    block_words: Any,
    nodes: Any,
    node_words: Any,
    title: Any,
    description: Any,
    context: Any,
    x: Any,
) -> Any:
    """Write the features of all blocks of a page into `x`: blocks x len(feature_names), float32."""
    count, size = len(blocks), len(nodes)
    stats = np.empty((count, STATISTICS), np.int32)
    sums = np.empty((size, NODE_SUMS), np.int32)
    scores = np.empty(size, np.float32)
    before = np.empty(count + 1, np.int32)
    distances = np.empty((size, DISTANCES), np.uint8)
    in_best = np.empty(size, np.uint8)
    measure_blocks(text, blocks, nodes, stats)
    sum_nodes(blocks, nodes, stats, sums, scores, before)
    best, score = best_container(nodes, sums, scores)
    measure_distances(nodes, node_words, sums, best, distances, in_best)
    first, last, run = densest_run(blocks)
    shapes = np.zeros((count, 3), np.int32)
    same = np.zeros(count, np.int32)
    for b in range(count):
        same[stats[b, TEXT_GROUP]] += 1
        shape = shapes[stats[b, SHAPE_GROUP]]
        shape[0] += 1
        shape[1] += blocks[b, BLOCK_WORDS]
        shape[2] += blocks[b, BLOCK_LINK_WORDS]
    page = np.empty(PAGE_FEATURES, np.float32)
    page_features(blocks, nodes, node_words, stats, sums, shapes, run, score, page)
    total = np.float32(max(sums[0, N_WORDS], 1))
    k = fill_own(blocks, nodes, stats, x, 0)
    k = fill_near(blocks, block_words, distances, x, k)
    k = fill_containers(blocks, nodes, sums, scores, before, in_best, best, score, x, k)
    k = fill_repeats(blocks, nodes, stats, same, shapes, total, first, last, x, k)
    k = fill_neighbours(blocks, nodes, stats, before, x, k)
    k = fill_place(text, blocks, nodes, before, title, description, x, k)
    for b in range(count):
        for i in range(PAGE_FEATURES):
            x[b, k + i] = page[i]
        for i in range(len(context)):
            x[b, k + PAGE_FEATURES + i] = context[i]
    return k + PAGE_FEATURES + len(context)
