"""Candidates of data files: filters, groups, keys and tokens; inputs that are refused; stocks of cells."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake_seen_run import FakePage, doc_id, make_run, words

import pipeline.mix.stock as stock
import pipeline.mix.survey as survey
from detectors.controls import Cell as ControlCell
from detectors.controls import ControlSet
from detectors.features.url_key import host_of
from detectors.strata import Histogram
from pipeline.keys import read_arrow
from pipeline.mix.candidates import CANDIDATES, Cell, InputFile, candidates_path
from pipeline.mix.human_share import Bound
from pipeline.mix.inputs import plan_inputs
from pipeline.mix.plan import copies_of, plan_mix
from pipeline.mix.race import race_keys, uniform_of
from pipeline.mix.stock import check_hosts, gather_stocks
from pipeline.mix.survey import SurveyFiles, SurveyPlan, plan_survey, survey_file
from pipeline.runs import JOURNAL, RunError
from schemas.config import ConfigError
from schemas.document import data_schema
from schemas.recipe import MixRecipe

DATA = data_schema(["gopher_words"])
OLD, NEW = datetime(2021, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
MADE = pa.schema(
    [
        ("doc_id", pa.string()), ("text", pa.string()), ("language", pa.string()), ("split", pa.string()),
        ("depth", pa.int32()), ("grounded", pa.bool_()),
    ]
)  # fmt: skip


def row(name: str, **values: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id(name), "record_id": name, "url": f"http://{name}.example/", "source_file": "a",
        "source_offset": 0, "text": "héllo", "fetched_at": NEW, "language": "eng_Latn", "words": 120,
        "ai_text_score": 0.2,
        "page_type": "article", "evidence": [], "personal_data": [], "benchmarks": [], "provenance_label": "unknown",
        "p_human": 0.8, "p_machine_translated": 0.1, "p_ai_generated": 0.1, "quality": {"gopher_words": 4.0},
        "cuts": [], "cluster_id": doc_id(name), "cluster_size": 1, "split": "train", "mix_weight": 1.0, **values,
    }  # fmt: skip


def source(name: str = "run", folder: str = "nowhere", **values: Any) -> dict[str, Any]:
    return {"kind": "run", "name": name, "run": folder, **values}


def recipe_of(*sources: dict[str, Any], **values: Any) -> MixRecipe:
    return MixRecipe.model_validate({"sources": list(sources), **values})


def controls(n: int = 60, before: datetime | None = None) -> ControlSet:
    cells = {ControlCell("ai_text", "eng", "article", 2, 2021): Histogram.of(np.linspace(-2, 2, n))}
    return ControlSet({}, cells=cells) if before is None else ControlSet({}, before, cells)


def survey_rows(
    folder: Path,
    recipe: MixRecipe,
    rows: Sequence[dict[str, Any]],
    name: str = "run",
    known: ControlSet | None = None,
    schema: pa.Schema = DATA,
    plan: SurveyPlan | None = None,
) -> dict[str, dict[str, Any]]:
    path = folder / "data.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    plan = plan or plan_survey(recipe, folder, {name: known})
    account = survey_file(plan, InputFile(0, name, str(path)))
    table = read_arrow(candidates_path(folder, 0))
    assert table.schema == CANDIDATES
    assert table.column("row").to_pylist() == list(range(len(rows)))
    assert sum(account.documents.values()) == len(rows)
    assert sum(account.tokens.values()) == sum(table.column("tokens").to_pylist())
    return {one["doc_id"]: one for one in table.to_pylist()}


def reasons_of(found: dict[str, dict[str, Any]], names: Sequence[str]) -> dict[str, str | None]:
    return {name: found[doc_id(name)]["reason"] for name in names}


def test_filters_say_why_a_document_takes_no_part(tmp_path: Path) -> None:
    recipe = recipe_of(
        source(languages=["eng"], minimum={"p_human": 0.5, "quality.gopher_words": 2}, maximum={"words": 500})
    )
    rows = [
        row("kept"), row("german", language="deu_Latn"), row("none", language=None), row("low", p_human=0.4),
        row("blank", p_human=None), row("signal", quality={"gopher_words": 1.0}), row("long", words=501),
        row("made", provenance_label="ai_generated", p_human=0.1), row("held", split="validation"),
        row("tested", split="test"), row("both", split="validation", p_human=0.1), row("empty", text=""),
        row("nan", quality={"gopher_words": float("nan")}),
    ]  # fmt: skip
    found = survey_rows(tmp_path, recipe, rows)
    assert reasons_of(found, [one["record_id"] for one in rows]) == {
        "kept": None, "german": "language", "none": "language", "low": "minimum_p_human", "blank": "minimum_p_human",
        "signal": "minimum_quality.gopher_words", "long": "maximum_words", "made": "label", "held": "validation",
        "tested": "test", "both": "minimum_p_human", "empty": "empty", "nan": "minimum_quality.gopher_words",
    }  # fmt: skip
    kept = found[doc_id("kept")]
    assert (kept["origin"], kept["fresh"], kept["language"], kept["tokens"]) == ("real", True, "eng", 6)
    assert kept["host"] == survey.hash_host("kept.example") == survey.hash_host(host_of("http://KEPT.example:80/x"))
    assert found[doc_id("none")]["language"] == "und"


def test_groups_say_what_is_known_of_the_human_share(tmp_path: Path) -> None:
    rows = [
        row("measured"), row("old", fetched_at=OLD), row("undated", fetched_at=None),
        row("unscored", ai_text_score=None), row("untyped", page_type=None), row("german", language="deu_Latn"),
        row("ai", provenance_label="ai_generated", fetched_at=OLD), row("mt", provenance_label="machine_translated"),
    ]  # fmt: skip
    found = survey_rows(tmp_path, recipe_of(source()), rows, known=controls())
    assert {name: found[doc_id(name)]["group"] for name in (one["record_id"] for one in rows)} == {
        "measured": "measured", "old": "dated", "undated": "measured", "unscored": "unmeasured",
        "untyped": "unmeasured", "german": "unmeasured", "ai": "ai_labelled", "mt": "mt_labelled",
    }  # fmt: skip
    few = survey_rows(tmp_path, recipe_of(source()), rows, known=controls(49))
    assert few[doc_id("measured")]["group"] == "unmeasured"
    earlier = survey_rows(tmp_path, recipe_of(source()), rows, known=controls(before=datetime(2020, 1, 1, tzinfo=UTC)))
    assert earlier[doc_id("old")]["group"] == "measured"
    later = controls(before=datetime(2025, 1, 1, tzinfo=UTC))  # a cut after ChatGPT makes nobody human
    assert survey_rows(tmp_path, recipe_of(source()), rows, known=later)[doc_id("measured")]["group"] == "measured"
    declared = recipe_of(source(assume={"human": 0.9, "because": "edited by hand"}))
    found = survey_rows(tmp_path, declared, rows, known=controls())
    assert {found[doc_id(name)]["group"] for name in ("measured", "old", "german")} == {"assumed"}
    assert found[doc_id("ai")]["group"] == "ai_labelled"


def test_two_sources_of_one_run_never_take_a_document_twice(tmp_path: Path) -> None:
    recipe = recipe_of(source("a", labels=["human"]), source("b", minimum={"words": 100}))
    rows = [row("human", provenance_label="human"), row("other"), row("short", provenance_label="human", words=9)]
    names = ["human", "other", "short"]
    first = reasons_of(survey_rows(tmp_path, recipe, rows, "a"), names)
    second = reasons_of(survey_rows(tmp_path, recipe, rows, "b"), names)
    assert first == {"human": None, "other": "label", "short": None}
    assert second == {"human": "other_source", "other": None, "short": "minimum_words"}


def test_synthetic_texts_keep_their_depth_and_their_parents_split(tmp_path: Path) -> None:
    recipe = recipe_of(source(), {"kind": "synthetic", "name": "made", "files": ["x"], "languages": ["eng"]})
    rows = [
        {"doc_id": doc_id(name), "text": "abc", "language": "eng_Latn", "split": "train", "depth": 1, "grounded": True}
        | values
        for name, values in {
            "plain": {}, "free": {"grounded": False}, "deep": {"depth": 2}, "held": {"split": "validation"},
            "german": {"language": "deu_Latn"}, "twin": {"parents": ["other", "left"]}, "child": {"parents": ["other"]},
        }.items()
    ]  # fmt: skip
    plan = replace(plan_survey(recipe, tmp_path, {}), held_out=frozenset({"left"}))
    schema = MADE.append(pa.field("parents", pa.list_(pa.string())))
    found = survey_rows(tmp_path, recipe, rows, "made", schema=schema, plan=plan)
    assert reasons_of(found, ["twin", "child"]) == {"twin": "held_out_parent", "child": None}
    assert reasons_of(found, ["plain", "free", "deep", "held", "german"]) == {
        "plain": None, "free": None, "deep": "too_deep", "held": "held_out_parent", "german": "language",
    }  # fmt: skip
    plain = found[doc_id("plain")]
    assert (plain["origin"], plain["fresh"], plain["group"], plain["host"]) == ("grounded", False, "", 0)
    assert found[doc_id("free")]["origin"] == "ungrounded"


def test_keys_are_an_exponential_race(tmp_path: Path) -> None:
    ids = [doc_id(str(n)) for n in range(20_000)]
    equal = race_keys("seed", ids, np.ones(len(ids)))
    assert equal[:2].tolist() == [math.floor(2**32 * -math.log(uniform_of("seed", one))) for one in ids[:2]]
    assert not np.array_equal(equal, race_keys("other", ids, np.ones(len(ids))))
    # of two halves, one of weight 3, the first tenth is three quarters of that one
    weights = np.where(np.arange(len(ids)) < len(ids) // 2, 3.0, 1.0)
    first = np.argsort(race_keys("seed", ids, weights))[: len(ids) // 20]
    assert (first < len(ids) // 2).mean() == pytest.approx(0.75, abs=0.05)


def test_nulls_weigh_as_the_mean_of_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class CallHere(beam.PTransform):  # type: ignore[misc]
        def __init__(self, workers: int, groups: int) -> None:
            super().__init__()

        def expand(self, calls: beam.PCollection) -> beam.PCollection:
            return calls | beam.Map(lambda call: (call.key, call.function(*call.arguments)))

    monkeypatch.setattr(survey, "RunOnHost", CallHere)
    recipe = recipe_of(source(), weights={"columns": {"quality.gopher_words": 1.0}, "rehydration": True})
    parts = [
        [row("a", quality={"gopher_words": 2.0}), row("b", quality=None)],
        [row("c", quality={"gopher_words": 4.0}, mix_weight=5.0), row("d", quality={"gopher_words": 0.0})],
    ]
    files = []
    for number, rows in enumerate(parts):
        pq.write_table(pa.Table.from_pylist(rows, schema=DATA), tmp_path / f"{number}.parquet")
        files.append(InputFile(number, "run", str(tmp_path / f"{number}.parquet")))
    plan = plan_survey(recipe, tmp_path, {"run": None})
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as started:
        _ = started | beam.Create(files) | SurveyFiles(plan)
    found = {
        one["doc_id"]: one["key"] for n in range(2) for one in read_arrow(candidates_path(tmp_path, n)).to_pylist()
    }
    weights = {"a": 2.0, "b": 2.0, "c": 20.0, "d": 1e-6}
    for name, weight in weights.items():
        expected = race_keys(recipe.seed, [doc_id(name)], np.array([np.float64(np.float32(weight))]))[0]
        assert found[doc_id(name)] == expected


def test_tokens_are_those_of_a_named_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"one": 0, "two": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = {"unit": "tokens", "tokenizer": str(tmp_path / "tokenizer.json")}
    rows = [row("a", text="one two three"), *(row(f"n{n}", text="one") for n in range(70))]
    found = survey_rows(tmp_path, recipe_of(source(), tokens=tokens), rows)
    assert found[doc_id("a")]["tokens"] == 3
    assert found[doc_id("n69")]["tokens"] == 1
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigError, match=r"broken\.json is no tokenizer"):
        plan_inputs(recipe_of(source(), tokens={**tokens, "tokenizer": str(tmp_path / "broken.json")}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pages = [FakePage(f"p{n}", " ".join(words(n)), f"http://{n}.example/") for n in range(6)]
    return make_run(tmp_path_factory.mktemp("inputs") / "run", pages)


def test_inputs_are_numbered_by_source_and_path(run: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "data").mkdir(parents=True)
    path = made / "data" / "synthetic-00000-of-00001.parquet"
    pq.write_table(MADE.empty_table(), path)
    with pytest.raises(RunError, match=r"synthetic\.json is missing"):
        plan_inputs(recipe_of(source("z", str(run)), {"kind": "synthetic", "name": "a", "files": [str(made)]}))
    entry = {"path": f"data/{path.name}", "rows": 1, "bytes": path.stat().st_size, "sha256": ""}
    (made / "synthetic.json").write_text(json.dumps({"files": [entry]}))
    recipe = recipe_of(source("z", str(run)), {"kind": "synthetic", "name": "a", "files": [str(made)]})
    files = plan_inputs(recipe)
    assert [file.number for file in files] == [0, 1, 2]
    assert [file.source for file in files] == ["a", "z", "z"]
    assert files == plan_inputs(recipe)
    tables = recipe_of(source("z", str(run)), {"kind": "synthetic", "name": "a", "files": ["x.jsonl"]})
    with pytest.raises(RunError, match=r"x\.jsonl \(source a\) was not ingested"):
        plan_inputs(tables)
    assert plan_inputs(tables, {"a": [str(made)]}) == files


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"minimum": {"quality.nothing": 1}}, "minimum of source run: .* has no column quality.nothing"),
        ({"maximum": {"perplexity": 1}}, "maximum of source run: .* has no column perplexity"),
        ({"minimum": {"language": 1}}, "column language holds no numbers"),
        ({"minimum": {"text.inner": 1}}, "has no column text.inner"),
    ],
)
def test_a_column_that_is_not_there_is_named(run: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_inputs(recipe_of(source(folder=str(run), **values)))


def test_folders_that_are_not_whole_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"weights\.columns of source run: .* has no column nothing"):
        plan_inputs(recipe_of(source(folder=str(run)), weights={"columns": {"nothing": 1.0}}))
    with pytest.raises(RunError, match="holds no finished run"):
        plan_inputs(recipe_of(source(folder=str(tmp_path))))
    (tmp_path / "_work").mkdir()
    with pytest.raises(RunError, match="holds an unfinished run"):
        plan_inputs(recipe_of(source(folder=str(tmp_path))))
    copy = make_run(tmp_path / "run", [FakePage("p", " ".join(words(1)), "http://a.example/")])
    manifest = (copy / "run.json").read_text()
    (copy / JOURNAL).write_text("{}")
    with pytest.raises(RunError, match="take-down of documents was interrupted"):
        plan_inputs(recipe_of(source(folder=str(copy))))
    (copy / JOURNAL).unlink()
    (copy / "run.json").write_text(json.dumps({**json.loads(manifest), "manifest_version": 0}))
    with pytest.raises(RunError, match="manifest has version 0"):
        plan_inputs(recipe_of(source(folder=str(copy))))
    (copy / "run.json").write_text(manifest)
    next((copy / "data" / "unknown").glob("train-*")).unlink()
    with pytest.raises(RunError, match="is missing or changed"):
        plan_inputs(recipe_of(source(folder=str(copy))))
    nothing = make_run(tmp_path / "nothing", [])
    with pytest.raises(RunError, match=r"\(source run\) has no documents"):
        plan_inputs(recipe_of(source(folder=str(nothing))))


def stocks_of(folder: Path, recipe: MixRecipe, files: int, exact: int) -> Any:
    """Stocks of 800 documents of two languages, in any number of files."""
    folder.mkdir()
    rows = [
        row(str(n), language="deu_Latn" if n % 4 == 0 else "eng_Latn", text="x" * (1 + n % 7),
            url=f"http://h{0 if n % 3 else n % 40}.example/{n}", split="test" if n % 10 == 0 else "train")
        for n in range(800)
    ]  # fmt: skip
    plan = plan_survey(recipe, folder, {"run": None})
    inputs: list[InputFile] = []
    for number in range(files):
        path = str(folder / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist(rows[number::files], schema=DATA), path)
        inputs.append(InputFile(number, "run", path))
        survey_file(plan, inputs[-1])
    bounds = [
        Bound("run", "eng", True, "", "unmeasured", 0.7, 0.1, 0.2, None, None, None, "estimated", None, 1, 1),
        Bound("run", "eng", True, "forum", "unmeasured", 0.1, 0.1, 0.2, None, None, None, "estimated", None, 1, 1),
    ]
    return gather_stocks(folder, inputs, bounds, recipe, exact)


@pytest.mark.parametrize("host", [None, 0.2])
def test_stocks_do_not_depend_on_the_files(tmp_path: Path, host: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "PENDING", 3)
    monkeypatch.setattr(stock, "LARGE_HOSTS", 1)
    recipe = recipe_of(source(), caps={"host": host})
    for exact in (10_000, 300):
        one = stocks_of(tmp_path / f"one{exact}", recipe, 1, exact)
        many = stocks_of(tmp_path / f"many{exact}", recipe, 8, exact)
        assert [each.cell for each in one] == [each.cell for each in many] == sorted(each.cell for each in one)
        for a, b in zip(one, many, strict=True):
            for name in ("keys", "tokens", "documents", "hosts"):
                assert getattr(a, name).tolist() == getattr(b, name).tolist()
            assert (np.diff(a.keys.astype(np.int64)) >= 0).all()
        assert sum(int(each.documents.sum()) for each in one) == 720
        assert sum(int(each.tokens.sum()) for each in one) == sum(1 + n % 7 for n in range(800) if n % 10)
        english = next(each for each in one if each.cell.language == "eng")
        assert english.cell == Cell("run", "real", True, "eng", "article", "unmeasured")
        assert (english.human_low, english.ai_high) == (0.7, 0.1)
        german = next(each for each in one if each.cell.language == "deu")
        assert (german.human_low, german.ai_high) == (0.0, 0.0)
        if exact == 300:
            assert sum(len(each.keys) for each in one) < 650
            large = {0} if host is None else {0, survey.hash_host("h0.example")}
            if host is not None:
                assert {int(name) for each in one for name in each.hosts} == large
        if exact == 300:  # a plan of bins takes what it has counted, whoever compares keys with its thresholds
            plan = plan_mix(one, recipe.model_copy(update={"budget": 900}))
            rows = read_arrow(candidates_path(tmp_path / f"one{exact}", 0))
            copies = copies_of(rows, "run", plan)
            assert int(copies @ np.asarray(rows.column("tokens"))) == plan.tokens > 0
            assert int((copies > 0).sum()) == plan.documents
            check_hosts(tmp_path / f"one{exact}", [InputFile(0, "run", "")], plan, recipe)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.Table.from_pylist([row(str(n)) for n in range(50)], schema=DATA), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[len(content) // 20 : len(content) // 3] = bytes(len(content) // 3 - len(content) // 20)
    path.write_bytes(content)
    plan = plan_survey(recipe_of(source()), tmp_path, {"run": None})
    with pytest.raises(RunError, match=r"data\.parquet cannot be surveyed"):
        survey_file(plan, InputFile(0, "run", str(path)))
    assert not candidates_path(tmp_path, 0).exists()


def test_an_empty_file_has_no_candidates(tmp_path: Path) -> None:
    assert survey_rows(tmp_path, recipe_of(source()), []) == {}
