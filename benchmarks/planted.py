"""Keys of generated documents in planted clusters, without any text: inputs of `benchmarks/duplicates_scale.py`.

What a document holds is a function of its text, and a text is a number: (base, variant). Variants of a base share 44
of their 50 to 60 shingles and more, which is a similarity of 0.78 at least, and seven in ten of their bands, the first
among them. Different bases share nothing, but for two in a hundred texts, which meet 500 unlike others under one band.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.keys import KEYS, keys_path, write_arrow

U64 = npt.NDArray[np.uint64]

BANDS = 14
FEWEST, MOST = 50, 60  # shingles of a text; the sketch holds all of them, so that similarity is exact
EDITS = 3  # shingles that a variant replaces at most
KEPT_BANDS = 7  # of ten
FALSE_SHARE, FALSE_PAGES = 0.02, 500  # texts that share a band with unlike ones, and how many do
EXPONENT, LARGEST = 2.5, 10_000  # sizes of clusters: a power law
SINGLE, COPIES, NEAR, MIXED, CAPTURES = range(5)  # kinds of clusters; in a mixed one each text stands twice
SHARES = {COPIES: 0.20, NEAR: 0.20, MIXED: 0.05, CAPTURES: 0.02}  # of documents; the rest is alone
LARGE = (COPIES, NEAR, MIXED)  # one cluster of each kind holds a hundredth of the documents


@dataclass(frozen=True, slots=True)
class Planted:
    """Which cluster each document belongs to, and as which of its members. Arrays by document."""

    cluster: npt.NDArray[np.int32]
    member: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int8]  # by cluster
    sizes: npt.NDArray[np.int64]  # by cluster
    shards: int

    @property
    def documents(self) -> int:
        """Number of documents."""
        return len(self.cluster)

    @property
    def rows(self) -> int:
        """Documents of a shard; the last may have fewer."""
        return -(-self.documents // self.shards)

    def variant(self, documents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Which text of its cluster each document is."""
        kind, member = self.kinds[self.cluster[documents]], self.member[documents].astype(np.int64)
        return np.where(kind == COPIES, 0, np.where(kind == MIXED, member // 2, member))


def mix(value: U64) -> U64:
    """splitmix64: a hash of 64 bits."""
    value = (value + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def plant(documents: int, shards: int, seed: int = 1) -> Planted:
    """Clusters of `documents` documents, in random order over `shards` shards."""
    random = np.random.default_rng(seed)
    large = documents // 100
    kinds, sizes = [np.array(LARGE, np.int8)], [np.full(len(LARGE), large, np.int64)]
    weights = np.arange(2, LARGEST + 1, dtype=np.float64) ** -EXPONENT
    for kind, share in SHARES.items():
        drawn = random.choice(np.arange(2, LARGEST + 1), int(share * documents / 2) + 1, p=weights / weights.sum())
        drawn = drawn[np.cumsum(drawn) <= share * documents]
        kinds.append(np.full(len(drawn), kind, np.int8))
        sizes.append(drawn)
    left = documents - int(sum(part.sum() for part in sizes))
    kind_of = np.concatenate([*kinds, np.full(left, SINGLE, np.int8)])
    size_of = np.concatenate([*sizes, np.ones(left, np.int64)])
    cluster = np.repeat(np.arange(len(size_of), dtype=np.int32), size_of)
    begins = np.cumsum(size_of) - size_of
    member = (np.arange(documents) - begins[cluster]).astype(np.int32)
    order = random.permutation(documents)
    return Planted(cluster[order], member[order], kind_of, size_of, shards)


def ranks_of(documents: npt.NDArray[np.int64]) -> U64:
    """Rank of each document."""
    return mix(documents.astype(np.uint64) + np.uint64(1 << 41))


def represents(planted: Planted) -> npt.NDArray[np.bool_]:
    """Whether each document is the preferred one of its text; captures of an address have a text each."""
    documents = np.arange(planted.documents, dtype=np.int64)
    text = (planted.cluster.astype(np.uint64) << np.uint64(32)) | planted.variant(documents).astype(np.uint64)
    order = np.lexsort((ranks_of(documents), text))
    first = np.append(True, text[order][1:] != text[order][:-1])
    found = np.zeros(planted.documents, bool)
    found[order[first]] = True
    return found


def shingles_of(base: U64, variant: U64) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Sorted shingle hashes of texts (rows x MOST, the largest value beyond their number), and their number."""
    count = (FEWEST + mix(base) % np.uint64(MOST - FEWEST + 1)).astype(np.int64)
    places = np.arange(MOST, dtype=np.uint64)
    values = mix(base[:, None] * np.uint64(MOST) + places) >> np.uint64(32)
    edits = (variant % np.uint64(EDITS + 1)).astype(np.int64)
    text = mix(base ^ mix(variant))
    for number in range(EDITS):
        rows = np.flatnonzero(edits > number)
        chosen = mix(text[rows] + np.uint64(number))
        values[rows, (chosen % count[rows].astype(np.uint64)).astype(np.int64)] = mix(chosen) >> np.uint64(32)
    values[np.arange(MOST) >= count[:, None]] = 0xFFFFFFFF
    return np.sort(values.astype(np.uint32), axis=1), count


def bands_of(base: U64, variant: U64, texts: int) -> U64:
    """Band keys of texts (rows x BANDS)."""
    places = np.arange(BANDS, dtype=np.uint64)
    text = mix(base ^ mix(variant))
    shared = mix(mix(base)[:, None] + places)
    own = mix(mix(text)[:, None] + places + np.uint64(1 << 40))
    stays = (own % np.uint64(10) < KEPT_BANDS) | (places == 0) | (variant == 0)[:, None]
    keys: U64 = np.where(stays, shared, own)
    drawn = mix(text + np.uint64(2))
    is_false = drawn % np.uint64(10_000) < int(FALSE_SHARE * 10_000)
    groups = max(1, int(texts * FALSE_SHARE / FALSE_PAGES))
    keys[is_false, BANDS - 1] = mix(mix(drawn[is_false]) % np.uint64(groups) + np.uint64(1 << 50))
    return keys


def ids_of(documents: npt.NDArray[np.int64]) -> pa.Array:
    """Document ids: a hash of the number and the number, 32 hexadecimal digits."""
    numbers = np.stack([mix(documents.astype(np.uint64)), documents.astype(np.uint64)], axis=1).astype(">u8")
    data = numbers.tobytes().hex().encode()
    offsets = np.arange(0, 32 * len(documents) + 1, 32, dtype=np.int32)
    return pa.StringArray.from_buffers(len(documents), pa.py_buffer(offsets), pa.py_buffer(data))


def numbers_of(ids: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    """Inverse of `ids_of`."""
    text = "".join(ids.to_pylist())
    return np.frombuffer(bytes.fromhex(text), ">u8").reshape(-1, 2)[:, 1].astype(np.int64)


def keys_of(planted: Planted, shard: int) -> pa.Table:
    """KEYS of a shard."""
    documents = np.arange(shard * planted.rows, min((shard + 1) * planted.rows, planted.documents), dtype=np.int64)
    rows = len(documents)
    cluster = planted.cluster[documents].astype(np.uint64)
    kind, variant = planted.kinds[planted.cluster[documents]], planted.variant(documents).astype(np.uint64)
    is_alone = (kind == SINGLE) | (kind == CAPTURES)  # its text is like no other
    own = documents.astype(np.uint64) + np.uint64(1 << 41)
    base = mix(np.where(is_alone, own, cluster))
    variant[is_alone] = 0
    values, count = shingles_of(base, variant)
    offsets = np.concatenate([[0], np.cumsum(4 * count)]).astype(np.int32)
    sketch = values[np.arange(MOST) < count[:, None]].astype("<u4")
    bands = bands_of(base, variant, planted.documents)
    random = ranks_of(documents)
    columns: dict[str, pa.Array] = {
        "reference": pa.array((np.uint64(shard) << np.uint64(32)) + np.arange(rows, dtype=np.uint64)),
        "doc_id": ids_of(documents),
        "source_file": pa.nulls(rows, pa.string()),
        "reason": pa.nulls(rows, pa.string()),
        "rank": pa.array(random),
        "capture_rank": pa.array(random),
        "url_key": pa.array(mix(np.where(kind == CAPTURES, cluster, own) + np.uint64(1 << 60))),
        "content_key": pa.array(mix(base ^ mix(variant + np.uint64(1 << 42)))),
        "bands": pa.ListArray.from_arrays(np.arange(0, BANDS * rows + 1, BANDS, dtype=np.int32), bands.ravel()),
        "shingles": pa.array(count.astype(np.int32)),
        "sketch": pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(sketch)]),
        "label": pa.nulls(rows, pa.string()),
        "row_bytes": pa.array(np.full(rows, 3000, np.int64)),
    }
    return pa.table([columns[name] for name in KEYS.names], schema=KEYS)


def write_shards(planted: Planted, folder: Path) -> int:
    """Leave the keys of every shard in `folder`; returns their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for shard in range(planted.shards):
        path = keys_path(folder, str(shard))
        write_arrow(path, keys_of(planted, shard))
        size += path.stat().st_size
    return size
