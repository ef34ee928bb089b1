"""FineWeb's own quality signals (Penedo et al. 2024, arXiv 2406.17557; datatrove `fineweb_quality_filter.py`, 2026-08).

| signal | meaning |
|---|---|
| `fineweb_line_punct` | share of lines that end in terminal punctuation (`Sentence_Terminal`; 0 without lines) |
| `fineweb_short_lines` | share of lines of 30 characters or fewer |
| `fineweb_char_dup` | characters of later copies of a line / characters of the text without line ends |
| `fineweb_list_ratio` | line ends / tokens (words and symbols) |

Lines that are blank do not count. In FineWeb's recipe these rules see the text after C4's cuts, hence `lines`, the
verdicts of the C4 rules (`c4.judge`); tokens inside citation marks still count as tokens here. The crawls published in
2024 used `. ' " ! ?` as terminal punctuation and `>=` in place of `>`; datatrove changed both since.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Tokens
from detectors.quality.c4 import C4Lines, judge

SIGNALS = ("fineweb_line_punct", "fineweb_short_lines", "fineweb_char_dup", "fineweb_list_ratio")
SHORT_LINE = 30  # characters; FineWeb


def signals(tokens: Tokens, lines: C4Lines | None = None) -> dict[str, npt.NDArray[np.float64]]:
    """Signals by name, one value per document; NaN = not applicable. Without `lines`, of the text as it is."""
    from detectors.quality import _native_gopher as native

    found = lines or judge(tokens, None)
    out = np.full((tokens.docs, len(SIGNALS)), np.nan)
    out[:, 0] = 0.0
    native.fineweb(
        (found.verdict == 0).view(np.uint8), found.left, found.key, found.ended, tokens.line_token, tokens.doc_line,
        SHORT_LINE, lines is None, out,
    )  # fmt: skip
    return {name: out[:, i] for i, name in enumerate(SIGNALS)}
