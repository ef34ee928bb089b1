"""Figures of duplicates: verified pairs, pages of earlier runs, clusters over the limit, spans that were cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.tally import counts_of

# Lower bounds of the bins of similarity; the last is of pairs of equal text.
SIMILARITIES = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
FLAGGED = 50  # clusters over the limit that are listed


def pair_bins(batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Pairs by similarity, from batches with the column `similarity`; empty bins at the ends are left out."""
    counts = np.zeros(len(SIMILARITIES), np.int64)
    edges = np.array(SIMILARITIES, np.float32)
    for batch in batches:
        values = np.asarray(batch.column("similarity"), dtype=np.float32)
        places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)
        counts += np.bincount(places, minlength=len(edges))
    filled = np.flatnonzero(counts)
    if not len(filled):
        return []
    ends = (*SIMILARITIES[1:], 1.0)
    return [{"from": SIMILARITIES[n], "to": ends[n], "pairs": int(counts[n])} for n in range(filled[0], filled[-1] + 1)]


class CutTally:
    """Pages and characters that rules cut from kept texts."""

    def __init__(self) -> None:
        self._pages: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()

    def add(self, cuts: pa.Array) -> None:
        """Count the column `cuts` of a batch."""
        flat = pc.list_flatten(cuts)
        if not len(flat):
            return
        rules, starts, ends = (pc.struct_field(flat, name) for name in ("rule", "start", "end"))
        table = pa.table({"row": pc.list_parent_indices(cuts), "rule": rules, "length": pc.subtract(ends, starts)})
        sums = table.group_by("rule").aggregate([("length", "sum"), ("row", "count_distinct")])
        for row in sums.to_pylist():
            self._pages[row["rule"]] += row["row_count_distinct"]
            self._characters[row["rule"]] += row["length_sum"]

    def rows(self) -> list[dict[str, Any]]:
        """By rule, the largest first."""
        ranked = sorted(self._pages, key=lambda rule: (-self._characters[rule], rule))
        return [{"rule": r, "documents": self._pages[r], "characters": self._characters[r]} for r in ranked]


def duplicate_figures(
    clusters: Mapping[int, int],
    largest: Sequence[dict[str, Any]],
    dropped: Mapping[str, int],
    pairs: list[dict[str, Any]],
    runs: Counter[str],
    cuts: CutTally,
    flagged: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The figures under `duplicates`. `clusters` counts clusters by the power of two of their pages."""
    ranked = sorted(flagged, key=lambda one: (-one["nodes"], one["doc_id"]))
    return {
        "clusters": [
            {"from": 1 << power, "to": (1 << (power + 1)) - 1, "clusters": count}
            for power, count in sorted(clusters.items())
        ],
        "largest": list(largest),
        "dropped": counts_of((k, v) for k, v in dropped.items() if k.endswith("_duplicate")),
        "pairs": pairs,
        "earlier_runs": counts_of(runs.items(), "run"),
        "flagged": [dict(one) for one in ranked[:FLAGGED]],
        "flagged_rest": max(0, len(ranked) - FLAGGED),
        "cuts": cuts.rows(),
    }
