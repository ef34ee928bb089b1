"""`headwater duplicates`: verified pairs and clusters of any text collection, without the rest of a run.

splits ─ keys of each (in the host's children) ─ FindDuplicates ─ rows of each ─ pairs.parquet, clusters.parquet
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from apache_beam.options.pipeline_options import PipelineOptions

from detectors.api import run_detectors
from pipeline.annotate import annotator_for
from pipeline.curate import BUCKET_BYTES
from pipeline.decide import VERDICTS, published_pairs
from pipeline.dedup import FindDuplicates
from pipeline.host import Lost, Progress, shared_host
from pipeline.job import (
    LOCAL_RUNNER,
    check_inputs_outside,
    default_split_size,
    is_too_many,
    state_of,
)
from pipeline.keys import KEY_COLUMNS, keys_path, make_keys, read_arrow, write_arrow
from pipeline.match import roles_path
from pipeline.outcomes import Outcome, document_batch
from pipeline.packing import gather, spilling
from pipeline.progress import Reporter
from pipeline.read.records import Split
from pipeline.read.sources import list_sources, plan_splits
from pipeline.runs import RunError
from pipeline.tabulate import PartReport, each_batch, run_splits
from pipeline.verify_pairs import MATCHES
from schemas.config import ConfigError, CurateConfig

DETECTORS = ("language", "duplicates")
CLUSTERS = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),  # record_id of the document that is kept
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("source_offset", pa.int64(), nullable=False),  # row number in text tables
    ]
)
PAIRS = pa.schema(
    [
        pa.field("record_id_a", pa.string(), nullable=False),
        pa.field("record_id_b", pa.string(), nullable=False),
        pa.field("similarity", pa.float32(), nullable=False),
    ]
)


def key_split(
    split: Split,
    config: CurateConfig,
    folder: str,
    *,
    lost: Mapping[int, Lost],
    careful: bool,
    progress: Progress | None,
) -> PartReport:
    """Leave the KEYS of a split's documents in `folder`, with record ids in the place of document ids."""
    annotator = annotator_for(config, DETECTORS)
    parts: list[pa.Table] = []

    def put(held: Sequence[Outcome]) -> int:
        documents = [outcome for outcome in held if outcome.code is None and outcome.reason is None]
        if documents:
            batch = document_batch(documents)
            found = run_detectors(annotator.detectors, batch).columns
            columns = {**{name: batch.column(name) for name in batch.schema.names}, **found}
            columns["text_bytes"] = pa.compute.binary_length(batch.column("text")).cast(pa.int64())
            parts.append(pa.table({name: columns[name] for name in (*KEY_COLUMNS, "record_id", "source_offset")}))
        return len(documents)

    report = each_batch(put, PartReport(split.number, ""), annotator, split, lost, careful, progress)
    if parts:
        table = pa.concat_tables(parts)
        nothing = pa.nulls(table.num_rows, pa.string())
        keys = make_keys(split.number, table, nothing, nothing, config.policy.duplicates)
        places = pa.compute.binary_join_element_wise(
            table.column("source_file"), table.column("source_offset").cast(pa.string()), "#"
        )
        ids = pa.compute.coalesce(table.column("record_id"), places)
        keys = keys.set_column(keys.schema.get_field_index("doc_id"), "doc_id", ids).combine_chunks()
        write_arrow(keys_path(folder, str(split.number)), keys)
        write_arrow(places_path(folder, split.number), table.select(["source_file", "source_offset"]).combine_chunks())
        report.path = str(split.number)
    return report


def places_path(folder: str, number: int) -> Path:
    """Where the source of each document of a shard is."""
    return Path(folder) / f"{number}.places.arrow"


def write_rows(joined: tuple[int, dict[str, Iterable[Any]]], folder: str) -> tuple[int, int, int, int]:
    """Leave PAIRS and CLUSTERS of a shard in `folder`; returns documents, kept, pairs, and clusters of two or more."""
    number = joined[0]
    doc_ids = read_arrow(keys_path(folder, str(number))).column("doc_id")
    roles = read_arrow(roles_path(folder, str(number)))
    ids = doc_ids.to_pylist()
    found = {row["reference"] & 0xFFFFFFFF: row for row in gather(joined[1]["verdicts"], VERDICTS).to_pylist()}
    rows: dict[str, list[Any]] = {name: [] for name in ("record_id", "cluster_id", "cluster_size", "kept")}
    for row, record_id in enumerate(ids):
        verdict = found.get(row)
        rows["record_id"].append(record_id)
        rows["cluster_id"].append(verdict["canonical"] if verdict else record_id)
        rows["cluster_size"].append(verdict["size"] if verdict else 1)
        rows["kept"].append(verdict["is_canonical"] if verdict else True)
    pairs = published_pairs(gather(joined[1]["matches"], MATCHES), doc_ids, roles, {})
    pairs = pairs.select(["doc_id", "matched", "similarity"]).rename_columns(PAIRS.names).cast(PAIRS)
    pairs = pairs.sort_by([("record_id_a", "ascending"), ("record_id_b", "ascending")])
    places = read_arrow(places_path(folder, number))
    columns = [rows[name] for name in CLUSTERS.names if name in rows] + places.columns
    write_arrow(Path(folder) / f"{number}.clusters.arrow", pa.table(columns, schema=CLUSTERS))
    write_arrow(Path(folder) / f"{number}.pairs.arrow", pairs)
    clusters = sum(kept and size > 1 for kept, size in zip(rows["kept"], rows["cluster_size"], strict=True))
    return len(ids), sum(rows["kept"]), pairs.num_rows, clusters


def duplicates_job(
    inputs: list[str],
    output: Path,
    config: CurateConfig,
    *,
    workers: int,
    split_size: int | None,
    reporter: Reporter,
) -> int:
    """Find the duplicates of inputs; returns the exit code."""
    sources = list_sources(inputs, table_root=config.read.table_root, text_column=config.read.text_column)
    check_inputs_outside(sources, output)
    if output.exists() and not output.is_dir():
        raise RunError(f"{output} is a file; --output needs a folder")
    policy = config.policy.duplicates
    if policy.seen:
        raise ConfigError("policy.duplicates.seen is for `headwater curate`; `headwater seen query` asks earlier runs")
    if policy.semantic.enabled or policy.lines.rule != "none" or policy.substrings.words:
        raise ConfigError("semantic duplicates, repeated lines and substrings are for `headwater curate`")
    if policy.near and policy.scheme == "headwater":  # copies are matched like all others: their pairs are found too
        policy = policy.model_copy(update={"exact": False})
        config = config.model_copy(update={"policy": config.policy.model_copy(update={"duplicates": policy})})
    try:
        annotator_for(config, DETECTORS)  # what it refuses it refuses before any work
    except (ValueError, RuntimeError, FileNotFoundError, ImportError) as error:
        raise ConfigError(f"the configuration cannot be used: {error}") from error
    total = sum(source.size_bytes for source in sources)
    splits = plan_splits(sources, split_size or default_split_size(total, workers))
    host = shared_host(workers)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".headwater-", dir=output) as folder:
        with reporter.watch(state_of(host, "key_split", "Reading", len(splits), total)):
            reports = run_splits(host, splits, key_split, lambda split: (split, config, folder))
            shards = [(report.number, report.path) for report in reports if report.path]
            sums, large = _find(shards, folder, config, max(1, -(-total // BUCKET_BYTES)))
        for name, schema in (("pairs", PAIRS), ("clusters", CLUSTERS)):
            _join(output / f"{name}.parquet", [Path(folder) / f"{number}.{name}.arrow" for number, _ in shards], schema)
    documents, kept, pairs, clusters = sums
    codes = sum((report.failed for report in reports), Counter[str]())
    for line in [line for report in reports for line in report.regions][:20]:
        reporter.say(f"damaged: {line}")
    different = _different_ids(output / "clusters.parquet")
    if different < documents:
        reporter.say(
            f"{documents - different:,} record ids stand more than once: clusters.parquet names each row by "
            "source_file and source_offset too"
        )
    failed = sum(sum(report.failed.values()) + len(report.regions) for report in reports)
    reporter.say(
        f"{documents:,} documents: {kept:,} kept, {documents - kept:,} are copies in {clusters:,} clusters; "
        f"{pairs:,} verified pairs"
        + (f"; {failed:,} could not be read" if failed else "")
        + (" (" + ", ".join(f"{code} {number:,}" for code, number in sorted(codes.items())) + ")" if codes else ""),
        counts={"documents": documents, "kept": kept, "clusters": clusters, "pairs": pairs, "failed": failed},
    )
    if large:
        reporter.say(
            f"{len(large):,} clusters had more than {policy.cluster_limit:,} different texts (the largest "
            f"{large[0]:,}) and were split where they are less similar; policy.duplicates.cluster_limit sets the limit"
        )
    reporter.say(f"Look at {output}/pairs.parquet and {output}/clusters.parquet")
    return 3 if is_too_many(failed, documents, config.output.max_failed_share) else 0


def _different_ids(path: Path) -> int:
    """Number of different record ids, by their hashes."""
    found = set[int]()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["record_id"]):
            found.update(
                xxhash.xxh3_64_intdigest(value.encode("utf-8", "surrogatepass"))
                for value in batch.column(0).to_pylist()
            )
    return len(found)


def _find(
    shards: Sequence[tuple[int, str]], folder: str, config: CurateConfig, buckets: int
) -> tuple[list[int], list[int]]:
    """Run the matching; returns the sums of `write_rows`, and the texts of each cluster that was over the limit."""
    total, flagged = Path(folder) / "sums", Path(folder) / "flagged"

    def join_sums(found: Iterable[tuple[int, ...]]) -> list[int]:
        sums = [0, 0, 0, 0]
        for one in found:
            sums = [a + b for a, b in zip(sums, one, strict=True)]
        return sums

    def keep(sums: Iterable[int]) -> None:
        total.write_text(" ".join(map(str, sums)), encoding="utf-8")

    def keep_flagged(nodes: list[int]) -> None:
        flagged.write_text(" ".join(map(str, sorted(nodes, reverse=True))), encoding="utf-8")

    def only_shards(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, dict[str, Iterable[Any]]]]:
        if list(joined[1]["shards"]):
            yield joined

    options = PipelineOptions([f"--runner={LOCAL_RUNNER}"], save_main_session=False)
    with spilling(Path(folder)), beam.Pipeline(options=options) as pipeline:
        numbered = pipeline | "Shards" >> beam.Create(list(shards))
        found = numbered | "FindDuplicates" >> FindDuplicates(folder, config.policy.duplicates, buckets)
        _ = (
            {"shards": numbered, "verdicts": found["verdicts"], "matches": found["matches"]}
            | "JoinVerdicts" >> beam.CoGroupByKey()
            | "OnlyShards" >> beam.FlatMap(only_shards)
            | "WriteRows" >> beam.Map(write_rows, folder)
            | "Sums" >> beam.CombineGlobally(join_sums)
            | "KeepSums" >> beam.Map(keep)
        )
        _ = (
            found["flagged"]
            | "Nodes" >> beam.Map(lambda flagged: flagged[1].nodes)
            | "Largest" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "KeepFlagged" >> beam.Map(keep_flagged)
        )
    sums, large = ([int(value) for value in path.read_text(encoding="utf-8").split()] for path in (total, flagged))
    return sums, large


def _join(target: Path, parts: Sequence[Path], schema: pa.Schema) -> None:
    """One Parquet file of the parts, in their order, under its name when it is whole."""
    temporary = target.with_name(f".{target.name}.writing")
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for part in parts:
                writer.write_table(read_arrow(part).cast(schema))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
