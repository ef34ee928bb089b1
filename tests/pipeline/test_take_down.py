"""Take-down: what goes, what stays, and what a crash leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from fake_seen_run import FakePage, doc_id, make_run, manifest_of, rows_of, words

import pipeline.take_down
from pipeline.clusters import MEMBERS, choose_canonical
from pipeline.dedup import MEMBER_COLUMNS
from pipeline.equals import EQUAL_COLUMNS, standing_captures, standing_texts
from pipeline.index import TAKEN_DOWN_FILE, read_index
from pipeline.job import seen_files
from pipeline.match import OTHER_COPY, REPRESENTATIVE, TAKEN_DOWN
from pipeline.runs import JOURNAL, RunError, verify_run
from pipeline.seen import shard_keys
from pipeline.seen_commands import seen
from pipeline.take_down import read_ids, read_urls, take_down
from schemas.config import DuplicatePolicy

HIDDEN = {"record_id": None, "url": None}


def pages() -> list[FakePage]:
    kept = [FakePage(f"kept{n}", " ".join(words(n)), f"http://www.example.org/{n}") for n in range(8)]
    return [
        *kept,
        FakePage("copy", " ".join(words(0)), "http://example.org/copy", "exact_duplicate", "kept0", source="b.warc.gz"),
        FakePage("bad", "too short", "http://example.org/bad", "gopher_short_doc"),
        FakePage("gone", "", "http://example.org/gone", "http_status", early=True, source="b.warc.gz"),
        FakePage("bare", "no address at all", None, "gopher_short_doc"),
    ]


FAILURE = {
    "unit": "page", "stage": "extract", "code": "cpu_limit", "message": "10 s", "source_file": "b.warc.gz",
    "source_offset": 9, "source_end": None, "record_id": "<r>", "url": "http://example.org/f", "doc_id": doc_id("f"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = [("kept1", "kept2", None, 0.8), ("kept3", "other", "ab" * 8, 0.9), ("kept4", "kept5", None, 0.8)]
    root = make_run(tmp_path_factory.mktemp("made") / "run", pages(), pairs=pairs, failures=[FAILURE])
    assert verify_run(root) == []
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def content(root: Path) -> dict[str, bytes]:
    """All files but the part of the manifest that says when."""
    files = {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    manifest = json.loads(files["run.json"])
    del manifest["execution"]
    return {**files, "run.json": json.dumps(manifest).encode()}


def test_a_kept_page_goes_and_the_account_holds(run: Path) -> None:
    wanted = doc_id("kept0")
    offset = next(row["source_offset"] for row in rows_of(run, "data/*/") if row["doc_id"] == wanted)
    done = take_down(run, [wanted, "0" * 32])
    assert (done.kept, done.dropped, done.missing) == ([wanted], [], ["0" * 32])
    assert done.dependants == [{"doc_id": doc_id("copy"), "duplicate_of": wanted, "reason": "exact_duplicate"}]
    assert verify_run(run) == []
    for group in ("data/*/", "index/part", "index/pairs"):
        assert wanted not in {row["doc_id"] for row in rows_of(run, group)}
    row = next(row for row in rows_of(run, "dropped/") if row["doc_id"] == wanted)
    there = {name: value for name, value in row.items() if value is not None}
    assert there == {
        "doc_id": wanted, "source_file": "a.warc.gz", "source_offset": offset, "reason": "taken_down",
    }  # fmt: skip
    manifest = manifest_of(run)
    assert manifest["counts"]["kept"] == 7
    assert manifest["counts"]["dropped"]["taken_down"] == 1
    assert manifest["execution"]["taken_down"][0]["documents"] == 1
    assert not any(b"www.example.org/0" in data or b"kept0" in data for data in content(run).values())


def test_a_dropped_page_keeps_its_reason_and_loses_its_name(run: Path) -> None:
    wanted = [doc_id(name) for name in ("bad", "gone", "f")]
    done = take_down(run, wanted)
    assert sorted(done.dropped) == sorted(wanted)
    assert verify_run(run) == []
    rows = {row["doc_id"]: row for row in rows_of(run, "dropped/")}
    assert rows[wanted[0]].items() >= {**HIDDEN, "reason": "gopher_short_doc"}.items()
    assert rows[wanted[1]].items() >= {**HIDDEN, "reason": "http_status"}.items()
    assert rows_of(run, "failures/")[0].items() >= {**HIDDEN, "code": "cpu_limit"}.items()
    assert rows[doc_id("copy")]["url"] == "http://example.org/copy"
    assert "taken_down" not in manifest_of(run)["counts"]["dropped"]
    known = {row["doc_id"]: row for row in rows_of(run, "index/taken-down")}
    assert set(known) == set(wanted)
    assert all(row["url_key"] is not None for row in known.values())
    assert all(row["sketch"] is None and row["bands"] is None and row["role"] == 4 for row in known.values())


def test_by_address_however_spelled(run: Path) -> None:
    urls = ["https://EXAMPLE.org:443/3/?utm_source=x#top", "http://example.org/gone/", "http://nowhere.example/"]
    done = take_down(run, [], urls)
    assert (done.kept, done.dropped) == ([doc_id("kept3")], [doc_id("gone")])
    assert done.missing_urls == ["http://nowhere.example/"]
    assert verify_run(run) == []


def test_pairs_of_another_runs_document_go(run: Path) -> None:
    done = take_down(run, [doc_id("other")])
    assert (done.mentioned, done.missing) == ([doc_id("other")], [doc_id("other")])
    assert verify_run(run) == []
    assert len(rows_of(run, "index/pairs")) == 2
    assert not (run / TAKEN_DOWN_FILE).exists() or not rows_of(run, "index/taken-down")


def test_everything_can_go(run: Path) -> None:
    everything = [page.doc_id for page in pages()]
    done = take_down(run, everything)
    assert len(done.kept) + len(done.dropped) == len(everything)
    assert verify_run(run) == []
    assert rows_of(run, "data/*/") == rows_of(run, "index/part") == rows_of(run, "index/pairs") == []
    index = read_index(run)
    assert index.documents == 0
    assert index.shards == (*index.files, run / TAKEN_DOWN_FILE)
    # `bare` has no address in dropped/, and so on: all of it is known to have gone
    again = take_down(run, everything)
    assert (again.kept, again.dropped, again.missing) == ([], [], [])
    assert len(again.already) == len(everything)


def test_again_and_nothing_found_change_nothing(run: Path) -> None:
    before = content(run)
    assert take_down(run, ["0" * 32]).missing == ["0" * 32]
    assert take_down(run, []).missing == []
    assert content(run) == before
    take_down(run, [doc_id("kept1")])
    take_down(run, [doc_id("kept2"), doc_id("kept1")])
    first = content(run)
    done = take_down(run, [doc_id("kept1")])
    assert done.already == [doc_id("kept1")]
    assert content(run) == first
    assert len(manifest_of(run)["execution"]["taken_down"]) == 2
    assert {row["doc_id"] for row in rows_of(run, "index/taken-down")} == {doc_id("kept1"), doc_id("kept2")}


def test_a_dry_run_changes_nothing_and_says_the_same(run: Path) -> None:
    before = content(run)
    said = take_down(run, [doc_id("kept1"), doc_id("bad")], dry_run=True)
    assert content(run) == before
    assert not (run / JOURNAL).exists()
    assert take_down(run, [doc_id("kept1"), doc_id("bad")]) == said


@pytest.mark.parametrize("step", [0, 1, 3, 5, 7, 8, "published"])
def test_a_crash_at_any_step_can_be_repeated(
    step: int | str, made: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [doc_id("kept0"), doc_id("kept5"), doc_id("bad"), doc_id("f")]
    whole = Path(shutil.copytree(made, tmp_path / "whole"))
    take_down(whole, wanted)
    called: list[str] = []

    def crashing(name: str, work: Any) -> Any:
        def call(*arguments: Any) -> Any:
            called.append(name)
            after = step == "published" and name == "write_json"
            if after:
                work(*arguments)
            if after or step == len(called) - 1:
                (run / "data" / ".left.parquet.writing").write_bytes(b"text")
                raise KeyboardInterrupt
            return work(*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("write_tables", "rewrite_file", "write_json"):
            patch.setattr(pipeline.take_down, name, crashing(name, getattr(pipeline.take_down, name)))
        with pytest.raises(KeyboardInterrupt):
            take_down(run, wanted)
    assert (called[-1] == "write_json") == (step in (8, "published"))
    with pytest.raises(RunError, match="interrupted"):
        read_index(run)
    assert "a take-down of documents has begun and not ended" in verify_run(run)
    take_down(run, [])  # any take-down goes on with it
    assert verify_run(run) == []
    assert content(run) == content(whole)


def test_one_at_a_time_and_damage(run: Path) -> None:
    with pipeline.take_down._journal(run), pytest.raises(RunError, match="another take-down"):
        take_down(run, [doc_id("kept1")])
    assert not (run / JOURNAL).exists()
    file = next((run / "data").rglob("*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(RunError, match="verify"):
        take_down(run, [doc_id("kept1")])
    assert not (run / JOURNAL).exists()
    (run / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        take_down(run, [doc_id("kept1")])
    with pytest.raises(RunError, match="no finished run"):
        take_down(run / "data", [doc_id("kept1")])


def test_kept_staged_text_goes_too(run: Path) -> None:
    (run / "_work" / "staged").mkdir(parents=True)
    (run / "_work" / "staged" / "x.parquet").write_bytes(b"text")
    take_down(run, [doc_id("kept1")])
    assert not (run / "_work").exists()


def test_lists(run: Path, tmp_path: Path) -> None:
    assert read_ids(["# all", f" {'AB' * 16} # why", "", "ab" * 16], "x") == ["ab" * 16]
    with pytest.raises(RunError, match="ids, line 2"):
        read_ids(["", "abc"], "ids")
    assert read_urls(["# all", " http://a.example/#x ", ""]) == ["http://a.example/#x"]


def test_the_command(run: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    ids.write_text(f"{doc_id('kept0')}\n{'0' * 32}\n")
    said = CliRunner().invoke(seen, ["remove", str(run), "--ids", str(ids), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["kept"] == [doc_id("kept0")]
    assert f"in none of the runs: {'0' * 32}" in said.stderr
    assert f"copies of them, were dropped, and stay dropped: {doc_id('copy')}" in said.stderr
    said = CliRunner().invoke(seen, ["remove", str(run), "--urls", "-"], input="http://example.org/1\n")
    assert "1 kept and 0 dropped documents gone" in said.stderr
    assert CliRunner().invoke(seen, ["remove", str(run)]).exit_code == 2
    assert CliRunner().invoke(seen, ["remove", str(run), "--ids", "-", "--urls", "-"]).exit_code == 2
    assert verify_run(run) == []


@pytest.mark.parametrize("keep", ["newest", "oldest"])
def test_a_later_run_meets_the_address_and_the_text(run: Path, keep: str) -> None:
    take_down(run, [doc_id("kept1"), doc_id("gone")])
    index = read_index(run)
    files = seen_files([index])
    assert [Path(file.path).name for file in files[-1:]] == ["taken-down.parquet"]
    policy = DuplicatePolicy.model_validate({"keep_capture": keep})
    name = files[-1].name
    keys = shard_keys("", name, EQUAL_COLUMNS)
    captures, losers = standing_captures(name, keys, policy)
    assert sorted(captures.column("doc_id").to_pylist()) == sorted([doc_id("kept1"), doc_id("gone")])
    texts, _ = standing_texts(keys, losers, policy)
    assert texts.column("doc_id").to_pylist() == [doc_id("kept1")]  # the other was dropped before it had a text


def test_copies_of_what_went_name_it_no_more_and_are_still_recognised(run: Path) -> None:
    before = next(row for row in rows_of(run, "index/part") if row["doc_id"] == doc_id("copy"))
    assert before["cluster_id"] == doc_id("kept0")
    done = take_down(run, [doc_id("kept0")])
    assert verify_run(run) == []
    row = next(row for row in rows_of(run, "index/part") if row["doc_id"] == doc_id("copy"))
    assert row == {**before, "cluster_id": doc_id("copy"), "cluster_run": None, "reason": "taken_down"}
    dropped = next(row for row in rows_of(run, "dropped/") if row["doc_id"] == doc_id("copy"))
    assert (dropped["reason"], dropped["duplicate_of"], dropped["matched"]) == ("exact_duplicate", None, None)
    assert all(f"dropped/{path.name}" in done.files for path in (run / "dropped").glob("*") if holds(path, "copy"))
    down: dict[str, bool] = {}
    for file in seen_files([read_index(run)]):
        keys = shard_keys("", file.name, MEMBER_COLUMNS)
        down.update(zip(keys.column("doc_id").to_pylist(), keys.column("taken_down").to_pylist(), strict=True))
    assert {page for page, is_down in down.items() if is_down} == {doc_id("kept0"), doc_id("copy")}


def holds(path: Path, name: str) -> bool:
    return doc_id(name) in pq.read_table(path, columns=["doc_id"], partitioning=None).column(0).to_pylist()


def test_a_run_that_only_names_a_page_forgets_its_name(tmp_path: Path) -> None:
    page = FakePage("p", " ".join(words(0)), "http://example.org/p", "near_duplicate", "elsewhere")
    run = make_run(tmp_path / "run", [page, FakePage("q", " ".join(words(1)), "http://example.org/q")])
    done = take_down(run, [doc_id("elsewhere")])
    assert (done.mentioned, done.kept, done.dropped) == ([doc_id("elsewhere")], [], [])
    row = next(row for row in rows_of(run, "index/part") if row["doc_id"] == page.doc_id)
    assert (row["cluster_id"], row["reason"]) == (page.doc_id, "taken_down")
    assert rows_of(run, "dropped/")[0]["duplicate_of"] is None
    assert verify_run(run) == []
    before = content(run)
    assert take_down(run, [doc_id("elsewhere")]).mentioned == []
    assert content(run) == before


def test_a_page_that_meets_one_that_was_taken_down_says_so() -> None:
    seen_reference = (1 << 63) + 5
    rows = {
        "component": [5, 5, 6, 6],
        "reference": [5, seen_reference, 6, 7],
        "rank": [1, 9, 1, 2],
        "role": [OTHER_COPY, TAKEN_DOWN, REPRESENTATIVE, OTHER_COPY],
        "doc_id": ["p", "r", "a", "b"],
        "cluster_id": [None, "r", None, None],
        "cluster_run": [None, "run", None, None],
        "taken_down": [False, True, False, False],
    }
    verdicts = choose_canonical(pa.table(rows, schema=MEMBERS)).to_pylist()
    kinds = {row["reference"]: row["kind"] for row in verdicts if not row["is_canonical"]}
    assert kinds == {5: "taken_down", 7: "exact_duplicate"}
