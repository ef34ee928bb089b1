"""What is said of synthetic rows before they meet other texts: their lineage, their language, and copies of parents.

Refused here, and not after the search for duplicates, so that a row that stands for others is never refused. No Beam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.features.sketch import compare
from detectors.language_codes import same_language
from pipeline.synthesize.ingest_mapped import MappedRows
from pipeline.synthesize.ingest_rows import ROWS, read_rows
from pipeline.synthesize.ingest_schema import ACCEPTED, PARENT_CONTAINMENT, REFUSED, TEXTS
from pipeline.synthesize.lineage import Ancestor, Lineage, Pedigree
from pipeline.synthesize.lineage_parents import Sketcher

# A language is taken for wrong from this score and so many words on: of texts of three sentences in 92 languages 0.2 %
# are then refused by mistake, most of them Malay (benchmarks/parent_copies.py).
LANGUAGE_SCORE = 0.7
LANGUAGE_WORDS = 20


@dataclass(frozen=True, slots=True)
class Judge:
    """Reasons of rows; see the constants of this module."""

    pedigree: Pedigree
    sketches: MappedRows  # of the ancestors, by place
    sketcher: Sketcher
    parent_containment: float = PARENT_CONTAINMENT

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
        """ACCEPTED and TEXTS of the rows that go on, and REFUSED of the others; ROWS that failed are in neither."""
        rows = rows.filter(rows.column("code").is_null())
        values = rows.drop_columns(["text", "code", "message"]).to_pylist()
        known = self.sketcher(rows.column("text"))
        lineages = [self._trace(row) for row in values]
        nearest = self._nearest(lineages, known)
        tongues = self.sketcher.languages()
        languages = [known.column(name).to_pylist() for name in ("language", "language_score", "words")]
        refused: list[dict[str, Any]] = []
        accepted: list[dict[str, Any]] = []
        texts: list[int] = []
        for place, (row, lineage) in enumerate(zip(values, lineages, strict=True)):
            language, score, words = (column[place] for column in languages)
            row["reason"] = row["reason"] or lineage.reason
            if row["reason"] is None:
                row |= {"parents": [one.doc_id for one in lineage.parents], "depth": lineage.depth}
                row["split"] = lineage.split
                parent = None
                if place in nearest:
                    row["parent_similarity"], row["parent_containment"], parent = nearest[place]
                said = row["declared_language"]
                if is_wrong_language({said} if said else lineage.languages, language, score, words, tongues):
                    row["reason"] = "wrong_language"
                elif parent is not None and row["parent_containment"] >= self.parent_containment:
                    row |= {"reason": "parent_copy", "similarity": row["parent_similarity"]}
                    row |= {"duplicate_of": parent.doc_id, "duplicate_run": parent.run}
                    row |= {"matched": parent.doc_id, "matched_run": parent.run}
            if row["reason"] is None:
                accepted.append(row)
                texts.append(place)
            else:
                refused.append({**row, "language": language, "language_score": score})
        chosen = rows.select(["record_id", "text"]).take(pa.array(texts, pa.int64()))
        return (
            pa.Table.from_pylist(accepted, schema=ACCEPTED),
            pa.table(chosen.columns, schema=TEXTS),
            pa.Table.from_pylist(refused, schema=REFUSED),
        )

    def _trace(self, row: dict[str, Any]) -> Lineage:
        if row["reason"] is not None:
            return Lineage()
        return self.pedigree.trace(row["parents"] or (), row["depth"], row["doc_id"])

    def _nearest(self, lineages: Sequence[Lineage], known: pa.Table) -> dict[int, tuple[float, float, Ancestor]]:
        """By row, similarity and containment, the largest of all parents, and the parent that contains most of it."""
        pairs = [(place, parent) for place, lineage in enumerate(lineages) for parent in lineage.parents]
        if not pairs:
            return {}
        children = known.take(pa.array([place for place, _ in pairs], pa.int64()))
        parents = self.sketches.take(np.array([parent.place for _, parent in pairs], np.int64))
        found: dict[int, tuple[float, float, Ancestor]] = {}
        for (place, parent), one, share in zip(pairs, *similarities(children, parents), strict=True):
            before = found.get(place, (0.0, -1.0, parent))
            nearest = parent if share > before[1] else before[2]
            found[place] = (max(before[0], float(one)), max(before[1], float(share)), nearest)
        return found


def is_wrong_language(
    expected: Collection[str | None],
    language: str | None,
    score: float | None,
    words: int | None,
    known: Collection[str],
) -> bool:
    """Whether a text is surely in none of the languages that it may be in; members of a macro-language are one.

    Where a language is expected that the model does not know (`known`: those that it does), nothing is sure: it takes
    Faroese for Icelandic.
    """
    sure = (score or 0.0) >= LANGUAGE_SCORE and (words or 0) >= LANGUAGE_WORDS
    if not expected or language is None or not sure or any(same_language(language, one) for one in expected):
        return False
    return all(one and any(same_language(one, other) for other in known) for one in expected)


Float32 = npt.NDArray[np.float32]


def similarities(children: pa.Table, parents: pa.Table) -> tuple[Float32, Float32]:
    """Jaccard similarity of pairs of texts (SKETCHES), row by row, and the share of the child's shingles in the parent.

    Of sets A and B with Jaccard similarity J, |A and B| = J (|A| + |B|) / (1 + J). Texts of equal words are 1 and 1
    whatever their shingles; 0 where either has no words.
    """
    sizes = [np.asarray(one.column("shingles").fill_null(0), np.float64) for one in (children, parents)]
    sketches = [one.column("sketch").combine_chunks() for one in (children, parents)]
    jaccard = np.nan_to_num(compare(*sketches, *(one.astype(np.int64) for one in sizes)).astype(np.float64))
    shared = jaccard * (sizes[0] + sizes[1]) / (1 + jaccard)
    containment = np.minimum(1.0, shared / np.maximum(sizes[0], 1))
    hashes = [one.column("content_hash").to_pylist() for one in (children, parents)]
    equal = np.array([a is not None and a == b for a, b in zip(*hashes, strict=True)], bool)
    return np.where(equal, 1.0, jaccard).astype(np.float32), np.where(equal, 1.0, containment).astype(np.float32)


@dataclass(slots=True)
class Judged:
    """Where the rows are that were judged, and how many."""

    accepted: Path  # Arrow, ACCEPTED
    texts: Path  # Parquet, TEXTS, in the same order
    refused: Path  # Arrow, REFUSED
    rows: int = 0  # accepted
    refusals: Counter[str] = field(default_factory=Counter)


def judge_rows(rows: Path, judge: Judge, folder: Path) -> Judged:
    """Judge all ROWS of a file, a batch at a time, and write what goes on and what does not."""
    judged = Judged(folder / "accepted.arrow", folder / "texts.parquet", folder / "refused.arrow")
    with (
        pa.OSFile(str(judged.accepted), "wb") as first,
        pa.ipc.new_file(first, ACCEPTED) as accepted,
        pa.OSFile(str(judged.refused), "wb") as second,
        pa.ipc.new_file(second, REFUSED) as refused,
        pq.ParquetWriter(judged.texts, TEXTS, compression="lz4", use_dictionary=False) as texts,
    ):
        for table in _whole(rows):
            good, text, bad = judge(table)
            accepted.write_table(good)
            refused.write_table(bad)
            if text.num_rows:
                texts.write_table(text)
            judged.rows += good.num_rows
            judged.refusals.update(bad.column("reason").to_pylist())
    return judged


def _whole(rows: Path) -> Iterator[pa.Table]:
    return (table.cast(ROWS) for table in read_rows(rows))
