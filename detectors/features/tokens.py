r"""The token array: one pass over the text of a batch, from which all word-level features are computed.

Definitions (version 1; `TOKENS_VERSION` changes with them):

- A *word* is a maximal run of letters, marks and numbers (Unicode categories L, M, N). Inside, it may hold an
  apostrophe (U+0027, U+2019) or a full stop between two letters, a full stop or a comma between two numbers, and a low
  line between any of them, as in the word boundaries of Unicode (UAX 29): cutting `don't`, `l'eau`, `example.org` or
  `3.14` would make short fragments that are more frequent than any real word. Marks extend the token before them.
- In scripts without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar, …) each letter with its marks is a word; Tibetan
  words are its syllables.
- Everything else that is not space is a *symbol* token; a run of one code point (`...`, `-----`) is one token.
- Format characters (category Cf: soft hyphen, joiners, marks of direction) continue a token and do not count in its
  hashes. Zero-width space separates.
- A *line* ends at `\n` only; `"a\n"` has two lines, the empty text has none. Spaces are those of `str.isspace`.

Character data: `data/unicode.npz`, see `UNICODE_VERSION`, never that of the running Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.api import FeatureCache

TOKENS_VERSION = 1
FEATURE = f"tokens:v{TOKENS_VERSION}"

# Bits of `Tokens.kind`.
KIND_WORD = 1  # a word; else a symbol
KIND_ALPHA = 2  # has a letter (str.isalpha)
KIND_FIRST = 4  # first token after a space: tokens up to the next such one are one item of str.split()
KIND_SINGLE = 8  # one letter of a script without spaces

CODE_POINTS = 0x110000

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens and lines of a batch, documents one after the other.

    Character positions count code points in the concatenation of all texts: subtract `doc_start[doc]` for positions
    in the text of a document. Document d has the tokens `doc_token[d]:doc_token[d + 1]` and the lines
    `doc_line[d]:doc_line[d + 1]`; line l has the tokens `line_token[l]:line_token[l + 1]`.
    """

    chars: UInt32  # code points
    doc_start: Int64  # characters, documents + 1
    doc_token: Int64  # tokens, documents + 1
    doc_line: Int64  # lines, documents + 1
    start: Int32  # characters, half-open
    end: Int32
    hash: UInt64  # of the case-folded form
    exact: UInt64  # of the form as written
    kind: UInt8  # KIND_* bits
    line_start: Int32  # characters, without the line end
    line_end: Int32
    line_first: Int32  # characters of the line without outer spaces; both equal `line_end` in a blank line
    line_last: Int32
    line_token: Int64  # tokens, lines + 1
    line_hash: UInt64  # of the folded words, so of the line up to case, spaces and punctuation; 0 without words

    @property
    def docs(self) -> int:
        """Number of documents."""
        return len(self.doc_start) - 1

    def words(self, doc: int) -> UInt64:
        """Folded hashes of the words of a document, in order."""
        tokens = slice(self.doc_token[doc], self.doc_token[doc + 1])
        result: UInt64 = self.hash[tokens][(self.kind[tokens] & KIND_WORD) != 0]
        return result

    def word_counts(self) -> Int64:
        """Number of words by document."""
        return segment_sums((self.kind & KIND_WORD).astype(np.int64), self.doc_token)


def segment_sums(values: npt.NDArray[Any], bounds: Int64) -> npt.NDArray[Any]:
    """Sums of `values[bounds[i]:bounds[i + 1]]`; empty segments give 0. Exact for integers."""
    total = np.concatenate((np.zeros(1, values.dtype), np.cumsum(values)))
    result: npt.NDArray[Any] = total[bounds[1:]] - total[bounds[:-1]]
    return result


@lru_cache(maxsize=1)
def character_table() -> tuple[UInt8, UInt32, str]:
    """Class of each code point, its simple case folding, and the Unicode version of both."""
    with as_file(files("detectors.features") / "data" / "unicode.npz") as path, np.load(path) as data:
        starts = data["starts"].astype(np.int64)
        table = np.repeat(data["values"], np.diff(np.append(starts, CODE_POINTS)))
        fold = np.arange(CODE_POINTS, dtype=np.uint32)
        fold[data["source"]] = data["target"]
        return table, fold, str(data["version"])


def unicode_version() -> str:
    """Unicode version of the character data."""
    return character_table()[2]


def tokenise(texts: Sequence[str | None]) -> Tokens:
    """Token array of texts; null counts as empty."""
    from detectors.features import _kernels

    table, fold, _ = character_table()
    present = [text or "" for text in texts]
    doc_start = np.zeros(len(present) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in present], out=doc_start[1:])
    size = int(doc_start[-1])
    chars = np.empty(size, dtype=np.uint32)
    for text, (begin, stop) in zip(present, pairwise(doc_start.tolist()), strict=True):  # joined, all would be as wide
        chars[begin:stop] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)  # as the widest
    lines = int(np.count_nonzero(chars == 10)) + len(present)
    start, end = np.empty(size, np.int32), np.empty(size, np.int32)  # touched only where filled
    hashes, exact, kind = np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint8)
    line_start, line_end, line_first, line_last = (np.empty(lines, np.int32) for _ in range(4))
    line_token, line_hash = np.zeros(lines + 1, np.int64), np.empty(lines, np.uint64)
    doc_token, doc_line = np.zeros(len(doc_start), np.int64), np.zeros(len(doc_start), np.int64)
    nt, nl = _kernels.tokenise(
        chars, doc_start, table, fold, start, end, hashes, exact, kind, doc_token,
        line_start, line_end, line_first, line_last, line_token, line_hash, doc_line,
    )  # fmt: skip
    crowded = 2 * nt > size  # else do not keep the unused part alive
    return Tokens(
        chars=chars,
        doc_start=doc_start,
        doc_token=doc_token,
        doc_line=doc_line,
        start=start[:nt] if crowded else start[:nt].copy(),
        end=end[:nt] if crowded else end[:nt].copy(),
        hash=hashes[:nt] if crowded else hashes[:nt].copy(),
        exact=exact[:nt] if crowded else exact[:nt].copy(),
        kind=kind[:nt] if crowded else kind[:nt].copy(),
        line_start=line_start[:nl],
        line_end=line_end[:nl],
        line_first=line_first[:nl],
        line_last=line_last[:nl],
        line_token=line_token[: nl + 1],
        line_hash=line_hash[:nl],
    )


def tokens(features: FeatureCache) -> Tokens:
    """Token array of the `text` column, computed once per batch."""

    def compute(batch: pa.RecordBatch) -> Tokens:
        return tokenise(features.column("text"))

    return features.get(FEATURE, compute)


def warm() -> None:
    """Compile or load the native code of this package, and the character table."""
    from detectors.features import minhash

    batch = tokenise(["warm up"])
    minhash.band_keys(minhash.signatures(batch, minhash.SHAPES["14x8"]), minhash.SHAPES["14x8"])
