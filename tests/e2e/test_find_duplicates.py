"""`headwater duplicates`, and runs one after the other: what is found of generated texts whose copies are known."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import SampleRun

from pipeline.index import read_index
from pipeline.job import open_seen, prepare_annotator
from pipeline.runs import RunError
from schemas.config import CurateConfig

HEADWATER = [sys.executable, "-c", "from pipeline.cli import main; main()"]
OLDEST = "quality: {profile: none}\npolicy:\n  duplicates: {keep: oldest, keep_capture: oldest}\n"
WORDS = [f"{a}{b}{c}" for a in ("ba", "do", "li", "mu", "re") for b in "aeiou" for c in ("n", "r", "st", "l", "m")]
Row = dict[str, Any]


def headwater(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    one = ["--workers", "1"] if arguments[0] in ("curate", "duplicates") else []  # a second child takes longer to start
    done = subprocess.run([*HEADWATER, *map(str, arguments), *one], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return done


def text_of(words: Sequence[str]) -> str:
    return "\n".join(" ".join(words[at : at + 12]).capitalize() + "." for at in range(0, len(words), 12))


def make_rows(count: int, seed: int = 1) -> list[Row]:
    """Dated rows: half are copies of few texts, some with words changed; some addresses come twice."""
    rng = random.Random(seed)
    base = [[rng.choice(WORDS) for _ in range(rng.randrange(60, 160))] for _ in range(max(1, count // 12))]
    rows = []
    for number in range(count):
        if rng.random() < 0.6:
            rate = rng.choice([0, 0, 0.005, 0.02, 0.04])
            words = [rng.choice(WORDS) if rng.random() < rate else word for word in rng.choice(base)]
        else:
            words = [rng.choice(WORDS) for _ in range(80)]
        when = f"2020-{1 + number * 12 // count:02d}-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00Z"
        url = f"http://site{number % 9}.example/{rng.randrange(count)}"
        rows.append({"id": f"r{number}", "text": text_of(words), "url": url, "fetched_at": when})
    return rows


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(run: Path, part: str) -> list[Row]:
    files = sorted((run / part).rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]


def test_pairs_and_clusters_of_a_collection(tmp_path: Path) -> None:
    rows = make_rows(240)
    rows += [{"id": "empty", "text": ""}, {"id": "one", "text": "word"}, {"id": "two", "text": "Word!"}]
    write(tmp_path / "a.jsonl", rows)
    shuffled = rows[:]
    random.Random(5).shuffle(shuffled)
    write(tmp_path / "b.jsonl", shuffled)
    done = headwater("duplicates", tmp_path / "a.jsonl", "--output", tmp_path / "a")
    headwater("duplicates", tmp_path / "b.jsonl", "--output", tmp_path / "b", "--split-size", "8K", "--workers", 1)
    assert "243 documents" in done.stderr
    clusters = pq.read_table(tmp_path / "a" / "clusters.parquet").to_pylist()
    pairs = pq.read_table(tmp_path / "a" / "pairs.parquet").to_pylist()
    assert [row["record_id"] for row in clusters] == [row["id"] for row in rows], "a row a document, in its order"
    cluster = {row["record_id"]: row["cluster_id"] for row in clusters}
    assert cluster["one"] == cluster["two"]
    assert cluster["empty"] == "empty"
    assert {row["record_id"] for row in clusters if row["kept"]} == set(cluster.values())
    for row in clusters:
        assert row["cluster_size"] == list(cluster.values()).count(row["cluster_id"])
    assert len(pairs) > 100
    assert len({frozenset((p["record_id_a"], p["record_id_b"])) for p in pairs}) == len(pairs), "each pair once"
    texts = {row["id"]: row["text"].lower().replace(".", "").split() for row in rows}
    for pair in pairs:
        one, other = pair["record_id_a"], pair["record_id_b"]
        assert cluster[one] == cluster[other]
        if len(texts[one]) >= 5:
            a, b = ({tuple(texts[name][n : n + 5]) for n in range(len(texts[name]) - 4)} for name in (one, other))
            assert pair["similarity"] == pytest.approx(len(a & b) / len(a | b), abs=1e-6), "sketches hold whole texts"
    same = {
        row["record_id"]: row["cluster_id"] for row in pq.read_table(tmp_path / "b" / "clusters.parquet").to_pylist()
    }
    assert same == cluster, "neither the order of rows nor splits nor workers count"


def test_two_snapshots_one_after_the_other_are_as_both_at_once(tmp_path: Path) -> None:
    rows = sorted(make_rows(400), key=lambda row: row["fetched_at"])
    (tmp_path / "oldest.yaml").write_text(OLDEST)
    options = ("--config", tmp_path / "oldest.yaml")
    first, second = write(tmp_path / "1.jsonl", rows[:200]), write(tmp_path / "2.jsonl", rows[200:])
    headwater("curate", first, "--output", tmp_path / "run1", *options)
    headwater("curate", second, "--output", tmp_path / "run2", "--seen", tmp_path / "run1", *options)
    headwater("curate", first, second, "--output", tmp_path / "both", *options)
    columns = ("reason", "duplicate_of", "matched", "similarity", "cluster_id")

    def kept(*runs: str) -> dict[str, Row]:
        found = [row for run in runs for row in read(tmp_path / run, "data")]
        return {row["record_id"]: (row["cluster_id"], row["split"]) for row in found}

    def dropped(*runs: str) -> dict[str, Row]:
        found = [row for run in runs for row in read(tmp_path / run, "dropped")]
        return {row["record_id"]: {name: row[name] for name in columns} for row in found}

    assert kept("run1", "run2") == kept("both")
    assert dropped("run1", "run2") == dropped("both")
    assert {"url_duplicate", "exact_duplicate", "near_duplicate"} <= {row["reason"] for row in dropped("both").values()}
    # Every match names the earlier page and its run.
    run = read_index(tmp_path / "run1").run
    published = {row["doc_id"] for row in read(tmp_path / "run1", "data")}
    from_before = [row for row in read(tmp_path / "run2", "dropped") if row["duplicate_run"]]
    assert len(from_before) > 20
    for row in from_before:
        assert row["duplicate_run"] == run
        assert row["duplicate_of"] in published
        assert row["reason"] == "url_duplicate" or row["similarity"] >= 0.75
    assert any(row["matched_run"] == run for row in from_before)
    pairs = pq.read_table(next((tmp_path / "run2" / "index").glob("pairs-*"))).to_pylist()
    assert any(row["matched_run"] == run for row in pairs)
    for name in ("run1", "run2", "both"):
        headwater("verify", tmp_path / name)


def test_a_third_run_names_the_run_that_published(tmp_path: Path) -> None:
    rows = make_rows(30, seed=3)
    copies = [{**row, "id": f"again-{row['id']}", "url": row["url"] + "/again"} for row in rows]
    (tmp_path / "none.yaml").write_text("quality: {profile: none}\n")
    seen: list[object] = []
    for number in (1, 2, 3):
        table = write(tmp_path / f"{number}.jsonl", [{**row, "id": f"{number}-{row['id']}"} for row in copies])
        out = tmp_path / f"run{number}"
        headwater("curate", table, "--output", out, "--config", tmp_path / "none.yaml", *seen)
        seen += ["--seen", out]
    first = read_index(tmp_path / "run1").run
    assert not read(tmp_path / "run3", "data")
    assert {row["duplicate_run"] for row in read(tmp_path / "run3", "dropped") if row["reason"] != "no_text"} == {first}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "seed"),
        ({"shape": "20x13"}, "shape"),
        ({"sketch": 64}, "sketch"),
        ({"shingle": {"size": 7}}, "shingle.size"),
    ],
)
def test_an_index_of_other_parameters_is_an_error_that_names_them(
    sample_run: SampleRun, change: Row, message: str
) -> None:
    config = CurateConfig.model_validate({"policy": {"duplicates": {**change, "seen": [str(sample_run.path)]}}})
    with pytest.raises(RunError, match=re.escape(f"its {message} is")):
        open_seen(config, prepare_annotator(config))


def test_an_index_that_does_not_fit_is_refused_before_anything_begins(sample_run: SampleRun, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("policy: {duplicates: {seed: 2}}")
    table = write(tmp_path / "b.jsonl", make_rows(6, seed=2))
    options = ("--seen", sample_run.path, "--config", tmp_path / "other.yaml")
    done = headwater("curate", table, "--output", tmp_path / "out", *options, code=2)
    assert "its seed is" in done.stderr
    assert not (tmp_path / "out").exists(), "nothing was begun"


def test_runs_that_cannot_be_seen_are_refused(sample_run: SampleRun, tmp_path: Path) -> None:
    def refused(*seen: Path) -> str:
        config = CurateConfig.model_validate({"policy": {"duplicates": {"seen": [*map(str, seen)]}}})
        with pytest.raises(RunError) as error:
            open_seen(config, prepare_annotator(config))
        return str(error.value)

    assert "no finished run" in refused(tmp_path / "nowhere")
    assert "no finished run" in refused(tmp_path)
    assert "the same run" in refused(sample_run.path, sample_run.path)
    shutil.copytree(sample_run.path, tmp_path / "run")
    os.truncate(next((tmp_path / "run" / "index").glob("part-*")), 100)
    assert "another size" in refused(tmp_path / "run")


@pytest.mark.parametrize("policy", [OLDEST, "quality: {profile: none}\n"])
def test_after_a_take_down_a_later_run_names_no_page_that_is_gone(tmp_path: Path, policy: str) -> None:
    """A is kept and `near` is its copy; A goes, and the later run meets what is left."""
    rng = random.Random(7)
    words = [rng.choice(WORDS) for _ in range(200)]
    changed = [*words[:190], *(rng.choice(WORDS) + "x" for _ in range(10))]
    again = [*changed[:2], *(rng.choice(WORDS) + "y" for _ in range(4)), *changed[6:]]
    fresh = [rng.choice(WORDS) for _ in range(150)]

    def row(name: str, text: Sequence[str], day: int, address: str | None = None) -> Row:
        url = f"http://example.org/{address or name}"
        return {"id": name, "text": text_of(text), "url": url, "fetched_at": f"2020-01-{day:02d}T00:00:00Z"}

    longest = [*words, "whichmakesthistextthelongest"]  # the page that the default keeps
    first = write(tmp_path / "1.jsonl", [row("a", longest, 1), row("near", changed, 2), row("fresh", fresh, 3)])
    later = [row("text", changed, 11), row("like", again, 12), row("page", words[::-1], 13, "near")]
    later += [row("same", longest, 14), row("live", fresh, 15)]
    second, third = write(tmp_path / "2.jsonl", later), write(tmp_path / "3.jsonl", [row("third", changed, 21)])
    (tmp_path / "c.yaml").write_text(policy)
    options = ("--config", tmp_path / "c.yaml")
    headwater("curate", first, "--output", tmp_path / "run1", *options)
    gone = next(row["doc_id"] for row in read(tmp_path / "run1", "data") if row["record_id"] == "a")
    assert [row["duplicate_of"] for row in read(tmp_path / "run1", "dropped")] == [gone]
    (tmp_path / "ids").write_text(gone)
    headwater("seen", "remove", tmp_path / "run1", "--ids", tmp_path / "ids")
    headwater("verify", tmp_path / "run1")
    seen = ("--seen", tmp_path / "run1")
    headwater("curate", second, "--output", tmp_path / "run2", *options, *seen)
    headwater("curate", third, "--output", tmp_path / "run3", *options, *seen, "--seen", tmp_path / "run2")
    dropped = {row["record_id"]: row for run in ("run2", "run3") for row in read(tmp_path / run, "dropped")}
    down = {"text", "like", "same", "third"} | ({"page"} if policy == OLDEST else set())
    assert {name for name, row in dropped.items() if row["reason"] == "taken_down"} == down
    for name in down:
        told = {dropped[name][column] for column in ("duplicate_of", "duplicate_run", "matched", "matched_run")}
        assert told == {None}
    assert dropped["live"]["reason"] == "exact_duplicate"
    published = {row["doc_id"] for run in ("run1", "run2") for row in read(tmp_path / run, "data")}
    assert dropped["live"]["duplicate_of"] in published
    # A finished run is still the same one after a take-down in a run that it saw.
    (tmp_path / "ids").write_text(next(row["doc_id"] for row in read(tmp_path / "run1", "data")))
    headwater("seen", "remove", tmp_path / "run1", "--ids", tmp_path / "ids")
    done = headwater("curate", second, "--output", tmp_path / "run2", *options, *seen)
    assert "is finished already" in done.stderr
    for run in ("run1", "run2", "run3"):
        headwater("verify", tmp_path / run)
        rows = [row for path in (tmp_path / run / "index").glob("pairs-*") for row in pq.read_table(path).to_pylist()]
        assert gone not in {row[column] for row in rows for column in ("doc_id", "matched")}
        index = [row for path in (tmp_path / run / "index").glob("part-*") for row in pq.read_table(path).to_pylist()]
        assert gone not in {row["cluster_id"] for row in index}


def test_clusters_over_the_limit_are_split_and_listed(tmp_path: Path) -> None:
    """A chain of texts, each like the next, whose ends share nothing."""
    rng = random.Random(4)
    words = [rng.choice(WORDS) for _ in range(100)]
    rows = []
    for number in range(40):
        rows.append({"id": f"c{number}", "text": text_of(words), "fetched_at": "2020-01-01T00:00:00Z"})
        at = (number * 3) % 97
        words = [*words[:at], *(rng.choice(WORDS) + "x" for _ in range(2)), *words[at + 2 :]]
    (tmp_path / "c.yaml").write_text("quality: {profile: none}\npolicy:\n  duplicates: {cluster_limit: 8}\n")
    table = write(tmp_path / "c.jsonl", rows)
    headwater("curate", table, "--output", tmp_path / "run", "--config", tmp_path / "c.yaml")
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    flagged = manifest["flagged_clusters"]
    assert flagged
    assert flagged[0]["nodes"] > 8 >= flagged[0]["largest_piece"]
    assert "Clusters over the limit" in (tmp_path / "run" / "report" / "index.html").read_text()
    assert max(row["cluster_size"] for row in read(tmp_path / "run", "data")) <= 8
    assert flagged[0]["doc_id"] in {
        row["doc_id"] for part in ("data", "dropped") for row in read(tmp_path / "run", part)
    }
