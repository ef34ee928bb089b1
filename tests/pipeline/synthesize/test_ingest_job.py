"""`headwater synthesize ingest` on the sample run, with rows whose fate is known."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import SampleRun

from pipeline.index import read_index
from pipeline.runs import RunError
from pipeline.synthesize.ingest import IngestFolder, verify_ingest
from pipeline.synthesize.ingest_rows import ROWS, write_rows
from pipeline.synthesize.lineage_parents import ParentFile, Sketcher, parent_names
from schemas.config import CurateConfig

Row = dict[str, Any]
WORDS = [f"{a}{b}{c}" for a in ("ba", "do", "li", "mu", "re") for b in "aeiou" for c in ("n", "r", "st", "l", "m")]
HARBOUR = (
    "The old harbour town wakes slowly in winter, when fishing boats stay tied up and gulls argue over nothing in "
    "particular. Bakers open before six, and the smell of rye drifts along the quay until the ferry arrives."
)
GERMAN = (
    "Die kleine Stadt am Fluss hat drei Brücken, von denen nur eine noch befahren wird. Im Sommer sitzen dort die "
    "Angler, im Winter die Krähen, und beide beobachten mit großer Geduld das trübe Wasser unter sich."
)
SCHOOL = (
    "Every spring the village school plants radishes, beans and one stubborn sunflower behind the gymnasium, and every "
    "autumn the children write down which of them survived the hens, the hail and the football team."
)
# Twice in one process: into a new folder, and over what an interrupted attempt left, with another number of workers.
DRIVER = """
import sys
from pathlib import Path
from pipeline.host import close_shared_host
from pipeline.progress import Reporter
from pipeline.runs import RunError
from pipeline.synthesize.ingest import IngestFolder, ingest
from schemas.recipe import SyntheticSource

if __name__ == "__main__":
    folder, run = map(Path, sys.argv[1:])
    files = [str(folder / "rows.jsonl.zst"), str(folder / "more.parquet")]
    source = SyntheticSource(kind="synthetic", name="s", files=tuple(files), scores=("helpful",), generator="model")
    ingest(files, source, [run], folder / "one", 1, Reporter(quiet=True))
    close_shared_host()
    left = IngestFolder(folder / "two")
    left.scratch.mkdir(parents=True)
    for name in ("_work/ingest/rows.parquet", "data/old.parquet", "index/part-00000-of-00001.parquet"):
        (folder / "two" / name).parent.mkdir(exist_ok=True)
        (folder / "two" / name).write_bytes(b"half")
    ingest(files[::-1], source, [run], folder / "two", 2, Reporter(quiet=True))
    again = ingest(files, source, [run], folder / "one", 1, Reporter(quiet=True))
    assert again["counts"]["kept"], "a finished folder is left as it is"
    (folder / "foreign").mkdir()
    (folder / "foreign" / "diary.txt").write_text("mine")
    for output, what, runs in (
        ("foreign", source, [run]), ("one", source.model_copy(update={"depth": 2}), [run]), ("three", source, [folder]),
        ("three", source, []), ("three", source, [run, run]),
    ):
        try:
            ingest(files, what, runs, folder / output, 1, Reporter(quiet=True))
        except RunError as error:
            print(error)
    close_shared_host()
"""


@dataclass
class Ingested:
    """Two folders of the same rows, the documents that they were made of, and what was said of bad calls."""

    folder: Path
    real: dict[str, Row]
    errors: list[str]

    def rows(self, part: str, folder: str = "one") -> dict[str, Row]:
        files = sorted((self.folder / folder / part).glob("*.parquet"))
        found = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
        assert len({row["record_id"] for row in found}) == len(found)
        return {row["record_id"]: row for row in found}

    def manifest(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "one" / "synthetic.json").read_text()))


def new_text(seed: int) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(80))


def plant(run: Path) -> tuple[list[Row], dict[str, Row]]:
    """Rows, and the documents of the run that they name, by what they are for."""
    files = [*sorted(run.glob("data/*/*.parquet")), *sorted(run.glob("dropped/*.parquet"))]
    every = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    kept = sorted((row for row in every if "text" in row), key=lambda row: str(row["doc_id"]))
    english = [row for row in kept if row["language"] == "eng" and row["words"] > 120 and row["split"] == "train"]
    held = next(row for row in kept if row["split"] == "validation")
    known = {row["url"] for row in kept}
    gone = next(row for row in every if "reason" in row and row["url"] not in known)
    real = {f"e{n}": row for n, row in enumerate(english[:6])} | {"held": held, "gone": gone}
    real["german"] = next(row for row in kept if row["language"] == "deu" and row["words"] > 100)
    text = {name: str(row.get("text")) for name, row in real.items()}
    ids = {name: str(row["doc_id"]) for name, row in real.items()}
    words = {name: one.split() for name, one in text.items()}
    changed = [word if n % 20 else "instead" for n, word in enumerate(words["e3"])]
    rows: list[Row] = [
        {"id": "exact", "text": text["e0"], "parents": ids["e0"]},
        {"id": "case", "text": "  ".join(text["e1"].upper().split()), "parents": [real["e1"]["record_id"]]},
        {"id": "half", "text": " ".join(words["e2"][:60]), "parents": json.dumps([real["e2"]["url"]])},
        {"id": "words", "text": " ".join(changed), "parents": [ids["e3"], ids["e0"]]},
        {"id": "hälfte", "text": " ".join(words["german"][:50]), "parents": [ids["german"]], "language": "de-DE"},
        {"id": "another", "text": text["e4"], "parents": [ids["e5"]]},
        {"id": "rephrased", "text": HARBOUR, "parents": [ids["e5"]], "helpful": 0.5, "seed": 9, "prompt": "wrap"},
        {"id": "again", "text": HARBOUR.replace(". ", " .\n"), "parents": [ids["e5"]]},
        {"id": "second", "text": SCHOOL, "parents": ["rephrased"], "helpful": 2},
        {"id": "translated", "text": GERMAN, "parents": [ids["held"]], "language": "de"},
        {"id": "wrong", "text": GERMAN + " Niemand beklagt sich.", "parents": [ids["e5"]]},
        {"id": "free", "text": new_text(1), "generator": "other", "depth": 4},
        {"id": "straddling", "text": new_text(2), "parents": [ids["held"], ids["e5"]]},
        {"id": "orphan", "text": new_text(3), "parents": ["nobody"]},
        {"id": "dropped", "text": new_text(4), "parents": [real["gone"]["url"]]},
        {"id": "loop", "text": new_text(5), "parents": ["loop"]},
        {"id": "of loop", "text": new_text(6), "parents": ["loop"]},
        {"id": "symbols", "text": "* * *", "parents": [ids["e5"]]},
        {"id": "textless", "parents": [ids["e5"]]},
        {"id": "shallow", "text": new_text(7), "depth": -1},
    ]
    return rows, real


@pytest.fixture(scope="module")
def ingested(sample_run: SampleRun, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    folder = tmp_path_factory.mktemp("ingest")
    rows, real = plant(sample_run.path)
    data = "".join(json.dumps(row) + "\n" for row in rows).encode() + b'{"broken\n'
    (folder / "rows.jsonl.zst").write_bytes(zstandard.compress(data))
    more = [{"text": new_text(8), "generator": "table", "helpful": 1.5}, {"text": new_text(9), "generator": ""}]
    pq.write_table(
        pa.Table.from_pylist([{"id": f"t{n}", **row} for n, row in enumerate(more)]), folder / "more.parquet"
    )
    (folder / "driver.py").write_text(DRIVER)
    command = [sys.executable, str(folder / "driver.py"), str(folder), str(sample_run.path)]
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={"PYTHONPATH": root, "PATH": ""})
    assert done.returncode == 0, done.stderr[-3000:]
    return Ingested(folder, real, done.stdout.splitlines())


pytestmark = pytest.mark.full


def test_every_row_has_its_fate(ingested: Ingested) -> None:
    reasons = {name: row["reason"] for name, row in ingested.rows("dropped").items()}
    assert reasons == {
        **dict.fromkeys(("exact", "case", "half", "words", "hälfte"), "parent_copy"),
        "another": "exact_duplicate",
        next(name for name in ("rephrased", "again") if name in reasons): "exact_duplicate",
        "wrong": "wrong_language",
        "straddling": "parents_straddle",
        "orphan": "unknown_parent",
        "dropped": "dropped_parent",
        "loop": "parent_cycle",
        "of loop": "parent_cycle",
        "symbols": "no_text",
        "shallow": "bad_depth",
    }
    kept = set(ingested.rows("data"))
    assert kept | {"rephrased", "again"} == {"rephrased", "again", "second", "translated", "free", "t0", "t1"}
    failed = [row["code"] for row in pq.read_table(ingested.folder / "one" / "failures").to_pylist()]
    assert sorted(failed) == ["row_malformed", "text_missing"]


def test_the_account_is_exact(ingested: Ingested) -> None:
    manifest = ingested.manifest()
    counts = manifest["counts"]
    assert counts["rows"] == 23 == counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values())
    assert [source["pages"] for source in manifest["sources"]] == [2, 21]
    assert counts["dropped"] == dict(sorted(Counter(r["reason"] for r in ingested.rows("dropped").values()).items()))


def test_copies_name_what_they_copy(ingested: Ingested) -> None:
    dropped = ingested.rows("dropped")
    run = ingested.manifest()["runs"][0]
    for name, parent in (("exact", "e0"), ("case", "e1"), ("half", "e2"), ("words", "e3"), ("hälfte", "german")):
        row = dropped[name]
        assert (row["duplicate_of"], row["duplicate_run"]) == (ingested.real[parent]["doc_id"], run), name
        assert row["parent_containment"] >= 0.5
    assert dropped["another"]["duplicate_of"] == ingested.real["e4"]["doc_id"]
    assert dropped["another"]["duplicate_run"] == run
    assert dropped["orphan"]["parents"] == ["nobody"]


def test_what_is_kept_has_its_lineage(ingested: Ingested) -> None:
    rows = ingested.rows("data")
    first = rows.get("rephrased") or rows["again"]
    assert first["parents"] == [ingested.real["e5"]["doc_id"]]
    assert (first["depth"], first["grounded"], first["split"], first["generator"]) == (1, True, "train", "model")
    assert first["parent_containment"] < 0.1
    second = rows["second"]
    named = ingested.rows("dropped").get("rephrased") or rows["rephrased"]
    assert (second["parents"], second["depth"], second["split"]) == ([named["doc_id"]], 2, "train")
    assert second["scores"] == [{"name": "helpful", "value": 2.0}]
    assert (rows["translated"]["split"], rows["translated"]["declared_language"]) == ("validation", "deu")
    assert (rows["free"]["depth"], rows["free"]["grounded"], rows["free"]["generator"]) == (4, False, "other")
    assert rows["free"]["parent_similarity"] is None
    assert (rows["t0"]["source_file"], rows["t0"]["source_offset"]) == (str(ingested.folder / "more.parquet"), 0)
    assert rows["t1"]["generator"] == "model"
    for row in rows.values():
        assert row["provenance_label"]
        assert row["quality"]["gopher_words"] if "gopher_words" in row["quality"] else row["quality"]


def test_the_same_bytes_whatever_the_workers_and_what_was_left(ingested: Ingested) -> None:
    one, two = ingested.folder / "one", ingested.folder / "two"
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(two)) for path in two.rglob("*") if path.is_file())
    for name in names:
        if name != "synthetic.json":
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
    first, second = (json.loads((folder / "synthetic.json").read_text()) for folder in (one, two))
    assert first.pop("execution")["workers"] == 1
    assert second.pop("execution")["workers"] == 2
    assert first == second


def test_bad_calls_are_told_what_to_do(ingested: Ingested) -> None:
    errors = ingested.errors
    assert "foreign is not empty and not a run of headwater" in errors[0]
    assert "another configuration (changed: synthetic.declarations.depth)" in errors[1]
    assert "holds no finished run" in errors[2]
    assert "give the runs that hold the real text with --run" in errors[3]
    assert "are the same run; name it once" in errors[4]
    assert not (ingested.folder / "three").exists()


def test_verify_recounts_and_rehashes(ingested: Ingested, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ingested.folder / "one", folder)
    assert verify_ingest(folder) == []
    (folder / "data" / "synthetic-00000-of-00001.parquet").write_bytes(b"PAR1")
    (folder / "dropped" / "more.parquet").write_bytes(b"PAR1")
    problems = verify_ingest(folder)
    assert "dropped/more.parquet is not in synthetic.json" in problems
    assert any("has 4 bytes, synthetic.json says" in problem for problem in problems)
    (folder / "synthetic.json").unlink()
    with pytest.raises(RunError, match="holds no ingested text"):
        verify_ingest(folder)
    assert not IngestFolder(folder).is_finished()


def test_ingested_text_is_seen_and_may_be_a_parent(ingested: Ingested, tmp_path: Path) -> None:
    index = read_index(ingested.folder / "one")
    rows = ingested.rows("data")
    assert index.documents == len(rows)
    stored = pq.read_table(index.files[0]).to_pylist()
    assert {row["doc_id"] for row in stored} == {row["doc_id"] for row in rows.values()}
    assert {row["source_file"] for row in stored} == {row["source_file"] for row in rows.values()}
    values = [{"doc_id": "child", "text": "x", "parents": ["second", rows["translated"]["doc_id"], "loop"]}]
    write_rows(tmp_path / "rows.parquet", iter([pa.Table.from_pylist(values, schema=ROWS)]))
    names = parent_names(tmp_path / "rows.parquet")
    parents = ParentFile(tmp_path / "parents.arrow", names, Sketcher(CurateConfig()))
    sketches = parents.collect([index], tmp_path / "rows.parquet")
    assert len(sketches) == 3
    pedigree = parents.pedigree
    assert pedigree.trace(["second"], None, "child").depth == 3
    assert pedigree.trace([rows["translated"]["doc_id"]], None, "child").split == "validation"
    assert pedigree.trace(["loop"], None, "child").reason == "dropped_parent"
