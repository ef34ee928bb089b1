"""Findings by detector and signal: documents, findings, and the strongest examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.redact import excerpt, short
from pipeline.report.tally import Best, finite, first_of_groups

EXAMPLES = 10
URL_CHARACTERS = 200
_SIGNALS = 300  # distinct signals held; more are counted together
_SEPARATOR = "\x00"
_REST = f"(other signals){_SEPARATOR}"


class EvidenceTally:
    """Counts the evidence of batches with doc_id, url, text, provenance_label and evidence."""

    def __init__(self) -> None:
        self._documents: dict[str, int] = {}
        self._findings: dict[str, int] = {}
        self._best: dict[str, Best[dict[str, Any]]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch. Strength is the size of the weight, then the value; one example for a document."""
        column = batch.column("evidence")
        flat = pc.list_flatten(column)
        if not len(flat):
            return
        parents = np.asarray(pc.list_parent_indices(column)).astype(np.int64)
        names = [pc.fill_null(pc.struct_field(flat, name), "") for name in ("detector", "signal")]
        encoded = pc.dictionary_encode(pc.binary_join_element_wise(*names, _SEPARATOR))
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        keys = [self._known(key) for key in encoded.dictionary.to_pylist()]
        codes = np.asarray(encoded.indices).astype(np.int64)
        strengths = [self._strength(flat, name) for name in ("value", "weight")]
        rank = np.empty(batch.num_rows, np.int64)
        rank[np.asarray(pc.array_sort_indices(batch.column("doc_id")))] = np.arange(batch.num_rows)
        order = np.lexsort((np.arange(len(codes)), rank[parents], *strengths))
        pairs = codes * batch.num_rows + parents
        strongest = order[np.sort(np.unique(pairs[order], return_index=True)[1])]
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            self._findings[keys[code]] = self._findings.get(keys[code], 0) + int(count)
        for code, count in zip(*np.unique(codes[strongest], return_counts=True), strict=True):
            self._documents[keys[code]] = self._documents.get(keys[code], 0) + int(count)
        for at in first_of_groups(codes, strongest, EXAMPLES):
            self._offer(keys[codes[at]], flat[int(at)].as_py(), batch, int(parents[at]))

    def _known(self, key: str) -> str:
        return key if key in self._findings or len(self._findings) < _SIGNALS else _REST

    @staticmethod
    def _strength(flat: pa.Array, name: str) -> Any:
        values = pc.struct_field(flat, name).cast(pa.float64())
        numbers = np.abs(np.asarray(pc.fill_null(values, np.nan), dtype=np.float64))
        return -np.nan_to_num(numbers, nan=-1.0, posinf=-1.0)

    def _offer(self, key: str, finding: dict[str, Any], batch: pa.RecordBatch, row: int) -> None:
        doc_id = batch.column("doc_id")[row].as_py()

        def sort(value: float | None) -> float:
            return 1.0 if value is None or not np.isfinite(value) else -abs(value)

        def build() -> dict[str, Any]:
            text = batch.column("text")[row].as_py() or ""
            return {
                "doc_id": doc_id,
                "url": short(batch.column("url")[row].as_py(), URL_CHARACTERS),
                "label": batch.column("provenance_label")[row].as_py(),
                "value": finite(finding["value"]),
                "weight": finite(finding["weight"]),
                "excerpt": excerpt(text, finding["start"], finding["end"]),
            }

        best = self._best.setdefault(key, Best(EXAMPLES))
        best.offer((sort(finding["weight"]), sort(finding["value"]), doc_id), build)

    def figures(self, documents: int) -> list[dict[str, Any]]:
        """Rows by detector and signal, most documents first within a detector."""
        rows = []
        for key in sorted(self._documents, key=lambda k: (k.split(_SEPARATOR)[0], -self._documents[k], k)):
            detector, _, signal = key.partition(_SEPARATOR)
            rows.append(
                {
                    "detector": short(detector, 80),
                    "signal": short(signal, 120),
                    "documents": self._documents[key],
                    "findings": self._findings[key],
                    "share": round(self._documents[key] / documents, 6) if documents else 0.0,
                    "examples": self._best[key].values(),
                }
            )
        return rows
