"""C4's line rules (Raffel et al. 2020; tensorflow/datasets `text/c4_utils.py` v3.0.1; datatrove `c4_filters.py`).

Each line, outer spaces off, goes through the rules in this order; the first that applies decides:

1. a word of more than 1000 characters: line cut;
2. citation marks (`[12]`, `[edit]`, `[citation needed]`) are taken out;
3. no terminal punctuation (`. ? ! "`, in the datatrove variants also `'`), or `...` at the end: line cut;
4. too few words (items of `str.split`): line cut. C4's code counts after step 2, datatrove before it;
5. `lorem ipsum`: document dropped; 6. `javascript`: line cut; 7. `{`: document dropped; 8. policy notices: line cut.

Afterwards a document with too few sentences is dropped. The peers count sentences with punkt or spaCy. Here a sentence
ends at terminal punctuation (Unicode `Sentence_Terminal`, with closing quotes) that is followed by a space and not by a
lower-case letter, and does not end an initial; ideographic marks need no space; text after the last end counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import (
    CODE_POINTS,
    Int32,
    Tokens,
    UInt8,
    UInt32,
    UInt64,
    character_table,
    segment_sums,
    tokenise,
)  # fmt: skip

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class C4Rules:
    """Options of the C4 rules. `prefix` starts the names of the signals."""

    prefix: str
    min_words: int  # a line, items of str.split
    min_sentences: int  # a document, after the cuts
    terminal_punctuation: bool = True  # rule 3
    apostrophe_ends: bool = False  # ' is terminal punctuation (datatrove)
    words_after_citations: bool = True  # rule 4 counts after rule 2
    max_word_chars: int = 1000


RULES = {
    "c4": C4Rules("c4", 5, 3),  # as Google's code
    # As the paper and datatrove.
    "c4_paper": C4Rules("c4_paper", 3, 5, apostrophe_ends=True, words_after_citations=False),
    # As FineWeb uses datatrove's filter: without the rule of terminal punctuation.
    "c4_fineweb": C4Rules("c4_fineweb", 3, 5, terminal_punctuation=False, words_after_citations=False),
}


@dataclass(frozen=True, slots=True)
class C4Lines:
    """Result by line; `verdict` 0 is kept, others as `VERDICTS`. `left`, `key` and `ended` describe what is left."""

    verdict: UInt8
    sentences: Int32
    left: Int32  # characters
    key: UInt64  # hash
    ended: UInt8  # whether it ends in Unicode terminal punctuation


VERDICTS = (
    "kept", "long_word", "no_terminal", "few_words", "lorem_ipsum", "javascript", "curly_bracket", "policy"
)  # fmt: skip
_LOREM, _CURLY = VERDICTS.index("lorem_ipsum"), VERDICTS.index("curly_bracket")


@lru_cache(maxsize=1)
def identity() -> UInt32:
    """Case folding that folds nothing."""
    return np.arange(CODE_POINTS, dtype=np.uint32)


def judge(tokens: Tokens, rules: C4Rules | None) -> C4Lines:
    """Verdict on each line; without rules all lines that are not blank are kept as they are."""
    from detectors.quality import _native_lines as native

    table, fold, _ = character_table()
    n = len(tokens.line_start)
    verdict, ended = np.empty(n, np.uint8), np.empty(n, np.uint8)
    sentences, left, key = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint64)
    options = rules or C4Rules("", 0, 0)
    native.c4_lines(
        tokens.chars, table, fold, identity(), tokens.start, tokens.end, tokens.kind, tokens.line_start,
        tokens.line_end, tokens.line_first, tokens.line_last, tokens.line_token, rules is None, options.min_words,
        options.words_after_citations, options.terminal_punctuation, options.apostrophe_ends, options.max_word_chars,
        verdict, sentences, left, key, ended,
    )  # fmt: skip
    return C4Lines(verdict, sentences, left, key, ended)


def signal_names(rules: C4Rules) -> tuple[str, ...]:
    """Names of the signals of a rule set."""
    return tuple(f"{rules.prefix}_{name}" for name in ("lorem_ipsum", "curly_bracket", "sentences"))


def signals(tokens: Tokens, rules: C4Rules, lines: C4Lines | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """Document signals: 1 where `lorem ipsum` (a curly bracket) is what drops the document; sentences of kept lines."""
    found = lines or judge(tokens, rules)
    verdict = found.verdict
    drops = np.flatnonzero((verdict == _LOREM) | (verdict == _CURLY))
    doc_of = np.searchsorted(tokens.doc_line, drops, side="right") - 1
    docs, first = np.unique(doc_of, return_index=True)
    values = [
        np.zeros(tokens.docs),
        np.zeros(tokens.docs),
        segment_sums(found.sentences.astype(np.int64), tokens.doc_line),
    ]
    reasons = verdict[drops[first]]
    values[0][docs[reasons == _LOREM]] = 1.0
    values[1][docs[reasons == _CURLY]] = 1.0
    return dict(zip(signal_names(rules), [v.astype(np.float64) for v in values], strict=True))


def cut_lines(text: str, rules: C4Rules = RULES["c4"]) -> list[Span]:
    """Character spans of `text` that the rules keep, in order: lines without outer spaces, split at citation marks.

    `join_spans` makes the kept text of them. Rules that drop the document are not applied: their lines are cut.
    """
    from detectors.quality.spans import without_citations

    tokens = tokenise([text])
    kept = np.flatnonzero(judge(tokens, rules).verdict == 0)
    spans: list[Span] = []
    for line in kept.tolist():
        spans.extend(without_citations(text, int(tokens.line_first[line]), int(tokens.line_last[line])))
    return spans
