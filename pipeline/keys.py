"""Keys of a staged shard, left beside it as a small Arrow file; only references travel between workers. No Beam.

A document is named by its reference: shard number in the upper 32 bits, row in the lower. Shards are numbered in the
order of (source file, offset), so references order documents alike for every split size.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.features.minhash import SHAPES, band_keys, matrix
from detectors.features.url_key import url_key
from pipeline.arrow_lists import U64
from schemas.config import DuplicatePolicy

KEYS = pa.schema(
    [
        ("reference", pa.uint64()),
        ("doc_id", pa.string()),
        ("source_file", pa.string()),
        ("reason", pa.string()),  # policy rule that drops the page; null for those that take part in deduplication
        ("rank", pa.uint64()),  # smallest stands for its cluster
        ("capture_rank", pa.uint64()),  # smallest stands for its address
        ("url_key", pa.uint64()),
        ("content_key", pa.uint64()),
        ("bands", pa.list_(pa.uint64())),
        ("shingles", pa.int32()),
        ("sketch", pa.binary()),
        ("label", pa.string()),
        ("row_bytes", pa.int64()),
    ]
)

# What the keys are made of, of a staged document.
KEY_COLUMNS = (
    "doc_id", "source_file", "url", "fetched_at", "content_hash", "minhash", "shingles", "sketch", "text_bytes",
)  # fmt: skip


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write an Arrow file under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(path)


def read_arrow(path: Path) -> pa.Table:
    """An Arrow file, memory-mapped: what is not looked at is not read."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def keys_path(folder: str | Path, name: str) -> Path:
    """Where the keys of a shard are."""
    return Path(folder) / f"{name}.keys.arrow"


def document_hashes(doc_ids: pa.ChunkedArray) -> U64:
    """The first 64 bits of each document id."""
    return np.array([int(doc_id[:16], 16) for doc_id in doc_ids.to_pylist()], np.uint64)


def content_key(hashes: pa.ChunkedArray) -> pa.Array:
    """The first 64 bits of each content hash; null where there is none."""
    return pa.array([value and int.from_bytes(value[:8], "little") for value in hashes.to_pylist()], pa.uint64())


# A rank has 43 bits of preference (milliseconds of 278 years, or bytes) and 21 of the document's hash: pages of one
# millisecond are in an order that does not depend on that of the input.
HASH_BITS = np.uint64(21)
CEILING = np.int64((1 << 43) - 1)
EPOCH_MILLISECONDS = np.int64(-5_364_662_400_000)  # 1800-01-01


def _ranks(value: npt.NDArray[np.int64], hashes: U64) -> U64:
    """Order of preference in the upper bits, of the document id's hash in the lower; smallest is kept."""
    ranks: U64 = (value.astype(np.uint64) << HASH_BITS) | (hashes >> (np.uint64(64) - HASH_BITS))
    return ranks


def time_ranks(table: pa.Table, keep: str, hashes: U64) -> U64:
    """Ranks by capture time, `newest` or `oldest` first; an unknown time is neither, and comes last."""
    times = pc.cast(table.column("fetched_at"), pa.int64())
    unknown = np.asarray(times.is_null())
    milliseconds = np.asarray(pc.fill_null(times, 0)) // 1000 - EPOCH_MILLISECONDS
    known = np.clip(milliseconds, 0, CEILING - 1)
    return _ranks(np.where(unknown, CEILING, CEILING - 1 - known if keep == "newest" else known), hashes)


def ranks(policy: DuplicatePolicy, table: pa.Table, hashes: U64) -> U64:
    """Ranks by `policy.keep`; smallest stands for its cluster."""
    if policy.keep != "longest":
        return time_ranks(table, policy.keep, hashes)
    return _ranks(CEILING - np.minimum(np.asarray(table.column("text_bytes")), CEILING), hashes)


def make_keys(number: int, table: pa.Table, reasons: pa.Array, labels: pa.Array, policy: DuplicatePolicy) -> pa.Table:
    """KEYS of shard `number`.

    `table` has a row a document with KEY_COLUMNS; `reasons` and `labels` are what the policy and provenance say of it.
    """
    hashes = document_hashes(table.column("doc_id"))
    return pa.table(
        [
            pa.array((np.uint64(number) << np.uint64(32)) + np.arange(table.num_rows, dtype=np.uint64)),
            table.column("doc_id"),
            table.column("source_file"),
            reasons,
            pa.array(ranks(policy, table, hashes)),
            pa.array(time_ranks(table, policy.keep_capture, hashes)),
            pa.array([url_key(url) for url in table.column("url").to_pylist()], pa.uint64()),
            content_key(table.column("content_hash")),
            _bands(table, policy),
            table.column("shingles"),
            table.column("sketch"),
            labels,
            table.column("text_bytes"),
        ],
        schema=KEYS,
    ).combine_chunks()


def _bands(table: pa.Table, policy: DuplicatePolicy) -> pa.Array:
    signatures = table.column("minhash").to_pylist()
    known = np.array([signature is not None for signature in signatures], bool)
    if not known.any():
        return pa.nulls(table.num_rows, pa.list_(pa.uint64()))
    shape = SHAPES[policy.shape]
    found = band_keys(matrix([signature for signature in signatures if signature is not None], shape), shape)
    offsets = np.append(0, np.cumsum(known * shape.bands)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(found.ravel()), mask=pa.array(~known))
