"""Fusion of evidence into provenance: the stage that runs last, over the findings of all detectors.

Two kinds of evidence meet here. *Marks* are what software leaves on a page and what a page says of itself: near certain
when they are there, silent when they are not. Their weights are set by rule. *Soft* evidence is what text models,
hosts and parallel pages say; its weights are log-likelihood ratios that were fitted on texts of known origin, and they
count only where controls (`detectors.controls`) make them comparable. In nats against a person's own text:

    machine-translated   ln(prior) + marks + translated + machine
    translated by hand   ln(prior x TRANSLATED_BY_PEOPLE) + translated
    AI-generated         ln(prior) + marks + text, bounded by the date of the capture

where *marks* is the strongest hard mark and the sum of the others within `MARK_CAP_NATS` (marks of one tool repeat
each other), and each of *translated*, *machine* and *text* is a sum of soft evidence within `SOFT_CAP_NATS`. That a
text is a translation raises both kinds of it: which one it is, soft evidence about one page tells poorly, so that the
label `machine_translated` needs a hard mark or the verdict on its host.

Probabilities are published on a basis, else they are null and the label is `unknown`:

    mark        a hard mark (`HARD_NATS` or more)
    date        captured before ChatGPT was released, which bounds P(AI); never P(MT)
    conformal   200 or more controls of the stratum
    shrunk      25 or more, with their spread drawn towards that of the coarser stratum
    margin      none, but the score lies beyond the pooled threshold by a stated margin

`human` is said where the basis decides on AI and p_human reaches `human_from`. Soft evidence says `ai_generated` only
where the page's own score lies beyond the threshold that 1 % of the controls pass, and that class is the likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.api import digest_of
from detectors.machine_translation.page_marks import HARD_NATS
from detectors.strata import FIRST_CAPTURES
from schemas.document import PROVENANCE
from schemas.evidence import EVIDENCE_STRUCT

MACHINE_TRANSLATED = frozenset({"translation_marks", "translation_residue", "literal_translation"})
AI_GENERATED = frozenset({"ai_page_marks", "ai_artefacts", "evasion"})
CLASSES = ("human", "machine_translated", "ai_generated")

# Prior before any evidence. Published shares vary with unit and method (Thompson 2024 for MT, Graphite and Ahrefs 2025
# for AI), so this is deliberately on the side of `human`; a configuration may state another.
PRIOR: Mapping[str, float] = {"human": 0.8, "machine_translated": 0.1, "ai_generated": 0.1}
TRANSLATED_BY_PEOPLE = 0.05  # share of human text that people translated; an assumption, only the ratio to MT matters
HUMAN_FROM = 0.85
MARK_CAP_NATS = 1.5
SOFT_CAP_NATS = 3.0  # no soft evidence about one page is worth more than twenty to one
CHATGPT_RELEASED_AT = datetime(2022, 11, 30, tzinfo=UTC)  # openai.com/index/chatgpt
AI_BOUND_BEFORE_RELEASE = 0.01  # GPT-2 and GPT-3 texts and spinners were on the web before, rarely

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SoftEvidence:
    """One soft signal about the rows of a batch.

    `side` is `ai`, `translated` or `machine`; `values` and `nats` have one entry a row, NaN where the signal is silent.
    A signal that is a verdict on the row (`says`: beyond the threshold) may carry a label.
    """

    detector: str
    signal: str
    side: str
    values: Floats
    nats: Floats
    says: Flags | None = None


@dataclass(frozen=True, slots=True)
class SoftFindings:
    """All soft signals of a batch, and for every row what they rest on: a basis of the module's list, or None."""

    signals: Sequence[SoftEvidence] = ()
    basis: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """The fusion with its parameters; `fuse` gives the provenance columns of a batch."""

    prior: Mapping[str, float] = field(default_factory=lambda: dict(PRIOR))
    human_from: float = HUMAN_FROM
    name = "provenance"
    version = 2
    outputs: Mapping[str, pa.DataType] = field(
        default_factory=lambda: {f.name: f.type for f in PROVENANCE if f.name != "parallel"}
    )

    def parameters(self) -> Mapping[str, Any]:
        """Priors, bounds, and which detectors speak for which class."""
        return {
            "prior": dict(self.prior),
            "human_from": self.human_from,
            "translated_by_people": TRANSLATED_BY_PEOPLE,
            "hard_nats": HARD_NATS,
            "caps_nats": [MARK_CAP_NATS, SOFT_CAP_NATS],
            "released_at": CHATGPT_RELEASED_AT.isoformat(),
            "ai_bound": AI_BOUND_BEFORE_RELEASE,
            "classes": [MACHINE_TRANSLATED, AI_GENERATED],
        }

    def fingerprint(self) -> str:
        """16 hex digits that change with version or parameters."""
        return digest_of({"name": self.name, "version": self.version, "parameters": dict(self.parameters())})

    def fuse(
        self, evidence: pa.Array, fetched_at: pa.Array, soft: SoftFindings | None = None
    ) -> tuple[dict[str, pa.Array], pa.Array]:
        """Provenance columns of a batch, and the evidence that the fusion adds to `evidence`.

        `evidence` is a list<EVIDENCE_STRUCT> and `fetched_at` a timestamp (UTC) a row. `soft` has a basis a row.
        """
        rows = len(evidence)
        soft = soft if soft is not None else SoftFindings(basis=[None] * rows)
        early = captured_before_release(fetched_at)
        marks = _Marks(evidence, rows)
        sides = {side: _summed(soft, side, rows) for side in ("ai", "translated", "machine")}
        machine = marks.hard["machine_translated"] + _within(marks.soft["machine_translated"], MARK_CAP_NATS)
        text = np.where(early, 0.0, sides["ai"])
        generated = marks.hard["ai_generated"] + _within(marks.soft["ai_generated"], MARK_CAP_NATS) + text
        p = self._probabilities(machine + sides["machine"], generated, sides["translated"], early)
        hard_mt, hard_ai = marks.hard["machine_translated"] > 0, (marks.hard["ai_generated"] > 0)
        basis = self._basis(hard_mt | (hard_ai & ~early), early, early & hard_ai, soft.basis)
        known = np.array([one is not None for one in basis], bool)
        likeliest = p.argmax(axis=0)
        says_ai = (hard_ai | _said(soft, "ai", rows)) & ~early & (likeliest == 2)
        says_mt = (hard_mt | _said(soft, "machine", rows)) & (likeliest == 1)
        says_human = (likeliest == 0) & (p[0] >= self.human_from)
        label = np.select(
            [~known, says_mt, says_ai, says_human],
            ["unknown", "machine_translated", "ai_generated", "human"],
            "unknown",
        )
        added, reasons = _tell(evidence, soft, early, rows)
        hidden = pa.array(~known)
        columns: dict[str, pa.Array] = {
            f"p_{name}": pa.array(p[place].astype(np.float32), pa.float32(), mask=np.asarray(hidden))
            for place, name in enumerate(CLASSES)
        }
        columns["provenance_label"] = pa.array(label.tolist(), pa.string())
        columns["provenance_reasons"] = pa.array(reasons, pa.list_(pa.string()))
        columns["provenance_basis"] = pa.array(basis, pa.string())
        return columns, added

    def _probabilities(self, machine: Floats, generated: Floats, translated: Floats, early: Flags) -> Floats:
        """Shares of the classes by row: an array of (classes, rows)."""
        human, share = self.prior["human"], TRANSLATED_BY_PEOPLE
        odds = np.stack(
            [
                human * ((1 - share) + share * np.exp(translated)),
                self.prior["machine_translated"] * np.exp(translated + machine),
                self.prior["ai_generated"] * np.exp(generated),
            ]
        )
        p: Floats = odds / odds.sum(axis=0)
        over = early & (p[2] > AI_BOUND_BEFORE_RELEASE)
        rest = np.where(over, (1 - AI_BOUND_BEFORE_RELEASE) / np.maximum(p[0] + p[1], 1e-300), 1.0)
        p[0], p[1] = p[0] * rest, p[1] * rest
        p[2] = np.where(over, AI_BOUND_BEFORE_RELEASE, p[2])
        return p

    @staticmethod
    def _basis(hard: Flags, dated: Flags, torn: Flags, soft: Sequence[str | None]) -> list[str | None]:
        """What each row's probabilities rest on; nothing where an early page has a hard mark of AI (`torn`)."""
        return [
            "mark" if is_hard else None if is_torn else "date" if is_dated else one
            for is_hard, is_dated, is_torn, one in zip(hard.tolist(), dated.tolist(), torn.tolist(), soft, strict=True)
        ]


class _Marks:
    """Nats by class and row of the findings whose weights are set by rule: the strongest hard one, and the others."""

    def __init__(self, evidence: pa.Array, rows: int) -> None:
        parents = np.asarray(pc.list_parent_indices(evidence), np.int64)
        findings = pc.list_flatten(evidence)
        weights = np.asarray(pc.fill_null(findings.field("weight"), 0.0), np.float64)
        self.hard: dict[str, Floats] = {}
        self.soft: dict[str, Floats] = {}
        for name, detectors in (("machine_translated", MACHINE_TRANSLATED), ("ai_generated", AI_GENERATED)):
            mine = np.asarray(pc.is_in(findings.field("detector"), pa.array(sorted(detectors))), bool)
            strongest = np.zeros(rows)
            np.maximum.at(strongest, parents[mine], weights[mine])
            strongest[strongest < HARD_NATS] = 0.0
            total = np.bincount(parents[mine], weights[mine], rows)
            self.hard[name], self.soft[name] = strongest, total - strongest


def _within(nats: Floats, cap: float) -> Floats:
    return np.clip(nats, -cap, cap)


def _summed(soft: SoftFindings, side: str, rows: int) -> Floats:
    total = np.zeros(rows)
    for signal in soft.signals:
        if signal.side == side:
            total = total + np.nan_to_num(signal.nats)
    return _within(total, SOFT_CAP_NATS)


def _said(soft: SoftFindings, side: str, rows: int) -> Flags:
    said = np.zeros(rows, bool)
    for signal in soft.signals:
        if signal.side == side and signal.says is not None:
            said = said | signal.says
    return said


def _tell(evidence: pa.Array, soft: SoftFindings, early: Flags, rows: int) -> tuple[pa.Array, list[list[str]]]:
    """Soft findings as evidence, and the reasons of every row, strongest first.

    What text says of AI is left out where the capture's date has answered.
    """
    added: list[list[dict[str, Any]]] = [[] for _ in range(rows)]
    weighed: list[list[tuple[float, int, str]]] = [[] for _ in range(rows)]
    parents = pc.list_parent_indices(evidence).to_pylist()
    findings = pc.list_flatten(evidence)
    fused = MACHINE_TRANSLATED | AI_GENERATED
    columns = [findings.field(name).to_pylist() for name in ("detector", "signal", "weight", "start")]
    for row, detector, signal, weight, start in zip(parents, *columns, strict=True):
        if weight and detector in fused:
            weighed[row].append((-abs(weight), start or 0, f"{detector}:{signal}"))
    for one in soft.signals:
        name = f"{one.detector}:{one.signal}"
        speaks = np.isfinite(one.nats) & ~(early & (one.side == "ai"))
        for row in np.flatnonzero(speaks).tolist():
            nats, value = float(one.nats[row]), float(one.values[row])
            finding = {"detector": one.detector, "signal": one.signal, "value": value, "weight": nats}
            added[row].append({**finding, "start": None, "end": None})
            weighed[row].append((-abs(nats), 0, name))
    for row in np.flatnonzero(early).tolist():
        weighed[row].append((math.log(AI_BOUND_BEFORE_RELEASE / PRIOR["ai_generated"]), 0, "fetched_at:before_chatgpt"))
    reasons = [list(dict.fromkeys(reason for _, _, reason in sorted(row))) for row in weighed]
    return pa.array(added, pa.list_(EVIDENCE_STRUCT)), reasons


def captured_before_release(fetched_at: pa.Array) -> Flags:
    """Whether each capture is older than ChatGPT; one without a time, or with one before the web's, is not."""
    return captured_within(fetched_at, FIRST_CAPTURES, CHATGPT_RELEASED_AT)


def captured_within(fetched_at: pa.Array, first: datetime, before: datetime) -> Flags:
    """Whether each capture time (timestamp[us]) is known and lies in [first, before)."""
    low, high = (pa.scalar(int(moment.timestamp() * 1_000_000), pa.int64()) for moment in (first, before))
    times = pc.cast(fetched_at, pa.int64())
    inside = pc.and_(pc.greater_equal(times, low), pc.less(times, high))
    return np.asarray(pc.fill_null(inside, False), bool)
