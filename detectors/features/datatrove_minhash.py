r"""MinHash signatures that equal datatrove's, bit for bit: for a run that goes on from an index of datatrove.

As `MinhashDedupSignature` of datatrove 0.10 with its default configuration, any number of bands and rows, any seed:

1. `simplify_text`: lower case, numbers to `0`, punctuation to spaces, spaces to one, marks (Mn) away by NFD.
2. The word tokeniser of English, spaCy's blank pipeline, whatever the language of the text: datatrove takes the
   language that its user names for all texts, and that is English unless told otherwise.
3. Runs of five tokens, joined by a space; xxh64 of their UTF-8 with seed 0. A text of less than five has no signature.
4. `(hash * a + b) mod 2^61 - 1` with products and sums modulo 2^64, `a` and `b` from `RandomState(seed)`; the smallest
   by permutation, 64 bits each.

spaCy works through a text by runs without spaces; its special cases could reach over a space, but none that can occur
in simplified text does (tests prove both). So each new run is tokenised once, and found in a table after that.

Results depend on the Unicode version of Python, as datatrove's do. One difference is on purpose: spaCy takes quadratic
time for long runs of symbols, so a run of more than `LONG` characters that begins or ends with many tokens is cut.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from detectors.features.minhash import Shape
from detectors.features.tokens import Int64, UInt64

RULES_VERSION = 1
WORDS_PER_SHINGLE = 5
PRIME = np.uint64((1 << 61) - 1)
NEEDED = "policy.duplicates.scheme: datatrove needs spaCy, its tokeniser; run: pip install 'headwater[compatible]'"

# What datatrove's `PUNCTUATION` has (datatrove/utils/text.py), beside control characters.
_MARKS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
_SPACES = re.compile(rf"[{re.escape(_MARKS)}\x00-\x08\x0b-\x1f\x7f-\x9f\s]+")
# Digits of datatrove's `regex` (Unicode 17) that Python's `\d` may not know.
_DIGIT = (
    r"[\d\U00010d40-\U00010d49\U000116d0-\U000116e3\U00011bf0-\U00011bf9\U00011de0-\U00011de9\U00011f50-\U00011f59"
    r"\U00016130-\U00016139\U00016d70-\U00016d79\U0001ccf0-\U0001ccf9\U0001e4f0-\U0001e4f9\U0001e5f1-\U0001e5fa]"
)
_NUMBER = re.compile(rf"{_DIGIT}+(?:[.,،٫⎖⎗⎘]{_DIGIT}+)?")

REMEMBERED = 400_000  # runs in the table
SHORT = 40  # characters of a run that is worth remembering
LONG, PIECE, MANY = 1000, 100, 50


class SpacyMissingError(RuntimeError):
    """The scheme `datatrove` without spaCy; the message says what to install."""


@lru_cache(maxsize=1)
def _nonspacing() -> re.Pattern[str]:
    """One or more characters of category Mn."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) == "Mn":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges) + "]+")


def runs(text: str) -> list[str]:
    """Steps 1 up to spaces: the runs between them; the marks are still there."""
    return _SPACES.sub(" ", _NUMBER.sub("0", text.lower())).split(" ")


def without_marks(run: str) -> str:
    """NFD without nonspacing marks. Spaces do not combine, so that run by run is as good as the whole text."""
    return run if run.isascii() else _nonspacing().sub("", unicodedata.normalize("NFD", run))


def load_tokenizer() -> Callable[[str], Sequence[str]]:
    """spaCy's English tokeniser.

    Raises:
        SpacyMissingError: spaCy is not installed.
    """
    try:
        import spacy
    except ImportError as error:
        raise SpacyMissingError(NEEDED) from error
    pipeline = spacy.blank("en")

    def tokenize(run: str) -> list[str]:
        with pipeline.memory_zone():  # else the vocabulary grows with every word of the crawl
            return [token.text for token in pipeline.tokenizer(run)]

    return tokenize


def versions() -> dict[str, Any]:
    """What signatures depend on beside their parameters."""
    try:
        spacy = version("spacy")
    except PackageNotFoundError:
        spacy = "not installed"
    return {"datatrove_rules": RULES_VERSION, "spacy": spacy, "python_unicode": unicodedata.unidata_version}


@dataclass(slots=True)
class Tokenizer:
    """Tokens of texts, joined by spaces, by a table of the runs met so far."""

    tokenize: Callable[[str], Sequence[str]]
    known: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """All tokens of a text, one space between them."""
        parts = runs(text)
        found = list(map(self.known.get, parts))
        for at, tokens in enumerate(found):
            if tokens is None:
                found[at] = self._look_up(parts[at])
        return " ".join(filter(None, found))

    def _look_up(self, run: str) -> str:
        if run in self.known:
            return self.known[run]
        simple = without_marks(run)
        cut = len(simple) > LONG and sum(map(len, map(self.tokenize, (simple[:PIECE], simple[-PIECE:])))) > MANY
        pieces = [simple[i : i + PIECE] for i in range(0, len(simple), PIECE)] if cut else [simple]
        tokens = [token.strip() for piece in pieces for token in self.tokenize(piece)]
        joined = " ".join(token for token in tokens if token)
        if len(run) <= SHORT:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            self.known[run] = joined
        return joined


@lru_cache(maxsize=16)
def permutations(size: int, seed: int = 1) -> tuple[UInt64, UInt64]:
    """`a` and `b` of datatrove."""
    generator = np.random.RandomState(seed)
    a = generator.randint(1, int(PRIME), dtype=np.uint64, size=(1, size))
    b = generator.randint(0, int(PRIME), dtype=np.uint64, size=(1, size))
    return a[0].copy(), b[0].copy()


def signatures(
    texts: Sequence[str | None], tokenizer: Tokenizer, shape: Shape, seed: int = 1
) -> tuple[UInt64, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Signatures (documents x permutations, uint64), and which documents have one."""
    from detectors.features import _native_datatrove

    joined = [tokenizer(text).encode("utf-8", "replace") if text else b"" for text in texts]
    start: Int64 = np.zeros(len(joined) + 1, np.int64)
    np.cumsum([len(value) for value in joined], out=start[1:])
    data = np.frombuffer(b"".join(joined) or b"\0", np.uint8)
    a, b = permutations(shape.size, seed)
    out = np.full((len(joined), shape.size), np.iinfo(np.uint64).max, np.uint64)
    valid = np.zeros(len(joined), bool)
    _native_datatrove.minhash(data, start, WORDS_PER_SHINGLE, a, b, out, valid)
    return out, valid
