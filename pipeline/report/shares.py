"""Shares of AI-generated text among what a run kept, by its controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detectors.prevalence import Share
from pipeline.prevalence import COLUMNS, shares
from pipeline.standards import Standards

CONTROLS = "index/controls.json"  # of a run: what its text was compared with, and the next run may be
SAMPLE = 200_000  # documents that a share is estimated on; its interval does not gain from more
LANGUAGES = 20


class ShareSample:
    """A sample of documents by the beginning of their id: the same for every order, bounded in memory."""

    def __init__(self, size: int = SAMPLE) -> None:
        self._size = size
        self._limit = "g"  # beyond every hex digit
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a batch that may be in the sample."""
        table = pa.table({name: batch.column(name) for name in ("doc_id", *COLUMNS) if name in batch.schema.names})
        self._parts.append(table.filter(pc.less(table.column("doc_id"), self._limit)))
        self._rows += self._parts[-1].num_rows
        if self._rows > 2 * self._size:
            self._shrink()

    def _shrink(self) -> None:
        table = pa.concat_tables(self._parts)
        ids = pc.sort_indices(table.column("doc_id"))[: self._size]
        table = table.take(ids)
        if table.num_rows == self._size:
            self._limit = table.column("doc_id")[self._size - 1].as_py() + "0"
        self._parts, self._rows = [table], table.num_rows

    def table(self) -> pa.Table | None:
        """The sample, in order of the ids; None without documents, or where they have no scores."""
        if not self._parts or set(COLUMNS) - set(self._parts[0].schema.names):
            return None
        self._shrink()
        return self._parts[0]


def share_figures(root: Path, manifest: Mapping[str, Any], sample: ShareSample) -> dict[str, Any]:
    """Rows of shares (the whole, then languages), or the reason why there are none."""
    table = sample.table()
    if not any(entry["path"] == CONTROLS for entry in manifest.get("files") or []):
        return {"rows": [], "refused": "the run has no controls: no page from before November 2022, and no --controls"}
    if table is None:
        return {"rows": [], "refused": "nothing was kept"}
    calibration = manifest["config"].get("provenance", {}).get("calibration")
    standards = Standards((root / CONTROLS).read_text(encoding="utf-8"), calibration)
    found = shares(table, standards.calibrator, by=["language"])
    rows = [_row(value or "all", share) for _, value, share in found if share.documents or not value]
    return {"rows": rows[: LANGUAGES + 1], "refused": None}


def _row(name: str, share: Share) -> dict[str, Any]:
    known = share.refused is None
    return {
        "key": name,
        "documents": share.documents,
        "hosts": share.hosts,
        "controls": share.controls,
        "estimate": round(share.estimate, 4) if known else None,
        "low": round(share.low, 4) if known else None,
        "high": round(share.high, 4) if known else None,
        "refused": share.refused,
    }
