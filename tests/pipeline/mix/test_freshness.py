"""What earlier runs and mixes held, what stands in two runs, and what was taken down."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake_seen_run import FakePage, doc_id, make_run, words

import pipeline.mix.freshness as freshness
from pipeline.index import read_index
from pipeline.keys import read_arrow, write_arrow
from pipeline.mix.candidates import InputFile
from pipeline.mix.freshness import (
    VERDICTS,
    FindSeen,
    FreshnessPlan,
    SourcePart,
    held_out_twins,
    plan_freshness,
    read_verdicts,
    verdicts_path,
)
from pipeline.runs import RunError
from pipeline.take_down import take_down
from schemas.config import CurateConfig, DuplicatePolicy
from schemas.recipe import MixRecipe

SITE = "http://www.example.org/"


class CallHere(beam.PTransform):  # type: ignore[misc]
    """RunOnHost without child processes."""

    def __init__(self, workers: int, groups: int) -> None:
        super().__init__()

    def expand(self, calls: beam.PCollection) -> beam.PCollection:
        return calls | beam.Map(lambda call: (call.key, call.function(*call.arguments)))


def text(seed: int, changed: int = 0) -> str:
    """120 words; the last `changed` are others."""
    found = words(seed)
    return " ".join([*found[: len(found) - changed], *words(1000 + seed, changed)])


def page(name: str, content: str, **values: Any) -> FakePage:
    return FakePage(name, content, values.pop("url", SITE + name), **values)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    earlier = [
        page("e1", text(1)), page("e2", text(2)), page("e3", text(3)), page("e4", text(4)),
        page("e5", text(5), reason="near_duplicate", copy_of="e1"),
    ]  # fmt: skip
    make_run(folder / "earlier", earlier, inputs="earlier")
    take_down(folder / "earlier", [doc_id("e4")])
    first = [
        page("a1", text(1)), page("a2", text(2, 6)), page("a3", text(13), url=SITE + "e3"), page("a4", text(14)),
        page("a5", text(15)), page("a6", text(16), url=SITE + "e4"), page("a7", text(4)),
        page("a8", text(3), reason="gopher_short_doc"), page("a9", text(14, 4)),
        page("a10", text(18)),
    ]  # fmt: skip
    make_run(folder / "first", first, inputs="first", files=3)
    second = [page("b1", text(14, 6)), page("b2", text(1)), page("b3", text(17)), page("b4", text(3))]
    make_run(folder / "second", [*second, page("b5", text(18))], inputs="second")
    take_down(folder / "second", [doc_id("b5")])
    return folder


def recipe_of(*folders: Path, earlier: tuple[Path, ...] = (), mixes: tuple[Path, ...] = ()) -> MixRecipe:
    sources = [{"kind": "run", "name": f"s{n}", "run": str(path)} for n, path in enumerate(folders)]
    seen = {"runs": list(map(str, earlier)), "mixes": list(map(str, mixes))}
    return MixRecipe.model_validate({"sources": sources, "freshness": seen})


def judge(plan: FreshnessPlan) -> dict[str, tuple[str, str | None]]:
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as started:
        _ = started | FindSeen(plan)
    tables = [read_arrow(verdicts_path(plan.folder, part.number)).to_pylist() for part in plan.parts]
    rows = [row for table in tables for row in table]
    return {row["doc_id"]: (row["verdict"], row["of_doc"]) for row in rows}


def test_what_is_held_elsewhere_is_named_with_what_holds_it(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "RunOnHost", CallHere)
    plan = plan_freshness(recipe_of(runs / "first", runs / "second", earlier=(runs / "earlier",)), tmp_path)
    assert plan is not None
    found = judge(plan)
    expected = {
        "a1": ("seen", "e1"), "a2": ("seen", "e2"), "a6": ("taken_down", None), "a7": ("taken_down", None),
        "a10": ("taken_down", None),
        "b1": ("twin", "a4"), "b2": ("twin", "a1"), "b4": ("seen", "e3"),
    }  # fmt: skip
    named = {doc_id(name): (verdict, of and doc_id(of)) for name, (verdict, of) in expected.items()}
    # a9 is a near copy of a4 in their own run, whose policy kept both; b1 is near to both
    assert found[doc_id("b1")] in (("twin", doc_id("a4")), ("twin", doc_id("a9")))
    assert {**found, doc_id("b1"): None} == {**named, doc_id("b1"): None}
    ids = sorted(doc_id(f"a{n}") for n in range(1, 11))
    assert read_verdicts(plan, str(runs / "first"), ids) == {
        one: verdict for one, (verdict, _) in found.items() if one in ids
    }
    assert read_verdicts(plan, str(runs / "first"), []) == {}


def test_the_run_that_is_listed_first_keeps_its_documents(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "RunOnHost", CallHere)
    plan = plan_freshness(recipe_of(runs / "second", runs / "first"), tmp_path)
    assert plan is not None
    found = judge(plan)
    assert {one for one, (verdict, _) in found.items() if verdict == "twin"} == set(map(doc_id, ("a1", "a4", "a9")))
    assert {one for one, (verdict, _) in found.items() if verdict != "twin"} == {doc_id("a10")}


def test_children_of_twins_of_held_out_documents_are_held_out(tmp_path: Path) -> None:
    plan = FreshnessPlan(str(tmp_path), DuplicatePolicy(), (), (), (), (SourcePart(0, 1, 0, ""),), (), 0)
    rows = [("twin", "t1", "held"), ("twin", "t2", "trained"), ("seen", "s", "held"), ("twin", "t3", "tested")]
    found = [{"doc_id": one, "verdict": verdict, "of_run": "r", "of_doc": of} for verdict, one, of in rows]
    write_arrow(verdicts_path(tmp_path, 0), pa.Table.from_pylist(found, schema=VERDICTS))
    files = []
    for number, (name, ids) in enumerate({"train": ["trained"], "validation": ["held"], "test": ["tested"]}.items()):
        files.append(InputFile(number, "web", str(tmp_path / f"{name}-00000-of-00001.parquet")))
        pq.write_table(pa.table({"doc_id": ids}), files[-1].path)
    assert held_out_twins(plan, files) == {"t1", "t3"}
    assert held_out_twins(plan, files[:1]) == frozenset()


def test_one_run_without_earlier_ones_is_compared_with_nothing(runs: Path, tmp_path: Path) -> None:
    assert plan_freshness(recipe_of(runs / "first"), tmp_path) is None
    assert plan_freshness(recipe_of(runs / "first", runs / "first"), tmp_path) is None


@pytest.mark.parametrize("manifest", ["mix.json", "synthetic.json"])
def test_the_ledger_of_a_mix_is_read_like_the_index_of_a_run(runs: Path, tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "mix"
    shutil.copytree(runs / "earlier" / "index", folder / "index")
    files = json.loads((runs / "earlier/run.json").read_text())["files"]
    index = [entry for entry in files if entry["path"].startswith("index/")]
    shape = {"files": index, "sources": [], "config": {}, "recipe": {}, "execution": {}}
    (folder / manifest).write_text(json.dumps(shape))
    ours, theirs = read_index(folder), read_index(runs / "earlier")
    assert (ours.run, ours.documents, len(ours.shards)) == (theirs.run, theirs.documents, len(theirs.shards))
    plan = plan_freshness(recipe_of(runs / "first", mixes=(folder,)), tmp_path)
    assert plan is not None
    assert {file.run for file in plan.seen} == {theirs.run}
    (folder / "index" / "part-00000-of-00002.parquet").write_bytes(b"short")
    with pytest.raises(RunError, match="another size than its manifest says"):
        read_index(folder)
    (folder / manifest).write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        read_index(folder)


def test_what_cannot_be_compared_is_refused_before_any_work(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        plan_freshness(recipe_of(runs / "first", earlier=(tmp_path / "nothing",)), tmp_path)
    with pytest.raises(RunError, match="are the same run"):
        plan_freshness(recipe_of(runs / "first", earlier=(runs / "first",)), tmp_path)
    policy = {"policy": {"duplicates": {"shape": "20x13"}}}
    make_run(tmp_path / "other", [page("c1", text(1))], config=CurateConfig.model_validate(policy))
    with pytest.raises(RunError, match="cannot be compared with this run: its shape is"):
        plan_freshness(recipe_of(runs / "first", earlier=(tmp_path / "other",)), tmp_path)
