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
from pipeline.mix.rows import READ_COLUMNS, WrittenCounts, count_cells, mix_rows, order_keys, shard_numbers
from pipeline.mix.shards import PIECE
from pipeline.mix.source_rows import check_documents, read_rows, spans, text_sizes
from pipeline.mix.weights import manifest_rows, write_manifest
from pipeline.write import Piece, file_number, file_path, write_batches
from schemas.manifest import FileEntry

TRAIN, VALIDATION, INDEX = "data/train", "data/validation", "index/part"
HELD_OUT = "validation"  # reason of documents that would take part, were they not in the validation split of their run
READ_BYTES = 64 << 20  # of row groups that are read together; batches of pieces grow with it
PART_BYTES = 256 << 20  # of text that is cut at a time, copies counted; an Arrow string column ends at 2 GiB
LEDGER_BYTES = 64 << 20  # of a file of the ledger

Copies = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MixFile:
    """A data file of a source, and where it belongs."""

    input: InputFile
    folder: str  # of the run or of what was ingested, as given
    run: str | None = None  # name of the run; null for synthetic text
    name: str | None = None  # of the folder in the manifest, where it is not `folder`


@dataclass(frozen=True, slots=True)
class ChoosePlan:
    """Everything that cutting a file needs; plain data, so that it travels to workers.

    `select` takes CANDIDATES and the name of their source and returns the copies of each row, 0 where it is not chosen.
    With `validation`, documents of validation splits are written beside the mix, each once. `files` is the number of
    data files of the mix.
    """

    root: str
    candidates: str
    pieces: str
    select: Callable[[pa.Table, str], Copies]
    seed: str = "headwater"
    form: str = "parquet"
    shard_bytes: int = 64 << 20
    tokens_are_bytes: bool = True
    validation: bool = True
    weights_only: bool = False
    files: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """CANDIDATES of the documents that a mix has of a file, by row; the copies of each; which are held out."""

    candidates: pa.Table
    copies: Copies
    held_out: Flags


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut from a file: pieces of shards and of the ledger, its part of the manifest, counts by cell."""

    pieces: list[Piece]
    entry: FileEntry
    train: dict[Cell, WrittenCounts]
    validation: dict[Cell, WrittenCounts]


def choose(file: MixFile, plan: ChoosePlan) -> Choice:
    """What the mix has of a file."""
    candidates = read_arrow(candidates_path(plan.candidates, file.input.number))
    reasons = candidates.column("reason")
    copies = np.asarray(plan.select(candidates, file.input.source), np.int32) * np.asarray(pc.is_null(reasons))
    held_out = np.asarray(pc.fill_null(pc.equal(reasons, HELD_OUT), False)) & plan.validation
    copies = np.where(held_out, 1, copies).astype(np.int32)
    rows = np.flatnonzero(copies)
    rows = rows[np.argsort(np.asarray(candidates.column("row"))[rows], kind="stable")]
    return Choice(candidates.take(pa.array(rows)), copies[rows], held_out[rows])


def measure_file(file: MixFile, plan: ChoosePlan) -> dict[str, int]:
    """Bytes that a file adds to each group of files: of text, by the mean of the file where tokens are not bytes."""
    choice = choose(file, plan)
    if plan.tokens_are_bytes:
        sizes = np.asarray(choice.candidates.column("tokens")) * choice.copies
    else:
        metadata = pq.read_metadata(file.input.path)
        sizes = choice.copies * (int(text_sizes(metadata).sum()) / max(1, metadata.num_rows))
    return {
        TRAIN: int(sizes[~choice.held_out].sum()),
        VALIDATION: int(sizes[choice.held_out].sum()),
        INDEX: len(choice.copies) * ROW_OVERHEAD["index"],
    }


def shard_counts(sizes: Mapping[str, int], plan: ChoosePlan) -> dict[str, int]:
    """Files of each group: as many as keep each near its size, and none of held-out documents where there are none."""
    largest = {TRAIN: plan.shard_bytes, VALIDATION: plan.shard_bytes, INDEX: LEDGER_BYTES}
    counts = {group: max(1, round(size / largest[group])) for group, size in sizes.items() if size}
    return {TRAIN: 1, INDEX: 1, **counts}


def cut_file(file: MixFile, part: int, plan: ChoosePlan, counts: Mapping[str, int]) -> Cut:
    """Read a data file once; leave the chosen rows in pieces by shard, and their part of the manifest in the mix.

    Raises:
        RunError: the file is not the one that was surveyed.
    """
    choice = choose(file, plan)
    stem = f"{file.input.number:05d}"
    path = Path(file.input.path)
    inside = path.relative_to(file.folder) if path.is_relative_to(file.folder) else path
    places = {"source": file.input.source, "run": file.name or file.folder, "file": inside.as_posix()}
    rows = manifest_rows(choice.candidates, choice.copies, choice.held_out, places)
    entry = write_manifest(plan.root, part, plan.files, rows, plan.seed)
    pieces = _ledger_pieces(file, choice, Path(plan.pieces) / f"{stem}.used.arrow", counts[INDEX])
    if len(choice.copies) and not plan.weights_only:
        rows_path = Path(plan.pieces) / f"{stem}.rows.arrow"
        pieces += write_batches(rows_path, PIECE, _parts(file, choice, plan, counts))
    train, validation = (_count(file.input.source, choice, mask) for mask in (~choice.held_out, choice.held_out))
    return Cut(pieces, entry, train, validation)


def _count(source: str, choice: Choice, mask: Flags) -> dict[Cell, WrittenCounts]:
    copies = choice.copies[mask]
    rows = pa.array(np.repeat(np.flatnonzero(mask), copies))
    names = ["origin", "fresh", "language", "page_type", "group", "tokens"]
    table = choice.candidates.select(names).take(rows)
    table = table.append_column("source", pa.repeat(pa.scalar(source), len(rows)))
    return count_cells(table.append_column("copy", pa.array(_copy_numbers(copies))))


def _copy_numbers(copies: Copies) -> Copies:
    """0, 1 … for the copies of each document in turn."""
    ends = np.cumsum(copies)
    return (np.arange(copies.sum()) - np.repeat(ends - copies, copies)).astype(np.int32)


def _ledger_pieces(file: MixFile, choice: Choice, path: Path, count: int) -> list[Piece]:
    """Ids of the used documents by part of the ledger."""
    doc_ids = sorted(choice.candidates.column("doc_id").to_pylist())
    if not doc_ids:
        return []
    targets = [file_path(INDEX, file_number(doc_id, count), count) for doc_id in doc_ids]
    used = pa.table({"doc_id": doc_ids, "folder": pa.repeat(pa.scalar(file.folder), len(doc_ids))})
    return write_batches(path, used.schema, [(used, targets)])


def _parts(
    file: MixFile, choice: Choice, plan: ChoosePlan, counts: Mapping[str, int]
) -> Iterator[tuple[pa.Table, Sequence[str]]]:
    """PIECE tables of the file, by shard, and the shard of each row."""
    train, validation = counts[TRAIN], counts.get(VALIDATION, 0)
    names = np.array(
        [file_name(TRAIN, number, train, plan.form) for number in range(train)]
        + [file_name(VALIDATION, number, validation, plan.form) for number in range(validation)]
    )
    rows = np.asarray(choice.candidates.column("row"))
    for begin, documents, places in read_rows(file.input.path, rows, ("doc_id", *READ_COLUMNS), READ_BYTES):
        found = documents.column("doc_id").take(pa.array(places))
        check_documents(file.input.path, rows[begin:], choice.candidates.column("doc_id")[begin:], found)
        sizes = np.asarray(pc.binary_length(documents.column("text")), np.int64)[places]
        here = choice.copies[begin : begin + len(places)]
        for first, last in spans(sizes * here, PART_BYTES):
            taken = np.repeat(np.arange(first, last), here[first:last])
            numbers = _copy_numbers(here[first:last])
            doc_ids = choice.candidates.column("doc_id").take(pa.array(begin + taken))
            keys = order_keys(plan.seed, doc_ids.to_pylist(), numbers.tolist())
            held_out = choice.held_out[begin + taken]
            shards = np.where(held_out, train + shard_numbers(keys, validation), shard_numbers(keys, train))
            order = np.argsort(shards, kind="stable")
            taken = taken[order]
            table = mix_rows(
                documents.take(pa.array(places[taken])),
                choice.candidates.take(pa.array(begin + taken)),
                numbers[order],
                file.input.source,
                file.run,
            )
            yield table.append_column(PIECE.field("order"), pa.array(keys[order])), names[shards[order]].tolist()
