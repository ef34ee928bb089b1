"""The documents that synthetic rows name as parents: found in the runs, with a sketch of their whole text. No Beam.

Runs are read a row group at a time, and texts only of groups that hold a parent. Sketches go to a file that is mapped
into memory, so that memory grows with the names of the parents and not with their texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.api import run_detectors
from detectors.language import Language
from pipeline.annotate import annotator_for
from pipeline.index import MANIFESTS, RunIndex, read_manifest
from pipeline.outcomes import BATCH_BYTES, BATCH_ROWS
from pipeline.parquet_rows import matching_groups
from pipeline.seen_query import DETECTORS
from pipeline.synthesize.ingest_mapped import MappedRows
from pipeline.synthesize.ingest_rows import read_rows
from pipeline.synthesize.lineage import Ancestor, Pedigree
from schemas.config import CurateConfig

SKETCHES = pa.schema(
    [
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("words", pa.int32()),
        ("content_hash", pa.binary(16)),
        ("shingles", pa.int32()),
        ("sketch", pa.binary()),
    ]
)
# Shingle hashes of a text that is compared with its parents: the largest sketch that a configuration may ask for, so
# that the containment of a short text in a long one is counted and not estimated.
WHOLE = 65_536
NAMED_BY = ("doc_id", "record_id", "url")


class Sketcher:
    """Language and shingles of texts by the settings of a run, but with sketches of the whole text."""

    def __init__(self, config: CurateConfig) -> None:
        copies = config.policy.duplicates.model_copy(update={"sketch": WHOLE, "scheme": "headwater"})
        self._config = config.model_copy(update={"policy": config.policy.model_copy(update={"duplicates": copies})})

    def __call__(self, texts: pa.ChunkedArray) -> pa.Table:
        """SKETCHES, a row a text."""
        detectors = annotator_for(self._config, DETECTORS).detectors
        found = [SKETCHES.empty_table()]
        for part in _parts(texts):
            columns = run_detectors(detectors, pa.record_batch([part], ["text"])).columns
            found.append(pa.table([columns[name] for name in SKETCHES.names], schema=SKETCHES))
        return pa.concat_tables(found)

    def languages(self) -> frozenset[str]:
        """ISO 639-3 codes of the languages that the model can name."""
        detectors = annotator_for(self._config, DETECTORS).detectors
        return next(one.known for one in detectors if isinstance(one, Language))


def _parts(texts: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Slices that are bounded as the batches of a run are."""
    begin, size = 0, 0
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_pylist()
    for place, length in enumerate(lengths):
        if place > begin and (size + length > BATCH_BYTES or place - begin >= BATCH_ROWS):
            yield texts.slice(begin, place - begin).combine_chunks()
            begin, size = place, 0
        size += length
    if len(lengths) > begin:
        yield texts.slice(begin).combine_chunks()


def parent_names(rows: Path) -> pa.Array:
    """All names that rows give their parents, sorted, each once."""
    found = pa.array([], pa.string())
    held: list[pa.Array] = []
    size = 0
    for table in read_rows(rows, ["parents"]):
        held.append(pc.unique(pc.list_flatten(table.column("parents"))))
        size += len(held[-1])
        if size > max(100_000, len(found)):  # so that each name is looked at a few times, whatever there are
            found, held, size = _distinct([found, *held]), [], 0
    found = _distinct([found, *held])
    return found.take(pc.sort_indices(found))


def _distinct(arrays: Sequence[pa.Array]) -> pa.Array:
    return pc.unique(pa.chunked_array(arrays, pa.string()))


def holds_documents(index: RunIndex) -> bool:
    """Whether an index is that of a run or of ingested text; a mix only repeats documents of others."""
    return not (index.path / "mix.json").is_file()


class ParentFile:
    """Pedigree of the names that rows gave, and the sketches of the documents in the same order, in a file."""

    def __init__(self, path: Path, names: pa.Array, sketcher: Sketcher) -> None:
        self.pedigree = Pedigree()
        self._path = path
        self._names = names
        self._wanted = frozenset(names.to_pylist())
        self._sketcher = sketcher

    def collect(self, indexes: Sequence[RunIndex], rows: Path) -> MappedRows:
        """Find the parents in runs and in ROWS, and settle what follows; returns their SKETCHES."""
        with pa.OSFile(str(self._path), "wb") as sink, pa.ipc.new_file(sink, SKETCHES) as writer:
            if len(self._names):
                for index in filter(holds_documents, indexes):
                    self._take_run(index, writer)
                self._take_rows(rows, writer)
        self.pedigree.settle()
        return MappedRows(self._path)

    def _take_run(self, index: RunIndex, writer: Any) -> None:
        files = [entry["path"] for entry in read_manifest(index.path, MANIFESTS)["files"]]
        for name in files:
            if not name.startswith(("data/", "dropped/")):
                continue
            with pq.ParquetFile(index.path / name, pre_buffer=False) as file:
                kept = name.startswith("data/")
                wanted = [*NAMED_BY, *(("text", "split", "language", "depth") if kept else ("reason",))]
                wanted = [column for column in wanted if column in file.schema_arrow.names]
                for group, mask in matching_groups(file, NAMED_BY, self._names):
                    self._take(file.read_row_group(group, columns=wanted).filter(mask), index.run, writer)

    def _take(self, table: pa.Table, run: str, writer: Any) -> None:
        kept = "text" in table.schema.names
        self._write(self._sketcher(table.column("text")) if kept else _nothing(table.num_rows), writer)
        for row in table.drop_columns(["text"] if kept else []).to_pylist():
            self._add(
                row,
                depth=row.get("depth") or 0,
                splits=frozenset({row["split"]} if kept else ()),
                languages=frozenset({row["language"]} if kept and row["language"] else ()),
                reason=row.get("reason"),
                run=run,
            )

    def _take_rows(self, path: Path, writer: Any) -> None:
        columns = ["record_id", "doc_id", "text", "parents", "depth", "declared_language", "reason", "code"]
        for table in read_rows(path, columns):
            named = pc.or_(*(pc.is_in(table.column(name), self._names) for name in ("record_id", "doc_id")))
            table = table.filter(pc.and_(named, pc.is_null(table.column("code"))))
            if not table.num_rows:
                continue
            sketches = self._sketcher(table.column("text"))
            self._write(sketches, writer)
            found = sketches.column("language").to_pylist()
            for row, language in zip(table.drop_columns(["text"]).to_pylist(), found, strict=True):
                said = row["declared_language"] or language
                self._add(
                    row,
                    depth=row["depth"] or 0,
                    languages=frozenset({said} if said else ()),
                    reason=row["reason"],
                    names=tuple(row["parents"] or ()),
                )

    def _add(self, row: dict[str, Any], **known: Any) -> None:
        names = [row[column] for column in NAMED_BY if row.get(column) in self._wanted]
        self.pedigree.add(Ancestor(row["doc_id"], len(self.pedigree.ancestors), **known), names)

    @staticmethod
    def _write(sketches: pa.Table, writer: Any) -> None:
        writer.write_table(sketches.combine_chunks())


def _nothing(rows: int) -> pa.Table:
    return pa.table([pa.nulls(rows, kind.type) for kind in SKETCHES], schema=SKETCHES)
