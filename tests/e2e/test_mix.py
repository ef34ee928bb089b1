"""`headwater mix` on the bundled sample: exact constraints, the same bytes, supersets, lineage, verification."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import SampleRun, headwater

from pipeline.mix.job import check_outside
from pipeline.mix.prepare import check_ingested
from pipeline.mix.verify import verify_mix
from pipeline.mix.weights import read_weighted
from pipeline.runs import RunError
from schemas.recipe import MixRecipe

Row = dict[str, Any]
RECIPE: dict[str, Any] = {
    "sources": [
        {"kind": "run", "name": "web", "run": "", "assume": {"human": 0.9, "because": "written for this test"}},
        {"kind": "synthetic", "name": "rewrites", "files": []},
    ],
    "floors": [{"fresh_human": 0.5}, {"fresh_human": 0.3, "each": "language"}],
    "caps": {"grounded": 0.2, "ungrounded": 0.2},
    "repeats": 2,
}
WORDS = ["harbour", "lantern", "copper", "winter", "ledger", "orchard", "violin", "gravel", "meadow", "signal"]


def rows_of(run: Path) -> list[Row]:
    columns = ["doc_id", "record_id", "url", "text", "language", "split", "cluster_id"]
    files = sorted((run / "data").rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=columns, partitioning=None).to_pylist()]


def rewrite(text: str, number: int) -> str:
    """Text of its own length that shares no run of words with its parent."""
    words = text.split()
    return " ".join(f"{word} {WORDS[(at + number) % len(WORDS)]}" for at, word in enumerate(reversed(words)))


@pytest.fixture(scope="module")
def world(sample_run: SampleRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's run, a table of synthetic text with planted copies of parents, and a mix of both."""
    folder = tmp_path_factory.mktemp("mix")
    shutil.copytree(sample_run.path, folder / "run")
    documents = [row for row in rows_of(folder / "run") if row["language"] == "eng" and len(row["text"]) > 400]
    table: list[Row] = []
    for number, row in enumerate(documents[:30]):
        made = {"generator": "toy", "prompt": "shuffle", "seed": number, "parents": [row["doc_id"]]}
        table.append({"id": f"s{number}", "text": rewrite(row["text"], number), **made, "teacher": number / 10})
        if number % 3 == 0:
            table.append({"id": f"copy{number}", "text": row["text"].upper(), **made})
    (folder / "rewrites.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    make(folder, "mix", {})
    return folder


def make(folder: Path, name: str, changes: dict[str, Any], *options: str, code: int = 0) -> Path:
    recipe = json.loads(json.dumps(RECIPE))
    recipe["sources"][0]["run"] = str(folder / "run")
    ingested = folder / "mix" / "synthetic" / "rewrites"
    recipe["sources"][1]["files"] = [str(ingested if ingested.exists() else folder / "rewrites.jsonl")]
    recipe["sources"][1]["scores"] = ["teacher"]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**recipe, **changes}), encoding="utf-8")
    done = headwater("mix", folder / f"{name}.yaml", "--output", folder / name, "--workers", "1", *options)
    assert done.returncode == code, done.stderr[-2000:]
    (folder / f"{name}.log").write_text(done.stderr, encoding="utf-8")
    return folder / name


def mixed(mix: Path, split: str = "train") -> list[Row]:
    files = sorted((mix / "data").glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]


def test_constraints_hold_in_the_rows_that_were_written(world: Path) -> None:
    rows, manifest = mixed(world / "mix"), json.loads((world / "mix" / "mix.json").read_text())
    total = sum(row["tokens"] for row in rows)
    assert total == manifest["plan"]["tokens"] == sum(len(row["text"].encode()) for row in rows)
    grounded = sum(row["tokens"] for row in rows if row["origin"] == "grounded")
    assert 0 < grounded <= 0.2 * total
    bounds = {(b["language"], b["group"]): b for b in manifest["bounds"]}
    for language in {row["language"][:3] for row in rows} | {None}:
        inside = [row for row in rows if language is None or row["language"][:3] == language]
        fresh = [row for row in inside if row["fresh"] and row["copy"] == 0]
        human = sum(row["tokens"] * bounds[row["language"][:3], row["group"]]["human_low"] for row in fresh)
        assert human >= (0.5 if language is None else 0.3) * sum(row["tokens"] for row in inside)
    assert max(row["copy"] for row in rows) == 1
    assert len({(row["doc_id"], row["copy"]) for row in rows}) == len(rows)


def test_copies_of_parents_are_refused_and_children_stay_on_their_side(world: Path) -> None:
    run = {row["doc_id"]: row for row in rows_of(world / "run")}
    rows = [row for row in mixed(world / "mix") if row["origin"] == "grounded"]
    dropped = [
        row
        for file in (world / "mix" / "synthetic" / "rewrites" / "dropped").glob("*.parquet")
        for row in pq.read_table(file).to_pylist()
    ]
    assert {row["record_id"] for row in dropped if row["reason"] == "parent_copy"} >= {
        f"copy{n}" for n in range(0, 30, 3)
    }
    for row in rows:
        assert row["generator"] == "toy"
        assert row["depth"] == 1
        assert {run[parent]["split"] for parent in row["parents"]} == {"train"}
    held_out = {row["cluster_id"] for row in mixed(world / "mix", "validation")}
    assert not held_out & {run[parent]["cluster_id"] for row in rows for parent in row["parents"]}
    assert {score["name"] for row in rows for score in row["scores"]} == {"teacher"}


def test_the_report_and_the_card_are_there_and_the_mix_verifies(world: Path) -> None:
    report = (world / "mix" / "report" / "index.html").read_text()
    assert "fresh human text" in report
    assert "toy" in report
    card = (world / "mix" / "README.md").read_text()
    assert 'mix = load_dataset(str(Path.cwd()), split="train")' in card
    assert yaml.safe_load(card.split("---")[1])["configs"][0]["data_files"][0]["split"] == "train"
    assert headwater("verify", world / "mix").returncode == 0


@pytest.mark.full
def test_the_same_bytes_again_and_a_larger_budget_is_a_superset(world: Path) -> None:
    again = make(world, "again", {}, "--workers", "2")
    for one in sorted((world / "mix" / "data").iterdir()):
        assert (again / "data" / one.name).read_bytes() == one.read_bytes()
    small = make(world, "small", {"budget": 30_000})
    larger = make(world, "larger", {"budget": 33_000})
    chosen = [{(row["doc_id"], row["copy"]) for row in mixed(mix)} for mix in (small, larger, world / "mix")]
    assert chosen[0] <= chosen[1] <= chosen[2]
    assert 0.9 * 30_000 <= sum(row["tokens"] for row in mixed(small)) <= 30_000


@pytest.mark.full
def test_what_a_mix_used_is_not_fresh_for_the_next(world: Path) -> None:
    small = make(world, "first", {"budget": 30_000})
    second = make(world, "second", {"freshness": {"mixes": [str(small)]}, "floors": [{"fresh_human": 0.1}]})
    used = {row["doc_id"] for row in mixed(small) if row["origin"] == "real"}
    assert used
    rows = {row["doc_id"]: row["fresh"] for row in mixed(second) if row["origin"] == "real"}
    assert {doc_id for doc_id in rows if not rows[doc_id]} >= used & set(rows)
    assert any(rows.values())


@pytest.mark.full
def test_a_manifest_of_weights_names_the_same_rows(world: Path) -> None:
    weights = make(world, "weights", {}, "--weights-only")
    assert not (weights / "data").exists()
    rows = [row for file in sorted((weights / "weights").glob("*")) for row in pq.read_table(file).to_pylist()]
    copies = {row["doc_id"]: row["copies"] for row in rows if row["split"] == "train"}
    counted: dict[str, int] = {}
    for row in mixed(world / "mix"):
        counted[row["doc_id"]] = counted.get(row["doc_id"], 0) + 1
    assert copies == counted


def test_what_cannot_be_is_said_with_its_shortfall(world: Path) -> None:
    cases = {
        "budget": ({"budget": 10**9}, "budget"),
        "floor": ({"floors": [{"fresh_human": 0.95}]}, "floors.0"),
        "stratum": ({"floors": [{"fresh_human": 0.2, "where": {"language": "xho"}}]}, "xho"),
    }
    for name, (changes, said) in cases.items():
        make(world, name, changes, code=2)
        log = (world / f"{name}.log").read_text()
        assert said in log.splitlines()[-1]
        assert not (world / name / "mix.json").exists()


def test_a_changed_shard_is_found(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "mix", tmp_path / "mix")
    shard = next((tmp_path / "mix" / "data").glob("train-*"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    done = headwater("verify", tmp_path / "mix")
    assert done.returncode == 4
    assert "another sha256" in done.stdout


def test_a_finished_mix_is_left_alone_and_another_recipe_refused(world: Path) -> None:
    again = headwater("mix", world / "mix.yaml", "--output", world / "mix", "--seed", "other")
    assert again.returncode == 2
    assert "made with another recipe (changed: seed)" in again.stderr


def recipe_with(run: Path, *folders: Path) -> MixRecipe:
    sources: list[Row] = [{"kind": "run", "name": "web", "run": str(run)}]
    sources += [{"kind": "synthetic", "name": f"s{number}", "files": [str(one)]} for number, one in enumerate(folders)]
    return MixRecipe.model_validate({"sources": sources})


def test_text_that_was_ingested_for_another_run_is_refused(world: Path, tmp_path: Path) -> None:
    ingested = world / "mix" / "synthetic" / "rewrites"
    check_ingested(recipe_with(world / "run", ingested))
    other = tmp_path / "other"
    shutil.copytree(world / "run", other)
    index = json.loads((other / "index" / "index.json").read_text())
    (other / "index" / "index.json").write_text(json.dumps({**index, "run": "0123456789abcdef"}))
    with pytest.raises(RunError, match="was not compared with"):
        check_ingested(recipe_with(other, ingested))
    with pytest.raises(RunError, match="were not compared with each other"):
        check_ingested(recipe_with(world / "run", ingested, ingested))


def test_a_mix_and_what_it_reads_do_not_lie_in_one_another(world: Path) -> None:
    recipe = recipe_with(world / "run")
    for output in (world / "run" / "data" / "mixed", world / "run", world):
        with pytest.raises(RunError, match="lies in"):
            check_outside(recipe, output)
    check_outside(recipe, world / "beside")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["plan"].update(fresh_human_share=0.99), "fresh_human_share"),
        (lambda m: m["bounds"][0].update(human_low=1.0), "counts and bounds"),
        (lambda m: m["validation"].update(documents=10**6), "held out"),
        (lambda m: m.update(files=[f for f in m["files"] if not f["path"].startswith("index/")]), "index"),
        (lambda m: m["files"][0].update(path="../../etc/hostname"), "not in the mix"),
        (lambda m: m["recipe"].update(seed="other"), "recipe_fingerprint"),
    ],
)
def test_claims_that_were_tampered_with_are_found(world: Path, tmp_path: Path, change: Any, said: str) -> None:
    (tmp_path / "mix").mkdir()
    for one in (world / "mix").iterdir():
        if one.name != "mix.json":
            (tmp_path / "mix" / one.name).symlink_to(one)
    manifest = json.loads((world / "mix" / "mix.json").read_text())
    change(manifest)
    (tmp_path / "mix" / "mix.json").write_text(json.dumps(manifest))
    assert any(said in problem for problem in verify_mix(tmp_path / "mix"))


def test_a_mix_that_is_moved_reads_its_synthetic_text_from_where_it_is(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "mix", tmp_path / "moved")
    texts = {(one.doc_id, one.copy): one.text for one in read_weighted(tmp_path / "moved", order="mix")}
    assert texts == {(row["doc_id"], row["copy"]): row["text"] for row in mixed(world / "mix")}
    names = {
        row["run"] for file in (tmp_path / "moved" / "weights").glob("*") for row in pq.read_table(file).to_pylist()
    }
    assert "mix:synthetic/rewrites" in names
