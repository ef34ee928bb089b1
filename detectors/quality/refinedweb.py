r"""RefinedWeb's line rules (Penedo et al. 2023, arXiv 2306.01116, table 6) as DCLM runs them.

A line is cut when

1. more than half of its characters are upper-case letters; 2. all of them are digits (share > 0.999999);
3. it is a counter (`3 likes`, `1.2K followers`, DCLM's expression); 4. it has fewer than two items of `str.split`
(an empty line stays); 5. it has at most ten items and nothing is left when these are taken out: `items in cart`, a
trailing `Read more` with any three characters (DCLM's expression has unescaped dots), a leading `Sign-in`.

`refinedweb_cut_words` is the share of words that go; DCLM drops the document above 0.05
(`dclm_baseline_refinedweb.yaml`). It takes URLs out of the text and counts with uniseg; here URLs stay, and words are
ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import KIND_WORD, Int32, Tokens, UInt8, UInt64, character_table, segment_sums, tokenise
from detectors.quality.spans import Span, without

SIGNALS = ("refinedweb_cut_words",)
VERDICTS = ("kept", "uppercase", "numeric", "counter", "short", "phrase")
MAX_PHRASE_WORDS = 10  # items of str.split; longer lines keep their phrases
_PHRASE = VERDICTS.index("phrase")
_CHECK_COUNTER, _CHECK_PHRASE = 5, 6  # of the native code: to be decided here

_COUNTER_WORDS = (
    "likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks", "upvotes", "downvotes", "downloads",
    "views", "followers",
)  # fmt: skip
_COUNTER = re.compile(rf"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:{'|'.join(_COUNTER_WORDS)})\W*$")
_PHRASES = tuple(re.compile(p, re.I) for p in (r"\s?items in cart", r"\s?read more...\Z", r"\Asign-in\s?"))


@dataclass(frozen=True, slots=True)
class RefinedWebLines:
    """Result by line: verdict (index into `VERDICTS`), words, words cut, and spans of lines that lose a phrase."""

    verdict: UInt8
    words: Int32
    cut: Int32
    pieces: dict[int, list[Span]] = field(default_factory=dict)  # characters in the batch


@lru_cache(maxsize=1)
def _counter_hashes() -> UInt64:
    return tokenise(_COUNTER_WORDS).hash


def judge(tokens: Tokens) -> RefinedWebLines:
    """Verdict on each line."""
    from detectors.quality import _native_lines as native

    table, fold, _ = character_table()
    n = len(tokens.line_start)
    verdict, words = np.empty(n, np.uint8), np.empty(n, np.int32)
    native.refinedweb_lines(
        tokens.chars, table, fold, tokens.hash, tokens.kind, tokens.line_start, tokens.line_end, tokens.line_first,
        tokens.line_last, tokens.line_token, _counter_hashes(), verdict, words,
    )  # fmt: skip
    cut = np.where((verdict > 0) & (verdict < _CHECK_COUNTER), words, 0).astype(np.int32)
    pieces: dict[int, list[Span]] = {}
    for line in np.flatnonzero(verdict >= _CHECK_COUNTER).tolist():  # rare: lines that look like one of the phrases
        start, end = int(tokens.line_start[line]), int(tokens.line_end[line])
        text = tokens.chars[start:end].tobytes().decode("utf-32-le", "surrogatepass")
        name, kept = _check(text, bool(verdict[line] == _CHECK_COUNTER))
        verdict[line] = VERDICTS.index(name)
        if name != "kept":
            cut[line] = words[line]
        elif kept != [(0, len(text))]:
            pieces[line] = [(start + a, start + b) for a, b in kept]
            cut[line] = words[line] - _words_within(tokens, line, pieces[line])
    return RefinedWebLines(verdict, words, cut, pieces)


def _check(text: str, counter: bool) -> tuple[str, list[Span]]:
    """Verdict on a line that the native code could not decide, and what is kept of it."""
    if counter and _COUNTER.search(text.lower()):
        return "counter", []
    items = len(text.split())
    if items < 2:
        return "short", []
    kept: list[Span] = [(0, len(text))]
    for pattern in _PHRASES:
        # DCLM checks the length anew before each phrase, on the line that is left.
        current = "".join(text[a:b] for a, b in kept)
        if len(current.split()) > MAX_PHRASE_WORDS:
            continue
        kept = _map_back(kept, without(pattern, current, [(0, len(current))]))
        if not any(text[a:b].strip() for a, b in kept):
            return "phrase", []
    return "kept", kept


def _map_back(spans: list[Span], inner: list[Span]) -> list[Span]:
    """Spans of the joined `spans`, as spans of the text that these come from."""
    result: list[Span] = []
    for first, last in inner:
        offset = 0
        for start, end in spans:
            a, b = max(first - offset, 0), min(last - offset, end - start)
            if a < b:
                result.append((start + a, start + b))
            offset += end - start
    return result


def _words_within(tokens: Tokens, line: int, spans: list[Span]) -> int:
    """Number of words of a line that lie in the spans."""
    window = slice(int(tokens.line_token[line]), int(tokens.line_token[line + 1]))
    starts = tokens.start[window][(tokens.kind[window] & KIND_WORD) != 0]
    return sum(int(np.count_nonzero((starts >= a) & (starts < b))) for a, b in spans)


def signals(tokens: Tokens, lines: RefinedWebLines | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """Share of the words of each document that the rules cut; NaN without words."""
    found = lines or judge(tokens)
    words = segment_sums(found.words.astype(np.int64), tokens.doc_line)
    cut = segment_sums(found.cut.astype(np.int64), tokens.doc_line)
    share = np.full(tokens.docs, np.nan)
    np.divide(cut, words, out=share, where=words > 0)
    return {SIGNALS[0]: share}


def cut_lines(text: str) -> list[Span]:
    """Character spans of `text` that the rules keep, in order; `spans.join_spans` makes the kept text of them."""
    tokens = tokenise([text])
    found = judge(tokens)
    spans: list[Span] = []
    for line in np.flatnonzero(found.verdict == 0).tolist():
        whole = (int(tokens.line_start[line]), int(tokens.line_end[line]))
        spans.extend(found.pieces.get(line, [whole]))
    return spans
