"""Native code of the scanner: elements that open and close, and the blocks of text between them. Imported late."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from pipeline.extract._text import BITS, FLAG_OF, INT, STATE_ARRAY, TABLE, TEXT_BUFFER
from pipeline.extract.columns import (
    ALNUM,
    ATTR_END,
    ATTR_FIRST,
    ATTRS,
    BLOCK_BREAKS,
    BLOCK_END,
    BLOCK_INLINE,
    BLOCK_LINK_WORDS,
    BLOCK_LINKS,
    BLOCK_NODE,
    BLOCK_PARENT,
    BLOCK_START,
    BLOCK_WORDS,
    BLOCKS,
    BREAKS,
    CHILDREN,
    CONTENT_END,
    CONTENT_START,
    DEEPEST,
    DEPTH,
    HEIGHT,
    HIDDEN,
    INLINE,
    INLINE_WORDS,
    LINK,
    LINK_WORDS,
    LINKS,
    MAX_BLOCKS,
    NAME_START,
    NODES,
    OPENED,
    OVERFLOW,
    PARENT,
    PLACE,
    PRE,
    RUN,
    SIGNATURE,
    SOFT_BLOCKS,
    SOFT_STEP,
    SPACE,
    STACK,
    START,
    STARTED,
    TAG_OF,
    TEXT,
    WORD_COUNT,
)  # fmt: skip
from pipeline.extract.vocabulary import FLAGS, TAG

_VOID, _BLOCK, _CLOSES_P, _HIDES = (FLAGS[n] for n in ("VOID", "BLOCK", "CLOSES_P", "HIDES"))
_IN_P, _IN_LI, _IN_DT, _IN_CELL, _IN_TABLE, _IN_END = (
    FLAGS[f"IN_{n}"] for n in ("P", "LI", "DT", "CELL", "TABLE", "END")
)
_PASSES_CELLS, _PASSES_TABLES = FLAGS["PASSES_CELLS"], FLAGS["PASSES_TABLES"]
_A, _P, _LI, _DT, _DD, _TD, _TH, _TR = (TAG[n] for n in ("a", "p", "li", "dt", "dd", "td", "th", "tr"))
_TBODY, _THEAD, _TFOOT, _OPTION, _PRE = (TAG[n] for n in ("tbody", "thead", "tfoot", "option", "pre"))
_TEMPLATE, _H1, _H6 = TAG["template"], TAG["h1"], TAG["h6"]


@njit(cache=True)
def begin_block(s: Any) -> None:
    """Forget what is known of the block so far."""
    s[START] = s[TEXT]
    s[WORD_COUNT] = s[LINK_WORDS] = s[LINKS] = s[STARTED] = s[INLINE] = s[BREAKS] = s[ALNUM] = s[RUN] = 0
    s[SPACE] = 1
    s[INLINE_WORDS] = 0


@njit(types.void(STATE_ARRAY, TABLE, TEXT_BUFFER, TABLE, BITS, types.boolean), cache=True)
def flush(s: Any, nodes: Any, text: Any, blocks: Any, bits: Any, last: Any) -> None:
    """End the current block, if it holds anything, and begin the next."""
    start = s[START]
    if s[TEXT] == start:
        begin_block(s)
        return
    e = s[TEXT]
    while e > start and (text[e - 1] == 32 or text[e - 1] == 10):
        e -= 1
    s[RUN] = 0
    s[SPACE] = 1
    if e == start or s[ALNUM] == 0:
        s[TEXT] = start
    else:
        b = s[BLOCKS]
        text[e] = 10
        s[TEXT] = e + 1
        if not last and b >= SOFT_BLOCKS:
            least = np.int64(1) << min((b - SOFT_BLOCKS) // SOFT_STEP, 40)
            if s[WORD_COUNT] < least or b >= MAX_BLOCKS - 1:
                return
        node = s[STACK + s[HEIGHT] - 1]
        while node > 0 and not FLAG_OF[nodes[node, TAG_OF]] & _BLOCK:
            node = nodes[node, PARENT]
        blocks[b, BLOCK_NODE] = node
        blocks[b, BLOCK_START] = start
        blocks[b, BLOCK_END] = e
        blocks[b, BLOCK_WORDS] = max(s[WORD_COUNT], 1)
        blocks[b, BLOCK_LINK_WORDS] = s[LINK_WORDS]
        blocks[b, BLOCK_LINKS] = min(s[LINKS], 1000)
        blocks[b, BLOCK_INLINE] = s[INLINE]
        blocks[b, BLOCK_BREAKS] = min(s[BREAKS], 1000)
        bits[b] = np.uint64(s[INLINE_WORDS])
        s[BLOCKS] = b + 1
    begin_block(s)


@njit(INT(STATE_ARRAY, TABLE, INT, INT, INT, INT), cache=True)
def find_up(s: Any, nodes: Any, t1: Any, t2: Any, t3: Any, stop: Any) -> Any:
    """Height of the innermost open element of one of three kinds, or 0 if a `stop` element comes first."""
    if s[OPENED + t1] + s[OPENED + t2] + s[OPENED + t3] == 0:
        return 0
    for i in range(s[HEIGHT] - 1, 0, -1):
        t = nodes[s[STACK + i], TAG_OF]
        if t in (t1, t2, t3):
            return i
        if FLAG_OF[t] & stop:
            return 0
    return 0


@njit(types.void(INT, STATE_ARRAY, TABLE, TEXT_BUFFER, TABLE, BITS), cache=True)
def pop_to(d: Any, s: Any, nodes: Any, text: Any, blocks: Any, bits: Any) -> None:
    """Close the open elements from height `d` up."""
    for i in range(d, s[HEIGHT]):
        if FLAG_OF[nodes[s[STACK + i], TAG_OF]] & _BLOCK:
            flush(s, nodes, text, blocks, bits, False)
            break
    for i in range(d, s[HEIGHT]):
        t = nodes[s[STACK + i], TAG_OF]
        s[OPENED + t] -= 1
        if s[STACK + i] == s[LINK]:
            s[LINK] = -1
        if t == _PRE:
            s[PRE] -= 1
    s[HEIGHT] = d


@njit(INT(INT, INT, STATE_ARRAY, TABLE, BITS), cache=True)
def open_node(tag: Any, name: Any, s: Any, nodes: Any, node_words: Any) -> Any:
    """A new node under the innermost open element; it is not put on the stack."""
    parent = s[STACK + s[HEIGHT] - 1]
    node = s[NODES]
    s[NODES] = node + 1
    nodes[parent, CHILDREN] += 1
    nodes[node, PARENT] = parent
    nodes[node, TAG_OF] = tag
    nodes[node, DEPTH] = nodes[parent, DEPTH] + 1 + s[OVERFLOW]
    nodes[node, NAME_START] = name
    nodes[node, ATTR_FIRST] = s[ATTRS]
    nodes[node, ATTR_END] = s[ATTRS]
    nodes[node, CONTENT_START] = 0
    nodes[node, CONTENT_END] = 0
    nodes[node, PLACE] = nodes[parent, CHILDREN]
    nodes[node, CHILDREN] = 0
    nodes[node, HIDDEN] = nodes[parent, HIDDEN]
    nodes[node, SIGNATURE] = 0
    nodes[node, BLOCK_PARENT] = parent if FLAG_OF[nodes[parent, TAG_OF]] & _BLOCK else nodes[parent, BLOCK_PARENT]
    node_words[node] = np.uint64(0)
    s[DEEPEST] = max(s[DEEPEST], np.int64(nodes[node, DEPTH]))
    return node


@njit(types.void(INT, STATE_ARRAY, TABLE, TEXT_BUFFER, TABLE, BITS), cache=True)
def close_implied(t: Any, s: Any, nodes: Any, text: Any, blocks: Any, bits: Any) -> None:
    """End what a start tag ends by the optional-tag rules."""
    d = 0
    if FLAG_OF[t] & _CLOSES_P:
        d = find_up(s, nodes, _P, _P, _P, _IN_P)
        if d:
            pop_to(d, s, nodes, text, blocks, bits)
    d = 0
    if t == _LI:
        d = find_up(s, nodes, _LI, _LI, _LI, _IN_LI)
    elif t in (_DT, _DD):
        d = find_up(s, nodes, _DT, _DD, _DD, _IN_DT)
    elif t in (_TD, _TH):
        d = find_up(s, nodes, _TD, _TH, _TH, _IN_CELL)
    elif t == _TR:
        d = find_up(s, nodes, _TR, _TR, _TR, _IN_TABLE)
    elif t in (_TBODY, _THEAD, _TFOOT):
        d = find_up(s, nodes, _TBODY, _THEAD, _TFOOT, _IN_TABLE)
    elif _H1 <= t <= _H6:
        if _H1 <= nodes[s[STACK + s[HEIGHT] - 1], TAG_OF] <= _H6:
            d = s[HEIGHT] - 1
    elif t == _OPTION:
        d = find_up(s, nodes, _OPTION, _OPTION, _OPTION, _BLOCK & ~_IN_P)
    if d:
        pop_to(d, s, nodes, text, blocks, bits)


@njit(types.void(INT, STATE_ARRAY, TABLE, TEXT_BUFFER, TABLE, BITS), cache=True)
def close_tag(t: Any, s: Any, nodes: Any, text: Any, blocks: Any, bits: Any) -> None:
    """An end tag: close its element, if it is open and in scope; what is misnested is let be."""
    if s[OVERFLOW] > 0 and not FLAG_OF[t] & _VOID:
        s[OVERFLOW] -= 1
        if FLAG_OF[t] & _BLOCK:
            flush(s, nodes, text, blocks, bits, False)
        return
    block = FLAG_OF[t] & _BLOCK
    d = 0
    if t == 0:  # names that are not told apart: the innermost of them, if it is near
        for i in range(s[HEIGHT] - 1, max(s[HEIGHT] - 5, 0), -1):
            if nodes[s[STACK + i], TAG_OF] == 0:
                d = i
                break
    elif FLAG_OF[t] & _HIDES:  # whatever is open in it, or it would hide the rest of the page
        d = find_up(s, nodes, t, t, t, 0 if t == _TEMPLATE else _IN_END)
    elif _H1 <= t <= _H6:  # of whatever level: `<h2>…</h3>` ends the heading
        headings = 0
        for level in range(_H1, _H6 + 1):
            headings += s[OPENED + level]
        for i in range(s[HEIGHT] - 1 if headings else 0, 0, -1):
            if _H1 <= nodes[s[STACK + i], TAG_OF] <= _H6:
                d = i
                break
            if FLAG_OF[nodes[s[STACK + i], TAG_OF]] & _IN_END:
                break
    elif block:
        stop = 0
        if not FLAG_OF[t] & _PASSES_CELLS:
            stop = _IN_END
        elif not FLAG_OF[t] & _PASSES_TABLES:
            stop = _IN_TABLE
        d = find_up(s, nodes, t, t, t, stop)
    else:
        d = find_up(s, nodes, t, t, t, _BLOCK)
    if d:
        pop_to(d, s, nodes, text, blocks, bits)
        return
    if t == _A:
        s[LINK] = -1
    if block:
        flush(s, nodes, text, blocks, bits, False)
