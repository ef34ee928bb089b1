"""Which pages of earlier runs match an address, a document or a text, by the indexes of those runs. No Beam.

An index is read a row group at a time, and sketches only where a band is shared, so memory does not grow with a run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.api import run_detectors
from detectors.features.sketch import compare
from detectors.features.url_key import url_key
from pipeline.index import MANIFESTS, RunIndex, check_compatible, read_index, read_manifest
from pipeline.parquet_rows import matching_groups
from pipeline.runs import RunError
from schemas.config import CurateConfig, DuplicatePolicy

BLOCK_PAIRS = 50_000  # that are compared at once: two sketches of a kilobyte each
U64 = npt.NDArray[np.uint64]
DETECTORS = ("language", "duplicates")  # shingles may depend on the language
_LIGHT = (
    "doc_id", "url_key", "content_hash", "bands", "shingles", "fetched_at", "source_file", "source_offset",
    "cluster_id", "cluster_run", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: any of an id, the key of an address, and the keys of a text."""

    name: str
    doc_id: str | None = None
    url_key: int | None = None
    content_hash: bytes | None = None
    bands: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    sketch: bytes | None = None
    shingles: int = 0


def open_runs(folders: Sequence[str | Path]) -> tuple[list[RunIndex], CurateConfig]:
    """Indexes that this release can compare with one another, and the configuration that makes their keys.

    Raises:
        RunError: a run or its index is missing, damaged, or of other parameters than the first or this release.
    """
    indexes = [read_index(folder) for folder in folders]
    config = key_config(indexes[0])
    from pipeline.annotate import Annotator
    from pipeline.job import index_parameters

    check_compatible(indexes, index_parameters(Annotator(config, DETECTORS)))
    return indexes, config


def key_config(index: RunIndex) -> CurateConfig:
    """The part of a run's configuration that its keys depend on.

    Raises:
        RunError: it is none that this release reads.
    """
    stored = read_manifest(index.path, MANIFESTS)["config"]
    try:
        return CurateConfig.model_validate({name: stored[name] for name in ("policy", "language")})
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{index.path} has a configuration that this release does not read ({error}); curate it again"
        ) from None


def query_of_address(url: str) -> Query:
    """Pages of an address, however it is spelled."""
    return Query(url, url_key=url_key(url))


def query_of_text(name: str, text: str, config: CurateConfig) -> Query:
    """Pages whose text is like this one. A text without words matches nothing."""
    from pipeline.annotate import annotator_for
    from pipeline.keys import KEY_COLUMNS, make_keys
    from pipeline.outcomes import Outcome, document_batch
    from pipeline.read.records import Page

    page = Page(None, None, name, 0, None, "row", text=text)
    batch = document_batch([Outcome(page, "0" * 32, text=text)])
    found = run_detectors(annotator_for(config, DETECTORS).detectors, batch).columns
    columns = {**{column: batch.column(column) for column in batch.schema.names}, **found}
    columns["text_bytes"] = pc.binary_length(batch.column("text")).cast(pa.int64())
    table = pa.table({column: columns[column] for column in KEY_COLUMNS})
    nothing = pa.nulls(1, pa.string())
    keys = make_keys(0, table, nothing, nothing, config.policy.duplicates).to_pylist()[0]
    return Query(
        name,
        content_hash=table.column("content_hash")[0].as_py(),
        bands=np.array(keys["bands"] or [], np.uint64),
        sketch=keys["sketch"],
        shingles=keys["shingles"] or 0,
    )


def queries_of_documents(indexes: Sequence[RunIndex], doc_ids: Mapping[str, str]) -> list[Query]:
    """The keys of documents of these runs, in the order of `doc_ids` (id to the name that it was asked by)."""
    found: dict[str, Query] = {}
    wanted = pa.array(sorted(doc_ids), pa.string())
    for index in indexes:
        for path in index.files:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for group, mask in matching_groups(file, ("doc_id",), wanted):
                    for row in file.read_row_group(group, columns=[*_LIGHT[:5], "sketch"]).filter(mask).to_pylist():
                        bands = np.frombuffer(row["bands"] or b"", "<u8")
                        found.setdefault(
                            row["doc_id"],
                            Query(
                                doc_ids[row["doc_id"]], row["doc_id"], row["url_key"], row["content_hash"], bands,
                                row["sketch"], row["shingles"] or 0,
                            ),
                        )  # fmt: skip
    return [found.get(doc_id, Query(name, doc_id)) for doc_id, name in doc_ids.items()]


def documents_of_records(indexes: Sequence[RunIndex], record_ids: Collection[str]) -> dict[str, str]:
    """Document id to record id, for records of these runs (what a run kept, and what it dropped)."""
    wanted = pa.array(sorted(record_ids), pa.string())
    found: dict[str, str] = {}
    for index in indexes:
        for path in sorted([*index.path.glob("data/*/*.parquet"), *index.path.glob("dropped/*.parquet")]):
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for group, mask in matching_groups(file, ("record_id",), wanted):
                    rows = file.read_row_group(group, columns=["doc_id", "record_id"]).filter(mask)
                    found.update((row["doc_id"], row["record_id"]) for row in rows.to_pylist())
    return found


def find_matches(index: RunIndex, queries: Sequence[Query], policy: DuplicatePolicy) -> Iterator[dict[str, Any]]:
    """Pages of a run that match: a row per query and page, in the order of the index.

    `match` lists how: `document` (the same record), `url` (the same address), `text` (equal words), `near` (a verified
    `similarity` of at least `policy.similarity`, which is also that of equal texts, 1).
    """
    asked = _Asked(queries)
    for path in index.files:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(_LIGHT))
                rows, near = asked.candidates(table)
                if not len(rows):
                    continue
                table = table.take(pa.array(rows))
                sketches = None
                if near:
                    sketches = file.read_row_group(group, columns=["sketch"]).column(0).take(pa.array(rows))
                yield from _verified(index, table, sketches, asked, policy.similarity)


def _places(values: Iterable[Any]) -> dict[Any, list[int]]:
    """Where each value stands, without nulls."""
    places: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            places.setdefault(value, []).append(place)
    return places


def _bands(table: pa.Table) -> tuple[U64, npt.NDArray[np.int64]]:
    """All bands of an index table, and the row of each."""
    bands = table.column("bands")
    owner = np.repeat(np.arange(table.num_rows), np.asarray(pc.fill_null(pc.binary_length(bands), 0)) // 8)
    return np.frombuffer(b"".join(pc.fill_null(bands, b"").to_pylist()), "<u8"), owner


class _Asked:
    """The keys of all queries, so that a row finds those that it shares one with, however many there are."""

    def __init__(self, queries: Sequence[Query]) -> None:
        self.queries = queries
        ids, urls = _places(q.doc_id for q in queries), _places(q.url_key for q in queries)
        contents = _places(q.content_hash for q in queries)
        self.equal = (("document", "doc_id", ids), ("url", "url_key", urls), ("text", "content_hash", contents))
        self._urls = np.array(list(urls), np.uint64)
        self._ids = pa.array(list(ids), pa.string())
        self._contents = pa.array(list(contents), pa.binary(16))
        self._sketches = pa.array([q.sketch for q in queries], pa.binary())
        self._shingles = np.array([q.shingles for q in queries], np.int64)
        lengths = [0 if q.sketch is None else len(q.bands) for q in queries]
        bands = np.concatenate([np.zeros(0, np.uint64), *(q.bands for q in queries if q.sketch is not None)])
        order = np.argsort(bands, kind="stable")
        self._bands = bands[order]  # sorted, with the query of each
        self._asker = np.repeat(np.arange(len(queries)), lengths)[order]

    def candidates(self, table: pa.Table) -> tuple[npt.NDArray[np.int64], bool]:
        """Rows that share any key with a query, and whether any shares a band."""
        hit = np.asarray(pc.is_in(table.column("doc_id"), self._ids))
        hit = hit | np.asarray(pc.is_in(table.column("content_hash"), self._contents))
        known = np.asarray(pc.is_valid(table.column("url_key")))
        hit |= known & np.isin(np.asarray(pc.fill_null(table.column("url_key"), 0), dtype=np.uint64), self._urls)
        near = np.zeros(table.num_rows, bool)
        if len(self._bands):
            flat, owner = _bands(table)
            near[owner[np.isin(flat, self._bands)]] = True
        return np.flatnonzero(hit | near), bool(near.any())

    def sharing(self, table: pa.Table) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Pairs of a query and a row that share a band, each once, in blocks of about BLOCK_PAIRS."""
        flat, owner = _bands(table)
        begin = np.searchsorted(self._bands, flat, "left")
        count = np.searchsorted(self._bands, flat, "right") - begin
        begin, count, owner = begin[count > 0], count[count > 0], owner[count > 0]
        block = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])[owner.searchsorted(owner)] // BLOCK_PAIRS
        for part in np.split(np.arange(len(owner)), np.flatnonzero(np.diff(block)) + 1):
            size = count[part]
            within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
            query_of = self._asker[np.repeat(begin[part], size) + within]
            pair = np.unique(query_of * table.num_rows + np.repeat(owner[part], size))
            if len(pair):
                yield pair // table.num_rows, pair % table.num_rows

    def similarities(
        self, table: pa.Table, sketches: pa.Array, query_of: npt.NDArray[np.int64], row_of: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Verified similarity of each pair."""
        shingles = np.asarray(pc.fill_null(table.column("shingles"), 0), dtype=np.int64)
        ones, others = self._sketches.take(pa.array(query_of)), sketches.take(pa.array(row_of))
        if isinstance(others, pa.ChunkedArray):
            others = others.combine_chunks()
        return compare(ones, others, self._shingles[query_of], shingles[row_of])


def _verified(
    index: RunIndex, table: pa.Table, sketches: pa.Array | None, asked: _Asked, similarity: float
) -> Iterator[dict[str, Any]]:
    """What candidate rows are to the queries, in order of queries, then rows."""
    rows = table.num_rows
    kinds: dict[int, list[str]] = {}  # by query * rows + row
    for kind, column, places in asked.equal:
        for row, value in enumerate(table.column(column).to_pylist()):
            for query in places.get(value, ()):
                kinds.setdefault(query * rows + row, []).append(kind)
    equal = np.array(sorted(kinds), np.int64)
    values: dict[int, float] = {}
    for query_of, row_of in asked.sharing(table) if sketches is not None else ():
        alike = asked.similarities(table, sketches, query_of, row_of)
        pair = query_of * rows + row_of
        told = (alike >= similarity) | np.isin(pair, equal)
        values.update(zip(pair[told].tolist(), alike[told].tolist(), strict=True))
    described = [_described(index, row) for row in table.to_pylist()]
    for pair in sorted({*kinds, *values}):
        found, value = kinds.get(pair, []), values.get(pair, float("nan"))
        if "text" in found:
            value = 1.0
        elif value >= similarity:
            found.append("near")
        shown = None if np.isnan(value) else round(value, 6)
        yield {"query": asked.queries[pair // rows].name, "match": found, "similarity": shown, **described[pair % rows]}


def _described(index: RunIndex, row: dict[str, Any]) -> dict[str, Any]:
    fetched = row["fetched_at"]
    return {
        "run": index.run,
        "folder": str(index.path),
        "doc_id": row["doc_id"],
        "fetched_at": None if fetched is None else fetched.isoformat(),
        "source_file": row["source_file"],
        "source_offset": row["source_offset"],
        "cluster_id": row["cluster_id"],
        "cluster_run": row["cluster_run"],
        "kept": row["reason"] is None,
        "reason": row["reason"],
    }


def describe_run(index: RunIndex) -> dict[str, Any]:
    """What `headwater seen info` says of a run: documents, what became of them, and the range of capture times."""
    reasons: dict[str, int] = {}
    first, last = None, None
    for path in index.files:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["reason", "fetched_at"])
                for entry in pc.value_counts(table.column("reason")).to_pylist():
                    name = entry["values"] or "kept"
                    reasons[name] = reasons.get(name, 0) + entry["counts"]
                times = pc.min_max(table.column("fetched_at")).as_py()
                if times["min"] is not None:
                    first = times["min"] if first is None else min(first, times["min"])
                    last = times["max"] if last is None else max(last, times["max"])
    return {
        "folder": str(index.path),
        "run": index.run,
        "version": index.version,
        "documents": index.documents,
        "kept": reasons.pop("kept", 0),
        "dropped": dict(sorted(reasons.items())),
        "taken_down": 0 if index.taken_down is None else pq.read_metadata(index.taken_down).num_rows,
        "first": None if first is None else first.isoformat(),
        "last": None if last is None else last.isoformat(),
        "seen": list(index.seen),
        "parameters": dict(index.parameters),
    }
