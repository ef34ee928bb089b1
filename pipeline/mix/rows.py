"""MIX_ROW: the rows of a mix, made of rows of a run's or an ingest folder's data files. Pure functions; no Beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline.arrow_lists import combined
from pipeline.mix.candidates import Cell
from schemas.document import TIMESTAMP


def _field(name: str, kind: pa.DataType, description: str, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


# A list and no map, which `datasets` cannot load.
SCORE = pa.struct([("name", pa.string()), ("value", pa.float64())])
MIX_ROW = pa.schema(
    [
        _field("doc_id", pa.string(), "32 hex digits, as in the source", False),
        _field("copy", pa.int32(), "0 for the first copy of the document in the mix, 1 for the second …", False),
        _field("text", pa.string(), "the text, as in the source", False),
        _field("source", pa.string(), "name of the source in the recipe", False),
        _field("origin", pa.string(), "real, grounded (a rephrasing of its parents) or ungrounded", False),
        _field("fresh", pa.bool_(), "real text that no earlier run or mix held", False),
        _field("group", pa.string(), "what is known of the human share of its like; empty for synthetic text", False),
        _field("language", pa.string(), "ISO 639-3 and script, e.g. `eng_Latn`; strata go by the first three letters"),
        _field("page_type", pa.string(), "article, forum, listing …; null where it is not known"),
        _field("url", pa.string(), "address of the page as archived; null for synthetic text"),
        _field("fetched_at", TIMESTAMP, "capture time, UTC; null when unknown"),
        _field("provenance_label", pa.string(), "human, machine_translated, ai_generated or unknown"),
        _field("p_human", pa.float32(), "probability that a person wrote or translated the text"),
        _field("p_machine_translated", pa.float32(), "probability that a machine translated it"),
        _field("p_ai_generated", pa.float32(), "probability that a model wrote it"),
        _field("cluster_id", pa.string(), "doc_id of the page that stands for the cluster of duplicates"),
        _field("tokens", pa.int64(), "size of the text in the unit of the recipe", False),
        _field("run", pa.string(), "name of the run that the document is of; null for synthetic text"),
        _field("generator", pa.string(), "what wrote it; null for real text"),
        _field("prompt", pa.string(), "prompt, or its name"),
        _field("seed", pa.string(), "seed of the generator"),
        _field("parents", pa.list_(pa.string()), "doc_ids of the documents that it was made of", False),
        _field("depth", pa.int32(), "generation: 0 real text, 1 synthetic text of real text …", False),
        _field("scores", pa.list_(SCORE), "columns that passed through, e.g. of a teacher", False),
    ]
)
# Columns of which each value stands many times.
LOW_CARDINALITY = (
    "copy", "source", "origin", "group", "language", "page_type", "provenance_label", "run", "generator", "prompt",
    "depth", "scores.list.element.name",
)  # fmt: skip
# Of the candidate and of the place in the mix; the others are read from the data file.
_OF_CANDIDATE = ("doc_id", "origin", "fresh", "group", "tokens")
_MADE = (*_OF_CANDIDATE, "copy", "source", "run")
READ_COLUMNS = tuple(name for name in MIX_ROW.names if name not in _MADE)


def mix_rows(
    documents: pa.Table, candidates: pa.Table, copies: npt.NDArray[np.int32], source: str, run: str | None
) -> pa.Table:
    """MIX_ROW of `documents` (READ_COLUMNS of a data file, as far as it has them), row by row.

    `candidates` are CANDIDATES of these rows, and `copies` the number of each one's copy. Columns that the data file
    lacks are null, and maps are lists; a document without lineage has no parents, no scores and the depth of real text.
    """
    rows, have = documents.num_rows, set(documents.schema.names)

    def made(field: pa.Field) -> pa.Array | pa.ChunkedArray:
        if field.name in _OF_CANDIDATE:
            return candidates.column(field.name).cast(field.type)
        if field.name == "copy":
            return pa.array(copies, field.type)
        if field.name in ("source", "run"):
            return pa.repeat(pa.scalar(source if field.name == "source" else run, field.type), rows)
        if field.name not in have:
            return pa.nulls(rows, field.type) if field.nullable else _empty(field.type, rows)
        found = documents.column(field.name)
        if pa.types.is_list(field.type):
            return _lists(combined(found), field.type)
        found = found.cast(field.type)
        return pc.fill_null(found, 0) if field.name == "depth" else found

    return pa.table([made(field) for field in MIX_ROW], schema=MIX_ROW)


def _empty(kind: pa.DataType, rows: int) -> pa.Array:
    """Zeros, or empty lists."""
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.nulls(0, kind.value_type), type=kind)
    return pa.array(np.zeros(rows), kind)


def _lists(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists, empty ones for nulls; maps as lists of names and values. They were taken by row: a null has no entries."""
    if not len(values):
        return _empty(kind, 0)
    if pa.types.is_map(values.type):
        entries = pa.StructArray.from_arrays([values.keys, values.items], fields=list(kind.value_type))
    else:
        entries = values.values
    return pa.ListArray.from_arrays(values.offsets, entries.cast(kind.value_type), type=kind)


def order_keys(seed: str, doc_ids: Sequence[str], copies: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Place of each copy of a document in the mix, whose order is ascending: xxh3_64 of seed, id and copy."""
    hashed = xxhash.xxh3_64_intdigest
    keys = (hashed(f"{seed}\x00{doc_id}\x00{copy}".encode()) for doc_id, copy in zip(doc_ids, copies, strict=True))
    return np.fromiter(keys, np.uint64, len(doc_ids))


def shard_numbers(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.int64]:
    """Shard of each key: ranges of keys, so that shards one after the other are one order."""
    numbers: npt.NDArray[np.int64] = (((keys >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)).astype(np.int64)
    return numbers


@dataclass(frozen=True, slots=True)
class WrittenCounts:
    """What was written of a cell: documents, copies of them, tokens of all copies, tokens of fresh first copies."""

    documents: int = 0
    copies: int = 0
    tokens: int = 0
    fresh_tokens: int = 0

    def __add__(self, other: WrittenCounts) -> WrittenCounts:
        return WrittenCounts(
            self.documents + other.documents,
            self.copies + other.copies,
            self.tokens + other.tokens,
            self.fresh_tokens + other.fresh_tokens,
        )


def count_cells(rows: pa.Table) -> dict[Cell, WrittenCounts]:
    """Counts by cell of rows of a mix (columns of MIX_ROW; `text` and others that are not counted may be missing)."""
    first = pc.equal(rows.column("copy"), 0)
    tokens = rows.column("tokens")
    counted = pa.table(
        {
            "source": rows.column("source"),
            "origin": rows.column("origin"),
            "fresh": rows.column("fresh"),
            "language": pc.utf8_slice_codeunits(pc.fill_null(rows.column("language"), "und"), 0, 3),
            "page_type": pc.fill_null(rows.column("page_type"), "none"),
            "group": rows.column("group"),
            "documents": first.cast(pa.int64()),
            "tokens": tokens,
            "fresh_tokens": pc.if_else(pc.and_(first, rows.column("fresh")), tokens, 0),
        }
    )
    names = ["source", "origin", "fresh", "language", "page_type", "group"]
    sums = counted.group_by(names).aggregate(
        [("documents", "sum"), ([], "count_all"), ("tokens", "sum"), ("fresh_tokens", "sum")]
    )
    return {
        Cell(*(row[name] for name in names)): WrittenCounts(
            row["documents_sum"], row["count_all"], row["tokens_sum"], row["fresh_tokens_sum"]
        )
        for row in sums.to_pylist()
    }


def add_counts(one: dict[Cell, WrittenCounts], other: dict[Cell, WrittenCounts]) -> dict[Cell, WrittenCounts]:
    """Sums by cell."""
    return {cell: one.get(cell, WrittenCounts()) + other.get(cell, WrittenCounts()) for cell in {*one, *other}}
