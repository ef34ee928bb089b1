"""Rows of a mix: each chosen copy once, in one order, the same bytes however the work is cut."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mix_samples import doc_id, make_sources, rows_of, run_rows, select, text_of, write_here

import pipeline.mix.choose as choosing
from pipeline.host import close_shared_host
from pipeline.mix.candidates import Cell
from pipeline.mix.choose import HELD_OUT, choose, cut_file, measure_file, shard_counts
from pipeline.mix.rows import MIX_ROW, count_cells, order_keys, shard_numbers
from pipeline.mix.shards import write_shard
from pipeline.mix.source_rows import read_rows, spans
from pipeline.runs import RunError


def test_every_chosen_copy_is_written_once_with_its_text_and_lineage(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    entries = write_here(files, plan)
    rows = rows_of(plan.root)
    wanted = Counter[tuple[str, int]]()
    for name, count in (("web", 80), ("more", 40), ("made", 40)):
        for row in range(count):
            copies = (row <= 60) + (row <= 20) if row % 11 != 10 else 0
            wanted.update((doc_id(f"{name} {row}"), copy) for copy in range(copies))
    assert Counter((row["doc_id"], row["copy"]) for row in rows) == wanted
    texts = {doc_id(f"{name} {row}"): text_of(name, row) for name in ("web", "more", "made") for row in range(80)}
    assert all(row["text"] == texts[row["doc_id"]] for row in rows)
    assert sum(entry.rows for entry in entries if entry.path.startswith("data/train")) == len(rows)
    made = {row["doc_id"]: row for row in rows if row["source"] == "made"}
    child, orphan = made[doc_id("made 3")], made[doc_id("made 4")]
    assert (child["parents"], child["depth"], child["generator"], child["seed"]) == ([doc_id("web 3")], 1, "gpt-x", "3")
    scores = [{"name": "relevance", "value": 0.75}]
    assert (child["scores"], child["run"], child["origin"]) == (scores, None, "grounded")
    assert (orphan["parents"], orphan["scores"]) == ([], [])
    real = next(row for row in rows if row["doc_id"] == doc_id("web 3"))
    assert (real["run"], real["depth"], real["parents"], real["generator"]) == ("aaaa", 0, [], None)
    assert (real["language"], real["page_type"], real["group"], real["fresh"]) == ("spa_Latn", None, "dated", True)


def test_shards_are_one_order_by_hash_that_has_no_traces_of_the_files(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files, plan)
    rows = rows_of(plan.root)
    assert len(list(Path(plan.root).glob("data/train-*"))) > 3
    keys = order_keys(plan.seed, [row["doc_id"] for row in rows], [row["copy"] for row in rows])
    assert (np.diff(keys.astype(object)) > 0).all()
    sources = [row["source"] for row in rows]
    assert sum(one != other for one, other in pairwise(sources)) > len(rows) / 5


def test_held_out_documents_are_beside_the_mix_once_each(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files, plan)
    held = rows_of(plan.root, "validation")
    assert {row["doc_id"] for row in held} == {doc_id(f"held {row}") for row in range(12) if row != 10}
    assert {row["copy"] for row in held} == {0}
    assert not {row["doc_id"] for row in held} & {row["doc_id"] for row in rows_of(plan.root)}
    without = replace(plan, root=str(tmp_path / "without"), validation=False)
    assert not [entry for entry in write_here(files, without) if "validation" in entry.path]
    assert all(set(choose(file, without).held_out.tolist()) <= {False} for file in files)


def test_bytes_do_not_depend_on_how_the_work_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, plan = make_sources(tmp_path)
    first = write_here(files, plan)
    monkeypatch.setattr(choosing, "READ_BYTES", 300)
    monkeypatch.setattr(choosing, "PART_BYTES", 200)
    again = write_here(files, replace(plan, root=str(tmp_path / "again"), pieces=str(tmp_path / "other")))
    assert [(entry.path, entry.sha256) for entry in again] == [(entry.path, entry.sha256) for entry in first]
    other = write_here(files, replace(plan, root=str(tmp_path / "seed"), seed="another"))
    assert [entry.rows for entry in other if "weights" in entry.path] == [
        entry.rows for entry in first if "weights" in entry.path
    ]
    assert rows_of(str(tmp_path / "seed")) != rows_of(plan.root)


def test_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    web = next(file for file in files if "human/train" in file.input.path)
    cut = cut_file(web, 0, plan, {"data/train": 2, "index/part": 1})
    pieces = {f"data/train-0000{n}-of-00002.parquet": n for n in range(2)}
    written = [
        write_shard(plan.root, name, "parquet", [piece for piece in cut.pieces if piece.target == name])
        for name in pieces
    ]
    total = sum((counts for one in written for counts in one.counts.values()), start=next(iter(cut.train.values())))
    of_cut = sum(cut.train.values(), start=next(iter(cut.train.values())))
    assert total == of_cut
    assert count_cells(pa.Table.from_pylist(rows_of(plan.root), schema=MIX_ROW)) == cut.train
    und = cut.train[Cell("web", "real", True, "und", "article", "dated")]
    assert (und.copies > und.documents > 0, und.fresh_tokens < und.tokens) == (True, True)


def test_nothing_chosen_leaves_an_empty_shard_manifest_and_ledger(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    entries = write_here(files[:1], replace(plan, select=partial(select, passes=(-1,))))
    assert [(entry.path, entry.rows) for entry in entries] == [
        ("data/train-00000-of-00001.parquet", 0),
        ("index/part-00000-of-00001.parquet", 0),
        ("weights/part-00000-of-00001.parquet", 0),
    ]
    assert pq.read_schema(Path(plan.root) / entries[0].path).names == MIX_ROW.names


def test_sizes_are_those_of_the_text_where_tokens_are_not_bytes(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    web = next(file for file in files if "human/train" in file.input.path)
    exact, guessed = measure_file(web, plan), measure_file(web, replace(plan, tokens_are_bytes=False))
    assert exact["data/train"] == pytest.approx(guessed["data/train"], rel=0.5)
    assert shard_counts({"data/train": 10_000, "data/validation": 0, "index/part": 9}, plan) == {
        "data/train": 5,
        "index/part": 1,
    }


def test_rows_are_read_from_the_groups_that_hold_them(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(run_rows("web", 100), path, row_group_size=7)
    rows = np.array([0, 6, 7, 50, 98, 99])
    for limit in (1, 200, 1 << 30):
        found = [
            (int(rows[begin + at]), table.column("doc_id")[place].as_py())
            for begin, table, places in read_rows(str(path), rows, ("doc_id", "text", "no_such"), limit)
            for at, place in enumerate(places.tolist())
        ]
        assert found == [(row, doc_id(f"web {row}")) for row in rows.tolist()]
    assert list(read_rows(str(path), rows[:0], ("doc_id",), 10)) == []


def test_a_file_that_changed_or_is_damaged_is_named(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    web = next(file for file in files if "human/train" in file.input.path)
    pq.write_table(run_rows("web", 5), web.input.path)
    with pytest.raises(RunError, match=r"train-00000.* has 5 rows and no row 60"):
        cut_file(web, 0, plan, {"data/train": 1, "index/part": 1})
    pq.write_table(run_rows("other", 80), web.input.path)
    with pytest.raises(RunError, match=r"row 0 is .*, the mix has .* there"):
        cut_file(web, 0, plan, {"data/train": 1, "index/part": 1})
    Path(web.input.path).write_bytes(b"PAR1 no more")
    with pytest.raises(RunError, match="cannot be read"):
        cut_file(web, 0, plan, {"data/train": 1, "index/part": 1})


def test_a_worker_that_dies_leaves_no_file_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, plan = make_sources(tmp_path)
    cut = cut_file(files[0], 0, plan, {"data/train": 1, "index/part": 1})
    name = "data/train-00000-of-00001.tar"
    pieces = [replace(piece, target=name) for piece in cut.pieces if piece.target.startswith("data")]
    child = os.fork()
    if not child:
        monkeypatch.setattr("pipeline.mix.formats.json_rows", lambda table: os._exit(9))
        write_shard(plan.root, name, "webdataset", pieces)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = list((Path(plan.root) / "data").iterdir())
    assert [path.suffix for path in left] == [".writing"]
    assert write_shard(plan.root, name, "webdataset", pieces).entry.rows == 68 - 11


def test_groups_begin_where_sums_pass_a_multiple() -> None:
    assert spans(np.array([5, 5, 5, 100, 1, 0]), 10) == [(0, 2), (2, 4), (4, 6)]
    assert spans(np.array([0, 0, 0]), 10) == [(0, 3)]
    assert spans(np.array([], np.int64), 10) == []


def test_ranges_of_keys_are_even_and_ordered() -> None:
    keys = order_keys("seed", [f"{number:032x}" for number in range(4000)], [0] * 4000)
    numbers = shard_numbers(np.sort(keys), 7)
    assert (np.diff(numbers) >= 0).all()
    assert set(numbers.tolist()) == set(range(7))
    assert np.bincount(numbers).max() < 1.2 * 4000 / 7
    assert shard_numbers(np.array([2**64 - 1], np.uint64), 1_000_000).tolist() == [999_999]


@pytest.mark.full
def test_the_dataflow_writes_the_same_bytes_as_one_process(tmp_path: Path) -> None:
    from pipeline.mix.write import write_mix

    files, plan = make_sources(tmp_path)
    alone = write_here(files, replace(plan, root=str(tmp_path / "alone"), pieces=str(tmp_path / "other")))
    leftover = tmp_path / "mix" / "data" / ".train-00000-of-00009.tar.77.writing"
    leftover.write_bytes(b"half")
    try:
        mix = write_mix(files[::-1], plan, workers=2)
    finally:
        close_shared_host()
    assert [(e.path, e.rows, e.sha256) for e in mix.entries] == [(e.path, e.rows, e.sha256) for e in alone]
    assert not leftover.exists()
    assert mix.train == count_cells(pa.Table.from_pylist(rows_of(plan.root), schema=MIX_ROW))
    assert sum(counts.documents for counts in mix.validation.values()) == 11
    assert HELD_OUT == "validation"
