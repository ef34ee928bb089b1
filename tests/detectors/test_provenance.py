"""Arithmetic of the fusion, its bounds, and when it keeps silent."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from detectors.provenance import (
    AI_BOUND_BEFORE_RELEASE,
    CHATGPT_RELEASED_AT,
    HARD_NATS,
    HUMAN_FROM,
    MARK_CAP_NATS,
    PRIOR,
    SOFT_CAP_NATS,
    Provenance,
    SoftEvidence,
    SoftFindings,
)
from schemas.document import PROVENANCE, TIMESTAMP
from schemas.evidence import EVIDENCE_STRUCT, LABELS, Evidence

LATE = datetime(2024, 6, 1, tzinfo=UTC)
EARLY = datetime(2021, 6, 1, tzinfo=UTC)


class Verdict(NamedTuple):
    label: str
    p: list[float | None]
    reasons: list[str]
    basis: str | None
    added: list[dict[str, Any]]


def mt(weight: float | None, signal: str = "google_lang") -> Evidence:
    return Evidence(0, "translation_marks", signal, 1.0, weight)


def ai(weight: float | None, signal: str = "refusal", detector: str = "ai_artefacts") -> Evidence:
    return Evidence(0, detector, signal, 1.0, weight)


def soft(side: str, nats: float, says: bool | None = None, signal: str = "s") -> SoftEvidence:
    said = None if says is None else np.array([says])
    return SoftEvidence("model", signal, side, np.array([0.5]), np.array([nats]), said)


def fuse(rows: list[list[Evidence]], times: list[datetime | None], findings: SoftFindings | None = None) -> Any:
    evidence = pa.array([[e.as_struct() for e in row] for row in rows], pa.list_(EVIDENCE_STRUCT))
    return Provenance().fuse(evidence, pa.array(times, TIMESTAMP), findings)


def judge(
    evidence: list[Evidence],
    moment: datetime | None = LATE,
    signals: tuple[SoftEvidence, ...] = (),
    basis: str | None = None,
) -> Verdict:
    columns, added = fuse([evidence], [moment], SoftFindings(signals, [basis]))
    p = [columns[f"p_{name}"][0].as_py() for name in PRIOR]
    label, reasons = columns["provenance_label"][0].as_py(), columns["provenance_reasons"][0].as_py()
    return Verdict(label, p, reasons, columns["provenance_basis"][0].as_py(), added[0].as_py())


def test_nothing_is_unknown() -> None:
    assert judge([]) == Verdict("unknown", [None] * 3, [], None, [])
    assert judge([mt(None)]).label == "unknown"


def test_soft_marks_never_give_a_label() -> None:
    verdict = judge([mt(HARD_NATS - 0.01, f"s{i}") for i in range(50)])
    assert (verdict.label, verdict.p) == ("unknown", [None] * 3)
    assert len(verdict.reasons) == 50


@pytest.mark.parametrize(("make", "label", "place"), [(mt, "machine_translated", 1), (ai, "ai_generated", 2)])
def test_a_hard_mark_gives_a_label(make: Any, label: str, place: int) -> None:
    verdict = judge([make(HARD_NATS)])
    assert (verdict.label, verdict.basis) == (label, "mark")
    odds = PRIOR[label] * math.exp(HARD_NATS)
    assert verdict.p[place] == pytest.approx(odds / (1 - PRIOR[label] + odds), rel=1e-5)
    assert sum(filter(None, verdict.p)) == pytest.approx(1, abs=1e-6)


def test_marks_beside_the_strongest_are_capped() -> None:
    capped = judge([mt(6.0), mt(MARK_CAP_NATS, "a")])
    more = judge([mt(6.0), mt(6.0, "a"), mt(6.0, "b"), mt(3.0, "c")])
    assert more.p == pytest.approx(capped.p)
    assert judge([mt(6.0)]).p[1] < capped.p[1]  # type: ignore[operator]


def test_conflicts_are_decided_by_log_odds() -> None:
    assert judge([mt(5.0), ai(8.0)]).label == "ai_generated"
    assert judge([mt(8.0), ai(5.0)]).label == "machine_translated"
    tie = judge([mt(6.0), ai(6.0)])
    assert tie.p[1] == pytest.approx(tie.p[2])


def test_notes_and_other_detectors_do_not_count() -> None:
    other = Evidence(0, "rights", "opt_out:noai", 1.0, 9.0)
    assert judge([other]).label == "unknown"
    assert judge([mt(6.0), other]).reasons == ["translation_marks:google_lang"]


def test_reasons_are_strongest_first_and_once() -> None:
    verdict = judge([mt(1.0, "hreflang_count"), mt(9.0), ai(4.5), mt(9.0)], LATE, (soft("ai", -2.0),), "conformal")
    assert verdict.reasons == [
        "translation_marks:google_lang",
        "ai_artefacts:refusal",
        "model:s",
        "translation_marks:hreflang_count",
    ]


def test_soft_evidence_is_kept_with_its_nats_and_silence_is_not() -> None:
    verdict = judge([], LATE, (soft("ai", 1.25), soft("translated", float("nan"), signal="t")), "conformal")
    assert verdict.added == [
        {"detector": "model", "signal": "s", "value": 0.5, "weight": 1.25, "start": None, "end": None}
    ]


def test_an_early_capture_bounds_ai_only() -> None:
    verdict = judge([mt(5.0), ai(8.0)], EARLY)
    assert verdict.label == "machine_translated"
    assert verdict.p[2] == pytest.approx(AI_BOUND_BEFORE_RELEASE)
    assert sum(filter(None, verdict.p)) == pytest.approx(1, abs=1e-6)
    assert "ai_artefacts:refusal" in verdict.reasons
    assert "fetched_at:before_chatgpt" in verdict.reasons
    assert judge([mt(5.0)], EARLY).p[1] >= judge([mt(5.0)], LATE).p[1]  # type: ignore[operator]


def test_an_early_capture_without_marks_is_human() -> None:
    verdict = judge([], EARLY, (soft("ai", 3.0, True),))
    assert (verdict.label, verdict.basis) == ("human", "date")
    assert verdict.reasons == ["fetched_at:before_chatgpt"]
    assert verdict.added == []
    assert verdict.p[0] > HUMAN_FROM  # type: ignore[operator]
    assert verdict.p[2] <= AI_BOUND_BEFORE_RELEASE + 1e-6  # type: ignore[operator]


def test_signs_of_translation_leave_an_early_capture_open() -> None:
    verdict = judge([], EARLY, (soft("translated", 3.0), soft("machine", 1.0)))
    assert verdict.label == "unknown"
    assert verdict.p[1] > judge([], EARLY).p[1]  # type: ignore[operator]


@pytest.mark.parametrize("basis", [None, "conformal"])
def test_residue_on_an_early_capture_is_unknown_but_kept(basis: str | None) -> None:
    verdict = judge([ai(8.0)], EARLY, (), basis)
    assert verdict.label == "unknown"
    assert verdict.reasons == ["ai_artefacts:refusal", "fetched_at:before_chatgpt"]


@pytest.mark.parametrize(
    ("moment", "label"),
    [
        (CHATGPT_RELEASED_AT, "ai_generated"),
        (CHATGPT_RELEASED_AT - timedelta(microseconds=1), "unknown"),
        (None, "ai_generated"),
    ],
)
def test_the_day_of_release(moment: datetime | None, label: str) -> None:
    assert judge([ai(8.0)], moment).label == label


def test_text_says_ai_only_beyond_the_threshold_and_where_likeliest() -> None:
    assert judge([], LATE, (soft("ai", 3.0, True),), "conformal").label == "ai_generated"
    assert judge([], LATE, (soft("ai", 3.0, False),), "conformal").label == "unknown"
    assert judge([], LATE, (soft("ai", 1.0, True),), "conformal").label == "unknown"
    assert judge([], LATE, (soft("ai", 3.0, True),), None).label == "unknown"
    assert judge([], EARLY, (soft("ai", 3.0, True),), "conformal").label != "ai_generated"


def test_text_alone_never_says_machine_translated() -> None:
    verdict = judge([], LATE, (soft("translated", 3.0), soft("machine", 3.0)), "conformal")
    assert verdict.label == "unknown"
    host = judge([], LATE, (soft("translated", 3.0), soft("machine", 2.0, True)), "conformal")
    assert host.label == "machine_translated"


def test_human_needs_a_basis_and_the_probability() -> None:
    low = (soft("ai", -3.0, False),)
    assert judge([], LATE, low, "shrunk").label == "human"
    assert judge([], LATE, low, None).label == "unknown"
    assert judge([], LATE, (soft("ai", 0.5, False),), "shrunk").label == "unknown"


def test_soft_evidence_is_capped_in_sum() -> None:
    one = judge([], LATE, (soft("ai", SOFT_CAP_NATS, True),), "conformal")
    many = judge([], LATE, tuple(soft("ai", 2.0, True, f"s{i}") for i in range(9)), "conformal")
    assert many.p == pytest.approx(one.p)


def test_a_translation_by_a_person_stays_human() -> None:
    """What says only that a text is translated raises both kinds of translation alike."""
    plain = judge([], LATE, (), "conformal").p
    both = judge([], LATE, (soft("translated", 2.0),), "conformal").p
    assert both[1] > plain[1]  # type: ignore[operator]
    assert both[0] / both[1] > plain[0] / (plain[1] * math.exp(2.0))  # type: ignore[operator]


def test_columns_fit_the_schema_and_rows_do_not_meet() -> None:
    rows = [
        [Evidence(0, "translation_marks", "google_class", 1.0, 6.0)],
        [],
        [Evidence(0, "ai_page_marks", "ai_meta", 1.0, 6.0)],
    ]
    columns, added = fuse(rows, [LATE] * 3)
    kinds = {field.name: field.type for field in PROVENANCE}
    assert {name: values.type for name, values in columns.items()} == {name: kinds[name] for name in columns}
    assert set(columns) == set(kinds) - {"parallel"}
    assert added.to_pylist() == [[], [], []]
    assert columns["provenance_label"].to_pylist() == ["machine_translated", "unknown", "ai_generated"]
    assert set(columns["provenance_label"].to_pylist()) <= set(LABELS)
    assert columns["p_human"].null_count == 1
    for place, row in enumerate(rows):
        alone, _ = fuse([row], [LATE])
        assert {name: values[0].as_py() for name, values in alone.items()} == {
            name: values[place].as_py() for name, values in columns.items()
        }
    empty, nothing = fuse([], [])
    assert len(empty["provenance_label"]) == len(nothing) == 0


def test_the_fingerprint_covers_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Provenance().fingerprint()
    assert before == Provenance().fingerprint()
    assert Provenance({"human": 0.5, "machine_translated": 0.25, "ai_generated": 0.25}).fingerprint() != before
    monkeypatch.setattr("detectors.provenance.SOFT_CAP_NATS", 2.0)
    assert Provenance().fingerprint() != before
