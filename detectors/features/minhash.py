"""MinHash signatures and shingle hashes, computed from the token array.

A shingle is five consecutive words, case-folded, symbols ignored; a text of one to four words is one shingle of all its
words; a text without words has no signature. Other sizes, and characters in the place of words, can be chosen, also by
language. Characters are the code points of the case-folded text without format characters, in which every run of what
is no letter, number or mark of one is one space, and none at the ends; so punctuation counts as a space there, and
spaces count.

In scripts without spaces each letter with its marks is a word (`detectors.features.tokens`), and five letters would be
a word or two: `LANGUAGE_SHINGLES` has what five English words take in such languages.

The 32-bit shingle hash is ours (`detectors.features._kernels`), the permutations are those of datasketch 2 (scheme
`affine32`, same `seed`): given the same shingle hashes, signatures equal `datasketch.MinHash(num_perm,
seed).hashvalues`. datasketch 1.6 (scheme `legacy`) differs: its fold from 61 to 32 bits overestimates the similarity of
large sets (datasketch issue 212).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from detectors.features.tokens import Int32, Int64, Tokens, UInt32, UInt64, character_table

WORDS, CHARACTERS = "words", "characters"
DEFAULT_SIZE = 5  # words; Lee et al. 2022 (arXiv 2107.06499), FineWeb


@dataclass(frozen=True, slots=True)
class Shingle:
    """What similarity is counted over: so many words, or characters, in a row."""

    unit: str = WORDS
    size: int = DEFAULT_SIZE

    def __post_init__(self) -> None:
        if self.unit not in (WORDS, CHARACTERS) or self.size < 1:
            raise ValueError(f"expected words or characters, 1 or more of them; found {self.unit}, {self.size}")


# Letters (Tibetan: syllables) that five English words take in languages written without spaces between words. Chinese,
# Japanese, Thai, Lao, Khmer and Burmese: the 1,997 lines of NTREX-128 (Federmann et al. 2022), of 42,361 English words.
# Shan, Yi, Tibetan and Dzongkha: articles of the Universal Declaration of Human Rights, against Chinese. Kinds of
# Chinese are one, because a detector takes them for each other.
LANGUAGE_SHINGLES: Mapping[str, Shingle] = {
    **{code: Shingle(WORDS, 8) for code in ("zho", "cmn", "yue", "wuu", "gan", "lzh", "bod", "dzo")},
    "jpn": Shingle(WORDS, 12),
    "tha": Shingle(WORDS, 20),
    "lao": Shingle(WORDS, 19),
    "khm": Shingle(WORDS, 18),
    "mya": Shingle(WORDS, 15),
    "shn": Shingle(WORDS, 13),
    "iii": Shingle(WORDS, 9),
}


@dataclass(frozen=True, slots=True)
class Shingles:
    """Shingles by language (ISO 639-3), and those of all other languages and of rows whose language is not known."""

    default: Shingle = field(default_factory=Shingle)
    languages: Mapping[str, Shingle] = field(default_factory=lambda: LANGUAGE_SHINGLES)

    def of(self, labels: Sequence[str | None]) -> list[Shingle]:
        """The shingle of each row by the label of its language (`tha`, `tha_Thai`)."""
        return [self.languages.get((label or "").partition("_")[0], self.default) for label in labels]


@dataclass(frozen=True, slots=True)
class Shape:
    """Bands and rows of the index; `bands * rows` permutations."""

    bands: int
    rows: int

    @property
    def size(self) -> int:
        """Number of permutations."""
        return self.bands * self.rows

    def __str__(self) -> str:
        return f"{self.bands}x{self.rows}"


# Shapes by the name of who uses them: FineWeb (arXiv 2406.17557), NeMo Curator, duplodocus as run for Dolma 3, HPLT.
PRESETS = {"fineweb": Shape(14, 8), "curator": Shape(20, 13), "dolma3": Shape(26, 11), "hplt": Shape(17, 15)}
SHAPES = {str(shape): shape for shape in PRESETS.values()}
DEFAULT_SHAPE = "14x8"


@lru_cache(maxsize=16)
def permutations(size: int, seed: int = 1) -> tuple[UInt32, UInt32]:
    """Multipliers (odd) and addends of datasketch's scheme `affine32`: h -> (a * fmix32(h) + b) mod 2^32."""
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, size, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, size, dtype=np.uint32)
    return a, b


@dataclass(frozen=True, slots=True)
class Keys:
    """What one pass over the shingles of a batch gives, a row a document."""

    signatures: UInt32  # documents x permutations; all 2^32 - 1, and invalid, without words
    words: Int32
    shingles: Int32  # distinct ones
    sketch: UInt32  # the smallest shingle hashes of all documents, one document after the other, sorted in each
    sketch_start: Int64  # documents + 1


def keys(
    tokens: Tokens, shape: Shape, seed: int = 1, sketch: int = 0, shingles: Sequence[Shingle] | None = None
) -> Keys:
    """Signatures, and sketches of at most `sketch` shingle hashes (`detectors.features.sketch`).

    `shingles` has one of each document; by default all are of five words.
    """
    from detectors.features import _kernels

    docs = tokens.docs
    by_document = [Shingle()] * docs if shingles is None else shingles
    by_character = np.array([shingle.unit == CHARACTERS for shingle in by_document], dtype=bool)
    size = np.array([shingle.size for shingle in by_document], dtype=np.int64)
    a, b = permutations(shape.size, seed)
    table, fold, _ = character_table()
    units = np.where(by_character, np.diff(tokens.doc_start), np.diff(tokens.doc_token))
    found = Keys(
        signatures=np.empty((docs, shape.size), np.uint32),
        words=np.empty(docs, np.int32),
        shingles=np.empty(docs, np.int32),
        sketch=np.empty(int(np.minimum(units, sketch).sum()), np.uint32),  # touched only where filled
        sketch_start=np.empty(docs + 1, np.int64),
    )
    _kernels.minhash(
        tokens.hash, tokens.kind, tokens.doc_token, tokens.chars, tokens.doc_start, table, fold, by_character, size,
        a, b, sketch, found.signatures, found.words, found.shingles, found.sketch, found.sketch_start,
    )  # fmt: skip
    return found


def signatures(tokens: Tokens, shape: Shape, seed: int = 1) -> UInt32:
    """Signatures (documents x permutations). Rows of documents without words are all 2^32 - 1 and invalid."""
    return keys(tokens, shape, seed).signatures


def matrix(signatures: Sequence[bytes], shape: Shape) -> UInt32 | UInt64:
    """Signatures (documents x permutations) of the bytes of a column: of 32 bits a value, or datatrove's 64.

    Raises:
        ValueError: bytes of another shape.
    """
    width, rest = divmod(len(signatures[0]), shape.size) if signatures else (4, 0)
    if rest or width not in (4, 8):
        raise ValueError(f"a signature of {len(signatures[0])} bytes is none of shape {shape}: expected 4 or 8 a value")
    found: UInt32 | UInt64 = np.frombuffer(b"".join(signatures), f"<u{width}").reshape(-1, shape.size)
    return found


def band_keys(signatures: npt.NDArray[np.uint32] | npt.NDArray[np.uint64], shape: Shape) -> UInt64:
    """Keys (documents x bands): equal only for equal rows in the same band (64 bits)."""
    from detectors.features import _kernels

    out = np.empty((len(signatures), shape.bands), dtype=np.uint64)
    native = np.array(signatures, dtype=np.uint64 if signatures.itemsize == 8 else np.uint32, order="C")
    _kernels.band_hashes(native, shape.bands, shape.rows, out)
    return out


def estimate(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> float:
    """Estimated Jaccard similarity of two signatures, in [0, 1]."""
    return float(np.mean(first == second))


def probability(jaccard: float, bands: int, rows: int) -> float:
    """Probability that two texts of that Jaccard similarity share a band."""
    return float(1.0 - (1.0 - jaccard**rows) ** bands)


def similarity_of(share: float, bands: int, rows: int) -> float:
    """Jaccard similarity of two texts that share a band with that probability; the inverse of `probability`."""
    return float((1.0 - (1.0 - share) ** (1.0 / bands)) ** (1.0 / rows))
