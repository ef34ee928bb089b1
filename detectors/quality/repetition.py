r"""Gopher's repetition signals (Rae et al. 2021, arXiv 2112.11446, table A1) in the four variants that are in use.

| variant | lines, paragraphs | top 2- to 4-gram | duplicate 5- to 10-grams | words |
|---|---|---|---|---|
| `datatrove` | later copies; lines between runs of `\n`, paragraphs between runs of two or more, as written; over characters of the text | characters with spaces between words, times count, even of count 1; first of equal counts | read left to right, a repeat is skipped over; later copies, no spaces; over characters of the text | words and symbols, case kept |
| `dolma` | all copies of lines, empty ones included; over characters that are not spaces; no paragraphs | word characters times count, even of count 1; over word characters | characters of all overlapping n-grams that repeat, over those of all n-grams | items of `str.split`, case kept |
| `dclm` | all copies, outer spaces off, empty ones dropped; 0 with one line; over characters of the lines | needs count 2; longest of equal counts | characters of words in any n-gram that repeats, first copy included, each once | words, case kept |
| `rpv2` | none (null) | needs count 2; first of equal counts | as `dclm` | words, case folded |

The formulas are those of huggingface/datatrove `gopher_repetition_filter.py` (2026-08), allenai/dolma `taggers/gopher.py`,
mlfoundations/dclm `content_filters.py` and togethercomputer/RedPajama-Data `quality_signals/repetitions.py`. The words
are those of our one tokeniser (`detectors.features.tokens`), where the peers use spaCy, `str.split` (equal but for
zero-width spaces), uniseg, and deletion of ASCII punctuation: contractions are one word here and two in spaCy,
an address is one word in spaCy and several here, `a-b` is two words here and one (`ab`) in RedPajama; datatrove joins the words of a
duplicate n-gram without a space to compare them (`ab c` equals `a bc`), here words are compared.
A share whose denominator is 0 is null. All values are fractions, and Dolma's line characters can exceed 1.
"""  # noqa: E501

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Tokens, character_table

VARIANTS = ("datatrove", "dolma", "dclm", "rpv2")  # order is that of the native code
DEFAULT_VARIANT = "datatrove"

SIGNALS = (
    "gopher_dup_line_frac",
    "gopher_dup_para_frac",
    "gopher_dup_line_char_frac",
    "gopher_dup_para_char_frac",
    *(f"gopher_top_{n}_gram" for n in range(2, 5)),
    *(f"gopher_dup_{n}_gram" for n in range(5, 11)),
)


def signals(tokens: Tokens, variant: str = DEFAULT_VARIANT) -> dict[str, npt.NDArray[np.float64]]:
    """Repetition signals by name, one value per document; NaN = not applicable.

    Raises:
        ValueError: unknown variant.
    """
    from detectors.quality import _native_repetition as native

    if variant not in VARIANTS:
        raise ValueError(f"repetition variant {variant!r}: choose from {', '.join(VARIANTS)}")
    out = np.full((tokens.docs, len(SIGNALS)), np.nan)
    native.repetition(
        tokens.chars, tokens.doc_start, character_table()[0], tokens.start, tokens.end, tokens.hash, tokens.exact,
        tokens.kind, tokens.doc_token, tokens.line_start, tokens.line_end, tokens.doc_line,
        VARIANTS.index(variant), out,
    )  # fmt: skip
    return {name: out[:, i] for i, name in enumerate(SIGNALS)}
