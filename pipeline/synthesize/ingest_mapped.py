"""Rows of an Arrow file by their place, without reading the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class MappedRows:
    """An Arrow file, mapped into memory. Batches stay apart: joined, every access would copy the whole file."""

    def __init__(self, path: Path) -> None:
        self._source = pa.memory_map(str(path))
        reader = pa.ipc.open_file(self._source)
        self.schema: pa.Schema = reader.schema
        self._batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def table(self) -> pa.Table:
        """All rows, not copied."""
        return pa.Table.from_batches(self._batches, self.schema)

    def take(self, places: npt.NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
        """Columns (all by default) of the rows at `places`, in that order."""
        names = self.schema.names if columns is None else list(columns)
        schema = pa.schema([self.schema.field(name) for name in names])
        batch = np.searchsorted(self._starts, places, "right") - 1
        order = np.argsort(batch, kind="stable")
        numbers, begins = np.unique(batch[order], return_index=True)
        parts = [
            self._batches[number].select(names).take(pa.array(places[rows] - self._starts[number]))
            for number, rows in zip(numbers.tolist(), np.split(order, begins[1:]), strict=False)
        ]
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.Table.from_batches(parts, schema).combine_chunks().take(pa.array(back))
