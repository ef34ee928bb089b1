"""Which pages may be versions of one document in several languages: keys to pairs. Pure functions; no Beam.

A key with more documents than its cap says nothing and is dropped. Documents under a key are put on a ring by hash, and
each is paired with a few behind it, in another language: linear in the number of documents whatever the key, and with
many keys a group of versions is still joined many times over.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.language_codes import MACRO
from detectors.machine_translation.parallelism import KIND_MASK, KINDS, LINK, NAME, PAIR, PLACE, SHAPE, TOKEN, URL
from pipeline.annotate import ShardReport
from pipeline.keys import write_arrow

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

PREPARED = pa.schema(
    [
        ("reference", pa.uint64()),
        ("doc_id", pa.string()),
        ("language", pa.string()),  # ISO 639-3, members of a macro-language as one; UNSURE where the model is not sure
        ("fetched_at", pa.int64()),  # seconds since the epoch; null when unknown
        ("source", pa.uint8()),
        ("keys", pa.list_(pa.uint64())),
        ("sketch", pa.binary()),
        ("signature", pa.binary()),  # of near duplicates: the first 32 permutations
    ]
)
KEYED = pa.schema(
    [("key", pa.uint64()), ("reference", pa.uint64()), ("document", pa.uint32()), ("language", pa.uint32())]
)
PAIRS = pa.schema(
    [("left", pa.uint64()), ("right", pa.uint64()), ("kind", pa.uint8()), ("weight", pa.int32())]  # weight: millinats
)
CANDIDATES = pa.schema(
    [("left", pa.uint64()), ("right", pa.uint64()), *((name, pa.int32()) for name in KINDS)]  # millinats
)

# Language of a page of which the model is not sure: of languages that it does not know, mostly. Below this probability
# it is right on two pages of three in languages that it knows, and on one in thirty otherwise (the Universal
# Declaration of Human Rights in 271 languages). Such a page can be a version of any, and counts as no language.
UNSURE = "?"
SURE_SCORE = 0.5

SIGNATURE_BYTES = 4 * 32
# Documents under a key, by kind, from which on it is dropped, and how many a document is paired with. Single tokens are
# common, so that only rare ones count; the Universal Declaration of Human Rights has versions in 500 languages.
CAPS = {URL: 512, LINK: 512, PAIR: 512, TOKEN: 64, NAME: 64, PLACE: 512, SHAPE: 512}
DEGREES = {URL: 6, LINK: 6, PAIR: 6, TOKEN: 4, NAME: 4, PLACE: 6, SHAPE: 6}
# Evidence of keys, in millinats, from which on the sketches of two pages are compared.
ENOUGH = 4000


def parallel_path(folder: str | Path, name: str) -> Path:
    """Where the keys of parallelism of a shard are."""
    return Path(folder) / f"{name}.parallel.arrow"


def prepare_parallel_keys(folder: str, report: ShardReport) -> str:
    """Leave the keys, sketches and hints of a staged shard beside it; returns the shard's name."""
    columns = [
        "doc_id", "language", "language_score", "fetched_at", "minhash", "parallel_keys", "parallel_sketch",
        "parallel_source",
    ]  # fmt: skip
    table = pq.read_table(Path(folder) / f"{report.name}.documents.parquet", columns=columns, partitioning=None)
    seconds = pc.divide(pc.cast(table.column("fetched_at"), pa.int64()), 1_000_000)
    labels, scores = table.column("language").to_pylist(), table.column("language_score").to_pylist()
    languages = [comparable(label, score) for label, score in zip(labels, scores, strict=True)]
    signatures = [value and value[:SIGNATURE_BYTES] for value in table.column("minhash").to_pylist()]
    prepared = pa.table(
        [
            pa.array((np.uint64(report.number) << np.uint64(32)) + np.arange(table.num_rows, dtype=np.uint64)),
            table.column("doc_id"),
            pa.array(languages, pa.string()),
            seconds,
            table.column("parallel_source"),
            table.column("parallel_keys"),
            table.column("parallel_sketch"),
            pa.array(signatures, pa.binary()),
        ],
        schema=PREPARED,
    )
    write_arrow(parallel_path(folder, report.name), prepared)
    return report.name


def comparable(label: str | None, score: float | None) -> str:
    """Language of a label (`nob_Latn`) such that versions in one macro-language count once, or UNSURE."""
    code = (label or "und").partition("_")[0]
    return UNSURE if code == "und" or (score or 0.0) < SURE_SCORE else MACRO.get(code, code)


def language_numbers(codes: list[str], documents: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Letters of each language as a number; a number of its own, with the highest bit, for a page that is UNSURE."""
    numbers = np.array([int.from_bytes(code.encode()[:4].ljust(4, b"\0"), "big") for code in codes], np.uint32)
    unsure = np.array([code == UNSURE for code in codes], bool)
    return np.where(unsure, documents | np.uint32(1 << 31), numbers).astype(np.uint32)


def keyed_rows(prepared: pa.Table) -> pa.Table:
    """KEYED of a shard: a row per document and key; a key over its cap keeps just so many rows that this shows."""
    keys = prepared.column("keys").combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(keys), 0))
    flat = np.asarray(keys.flatten(), dtype=np.uint64)
    references = np.repeat(np.asarray(prepared.column("reference"), dtype=np.uint64), lengths)
    documents = np.array([int(doc_id[:8], 16) for doc_id in prepared.column("doc_id").to_pylist()], np.uint32)
    languages = language_numbers(prepared.column("language").to_pylist(), documents)
    order = np.lexsort((references, flat))
    flat = flat[order]
    rank = _rank(flat)
    kept = order[rank <= _caps(flat)]
    return pa.table(
        [
            pa.array(np.asarray(keys.flatten(), dtype=np.uint64)[kept]),
            pa.array(references[kept]),
            pa.array(np.repeat(documents, lengths)[kept]),
            pa.array(np.repeat(languages, lengths)[kept]),
        ],
        schema=KEYED,
    )


def _rank(ordered: U64) -> I64:
    """Number of each element among the equal ones of a sorted array, from 0."""
    first = np.append(True, ordered[1:] != ordered[:-1]) if len(ordered) else np.zeros(0, bool)
    starts = np.flatnonzero(first)
    return np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))


def _by_kind(keys: U64, values: dict[int, int]) -> I64:
    table = np.array([values.get(kind, 0) for kind in range(int(KIND_MASK) + 1)], np.int64)
    result: I64 = table[(keys & KIND_MASK).astype(np.int64)]
    return result


def _caps(keys: U64) -> I64:
    return _by_kind(keys, CAPS)


def match_pairs(keyed: pa.Table) -> pa.Table:
    """PAIRS of a bucket: documents in different languages under a key that is not too common."""
    key, reference = (np.asarray(keyed.column(name), dtype=np.uint64) for name in ("key", "reference"))
    document, language = (np.asarray(keyed.column(name), dtype=np.uint32) for name in ("document", "language"))
    spread = (document.astype(np.uint64) ^ (key >> np.uint64(3))) * np.uint64(0x9E3779B97F4A7C15)
    order = np.lexsort((reference, spread, key))
    key, reference, language = key[order], reference[order], language[order]
    if not len(key):
        return PAIRS.empty_table()
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    sizes = np.diff(np.append(starts, len(key)))
    begin, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    cap, degree = _caps(key), _by_kind(key, DEGREES)
    inside = (size > 1) & (size <= cap)
    found = []
    for ahead in range(1, max(DEGREES.values()) + 1):
        here = np.flatnonzero(inside & (ahead <= degree) & (2 * ahead <= size))
        there = begin[here] + (here - begin[here] + ahead) % size[here]
        # on a ring of 2n, n steps ahead are n steps back
        fresh = (language[here] != language[there]) & ~((2 * ahead == size[here]) & (here > there))
        found.append((here[fresh], there[fresh]))
    here, there = (np.concatenate(side) for side in zip(*found, strict=True))
    weight = np.round(1000 * np.log(2 * cap[here] / size[here])).astype(np.int32)
    kind = (key[here] & KIND_MASK).astype(np.uint8)
    left, right = np.minimum(reference[here], reference[there]), np.maximum(reference[here], reference[there])
    return pa.table([left, right, kind, weight], schema=PAIRS)


def gather_candidates(pairs: pa.Table, enough: int = ENOUGH) -> pa.Table:
    """CANDIDATES: evidence by kind of each pair that has an address in common, or enough besides."""
    left, right = (np.asarray(pairs.column(name), dtype=np.uint64) for name in ("left", "right"))
    kind, weight = np.asarray(pairs.column("kind")), np.asarray(pairs.column("weight"), dtype=np.int64)
    order = np.lexsort((right, left))
    left, right, kind, weight = left[order], right[order], kind[order], weight[order]
    first = np.append(True, (left[1:] != left[:-1]) | (right[1:] != right[:-1])) if len(left) else np.zeros(0, bool)
    number = np.cumsum(first) - 1
    sums = np.zeros((int(first.sum()), len(KINDS)), np.int64)
    np.add.at(sums, (number, kind), weight)
    chosen = (sums[:, URL] > 0) | (sums[:, LINK] > 0) | (sums.sum(axis=1) >= enough)
    columns = [left[first][chosen], right[first][chosen], *sums[chosen].astype(np.int32).T]
    return pa.table([pa.array(np.ascontiguousarray(values)) for values in columns], schema=CANDIDATES)
