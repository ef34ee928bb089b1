"""Policy over stored evidence: keys and reasons of a staged shard, then the verdict on every document. No Beam.

Both steps leave a small Arrow file beside the staged shard, so that only references travel between workers.
A document is named by its reference: shard number in the upper 32 bits, row in the lower. Shards are numbered in the
order of (source file, offset), so references order documents alike for every split size.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from detectors.features.minhash import SHAPES, band_keys, matrix
from detectors.features.url_key import url_key
from detectors.quality.profiles import Profile, evaluate, profile
from pipeline.annotate import ShardReport
from schemas.config import CurateConfig, DuplicatePolicy, Policy

U64 = npt.NDArray[np.uint64]
FIRST = np.uint64(1) << np.uint64(63)
# Rough size of the columns of a row beside its text, for the planning of files. Bytes.
ROW_OVERHEAD = {"data": 1500, "dropped": 200, "failures": 200, "index": 600}

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
        ("label", pa.string()),
        ("row_bytes", pa.int64()),
    ]
)
VERDICTS = pa.schema(
    [
        ("reference", pa.uint64()),
        ("canonical", pa.string()),  # doc_id of the page that stands for the cluster
        ("is_canonical", pa.bool_()),
        ("size", pa.int32()),
        ("kind", pa.string()),  # url_duplicate, exact_duplicate, near_duplicate
    ]
)
DECISIONS = pa.schema(
    [
        ("reason", pa.string()),
        ("duplicate_of", pa.string()),
        ("cluster_id", pa.string()),
        ("cluster_size", pa.int32()),
        ("split", pa.string()),
        ("mix_weight", pa.float32()),
        ("group", pa.string()),  # folder and file prefix of the row
    ]
)


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write an Arrow file under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(path)


def read_arrow(path: Path) -> pa.Table:
    """Read an Arrow file whole."""
    with pa.OSFile(str(path), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def keys_path(folder: str | Path, name: str) -> Path:
    """Where the keys of a shard are."""
    return Path(folder) / f"{name}.keys.arrow"


def decisions_path(folder: str | Path, name: str) -> Path:
    """Where the decisions on a shard are."""
    return Path(folder) / f"{name}.decisions.arrow"


def policy_reasons(table: pa.Table, config: CurateConfig) -> list[str | None]:
    """First rule of the policy that drops each row, in the order opt-out, label, language, words, quality."""
    policy = config.policy
    rows = table.num_rows
    reasons: list[str | None] = [None] * rows
    languages = [(label or "und").split("_")[0] for label in table.column("language").to_pylist()]

    def drop(mask: list[bool], reason: str) -> None:
        for row, hit in enumerate(mask):
            if hit and reasons[row] is None:
                reasons[row] = reason

    if policy.drop_opt_outs:
        unwanted = set(policy.drop_opt_outs)
        for row, rights in enumerate(table.column("rights").to_pylist()):
            # `noai` and `ccbot:noai` both state noai
            stated = {entry.rpartition(":")[2].strip() for entry in (rights or {}).get("opt_out") or []}
            if stated & unwanted:
                reasons[row] = "opt_out"
    for label in policy.drop_labels:
        drop([value == label for value in table.column("provenance_label").to_pylist()], f"provenance_{label}")
    scores = table.column("language_score").to_pylist()
    wanted = policy.languages
    if wanted.keep:
        kept = set(wanted.keep)
        drop([language not in kept for language in languages], "language")
    if wanted.minimum_score or wanted.minimum_scores:
        limits = wanted.minimum_scores
        drop(
            [
                (score or 0.0) < limits.get(language, wanted.minimum_score)
                for language, score in zip(languages, scores, strict=True)
            ],
            "language_score",
        )
    drop([(words or 0) < policy.minimum_words for words in table.column("words").to_pylist()], "no_text")
    columns = table.column("quality").combine_chunks()
    signals = {field.name: columns.field(field.name) for field in columns.type}
    verdicts = evaluate(quality_profile(config), signals, languages)
    return [reason or verdict for reason, verdict in zip(reasons, verdicts, strict=True)]


def quality_profile(config: CurateConfig) -> Profile:
    """The quality rules of a configuration.

    Raises:
        ValueError: a threshold names a rule that the profile does not have.
    """
    quality = config.quality
    return profile(quality.profile, quality.repetition, quality.thresholds, quality.language_thresholds)


def _times(table: pa.Table) -> npt.NDArray[np.int64]:
    """Capture times in seconds since the epoch; unknown is the far past, so that it is neither newest nor oldest."""
    seconds = pc.cast(table.column("fetched_at"), pa.int64())
    return np.asarray(pc.fill_null(pc.divide(seconds, 1_000_000), -1))


def _ranks(policy: DuplicatePolicy, table: pa.Table, keep: str, doc_hash: U64) -> U64:
    """Order of preference in the upper half, the document id's hash in the lower; smallest is kept."""
    ceiling = np.int64(2**32 - 1)
    if keep == "longest":
        value = ceiling - np.minimum(np.asarray(table.column("text_bytes")), ceiling)
    else:
        times = _times(table)
        known = np.clip(times, 0, ceiling - 1)
        value = np.where(times < 0, ceiling, ceiling - 1 - known if keep == "newest" else known)
    ranks: U64 = (value.astype(np.uint64) << np.uint64(32)) | (doc_hash & np.uint64(0xFFFFFFFF))
    return ranks


KEY_COLUMNS = (
    "doc_id", "source_file", "url", "fetched_at", "language", "language_score", "quality", "rights", "words",
    "content_hash", "minhash", "text_bytes",
)  # fmt: skip


def prepare_keys(folder: str, report: ShardReport, table: pa.Table, config: CurateConfig) -> None:
    """Evaluate the policy over a staged shard and leave its keys beside it.

    `table` has a row a document with KEY_COLUMNS and `provenance_label`.
    """
    rows = table.num_rows
    policy = config.policy.duplicates
    doc_ids = table.column("doc_id").to_pylist()
    doc_hash = np.array([int(doc_id[:16], 16) for doc_id in doc_ids], np.uint64)
    contents = table.column("content_hash").to_pylist()
    keys = pa.table(
        [
            pa.array((np.uint64(report.number) << np.uint64(32)) + np.arange(rows, dtype=np.uint64)),
            table.column("doc_id"),
            table.column("source_file"),
            pa.array(policy_reasons(table, config), pa.string()),
            pa.array(_ranks(policy, table, policy.keep, doc_hash)),
            pa.array(_ranks(policy, table, policy.keep_capture, doc_hash)),
            pa.array([url_key(url) for url in table.column("url").to_pylist()], pa.uint64()),
            pa.array([content and int.from_bytes(content[:8], "little") for content in contents], pa.uint64()),
            _bands(table, policy),
            table.column("provenance_label"),
            table.column("text_bytes"),
        ],
        schema=KEYS,
    )
    write_arrow(keys_path(folder, report.name), keys)


def _bands(table: pa.Table, policy: DuplicatePolicy) -> pa.Array:
    signatures = table.column("minhash").to_pylist()
    known = [row for row, signature in enumerate(signatures) if signature is not None]
    bands: list[Any] = [None] * table.num_rows
    if known:
        shape = SHAPES[policy.shape]
        found = band_keys(matrix([signatures[row] for row in known], shape), shape)
        for row, values in zip(known, found, strict=True):
            bands[row] = values
    return pa.array(bands, pa.list_(pa.uint64()))


# Upsampling by cluster size, from the size on: FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920), its "rehydration". What
# is copied a thousand times and more is boilerplate and spam.
REHYDRATION: dict[str, tuple[tuple[int, float], ...]] = {
    "none": ((1, 1.0),),
    "fineweb2": ((1000, 1.0), (100, 8.0), (5, 5.0), (3, 3.0), (2, 2.0), (1, 1.0)),
}


def mix_weight(cluster_size: int, rehydration: str) -> float:
    """How often a page counts in a mix, by the pages of its cluster."""
    return next(weight for size, weight in REHYDRATION[rehydration] if cluster_size >= size)


def split_of(cluster_id: str, policy: Policy) -> str:
    """train, validation or test by hash of the cluster, so that near duplicates never straddle them."""
    point = xxhash.xxh3_64_intdigest(f"{policy.split_seed}\x00{cluster_id}".encode()) / 2**64
    if point < policy.test_share:
        return "test"
    return "validation" if point < policy.test_share + policy.validation_share else "train"


@dataclass(frozen=True, slots=True)
class ShardDecision:
    """Sums of the decisions on a shard: kept and dropped by source file, bytes by group of files."""

    number: int
    name: str
    kept: dict[str, int]
    dropped: dict[str, dict[str, int]]
    group_bytes: dict[str, int]
    clusters: dict[str, int]  # histogram of cluster sizes of kept pages, by power of two


def decide_shard(folder: str, report: ShardReport, verdicts: pa.Table, config: CurateConfig) -> ShardDecision:
    """Join the verdicts of deduplication to a shard's own reasons, and leave the decisions beside it.

    `verdicts` has columns VERDICTS, at most one row per document of the shard.
    """
    keys = read_arrow(keys_path(folder, report.name))
    found = {row["reference"] & 0xFFFFFFFF: row for row in verdicts.to_pylist()}
    policy, rehydration = config.policy, config.policy.duplicates.rehydration
    rows: dict[str, list[Any]] = {name: [] for name in DECISIONS.names}
    kept: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = {}
    group_bytes: Counter[str] = Counter()
    clusters: Counter[str] = Counter()
    columns = [keys.column(name).to_pylist() for name in ("doc_id", "source_file", "reason", "label", "row_bytes")]
    for row, (doc_id, source, reason, label, size) in enumerate(zip(*columns, strict=True)):
        verdict = found.get(row)
        duplicate_of = None
        cluster_id = verdict["canonical"] if verdict else doc_id
        cluster_size = verdict["size"] if verdict else 1
        if verdict and not verdict["is_canonical"]:
            reason, duplicate_of = verdict["kind"], verdict["canonical"]
        if reason is None:
            split = split_of(cluster_id, policy)
            group = f"data/{label}/{split}"
            kept[source] += 1
            clusters[str(1 << (cluster_size.bit_length() - 1))] += 1
            group_bytes[group] += size + ROW_OVERHEAD["data"]
        else:
            split, group = None, "dropped/part"
            dropped.setdefault(source, Counter())[reason] += 1
            group_bytes[group] += ROW_OVERHEAD["dropped"]
        for name, value in zip(
            DECISIONS.names,
            (reason, duplicate_of, cluster_id, cluster_size, split, mix_weight(cluster_size, rehydration), group),
            strict=True,
        ):
            rows[name].append(value)
    group_bytes["dropped/part"] += ROW_OVERHEAD["dropped"] * report.account.dropped.total()
    group_bytes["failures/part"] += ROW_OVERHEAD["failures"] * (
        report.account.failed.total() + report.account.regions.total()
    )
    group_bytes["index/part"] += ROW_OVERHEAD["index"] * keys.num_rows
    write_arrow(decisions_path(folder, report.name), pa.table(rows, schema=DECISIONS))
    return ShardDecision(
        report.number,
        report.name,
        dict(kept),
        {source: dict(counts) for source, counts in dropped.items()},
        dict(group_bytes),
        dict(clusters),
    )
