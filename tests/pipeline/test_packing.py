"""Packed tables are what they were, in memory and on disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.packing import SPILL_FROM, gather, pack, spilling, unpack


def table(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({"a": rng.integers(0, 2**63, rows).astype(np.uint64), "b": [str(n) for n in range(rows)]})


def test_a_slice_is_packed_without_the_rest() -> None:
    big = table(10_000)
    packed = pack(big.slice(5, 3))
    assert unpack(packed).equals(big.slice(5, 3))
    assert len(packed) < 2000


def test_large_tables_wait_on_disk_and_small_ones_travel(tmp_path: Path) -> None:
    small, large = table(3), table(SPILL_FROM)
    with spilling(tmp_path / "spill"):
        tickets = [pack(small), pack(large), pack(table(SPILL_FROM, 1))]
        assert len(tickets[1]) < 300 < len(tickets[0])
        assert [unpack(ticket) for ticket in tickets] == [small, large, table(SPILL_FROM, 1)]
        assert gather(tickets, small.schema).num_rows == 3 + 2 * SPILL_FROM
    assert not list((tmp_path / "spill").iterdir()), "the file goes in the end"
    assert len(pack(large)) > SPILL_FROM, "outside, everything travels"


def test_threads_write_without_mixing(tmp_path: Path) -> None:
    tables = [table(2000 + n, n) for n in range(40)]
    with spilling(tmp_path), ThreadPoolExecutor(8) as pool:
        tickets = list(pool.map(pack, tables))
        assert [unpack(ticket) for ticket in tickets] == tables


def test_the_file_goes_when_the_work_fails(tmp_path: Path) -> None:
    try:
        with spilling(tmp_path):
            pack(table(SPILL_FROM))
            raise RuntimeError
    except RuntimeError:
        pass
    assert not list(tmp_path.iterdir())


def test_nothing_is_an_empty_table() -> None:
    schema = table(1).schema
    assert gather([], schema).equals(schema.empty_table())
    assert unpack(pack(schema.empty_table())).schema == schema
