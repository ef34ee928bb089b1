"""Shards of a mix: gathered from their pieces, in the order of the mix, published when whole. No Beam.

A worker holds one shard in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.mix.candidates import Cell
from pipeline.mix.formats import FORMATS
from pipeline.mix.rows import LOW_CARDINALITY, MIX_ROW, WrittenCounts, count_cells
from pipeline.mix.source_rows import spans
from pipeline.write import ROW_GROUP_BYTES, Piece, publish, read_piece, write_tables
from schemas.manifest import FileEntry

# What pieces hold: rows, and their places in the mix.
PIECE = pa.schema([*MIX_ROW, pa.field("order", pa.uint64(), nullable=False)])
# Offsets of 64 bits: the texts of a shard may be more than 2 GiB.
_GATHERED = pa.schema([field.with_type(pa.large_string()) if field.name == "text" else field for field in MIX_ROW])


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """A published shard and what it holds of each cell."""

    entry: FileEntry
    counts: dict[Cell, WrittenCounts]


def write_shard(root: str, target: str, form: str, pieces: Sequence[Piece]) -> WrittenShard:
    """Gather a shard from its pieces, put its rows in the order of the mix and publish it when it is whole.

    Raises:
        OSError: what was written cannot be read back in full.
    """
    path = Path(root) / target
    path.parent.mkdir(parents=True, exist_ok=True)
    gathered = pa.concat_tables([read_piece(piece) for piece in pieces]) if pieces else PIECE.empty_table()
    keys = gathered.select(["order", "doc_id", "copy", "source"])
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.schema.names])
    rows = gathered.drop_columns(["order"]).cast(_GATHERED).combine_chunks()
    sizes = np.asarray(pc.binary_length(rows.column("text")), np.int64)
    groups = spans(sizes[np.asarray(order)], ROW_GROUP_BYTES)

    def tables() -> Iterator[pa.Table]:
        for begin, end in groups:
            yield rows.take(order.slice(begin, end - begin)).cast(MIX_ROW).combine_chunks()

    kind = FORMATS[form]
    if kind.write is None or kind.count is None:
        entry = write_tables(Path(root), target, MIX_ROW, tables(), LOW_CARDINALITY)
    else:
        write = kind.write
        entry = publish(Path(root), target, lambda temporary: write(temporary, tables()), kind.count)
    return WrittenShard(entry, count_cells(rows))
