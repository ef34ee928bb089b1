"""A finished run with the files that a real one has, made of texts: what is kept, what is dropped, and an index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.api import digest_of
from detectors.features.url_key import url_key
from pipeline.annotate import Annotator
from pipeline.decide import PAIRS
from pipeline.index import INDEX_FILE, index_json
from pipeline.job import index_parameters
from pipeline.report import write_documents
from pipeline.seen_query import DETECTORS, query_of_text
from pipeline.write import INDEX, file_number, file_path
from schemas.config import CurateConfig
from schemas.document import DROPPED, data_schema
from schemas.failure import FAILURES
from schemas.manifest import FileEntry, SourceAccount, run_manifest, sha256_of, write_json

DATA = data_schema(["gopher_words"])


@dataclass
class FakePage:
    """A page of a run. `reason` null: kept; `early`: dropped before it had a text, so that no index knows it."""

    name: str
    text: str = ""
    url: str | None = None
    reason: str | None = None
    copy_of: str | None = None
    early: bool = False
    source: str = "a.warc.gz"

    @property
    def doc_id(self) -> str:
        return doc_id(self.name)


def doc_id(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()


def write_part(root: Path, name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> FileEntry:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = sorted(rows, key=lambda row: str(row["doc_id"]))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=3)
    return FileEntry(name, len(rows), path.stat().st_size, sha256_of(path))


def make_run(
    root: Path,
    pages: Sequence[FakePage],
    *,
    config: CurateConfig | None = None,
    files: int = 2,
    inputs: str = "inputs",
    pairs: Sequence[tuple[str, str, str | None, float]] = (),
    failures: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write a run of `files` files a group; `pairs` are (page, matched page, run of it, similarity) by name."""
    config = config or CurateConfig()
    accounts: dict[str, SourceAccount] = {}
    schemas = {"data/unknown/train": DATA, "dropped/part": DROPPED, "index/part": INDEX}
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in schemas}
    for number, page in enumerate(pages):
        account = accounts.setdefault(page.source, SourceAccount())
        account.pages += 1
        identity = {
            "doc_id": page.doc_id, "record_id": f"<urn:uuid:{page.name}>", "url": page.url,
            "source_file": page.source, "source_offset": 100 * number,
            "fetched_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number),
        }  # fmt: skip
        cluster = doc_id(page.copy_of) if page.copy_of else page.doc_id
        if page.reason:
            account.dropped[page.reason] += 1
            of = cluster if page.copy_of else None
            row = {**identity, "reason": page.reason, "duplicate_of": of, "cluster_id": None if page.early else cluster}
            groups["dropped/part"].append(row)
        else:
            account.kept += 1
            groups["data/unknown/train"].append(
                {
                    **identity, "title": page.name, "text": page.text, "evidence": [], "personal_data": [],
                    "benchmarks": [], "provenance_label": "unknown", "quality": {"gopher_words": 1.0}, "cuts": [],
                    "cluster_id": cluster, "cluster_size": 1, "split": "train", "mix_weight": 1.0,
                }
            )  # fmt: skip
        if page.early:
            continue
        query = query_of_text(page.name, page.text, config)
        groups["index/part"].append(
            {
                **identity, "url_key": url_key(page.url), "content_hash": query.content_hash,
                "bands": np.asarray(query.bands, "<u8").tobytes() if query.sketch is not None else None,
                "shingles": query.shingles or None, "sketch": query.sketch, "cluster_id": cluster,
                "reason": page.reason, "role": 3,
            }
        )  # fmt: skip
    found = [
        {"doc_id": doc_id(one), "matched": doc_id(other), "matched_run": run, "similarity": similarity, "kind": "text"}
        for one, other, run, similarity in pairs
    ]
    for row in failures:
        account = accounts.setdefault(row["source_file"], SourceAccount())
        account.pages += 1
        account.failed[row["code"]] += 1
    entries = []
    for group, rows in groups.items():
        for n in range(files):
            mine = [row for row in rows if file_number(row["doc_id"], files) == n]
            entries.append(write_part(root, file_path(group, n, files), mine, schemas[group]))
    entries.append(write_part(root, file_path("index/pairs", 0, 1), found, PAIRS))
    entries.append(write_part(root, file_path("failures/part", 0, 1), failures, FAILURES))
    manifest = run_manifest(
        version="0.1.0",
        config=config.plain(),
        config_fingerprint=digest_of(config.plain()),
        inputs_fingerprint=inputs,
        detectors={},
        sources={name: (1000, account) for name, account in accounts.items()},
        files=[],
        execution={"seconds": 1.0},
    )
    documents = len(groups["index/part"])
    text = index_json(manifest, index_parameters(Annotator(config, DETECTORS)), documents, [])
    (root / INDEX_FILE).write_text(text, encoding="utf-8")
    entries.append(FileEntry(INDEX_FILE, 0, (root / INDEX_FILE).stat().st_size, sha256_of(root / INDEX_FILE)))
    plain = list(map(asdict, entries))
    manifest["files"] = plain
    written = write_documents(root, {key: value for key, value in manifest.items() if key != "execution"})
    manifest["files"] = [*plain, *map(asdict, written)]
    write_json(root / "run.json", manifest)
    return root


def rows_of(root: Path, group: str) -> list[dict[str, Any]]:
    """All rows of a group of files."""
    files = sorted(root.glob(f"{group}*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def manifest_of(root: Path) -> dict[str, Any]:
    return dict(json.loads((root / "run.json").read_text(encoding="utf-8")))


VOCABULARY = """the quiet river carried small boats past gardens where people talked about weather bread and old songs
while children played near stone bridge under trees that their grandparents had planted many years before this town was
known for its market every morning farmers brought apples cheese honey flowers from villages nearby"""


def words(seed: int, count: int = 120) -> list[str]:
    """Words that are a language, in an order of their own for each seed."""
    vocabulary = VOCABULARY.split()
    return [str(word) for word in np.random.default_rng(seed).choice(vocabulary, count)]
