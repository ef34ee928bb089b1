"""Fusion of the evidence into provenance: the stage that runs last, over the findings of all detectors.

What it is grounded on: marks that software leaves and statements that a page makes, which are near certain when they
are there and say nothing when they are not. Weights and priors are SET BY RULE, NOT FITTED: the probabilities order
pages and state how strong the evidence is, they are not calibrated frequencies. Text models and dated controls are to
come; until then most pages are `unknown`, and `human` is never said.

The rule, in log-odds (nats) against `human`, for machine-translated and for AI-generated each:

    prior + strongest hard mark + min(SOFT_CAP_NATS, sum of all other weights)

A hard mark weighs `HARD_NATS` or more. Marks of one tool repeat each other, so only the strongest counts in full.
Without a hard mark the label is `unknown` and the probabilities are null: soft signals never give a label. A capture
before the release of ChatGPT bounds P(AI), never P(MT); the residue itself stays in the evidence. Where nothing hard
but residue speaks on such a page, the label is `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from detectors.api import digest_of
from detectors.machine_translation.page_marks import HARD_NATS
from schemas.evidence import Evidence

MACHINE_TRANSLATED = frozenset({"translation_marks"})
AI_GENERATED = frozenset({"ai_page_marks", "ai_artefacts"})

# Prior before any evidence. Published shares vary with unit and method (Thompson 2024 for MT, Graphite and Ahrefs 2025
# for AI), so this is deliberately on the side of `human`.
PRIOR = {"human": 0.8, "machine_translated": 0.1, "ai_generated": 0.1}
SOFT_CAP_NATS = 1.5
CHATGPT_RELEASED_AT = datetime(2022, 11, 30, tzinfo=UTC)  # openai.com/index/chatgpt
AI_BOUND_BEFORE_RELEASE = 0.01  # GPT-2 and GPT-3 texts and spinners were on the web before, rarely


class Verdict(NamedTuple):
    """Provenance of one document; probabilities are None with label `unknown`."""

    label: str
    p_human: float | None
    p_machine_translated: float | None
    p_ai_generated: float | None
    reasons: list[str]


class Provenance:
    """The fusion with its parameters; `fuse` gives the provenance columns of a batch."""

    name = "provenance"
    version = 1
    outputs: Mapping[str, pa.DataType] = {
        "p_human": pa.float32(),
        "p_machine_translated": pa.float32(),
        "p_ai_generated": pa.float32(),
        "provenance_label": pa.string(),
        "provenance_reasons": pa.list_(pa.string()),
        "ai_text_score": pa.float32(),
        "translation_score": pa.float32(),
        "machine_translation_score": pa.float32(),
    }

    def setup(self) -> None:
        """Nothing to load."""

    def parameters(self) -> Mapping[str, Any]:
        """Priors, bounds, and which detectors speak for which class."""
        return {
            "prior": PRIOR,
            "hard_nats": HARD_NATS,
            "soft_cap_nats": SOFT_CAP_NATS,
            "released_at": CHATGPT_RELEASED_AT.isoformat(),
            "ai_bound": AI_BOUND_BEFORE_RELEASE,
            "classes": [MACHINE_TRANSLATED, AI_GENERATED],
        }

    def fingerprint(self) -> str:
        """16 hex digits that change with version or parameters."""
        return digest_of({"name": self.name, "version": self.version, "parameters": dict(self.parameters())})

    def fuse(
        self, evidence: Iterable[Evidence], fetched_at: pa.Array | Sequence[datetime | None]
    ) -> dict[str, pa.Array]:
        """Provenance columns of a batch, from its findings (any order) and capture times (one per row, UTC).

        The scores of text models are null: this version has none.
        """
        times = fetched_at.to_pylist() if hasattr(fetched_at, "to_pylist") else list(fetched_at)
        by_row: dict[int, list[Evidence]] = {}
        for finding in evidence:
            by_row.setdefault(finding.row, []).append(finding)
        verdicts = [judge(by_row.get(row, ()), time) for row, time in enumerate(times)]
        columns = {
            "p_human": [v.p_human for v in verdicts],
            "p_machine_translated": [v.p_machine_translated for v in verdicts],
            "p_ai_generated": [v.p_ai_generated for v in verdicts],
            "provenance_label": [v.label for v in verdicts],
            "provenance_reasons": [v.reasons for v in verdicts],
        }
        arrays = {name: pa.array(values, self.outputs[name]) for name, values in columns.items()}
        arrays.update({name: pa.nulls(len(times), kind) for name, kind in self.outputs.items() if name not in arrays})
        return arrays


def fuse_batch(batch: pa.RecordBatch, evidence: Iterable[Evidence]) -> dict[str, pa.Array]:
    """Provenance columns of a batch of documents, with the parameters of this version."""
    return Provenance().fuse(evidence, batch.column("fetched_at"))


def judge(evidence: Iterable[Evidence], fetched_at: datetime | None) -> Verdict:
    """Provenance of one document."""
    fused = [e for e in evidence if e.weight and e.detector in MACHINE_TRANSLATED | AI_GENERATED]
    fused.sort(key=lambda e: (-abs(e.weight or 0.0), e.detector, e.signal, e.start or 0))
    reasons = list(dict.fromkeys(f"{e.detector}:{e.signal}" for e in fused))
    early = captured_before_release(fetched_at)
    translated = _nats([e.weight or 0.0 for e in fused if e.detector in MACHINE_TRANSLATED])
    generated = _nats([e.weight or 0.0 for e in fused if e.detector in AI_GENERATED])
    if early and generated.hard:
        reasons.append("fetched_at:before_chatgpt")
    if not (translated.hard or (generated.hard and not early)):
        return Verdict("unknown", None, None, None, reasons)
    odds = {
        "human": PRIOR["human"],
        "machine_translated": PRIOR["machine_translated"] * math.exp(translated.nats),
        "ai_generated": PRIOR["ai_generated"] * math.exp(generated.nats),
    }
    total = math.fsum(odds.values())
    p = {name: value / total for name, value in odds.items()}
    if early and p["ai_generated"] > AI_BOUND_BEFORE_RELEASE:
        rest = p["human"] + p["machine_translated"]
        p = {name: value / rest * (1 - AI_BOUND_BEFORE_RELEASE) for name, value in p.items()}
        p["ai_generated"] = AI_BOUND_BEFORE_RELEASE
    label = max(p, key=lambda name: p[name])
    return Verdict(label, p["human"], p["machine_translated"], p["ai_generated"], reasons)


class _Sum(NamedTuple):
    nats: float
    hard: bool


def _nats(weights: Sequence[float]) -> _Sum:
    """The strongest hard weight in full, the rest up to the cap either way."""
    strongest = max(weights, default=0.0)
    if strongest < HARD_NATS:
        strongest = 0.0
    rest = math.fsum(weights) - strongest
    return _Sum(strongest + max(-SOFT_CAP_NATS, min(SOFT_CAP_NATS, rest)), strongest > 0)


def captured_before_release(fetched_at: datetime | None) -> bool:
    """Whether the capture is older than ChatGPT; a time without zone is UTC, none is no."""
    if fetched_at is None:
        return False
    moment = fetched_at if fetched_at.tzinfo is not None else fetched_at.replace(tzinfo=UTC)
    return moment < CHATGPT_RELEASED_AT
