"""Generated text with a long tail of words and likely pairs, for the simulation."""

from __future__ import annotations

import numpy as np

_SPACED = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "s", "t", "l", "m", "st", "nd", "rk")]
_UNSPACED = [chr(0x4E00 + n) for n in range(3000)]


def make_texts(tokens: int, seed: int = 0, *, spaces: bool = True) -> list[str]:
    """Documents of 200 words in lines of about 20; with `spaces` off, in Chinese characters."""
    rng = np.random.default_rng(seed)
    words = [a + b for a in _SPACED[:60] for b in _SPACED[:50]] if spaces else _UNSPACED
    weights = 1 / (np.arange(len(words)) + 2.0)
    cumulated = np.cumsum(weights / weights.sum())
    likely = np.random.default_rng(1).integers(0, len(words), (len(words), 4))
    drawn = np.minimum(np.searchsorted(cumulated, rng.random(tokens)), len(words) - 1)
    follows, which = rng.random(tokens) < 0.5, rng.integers(0, 4, tokens)
    texts = []
    for begin in range(0, tokens, 200):
        before, line = 0, []
        lines = []
        for at in range(begin, min(begin + 200, tokens)):
            before = int(likely[before, which[at]]) if follows[at] else int(drawn[at])
            line.append(words[before])
            if len(line) == 20:
                lines.append((" " if spaces else "").join(line))
                line = []
        texts.append("\n".join(lines))
    return texts
