"""Documents of runs and tables, batch by batch, and the strata that each belongs to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from detectors.features.tokens import tokenise
from detectors.features.url_key import host_of
from pipeline.report.figures import run_files
from pipeline.runs import RunError
from pipeline.synthesize.gaps_regions import regions_of, spelling_regions
from pipeline.synthesize.gaps_words import Int, gender_counts, genders_of, topics_of
from schemas.targets import Dimension

BATCH_ROWS = 512
NEEDED = ("doc_id", "text", "language")
_PLAIN = (*NEEDED, "url", "page_type", "words", "provenance_label", "split", "personal_data", "benchmarks", "depth")
_PARTS = ("page.html_lang", "page.meta", "rights.opt_out")
AMOUNTS = ("documents", "words", "bytes")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of documents, by its place among the files of a survey."""

    number: int
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """Documents of a batch that count. Lists and arrays have one entry a document."""

    file: int
    group: int
    rows: Int  # within the row group
    doc_ids: list[str]
    hosts: npt.NDArray[np.uint64]  # xxh3_64 of the host; of the doc_id where there is none
    values: dict[Dimension, list[str | None]]  # None: not known
    amounts: Int  # int64[documents, 3], as AMOUNTS
    terms: Int  # int64[documents, kinds, 2], gender terms
    may_be_parent: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.doc_ids)


def find_files(sources: Sequence[str]) -> list[DataFile]:
    """Data files of run folders and Parquet files, in order.

    Raises:
        RunError: no such folder or file, an unfinished run, or one without documents.
    """
    paths: list[Path] = []
    roots = [Path(source) for source in sources]
    for number, root in enumerate(roots):
        if any(root.resolve() == other.resolve() for other in roots[:number]):
            raise RunError(f"{root} is given twice; its documents would count twice")
        if root.is_file():
            paths.append(root)
            continue
        if not root.exists():
            raise RunError(f"{root} is not there; give the folder of a finished run, or a Parquet file of documents")
        manifest = root / "run.json"
        if not manifest.exists():
            raise RunError(f"{root} holds no finished run (run.json is missing); give a run, or a Parquet file")
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))
            names = run_files(root, known, "data")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{manifest} is damaged; curate again") from None
        paths += [root / name for name in names]
    return [DataFile(number, path) for number, path in enumerate(paths)]


def read_documents(file: DataFile, labels: Sequence[str], left_out: Counter[str] | None = None) -> Iterator[Documents]:
    """Documents of the train split with one of `labels`, with what is known of their strata.

    A table without splits or labels counts whole. `left_out` counts the others by reason.

    Raises:
        RunError: the file is no Parquet file, or lacks a column that is needed.
    """
    try:
        with pq.ParquetFile(file.path, pre_buffer=False) as table:
            schema = table.schema_arrow
            missing = [name for name in NEEDED if name not in schema.names]
            if missing:
                raise RunError(
                    f"{file.path} has no column {missing[0]!r}; give a run of `headwater curate` or a Parquet file of "
                    "`headwater score`"
                )
            columns = [name for name in _PLAIN if name in schema.names]
            columns += [part for part in _PARTS if _has_part(schema, part)]
            for group in range(table.num_row_groups):
                at = 0
                for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns):
                    yield describe(batch, file.number, group, at, labels, left_out)
                    at += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{file.path} cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def _has_part(schema: pa.Schema, name: str) -> bool:
    column, _, part = name.partition(".")
    if column not in schema.names or not pa.types.is_struct(schema.field(column).type):
        return False
    return any(member.name == part for member in schema.field(column).type)


def describe(
    batch: pa.RecordBatch,
    file: int,
    group: int,
    first: int,
    labels: Sequence[str],
    left_out: Counter[str] | None = None,
) -> Documents:
    """The documents of a batch that count; `first` is the row of the batch in its row group."""
    rows = np.arange(first, first + batch.num_rows)
    count = Counter[str]() if left_out is None else left_out
    keep = np.asarray(pc.is_valid(batch.column("text")))
    count["no_text"] += int((~keep).sum())
    for column, wanted in (("split", ("train",)), ("provenance_label", tuple(labels))):
        if column in batch.schema.names:
            values = batch.column(column)
            fits = np.asarray(pc.is_in(values, pa.array(wanted, values.type)))
            for entry in pc.value_counts(values.filter(pa.array(keep & ~fits))).to_pylist():
                count[f"{column}:{entry['values']}"] += entry["counts"]
            keep &= fits
    chosen = batch.filter(pa.array(keep))
    return _described(chosen, file, group, rows[keep])


def _described(batch: pa.RecordBatch, file: int, group: int, rows: Int) -> Documents:
    texts: list[str] = batch.column("text").to_pylist()
    languages = [value[:3] if value else None for value in batch.column("language").to_pylist()]
    ids: list[str] = batch.column("doc_id").to_pylist()
    urls = _column(batch, "url")
    words = tokenise(texts)
    terms = gender_counts(words, languages)
    counted = words.word_counts() if "words" not in batch.schema.names else _filled(batch.column("words"))
    sizes = _filled(pc.binary_length(batch.column("text").cast(pa.binary())))
    hosts = [host_of(url) or doc_id for url, doc_id in zip(urls, ids, strict=True)]
    return Documents(
        file=file,
        group=group,
        rows=rows,
        doc_ids=ids,
        hosts=np.array([xxhash.xxh3_64_intdigest(host.encode("utf-8", "replace")) for host in hosts], np.uint64),
        values={
            "language": languages,
            "register": [value or None for value in _column(batch, "page_type")],
            "topic": topics_of(words, languages),
            "region": regions_of(urls, _column(batch, "page"), spelling_regions(words, languages)),
            "gender": genders_of(terms),
        },
        amounts=np.stack([np.ones(len(ids), np.int64), counted, sizes], axis=1),
        terms=terms,
        may_be_parent=may_be_parents(batch),
    )


def _filled(column: pa.Array) -> Int:
    values: Int = np.asarray(pc.fill_null(column.cast(pa.int64()), 0), dtype=np.int64)
    return values


def _column(batch: pa.RecordBatch, name: str) -> list[Any]:
    return batch.column(name).to_pylist() if name in batch.schema.names else [None] * batch.num_rows


def may_be_parents(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Documents that a generator may be given.

    Not those that state an opt-out of any kind, hold personal data or items of benchmarks, are synthetic or carry a
    machine's label. (The train split is all that a batch has left.)
    """
    fits = np.ones(batch.num_rows, np.bool_)
    names = batch.schema.names
    if "rights" in names:
        fits &= _empty(pc.struct_field(batch.column("rights"), "opt_out"))
    for name in ("personal_data", "benchmarks"):
        if name in names:
            fits &= _empty(batch.column(name))
    if "provenance_label" in names:
        machine = pa.array(["ai_generated", "machine_translated"])
        fits &= ~np.asarray(pc.is_in(batch.column("provenance_label"), machine))
    if "depth" in names:
        fits &= np.asarray(pc.equal(pc.fill_null(batch.column("depth"), 0), 0))
    return fits


def _empty(lists: pa.Array) -> npt.NDArray[np.bool_]:
    lengths: Int = np.asarray(pc.fill_null(pc.list_value_length(lists), 0))
    return np.asarray(lengths == 0)


def read_texts(files: Sequence[DataFile], places: dict[tuple[int, int], dict[int, str]]) -> dict[str, str]:
    """Text by doc_id of documents at {(file, row group): {row: doc_id}}; each row group is read once."""
    found: dict[str, str] = {}
    for (number, group), rows in sorted(places.items()):
        with pq.ParquetFile(files[number].path, pre_buffer=False) as table:
            texts = table.read_row_group(group, columns=["text"]).column("text")
            found.update((doc_id, texts[row].as_py()) for row, doc_id in sorted(rows.items()))
    return found
