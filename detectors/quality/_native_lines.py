"""Native code of the line rules of C4 and RefinedWeb. Imported late, see `_native_repetition`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import FIRST, LETTER, WORD, range_hash

LOWER, UPPER, DIGIT, TERMINAL, CLOSER = 8, 16, 32, 64, 128  # upper bits of the character table
# Verdicts of the C4 rules on a line, in their order.
KEPT, LONG_WORD, NO_TERMINAL, FEW_WORDS, LOREM_IPSUM, JAVASCRIPT, CURLY_BRACKET, POLICY = range(8)
# Verdicts of the RefinedWeb rules; CHECK_* lines are decided with a regular expression.
UPPERCASE, NUMERIC, COUNTER, SHORT, CHECK_COUNTER, CHECK_PHRASE = 1, 2, 3, 4, 5, 6


def _codes(text: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32).copy()


CITATIONS = (_codes("[edit]"), _codes("[citation needed]"))
LOREM = _codes("lorem ipsum")
SCRIPT = _codes("javascript")
POLICIES = (
    _codes("terms of use"),
    _codes("privacy policy"),
    _codes("cookie policy"),
    _codes("uses cookies"),
    _codes("use of cookies"),
    _codes("use cookies"),
)
M_I, S_O, Y_P, E_P, S_C, E_O, E_C = (  # the letters around the first space of LOREM and POLICIES
    ord(before) << 32 | ord(after) for before, after in ("mi", "so", "yp", "ep", "sc", "eo", "ec")
)
ITEMS = _codes("items in cart")
READ_MORE = _codes("read more")
SIGN_IN = _codes("sign-in")
ELLIPSIS = _codes("...")


@njit(cache=True)
def at(chars: Any, first: Any, i: Any, end: Any, pattern: Any, fold: Any) -> Any:
    """Whether the pattern (lower case) stands at `i` in the span from `first` to `end`, case ignored."""
    n = len(pattern)
    if i < first or i + n > end:
        return False
    for k in range(n):  # noqa: SIM110
        if fold[chars[i + k]] != pattern[k]:
            return False
    return True


@njit(cache=True)
def citation(chars: Any, i: Any, end: Any, digit: Any, same: Any) -> Any:
    """Length of a Wikipedia citation mark (`[12]`, `[edit]`, `[citation needed]`) at the bracket `i`, or 0."""
    j = i + 1
    while j < end and digit[chars[j]] & DIGIT:
        j += 1
    if j < end and chars[j] == 0x5D:
        return j + 1 - i
    if at(chars, i, i, end, CITATIONS[0], same):
        return len(CITATIONS[0])
    if at(chars, i, i, end, CITATIONS[1], same):
        return len(CITATIONS[1])
    return 0


@njit(cache=True)
def is_gap(before: Any, after: Any) -> Any:
    """Whether folded letters stand around the first space of a phrase: a cheap test before `phrase_at`."""
    pair = np.int64(before) << 32 | np.int64(after)
    return pair in (M_I, S_O, Y_P, E_P, S_C, E_O, E_C)


@njit(cache=True)
def phrase_at(line: Any, first: Any, gap: Any, end: Any, fold: Any) -> Any:
    """LOREM_IPSUM, POLICY or KEPT: what phrase of the span has its first space at `gap`."""
    if at(line, first, gap - 5, end, LOREM, fold):
        return LOREM_IPSUM
    if (
        at(line, first, gap - 5, end, POLICIES[0], fold)
        or at(line, first, gap - 7, end, POLICIES[1], fold)
        or at(line, first, gap - 6, end, POLICIES[2], fold)
        or at(line, first, gap - 4, end, POLICIES[3], fold)
        or at(line, first, gap - 3, end, POLICIES[4], fold)
        or at(line, first, gap - 3, end, POLICIES[5], fold)
    ):
        return POLICY
    return KEPT


@njit(cache=True)
def sentences_in(line: Any, n: Any, table: Any) -> Any:
    """Number of sentences of a line of `n` characters, see c4.py."""
    count = 0
    open_text = False
    i = 0
    while i < n:
        bits = table[line[i]]
        if not bits & TERMINAL:
            if bits & 7 != 1:
                open_text = True
            i += 1
            continue
        initial = (  # one letter before the dot: `J. Smith`, `e.g. this`
            line[i] == 0x2E
            and i > 0
            and (table[line[i - 1]] & 7) == LETTER
            and (i == 1 or not 2 <= (table[line[i - 2]] & 7) <= 4)
        )
        spaced = line[i] <= 0x2E7F  # ideographic and full-width marks need no space after them
        while i < n and table[line[i]] & TERMINAL:
            i += 1
        while i < n and table[line[i]] & CLOSER:
            i += 1
        if i < n and spaced:
            if table[line[i]] & 7 != 1:
                open_text = True
                continue
            j = i
            while j < n and table[line[j]] & 7 == 1:
                j += 1
            if initial or (j < n and table[line[j]] & LOWER):
                continue
        if open_text:
            count += 1
            open_text = False
    if open_text:
        count += 1
    return count


@njit(cache=True)
def without_citations(chars: Any, start: Any, end: Any, digit: Any, same: Any, out: Any) -> Any:
    """Copies a span less its citation marks to `out`; returns the number of characters."""
    n = 0
    j = start
    while j < end:
        cut = citation(chars, j, end, digit, same) if chars[j] == 0x5B else 0  # calling costs more than looking
        if cut:
            j += cut
            continue
        out[n] = chars[j]
        n += 1
        j += 1
    return n


@njit(
    "void(u4[::1],u1[::1],u4[::1],u4[::1],i4[::1],i4[::1],u1[::1],i4[::1],i4[::1],i4[::1],i4[::1],i8[::1],b1,i8,b1,b1,"
    "b1,i8,u1[::1],i4[::1],i4[::1],u8[::1],u1[::1])",
    cache=True,
)
def c4_lines(
    chars: Any,
    table: Any,
    fold: Any,
    same: Any,
    start: Any,
    end: Any,
    kind: Any,
    line_start: Any,
    line_end: Any,
    line_first: Any,
    line_last: Any,
    line_token: Any,
    raw: Any,
    min_words: Any,
    words_after: Any,
    terminal: Any,
    apostrophe: Any,
    max_word: Any,
    verdict: Any,
    sentences: Any,
    left: Any,
    key: Any,
    ended: Any,
) -> None:
    """Applies the C4 rules to each line.

    Writes the verdict, the number of sentences, and of the text that is left (no outer spaces, no citation marks) the
    characters, a hash and whether it ends in terminal punctuation. With `raw`, blank lines are FEW_WORDS, all others
    KEPT as they are.
    """
    most = 0
    for i in range(len(line_start)):
        most = max(most, line_end[i] - line_start[i])
    buffer = np.empty(most, np.uint32)
    for i in range(len(line_start)):
        a = line_start[i] if raw else line_first[i]
        b = line_end[i] if raw else line_last[i]
        words = 0
        longest = 0
        item = 0
        bracket = False
        for t in range(line_token[i], line_token[i + 1]):
            if kind[t] & FIRST:
                words += 1
                item = start[t]
            longest = max(longest, end[t] - item)
            bracket = bracket or chars[start[t]] == 0x5B
        words_left = words
        line = chars[a:b]
        n = b - a
        if bracket and not raw:
            n = without_citations(chars, a, b, table, same, buffer)
            line = buffer[:n]
            words_left = 0
            for j in range(n):
                if table[line[j]] & 7 != 1 and (j == 0 or table[line[j - 1]] & 7 == 1):
                    words_left += 1
        left[i] = n
        key[i] = range_hash(line, 0, n)
        ended[i] = 1 if n > 0 and table[line[n - 1]] & TERMINAL else 0
        sentences[i] = 0
        verdict[i] = KEPT
        if raw:
            if line_first[i] == line_last[i]:
                verdict[i] = FEW_WORDS
            continue
        if longest > max_word:
            verdict[i] = LONG_WORD
            continue
        if terminal:
            c = line[n - 1] if n else np.uint32(0)
            good = c == 0x2E or c == 0x3F or c == 0x21 or c == 0x22 or (apostrophe and c == 0x27)
            if not good or (n >= 3 and at(line, 0, n - 3, n, ELLIPSIS, same)):
                verdict[i] = NO_TERMINAL
                continue
        if (words_left if words_after else words) < min_words:
            verdict[i] = FEW_WORDS
            continue
        lorem = False
        script = False
        curly = False
        policy = False
        if bracket:  # the words of what is left are others
            for j in range(n):
                c = line[j]
                curly = curly or c == 0x7B
                script = script or (c | 0x20 == 0x6A and at(line, 0, j, n, SCRIPT, fold))
                if c == 0x20 and 0 < j < n - 1 and is_gap(fold[line[j - 1]], fold[line[j + 1]]):
                    found = phrase_at(line, 0, j, n, fold)
                    lorem = lorem or found == LOREM_IPSUM
                    policy = policy or found == POLICY
        else:
            for t in range(line_token[i], line_token[i + 1]):
                s = start[t]
                curly = curly or chars[s] == 0x7B
                if kind[t] & FIRST and s - a > 1 and is_gap(fold[chars[s - 2]], fold[chars[s]]):
                    found = phrase_at(chars, a, s - 1, b, fold)
                    lorem = lorem or found == LOREM_IPSUM
                    policy = policy or found == POLICY
                for j in range(s, end[t] - 9):  # most words are too short
                    script = script or (chars[j] | 0x20 == 0x6A and at(chars, a, j, b, SCRIPT, fold))
        if lorem:
            verdict[i] = LOREM_IPSUM
        elif script:
            verdict[i] = JAVASCRIPT
        elif curly:
            verdict[i] = CURLY_BRACKET
        elif policy:
            verdict[i] = POLICY
        else:
            sentences[i] = sentences_in(line, n, table)


@njit(
    "void(u4[::1],u1[::1],u4[::1],u8[::1],u1[::1],i4[::1],i4[::1],i4[::1],i4[::1],i8[::1],u8[::1],u1[::1],i4[::1])",
    cache=True,
)
def refinedweb_lines(
    chars: Any,
    table: Any,
    fold: Any,
    hashes: Any,
    kind: Any,
    line_start: Any,
    line_end: Any,
    line_first: Any,
    line_last: Any,
    line_token: Any,
    counters: Any,
    verdict: Any,
    words: Any,
) -> None:
    """Applies the RefinedWeb line rules; `counters` are the folded hashes of words such as `likes`.

    Writes the verdict of each line, and its number of words.
    """
    for i in range(len(line_start)):
        a = line_start[i]
        b = line_end[i]
        verdict[i] = KEPT
        count = 0
        items = 0
        final = -1
        for t in range(line_token[i], line_token[i + 1]):
            if kind[t] & WORD:
                count += 1
                final = t
            if kind[t] & FIRST:
                items += 1
        words[i] = count
        if a == b:
            continue
        upper = 0
        digits = 0
        for j in range(a, b):
            bits = table[chars[j]]
            if bits & UPPER:
                upper += 1
            if bits & DIGIT:
                digits += 1
        if upper / (b - a) > 0.5:
            verdict[i] = UPPERCASE
            continue
        if digits / (b - a) > 0.999999:
            verdict[i] = NUMERIC
            continue
        if digits > 0 and final >= 0:
            for s in range(len(counters)):
                if hashes[final] == counters[s]:
                    verdict[i] = CHECK_COUNTER
        if items < 2:
            if verdict[i] == KEPT:
                verdict[i] = SHORT
            continue
        if items <= 10 and verdict[i] == KEPT:
            if at(chars, a, a, b, SIGN_IN, fold) or (b - a >= 12 and at(chars, a, b - 12, b, READ_MORE, fold)):
                verdict[i] = CHECK_PHRASE
            else:
                for j in range(line_first[i], line_last[i]):
                    if fold[chars[j]] == 0x69 and at(chars, a, j, b, ITEMS, fold):
                        verdict[i] = CHECK_PHRASE
                        break
