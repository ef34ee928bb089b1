"""Why a document has its label, for people: the evidence by its strength, and the words that it was found in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.calibration import load_calibration
from detectors.machine_translation.literal import explain as explain_literal
from detectors.provenance import AI_GENERATED, MACHINE_TRANSLATED, MARK_CAP_NATS, SOFT_CAP_NATS
from pipeline.report.redact import excerpt, short
from pipeline.runs import RunError

BASIS = {
    "mark": "a mark on the page that is near certain",
    "date": "its date: the capture is older than ChatGPT, so that a person wrote it or a machine translated it",
    "conformal": "its score among 200 or more human controls of its stratum",
    "shrunk": "its score among 25 to 199 human controls of its stratum",
    "margin": "its score, which lies beyond the pooled threshold by a margin (no controls of its stratum)",
}
SIDES = {
    **dict.fromkeys(sorted(MACHINE_TRANSLATED), "machine translation"),
    **dict.fromkeys(sorted(AI_GENERATED), "AI"),
    "ai_text": "AI",
    "translated_text": "a translation",
    "page_dates": "AI",
    "parallelism": "machine translation",
}
HOSTS = {"ai_text": "AI", "machine_translation": "machine translation"}
_PROBABILITIES = (("p_human", "human"), ("p_machine_translated", "machine-translated"), ("p_ai_generated", "AI"))


def find_document(path: Path, document: str) -> dict[str, Any]:
    """The row of a document by doc_id or its beginning, record id or address, in a run or in a scored table.

    Raises:
        RunError: no such document, more than one, or nothing to look in.
    """
    files = sorted([*path.glob("data/*/*.parquet"), *path.glob("dropped/*.parquet")]) if path.is_dir() else [path]
    if not files:
        raise RunError(f"{path} holds no run; give a run folder or a Parquet file of `headwater score`")
    rows: dict[str, dict[str, Any]] = {}
    for row in _matches(files, document):
        rows.setdefault(row["doc_id"], row)
        if len(rows) > 1:
            ids = " and ".join(sorted(rows))
            raise RunError(f"{document} fits more than one document, for example {ids}; give the whole doc_id")
    if not rows:
        raise RunError(
            f"{path} has no document {document}; give a doc_id (or 6 digits of it or more), record id or address"
        )
    return next(iter(rows.values()))


def _matches(files: list[Path], document: str) -> Iterator[dict[str, Any]]:
    for name in files:
        try:
            file = pq.ParquetFile(name)
        except (pa.ArrowException, OSError) as error:
            raise RunError(f"{name} is no Parquet file that can be read ({type(error).__name__})") from None
        with file:
            if "doc_id" not in file.schema_arrow.names:
                raise RunError(f"{name} has no doc_id; give a run folder or a Parquet file of `headwater score`")
            for group in range(file.num_row_groups):
                keys = file.read_row_group(group, columns=["doc_id", "record_id", "url"])
                hit = pc.equal(keys.column("record_id"), document)
                hit = pc.or_(pc.fill_null(hit, False), pc.fill_null(pc.equal(keys.column("url"), document), False))
                if len(document) >= 6:
                    hit = pc.or_(hit, pc.starts_with(keys.column("doc_id"), document))
                if pc.any(hit).as_py():
                    yield from file.read_row_group(group).filter(hit).to_pylist()


def explain_document(path: Path, document: str, as_json: bool = False) -> str:
    """The explanation of a document, as text or as JSON."""
    row = find_document(path, document)
    return json.dumps(row, indent=2, default=_plain) if as_json else "\n".join(_lines(row))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    fetched = row.get("fetched_at")
    yield f"{row['doc_id']}  {short(row.get('url'), 200) or '(no address)'}"
    yield f"captured {fetched:%Y-%m-%d}" if fetched else "captured at an unknown time"
    if "reason" in row and row.get("reason"):
        yield f"dropped: {row['reason']}" + (f", of {row['duplicate_of']}" if row.get("duplicate_of") else "")
    yield f"label: {row.get('provenance_label') or '(not scored)'}"
    if row.get("p_human") is not None:
        yield "  " + ", ".join(f"{name} {row[column]:.3f}" for column, name in _PROBABILITIES)
        basis = row.get("provenance_basis") or ""
        yield f"  because of {BASIS.get(basis, basis)}{_measured() if basis == 'margin' else ''}"
    elif row.get("provenance_label") == "unknown" and "p_human" in row:
        yield "  no probabilities: nothing certain was found, and no controls say what its scores mean"
    parallel = row.get("parallel")
    if parallel:
        sides = {True: "probably the source", False: "probably not the source", None: "source unknown"}
        side = sides[parallel["is_source"]]
        yield (
            f"the same text in {parallel['languages']} languages ({side}, confidence {parallel['confidence']:.2f}), "
            f"group {parallel['group']}"
        )
    if row.get("language"):
        kind = row.get("page_type") or "page of unknown type"
        yield f"language {row['language']} ({row.get('language_score') or 0:.2f}), {kind}"
    scores = [(name, row.get(name)) for name in ("ai_text_score", "raw_text_score", "translation_score")]
    told = ", ".join(f"{name} {value:.3f}" for name, value in scores if value is not None)
    if told:
        yield f"raw scores (not probabilities): {told}"
    yield from _evidence(row)


def _measured() -> str:
    """How often human text lies beyond the margin, by the shipped calibration."""
    figures = load_calibration().heads["ai_text"].figures
    mean, worst = figures["margin_fpr_mean"], figures["margin_fpr_worst"]
    return f"; so does {mean:.1%} of human text of sources left out, {worst:.1%} of the worst"


def _evidence(row: Mapping[str, Any]) -> Iterator[str]:
    findings = row.get("evidence") or []
    weighed = [one for one in findings if one["weight"]]
    if weighed:
        yield (
            "evidence, strongest first, in nats (e to their power is the factor on the odds; of one side, scores and "
            f"hosts count for {SOFT_CAP_NATS:g} at most together, marks beside the strongest for {MARK_CAP_NATS:g}):"
        )
    for one in sorted(weighed, key=lambda one: (-abs(one["weight"]), one["detector"], one["signal"])):
        side = SIDES.get(one["detector"]) or HOSTS.get(one["signal"])
        towards = f" {'for' if one['weight'] > 0 else 'against'} {side}" if side else ""
        yield f"  {one['weight']:+.2f}{towards}: {one['detector']}:{one['signal']}{_value(one['value'])}"
        yield from _quote(row, one)
    notes = [one for one in findings if not one["weight"]]
    if notes:
        yield "notes (not weighed):"
    for one in notes[:20]:
        yield f"  {one['detector']}:{one['signal']}{_value(one['value'])}"
        if one["detector"] == "literal_translation" and (why := explain_literal(one["signal"])):
            yield f"      {why}"
        yield from _quote(row, one)
    if len(notes) > 20:
        yield f"  and {len(notes) - 20} more"


def _value(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f" = {value:.4g}"


def _quote(row: Mapping[str, Any], finding: Mapping[str, Any]) -> Iterator[str]:
    if finding["start"] is not None and row.get("text"):
        part = excerpt(row["text"], finding["start"], finding["end"])
        yield f"      {part['before']}[{part['match']}]{part['after']}"
