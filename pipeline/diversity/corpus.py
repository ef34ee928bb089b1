"""Documents of a mix and of its reference, encoded together: words, pairs and categories as small numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.features.tokens import KIND_WORD, Tokens, character_table, tokenise

UPPER = 16  # bit of the character table, see detectors/features/data/make_unicode.py
OPENING = 3  # words

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents one after the other, copies spelled out; those of the reference come first.

    Words, pairs and triples are numbers of forms, the same in both parts; a pair is that of a word and the next one,
    whichever document that is in. Categories are numbers from 0, or -1 for unknown.
    """

    reference: int  # documents of the reference
    bounds: Int64  # words, documents + 1
    words: Int32
    pairs: Int32
    triples: Int32
    forms: UInt64  # hash of each word form
    inside: Bool  # by word: a capital after another word of the line, so inside a sentence
    key: UInt64
    unit: UInt64
    host: UInt64
    openings: Int64
    lengths: Int64  # floor of log2 of words
    page_types: Int64
    languages: Int64
    texts: list[bytes]

    @property
    def sizes(self) -> Int64:
        """Words by document."""
        return np.diff(self.bounds)


def encode(reference: pa.Table, mix: pa.Table) -> Corpus:
    """Corpus of two tables of SAMPLE."""
    parts = [_with_copies(part) for part in (reference, mix)]
    rows = pa.concat_tables(parts).combine_chunks()
    texts: list[str] = rows.column("text").to_pylist()
    tokens = tokenise(texts)
    is_word = (tokens.kind & KIND_WORD) != 0
    counts = tokens.word_counts()
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    words, forms = _numbers(tokens.hash[is_word])
    pairs = _numbers(words[:-1].astype(np.int64) << 32 | words[1:])[0]
    triples = _numbers(pairs[:-1].astype(np.int64) << 32 | words[2:])[0]
    hosts = np.asarray(rows.column("host"))
    return Corpus(
        reference=parts[0].num_rows,
        bounds=bounds,
        words=words,
        pairs=_padded(pairs, len(words)),
        triples=_padded(triples, len(words)),
        forms=np.asarray(forms, dtype=np.uint64),
        inside=_inside(tokens)[is_word],
        key=np.asarray(rows.column("key")),
        unit=np.asarray(rows.column("unit")),
        host=hosts,
        openings=_openings(words, bounds),
        lengths=np.log2(np.maximum(np.asarray(rows.column("words")), 1)).astype(np.int64),
        page_types=_codes(rows.column("page_type")),
        languages=_codes(rows.column("language")),
        texts=[text.encode() for text in texts],
    )


def _with_copies(rows: pa.Table) -> pa.Table:
    return rows.take(pa.array(np.repeat(np.arange(rows.num_rows), np.asarray(rows.column("copies")))))


def _numbers(values: npt.NDArray[Any]) -> tuple[Int32, npt.NDArray[Any]]:
    """A dense number for each value, in the order in which they are met, and the value of each number."""
    encoded = pa.array(values).dictionary_encode()
    return np.array(encoded.indices, dtype=np.int32), np.array(encoded.dictionary)  # copies: Arrow's are read-only


def _padded(values: Int32, size: int) -> Int32:
    return np.concatenate((values, np.zeros(size - len(values), np.int32)))


def _codes(column: pa.ChunkedArray) -> Int64:
    indices = column.combine_chunks().dictionary_encode().indices
    return np.asarray(indices.fill_null(-1)).astype(np.int64)


def _openings(words: Int32, bounds: Int64) -> Int64:
    """A number for the first words of each document; shorter documents are padded."""
    combined = np.zeros(len(bounds) - 1, np.int64)
    for place in range(OPENING):
        at = bounds[:-1] + place
        there = at < bounds[1:]
        value = np.where(there, words[np.minimum(at, max(len(words) - 1, 0))] if len(words) else 0, -1)
        combined = _numbers(combined << 32 | (value + 1))[0].astype(np.int64)
    return combined


def _inside(tokens: Tokens) -> Bool:
    """By token: begins with a capital, and follows another word of the same line."""
    if not len(tokens.start):
        return np.zeros(0, bool)
    classes, _, _ = character_table()
    capital = (classes[tokens.chars[tokens.start]] & UPPER) != 0
    follows = np.zeros(len(capital), bool)
    follows[1:] = (tokens.kind[:-1] & KIND_WORD) != 0
    firsts = tokens.line_token[:-1]
    follows[firsts[firsts < len(follows)]] = False
    result: Bool = capital & follows
    return result
