"""The ledger of a mix: index rows of what it used, which later runs and mixes compare themselves with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mix_samples import doc_id, index_rows, make_sources, run_rows, select, write_here, write_source

import pipeline.mix.choose as choosing
from pipeline.index import check_compatible, read_index
from pipeline.mix.choose import MixFile
from pipeline.mix.ledger import index_files, ledger_parameters, write_ledger_file
from pipeline.runs import RunError
from pipeline.seen import SeenFile, shard_keys
from pipeline.write import INDEX
from schemas.manifest import write_json


def ledger_of(root: str) -> list[dict[str, object]]:
    """Rows of all parts of a ledger."""
    parts = sorted(Path(root).glob("index/part-*"))
    return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]


def test_the_ledger_has_the_index_rows_of_what_was_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files, plan)
    names = [(name, row) for name, count in (("web", 80), ("more", 40), ("made", 40)) for row in range(count)]
    used = {doc_id(f"{name} {row}") for name, row in names if row % 11 != 10 and row <= 60}
    used |= {doc_id(f"held {row}") for row in range(12) if row != 10}
    rows = ledger_of(plan.root)
    assert [row["doc_id"] for row in rows] == sorted(used)
    wanted = {row["doc_id"]: row for row in index_rows(sorted(used)).to_pylist()}
    assert all(row == wanted[row["doc_id"]] for row in rows)
    monkeypatch.setattr(choosing, "LEDGER_BYTES", 30_000)
    many = replace(plan, root=str(tmp_path / "many"), pieces=str(tmp_path / "other"))
    assert len([entry for entry in write_here(files, many) if entry.path.startswith("index/")]) > 3
    assert ledger_of(many.root) == rows


def test_a_larger_mix_has_used_all_that_a_smaller_one_has(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    used = []
    for number, limit in enumerate((20, 60)):
        root = str(tmp_path / str(number))
        write_here(files, replace(plan, root=root, select=partial(select, passes=(limit,))))
        used.append({row["doc_id"] for row in ledger_of(root)})
    assert used[0] < used[1]


def test_later_runs_read_the_ledger_as_the_index_of_a_run(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    entries = [entry for entry in write_here(files, plan) if entry.path.startswith("index/")]
    folders = sorted({file.folder for file in files})
    entry = write_ledger_file(plan.root, entries, "recipe", "inputs", folders)
    assert entry == write_ledger_file(plan.root, entries, "recipe", "inputs", folders[::-1])
    assert entry.sha256 != write_ledger_file(plan.root, entries, "another", "inputs", folders).sha256
    entry = write_ledger_file(plan.root, entries, "recipe", "inputs", folders)
    write_json(Path(plan.root) / "mix.json", {"files": [asdict(one) for one in (*entries, entry)]})
    index = read_index(plan.root)
    assert (index.documents, index.seen) == (sum(one.rows for one in entries), ("aaaa", "bbbb"))
    check_compatible([index], {"shape": "14x8"})
    seen = SeenFile(1 << 31, index.run, str(index.files[0]))
    keys = shard_keys("", seen.name, ["reference", "rank", "content_key", "role", "cluster_run", "taken_down"])
    assert keys.num_rows == index.documents
    assert set(keys.column("cluster_run").to_pylist()) == {index.run}
    assert set(keys.column("taken_down").to_pylist()) == {False}


def test_an_index_that_lacks_documents_or_differs_is_named(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    web = next(file.folder for file in files if file.input.source == "web")
    (path,) = index_files(web)
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.filter([value != doc_id("web 3") for value in rows.column("doc_id").to_pylist()]), path)
    with pytest.raises(RunError, match=r"web: its index lacks 1 of its documents"):
        write_here(files, plan)
    other = tmp_path / "synthetic" / "index" / "index.json"
    values = json.loads(other.read_text(encoding="utf-8"))
    other.write_text(json.dumps({**values, "parameters": {"shape": "20x10"}}), encoding="utf-8")
    with pytest.raises(RunError, match="another shape than"):
        ledger_parameters([web, str(tmp_path / "synthetic")])
    other.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        ledger_parameters([web, str(tmp_path / "synthetic")])
    Path(path).unlink()
    with pytest.raises(RunError, match="has no index"):
        index_files(web)


def test_one_run_under_two_spellings_is_found_in_both(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    web = [file for file in files if file.input.source == "web"]
    respelled = [*web[:1], *(MixFile(file.input, f"{file.folder}/../web", file.run) for file in web[1:])]
    write_here(respelled, plan)
    rows = ledger_of(plan.root)
    write_here(web, replace(plan, root=str(tmp_path / "again")))
    assert ledger_of(str(tmp_path / "again")) == rows


def test_an_empty_ledger_is_whole(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files[:1], replace(plan, select=partial(select, passes=(-1,))))
    (part,) = Path(plan.root).glob("index/part-*")
    assert pq.read_schema(part).names == INDEX.names
    write_source(tmp_path / "none", {"data/human/train.parquet": run_rows("x", 0)}, "cccc")
    assert len(index_files(tmp_path / "none")) == 1
