"""The rows of a mix, cut from one data file into pieces by shard. The file is read once. No Beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decide import ROW_OVERHEAD
from pipeline.keys import read_arrow
from pipeline.mix.candidates import Cell, InputFile, candidates_path
from pipeline.mix.formats import file_name
from pipeline.mix.rows import READ_COLUMNS, CellCounts, count_cells, mix_rows, order_keys, shard_numbers
from pipeline.mix.shards import PIECE
from pipeline.mix.source_rows import group_starts, read_rows, text_sizes
from pipeline.mix.weights import manifest_rows, write_manifest
from pipeline.write import Piece, file_number, file_path, write_batches
from schemas.manifest import FileEntry

TRAIN, VALIDATION, INDEX = "data/train", "data/validation", "index/part"
READ_BYTES = 64 << 20  # of row groups that are read together; batches of pieces grow with it
PART_BYTES = 256 << 20  # of text that is cut at a time, copies counted; an Arrow string column ends at 2 GiB
LEDGER_BYTES = 64 << 20  # of a file of the ledger

Copies = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class MixFile:
    """A data file of a source, and where it belongs."""

    input: InputFile
    folder: str  # of the run or of what was ingested, as given
    run: str | None = None  # name of the run; null for synthetic text
    validation: bool = False  # its documents are held out: each of them once, and none in the training rows

    @property
    def group(self) -> str:
        """Group of shards that its rows go to."""
        return VALIDATION if self.validation else TRAIN


@dataclass(frozen=True, slots=True)
class ChoosePlan:
    """Everything that cutting a file needs; plain data, so that it travels to workers.

    `select` takes CANDIDATES and the name of their source and returns the copies of each row, 0 where it is not chosen.
    """

    root: str
    candidates: str
    pieces: str
    select: Callable[[pa.Table, str], Copies]
    seed: str = "headwater"
    form: str = "parquet"
    shard_bytes: int = 64 << 20
    tokens_are_bytes: bool = True
    weights_only: bool = False
    files: int = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was cut from a file: pieces of shards and of the ledger, its part of the manifest, counts by cell."""

    pieces: list[Piece]
    entry: FileEntry
    counts: dict[Cell, CellCounts]
    validation: bool


def choose(file: MixFile, plan: ChoosePlan) -> tuple[pa.Table, Copies]:
    """CANDIDATES of the documents that the mix has of a file, by row, and the copies of each."""
    candidates = read_arrow(candidates_path(plan.candidates, file.input.number))
    takes_part = np.asarray(pc.is_null(candidates.column("reason")))
    copies = takes_part.astype(np.int32) if file.validation else plan.select(candidates, file.input.source) * takes_part
    rows = np.flatnonzero(copies)
    rows = rows[np.argsort(np.asarray(candidates.column("row"))[rows], kind="stable")]
    return candidates.take(pa.array(rows)), copies[rows].astype(np.int32)


def measure_file(file: MixFile, plan: ChoosePlan) -> dict[str, int]:
    """Bytes that a file adds to each group of files: of text, by the mean of the file where tokens are not bytes."""
    candidates, copies = choose(file, plan)
    index = len(copies) * ROW_OVERHEAD["index"]
    if plan.tokens_are_bytes:
        return {file.group: int(np.asarray(candidates.column("tokens")) @ copies), INDEX: index}
    metadata = pq.read_metadata(file.input.path)
    size = int(text_sizes(metadata).sum()) * int(copies.sum()) // max(1, metadata.num_rows)
    return {file.group: size, INDEX: index}


def shard_counts(sizes: Mapping[str, int], plan: ChoosePlan) -> dict[str, int]:
    """Files of each group: as many as keep each near its size. No shard of a group of which there is nothing."""
    largest = {TRAIN: plan.shard_bytes, VALIDATION: plan.shard_bytes, INDEX: LEDGER_BYTES}
    counts = {group: max(1, round(size / largest[group])) for group, size in sizes.items() if size}
    return {TRAIN: 1, INDEX: 1, **counts}


def cut_file(file: MixFile, part: int, plan: ChoosePlan, counts: Mapping[str, int]) -> Chosen:
    """Read a data file once; leave the chosen rows in pieces by shard, and their part of the manifest in the mix.

    Raises:
        RunError: the file is not the one that was surveyed.
    """
    candidates, copies = choose(file, plan)
    stem = f"{file.input.number:05d}"
    entry = write_manifest(plan.root, part, plan.files, manifest_rows(file, candidates, copies), plan.seed)
    pieces = _ledger_pieces(file, candidates, Path(plan.pieces) / f"{stem}.used.arrow", counts[INDEX])
    chosen = _count(file, candidates, copies)
    if not plan.weights_only and len(copies):
        path = Path(plan.pieces) / f"{stem}.rows.arrow"
        pieces += write_batches(path, PIECE, _parts(file, candidates, copies, plan, counts[file.group]))
    return Chosen(pieces, entry, chosen, file.validation)


def _count(file: MixFile, candidates: pa.Table, copies: Copies) -> dict[Cell, CellCounts]:
    rows = np.repeat(np.arange(len(copies)), copies)
    names = ["origin", "fresh", "language", "page_type", "group", "tokens"]
    table = candidates.select(names).take(pa.array(rows))
    table = table.append_column("source", pa.repeat(pa.scalar(file.input.source), len(rows)))
    return count_cells(table.append_column("copy", pa.array(_copy_numbers(copies))))


def _copy_numbers(copies: Copies) -> Copies:
    """0, 1 … for the copies of each document in turn."""
    ends = np.cumsum(copies)
    return (np.arange(copies.sum()) - np.repeat(ends - copies, copies)).astype(np.int32)


def _ledger_pieces(file: MixFile, candidates: pa.Table, path: Path, count: int) -> list[Piece]:
    """Ids of the used documents by part of the ledger."""
    doc_ids = candidates.column("doc_id").sort()
    targets = [file_path(INDEX, file_number(doc_id, count), count) for doc_id in doc_ids.to_pylist()]
    if not targets:
        return []
    folders = pa.repeat(pa.scalar(file.folder), len(targets))
    used = pa.table({"doc_id": doc_ids, "folder": folders})
    return write_batches(path, used.schema, [(used, targets)])


def _parts(
    file: MixFile, candidates: pa.Table, copies: Copies, plan: ChoosePlan, count: int
) -> Iterator[tuple[pa.Table, Sequence[str]]]:
    """PIECE tables of the file, by shard, and the shard of each row."""
    names = np.array([file_name(file.group, number, count, plan.form) for number in range(count)])
    rows = np.asarray(candidates.column("row"))
    for begin, documents, places in read_rows(file.input.path, rows, READ_COLUMNS, READ_BYTES):
        sizes = np.asarray(pc.binary_length(documents.column("text")), np.int64)[places]
        here = copies[begin : begin + len(places)]
        starts = group_starts(sizes * here, PART_BYTES)
        for first, last in zip(starts, [*starts[1:], len(places)], strict=True):
            taken = np.repeat(np.arange(first, last), here[first:last])
            numbers = _copy_numbers(here[first:last])
            doc_ids = candidates.column("doc_id").take(pa.array(begin + taken))
            keys = order_keys(plan.seed, doc_ids.to_pylist(), numbers.tolist())
            shards = shard_numbers(keys, count)
            order = np.argsort(shards, kind="stable")
            taken = taken[order]
            table = mix_rows(
                documents.take(pa.array(places[taken])),
                candidates.take(pa.array(begin + taken)),
                numbers[order],
                file.input.source,
                file.run,
            )
            yield table.append_column(PIECE.field("order"), pa.array(keys[order])), names[shards[order]].tolist()
