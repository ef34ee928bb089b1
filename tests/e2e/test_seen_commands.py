"""Take-down in a real run, and a run after it that has seen it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import SampleRun, headwater

ROWS = ["doc_id", "url", "text", "cluster_size"]


@pytest.mark.full
def test_a_page_that_was_taken_down_is_not_kept_again(sample_run: SampleRun, tmp_path: Path) -> None:
    run = Path(shutil.copytree(sample_run.path, tmp_path / "run"))
    file = max(run.glob("data/*/train-*.parquet"), key=lambda path: path.stat().st_size)
    page, other = [row for row in pq.ParquetFile(file).read(columns=ROWS).to_pylist() if row["cluster_size"] == 1][:2]
    (tmp_path / "text").write_text(page["text"])
    query = ("seen", "query", run, "--text", tmp_path / "text", "--url", page["url"])
    found = [json.loads(line) for line in headwater(*query).stdout.splitlines()]
    assert {(row["doc_id"], tuple(row["match"])) for row in found} == {
        (page["doc_id"], ("url",)), (page["doc_id"], ("text",)),
    }  # fmt: skip
    (tmp_path / "ids").write_text(page["doc_id"])
    assert headwater("seen", "remove", run, "--ids", tmp_path / "ids").returncode == 0
    assert headwater("verify", run).returncode == 0
    after = headwater(*query)
    assert after.stdout == ""
    assert "nothing matches" in after.stderr
    later = tmp_path / "later"
    done = headwater("curate", "--output", later, "--seen", run)
    assert done.returncode == 0, done.stderr
    assert headwater("verify", later).returncode == 0
    dropped = {
        row["doc_id"]: row["reason"]
        for path in later.glob("dropped/*.parquet")
        for row in pq.ParquetFile(path).read(columns=["doc_id", "reason"]).to_pylist()
    }
    assert dropped[page["doc_id"]] == "taken_down"
    assert dropped[other["doc_id"]] == "url_duplicate", "its address was seen, and not earlier than this"
