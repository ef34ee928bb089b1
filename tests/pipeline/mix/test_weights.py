"""Texts of a mix by its manifest of weights, without copied text."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mix_samples import make_sources, rows_of, write_here

from pipeline.mix.weights import WEIGHTS, read_weighted
from pipeline.runs import RunError


def test_the_manifest_gives_the_texts_of_the_shards_in_either_order(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files, plan)
    wanted = [(row["doc_id"], row["copy"], row["source"], row["text"]) for row in rows_of(plan.root)]
    for window in (200, 1 << 20):
        found = list(read_weighted(plan.root, order="mix", window_bytes=window))
        assert [(one.doc_id, one.copy, one.source, one.text) for one in found] == wanted
    by_file = list(read_weighted(Path(plan.root) / "weights", window_bytes=500))
    assert Counter((one.doc_id, one.copy, one.source, one.text) for one in by_file) == Counter(wanted)
    assert sum(one.tokens for one in by_file) == sum(len(one.text.encode()) for one in by_file)
    held = [(one.doc_id, one.text) for one in read_weighted(plan.root, order="mix", split="validation")]
    assert held == [(row["doc_id"], row["text"]) for row in rows_of(plan.root, "validation")]


def test_a_manifest_alone_is_the_same_manifest(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    entries = write_here(files, plan)
    alone = write_here(files, replace(plan, root=str(tmp_path / "alone"), weights_only=True))
    assert [(e.path, e.sha256) for e in alone] == [(e.path, e.sha256) for e in entries if "data/" not in e.path]
    assert not list((tmp_path / "alone").rglob("data/*"))


def test_paths_are_relative_to_the_folder_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, plan = make_sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    here = [
        replace(
            file,
            folder=str(Path(file.folder).relative_to(tmp_path)),
            input=replace(file.input, path=str(Path(file.input.path).relative_to(tmp_path))),
        )
        for file in files
    ]
    write_here(here, plan)
    monkeypatch.chdir("/")
    row = pq.ParquetFile(Path(plan.root) / "weights" / "part-00000-of-00004.parquet").read().to_pylist()[0]
    assert (row["run"], row["file"]) == ("synthetic", "data/synthetic-00000-of-00001.parquet")
    assert len(list(read_weighted(plan.root, tmp_path))) == len(rows_of(plan.root))
    assert all(field.metadata[b"description"] for field in WEIGHTS)


def test_sources_that_changed_are_named(tmp_path: Path) -> None:
    files, plan = make_sources(tmp_path)
    write_here(files, plan)
    path = files[0].input.path
    table = pq.ParquetFile(path).read()
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(0, 1)]), path)
    with pytest.raises(RunError, match=r"row 0 is .*, the mix has .* there; the file has changed since"):
        list(read_weighted(plan.root))
    Path(path).unlink()
    with pytest.raises(RunError, match="cannot be read"):
        list(read_weighted(plan.root))
    with pytest.raises(RunError, match="holds no manifest of weights"):
        list(read_weighted(tmp_path / "web"))
