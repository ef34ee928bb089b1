"""Repeated runs of words in the pages that are kept: fingerprints, windows, and what is cut. No Beam.

A word is cut if it lies in a window of `words` words that stands at an earlier place too. Places are ordered by
document id, then by position, so that of every run of at least `words` words one copy stays. That is what a suffix
array finds (Lee et al. 2022, arXiv 2107.06499), and here it is found without one, in two rounds:

1. Winnowing (Schleimer, Wilkerson & Aiken 2003): of every `w` neighbouring windows of `n` words the smallest hash is a
   fingerprint. With n + w - 1 = words, each window of `words` words has one fingerprint that depends on its words
   alone, so that equal windows have equal fingerprints. Distinct fingerprints of shards meet; about one word in w / 2
   has one.
2. The windows of `words` words whose fingerprint stands in other shards too are hashed and meet; the first place stays.

Repeats within a shard are found there, by sorting. A word is a folded word of `detectors.features.tokens`: case, spaces
and punctuation do not count, and in writing without spaces each letter is a word. Words that other rules have cut are
not there. Hashes have 64 bits: among 10^11 windows of the second round, about 270 pairs of different ones are taken
for equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.features.tokens import KIND_WORD, Int32, Int64, tokenise
from pipeline.cuts import CUTS, Stage, lay
from pipeline.repeat_lines import page_hash

U64 = npt.NDArray[np.uint64]

FINGERPRINTS = pa.schema([("key", pa.uint64()), ("shard", pa.uint64())])
WINDOWS = pa.schema(
    [
        ("key", pa.uint64()),
        ("shard", pa.uint64()),
        ("page", pa.uint64()),  # head of the document id
        ("position", pa.uint32()),  # of the first word in the page
    ]
)

_BASE: Final = 0xD6E8FEB86659FD93
_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_BLOCK: Final = 1 << 18  # words that are hashed at a time


def winnowing(words: int) -> tuple[int, int]:
    """(n, w) for runs of `words`: words of a fingerprint's window, and windows that it is chosen from. n >= w."""
    n = words // 2 + 1
    return n, words + 1 - n


@dataclass(frozen=True, slots=True)
class WordStream:
    """Words of the kept pages of a shard, pages in the order of their ids."""

    hashes: U64
    bounds: Int64  # words, pages + 1
    rows: Int32  # of the pages
    pages: U64  # heads of the document ids
    start: Int32  # code points of the page's text
    end: Int32

    def owners(self) -> Int64:
        """Page of each word."""
        return np.repeat(np.arange(len(self.rows)), np.diff(self.bounds))


def make_stream(
    batches: Iterator[tuple[Int64, list[str], list[str | None], list[str]]],
    profile: str | None,
    repeats: Mapping[int, Sequence[Stage]],
) -> WordStream:
    """The words that the line rules of a profile, and the stages of a row, leave of the pages."""
    found: list[tuple[U64, Int32, Int32]] = []
    rows: list[int] = []
    doc_ids: list[str] = []
    for batch_rows, batch_ids, _, texts in batches:
        tokens = tokenise(texts)
        is_word = (tokens.kind & KIND_WORD) != 0
        for at, (row, text) in enumerate(zip(batch_rows.tolist(), texts, strict=True)):
            part = slice(int(tokens.doc_token[at]), int(tokens.doc_token[at + 1]))
            mask = is_word[part]
            start = (tokens.start[part][mask] - tokens.doc_start[at]).astype(np.int32)
            end = (tokens.end[part][mask] - tokens.doc_start[at]).astype(np.int32)
            hashes = tokens.hash[part][mask]
            if len(hashes) and (profile is not None or row in repeats):
                stays = ~lay(text, profile, repeats.get(row, ())).is_cut(start)
                hashes, start, end = hashes[stays], start[stays], end[stays]
            found.append((hashes, start, end))
            rows.append(row)
            doc_ids.append(batch_ids[at])
    order = sorted(range(len(rows)), key=lambda at: (doc_ids[at], rows[at]))
    empty = [(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int32))]
    parts = [found[at] for at in order] or empty
    lengths = [len(part[0]) for part in parts] if order else []
    return WordStream(
        np.concatenate([part[0] for part in parts]),
        np.append(0, np.cumsum(lengths)).astype(np.int64),
        np.array([rows[at] for at in order], np.int32),
        np.array([page_hash(doc_ids[at]) for at in order], np.uint64),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


def window_hashes(words: U64, size: int) -> U64:
    """Hash of each `size` neighbouring words: a polynomial modulo 2^64, finalised; shape (words - size + 1,)."""
    count = max(0, len(words) - size + 1)
    out = np.empty(count, np.uint64)
    for begin in range(0, count, _BLOCK):
        part = words[begin : min(begin + _BLOCK, count) + size - 1]
        powers = np.full(len(part), _BASE, np.uint64)
        inverses = np.full(len(part), _INVERSE, np.uint64)
        powers[0] = inverses[0] = 1
        sums = np.append(np.zeros(1, np.uint64), np.cumsum(part * np.cumprod(powers)))
        size_here = len(part) - size + 1
        values = (sums[size:] - sums[:-size]) * np.cumprod(inverses)[:size_here]
        values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        out[begin : begin + size_here] = values ^ (values >> np.uint64(33))
    return out


def sliding_minimum(values: U64, width: int) -> U64:
    """Smallest of each `width` neighbours (van Herk 1992; Gil & Werman 1993); shape (values - width + 1,)."""
    count = len(values) - width + 1
    if count <= 0:
        return values[:0]
    padded = np.append(values, np.full(-len(values) % width, np.iinfo(np.uint64).max, np.uint64)).reshape(-1, width)
    forward = np.minimum.accumulate(padded, axis=1).ravel()
    backward = np.minimum.accumulate(padded[:, ::-1], axis=1)[:, ::-1].ravel()
    result: U64 = np.minimum(backward[:count], forward[width - 1 : width - 1 + count])
    return result


def valid_windows(stream: WordStream, words: int) -> Int64:
    """Positions in the stream at which a window of `words` words begins that ends in the same page."""
    starts = np.arange(len(stream.hashes))
    ends = np.repeat(stream.bounds[1:], np.diff(stream.bounds))
    return np.flatnonzero(starts + words <= ends)


def fingerprints_at(stream: WordStream, words: int, valid: Int64) -> U64:
    """Fingerprint of each valid window."""
    n, w = winnowing(words)
    return sliding_minimum(window_hashes(stream.hashes, n), w)[valid]


def find_fingerprints(stream: WordStream, words: int, shard: int) -> pa.Table:
    """FINGERPRINTS of a shard, each once."""
    keys = np.unique(fingerprints_at(stream, words, valid_windows(stream, words)))
    return pa.table([pa.array(keys), pa.array(np.full(len(keys), shard, np.uint64))], schema=FINGERPRINTS)


def repeated_fingerprints(fingerprints: pa.Table) -> pa.Table:
    """FINGERPRINTS of a bucket that stand in two shards or more."""
    key, shard = (np.asarray(fingerprints.column(name)) for name in FINGERPRINTS.names)
    order = np.lexsort((shard, key))
    key, shard = key[order], shard[order]
    again = np.append(False, key[1:] == key[:-1])[: len(key)]
    mask = again | np.append(again[1:], False)[: len(key)]
    return pa.table([key[mask], shard[mask]], schema=FINGERPRINTS)


def is_member(values: U64, of: U64) -> npt.NDArray[np.bool_]:
    """Whether each value is one of a sorted array."""
    if not len(of):
        return np.zeros(len(values), bool)
    found: npt.NDArray[np.bool_] = of[np.minimum(np.searchsorted(of, values), len(of) - 1)] == values
    return found


def find_windows(stream: WordStream, words: int, shard: int, repeated: U64) -> pa.Table:
    """WINDOWS of a shard whose fingerprint is in `repeated` (sorted): each once, where it stands first in the shard."""
    valid = valid_windows(stream, words)
    valid = valid[is_member(fingerprints_at(stream, words, valid), repeated)]
    keys, first = np.unique(window_hashes(stream.hashes, words)[valid], return_index=True)
    at = valid[first]
    page = stream.owners()[at]
    return pa.table(
        [
            pa.array(keys),
            pa.array(np.full(len(keys), shard, np.uint64)),
            pa.array(stream.pages[page]),
            pa.array((at - stream.bounds[page]).astype(np.uint32)),
        ],
        schema=WINDOWS,
    )


def later_windows(windows: pa.Table) -> pa.Table:
    """FINGERPRINTS-shaped (key, shard) of the WINDOWS of a bucket that stand earlier in another shard."""
    key, shard, page, position = (np.asarray(windows.column(name)) for name in WINDOWS.names)
    order = np.lexsort((shard, position, page, key))
    key, shard = key[order], shard[order]
    later = np.append(False, key[1:] == key[:-1])[: len(key)]
    return pa.table([key[later], shard[later]], schema=FINGERPRINTS)


def find_substring_cuts(stream: WordStream, words: int, later: U64) -> pa.Table:
    """CUTS of a shard: the words of windows that stand earlier, in the shard itself or elsewhere (`later`, sorted)."""
    valid = valid_windows(stream, words)
    keys = window_hashes(stream.hashes, words)[valid]
    order = np.argsort(keys, kind="stable")
    cut = is_member(keys, later)
    cut[order[1:][keys[order][1:] == keys[order][:-1]]] = True
    depth = np.zeros(len(stream.hashes) + 1, np.int64)
    np.add.at(depth, valid[cut], 1)
    np.add.at(depth, valid[cut] + words, -1)
    marked = np.cumsum(depth[:-1]) > 0
    page = stream.owners()
    border = np.append(True, page[1:] != page[:-1])[: len(page)]
    before = np.append(False, marked[:-1])[: len(page)]
    first = np.flatnonzero(marked & (border | ~before))
    after = np.append(~marked[1:] | border[1:], True)[: len(page)]
    last = np.flatnonzero(marked & after)
    columns = [stream.rows[page[first]], stream.start[first], stream.end[last]]
    return pa.table([pa.array(values.astype(np.int32)) for values in columns], schema=CUTS)
