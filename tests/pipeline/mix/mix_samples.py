"""A small run, an ingest folder and their candidates, for tests of what writes a mix."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.keys import write_arrow
from pipeline.mix.candidates import CANDIDATES, InputFile, candidates_path
from pipeline.mix.choose import INDEX as INDEX_PART
from pipeline.mix.choose import ChoosePlan, MixFile, cut_file, measure_file, shard_counts
from pipeline.mix.formats import file_name
from pipeline.mix.ledger import index_files, write_ledger_part
from pipeline.mix.shards import write_shard
from pipeline.write import INDEX, Piece, file_path
from schemas.document import data_schema
from schemas.manifest import FileEntry

TEXTS = (
    "Der Fluss war hoch.",
    "The river was high.\nAnd cold.",
    "河水很高。",
    "El río estaba alto 🌊",
    "\u0000 nul",
    "",
)
STRINGS = pa.list_(pa.string())
LANGUAGES = ("deu_Latn", "eng_Latn", "cmn_Hani", "spa_Latn", None, None)


def doc_id(name: str) -> str:
    """A document id of a name."""
    return hashlib.md5(name.encode()).hexdigest()


def text_of(name: str, number: int) -> str:
    """Text of a document: short, of several scripts, one empty."""
    return (TEXTS[number % 6] + f" {name}") * (number % 7 + 1) if number % 6 < 5 else ""


def run_rows(name: str, rows: int) -> pa.Table:
    """Rows of a run's data file."""
    ids = [doc_id(f"{name} {row}") for row in range(rows)]
    values: dict[str, list[object]] = {
        "doc_id": ids,
        "url": [f"https://example.org/{name}/{row}" for row in range(rows)],
        "source_file": ["a.warc.gz"] * rows,
        "source_offset": list(range(rows)),
        "fetched_at": [datetime(2024, 5, 1, row % 24, tzinfo=UTC) if row % 5 else None for row in range(rows)],
        "text": [text_of(name, row) for row in range(rows)],
        "page_type": ["article" if row % 3 else None for row in range(rows)],
        "language": [LANGUAGES[row % 6] for row in range(rows)],
        "evidence": [[]] * rows,
        "personal_data": [[]] * rows,
        "benchmarks": [[]] * rows,
        "p_human": [0.9] * rows,
        "provenance_label": ["human"] * rows,
        "quality": [{"words": 3.0}] * rows,
        "cluster_id": ids,
        "cluster_size": [1] * rows,
        "split": ["train"] * rows,
        "mix_weight": [1.0] * rows,
        "cuts": [[]] * rows,
    }
    schema = data_schema(["words"])
    return pa.table([pa.array(values.get(f.name, [None] * rows), f.type) for f in schema], schema=schema)


def ingested_rows(name: str, rows: int) -> pa.Table:
    """Rows of an ingest folder's data file: those of a run, with their lineage."""
    lineage = {
        "generator": pa.array(["gpt-x"] * rows),
        "prompt": pa.array(["rephrase"] * rows),
        "seed": pa.array([str(row) for row in range(rows)]),
        "parents": pa.array([[doc_id(f"web {row}")] if row % 2 else None for row in range(rows)], STRINGS),
        "depth": pa.array([1] * rows, pa.int32()),
        "scores": pa.array([[("relevance", row / 4)] if row % 2 else None for row in range(rows)],
                           pa.map_(pa.string(), pa.float64())),
    }  # fmt: skip
    table = run_rows(name, rows)
    for column, values in lineage.items():
        table = table.append_column(column, values)
    return table


def index_rows(ids: list[str]) -> pa.Table:
    """Index rows of documents, with one that was dropped as a copy of each."""
    rows = []
    for value in ids:
        common = {"source_file": "a.warc.gz", "cluster_id": value, "content_hash": bytes.fromhex(value), "shingles": 3}
        rows.append({**common, "doc_id": value, "source_offset": 0, "role": 3})
        rows.append({**common, "doc_id": doc_id(value), "source_offset": 1, "role": 2, "reason": "exact_duplicate"})
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["doc_id"])), schema=INDEX)


def write_source(folder: Path, files: dict[str, pa.Table], run: str, row_group: int = 7) -> None:
    """A folder with data files and an index, as a run or an ingest leaves them."""
    ids = [value for table in files.values() for value in table.column("doc_id").to_pylist()]
    for name, table in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name, row_group_size=row_group, compression="zstd")
    (folder / "index").mkdir()
    pq.write_table(index_rows(ids), folder / "index" / "part-00000-of-00001.parquet", row_group_size=5)
    values = {"version": 2, "run": run, "parameters": {"shape": "14x8"}, "documents": len(ids), "seen": []}
    (folder / "index" / "index.json").write_text(json.dumps(values), encoding="utf-8")


def candidates_of(table: pa.Table, origin: str, fresh: bool, split: str = "train") -> pa.Table:
    """CANDIDATES of a data file's rows; every eleventh takes no part."""
    rows = table.num_rows
    texts, languages = table.column("text").to_pylist(), table.column("language").to_pylist()
    values = {
        "row": list(range(rows)),
        "doc_id": table.column("doc_id").to_pylist(),
        "origin": [origin] * rows,
        "fresh": [fresh] * rows,
        "language": [(value or "und")[:3] for value in languages],
        "page_type": [value or "none" for value in table.column("page_type").to_pylist()],
        "group": ["dated" if origin == "real" else ""] * rows,
        "label": table.column("provenance_label").to_pylist(),
        "reason": ["language" if row % 11 == 10 else None if split == "train" else split for row in range(rows)],
        "tokens": [len(text.encode()) for text in texts],
        "key": list(range(rows)),
        "host": [0] * rows,
    }
    return pa.table([pa.array(values.get(f.name, [None] * rows), f.type) for f in CANDIDATES], schema=CANDIDATES)


def select(candidates: pa.Table, source: str, passes: tuple[int, ...] = (60, 20)) -> npt.NDArray[np.int32]:
    """Stands for a plan: a copy for each pass whose threshold the key does not pass."""
    keys = np.asarray(candidates.column("key")).astype(np.int64)
    copies: npt.NDArray[np.int32] = sum((keys <= limit).astype(np.int32) for limit in passes)  # type: ignore[assignment]
    return copies


def make_sources(folder: Path, rows: int = 80) -> tuple[list[MixFile], ChoosePlan]:
    """Two files and a validation file of a run, a file of an ingest folder, and a plan to write their mix."""
    web, synthetic = folder / "web", folder / "synthetic"
    tables = {
        "data/human/train-00000-of-00001.parquet": run_rows("web", rows),
        "data/unknown/train-00000-of-00001.parquet": run_rows("more", rows // 2),
        "data/human/validation-00000-of-00001.parquet": run_rows("held", 12),
    }
    made = {"data/synthetic-00000-of-00001.parquet": ingested_rows("made", rows // 2)}
    write_source(web, tables, "aaaa")
    write_source(synthetic, made, "bbbb")
    candidates = folder / "candidates"
    for name in ("candidates", "pieces", "mix/data"):
        (folder / name).mkdir(parents=True)
    files = []
    for source, root, of_source in (("made", synthetic, made), ("web", web, tables)):
        for name in sorted(of_source):
            number = len(files)
            real = source == "web"
            given = InputFile(number, source, str(root / name))
            files.append(MixFile(given, str(root), "aaaa" if real else None))
            found = candidates_of(
                of_source[name],
                "real" if real else "grounded",
                real,
                name.split("/")[-1].split("-")[0] if real else "train",
            )
            write_arrow(candidates_path(candidates, number), found)
    plan = ChoosePlan(str(folder / "mix"), str(candidates), str(folder / "pieces"), select, shard_bytes=2000)
    return files, plan


def write_here(files: list[MixFile], plan: ChoosePlan) -> list[FileEntry]:
    """All files of a mix, written in this process, one after the other."""
    plan = replace(plan, files=len(files))
    for folder in (plan.root, plan.pieces):
        Path(folder).mkdir(parents=True, exist_ok=True)
    sizes: Counter[str] = Counter()
    for file in files:
        sizes.update(measure_file(file, plan))
    counts = shard_counts(sizes, plan)
    cuts = [cut_file(file, part, plan, counts) for part, file in enumerate(files)]
    pieces: dict[str, list[Piece]] = {}
    for piece in (piece for cut in cuts for piece in cut.pieces):
        pieces.setdefault(piece.target, []).append(piece)
    indexes = {file.folder: index_files(file.folder) for file in files}
    entries = [cut.entry for cut in cuts]
    for group, count in counts.items():
        for number in range(count):
            if group == INDEX_PART:
                name = file_path(group, number, count)
                entries.append(write_ledger_part(plan.root, name, pieces.get(name, []), indexes))
            elif not plan.weights_only:
                name = file_name(group, number, count, plan.form)
                entries.append(write_shard(plan.root, name, plan.form, pieces.get(name, [])).entry)
    return sorted(entries, key=lambda entry: entry.path)


def rows_of(root: str, split: str = "train") -> list[dict[str, Any]]:
    """Rows of the Parquet shards of a mix, in their order."""
    paths = sorted(Path(root).glob(f"data/{split}-*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
