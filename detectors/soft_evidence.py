"""What text models, hosts and parallel pages say about a batch, as soft evidence for the fusion.

A score becomes evidence only where it is comparable: with controls of the page's stratum, or beyond the pooled
threshold by a margin. Of the translation heads, the first counts for each page; the second (machine given translated)
tells one page from another poorly, so it counts for hosts only (`detectors.hosts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.calibration import MARGIN, METHODS, SHRUNK, Bool, Calibrated, Calibrator, combine_heads
from detectors.machine_translation.parallel_score import parallel_nats
from detectors.provenance import CHATGPT_RELEASED_AT, SoftEvidence, SoftFindings
from detectors.strata import SCORE_COLUMNS, Float, Strata, z_of_scores

PUBLISHED_BEFORE_NATS = -2.0

# Heads whose means over a host's pages are evidence, and the side of the fusion that they speak for.
HOST_HEADS: Mapping[str, str] = {"ai_text": "ai", "machine_translation": "machine"}


class HostSays(NamedTuple):
    """What a host's other pages say about each row: their mean about the controls (z), nats, a verdict at 1 %."""

    mean: Float
    nats: Float
    is_beyond: Bool


def strata_of(table: pa.Table) -> Strata:
    """Stratum of every document; `table` has `language`, `page_type` and `words`."""
    words = np.asarray(table.column("words").fill_null(0))
    return Strata.of(table.column("language").to_pylist(), table.column("page_type").to_pylist(), words)


def find_soft_evidence(
    table: pa.Table,
    calibrator: Calibrator,
    hosts: Mapping[str, HostSays] | None = None,
    parallel: pa.StructArray | None = None,
) -> SoftFindings:
    """Soft evidence of staged documents: their scores, and what `hosts` (by head) and `parallel` say of each row."""
    strata = strata_of(table)
    z = {head: z_of_scores(table.column(column)) for head, column in SCORE_COLUMNS.items()}
    found = {head: calibrator(head, z[head], strata) for head in SCORE_COLUMNS}
    signals = [
        _generated(calibrator, np.asarray(table.column("ai_text_score").to_pylist(), np.float64), found),
        _translated(np.asarray(table.column("translation_score").to_pylist(), np.float64), found["translation"]),
    ]
    for head, side in HOST_HEADS.items():
        if hosts and head in hosts:
            signals.append(_host(head, side, hosts[head], signals[0].says))
    if parallel is not None:
        signals.append(_parallel(parallel))
    if "page" in table.schema.names:
        signals.append(_published(table.column("page")))
    return SoftFindings(signals, _basis(found["ai_text"]))


def _generated(calibrator: Calibrator, scores: Float, found: Mapping[str, Calibrated]) -> SoftEvidence:
    """Both heads of generated text as one signal: odd human text strikes both, so that their sum would count it twice.

    Without controls the score is silent below the margin: where human text of the stratum stands is not known.
    """
    chat, raw = found["ai_text"], found["raw_text"]
    nats = combine_heads(chat.nats, raw.nats) if "raw_text" in calibrator.calibration.heads else chat.nats
    beyond = chat.is_beyond.copy()
    speaks = (chat.method >= SHRUNK) | ((chat.method == MARGIN) & beyond)
    head = calibrator.calibration.heads.get("raw_text")
    if head is not None and head.gives_verdicts:
        beyond = beyond | raw.is_beyond
    return SoftEvidence("ai_text", "text_model", "ai", scores, np.where(speaks, nats, np.nan), beyond & speaks)


def _host(head: str, side: str, says: HostSays, convicted: Bool | None) -> SoftEvidence:
    """What a host's other pages say. Of AI it is evidence and never a verdict: hosts mix what people and models wrote.

    So it can neither label a page that its own score does not, nor acquit one (`convicted`) that its score does.
    """
    nats = np.where(says.nats == 0, np.nan, says.nats)
    if side == "ai":
        if convicted is not None:
            nats = np.where(convicted & (nats < 0), np.nan, nats)
        return SoftEvidence("hosts", head, side, says.mean, nats)
    return SoftEvidence("hosts", head, side, says.mean, nats, says.is_beyond)


def _translated(scores: Float, found: Calibrated) -> SoftEvidence:
    return SoftEvidence(
        "translated_text", "translated", "translated", scores, np.where(found.method >= SHRUNK, found.nats, np.nan)
    )


def _parallel(parallel: pa.StructArray) -> SoftEvidence:
    rows = parallel.to_pylist()
    nats = [parallel_nats(r["languages"], r["is_source"], r["confidence"]) if r else np.nan for r in rows]
    values = [float(r["languages"]) if r else np.nan for r in rows]
    return SoftEvidence("parallelism", "languages", "machine", np.array(values, np.float64), np.array(nats, np.float64))


def _published(page: pa.ChunkedArray) -> SoftEvidence:
    """A page that says it was published before ChatGPT, and not changed since. Pages can say anything: set by rule."""
    release = pa.scalar(int(CHATGPT_RELEASED_AT.timestamp() * 1_000_000), pa.int64())
    published, modified = (pc.cast(pc.struct_field(page, name), pa.int64()) for name in ("published_at", "modified_at"))
    early = pc.fill_null(pc.less(published, release), False)
    kept = np.asarray(pc.and_(early, pc.fill_null(pc.less(modified, release), True)), bool)
    years = np.asarray(pc.fill_null(pc.year(pc.struct_field(page, "published_at")), 0), np.float64)
    nats = np.where(kept, PUBLISHED_BEFORE_NATS, np.nan)
    return SoftEvidence("page_dates", "published_before_chatgpt", "ai", years, nats)


def _basis(found: Calibrated) -> list[str | None]:
    """What the probabilities of every row rest on, as far as its text says."""
    return [
        METHODS[method] if method >= SHRUNK or (method == MARGIN and beyond) else None
        for method, beyond in zip(found.method.tolist(), found.is_beyond.tolist(), strict=True)
    ]
