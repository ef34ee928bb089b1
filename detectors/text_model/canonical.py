"""Canonical text: what the text models read of a page, whatever its typography.

Quotes, dashes, ellipses, Markdown and spacing are habits of websites and of data sets, and they are the first thing
that an attack changes. The canonical form has one of each. Hidden characters are out, and look-alikes of other
scripts are undone in words that mix scripts (`detectors.features.confusables`). Short lines that start with a capital
and end without punctuation (headings, menus) go. The text ends after `WORDS` words or, in scripts without spaces, 2.5
letters for each, and without its last sentence where that is cut. Only a prefix of `PREFIX` characters is read, so
the cost of a page is bounded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.api import FeatureCache
from detectors.features.confusables import CONFUSABLES, HIDDEN, HIDDEN_IN_LATIN
from detectors.features.tokens import Int64, UInt8, UInt32, character_table

CANONICAL_VERSION = 1
FEATURE = f"canonical:v{CANONICAL_VERSION}"
WORDS = 250
PREFIX = 5000  # characters
UNITS = 5  # of length in a word

_REPLACED = {
    **dict.fromkeys("“”„‟«»″〝〞「」『』", '"'),
    **dict.fromkeys("‘’‚‛`´′", "'"),
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("―", "—"),
    "。": ".",
    "、": ",",
    "؟": "?",
    "،": ",",
    "؛": ";",
}


@dataclass(frozen=True, slots=True)
class Canonical:
    """Canonical texts of a batch, one after the other: document d is `chars[doc_start[d]:doc_start[d + 1]]`."""

    chars: UInt32  # code points
    doc_start: Int64  # characters, documents + 1
    units: npt.NDArray[np.int32]  # length before the last sentence is dropped: `UNITS` for a word

    @property
    def docs(self) -> int:
        """Number of documents."""
        return len(self.doc_start) - 1

    def text(self, doc: int) -> str:
        """Canonical text of a document."""
        part = self.chars[self.doc_start[doc] : self.doc_start[doc + 1]]
        return part.tobytes().decode("utf-32-le", "surrogatepass")

    def words(self) -> npt.NDArray[np.int32]:
        """Length of each document in words, at most about `WORDS`."""
        result: npt.NDArray[np.int32] = self.units // UNITS
        return result

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Canonical:
        """These documents, in this order."""
        parts = [self.chars[self.doc_start[r] : self.doc_start[r + 1]] for r in rows]
        doc_start = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=doc_start[1:])
        chars = np.concatenate(parts) if parts else np.zeros(0, np.uint32)
        return Canonical(chars, doc_start, self.units[np.asarray(rows, np.int64)])


@lru_cache(maxsize=1)
def _tables() -> tuple[UInt32, UInt32]:
    from detectors.text_model import _canonical

    mapping = np.arange(_canonical.BMP, dtype=np.uint32)
    mapping[:32] = 32  # control characters
    mapping[10] = 10
    for old, new in _REPLACED.items():
        mapping[ord(old)] = ord(new)
    for hidden in HIDDEN_IN_LATIN:
        mapping[ord(hidden)] = _canonical.DROP_IN_LATIN
    for hidden in (*HIDDEN, *map(chr, range(0xFE00, 0xFE10))):
        mapping[ord(hidden)] = _canonical.DROP
    lookalike = np.zeros(_canonical.BMP, np.uint32)
    for old, new in CONFUSABLES.items():
        lookalike[ord(old)] = ord(new)
    return mapping, lookalike


def canonicalise(texts: Sequence[str | None]) -> Canonical:
    """Canonical form of texts; null counts as empty. NFKC is applied to prefixes that are not in it already."""
    from detectors.text_model import _canonical

    table, fold, _ = character_table()
    mapping, lookalike = _tables()
    prefixes: list[str] = []
    cut: UInt8 = np.zeros(len(texts), np.uint8)
    for row, text in enumerate(texts):
        prefix = (text or "")[:PREFIX]
        cut[row] = len(text or "") > PREFIX
        if not prefix.isascii() and not unicodedata.is_normalized("NFKC", prefix):
            prefix = unicodedata.normalize("NFKC", prefix)[: 2 * PREFIX]  # one character may become eighteen
        prefixes.append(prefix)
    raw_start = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(prefix) for prefix in prefixes], out=raw_start[1:])
    raw = np.frombuffer("".join(prefixes).encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    chars = np.empty(2 * len(raw) + 16, np.uint32)
    doc_start, units = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.int32)
    _canonical.canonicalise(
        raw, raw_start, cut, table, fold, mapping, lookalike, UNITS * WORDS, chars, doc_start, units
    )
    return Canonical(chars[: doc_start[-1]].copy(), doc_start, units)


def canonical(features: FeatureCache) -> Canonical:
    """Canonical form of the `text` column, computed once per batch."""

    def compute(batch: pa.RecordBatch) -> Canonical:
        return canonicalise(features.column("text"))

    return features.get(FEATURE, compute)
