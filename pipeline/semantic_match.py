"""Pages of near meaning from their vectors: k-means, then cosines within a cluster. Pure functions; no Beam.

After SemDeDup (Abbas et al. 2023, arXiv 2303.09540): vectors are clustered by cosine and only pages of one cluster are
compared. Vectors and centroids are int8, so that every dot product is an integer below 2**24, which float32 holds
exactly: centroids, clusters and pairs are the same however rows are ordered, split or blocked, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

U64 = npt.NDArray[np.uint64]
I8 = npt.NDArray[np.int8]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

DIMENSIONS = 512
VECTOR = pa.binary(DIMENSIONS)  # int8
_PAGE = [
    ("reference", pa.uint64()),
    ("hash", pa.uint64()),  # of the document id
    ("characters", pa.uint32()),
    ("vector", VECTOR),
]
VECTORS = pa.schema([("language", pa.string()), *_PAGE])
CLUSTERED = pa.schema([("cluster", pa.uint64()), *_PAGE])
SEMANTIC_EDGES = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("similarity", pa.float32())])

LARGEST = 127
# Of a language. Larger languages get larger clusters, which are then split where they are matched, so that neither
# fitting nor the look-up of a page grows with its square.
MOST_CENTROIDS = 4096
SAMPLED = 64  # pages a centroid that it is fitted on; faiss asks for 39 to 256
ROUNDS = 10
# A cluster beyond so many times `cluster_texts` is split by a second k-means.
OVERSIZE = 8
MOST_PARTS = 256
MOST_SPLITS = 3  # k-means within k-means; what is then still too large is compared along a line
STUCK = 0.9  # share of a cluster in one part at which splitting leads nowhere
BLOCK, COLUMNS = 1024, 8192  # rows compared at a time
# Edges of a page to the most similar pages before it: a template with thousands of pages stays linear.
MOST_EDGES = 64
# Only beginnings are embedded: a page and the page that it begins are no duplicates.
LONGER = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How the pages of a language are clustered: into how many, fitted on pages whose hash is below `sample_below`."""

    clusters: int
    sample_below: int


def plan_clusters(texts: int, cluster_texts: int) -> Plan:
    """Clusters for so many texts of a language; one needs no sample."""
    clusters = min(MOST_CENTROIDS, -(-texts // cluster_texts))
    if clusters <= 1:
        return Plan(1, 0)
    return Plan(clusters, min(2**64 - 1, SAMPLED * clusters * 2**64 // texts))


def page_hash(doc_id: str) -> int:
    """What the sample is chosen by: nothing but the document id."""
    return xxhash.xxh3_64_intdigest(doc_id.encode())


def quantise(vectors: npt.NDArray[np.floating]) -> I8:
    """Rows as int8, each with its largest component at +-127. Cosines move by less than 0.001."""
    highest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-30)
    scaled: I8 = np.rint(vectors * (LARGEST / highest)).astype(np.int8)
    return scaled


def matrix(table: pa.Table) -> I8:
    """The column `vector` of a table: rows x DIMENSIONS."""
    column = table.column("vector").combine_chunks()
    data = column.buffers()[1]
    if data is None or not len(column):
        return np.zeros((0, DIMENSIONS), np.int8)
    return np.frombuffer(data, np.int8).reshape(-1, DIMENSIONS)[column.offset : column.offset + len(column)]


def packed_vectors(vectors: I8) -> pa.Array:
    """Inverse of `matrix`."""
    return pa.FixedSizeBinaryArray.from_buffers(VECTOR, len(vectors), [None, pa.py_buffer(vectors.tobytes())])


def _squares(vectors: I8) -> I64:
    squares: I64 = np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64)
    return squares


def nearest(vectors: I8, centroids: I8) -> npt.NDArray[np.int64]:
    """The centroid of largest cosine for each row; of equal ones the first."""
    found = np.zeros(len(vectors), np.int64)
    if len(centroids) > 1:
        columns = np.ascontiguousarray(centroids.T, dtype=np.float32)
        lengths = np.sqrt(np.maximum(_squares(centroids), 1).astype(np.float64))
        for begin in range(0, len(vectors), BLOCK):
            dots = vectors[begin : begin + BLOCK].astype(np.float32) @ columns
            found[begin : begin + BLOCK] = np.argmax(dots / lengths, axis=1)
    return found


def fit_centroids(table: pa.Table, clusters: int) -> I8:
    """Spherical k-means of the sample in columns `hash`, `reference`, `vector`, in any order: at most `clusters` rows.

    Begins with the vectors of smallest hash. Sums are of integers, so that nothing depends on their order.
    """
    order = np.lexsort((np.asarray(table.column("reference")), np.asarray(table.column("hash"))))
    vectors = matrix(table)[order]
    centroids = vectors[:clusters]
    for _ in range(ROUNDS):
        assigned = nearest(vectors, centroids)
        by_cluster = np.argsort(assigned, kind="stable")
        starts = np.flatnonzero(np.diff(assigned[by_cluster], prepend=-1))
        if not len(starts):
            break
        sums = np.add.reduceat(vectors[by_cluster], starts, axis=0, dtype=np.int64)  # clusters that are empty go
        moved = quantise(sums.astype(np.float64))
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def assign_clusters(table: pa.Table, centroids: Mapping[str, bytes]) -> pa.Table:
    """CLUSTERED of VECTORS. A cluster is of one language: texts in different languages are never compared."""
    languages = table.column("language").combine_chunks().dictionary_encode()
    codes = np.asarray(languages.indices)
    vectors, clusters = matrix(table), np.zeros(table.num_rows, np.uint64)
    for code, language in enumerate(languages.dictionary.to_pylist()):
        rows = codes == code
        of_language = np.frombuffer(centroids.get(language, b""), np.int8).reshape(-1, DIMENSIONS)
        first = np.uint64(int.from_bytes(language.encode()[:4].ljust(4, b"\0"), "big") << 32)
        clusters[rows] = nearest(vectors[rows], of_language).astype(np.uint64) | first
    return pa.table([pa.array(clusters), *(table.column(name) for name in CLUSTERED.names[1:])], schema=CLUSTERED)


def match_clusters(table: pa.Table, similarity: float, cluster_texts: int) -> pa.Table:
    """SEMANTIC_EDGES within the clusters of CLUSTERED, in any order of rows."""
    table = table.sort_by([("cluster", "ascending"), ("reference", "ascending")])
    clusters = np.asarray(table.column("cluster"))
    starts = np.append(np.flatnonzero(np.append(True, clusters[1:] != clusters[:-1])), len(clusters))
    found = [SEMANTIC_EDGES.empty_table()]
    for begin, end in pairwise(starts):
        found += _match_part(table.slice(begin, end - begin), similarity, cluster_texts, 0)
    return pa.concat_tables(found)


def _match_part(table: pa.Table, similarity: float, cluster_texts: int, depth: int) -> Iterator[pa.Table]:
    """Edges of a cluster whose rows are in the order of references."""
    rows, limit = table.num_rows, OVERSIZE * cluster_texts
    if rows <= limit:
        yield similar_pairs(table, similarity, rows)
        return
    vectors = matrix(table)
    if depth < MOST_SPLITS:
        parts = min(MOST_PARTS, -(-rows // cluster_texts))
        hashes = np.asarray(table.column("hash"))
        sample = table.take(pa.array(np.argsort(hashes, kind="stable")[: SAMPLED * parts]))
        assigned = nearest(vectors, fit_centroids(sample, parts))
        if np.bincount(assigned).max() <= STUCK * rows:
            inside = [np.flatnonzero(assigned == part) for part in np.unique(assigned)]
            for part in inside:
                yield from _match_part(table.take(pa.array(part)), similarity, cluster_texts, depth + 1)
            # One template may have been split into many parts: the page in the middle of each ties them together.
            middle = np.sort([part[np.argmax(_cosines_to_mean(vectors[part]))] for part in inside])
            yield similar_pairs(table.take(pa.array(middle)), similarity, len(middle))
            return
    # All are alike: along the line of their cosine to the mean, each page meets those just before it.
    order = np.argsort(_cosines_to_mean(vectors), kind="stable")
    yield similar_pairs(table.take(pa.array(order)), similarity, limit)


def _cosines_to_mean(vectors: I8) -> F64:
    mean = quantise(vectors.sum(axis=0, dtype=np.int64)[None].astype(np.float64))[0]
    dots = (vectors.astype(np.float32) @ mean.astype(np.float32)).astype(np.float64)
    cosines: F64 = dots / np.sqrt(np.maximum(_squares(vectors), 1))  # times the length of the mean
    return cosines


def similar_pairs(table: pa.Table, similarity: float, reach: int) -> pa.Table:
    """SEMANTIC_EDGES of each row of CLUSTERED with the `reach` rows before it; the MOST_EDGES most similar of a page.

    Pages of which one is more than LONGER times as long as the other are no pair. Memory is bounded by BLOCK x COLUMNS
    cosines.
    """
    references, vectors = np.asarray(table.column("reference")), matrix(table)
    sizes = np.asarray(table.column("characters")).astype(np.int64)
    squares = _squares(vectors).astype(np.float64)
    lengths = np.sqrt(squares).astype(np.float32)
    later, earlier, cosines = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float64)]
    for begin in range(0, len(vectors), BLOCK):
        end = min(begin + BLOCK, len(vectors))
        rows = vectors[begin:end].astype(np.float32)
        best = later[0], earlier[0], cosines[0]
        for low in range(max(0, begin - reach), end, COLUMNS):
            high = min(low + COLUMNS, end)
            dots = rows @ vectors[low:high].astype(np.float32).T
            # float32 is enough to leave out what is clearly below; what remains is compared exactly
            least = (lengths[begin:end] * np.float32(similarity * (1 - 1e-5)))[:, None] * lengths[low:high]
            i, j = np.nonzero(dots >= least)
            exact = dots[i, j].astype(np.float64)
            i, j = i + begin, j + low
            cosine = exact / np.sqrt(np.maximum(squares[i] * squares[j], 1.0))
            kept = (j < i) & (i - j <= reach) & (cosine >= similarity)
            kept &= np.maximum(sizes[i], sizes[j]) <= LONGER * np.minimum(sizes[i], sizes[j])
            found = i[kept], j[kept], cosine[kept]
            i, j, cosine = (np.concatenate(both) for both in zip(best, found, strict=True))
            best = _strongest(i, j, cosine, references)
        later.append(best[0])
        earlier.append(best[1])
        cosines.append(best[2])
    a, b = references[np.concatenate(earlier)], references[np.concatenate(later)]
    columns = [np.minimum(a, b), np.maximum(a, b), np.concatenate(cosines).astype(np.float32)]
    return pa.table([pa.array(c) for c in columns], schema=SEMANTIC_EDGES)


def _strongest(i: I64, j: I64, cosine: F64, references: U64) -> tuple[I64, I64, F64]:
    """The MOST_EDGES pairs of largest cosine for each `i`; of equal ones those of smallest reference."""
    order = np.lexsort((references[j], -cosine, i))
    i, j, cosine = i[order], j[order], cosine[order]
    kept = np.arange(len(i)) - np.searchsorted(i, i) < MOST_EDGES
    return i[kept], j[kept], cosine[kept]
