"""Counts of a corpus by the strata of its targets: what is there, how sure the shares are, which documents are seeds.

Memory grows with the number of strata alone. Everything is a sum of whole numbers or a smallest hash, so that no order
of files, rows or batches makes a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.report.tally import Best
from pipeline.runs import RunError
from pipeline.synthesize.gaps_documents import AMOUNTS, Documents
from pipeline.synthesize.gaps_words import GENDER_KINDS, Int
from schemas.targets import JOINT, Dimension, Target

REPLICATES = 200  # of the bootstrap: a variance to within a tenth of itself
MAX_STRATA = 2000  # of a target
LENGTH_BINS = 96  # four to a power of two, in words
OTHER = "(other)"  # values that the target does not name
UNKNOWN = "(unknown)"
_POISSON = np.cumsum([np.exp(-1.0) / f for f in (1, 1, 2, 6, 24, 120, 720, 5040, 40320)])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def host_weights(hosts: npt.NDArray[np.uint64], replicates: int = REPLICATES) -> Int:
    """Poisson(1) weights of hosts in each replicate, int64[hosts, replicates], a function of the host's hash.

    The bootstrap of hosts for streams: a host, with all of its pages, is drawn as often in a replicate as its weight
    says (Hanley & MacGibbon 2006; Chamandy et al. 2012). Mixed by SplitMix64 (Steele, Lea & Flood 2014).
    """
    with np.errstate(over="ignore"):
        z = hosts[:, None] + _GOLDEN * np.arange(1, replicates + 1, dtype=np.uint64)[None, :]
        z = (z ^ (z >> np.uint64(30))) * _MIX1
        z = (z ^ (z >> np.uint64(27))) * _MIX2
        z ^= z >> np.uint64(31)
    weights: Int = np.searchsorted(_POISSON, (z >> np.uint64(11)) * 2.0**-53, side="right").astype(np.int64)
    return weights


def length_bins(words: Int) -> Int:
    """Place of a length in words: four to a power of two."""
    bins: Int = np.floor(4 * np.log2(np.maximum(words, 1))).astype(np.int64)
    return np.minimum(bins, LENGTH_BINS - 1)


@dataclass(frozen=True, slots=True, order=True)
class Seed:
    """A document that may be the parent of a request, and where its text is."""

    key: int  # xxh3_64 of the seed of the report and the doc_id
    doc_id: str
    host: int
    language: str
    words: int
    file: int
    group: int
    row: int


@dataclass(slots=True, eq=False)
class Stratum:
    """Sums over the documents of a stratum."""

    amounts: Int = field(default_factory=lambda: np.zeros(len(AMOUNTS), np.int64))
    replicates: Int = field(default_factory=lambda: np.zeros(REPLICATES, np.int64))  # in the unit of the shares
    lengths: Int = field(default_factory=lambda: np.zeros(LENGTH_BINS, np.int64))
    languages: Counter[str] = field(default_factory=Counter)
    seeds: Best[Seed] | None = None


class Tally:
    """Documents by the strata of one target. `named`: those that count by themselves; None: whatever is met."""

    def __init__(self, target: Target, unit: int, named: Iterable[str] | None, seeds: int, seed: str) -> None:
        self.target = target
        self.named = None if named is None else frozenset(named)
        self.strata: dict[str, Stratum] = {}
        self.asked = 0  # documents that fit `where`
        self.unknown = 0  # of them, those with a dimension that is not known
        self._unit, self._seeds, self._seed = unit, seeds, seed

    def add(self, documents: Documents, weights: Int, parent_words: tuple[int, int]) -> None:
        """Count the documents of a batch; `weights` as `host_weights` of their hosts."""
        keys = self._keys(documents)
        by_key: dict[str, list[int]] = {}
        for row, key in enumerate(keys):
            if key is not None:
                by_key.setdefault(key, []).append(row)
        for key, listed in by_key.items():
            rows = np.array(listed)
            if key == UNKNOWN:
                self.unknown += len(rows)
                continue
            stratum = self._stratum(key)
            amounts = documents.amounts[rows]
            stratum.amounts += amounts.sum(axis=0)
            stratum.replicates += amounts[:, self._unit] @ weights[rows]
            stratum.lengths += np.bincount(length_bins(amounts[:, 1]), minlength=LENGTH_BINS)
            stratum.languages.update(documents.values["language"][row] or "und" for row in listed)
            if stratum.seeds is not None:
                self._offer(stratum.seeds, documents, listed, parent_words)

    def _keys(self, documents: Documents) -> list[str | None]:
        """Stratum of each document; UNKNOWN, or None where it does not fit `where`."""
        where = [(documents.values[name], value) for name, value in self.target.where.items()]
        columns = [documents.values[name] for name in self.target.dimensions]
        keys: list[str | None] = []
        for row in range(len(documents)):
            if any(values[row] != wanted for values, wanted in where):
                keys.append(None)
                continue
            self.asked += 1
            values = [column[row] for column in columns]
            known = [value for value in values if value is not None]
            key = JOINT.join(known) if len(known) == len(values) else UNKNOWN
            keys.append(key if key == UNKNOWN or self.named is None or key in self.named else OTHER)
        return keys

    def _stratum(self, key: str) -> Stratum:
        found = self.strata.get(key)
        if found is None:
            if len(self.strata) >= MAX_STRATA:
                raise RunError(f"{self.target.name}: over {MAX_STRATA:,} strata; name those wanted, or cross fewer")
            seeds: Best[Seed] | None = Best(self._seeds) if self._seeds and key != OTHER else None
            found = self.strata[key] = Stratum(seeds=seeds)
        return found

    def _offer(self, best: Best[Seed], documents: Documents, rows: Sequence[int], lengths: tuple[int, int]) -> None:
        for row in rows:
            words = int(documents.amounts[row, 1])
            if not documents.may_be_parent[row] or not lengths[0] <= words <= lengths[1]:
                continue
            doc_id = documents.doc_ids[row]
            key = xxhash.xxh3_64_intdigest(f"{self._seed}\0{doc_id}".encode())
            one = Seed(
                key, doc_id, int(documents.hosts[row]), documents.values["language"][row] or "und", words,
                documents.file, documents.group, int(documents.rows[row]),
            )  # fmt: skip
            best.offer((key, doc_id), lambda one=one: one)  # type: ignore[misc]


class Survey:
    """All tallies of a corpus, with what is known of it in general."""

    def __init__(self, tallies: Sequence[Tally], parent_words: tuple[int, int]) -> None:
        self.tallies = list(tallies)
        self.amounts = np.zeros(len(AMOUNTS), np.int64)
        self.known: Counter[Dimension] = Counter()
        self.left_out: Counter[str] = Counter()
        self.terms: dict[tuple[str, str], Int] = {}  # by language and topic: int64[kinds, 2]
        self._parent_words = parent_words

    def add(self, documents: Documents) -> None:
        """Count the documents of a batch."""
        if not len(documents):
            return
        hosts, place = np.unique(documents.hosts, return_inverse=True)
        weights = host_weights(hosts)[place]
        self.amounts += documents.amounts.sum(axis=0)
        for name, values in documents.values.items():
            self.known[name] += sum(value is not None for value in values)
        for row in np.flatnonzero(documents.terms.any(axis=(1, 2))).tolist():
            key = (documents.values["language"][row] or "und", documents.values["topic"][row] or UNKNOWN)
            if key not in self.terms:
                self.terms[key] = np.zeros((len(GENDER_KINDS), 2), np.int64)
            self.terms[key] += documents.terms[row]
        for tally in self.tallies:
            tally.add(documents, weights, self._parent_words)
