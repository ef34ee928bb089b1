"""Policy over stored evidence: the reasons of a staged shard, then the verdict on every document. No Beam.

Decisions are left as a small Arrow file beside the staged shard, so that only references travel between workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from detectors.quality.profiles import Profile, evaluate, profile
from pipeline.annotate import ShardReport
from pipeline.arrow_lists import column
from pipeline.index import TAKEN_DOWN_REASON
from pipeline.keys import keys_path, read_arrow, write_arrow
from pipeline.large_clusters import FlaggedCluster
from pipeline.match import OTHER_CAPTURE, OTHER_COPY, ROW, roles_path, starts_of
from pipeline.verify_pairs import MEANING
from schemas.config import CurateConfig, Policy

# Rough size of the columns of a row beside its text, for the planning of files. Bytes.
ROW_OVERHEAD = {"data": 1500, "dropped": 200, "failures": 200, "index": 1300}
PAIR_BYTES = 100

VERDICTS = pa.schema(
    [
        ("reference", pa.uint64()),
        ("canonical", pa.string()),  # doc_id of the page that stands for the cluster
        ("canonical_run", pa.string()),  # earlier run that published it; null for this one
        ("is_canonical", pa.bool_()),
        ("size", pa.int32()),
        ("kind", pa.string()),  # url_duplicate, exact_duplicate, near_duplicate, taken_down
    ]
)
DECISIONS = pa.schema(
    [
        ("reason", pa.string()),
        ("duplicate_of", pa.string()),
        ("duplicate_run", pa.string()),
        ("matched", pa.string()),
        ("matched_run", pa.string()),
        ("similarity", pa.float32()),
        ("cluster_id", pa.string()),
        ("cluster_size", pa.int32()),
        ("split", pa.string()),
        ("mix_weight", pa.float32()),
        ("group", pa.string()),  # folder and file prefix of the row
    ]
)


# Verified pairs, as the index publishes them: once a pair, with a page of this run first.
PAIRS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("matched", pa.string(), nullable=False),
        pa.field("matched_run", pa.string()),
        pa.field("similarity", pa.float32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # text: Jaccard of shingles; meaning: cosine of embeddings
    ]
)
KINDS = pa.array(["text", "meaning"])
POLICY_COLUMNS = ("language", "language_score", "quality", "rights", "words")


def decisions_path(folder: str | Path, name: str) -> Path:
    """Where the decisions on a shard are."""
    return Path(folder) / f"{name}.decisions.arrow"


def pairs_path(folder: str | Path, name: str) -> Path:
    """Where the verified pairs of a shard are."""
    return Path(folder) / f"{name}.pairs.arrow"


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


# Upsampling by cluster size, from the size on: FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920), "rehydration". What
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
    flagged: list[dict[str, Any]]  # clusters over the limit, as the report lists them


def best_matches(matches: pa.Table) -> dict[int, tuple[str, int, float, int]]:
    """By row of a shard, the most similar page that is preferred to it: doc_id, reference, similarity, kind.

    Where none is preferred, of the others. `matches` are MATCHES.
    """
    order = ["is_preferred", "kind", "similarity", "right_id"]
    directions = [(name, "descending" if name in ("is_preferred", "similarity") else "ascending") for name in order]
    matches = matches.set_column(6, "is_preferred", matches.column("is_preferred").cast(pa.int8()))
    table = matches.sort_by([("left", "ascending"), *directions])
    best = table.filter(pa.array(starts_of(column(table, "left"))))
    rows = (column(best, "left") & ROW).tolist()
    names = ("right_id", "right", "similarity", "kind")
    return dict(zip(rows, zip(*(best.column(name).to_pylist() for name in names), strict=True), strict=True))


def published_pairs(matches: pa.Table, doc_ids: pa.ChunkedArray, roles: pa.Table, runs: Mapping[int, str]) -> pa.Table:
    """PAIRS of a shard: each copy with the page that stands for its text, and verified pairs.

    Of those, the pairs with earlier runs, and of the others those whose doc_id is the smaller.
    """
    is_copy = pa.array(np.asarray(roles.column("role").combine_chunks()) == OTHER_COPY)
    copies = pa.table([doc_ids, roles.column("winner_id"), roles.column("winner")], names=["a", "b", "winner"])
    copies = copies.filter(is_copy)
    winner_runs = [runs.get(int(shard)) for shard in column(copies, "winner") >> np.uint64(32)]
    ones = pa.array(np.ones(copies.num_rows, np.float32))
    texts = pa.array(["text"] * copies.num_rows, pa.string())
    columns = [copies.column("a"), copies.column("b"), pa.array(winner_runs, pa.string()), ones, texts]
    equal = pa.table(columns, schema=PAIRS)
    right = column(matches, "right")
    run = [runs.get(int(shard)) for shard in right >> np.uint64(32)]
    one, other = matches.column("left_id"), matches.column("right_id")
    first = np.asarray(pc.less(one, other), dtype=bool)
    first |= np.asarray(pc.equal(one, other), dtype=bool) & (column(matches, "left") < right)
    mine = pa.array(first | np.array([name is not None for name in run], bool))
    columns = [matches.column("left_id"), matches.column("right_id"), pa.array(run, pa.string())]
    columns += [matches.column("similarity"), KINDS.take(matches.column("kind"))]
    return pa.concat_tables([equal, pa.table(columns, schema=PAIRS).filter(mine)])


def describe_flagged(cluster: FlaggedCluster, keys: pa.Table) -> dict[str, Any]:
    """A cluster over the limit, named by one of its pages instead of a reference."""
    values = cluster._asdict()
    del values["component"]
    return {"doc_id": keys.column("doc_id")[cluster.component & 0xFFFFFFFF].as_py(), **values}


def decide_shard(
    folder: str,
    report: ShardReport,
    verdicts: pa.Table,
    matches: pa.Table,
    flagged: Sequence[FlaggedCluster],
    runs: Mapping[int, str],
    config: CurateConfig,
) -> ShardDecision:
    """Join the verdicts of deduplication to a shard's own reasons, and leave the decisions beside it.

    `verdicts` has columns VERDICTS, at most one row per document of the shard; `matches` are the MATCHES with a page of
    the shard as left; `flagged` are large clusters whose smallest reference is here; `runs` are the earlier runs by
    shard number.
    """
    keys = read_arrow(keys_path(folder, report.name))
    roles = read_arrow(roles_path(folder, report.name))
    found = {row["reference"] & 0xFFFFFFFF: row for row in verdicts.to_pylist()}
    best = best_matches(matches)
    policy, rehydration = config.policy, config.policy.duplicates.rehydration
    rows: dict[str, list[Any]] = {name: [] for name in DECISIONS.names}
    kept: Counter[str] = Counter()
    dropped: dict[str, Counter[str]] = {}
    group_bytes: Counter[str] = Counter()
    clusters: Counter[str] = Counter()
    taken_down: list[str] = []
    columns = [keys.column(name).to_pylist() for name in ("doc_id", "source_file", "reason", "label", "row_bytes")]
    columns += [roles.column(name).to_pylist() for name in roles.schema.names]
    for row, (doc_id, source, reason, label, size, role, winner, winner_id) in enumerate(zip(*columns, strict=True)):
        verdict = found.get(row)
        duplicate_of = duplicate_run = matched = matched_run = similarity = None
        cluster_id = verdict["canonical"] if verdict else doc_id
        cluster_size = verdict["size"] if verdict else 1
        if verdict and verdict["kind"] == TAKEN_DOWN_REASON:  # what it is a copy of is nowhere any more
            reason, cluster_id, cluster_size = TAKEN_DOWN_REASON, doc_id, 1
            taken_down.append(doc_id)
        elif verdict and not verdict["is_canonical"]:
            reason, duplicate_of, duplicate_run = verdict["kind"], verdict["canonical"], verdict["canonical_run"]
            if role in (OTHER_CAPTURE, OTHER_COPY):
                matched, matched_run = winner_id, runs.get(winner >> 32)
                similarity = 1.0 if role == OTHER_COPY else None
            elif row in best:
                matched, reference, similarity, kind = best[row]
                matched_run = runs.get(reference >> 32)
                reason = "semantic_duplicate" if kind == MEANING else reason
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
            (
                *(reason, duplicate_of, duplicate_run, matched, matched_run, similarity, cluster_id, cluster_size),
                *(split, mix_weight(cluster_size, rehydration), group),
            ),
            strict=True,
        ):
            rows[name].append(value)
    group_bytes["dropped/part"] += ROW_OVERHEAD["dropped"] * report.account.dropped.total()
    group_bytes["failures/part"] += ROW_OVERHEAD["failures"] * (
        report.account.failed.total() + report.account.regions.total()
    )
    group_bytes["index/part"] += ROW_OVERHEAD["index"] * keys.num_rows
    pairs = published_pairs(matches, keys.column("doc_id"), roles, runs)
    down = pc.is_in(pairs.column("doc_id"), pa.array(taken_down, pa.string()))
    pairs = pairs.filter(pc.invert(pc.and_(down, pc.is_valid(pairs.column("matched_run")))))
    group_bytes["index/pairs"] += PAIR_BYTES * pairs.num_rows
    write_arrow(pairs_path(folder, report.name), pairs)
    write_arrow(decisions_path(folder, report.name), pa.table(rows, schema=DECISIONS))
    return ShardDecision(
        report.number,
        report.name,
        dict(kept),
        {source: dict(counts) for source, counts in dropped.items()},
        dict(group_bytes),
        dict(clusters),
        [describe_flagged(cluster, keys) for cluster in flagged],
    )
