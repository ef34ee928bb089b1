"""Metrics of one stratum over many random halves, of the mix and of its reference.

A third of the reference's units (hosts, or documents) is the *yardstick*: the other human text whose words and
histograms the rest is held against. The same units leave the mix, so that no document ever meets itself. What is left
of the reference and of the mix is put in a random order of units, draw by draw, and measured from both ends: two halves
of equal numbers of words and documents, apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from pipeline.diversity.corpus import Bool, Corpus, Int64, UInt64, encode
from pipeline.diversity.definitions import DOCUMENT_METRICS, HOST_METRICS, METRICS, WORD_METRICS
from pipeline.diversity.topics import topics

LEAST_WORDS = 2_000  # of a half; under that, and under the numbers below, nothing is said
LEAST_DOCUMENTS = 20  # of a half
LEAST_UNITS = 20.0  # effective units of the reference (inverse Simpson); with fewer hosts, documents are the units
LEAST_NAMES = 100  # rare capitalised words of the yardstick
YARDSTICK = 1 / 3
RARE = 2  # occurrences in the yardstick up to which a word is rare
COMPRESSED_BYTES = 128 << 10
ZIPF_RANKS = np.unique(np.round(np.logspace(1, 3, 25)).astype(np.int64))  # 10 to 1000: Zipf's law holds there
MIX_DRAWS = 25  # draws over which the mix is averaged; its interval comes from the reference

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draws:
    """Values over draws; columns are those of `names`, without metrics that do not apply."""

    names: tuple[str, ...]
    mix: Float64  # mean by metric
    reference: Float64  # mean by metric
    differences: Float64  # of the two halves of the reference, (draws, metrics)
    words: int  # of each half
    documents: int


def measure_stratum(reference: pa.Table, mix: pa.Table, seed: int, draws: int) -> Draws | None:
    """Metrics of a mix and its reference, tables of SAMPLE; None where one of them is too small."""
    if not reference.num_rows or not mix.num_rows:
        return None
    corpus = encode(reference, mix)
    by_unit = _Halves(corpus, _units(corpus), np.ones(len(corpus.key), bool), seed)
    if not by_unit.enough:
        return None
    parts = [_run(_TextMeasure(by_unit), by_unit, draws)]
    by_document = _Halves(corpus, corpus.key, corpus.host != 0, seed)
    if by_document.enough_documents:
        parts.append(_run(_HostMeasure(by_document), by_document, draws))
    names = [name for part in parts for name in part.names]
    values = [np.concatenate([getattr(part, field) for part in parts]) for field in ("mix", "reference")]
    differences = np.concatenate([part.differences for part in parts], axis=1)
    known = np.isfinite(values[0]) & np.isfinite(values[1]) & np.isfinite(differences).all(axis=0)
    kept = tuple(name for name, fine in zip(names, known, strict=True) if fine)
    return Draws(kept, values[0][known], values[1][known], differences[:, known], by_unit.words, by_unit.documents)


def _run(measure: _TextMeasure | _HostMeasure, halves: _Halves, draws: int) -> Draws:
    ends = [[measure(half) for half in pair] for pair in halves.draw(halves.rest, draws)]
    own = [measure(half) for pair in halves.draw(halves.mix, min(draws, MIX_DRAWS)) for half in pair]
    found = np.array(ends)
    means = np.mean(own, axis=0), found.mean(axis=(0, 1))
    return Draws(measure.names, *means, found[:, 0] - found[:, 1], halves.words, halves.documents)


def _units(corpus: Corpus) -> UInt64:
    """Hosts (else clusters, else documents), or documents where few hosts hold most of the reference."""
    part = slice(0, corpus.reference)
    _, place = np.unique(corpus.unit[part], return_inverse=True)
    shares = np.bincount(place, weights=corpus.sizes[part].astype(np.float64)) / max(1, corpus.sizes[part].sum())
    return corpus.unit if 1.0 / np.square(shares).sum() >= LEAST_UNITS else corpus.key


class _Halves:
    """The yardstick and the random halves of what is left, for one kind of unit."""

    def __init__(self, corpus: Corpus, units: UInt64, part: Bool, seed: int) -> None:
        self.corpus = corpus
        self._units = units
        self._seed = seed
        ranks = spread(units, self._salt("yardstick"))
        documents = np.flatnonzero(part)
        reference, mix = documents[documents < corpus.reference], documents[documents >= corpus.reference]
        order = reference[np.argsort(ranks[reference], kind="stable")]
        sizes = np.cumsum(corpus.sizes[order])
        last = int(np.searchsorted(sizes, YARDSTICK * sizes[-1])) if len(order) else 0
        bound = ranks[order[last]] if len(order) else np.uint64(0)
        self.yardstick = reference[ranks[reference] <= bound]
        self.rest = reference[ranks[reference] > bound]
        outside = mix[ranks[mix] > bound]
        # A mix of few units may lie in the yardstick as a whole; then it is measured as it is.
        enough = corpus.sizes[outside].sum() >= YARDSTICK * corpus.sizes[mix].sum()
        self.mix = outside if enough else mix
        sides = (self.rest, self.mix)
        self.words = min(int(corpus.sizes[side].sum()) for side in sides) // 2
        self.documents = min(len(side) for side in sides) // 2

    @property
    def enough_documents(self) -> bool:
        """Whether there are documents and units for a baseline."""
        units = min(len(np.unique(self._units[side])) for side in (self.rest, self.yardstick)) if self.documents else 0
        return self.documents >= LEAST_DOCUMENTS and units >= LEAST_UNITS / 2

    @property
    def enough(self) -> bool:
        """Whether there are words, too."""
        return self.enough_documents and self.words >= LEAST_WORDS

    def draw(self, side: Int64, draws: int) -> Iterator[tuple[Int64, Int64]]:
        """Documents in a random order of units, and the same from the other end."""
        for number in range(draws):
            salt = self._salt(f"draw {number}")
            units = spread(self._units[side], salt)
            order = side[np.lexsort((spread(self.corpus.key[side], salt), units))]
            yield order, order[::-1].copy()

    def _salt(self, name: str) -> np.uint64:
        return np.uint64(xxhash.xxh3_64_intdigest(f"{self._seed} {name}".encode()))


class _TextMeasure:
    """Metrics of words and documents, of documents in a given order."""

    names = (*WORD_METRICS, *DOCUMENT_METRICS)

    def __init__(self, halves: _Halves) -> None:
        from pipeline.diversity._tally import tally

        self._tally: Any = tally
        self._corpus = corpus = halves.corpus
        self._words, self._documents = halves.words, halves.documents
        yardstick = halves.yardstick
        places = np.concatenate([np.arange(corpus.bounds[d], corpus.bounds[d + 1]) for d in yardstick.tolist()])
        counts = np.bincount(corpus.words[places], minlength=len(corpus.forms))
        capital = np.bincount(corpus.words[places], weights=corpus.inside[places], minlength=len(corpus.forms))
        self._types = counts > 0
        self._rare = self._types & (counts <= RARE)
        self._names = self._rare & (2 * capital >= counts)
        categories = (corpus.lengths, corpus.page_types, topics(corpus, yardstick), corpus.languages)
        self._categories = [(values, histogram(values[yardstick], values)) for values in categories]
        sides = (halves.rest, halves.mix)
        bytes_ = [sum(len(corpus.texts[d]) for d in side.tolist()) for side in sides]
        self._bytes = min(COMPRESSED_BYTES, min(bytes_) // 2)
        self._counts = np.zeros(len(corpus.forms), np.int32)
        self._met = [np.zeros(int(part.max(initial=0)) + 1, np.int32) for part in (corpus.pairs, corpus.triples)]
        self._stamp = 0

    def __call__(self, order: Int64) -> list[float]:
        corpus, counts = self._corpus, self._counts
        counts[:] = 0
        self._stamp += 1
        distinct2, pairs, distinct3, triples = self._tally(
            order, corpus.bounds, corpus.words, corpus.pairs, corpus.triples, self._words, counts, *self._met,
            np.int32(self._stamp),
        )  # fmt: skip
        met = counts > 0
        types, once = int(met.sum()), int((counts == 1).sum())
        head = order[: self._documents]
        return [
            ratio((met & self._types).sum(), self._types.sum()),
            ratio(counts[self._rare].sum(), self._words),
            ratio(once, self._words),
            ratio(once, types),
            ratio(types, self._words),
            ratio(distinct2, pairs),
            ratio(distinct3, triples),
            zipf_exponent(counts),
            self._compression(order),
            ratio((met & self._names).sum(), self._names.sum()) if self._names.sum() >= LEAST_NAMES else np.nan,
            entropy(np.bincount(corpus.openings[head])) / np.log(2),
            *(divergence(histogram(values[head], values), known) for values, known in self._categories),
        ]

    def _compression(self, order: Int64) -> float:
        parts, left = [], self._bytes
        for doc in order.tolist():
            parts.append(self._corpus.texts[doc][:left])
            left -= len(parts[-1])
            if left <= 0:
                break
        text = b"\n".join(parts)
        return len(text) / max(1, len(self._compressor.compress(text)))

    @cached_property
    def _compressor(self) -> Any:
        import zstandard

        return zstandard.ZstdCompressor(level=3)


class _HostMeasure:
    """Metrics of hosts, of documents in a given order."""

    names = tuple(HOST_METRICS)

    def __init__(self, halves: _Halves) -> None:
        _, place = np.unique(halves.corpus.host, return_inverse=True)
        self._hosts = place.astype(np.int64)
        self._documents = halves.documents
        self._known = histogram(self._hosts[halves.yardstick], self._hosts)

    def __call__(self, order: Int64) -> list[float]:
        found = histogram(self._hosts[order[: self._documents]], self._hosts)
        return [float(np.exp(entropy(found))), divergence(found, self._known)]


assert set(METRICS) == {*_TextMeasure.names, *_HostMeasure.names}


def spread(values: UInt64, salt: np.uint64) -> UInt64:
    """Pseudo-random numbers of 64-bit values (the finaliser of splitmix64); the same value gives the same number."""
    found = values ^ salt
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: UInt64 = found ^ (found >> np.uint64(31))
    return result


def ratio(part: float, whole: float) -> float:
    """Their ratio; NaN of nothing."""
    return float(part / whole) if whole else float("nan")


def histogram(values: Int64, all_values: Int64) -> Int64:
    """Counts of categories, of as many as `all_values` has; -1 is not counted."""
    size = int(all_values.max(initial=-1)) + 1
    return np.bincount(values[values >= 0], minlength=size).astype(np.int64)


def entropy(counts: Int64) -> float:
    """Entropy of a histogram in nats; 0 of nothing."""
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(max(0.0, -(shares * np.log(shares)).sum()))


def divergence(one: Int64, other: Int64) -> float:
    """Jensen-Shannon divergence of two histograms in bits (Lin 1991); NaN where one is empty."""
    if not one.sum() or not other.sum():
        return float("nan")
    p, q = one / one.sum(), other / other.sum()
    middle = (p + q) / 2
    parts: Sequence[float] = [
        float((shares[shares > 0] * np.log2(shares[shares > 0] / middle[shares > 0])).sum()) / 2 for shares in (p, q)
    ]
    return min(1.0, max(0.0, sum(parts)))


def zipf_exponent(counts: npt.NDArray[np.int32]) -> float:
    """Negative slope of log frequency over log rank, by least squares at ZIPF_RANKS; a rank without a word counts 1/2.

    Ranks over 1000 are left out: the counts are too small to say; ranks under 10 do not follow the law (Zipf 1949,
    Mandelbrot 1953).
    """
    most = int(ZIPF_RANKS[-1])
    top = np.zeros(most, np.float64)
    found = np.sort(np.partition(counts, -most)[-most:] if len(counts) > most else counts)[::-1]
    top[: len(found)] = found
    y = np.log(np.maximum(top[ZIPF_RANKS - 1], 0.5))
    x = np.log(ZIPF_RANKS.astype(np.float64))
    x = x - x.mean()
    return float(-(x * y).sum() / (x * x).sum())
