"""Arithmetic of the fusion, its bounds, and when it keeps silent."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from detectors.laws import make_batch
from detectors.provenance import (
    AI_BOUND_BEFORE_RELEASE,
    CHATGPT_RELEASED_AT,
    HARD_NATS,
    PRIOR,
    SOFT_CAP_NATS,
    Provenance,
    fuse_batch,
    judge,
)
from schemas.document import SCORES
from schemas.evidence import LABELS, Evidence

LATE = datetime(2024, 6, 1, tzinfo=UTC)
EARLY = datetime(2021, 6, 1, tzinfo=UTC)


def mt(weight: float | None, signal: str = "google_lang") -> Evidence:
    return Evidence(0, "translation_marks", signal, 1.0, weight)


def ai(weight: float | None, signal: str = "refusal", detector: str = "ai_artefacts") -> Evidence:
    return Evidence(0, detector, signal, 1.0, weight)


def probabilities(verdict: object) -> list[float]:
    return [verdict.p_human, verdict.p_machine_translated, verdict.p_ai_generated]  # type: ignore[attr-defined]


def test_nothing_is_unknown() -> None:
    assert judge([], LATE) == ("unknown", None, None, None, [])
    assert judge([mt(None)], LATE) == ("unknown", None, None, None, [])


def test_soft_signals_never_give_a_label() -> None:
    many = [mt(HARD_NATS - 0.01, f"s{i}") for i in range(50)]
    verdict = judge(many, LATE)
    assert verdict.label == "unknown"
    assert verdict.p_human is None
    assert len(verdict.reasons) == 50


@pytest.mark.parametrize(("make", "label"), [(mt, "machine_translated"), (ai, "ai_generated")])
def test_a_hard_mark_gives_a_label(make: object, label: str) -> None:
    verdict = judge([make(HARD_NATS)], LATE)  # type: ignore[operator]
    assert verdict.label == label
    odds = PRIOR[label] * math.exp(HARD_NATS)
    expected = odds / (PRIOR["human"] + PRIOR["machine_translated"] + PRIOR["ai_generated"] - PRIOR[label] + odds)
    value = verdict.p_machine_translated if label == "machine_translated" else verdict.p_ai_generated
    assert value == pytest.approx(expected)
    assert sum(probabilities(verdict)) == pytest.approx(1, abs=1e-9)


def test_marks_beside_the_strongest_are_capped() -> None:
    capped = judge([mt(6.0), mt(SOFT_CAP_NATS, "a")], LATE)
    more = judge([mt(6.0), mt(6.0, "a"), mt(6.0, "b"), mt(3.0, "c")], LATE)
    assert probabilities(more) == pytest.approx(probabilities(capped))
    assert judge([mt(6.0)], LATE).p_machine_translated < capped.p_machine_translated  # type: ignore[operator]


def test_conflicts_are_decided_by_log_odds() -> None:
    assert judge([mt(5.0), ai(8.0)], LATE).label == "ai_generated"
    assert judge([mt(8.0), ai(5.0)], LATE).label == "machine_translated"
    tie = judge([mt(6.0), ai(6.0)], LATE)
    assert tie.p_machine_translated == pytest.approx(tie.p_ai_generated)


def test_notes_and_other_detectors_do_not_count() -> None:
    other = Evidence(0, "rights", "opt_out:noai", 1.0, 9.0)
    assert judge([other], LATE).label == "unknown"
    assert judge([mt(6.0), other], LATE).reasons == ["translation_marks:google_lang"]


def test_reasons_are_strongest_first_and_once() -> None:
    verdict = judge([mt(1.0, "hreflang_count"), mt(9.0), ai(4.5), mt(9.0)], LATE)
    assert verdict.reasons == [
        "translation_marks:google_lang",
        "ai_artefacts:refusal",
        "translation_marks:hreflang_count",
    ]


def test_an_early_capture_bounds_ai_only() -> None:
    verdict = judge([mt(5.0), ai(8.0)], EARLY)
    assert verdict.label == "machine_translated"
    assert verdict.p_ai_generated == pytest.approx(AI_BOUND_BEFORE_RELEASE)
    assert sum(probabilities(verdict)) == pytest.approx(1, abs=1e-9)
    assert "ai_artefacts:refusal" in verdict.reasons
    assert "fetched_at:before_chatgpt" in verdict.reasons
    assert judge([mt(5.0)], EARLY).p_machine_translated >= judge([mt(5.0)], LATE).p_machine_translated  # type: ignore[operator]


def test_residue_alone_on_an_early_capture_is_unknown_but_kept() -> None:
    verdict = judge([ai(8.0)], EARLY)
    assert verdict[:4] == ("unknown", None, None, None)
    assert verdict.reasons == ["ai_artefacts:refusal", "fetched_at:before_chatgpt"]


@pytest.mark.parametrize(
    ("moment", "label"),
    [
        (CHATGPT_RELEASED_AT, "ai_generated"),
        (CHATGPT_RELEASED_AT - timedelta(microseconds=1), "unknown"),
        (datetime(2022, 11, 29), "unknown"),
        (None, "ai_generated"),
    ],
)
def test_the_day_of_release(moment: datetime | None, label: str) -> None:
    assert judge([ai(8.0)], moment).label == label


def test_columns_fit_the_schema() -> None:
    evidence = [
        Evidence(2, "ai_page_marks", "ai_meta", 1.0, 6.0),
        Evidence(0, "translation_marks", "google_class", 1.0, 6.0),
    ]
    columns = Provenance().fuse(evidence, pa.array([LATE, LATE, LATE], pa.timestamp("us", tz="UTC")))
    kinds = {field.name: field.type for field in SCORES}
    assert {name: values.type for name, values in columns.items()} == {name: kinds[name] for name in columns}
    assert columns["provenance_label"].to_pylist() == ["machine_translated", "unknown", "ai_generated"]
    assert set(columns["provenance_label"].to_pylist()) <= set(LABELS)
    assert columns["p_human"].null_count == 1
    assert columns["ai_text_score"].null_count == 3
    totals = [
        sum(columns[f"p_{name}"][0].as_py() for name in PRIOR),
        sum(columns[f"p_{name}"][2].as_py() for name in PRIOR),
    ]
    assert totals == pytest.approx([1, 1], abs=1e-6)
    batch = make_batch([{"fetched_at": LATE}, {}, {}])
    assert fuse_batch(batch, evidence)["provenance_label"] == columns["provenance_label"]


def test_the_fingerprint_covers_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Provenance().fingerprint()
    assert before == Provenance().fingerprint()
    monkeypatch.setattr("detectors.provenance.SOFT_CAP_NATS", 2.0)
    assert Provenance().fingerprint() != before
