"""Native code of Gopher's and FineWeb's quality signals. Imported late, see `_native_repetition`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detectors.features._kernels import ALPHA, FIRST, WORD
from detectors.quality._native_repetition import repeats, slots_for


@njit(
    "void(u4[::1],i4[::1],i4[::1],u8[::1],u1[::1],i8[::1],i4[::1],i4[::1],i4[::1],i4[::1],i8[::1],"
    "i4[::1],i8[::1],u8[::1],b1,f8[:,::1])",
    cache=True,
)
def gopher(
    chars: Any,
    start: Any,
    end: Any,
    stop_form: Any,
    kind: Any,
    doc_token: Any,
    line_start: Any,
    line_end: Any,
    line_first: Any,
    line_last: Any,
    doc_line: Any,
    doc_list: Any,
    list_start: Any,
    stop_hash: Any,
    dclm: Any,
    out: Any,
) -> None:
    """Gopher's quality signals of each document, in the order of `gopher.SIGNALS`; `out` comes filled with NaN."""
    for d in range(len(doc_token) - 1):
        first = doc_token[d]
        last = doc_token[d + 1]
        words = 0
        word_chars = 0
        alpha = 0
        items = 0
        item_chars = 0
        item_alpha = 0
        has_alpha = False
        hashes = 0
        dots = 0
        spaced = 0
        spaced_after = 0
        stops = 0
        found = np.uint64(0)
        which = doc_list[d]
        for t in range(first, last):
            bits = kind[t]
            length = end[t] - start[t]
            item_chars += length
            if bits & FIRST:
                items += 1
                has_alpha = False
            if bits & ALPHA:
                alpha += 1
                if not has_alpha:
                    has_alpha = True
                    item_alpha += 1
            if bits & WORD:
                words += 1
                word_chars += length
                if which >= 0 and (not dclm or (bits & FIRST and (t + 1 == last or kind[t + 1] & FIRST))):
                    for s in range(list_start[which], list_start[which + 1]):
                        if stop_hash[s] == stop_form[t]:
                            stops += 1
                            found |= np.uint64(1) << np.uint64(s - list_start[which])
                continue
            c = chars[start[t]]
            if c == 0x23 or c == 0x2E or c == 0x2026:
                run = 1
                while run < length and chars[start[t] + run] == c:
                    run += 1
                if c == 0x23:
                    hashes += run
                elif c == 0x2026:
                    dots += run
                else:
                    dots += run // 3
                    # ". . .": the last dot of this run, and two runs that begin one space apart
                    i = start[t] + run - 1
                    if (
                        i >= spaced_after
                        and t + 2 < last
                        and start[t + 1] == i + 2
                        and start[t + 2] == i + 4
                        and chars[i + 1] == 32
                        and chars[i + 3] == 32
                        and chars[i + 2] == 0x2E
                        and chars[i + 4] == 0x2E
                    ):
                        spaced += 1
                        spaced_after = i + 5
        units = last - first
        out[d, 0] = words
        if dclm:
            if items:
                out[d, 1] = item_chars / items
                out[d, 4] = (hashes + dots + spaced) / items
                out[d, 7] = item_alpha / items
        else:
            if words:
                out[d, 1] = word_chars / words
            if units:
                out[d, 2] = hashes / units
                out[d, 3] = dots / units
                out[d, 7] = alpha / units
        if which >= 0:
            if not dclm:
                stops = 0
                while found:
                    found &= found - np.uint64(1)
                    stops += 1
            out[d, 8] = stops
        lines = 0
        bullets = 0
        ellipses = 0
        for i in range(doc_line[d], doc_line[d + 1]):
            a = line_first[i]
            b = line_last[i]
            if dclm and a == b:
                continue
            if i + 1 == doc_line[d + 1] and line_start[i] == line_end[i]:
                continue  # str.splitlines has no line after the last line end
            lines += 1
            if a == b:
                continue
            c = chars[a]
            if c == 0x2022 or c == 0x2D or (dclm and (c == 0x25CF or c == 0x2A)):
                bullets += 1
            c = chars[b - 1]
            if c == 0x2026 or (
                c == 0x2E
                and (
                    (b - a >= 3 and chars[b - 2] == 0x2E and chars[b - 3] == 0x2E)
                    or (
                        dclm
                        and b - a >= 5
                        and chars[b - 2] == 32
                        and chars[b - 3] == 0x2E
                        and chars[b - 4] == 32
                        and chars[b - 5] == 0x2E
                    )
                )
            ):
                ellipses += 1
        if lines:
            out[d, 5] = bullets / lines
            out[d, 6] = ellipses / lines


@njit("void(u1[::1],i4[::1],u8[::1],u1[::1],i8[::1],i8[::1],i8,b1,f8[:,::1])", cache=True)
def fineweb(
    keep: Any,
    line_chars: Any,
    line_key: Any,
    line_terminal: Any,
    line_token: Any,
    doc_line: Any,
    short: Any,
    raw: Any,
    out: Any,
) -> None:
    """FineWeb's signals of each document over its kept lines (`keep` != 0), in the order of `fineweb.SIGNALS`.

    With `raw`, blank lines are part of the text: their spaces and line ends count.
    """
    most = 1
    for d in range(len(doc_line) - 1):
        most = max(most, doc_line[d + 1] - doc_line[d])
    keys = np.empty(most, np.uint64)
    lengths = np.empty(most, np.int64)
    counts = np.empty(most, np.int32)
    slots = np.empty(slots_for(most), np.int32)
    found = np.empty(4, np.int64)
    for d in range(len(doc_line) - 1):
        n = 0
        ended = 0
        shorts = 0
        chars = 0
        tokens = 0
        for i in range(doc_line[d], doc_line[d + 1]):
            if keep[i] or raw:
                chars += line_chars[i]
                tokens += line_token[i + 1] - line_token[i]
            if not keep[i]:
                continue
            keys[n] = line_key[i]
            lengths[n] = line_chars[i]
            n += 1
            if line_terminal[i]:
                ended += 1
            if line_chars[i] <= short:
                shorts += 1
        if n == 0:
            continue
        repeats(keys, lengths, n, slots, counts, found)
        out[d, 0] = ended / n
        out[d, 1] = shorts / n
        if chars:
            out[d, 2] = found[1] / chars
        if tokens:
            out[d, 3] = (doc_line[d + 1] - doc_line[d] - 1 if raw else n - 1) / tokens
