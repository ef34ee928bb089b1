"""Queries of earlier runs: what matches and how, against a direct count; and indexes that cannot be asked."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from fake_seen_run import FakePage, doc_id, make_run, manifest_of, words

import pipeline.seen_query
from pipeline.index import INDEX_FILE, RunIndex, check_compatible, index_json, read_index
from pipeline.runs import RunError
from pipeline.seen_commands import seen
from pipeline.seen_query import (
    Query,
    _Asked,
    describe_run,
    documents_of_records,
    find_matches,
    open_runs,
    queries_of_documents,
    query_of_address,
    query_of_text,
)
from schemas.config import CurateConfig

TEXT = words(1, 150)
CHANGED = [*TEXT[:140], *["completely", "other", "words", "at", "its", "end"]]
FAR = [*TEXT[:60], *words(99, 90)]


def first_pages() -> list[FakePage]:
    return [
        FakePage("whole", " ".join(TEXT), "http://example.org/whole"),
        FakePage("changed", " ".join(CHANGED), "http://example.org/changed", "near_duplicate", "whole"),
        FakePage("far", " ".join(FAR), "http://example.org/far"),
        FakePage("short", "three words only", "http://example.org/short", "gopher_short_doc"),
        FakePage("wordless", "... --- ...", None, "no_text"),
        *[FakePage(f"other{n}", " ".join(words(1000 + n)), f"http://example.org/{n}") for n in range(20)],
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    second = [FakePage("again", " ".join(TEXT).upper() + "!", "http://www.example.org/whole/?utm_source=x")]
    return [
        make_run(folder / "first", first_pages(), files=3),
        make_run(folder / "second", second, files=1, inputs="others"),
    ]


def jaccard(one: list[str], other: list[str], size: int = 5) -> float:
    a, b = ({tuple(text[n : n + size]) for n in range(len(text) - size + 1)} for text in (one, other))
    return len(a & b) / len(a | b)


def matches(runs: list[Path], *queries: Any, similarity: float = 0.75) -> list[tuple[str, list[str], float | None]]:
    indexes, config = open_runs(runs)
    policy = config.policy.duplicates.model_copy(update={"similarity": similarity})
    found = [row for index in indexes for row in find_matches(index, queries, policy)]
    return [(row["doc_id"], row["match"], row["similarity"]) for row in found]


def test_an_address_is_found_in_every_run(runs: list[Path]) -> None:
    query = query_of_address("https://EXAMPLE.org/whole#part")
    assert matches(runs, query) == [(doc_id("whole"), ["url"], None), (doc_id("again"), ["url"], None)]
    assert matches(runs, query_of_address("http://example.org/")) == []


def test_a_text_is_found_with_its_verified_similarity(runs: list[Path]) -> None:
    query = query_of_text("x", " ".join(TEXT), CurateConfig())
    exact = pytest.approx(jaccard(TEXT, CHANGED), abs=1e-6)
    assert 0.75 < jaccard(TEXT, CHANGED) < 1
    assert jaccard(TEXT, FAR) < 0.5
    found = {name: (kinds, similarity) for name, kinds, similarity in matches(runs, query)}
    assert found == {
        doc_id("whole"): (["text"], 1.0),
        doc_id("again"): (["text"], 1.0),
        doc_id("changed"): (["near"], exact),
    }
    assert doc_id("changed") not in {row[0] for row in matches(runs, query, similarity=0.99)}


def test_texts_without_words_and_short_ones(runs: list[Path]) -> None:
    assert matches(runs, query_of_text("x", "", CurateConfig())) == []
    assert matches(runs, query_of_text("x", "?! ...", CurateConfig())) == []
    assert matches(runs, query_of_text("x", "Three words, only", CurateConfig())) == [(doc_id("short"), ["text"], 1.0)]


def test_documents_are_compared_by_their_own_keys(runs: list[Path]) -> None:
    indexes, _ = open_runs(runs)
    wanted = {doc_id("whole"): "whole", doc_id("wordless"): "wordless", "0" * 32: "nothing"}
    queries = queries_of_documents(indexes, wanted)
    assert [query.name for query in queries] == ["whole", "wordless", "nothing"]
    found = matches(runs, *queries)
    assert (doc_id("whole"), ["document", "url", "text"], 1.0) in found
    assert (doc_id("again"), ["url", "text"], 1.0) in found
    assert {row[0] for row in found} == {doc_id(name) for name in ("whole", "again", "changed", "wordless")}
    assert documents_of_records(indexes, ["<urn:uuid:far>", "nothing"]) == {doc_id("far"): "<urn:uuid:far>"}


def test_many_queries_find_what_each_finds_alone(tmp_path: Path) -> None:
    """Pages of which many share a band, in a run of many small row groups; and what that costs."""
    base, rng = words(5, 80), np.random.default_rng(5)
    pages = []
    for number in range(60):
        text = list(base)
        for at in rng.choice(80, number % 7, replace=False):
            text[at] = f"word{number}"
        pages.append(FakePage(f"p{number}", " ".join(text), f"http://example.org/{number % 40}"))
    indexes, config = open_runs([make_run(tmp_path / "run", pages)])
    queries = queries_of_documents(indexes, {page.doc_id: page.name for page in pages})
    queries += [query_of_address("http://example.org/3"), query_of_text("t", " ".join(base), config)]
    policy = config.policy.duplicates
    one_by_one = [row for query in queries for row in find_matches(indexes[0], [query], policy)]
    together = list(find_matches(indexes[0], queries, policy))

    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["query"], row["doc_id"]

    assert sorted(together, key=key) == sorted(one_by_one, key=key)
    assert len({key(row) for row in together}) == len(together)
    kinds = {kind for row in together for kind in row["match"]}
    assert kinds == {"document", "url", "text", "near"}
    sketches = {query.doc_id: set(np.frombuffer(query.sketch or b"", "<u4").tolist()) for query in queries}
    for row in together:
        one, other = sketches.get(doc_id(row["query"])), sketches[row["doc_id"]]
        if one and row["similarity"] is not None:
            assert row["similarity"] == pytest.approx(len(one & other) / len(one | other), abs=1e-6)
        if "near" in row["match"]:
            assert row["similarity"] >= policy.similarity


@pytest.mark.parametrize("block", [1, 7])
def test_pairs_come_once_however_they_are_cut_into_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.seen_query, "BLOCK_PAIRS", block)
    rng = np.random.default_rng(3)
    asked = [rng.choice(12, rng.integers(0, 5), replace=False).astype(np.uint64) for _ in range(9)]
    rows = [None if n % 4 == 0 else rng.choice(12, rng.integers(0, 5), replace=False) for n in range(30)]
    queries = [Query(str(n), bands=bands, sketch=b"" if n else None) for n, bands in enumerate(asked)]
    table = pa.table({"bands": pa.array([None if row is None else row.astype("<u8").tobytes() for row in rows])})
    found = [
        pair for query, row in _Asked(queries).sharing(table) for pair in zip(query.tolist(), row.tolist(), strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == {
        (q, r)
        for q, bands in enumerate(asked)
        for r, row in enumerate(rows)
        if q and row is not None and set(bands.tolist()) & set(row.tolist())
    }


def test_info(runs: list[Path]) -> None:
    told = describe_run(read_index(runs[0]))
    assert told["documents"] == 25
    assert told["kept"] == 22
    assert told["dropped"] == {"gopher_short_doc": 1, "near_duplicate": 1, "no_text": 1}
    assert (told["first"][:10], told["last"][:10]) == ("2024-01-01", "2024-01-25")
    said = CliRunner().invoke(seen, ["info", *map(str, runs), "--json"])
    assert [json.loads(line)["documents"] for line in said.stdout.splitlines()] == [25, 1]
    shown = CliRunner().invoke(seen, ["info", str(runs[0])]).stdout
    assert "near_duplicate 1" in shown
    assert "2024-01-25" in shown


def test_the_command(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text(" ".join(TEXT))
    arguments = ["query", *map(str, runs), "--url", "http://nowhere.example", "--text", str(tmp_path / "text")]
    said = CliRunner().invoke(seen, [*arguments, "--record", "<urn:uuid:far>", "--record", "none"])
    assert said.exit_code == 0, said.output
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert {row["run"] for row in rows} == {read_index(run).run for run in runs}
    assert {row["query"] for row in rows} == {str(tmp_path / "text"), "<urn:uuid:far>"}
    assert next(row for row in rows if row["doc_id"] == doc_id("changed"))["reason"] == "near_duplicate"
    assert "http://nowhere.example: nothing matches" in said.stderr
    assert "none: no such record" in said.stderr
    said = CliRunner().invoke(seen, ["query", str(runs[0]), "--text", "-"], input=" ".join(TEXT))
    assert json.loads(said.stdout.splitlines()[0])["query"] == "standard input"
    assert CliRunner().invoke(seen, ["query", str(runs[0])]).exit_code == 2
    assert CliRunner().invoke(seen, ["query", str(runs[0]), "--url", "x", "--similarity", "0"]).exit_code == 2
    for wrong in (["--text", str(tmp_path / "none")], ["--doc-id", "abc"]):
        said = CliRunner().invoke(seen, ["query", str(runs[0]), *wrong])
        assert isinstance(said.exception, RunError)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    said = CliRunner().invoke(seen, ["query", str(runs[0]), "--text", str(tmp_path / "binary")])
    assert isinstance(said.exception, RunError)


def test_indexes_that_cannot_be_asked(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished run"):
        read_index(tmp_path)
    root = make_run(tmp_path / "run", [FakePage("a", "one two three", "http://example.org")], files=1, inputs="third")
    stored = (root / INDEX_FILE).read_text()
    with pytest.raises(RunError, match="same run"):
        open_runs([root, root])
    for wrong, message in [("{", "damaged"), (stored.replace('"version": 2', '"version": 9'), "version 9")]:
        (root / INDEX_FILE).write_text(wrong)
        with pytest.raises(RunError, match=message):
            read_index(root)
    (root / INDEX_FILE).write_text(stored.replace('"sketch": 256', '"sketch": 128'))
    with pytest.raises(RunError, match="its sketch is 128, here it is 256"):
        open_runs([runs[0], root])
    (root / INDEX_FILE).unlink()
    with pytest.raises(RunError, match="older release"):
        read_index(root)
    (root / INDEX_FILE).write_text(stored)
    part = next((root / "index").glob("part-*"))
    data = part.read_bytes()
    for at in (4, len(data) // 2, len(data) - 20):  # of the same size, in data and footer
        part.write_bytes(data[:at] + bytes(255 - byte for byte in data[at : at + 9]) + data[at + 9 :])
        with pytest.raises(RunError, match=f"{part} has another sha256 .*headwater verify {root}`"):
            read_index(root)
    part.write_bytes(data[:-1])
    with pytest.raises(RunError, match="another size"):
        read_index(root)
    part.unlink()
    with pytest.raises(RunError, match="damaged"):
        read_index(root)
    (root / "run.json").write_text("[]")
    with pytest.raises(RunError, match="damaged"):
        read_index(root)


def test_other_shapes_are_no_match(runs: list[Path], tmp_path: Path) -> None:
    config = CurateConfig.model_validate({"policy": {"duplicates": {"shape": "20x13"}}})
    other = make_run(tmp_path / "run", [FakePage("a", " ".join(TEXT))], config=config, files=1)
    with pytest.raises(RunError, match=r"its shape is .14x8., here it is .20x13"):
        open_runs([other, runs[0]])
    assert [row[0] for row in matches([other], query_of_text("x", " ".join(TEXT), config))] == [doc_id("a")]


def test_parameters_that_are_objects_are_compared_as_stored() -> None:
    from detectors.features.minhash import Shingle

    manifest = {"config_fingerprint": "1", "inputs_fingerprint": "2"}
    ours = {"shingle": Shingle("words", 5), "seed": 1}
    stored = json.loads(index_json(manifest, ours, 1, []))
    one, other = (RunIndex(Path(name), name, stored["parameters"], 1, (), ()) for name in "ab")
    check_compatible([one, other], ours)
    with pytest.raises(RunError, match=r"its shingle\.size is"):
        check_compatible([one], {**ours, "shingle": Shingle("words", 6)})


def test_large_groups_of_rows_are_read_one_at_a_time(runs: list[Path]) -> None:
    import pyarrow.parquet as pq

    sizes = [pq.read_metadata(path).num_row_groups for path in read_index(runs[0]).files]
    assert sum(sizes) > len(sizes)  # so the tests above cross them
    assert all(a.name < b.name for a, b in pairwise(read_index(runs[0]).files))
    assert manifest_of(runs[0])["counts"]["kept"] == 22
