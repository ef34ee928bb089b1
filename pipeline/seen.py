"""Earlier runs in the matching of a run: an index file is a shard like any other whose text is gone. No Beam.

Its pages are preferred to all of this run, because they are published already.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.index import TAKEN_DOWN_REASON
from pipeline.keys import content_key, document_hashes, keys_path, read_arrow, time_ranks
from pipeline.match import TAKEN_DOWN

FIRST_SEEN_SHARD = 1 << 31  # numbers of the shards of earlier runs begin here: the top bit of their references

_STORED = {
    "rank": ("doc_id", "fetched_at"),
    "capture_rank": ("doc_id", "fetched_at"),
    "content_key": ("content_hash",),
    "reference": (),
    "taken_down": ("role", "reason"),
}


@dataclass(frozen=True, slots=True)
class SeenFile:
    """An index file of an earlier run, and the number of the shard that it is."""

    number: int
    run: str
    path: str

    @property
    def name(self) -> str:
        """Name of the shard: everything that reading it needs."""
        return "seen:" + json.dumps([self.number, self.run, self.path])


def is_seen(name: str) -> bool:
    """Whether a shard is an index file of an earlier run."""
    return name.startswith("seen:")


def parse_name(name: str) -> tuple[int, str, str]:
    """Number, run and path of the shard of an index file."""
    number, run, path = json.loads(name.removeprefix("seen:"))
    return int(number), str(run), str(path)


def file_stem(name: str) -> str:
    """Name of the files beside a shard."""
    return f"seen-{parse_name(name)[0]}" if is_seen(name) else name


def shard_keys(folder: str, name: str, columns: Sequence[str], keep_capture: str = "oldest") -> pa.Table:
    """Columns of the KEYS of a shard; of an earlier run also `role`, `cluster_id`, `cluster_run` and `taken_down`.

    `capture_rank` of an earlier run is by `keep_capture`; its other ranks are by time, the oldest first.
    """
    if not is_seen(name):
        table = read_arrow(keys_path(folder, name))
        return table.select([column for column in columns if column in table.schema.names])
    number, run, path = parse_name(name)
    stored = [name for column in columns for name in _STORED.get(column, (column,))]
    table = pq.read_table(path, columns=list(dict.fromkeys(stored)), partitioning=None)
    rows = pq.read_metadata(path).num_rows
    made: dict[str, pa.Array | pa.ChunkedArray] = {}
    is_ranked = "rank" in columns or "capture_rank" in columns
    hashes = document_hashes(table.column("doc_id")) if is_ranked else np.zeros(0, np.uint64)
    for column in columns:
        if column in ("rank", "capture_rank"):
            keep = keep_capture if column == "capture_rank" else "oldest"
            made[column] = pa.array(time_ranks(table, keep, hashes))
        elif column == "reference":
            made[column] = pa.array((np.uint64(number) << np.uint64(32)) + np.arange(rows, dtype=np.uint64))
        elif column == "content_key":
            made[column] = content_key(table.column("content_hash"))
        elif column == "cluster_run":
            made[column] = pc.fill_null(table.column(column), run)
        elif column == "taken_down":  # the page itself, or what it was a copy of
            copies = pc.equal(pc.fill_null(table.column("reason"), ""), TAKEN_DOWN_REASON)
            made[column] = pc.or_(copies, pc.equal(table.column("role"), TAKEN_DOWN))
        else:
            made[column] = table.column(column)
    return pa.table(made)
