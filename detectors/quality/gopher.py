r"""Gopher's quality signals (Rae et al. 2021, arXiv 2112.11446, section A1.1) in the two variants that differ.

| signal | `datatrove` | `dclm` |
|---|---|---|
| `gopher_words` | words (symbols not counted) | same |
| `gopher_word_length` | characters per word | characters per item of `str.split`, punctuation included |
| `gopher_hash_ratio` | `#` per token, symbols are tokens | null |
| `gopher_ellipsis_ratio` | `...` and `…` per token | null |
| `gopher_symbol_ratio` | null | `#`, `...`, `. . .` and `…` together per item of `str.split` |
| `gopher_bullet_lines` | share of all lines that start with `•` or `-` | of lines that are not blank, with `●•*-` |
| `gopher_ellipsis_lines` | share of all lines that end in `...` or `…` | of lines that are not blank, also `. . .` |
| `gopher_alpha_words` | tokens with a letter / tokens | items of `str.split` with a letter / items |
| `gopher_stop_words` | distinct stop words, lower case only | stop words in total, any case, standing alone |

Sources: huggingface/datatrove `gopher_quality_filter.py` (2026-08), mlfoundations/dclm `content_filters.py`.
Lines end at `\n` only (datatrove: `str.splitlines`). A share without denominator is null.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Tokens
from detectors.quality import stop_words

VARIANTS = ("datatrove", "dclm")

SIGNALS = (
    "gopher_words",
    "gopher_word_length",
    "gopher_hash_ratio",
    "gopher_ellipsis_ratio",
    "gopher_symbol_ratio",
    "gopher_bullet_lines",
    "gopher_ellipsis_lines",
    "gopher_alpha_words",
    "gopher_stop_words",
)


def variant_for(repetition: str) -> str:
    """Quality variant that goes with a repetition variant; Dolma and RedPajama v2 have no complete rule set."""
    return "dclm" if repetition == "dclm" else "datatrove"


def signals(
    tokens: Tokens, variant: str = "datatrove", languages: Sequence[str | None] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Quality signals by name, one value per document; NaN = not applicable.

    `languages` gives the language of each document (ISO 639-3, script suffix allowed) for the choice of stop words:
    English without it; null where the language is unknown or has no list.

    Raises:
        ValueError: unknown variant.
    """
    from detectors.quality import _native_gopher as native

    if variant not in VARIANTS:
        raise ValueError(f"quality variant {variant!r}: choose from {', '.join(VARIANTS)}")
    lists = stop_words.hashes()
    codes = stop_words.codes()
    if languages is None:
        doc_list = np.full(tokens.docs, codes["eng"], dtype=np.int32)
    else:
        doc_list = np.array([codes.get((code or "")[:3], -1) for code in languages], dtype=np.int32)
    dclm = variant == "dclm"
    out = np.full((tokens.docs, len(SIGNALS)), np.nan)
    native.gopher(
        tokens.chars, tokens.start, tokens.end, tokens.hash if dclm else tokens.exact, tokens.kind, tokens.doc_token,
        tokens.line_start, tokens.line_end, tokens.line_first, tokens.line_last, tokens.doc_line, doc_list,
        lists.start, lists.folded if dclm else lists.exact, dclm, out,
    )  # fmt: skip
    return {name: out[:, i] for i, name in enumerate(SIGNALS)}
