"""Text of people as numbered words: a sample of the input that no order and no copy of a document changes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from detectors.features.tokens import tokenise
from schemas.config import ConfigError

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

DEFAULT_TOKENS = 100_000
LEAST_TOKENS = 1_000  # under this a generation's figures are chance
MOST_DOCUMENT_TOKENS = 2_000  # of one document, so that none outweighs the others
_MOST_CHARACTERS = 20 * MOST_DOCUMENT_TOKENS
_BATCH = 256  # documents that are tokenised at a time


@dataclass(frozen=True, slots=True)
class Shares:
    """Tokens that a seed needs, in this order."""

    held_out: int
    human: int
    fresh: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.held_out + self.human + self.fresh


def needed(tokens: int, fresh: float, generations: int) -> Shares:
    """What a generation of `tokens` needs: as much again is held out, and each model but the first sees fresh text."""
    return Shares(tokens, tokens, round(fresh * tokens) * (generations - 1))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents one after the other as word numbers; 0 ends a line, words count from 1 in the order of their hashes."""

    words: Int32
    documents: Int64  # (documents + 1) where each begins
    vocabulary: int  # words and the end of a line

    def parts(self, shares: Shares, seed: int) -> tuple[Int32, Int32, Int32]:
        """Held-out text, text of the first model and fresh text of a seed: other documents for each, by chance."""
        order = np.random.default_rng([seed]).permutation(len(self.documents) - 1)
        joined = np.concatenate([self.words[self.documents[d] : self.documents[d + 1]] for d in order])
        first, second = shares.held_out, shares.held_out + shares.human
        return joined[:first], joined[first:second], joined[second : shares.total]


def _documents(texts: Sequence[str]) -> Iterator[UInt64]:
    """Hashes of the case-folded tokens of each text, 0 after each line that holds any."""
    found = tokenise([text[:_MOST_CHARACTERS] for text in texts])
    for doc in range(found.docs):
        parts: list[UInt64] = []
        held = 0
        for line in range(int(found.doc_line[doc]), int(found.doc_line[doc + 1])):
            hashes = found.hash[found.line_token[line] : found.line_token[line + 1]]
            if len(hashes):
                hashes = hashes[: MOST_DOCUMENT_TOKENS - held]
                parts += [hashes, np.zeros(1, np.uint64)]
                held += len(hashes)
            if held >= MOST_DOCUMENT_TOKENS:
                break
        yield np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def read_corpus(texts: Iterable[str], most: int) -> Corpus:
    """A corpus of about `most` tokens: the documents whose hashes are smallest, each text once.

    Memory is that of the sample, whatever the input holds.
    """
    heap: list[tuple[int, bytes]] = []  # largest hash first
    known: set[int] = set()
    held = 0
    for batch in _batches(texts):
        keys = [xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) for text in batch]
        wanted = {}
        for key, text in zip(keys, batch, strict=True):
            if key not in known and (held < most or key < -heap[0][0]):
                wanted[key] = text
        for key, hashes in zip(wanted, _documents(list(wanted.values())), strict=True):
            if not len(hashes):
                continue
            heapq.heappush(heap, (-key, hashes.tobytes()))
            known.add(key)
            held += len(hashes)
            while held - len(heap[0][1]) // 8 >= most:
                gone, content = heapq.heappop(heap)
                known.discard(-gone)
                held -= len(content) // 8
    ordered = [np.frombuffer(content, np.uint64) for _, content in sorted(heap, reverse=True)]
    if not ordered:
        return Corpus(np.zeros(0, np.int32), np.zeros(1, np.int64), 1)
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum([len(one) for one in ordered])))
    hashes = np.concatenate(ordered)
    kinds, numbers = np.unique(hashes[hashes != 0], return_inverse=True)
    words = np.zeros(len(hashes), np.int32)
    words[hashes != 0] = numbers + 1
    return Corpus(words, bounds, len(kinds) + 1)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def choose_tokens(corpus: Corpus, tokens: int | None, fresh: float, generations: int) -> Shares:
    """How much text a generation gets: what was asked for, or else as much as the text allows, up to the default.

    Raises:
        ConfigError: the text is too small; says how many tokens there are and how many are needed.
    """
    there = len(corpus.words)
    if tokens is not None:
        shares = needed(tokens, fresh, generations)
    else:
        shares = needed(min(DEFAULT_TOKENS, int(there / (2 + fresh * (generations - 1)))), fresh, generations)
        while shares.total > there:  # by rounding
            shares = needed(shares.human - 1, fresh, generations)
    if shares.human < LEAST_TOKENS or shares.total > there:
        least = needed(max(tokens or 0, LEAST_TOKENS), fresh, generations)
        hint = "" if tokens is None else ", or fewer --tokens"
        raise ConfigError(
            f"the input holds {there:,} tokens of text, and {least.total:,} are needed: {least.held_out:,} held out, "
            f"{least.human:,} for the first model, {least.fresh:,} fresh for the others; give more text{hint}, fewer "
            "--generations or less --fresh"
        )
    return shares
