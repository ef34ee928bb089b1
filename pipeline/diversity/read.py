"""The sample of a run, of a mix, or of a table of text, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detectors.features.url_key import site_of
from pipeline.diversity.sample import WORDS, Sample, empty, measure
from pipeline.read import storage
from pipeline.read.formats import detect_format
from pipeline.read.gzip_members import Window
from pipeline.read.storage import InputError
from pipeline.read.tables import json_objects
from pipeline.runs import RunError

ROWS = 1024  # of a batch
BATCH_CHARACTERS = 64 << 20  # of a batch of JSON lines
HUMAN = ("human", "unknown")
# Names of each column, the first that a table has.
COLUMNS = {
    "id": ("doc_id", "id"),
    "text": ("text",),
    "url": ("url",),
    "language": ("language", "lang"),
    "page_type": ("page_type",),
    "cluster": ("cluster_id",),
}
_SHARDS = (".parquet", ".jsonl", ".jsonl.zst", ".jsonl.gz", ".jsonl.xz")

Rows = dict[str, list[Any]]


def sample_of(
    path: str | Path, *, labels: Sequence[str] = HUMAN, text_column: str = "text", words: int = WORDS
) -> Sample:
    """Sample of a folder of a run or a mix, or of a Parquet or JSON lines file.

    Of a run only the documents of `labels` count. Of a mix only the training part: rows of the validation part are
    those that the runs set aside. Hosts are registrable domains.

    Raises:
        RunError: nothing there, or an unfinished folder.
        InputError: a file that cannot be read, or has no such text column.
    """
    sample = empty(words)
    for file in data_files(Path(path), labels):
        for rows in _batches(file, text_column):
            size = len(rows["text"])
            part = measure(
                rows.get("id", [None] * size),
                rows["text"],
                hosts=[site_of(url) if isinstance(url, str) else None for url in rows.get("url", [])] or None,
                languages=rows.get("language"),
                page_types=rows.get("page_type"),
                clusters=rows.get("cluster"),
                words=words,
                within=sample,
            )
            sample = sample.merge(part)
    return sample


def data_files(path: Path, labels: Sequence[str]) -> list[Path]:
    """The files of text under a path, sorted.

    Raises:
        RunError: nothing there, an unfinished folder, or one without text.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RunError(f"{path} is not there; give the folder of a run or a mix, or a Parquet or JSON lines file")
    is_mix, is_run = (path / "mix.json").exists(), (path / "run.json").exists()
    if not is_mix and not is_run:
        raise RunError(f"{path} holds no finished run or mix (run.json or mix.json is missing)")
    found = sorted(file for file in (path / "data").rglob("*") if file.name.endswith(_SHARDS))
    if is_mix:
        found = [file for file in found if file.name.startswith("train-")]
    else:
        found = [file for file in found if file.parent.name in labels]
    if not found:
        what = "train-*.parquet or train-*.jsonl.zst" if is_mix else f"documents labelled {' or '.join(labels)}"
        raise RunError(f"{path} holds no {what} under data/")
    return found


def _batches(path: Path, text_column: str) -> Iterator[Rows]:
    file = storage.open_file(str(path))
    try:
        window = Window(file)
        found = detect_format(window)
        if found.kind == "empty":
            return
        if found.kind not in ("parquet", "jsonl"):
            raise InputError(f"{path} is neither Parquet nor JSON lines ({found.what or found.kind})")
        yield from (
            _parquet(path, text_column) if found.kind == "parquet" else _json(path, window, found.codec, text_column)
        )
    finally:
        file.close()


def _parquet(path: Path, text_column: str) -> Iterator[Rows]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            chosen = _choose(path, file.schema_arrow.names, text_column)
            names = list(dict.fromkeys(chosen.values()))
            for group in range(file.num_row_groups):  # row groups are bounded in bytes
                for batch in file.iter_batches(ROWS, row_groups=[group], columns=names):
                    yield {key: batch.column(name).to_pylist() for key, name in chosen.items()}
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read; it is damaged ({str(error).splitlines()[0][:100]})") from None


def _json(path: Path, window: Window, codec: str, text_column: str) -> Iterator[Rows]:
    held: list[dict[str, Any]] = []
    size = 0
    chosen: dict[str, str] | None = None
    for row in json_objects(str(path), window, codec):
        chosen = chosen or _choose(path, [str(name) for name in row], text_column)
        held.append({key: row.get(name) for key, name in chosen.items()})
        size += len(str(held[-1]["text"] or ""))
        if len(held) == ROWS or size > BATCH_CHARACTERS:
            yield _columns(held)
            held, size = [], 0
    if held:
        yield _columns(held)


def _columns(rows: list[dict[str, Any]]) -> Rows:
    return {
        key: [None if row[key] is None else row[key] if isinstance(row[key], str) else str(row[key]) for row in rows]
        for key in rows[0]
    }


def _choose(path: Path, present: Sequence[str], text_column: str) -> dict[str, str]:
    """The table's name of each column of COLUMNS that it has."""
    wanted = {**COLUMNS, "text": (text_column,)}
    chosen = {key: next((name for name in names if name in present), None) for key, names in wanted.items()}
    if chosen["text"] is None:
        raise InputError(
            f"{path}: no column {text_column!r}; columns are {', '.join(sorted(present))}; "
            "choose one with --text-column"
        )
    return {key: name for key, name in chosen.items() if name is not None}
