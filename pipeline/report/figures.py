"""The figures of a finished run, from its Parquet files and its manifest; batch by batch, never a whole file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.report.duplicates import CutTally, duplicate_figures, pair_bins
from pipeline.report.evidence import URL_CHARACTERS, EvidenceTally
from pipeline.report.queries import HOST_PATTERN
from pipeline.report.redact import short
from pipeline.report.shares import ShareSample, share_figures
from pipeline.report.tally import Best, CappedCounter, Lengths, counts_of
from schemas.evidence import LABELS

FIGURES_VERSION = 4
SPLITS = ("train", "validation", "test")
_BATCH_ROWS = 1024
_LANGUAGES, _HOSTS, _SOURCES, _EXAMPLES = 30, 20, 50, 3
_MANY = 200  # rows of any other table
_DATA_COLUMNS = (
    "doc_id", "url", "fetched_at", "text", "language", "provenance_label", "split", "evidence", "personal_data",
    "rights", "benchmarks", "cluster_id", "cluster_size", "page_type", "extraction_confidence", "provenance_basis",
    "source_file", "words", "ai_text_score", "parallel", "cuts",
)  # fmt: skip
_RUN = ("version", "manifest_version", "config", "config_fingerprint", "inputs_fingerprint", "detectors")
_FAILURE_COLUMNS = ("unit", "stage", "code", "message", "source_file", "source_offset", "source_end")

CONFIDENCE = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # lower bounds of the bins, of expected word F1

# What a reason for dropping means, in the order in which a run applies them. Exact names, then prefixes.
STEPS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Response and address", ("http_status", "not_html", "redirect"), ("url_",)),
    ("Main text", ("no_text",), ("empty",)),
    ("Opt-outs", ("opt_out", "taken_down"), ("opt_out",)),
    ("Provenance policy", (), ("provenance_",)),
    ("Language", ("language", "language_score"), ("language",)),
    ("Quality rules", (), ("gopher_", "c4_", "fineweb_", "refinedweb_", "quality")),
    ("Other rules", (), ("",)),
    ("Contamination", ("contamination",), ("benchmark", "contamina")),
    ("Duplicates", ("url_duplicate", "exact_duplicate", "near_duplicate"), ("duplicate", "seen")),
)


def step_of(reason: str) -> int:
    """Number of the step that drops for this reason."""
    if reason.endswith("_duplicate"):
        return len(STEPS) - 1
    fallback = 0
    for number, (title, names, prefixes) in enumerate(STEPS):
        if title == "Other rules":
            fallback = number
        elif reason in names or reason.startswith(prefixes or ("\x00",)):
            return number
    return fallback


def run_files(root: Path, manifest: Mapping[str, Any], folder: str) -> list[str]:
    """Parquet files of a folder of the run, or of one kind in it (`index/pairs`), sorted.

    Those of the manifest, or what is there if it names none.
    """
    entries = manifest.get("files")
    if entries:
        names = [entry["path"] for entry in entries]
    else:
        names = [path.relative_to(root).as_posix() for path in root.glob("*/**/*.parquet")]
    starts = (f"{folder}/", f"{folder}-")
    return sorted(n for n in names if n.startswith(starts) and n.endswith(".parquet") and (root / n).is_file())


def read_batches(root: Path, files: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of the named columns; those that a file lacks are left out of its batches."""
    for name in files:
        # Buffering ahead would hold the whole file.
        with pq.ParquetFile(root / name, pre_buffer=False) as file:
            have = [column for column in columns if column in file.schema_arrow.names]
            # Row groups are bounded in bytes; a batch that spans several would not be.
            for group in range(file.num_row_groups):
                yield from file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=have)


class _DataTally:
    def __init__(self) -> None:
        self.rows = 0
        self.cells: Counter[tuple[str, str]] = Counter()
        self.languages: CappedCounter[str | None] = CappedCounter(10_000)
        self.language_characters: Counter[str | None] = Counter()
        self.page_types: CappedCounter[str | None] = CappedCounter(1_000)
        self.confidence = np.zeros(len(CONFIDENCE) + 1, np.int64)  # the last: not known
        self.hosts: CappedCounter[str | None] = CappedCounter(1_000_000)
        self.domains: CappedCounter[str | None] = CappedCounter(100_000)
        self.months: CappedCounter[str | None] = CappedCounter(10_000)
        self.lengths = Lengths()
        self.clusters: Counter[int] = Counter()
        self.largest: Best[dict[str, Any]] = Best(10)
        self.evidence = EvidenceTally()
        self.opt_outs: CappedCounter[str] = CappedCounter(10_000)
        self.licences: CappedCounter[str] = CappedCounter(10_000)
        self.rights: Counter[str] = Counter()
        self.personal: Counter[str] = Counter()
        self.benchmarks: CappedCounter[str] = CappedCounter(10_000)
        self.contaminated = 0
        self.bases: Counter[str | None] = Counter()
        self.parallel: Counter[int] = Counter()
        self.sample = ShareSample()
        self.cuts = CutTally()

    def add(self, batch: pa.RecordBatch) -> None:
        have = set(batch.schema.names)
        self.rows += batch.num_rows
        labels, splits = batch.column("provenance_label"), batch.column("split")
        self.cells.update(zip(labels.to_pylist(), splits.to_pylist(), strict=True))
        if "provenance_basis" in have:
            self.bases.update(batch.column("provenance_basis").to_pylist())
            self.sample.add(batch)
        if "cuts" in have:
            self.cuts.add(batch.column("cuts"))
        if "parallel" in have:
            self.parallel.update(pc.struct_field(batch.column("parallel").drop_null(), "languages").to_pylist())
        lengths = np.asarray(pc.fill_null(pc.utf8_length(batch.column("text")), 0)).astype(np.int64)
        self.lengths.add(lengths)
        self._add_languages(batch.column("language"), lengths)
        self._add_hosts(batch.column("url"))
        self._add_dates(batch.column("fetched_at"))
        self._add_clusters(batch)
        if "page_type" in have:
            self.page_types.add_values(batch.column("page_type"))
        if "extraction_confidence" in have:
            self._add_confidence(batch.column("extraction_confidence"))
        if "evidence" in have:
            self.evidence.add(batch)
        if "rights" in have:
            self._add_rights(batch.column("rights"))
        if "personal_data" in have:
            self.personal.update(_documents_by(batch.column("personal_data"), "kind"))
        if "benchmarks" in have:
            column = batch.column("benchmarks")
            self.contaminated += _with_entries(column)
            for name, count in _documents_by(column, "benchmark").items():
                self.benchmarks.add(name, count)

    def _add_languages(self, column: pa.Array, lengths: Any) -> None:
        table = pa.table({"language": column, "characters": lengths})
        for row in table.group_by("language").aggregate([("characters", "sum"), ("characters", "count")]).to_pylist():
            self.languages.add(row["language"], row["characters_count"])
            self.language_characters[row["language"]] += row["characters_sum"]

    def _add_confidence(self, column: pa.Array) -> None:
        values = np.asarray(column.drop_null()).astype(np.float64)
        places = np.clip(np.searchsorted(CONFIDENCE, values, "right") - 1, 0, len(CONFIDENCE) - 1)
        np.add.at(self.confidence, places, 1)
        self.confidence[-1] += column.null_count

    def _add_hosts(self, urls: pa.Array) -> None:
        host = pc.struct_field(pc.extract_regex(pc.ascii_lower(urls), HOST_PATTERN), "host")
        host = pc.utf8_slice_codeunits(host, 0, 253)
        host = pc.if_else(pc.equal(host, ""), pa.scalar(None, pa.string()), host)
        is_address = pc.match_substring_regex(host, r"^\[|^[0-9]{1,3}(\.[0-9]{1,3}){3}$")
        host = pc.if_else(is_address, "(IP address)", host)
        self.hosts.add_values(host)
        self.domains.add_values(pc.replace_substring_regex(host, r"^.*\.", ""))

    def _add_dates(self, column: pa.Array) -> None:
        table = pa.table({"year": pc.year(column), "month": pc.month(column)})
        for row in table.group_by(["year", "month"]).aggregate([([], "count_all")]).to_pylist():
            month = None if row["year"] is None else f"{row['year']:04d}-{row['month']:02d}"
            self.months.add(month, row["count_all"])

    def _add_clusters(self, batch: pa.RecordBatch) -> None:
        sizes = batch.column("cluster_size")
        stands = batch.filter(pc.equal(batch.column("doc_id"), batch.column("cluster_id")))
        for entry in pc.value_counts(stands.column("cluster_size")).to_pylist():
            if entry["values"]:
                self.clusters[max(entry["values"], 1).bit_length() - 1] += entry["counts"]
        large = batch.filter(pc.greater(sizes, 1)).select(["doc_id", "cluster_id", "cluster_size", "url"])
        for row in large.to_pylist():
            if row["doc_id"] == row["cluster_id"]:
                self.largest.offer((-row["cluster_size"], row["doc_id"]), lambda row=row: _cluster(row))  # type: ignore[misc]

    def _add_rights(self, column: pa.Array) -> None:
        known = column.filter(pc.is_valid(column))
        self.rights["pages"] += len(known)
        opt_outs = pc.struct_field(known, "opt_out")
        self.rights["opt_out"] += _with_entries(opt_outs)
        for name, count in _documents_by(opt_outs, None).items():
            self.opt_outs.add(name, count)
        licences = pc.struct_field(known, "licence")
        address = pc.struct_field(known, "licence_url")
        self.rights["licence"] += len(licences) - licences.null_count
        only_address = pc.and_(pc.is_null(licences), pc.is_valid(address))
        self.rights["licence_unrecognised"] += int(pc.sum(only_address).as_py() or 0)
        self.licences.add_values(licences.drop_null())


def _cluster(row: dict[str, Any]) -> dict[str, Any]:
    return {"cluster_id": row["cluster_id"], "pages": row["cluster_size"], "url": short(row["url"], URL_CHARACTERS)}


def _with_entries(column: pa.Array) -> int:
    """Rows of a list column that hold anything."""
    return int(pc.sum(pc.greater(pc.fill_null(pc.list_value_length(column), 0), 0)).as_py() or 0)


def _documents_by(column: pa.Array, field: str | None) -> Counter[str]:
    """Documents by value in a list column (of structs, by `field`): a value counts once for a document."""
    flat = pc.list_flatten(column)
    if not len(flat):
        return Counter()
    values = flat if field is None else pc.struct_field(flat, field)
    pairs = pa.table({"row": pc.list_parent_indices(column), "value": pc.fill_null(values, "(none)")})
    distinct = pairs.group_by(["row", "value"]).aggregate([])
    return Counter({e["values"]: e["counts"] for e in pc.value_counts(distinct.column("value")).to_pylist()})


def _quality_signals(root: Path, data_files: Sequence[str]) -> list[str]:
    """Members of the column `quality`."""
    schema = pq.read_schema(root / data_files[0]) if data_files else pa.schema([])
    return [member.name for member in schema.field("quality").type] if "quality" in schema.names else []


def _failures(root: Path, files: Sequence[str]) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], Best[dict[str, Any]]] = {}
    for batch in read_batches(root, files, _FAILURE_COLUMNS):
        for row in batch.to_pylist():
            key = (row["unit"], row["stage"], short(row["code"], 80) or "")
            counts[key] += 1
            if key in first or len(first) < _MANY:
                best = first.setdefault(key, Best(_EXAMPLES))
                best.offer((row["source_file"], row["source_offset"]), lambda row=row: _failure(row))  # type: ignore[misc]
    ranked = sorted(counts, key=lambda key: (key[0], -counts[key], key))[:_MANY]
    return [
        {
            "unit": unit, "stage": stage, "code": code, "count": counts[unit, stage, code],
            "examples": first[unit, stage, code].values() if (unit, stage, code) in first else [],
        }
        for unit, stage, code in ranked
    ]  # fmt: skip


def _failure(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "source_file": short(row["source_file"], 300),
        "source_offset": row["source_offset"],
        "source_end": row["source_end"],
        "message": short(row["message"], 200),
    }


def _waterfall(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    left = counts["pages"]
    rows = [{"kind": "read", "step": "Read", "key": "pages", "pages": left, "left": left}]
    dropped = sorted(counts["dropped"].items(), key=lambda item: (step_of(item[0]), -item[1], item[0]))
    parts = [("dropped", STEPS[step_of(reason)][0], reason, count) for reason, count in dropped]
    failed = sorted(counts["failed"].items(), key=lambda item: (-item[1], item[0]))
    parts += [("failed", "Failed", code, count) for code, count in failed]
    for kind, step, key, count in parts:
        left -= count
        rows.append({"kind": kind, "step": step, "key": short(key, 120), "pages": count, "left": left})
    rows.append({"kind": "kept", "step": "Kept", "key": "kept", "pages": counts["kept"], "left": counts["kept"]})
    return rows


def _earlier_runs(root: Path, files: Sequence[str]) -> Counter[str]:
    """Dropped pages by the earlier run that holds what stands for them."""
    found: Counter[str] = Counter()
    for batch in read_batches(root, files, ("duplicate_run",)):
        if batch.num_columns:
            found.update(batch.column("duplicate_run").drop_null().to_pylist())
    return found


def _sources(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        {
            "source_file": short(source["source_file"], 300),
            "bytes": source["bytes"],
            "pages": source["pages"],
            "kept": source["kept"],
            "dropped": sum(source["dropped"].values()),
            "failed": sum(source["failed"].values()),
            "regions": sum(source["regions"].values()),
        }
        for source in sorted(sources, key=lambda s: (-s["pages"], s["source_file"]))
    ]
    names = ("bytes", "pages", "kept", "dropped", "failed", "regions")
    rest = {name: sum(row[name] for row in rows[_SOURCES:]) for name in names}
    return {"rows": rows[:_SOURCES], "rest": {"files": max(0, len(rows) - _SOURCES), **rest}}


def _named(top: dict[str, Any], limit: int = 120) -> dict[str, Any]:
    return {**top, "rows": [{**row, "key": short(row["key"], limit)} for row in top["rows"]]}


def _provenance(cells: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    labels = [*LABELS, *sorted({label for label, _ in cells} - set(LABELS))]
    return [
        {
            "label": label,
            **{split: cells[label, split] for split in SPLITS},
            "documents": sum(count for (one, _), count in cells.items() if one == label),
        }
        for label in labels
    ]


def _dates(months: CappedCounter[str | None]) -> dict[str, Any]:
    known = sorted((month, count) for month, count in months.items() if month is not None)
    years: Counter[str] = Counter()
    for month, count in known:
        years[month.rpartition("-")[0]] += count
    return {
        "months": [{"month": month, "documents": count} for month, count in known] if len(known) <= 240 else [],
        "years": [{"year": year, "documents": years[year]} for year in sorted(years)][:_MANY],
        "unknown": sum(count for month, count in months.items() if month is None),
    }


def compute_figures(root: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Every figure of the report as JSON-able values; a function of the run's files and manifest alone.

    `manifest` is as `schemas.manifest.run_manifest` builds it; its `execution` is never read.
    """
    tally = _DataTally()
    data_files = run_files(root, manifest, "data")
    for batch in read_batches(root, data_files, _DATA_COLUMNS):
        tally.add(batch)
    counts = manifest["counts"]
    dropped, failed = sum(counts["dropped"].values()), sum(counts["failed"].values())
    lengths, languages = tally.lengths, tally.languages.top(_LANGUAGES)
    for row in languages["rows"]:
        row["characters"] = tally.language_characters[row["key"]]
    codes = sorted({(key or "").split("_")[0] for key, _ in tally.languages.items()})
    failures = _failures(root, run_files(root, manifest, "failures"))
    return {
        "figures_version": FIGURES_VERSION,
        "totals": {
            "pages": counts["pages"],
            "kept": counts["kept"],
            "dropped": dropped,
            "failed": failed,
            "regions": sum(counts["regions"].values()),
            "sources": len(manifest["sources"]),
            "source_bytes": sum(source["bytes"] for source in manifest["sources"]),
            "documents": tally.rows,
            "characters": lengths.characters,
            "data_files": len(data_files),
            "data_bytes": sum((root / name).stat().st_size for name in data_files),
            "balanced": counts["pages"] == counts["kept"] + dropped + failed and counts["kept"] == tally.rows,
        },
        "records": {short(kind, 60): count for kind, count in Counter(counts["records"]).most_common(_HOSTS)},
        "waterfall": _waterfall(counts),
        "provenance": _provenance(tally.cells),
        "bases": [
            {"key": key, "documents": count} for key, count in sorted(tally.bases.items(), key=lambda b: str(b[0]))
        ],
        "shares": share_figures(root, manifest, tally.sample),
        "parallel": [{"languages": n, "documents": count} for n, count in sorted(tally.parallel.items())][:_MANY],
        "quality_signals": _quality_signals(root, data_files),
        "evidence": tally.evidence.figures(tally.rows),
        "languages": {**_named(languages), "codes": [code for code in codes if code][:1000]},
        "page_types": _named(tally.page_types.top(_HOSTS)),
        "confidence": {
            "bins": [
                {"from": low, "to": high, "documents": count}
                for low, high, count in zip(
                    CONFIDENCE, (*CONFIDENCE[1:], 1.0), tally.confidence[:-1].tolist(), strict=True
                )
            ],
            "unknown": int(tally.confidence[-1]),
        },
        "top_level_domains": _named(tally.domains.top(_HOSTS)),
        "hosts": _named(tally.hosts.top(_HOSTS)),
        "dates": _dates(tally.months),
        "lengths": {
            "bins": lengths.bins(),
            "largest": lengths.largest,
            "quantiles": {str(share): lengths.quantile(share) for share in (0.1, 0.5, 0.9)},
        },
        "duplicates": duplicate_figures(
            tally.clusters,
            tally.largest.values(),
            counts["dropped"],
            pair_bins(read_batches(root, run_files(root, manifest, "index/pairs"), ("similarity",))),
            _earlier_runs(root, run_files(root, manifest, "dropped")),
            tally.cuts,
            manifest.get("flagged_clusters", ()),
        ),
        "rights": {
            **{name: tally.rights[name] for name in ("pages", "opt_out", "licence", "licence_unrecognised")},
            "opt_outs": _named(tally.opt_outs.top(_HOSTS)),
            "licences": _named(tally.licences.top(_HOSTS)),
        },
        "personal_data": counts_of(tally.personal.items(), "kind"),
        "benchmarks": {"documents": tally.contaminated, **_named(tally.benchmarks.top(_HOSTS))},
        "failures": [row for row in failures if row["unit"] != "region"],
        "regions": [row for row in failures if row["unit"] == "region"],
        "sources": _sources(manifest["sources"]),
        "run": {name: manifest.get(name) for name in _RUN},
    }
