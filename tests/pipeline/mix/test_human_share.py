"""Bounds of the human share: what each group is worth, what is estimated over what, and when there is no estimate."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "detectors"))

from calibration_samples import HEAD, KEY, calibrator_of, controls_of
from fake_seen_run import FakePage, make_run, words

from detectors.calibration import Calibration, load_calibration
from detectors.controls import ControlSet
from pipeline.keys import write_arrow
from pipeline.mix import human_share
from pipeline.mix.candidates import CANDIDATES, InputFile, candidates_path
from pipeline.mix.human_share import Bound, bounds_of, calibration_of, estimate_bounds, read_controls, smallest_hashes
from pipeline.mix.race import race_keys
from pipeline.mix.survey import SourceFacts, SurveyPlan, measured_strata
from pipeline.runs import RunError
from schemas.recipe import MixRecipe, RunSource

SOURCE = RunSource(name="run", run="nowhere")
RNG = np.random.default_rng(7)
CONTROLS = RNG.normal(0.0, 0.4, 500)
NEW = datetime(2024, 5, 1, tzinfo=UTC)


def facts(**values: Any) -> SourceFacts:
    return SourceFacts(SOURCE, measured=measured_strata(controls_of(CONTROLS)), **values)


def candidates(n: int, **columns: Any) -> pa.Table:
    """Rows of the stratum of the controls; z 0 is the mean of human text, 1.2 of machine text."""
    z = np.asarray(columns.pop("z", np.random.default_rng(1).normal(0.0, 0.4, n)))
    ids = [f"{(n * 0x9E3779B97F4A7C15 + 977 * i * i * 0x2545F4914F6CDD1D) % 2**128:032x}" for i in range(n)]
    values: dict[str, Any] = {
        "row": range(n), "doc_id": ids, "origin": ["real"] * n, "fresh": [True] * n, "language": ["eng"] * n,
        "page_type": ["none"] * n, "group": ["measured"] * n, "label": ["unknown"] * n, "reason": [""] * n,
        "tokens": [1000] * n, "key": range(n), "host": [h % 40 + 1 for h in range(n)], "score": 1 / (1 + np.exp(-z)),
        "p_machine_translated": [0.05] * n, "words": [250] * n, "fetched_at": [NEW] * n, **columns,
    }  # fmt: skip
    return pa.table([pa.array(values[f.name], f.type) for f in CANDIDATES], schema=CANDIDATES)


def bounds(rows: pa.Table, known: SourceFacts | None = None, **values: Any) -> dict[str, Bound]:
    totals: dict[str, tuple[int, int]] = {}
    for one in rows.to_pylist():
        if one["reason"] == "":
            documents, tokens = totals.get(one["group"], (0, 0))
            totals[one["group"]] = (documents + 1, tokens + one["tokens"])
    given = {"calibrator": calibrator_of(CONTROLS), "refused": None, "confidence": 0.95, **values}
    return {one.group: one for one in bounds_of(known or facts(), ("eng", True, ""), rows, totals, **given)}


def test_groups_are_worth_what_is_known_of_them() -> None:
    groups = ["dated", "ai_labelled", "mt_labelled", "unmeasured", "assumed"]
    rows = candidates(500, group=[groups[n % 5] for n in range(500)])
    assumed = SOURCE.model_copy(update={"assume": MixRecipe.model_validate(
        {"sources": [{"kind": "run", "name": "a", "run": "b", "assume": {"human": 0.9, "because": "edited"}}]}
    ).sources[0].assume})  # fmt: skip
    found = bounds(rows, replace(facts(), source=assumed))
    assert found["dated"].human_low == pytest.approx(1 - 0.01 - 0.05)
    assert (found["dated"].ai_high, found["dated"].basis) == (0.01, "dated")
    assert (found["ai_labelled"].human_low, found["ai_labelled"].ai_high) == (0.0, 1.0)
    assert (found["mt_labelled"].human_low, found["mt_labelled"].ai_high) == (0.0, 0.0)
    assert (found["assumed"].human_low, found["assumed"].ai_high) == (0.9, pytest.approx(0.1))
    assert (found["assumed"].basis, found["assumed"].reason) == ("assumed", "edited")
    unmeasured = found["unmeasured"]
    assert (unmeasured.human_low, unmeasured.ai_high, unmeasured.basis) == (0.0, 0.0, "none")
    assert unmeasured.reason == "fewer than 50 controls of eng"
    nothing = bounds(candidates(60, group=["unmeasured"] * 60, score=[None] * 60))["unmeasured"]
    assert nothing.reason == "no text model applies to these documents (eng)"
    assert json.dumps(unmeasured.as_dict())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_the_bound_holds_for_what_is_left_of_labels(share: float) -> None:
    held = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        machine = round(share * 1000)
        z = np.concatenate([rng.normal(0.0, 0.4, 1000 - machine), rng.normal(1.2, 0.4, machine)])
        labelled = z > 1.0
        rows = candidates(
            1000, z=z, tokens=rng.lognormal(6, 1, 1000).astype(int),
            group=np.where(labelled, "ai_labelled", "measured"), reason=np.where(labelled, "label", ""),
            p_machine_translated=np.zeros(1000),
        )  # fmt: skip
        bound = bounds(rows)["measured"]
        tokens = np.asarray(rows.column("tokens"))
        left = ~labelled
        true = tokens[left][np.flatnonzero(left) < 1000 - machine].sum() / tokens[left].sum()
        assert bound.basis == "estimated"
        assert bound.low is not None
        assert bound.high is not None
        held.append(bound.human_low <= true)
        assert bound.human_low + bound.ai_high == pytest.approx(1.0)
    assert np.mean(held) >= 0.95


def test_a_filter_on_scores_does_not_make_text_human() -> None:
    """The half with the lowest scores of a corpus that is half machine-written: its own mean would say none is."""
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(0.0, 0.4, 500), rng.normal(0.6, 0.4, 500)])
    low = z < np.median(z)
    rows = candidates(1000, z=z, reason=np.where(low, "", "minimum_p_human"))
    alone = bounds(rows.filter(pa.array(low)))["measured"]
    whole = bounds(rows)["measured"]
    true = (np.flatnonzero(low) < 500).mean()
    assert alone.human_low > true
    assert whole.human_low < true


def test_translated_text_is_no_human_text() -> None:
    rng = np.random.default_rng(4)
    p = rng.uniform(0, 0.4, 600)
    plain = bounds(candidates(600, p_machine_translated=np.zeros(600)))["measured"]
    some = bounds(candidates(600, p_machine_translated=p))["measured"]
    assert p.mean() < some.mt_high < p.mean() + 0.05
    assert some.human_low == pytest.approx(plain.human_low - some.mt_high)
    unknown = bounds(candidates(600, p_machine_translated=[None] * 600))["measured"]
    assert (unknown.mt_high, unknown.human_low) == (1.0, 0.0)
    few = bounds(candidates(30, group=["dated"] * 30, p_machine_translated=p[:30]))["dated"]
    assert few.mt_high == pytest.approx(float(np.float32(p[:30]).max()))


def test_refusals_say_why_and_support_no_floor() -> None:
    few = bounds(candidates(40))["measured"]
    assert (few.human_low, few.ai_high, few.basis) == (0.0, 0.0, "none")
    assert few.reason == "40 scored documents, 50 are needed"
    chosen = bounds(candidates(200), calibrator=None, refused="the run dropped pages")["measured"]
    assert (chosen.human_low, chosen.reason) == (0.0, "the run dropped pages")


def test_weights_that_bring_machine_text_first_lower_the_bound() -> None:
    rng = np.random.default_rng(5)
    z = np.concatenate([rng.normal(0.0, 0.4, 800), rng.normal(1.2, 0.4, 200)])
    rows = candidates(1000, z=z)
    plain = bounds(rows)["measured"]
    tilted = bounds(rows, weights=np.where(np.arange(1000) < 800, 1.0, 4.0))["measured"]
    assert tilted.ai_high > plain.ai_high + 0.1
    recipe = MixRecipe.model_validate(
        {"sources": [SOURCE.model_dump()], "weights": {"columns": {"words": 1.0}, "rehydration": True}}
    )
    weights = np.array([0.5, 1.0, 3.0] * 300)
    keys = race_keys(recipe.seed, candidates(900).column("doc_id").to_pylist(), weights)
    found = human_share._weights(recipe, candidates(900, key=keys))
    assert found is not None
    np.testing.assert_allclose(found, weights, rtol=1e-4)
    scored = recipe.model_copy(update={"weights": recipe.weights.model_copy(update={"columns": {"p_human": 1.0}})})
    assert human_share._weights(scored, candidates(900)) is None


def plan_of(folder: Path, recipe: MixRecipe, tables: list[pa.Table]) -> tuple[SurveyPlan, list[InputFile]]:
    folder.mkdir()
    for number, table in enumerate(tables):
        reason = table.column("reason").to_pylist()
        place = table.schema.get_field_index("reason")
        table = table.set_column(place, "reason", pa.array([one or None for one in reason], pa.string()))
        write_arrow(candidates_path(folder, number), table.cast(CANDIDATES))
    files = [InputFile(number, "run", str(number)) for number in range(len(tables))]
    return SurveyPlan(str(folder), recipe, {"run": facts()}), files


def test_fresh_text_is_estimated_by_itself_whatever_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibration = Calibration({"ai_text": HEAD})
    monkeypatch.setattr(human_share, "calibration_of", lambda source: (calibration, None))
    rng = np.random.default_rng(6)
    fresh = np.arange(1200) % 2 == 0
    z = np.where(fresh, rng.normal(0.5, 0.6, 1200), rng.normal(0.0, 0.4, 1200))
    types = np.where(np.arange(1200) % 3 == 0, "forum", "article")
    rows = candidates(1200, z=z, fresh=fresh, page_type=types, reason=["label", *["validation"] * 9, *[""] * 1190])
    controls = ControlSet.merge([controls_of(CONTROLS, key=("eng", kind, 3)) for kind in ("forum", "article")])
    recipe = MixRecipe.model_validate({"sources": [SOURCE.model_dump()]})
    plan, files = plan_of(tmp_path / "one", recipe, [rows])
    plan = replace(plan, facts={"run": replace(facts(), measured=measured_strata(controls))})
    found = estimate_bounds(plan, files, {"run": controls})
    assert [(one.fresh, one.page_type) for one in found] == [(False, ""), (True, "")]
    assert found[0].human_low > found[1].human_low
    assert sum(one.documents for one in found) == 1190
    parts = [rows.slice(at, 300) for at in (0, 600, 300, 900)]
    many, files = plan_of(tmp_path / "many", recipe, parts)
    again = estimate_bounds(replace(many, facts=plan.facts), files, {"run": controls})
    assert again == found
    typed = MixRecipe.model_validate(
        {"sources": [SOURCE.model_dump()], "floors": [{"fresh_human": 0.1, "each": "page_type"}]}
    )
    apart = estimate_bounds(replace(plan, recipe=typed), [InputFile(0, "run", "0")], {"run": controls})
    assert [one.page_type for one in apart] == ["article", "forum"] * 2


def test_a_sample_is_of_the_smallest_hashes() -> None:
    rows = candidates(500)
    one = smallest_hashes(rows, 100)
    other = smallest_hashes(rows.take(pa.array(np.random.default_rng(0).permutation(500))), 100)
    assert set(one.column("doc_id").to_pylist()) == set(other.column("doc_id").to_pylist())
    assert smallest_hashes(rows, 500) is rows


def test_what_a_run_says_of_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_run(tmp_path / "run", [FakePage("a", " ".join(words(1)), "http://a.example/")])
    source = RunSource(name="run", run=str(root))
    recipe = MixRecipe.model_validate({"sources": [source.model_dump()]})
    assert read_controls(recipe) == {"run": None}
    assert calibration_of(source) == (load_calibration(None), None)
    manifest = json.loads((root / "run.json").read_text())
    manifest["detectors"] = {"ai_text/1": "other"}
    (root / "run.json").write_text(json.dumps(manifest))
    assert calibration_of(source)[1] == "the run was scored by another model (ai_text) than the calibration"
    manifest["config"]["policy"]["drop_labels"] = ["ai_generated"]
    (root / "run.json").write_text(json.dumps(manifest))
    assert calibration_of(source)[1] == "the run dropped pages by their label (ai_generated): what is left was chosen"
    (root / "index" / "controls.json").write_text(replace(controls_of(CONTROLS), models={"ai_text": "mine"}).to_json())
    with pytest.raises(RunError, match="was scored by another model"):
        read_controls(recipe)
    named = recipe.model_copy(update={"sources": (source.model_copy(update={"controls": str(root / "no.json")}),)})
    with pytest.raises(RunError, match=r"no\.json \(controls of source run\) cannot be used"):
        read_controls(named)
    assert KEY[0] == "eng"
