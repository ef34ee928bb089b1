"""Native code: statistics of blocks, elements and the page, from which the features are filled. Imported late.

All counts of words are those of the scanner. A *paragraph* is a `p`, or a block of more than 15 words with a comma and
a sentence end. The best container is Readability's: paragraphs give points to their ancestors, halved and then by 0.6
a level, less the share of words in links. The densest run is the contiguous range of blocks with the largest sum of
(words outside links - 6), as in maximum-subsequence segmentation (Pasternack and Roth 2009).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, types

from pipeline.extract._text import BITS, INT, TABLE, TEXT_BUFFER, is_alnum
from pipeline.extract.blocks.names import CONTAINERS, FAR, MANY_BLOCKS, MANY_POINTS, MANY_WORDS
from pipeline.extract.columns import (
    BLOCK_END,
    BLOCK_INLINE,
    BLOCK_LINK_WORDS,
    BLOCK_NODE,
    BLOCK_PARENT,
    BLOCK_START,
    BLOCK_WORDS,
    PARENT,
    SIGNATURE,
    TAG_OF,
)
from pipeline.extract.vocabulary import HASH_SEED, HASH_STEP, TAG, TAGS, WORDS

FLOATS = types.float32[::1]
COUNTS = types.int32[::1]
MATRIX = types.float32[:, ::1]

# Statistics of a block, and of the part of the page under an element.
(COMMAS, SENTENCES, ENDS, CAPITAL, DIGITS, UPPER, LETTERS, CHARACTERS, IS_PARAGRAPH, TEXT_GROUP,
 SHAPE_GROUP) = range(11)  # fmt: skip
STATISTICS: Final = 11
N_WORDS, N_LINK_WORDS, N_PARAGRAPH_WORDS, N_BLOCKS, N_FIRST, N_BEFORE = range(6)
NODE_SUMS: Final = 6

DISTANCES: Final = len(CONTAINERS) + len(WORDS)
ONE = np.uint64(1)
HEADING = np.zeros(len(TAGS), np.int32)
for _number in range(1, 7):
    HEADING[TAG[f"h{_number}"]] = _number
_CONTAINER = np.full(len(TAGS), -1, np.int32)
for _number, _name in enumerate(CONTAINERS):
    _CONTAINER[TAG[_name]] = _number
_CONTAINER[TAG["ol"]] = _CONTAINER[TAG["ul"]]
_CONTAINERS: Final = len(CONTAINERS)
_P, _LI, _ARTICLE, _MAIN, _TABLE, _FORM, _IMG = (TAG[n] for n in ("p", "li", "article", "main", "table", "form", "img"))
_GROUP: Final = {word: bit for bit, words in enumerate(WORDS) for word in words}
_COMMENT, _PRICE, _REPLY = (np.uint64(1 << _GROUP[w]) for w in ("comment", "price", "reply"))


@njit(types.void(BITS, types.int32[:]), cache=True)
def group(keys: Any, found: Any) -> None:
    """Number equal keys alike, in order of first sight, into `found`."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    mask = np.uint64(size - 1)
    slots = np.full(size, -1, np.int32)
    count = 0
    for i in range(len(keys)):
        slot = (keys[i] ^ (keys[i] >> np.uint64(29))) & mask
        while slots[slot] >= 0 and keys[slots[slot]] != keys[i]:
            slot = (slot + ONE) & mask
        if slots[slot] < 0:
            slots[slot] = i
            found[i] = count
            count += 1
        else:
            found[i] = found[slots[slot]]


@njit("Tuple((u8, i8))(u1[::1], i8, i8)", cache=True)
def next_word(text: Any, i: Any, end: Any) -> Any:
    """Hash of the next word from `i` on, and the position after it; (0, end) if there is none."""
    while i < end and not (is_alnum(text[i]) or text[i] > 127):
        i += 1
    if i >= end:
        return np.uint64(0), end
    key = HASH_SEED
    if 0xE3 <= text[i] <= 0xE9:  # Han and Kana: a character is a word
        for k in range(i, min(i + 3, end)):
            key = (key ^ np.uint64(text[k])) * HASH_STEP
        return key, min(i + 3, end)
    while i < end and (is_alnum(text[i]) or text[i] > 127) and not 0xE3 <= text[i] <= 0xE9:
        c = text[i]
        if 65 <= c <= 90:
            c |= 32
        key = (key ^ np.uint64(c)) * HASH_STEP
        i += 1
    return key, i


@njit(INT(TEXT_BUFFER, INT, types.uint8[::1], INT), cache=True)
def mark_words(text: Any, limit: Any, marks: Any, bit: Any) -> Any:
    """Set `bit` at the slots of the first `limit` words; returns how many different slots."""
    i, count, seen = 0, 0, 0
    while i < len(text) and count < limit:
        key, i = next_word(text, i, len(text))
        if key == np.uint64(0):
            break
        slot = np.int64(key >> np.uint64(52))
        if not marks[slot] & bit:
            marks[slot] |= bit
            seen += 1
        count += 1
    return seen


@njit(types.void(TEXT_BUFFER, TABLE, TABLE, TABLE), cache=True)
def measure_blocks(text: Any, blocks: Any, nodes: Any, stats: Any) -> None:
    """Statistics of the characters of each block, and groups of equal texts and of equal shapes."""
    texts = np.empty(len(blocks), np.uint64)
    shapes = np.empty(len(blocks), np.uint64)
    for b in range(len(blocks)):
        start, end = blocks[b, BLOCK_START], blocks[b, BLOCK_END]
        commas = sentences = digits = upper = letters = characters = 0
        key = HASH_SEED
        for i in range(start, end):
            c = text[i]
            key = (key ^ np.uint64(c)) * HASH_STEP
            if c < 128:
                characters += 1
                if 97 <= c <= 122:
                    letters += 1
                elif 65 <= c <= 90:
                    letters += 1
                    upper += 1
                elif 48 <= c <= 57:
                    digits += 1
                elif c == 44:
                    commas += 1
                elif (c == 46 or c == 33 or c == 63) and (i + 1 >= end or text[i + 1] <= 32):
                    sentences += 1
            elif c >= 0xC0:
                characters += 1
                if c == 0xE3 and i + 2 < end and text[i + 1] == 0x80:  # ideographic comma and full stop
                    commas += text[i + 2] == 0x81
                    sentences += text[i + 2] == 0x82
                elif c == 0xEF and i + 2 < end and text[i + 1] == 0xBC:  # full-width , ! ?
                    commas += text[i + 2] == 0x8C
                    sentences += text[i + 2] == 0x81 or text[i + 2] == 0x9F
        last = text[end - 1]
        row = stats[b]
        row[COMMAS], row[SENTENCES], row[DIGITS], row[UPPER] = commas, sentences, digits, upper
        row[LETTERS], row[CHARACTERS] = letters, characters
        row[ENDS] = last == 46 or last == 33 or last == 63 or last == 34 or last == 58 or last == 0x9D or last == 0x82
        row[CAPITAL] = 65 <= text[start] <= 90 or text[start] > 127
        node = blocks[b, BLOCK_NODE]
        row[IS_PARAGRAPH] = nodes[node, TAG_OF] == _P or (
            commas >= 1 and sentences >= 1 and blocks[b, BLOCK_WORDS] > 15
        )
        texts[b] = key
        shape = (HASH_SEED ^ np.uint64(blocks[b, BLOCK_INLINE])) * HASH_STEP
        for _ in range(3):
            if node < 0:
                break
            shape = (shape ^ np.uint64(nodes[node, SIGNATURE])) * HASH_STEP
            node = nodes[node, PARENT]
        shapes[b] = shape ^ (shape >> np.uint64(32))
    group(texts, stats[:, TEXT_GROUP])
    group(shapes, stats[:, SHAPE_GROUP])


@njit(types.void(TABLE, TABLE, TABLE, TABLE, FLOATS, COUNTS), cache=True)
def sum_nodes(blocks: Any, nodes: Any, stats: Any, sums: Any, scores: Any, words_before: Any) -> None:
    """Words and blocks under every element, and Readability's points."""
    for i in range(len(nodes)):
        for k in range(NODE_SUMS):
            sums[i, k] = 0
        sums[i, N_FIRST] = -1
        scores[i] = 0
    total = 0
    for b in range(len(blocks)):
        words_before[b] = total
        node, words = blocks[b, BLOCK_NODE], blocks[b, BLOCK_WORDS]
        at = sums[node]
        if at[N_FIRST] < 0:
            at[N_FIRST], at[N_BEFORE] = b, total
        at[N_WORDS] += words
        at[N_LINK_WORDS] += blocks[b, BLOCK_LINK_WORDS]
        at[N_BLOCKS] += 1
        total += words
        if stats[b, IS_PARAGRAPH]:
            at[N_PARAGRAPH_WORDS] += words
            if words > 5:
                points = np.float32(1 + stats[b, COMMAS]) + min(
                    np.float32(stats[b, CHARACTERS]) / np.float32(100), np.float32(3)
                )
                factor = np.float32(1)
                for level in range(4):
                    node = nodes[node, BLOCK_PARENT]
                    if node < 0:
                        break
                    scores[node] += points * factor
                    factor = np.float32(0.5) if level == 0 else factor * np.float32(0.6)
    words_before[len(blocks)] = total
    for i in range(len(nodes) - 1, 0, -1):
        if sums[i, N_BLOCKS]:
            up, at = sums[nodes[i, PARENT]], sums[i]
            for k in range(4):
                up[k] += at[k]
            if up[N_FIRST] < 0 or at[N_FIRST] < up[N_FIRST]:
                up[N_FIRST], up[N_BEFORE] = at[N_FIRST], at[N_BEFORE]


@njit("Tuple((i8, f4))(i4[:, ::1], i4[:, ::1], f4[::1])", cache=True)
def best_container(nodes: Any, sums: Any, scores: Any) -> Any:
    """Element with the most points outside links, and the points; (0, 0) if none has any."""
    best, most = 0, np.float32(0)
    for i in range(1, len(nodes)):
        if scores[i] > 0:
            score = scores[i] * np.float32(1 - sums[i, N_LINK_WORDS] / max(sums[i, N_WORDS], 1))
            if score > most:
                best, most = i, score
    return best, most


@njit(types.void(TABLE, BITS, TABLE, INT, types.uint8[:, ::1], types.uint8[::1]), cache=True)
def measure_distances(nodes: Any, node_words: Any, sums: Any, best: Any, distances: Any, in_best: Any) -> None:
    """Steps up to the nearest element of each kind and word group, for elements with text under them."""
    for i in range(len(nodes)):
        if not sums[i, N_BLOCKS]:
            continue
        parent = nodes[i, PARENT]
        if parent < 0:
            for k in range(DISTANCES):
                distances[i, k] = FAR
            in_best[i] = 0
        else:
            for k in range(DISTANCES):
                distances[i, k] = min(distances[parent, k] + 1, FAR)
            in_best[i] = in_best[parent]
        if i == best and best > 0:
            in_best[i] = 1
        kind = _CONTAINER[nodes[i, TAG_OF]]
        if kind >= 0:
            distances[i, kind] = 0
        bits = node_words[i]
        k = _CONTAINERS
        while bits:
            if bits & ONE:
                distances[i, k] = 0
            bits >>= ONE
            k += 1


@njit("UniTuple(i8, 3)(i4[:, ::1])", cache=True)
def densest_run(blocks: Any) -> Any:
    """First and last block (half-open) of the densest run, and its sum."""
    current, begin = 0, 0
    most, first, last = 0, 0, 0
    for b in range(len(blocks)):
        words, links = blocks[b, BLOCK_WORDS], min(blocks[b, BLOCK_LINK_WORDS], blocks[b, BLOCK_WORDS])
        if current <= 0:
            current, begin = 0, b
        current += words - links - 6 - (4 if 2 * links > words else 0)
        if current > most:
            most, first, last = current, begin, b + 1
    return first, last, most


@njit(types.float32(INT, INT), cache=True)
def ratio(a: Any, b: Any) -> Any:
    return np.float32(a) / np.float32(b) if b else np.float32(0)


@njit(types.void(TABLE, TABLE, BITS, TABLE, TABLE, TABLE, INT, types.float32, FLOATS), cache=True)
def page_features(
    blocks: Any, nodes: Any, node_words: Any, stats: Any, sums: Any, shapes: Any, run: Any, score: Any, out: Any
) -> None:
    """The features that are the same for all blocks of a page."""
    words = max(sums[0, N_WORDS], 1)
    items = headings = 0
    for b in range(len(blocks)):
        tag = nodes[blocks[b, BLOCK_NODE], TAG_OF]
        if tag == _LI:
            items += blocks[b, BLOCK_WORDS]
        headings += HEADING[tag] > 0 and HEADING[tag] < 5
    articles = mains = forms = tables = images = comments = prices = replies = 0
    for i in range(len(nodes)):
        tag = nodes[i, TAG_OF]
        articles += tag == _ARTICLE
        mains += tag == _MAIN
        forms += tag == _FORM
        tables += tag == _TABLE
        images += tag == _IMG
        bits = node_words[i]
        if bits:
            comments += (bits & _COMMENT) != 0
            prices += (bits & _PRICE) != 0
            replies += (bits & _REPLY) != 0
    most = 0
    for g in range(len(shapes)):
        if shapes[g, 0] > shapes[most, 0] or (shapes[g, 0] == shapes[most, 0] and shapes[g, 1] > shapes[most, 1]):
            most = g
    out[0] = min(sums[0, N_WORDS], MANY_WORDS)
    out[1] = ratio(sums[0, N_LINK_WORDS], words)
    out[2] = min(len(blocks), MANY_BLOCKS)
    out[3] = ratio(sums[0, N_PARAGRAPH_WORDS], words)
    out[4] = ratio(items, words)
    out[5] = ratio(words, len(blocks))
    out[6], out[7], out[8], out[9] = articles, mains, forms, tables
    out[10], out[11] = min(images, MANY_BLOCKS), min(headings, MANY_BLOCKS)
    out[12], out[13], out[14] = comments, prices, replies
    out[15] = min(shapes[most, 0], MANY_BLOCKS)
    out[16] = ratio(shapes[most, 1], shapes[most, 0])
    out[17] = ratio(run, words)
    out[18] = min(np.log(np.float32(1) + score), MANY_POINTS)
