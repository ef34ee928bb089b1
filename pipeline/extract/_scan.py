"""Native code of the page scanner: one pass over the bytes of a page, with a stack of open elements.

It is the tokeniser of the HTML standard with its optional-tag rules, but no tree builder: there is no foster parenting
and no adoption agency, because text keeps its place without them. Every step is linear in the page: searches up the
stack are bounded by its height, searches for an end tag remember that there is none. Imported late: compiling takes
seconds, loading a fraction of one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, types

from pipeline.extract._elements import close_implied, close_tag, flush, open_node, pop_to
from pipeline.extract._text import (
    BANG,
    BITS,
    DASH,
    EQ,
    FLAG_OF,
    GT,
    INT,
    LT,
    QUESTION,
    SLASH,
    SOURCE,
    STATE_ARRAY,
    TABLE,
    TEXT_BUFFER,
    is_letter,
    is_space,
    look_up,
    push_text,
)
from pipeline.extract.columns import (
    ATTR_END,
    ATTR_ID,
    ATTR_NAME,
    ATTR_NAME_END,
    ATTR_NODE,
    ATTR_VALUE,
    ATTR_VALUE_END,
    ATTRS,
    BLOCK_PARENT,
    BODY,
    BREAKS,
    CONTENT_END,
    CONTENT_START,
    DEEPEST,
    DEPTH,
    HEIGHT,
    HIDDEN,
    INLINE_WORDS,
    LINK,
    LINKS,
    MAX_HEIGHT,
    NAME_START,
    NODE_COLUMNS,
    NODES,
    OPENED,
    OVERFLOW,
    PARENT,
    PRE,
    RUN,
    SELF_CLOSED,
    SIGNATURE,
    SPACE,
    STACK,
    STARTED,
    STATE,
    TAG_OF,
    TEXT,
    UNCLOSED,
)  # fmt: skip
from pipeline.extract.vocabulary import ATTRIBUTE, FLAGS, HASH_SEED, HASH_STEP, TAG, WORDED, vocabulary

MAX_WORDED: Final = 160  # bytes of a class name that are searched for words
MAX_STYLE: Final = 400  # bytes of a style that are searched for hiding

_VOID, _BLOCK, _RAW, _OPAQUE, _HEAD, _HIDES = (FLAGS[n] for n in ("VOID", "BLOCK", "RAW", "OPAQUE", "HEAD", "HIDES"))
_BREAKS_OUT, _NOT_IN_SELECT = FLAGS["BREAKS_OUT"], FLAGS["NOT_IN_SELECT"]
_A, _BR, _HR, _PRE, _HTML, _BODY, _TEMPLATE = (TAG[n] for n in ("a", "br", "hr", "pre", "html", "body", "template"))
_SELECT: Final = TAG["select"]
_CLASS, _HIDDEN_ATTR, _ARIA_HIDDEN, _STYLE = (ATTRIBUTE[n] for n in ("class", "hidden", "aria-hidden", "style"))
_NONE_DISPLAYED = np.frombuffer(b"display:none", np.uint8)
_NOT_VISIBLE = np.frombuffer(b"visibility:hidden", np.uint8)
_TAG_KEYS, _TAG_VALUES, _, _ATTRIBUTE_KEYS, _ATTRIBUTE_VALUES = vocabulary()[:5]
_WORD_FOLD, _WORD_STEP, _WORD_GROUPS = vocabulary()[9:]


@njit(cache=True)
def holds(src: Any, start: Any, end: Any, pattern: Any) -> Any:
    """Whether a value holds a lower-case pattern, ignoring case and spaces."""
    n = len(pattern)
    for i in range(start, end - n + 1):
        if src[i] | 32 != pattern[0]:
            continue
        k = 0
        j = i
        while j < end and k < n:
            c = src[j]
            if c == 32:
                j += 1
                continue
            if 65 <= c <= 90:
                c |= 32
            if c != pattern[k]:
                break
            k += 1
            j += 1
        if k == n:
            return True
    return False


@njit(cache=True)
def find_end_tag(src: Any, i: Any, end: Any, name: Any, length: Any) -> Any:
    """Position of the next `</name` (any case), or `end`. `name` is the position of the start tag's name."""
    last = end - length - 2
    while i <= last:
        if src[i] == LT and src[i + 1] == SLASH:
            k = 0
            while k < length and (src[i + 2 + k] | 32) == (src[name + k] | 32):
                k += 1
            if k == length and (
                i + 2 + k >= end or is_space(src[i + 2 + k]) or src[i + 2 + k] == GT or src[i + 2 + k] == SLASH
            ):
                return i
        i += 1
    return end


@njit(cache=True)
def find_opaque_end(src: Any, i: Any, end: Any, name: Any, length: Any, stop: Any) -> Any:
    """Position of the next `</name`, or of a start tag before it that ends the element as well, or `end`."""
    while i < end - 1:
        if src[i] == LT:
            k = i + 1
            if src[k] == SLASH:
                if find_end_tag(src, i, min(i + length + 3, end), name, length) == i:
                    return i
            elif is_letter(src[k]):
                key = HASH_SEED
                while k < end and not (is_space(src[k]) or src[k] == GT or src[k] == SLASH):
                    c = src[k]
                    if 65 <= c <= 90:
                        c |= 32
                    key = (key ^ np.uint64(c)) * HASH_STEP
                    k += 1
                if FLAG_OF[max(look_up(_TAG_KEYS, _TAG_VALUES, key), 0)] & stop:
                    return i
                i = k
                continue
        i += 1
    return end


@njit(cache=True)
def find_comment_end(src: Any, i: Any, end: Any) -> Any:
    """Position after the comment whose content begins at `i`: behind `-->` or `--!>`, or `end`.

    `-->` may share its dashes with `<!--`, `--!>` may not.
    """
    first = i
    while i < end:
        if src[i] == GT and src[i - 1] == DASH and src[i - 2] == DASH:
            return i + 1
        if src[i] == GT and i - 3 >= first and src[i - 1] == BANG and src[i - 2] == DASH and src[i - 3] == DASH:
            return i + 1
        i += 1
    return end


@njit(cache=True)
def find_gt(src: Any, i: Any, end: Any) -> Any:
    """Position after the next `>`, or `end`."""
    while i < end and src[i] != GT:
        i += 1
    return min(i + 1, end)


@njit(INT(SOURCE, INT, INT, INT, STATE_ARRAY, TABLE, BITS, TABLE), cache=True)
def read_attributes(src: Any, k: Any, end: Any, node: Any, s: Any, nodes: Any, node_words: Any, attrs: Any) -> Any:
    """Attributes from `k` on, recorded with the node unless it is negative; returns the position after `>`.

    The node gets the words of its class names, as bits, a hash of its class without digits, and whether it is hidden.
    """
    s[SELF_CLOSED] = 0
    words = np.uint64(0)
    signature = HASH_SEED
    while k < end:
        c = src[k]
        if is_space(c):
            k += 1
            continue
        if c == SLASH:
            s[SELF_CLOSED] = 1
            k += 1
            continue
        if c == GT:
            k += 1
            break
        s[SELF_CLOSED] = 0
        name = k
        key = HASH_SEED
        while k < end:
            c = src[k]
            if is_space(c) or c in (GT, SLASH) or (c == EQ and k > name):
                break
            if 65 <= c <= 90:
                c |= 32
            key = (key ^ np.uint64(c)) * HASH_STEP
            k += 1
        name_end = k
        while k < end and is_space(src[k]):
            k += 1
        value = value_end = name_end
        if k < end and src[k] == EQ:
            k += 1
            while k < end and is_space(src[k]):
                k += 1
            if k < end and (src[k] == 34 or src[k] == 39):
                quote = src[k]
                k += 1
                value = k
                while k < end and src[k] != quote:
                    k += 1
                value_end = k
                k = min(k + 1, end)
            else:
                value = k
                while k < end and not is_space(src[k]) and src[k] != GT:
                    k += 1
                value_end = k
        if node < 0 or s[ATTRS] >= len(attrs):
            continue
        number = max(look_up(_ATTRIBUTE_KEYS, _ATTRIBUTE_VALUES, key), 0)
        a = s[ATTRS]
        s[ATTRS] = a + 1
        attrs[a, ATTR_NODE], attrs[a, ATTR_ID] = node, number
        attrs[a, ATTR_NAME], attrs[a, ATTR_NAME_END] = name, name_end
        attrs[a, ATTR_VALUE], attrs[a, ATTR_VALUE_END] = value, value_end
        if 0 < number <= WORDED:
            state = np.int64(0)
            for i in range(value, min(value_end, value + MAX_WORDED)):
                c = src[i]
                state = np.int64(_WORD_STEP[state, _WORD_FOLD[c]])
                words |= _WORD_GROUPS[state]
                if number == _CLASS and not 48 <= c <= 57:
                    signature = (signature ^ np.uint64(c)) * HASH_STEP
        elif number == _HIDDEN_ATTR:
            nodes[node, HIDDEN] = 1
        elif number == _ARIA_HIDDEN:
            if value_end - value == 4 and (src[value] | 32) == 116:
                nodes[node, HIDDEN] = 1
        elif number == _STYLE and (
            holds(src, value, min(value_end, value + MAX_STYLE), _NONE_DISPLAYED)
            or holds(src, value, min(value_end, value + MAX_STYLE), _NOT_VISIBLE)
        ):
            nodes[node, HIDDEN] = 1
    if node >= 0:
        node_words[node] = words
        signature = (signature ^ np.uint64(nodes[node, TAG_OF])) * HASH_STEP
        nodes[node, SIGNATURE] = np.int32((signature >> np.uint64(20)) & np.uint64(0x7FFFFFFF))
        nodes[node, ATTR_END] = s[ATTRS]
    return k


@njit(cache=True)
def open_body(s: Any, nodes: Any, node_words: Any) -> None:
    """The body, which begins with the first thing that is not of the head."""
    s[OVERFLOW] = 0
    s[BODY] = open_node(_BODY, -1, s, nodes, node_words)
    s[STACK + 1] = s[BODY]
    s[HEIGHT] = 2
    s[OPENED + _BODY] = 1


@njit(cache=True)
def compiled_vocabulary() -> Any:
    """A checksum of the tables that the compiled code holds; see `vocabulary.checksum`."""
    total = np.uint64(0)
    for i in range(len(_TAG_KEYS)):
        total = (total + _TAG_KEYS[i]) * HASH_STEP + np.uint64(_TAG_VALUES[i])
    for i in range(len(_ATTRIBUTE_KEYS)):
        total = (total + _ATTRIBUTE_KEYS[i]) * HASH_STEP + np.uint64(_ATTRIBUTE_VALUES[i])
    for i in range(len(FLAG_OF)):
        total = total * HASH_STEP + np.uint64(FLAG_OF[i])
    for i in range(len(_WORD_GROUPS)):
        total = (total + _WORD_GROUPS[i]) * HASH_STEP
    return total


@njit(types.void(SOURCE, STATE_ARRAY, TABLE, BITS, TABLE, TEXT_BUFFER, TABLE, BITS), cache=True)
def scan(
    src: Any,
    s: Any,
    nodes: Any,
    node_words: Any,
    attrs: Any,
    text: Any,
    blocks: Any,
    block_words: Any,
) -> None:
    """Fill the arrays of a page; lengths are left in the state `s`."""
    n = len(src)
    for i in range(STATE):
        s[i] = 0
    s[LINK], s[BODY], s[SPACE], s[DEEPEST] = -1, -1, 1, 1
    for i in range(NODE_COLUMNS):
        nodes[0, i] = 0
    nodes[0, PARENT] = nodes[0, BLOCK_PARENT] = -1
    nodes[0, TAG_OF] = _HTML
    nodes[0, DEPTH] = 1
    node_words[0] = np.uint64(0)
    s[NODES] = s[HEIGHT] = 1
    i = 0
    while i < n:
        begin = i
        while i < n and not (
            src[i] == LT
            and i + 1 < n
            and (is_letter(src[i + 1]) or src[i + 1] == SLASH or src[i + 1] == BANG or src[i + 1] == QUESTION)
        ):
            i += 1
        if i > begin:
            if s[BODY] < 0 and s[OPENED + _TEMPLATE] == 0:
                for j in range(begin, i):
                    if src[j] > 32:
                        pop_to(1, s, nodes, text, blocks, block_words)
                        open_body(s, nodes, node_words)
                        break
            push_text(src, begin, i, s, nodes, text)
        if i >= n:
            break
        i += 1
        c = src[i]
        if c == BANG:
            if i + 2 < n and src[i + 1] == DASH and src[i + 2] == DASH:
                i = find_comment_end(src, i + 3, n)
            else:
                i = find_gt(src, i, n)
            continue
        if c == QUESTION:
            i = find_gt(src, i, n)
            continue
        ends = c == SLASH
        if ends:
            i += 1
            if i >= n or not is_letter(src[i]):
                i = find_gt(src, i, n)
                continue
        name = i
        key = HASH_SEED
        while i < n:
            c = src[i]
            if is_space(c) or c in (GT, SLASH):
                break
            if 65 <= c <= 90:
                c |= 32
            key = (key ^ np.uint64(c)) * HASH_STEP
            i += 1
        length = i - name
        t = max(look_up(_TAG_KEYS, _TAG_VALUES, key), 0)
        if ends:
            i = i + 1 if i < n and src[i] == GT else read_attributes(src, i, n, -1, s, nodes, node_words, attrs)
            if t != _BR and t != _BODY and t != _HTML:
                close_tag(t, s, nodes, text, blocks, block_words)
            continue
        if s[BODY] < 0 and s[OPENED + _TEMPLATE] == 0 and (not FLAG_OF[t] & _HEAD or t == _BODY):
            flush(s, nodes, text, blocks, block_words, False)
            pop_to(1, s, nodes, text, blocks, block_words)
            open_body(s, nodes, node_words)
            if t == _BODY:
                nodes[s[BODY], NAME_START] = name
                i = read_attributes(src, i, n, s[BODY], s, nodes, node_words, attrs)
                continue
        close_implied(t, s, nodes, text, blocks, block_words)
        if FLAG_OF[t] & _BLOCK:
            flush(s, nodes, text, blocks, block_words, False)
        node = open_node(t, name, s, nodes, node_words)
        i = read_attributes(src, i, n, node, s, nodes, node_words, attrs)
        if FLAG_OF[t] & _HIDES:
            nodes[node, HIDDEN] = 1
        if t == _BR:
            s[BREAKS] += 1
            s[RUN] += 1
            if s[RUN] >= 2 and s[PRE] == 0:
                flush(s, nodes, text, blocks, block_words, False)
            elif s[STARTED]:
                if text[s[TEXT] - 1] == 32:
                    s[TEXT] -= 1
                text[s[TEXT]] = 10
                s[TEXT] += 1
                s[SPACE] = 1
            continue
        if t == _HR:
            flush(s, nodes, text, blocks, block_words, False)
        if FLAG_OF[t] & _VOID or t in (_HTML, _BODY):
            continue
        if FLAG_OF[t] & (_RAW | _OPAQUE):
            if s[SELF_CLOSED] and FLAG_OF[t] & _OPAQUE:
                continue
            e = n
            if not s[UNCLOSED + t]:
                if FLAG_OF[t] & _RAW:
                    e = find_end_tag(src, i, n, name, length)
                else:
                    e = find_opaque_end(src, i, n, name, length, _NOT_IN_SELECT if t == _SELECT else _BREAKS_OUT)
            if e >= n:
                s[UNCLOSED + t] = 1
            if e < n or FLAG_OF[t] & _RAW:
                nodes[node, CONTENT_START] = i
                nodes[node, CONTENT_END] = e
                i = e
                if e < n and src[e + 1] == SLASH:
                    i = find_gt(src, e, n)
                continue
        if not FLAG_OF[t] & _BLOCK:
            s[INLINE_WORDS] |= np.int64(node_words[node])
        if t == _A:
            s[LINK] = node
            s[LINKS] += 1
        if s[HEIGHT] >= MAX_HEIGHT:
            s[OVERFLOW] += 1
            continue
        if t == _PRE:
            s[PRE] += 1
        s[STACK + s[HEIGHT]] = node
        s[HEIGHT] += 1
        s[OPENED + t] += 1
    flush(s, nodes, text, blocks, block_words, True)
