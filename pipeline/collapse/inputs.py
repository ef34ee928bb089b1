"""Text of people for the simulation: from text tables, runs and mixes."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.read.gzip_members import Window
from pipeline.read.records import Page, TextColumns
from pipeline.read.sources import list_sources, plan_splits
from pipeline.read.splits import SplitReader
from pipeline.read.storage import InputError, open_file
from pipeline.read.tables import json_objects
from pipeline.runs import RunError

LABELS = ("human", "unknown")  # of a run, as in the sources of a mix
_BATCH_ROWS = 1024
_SPLIT_BYTES = 64 << 20


def read_texts(inputs: Sequence[str], text_column: str, failed: Counter[str]) -> Iterator[str]:
    """Texts of all inputs, one at a time; what cannot be read is counted in `failed` by code.

    A run gives the training documents that are labelled human or unknown, a mix its real documents, everything else is
    a text table.

    Raises:
        InputError: an input is not there, is no text, or lacks the column.
        RunError: a folder of a run or mix without text.
    """
    tables = []
    for text in inputs:
        folder = Path(text)
        if (folder / "mix.json").is_file():
            yield from _mix_texts(folder)
        elif (folder / "run.json").is_file():
            yield from _run_texts(folder)
        else:
            tables.append(text)
    if tables:
        yield from _table_texts(tables, text_column, failed)


def fresh_share_of(mix: str) -> float:
    """The share of fresh human text that a mix has, at its confidence: `plan.fresh_human_share` of its mix.json."""
    path = Path(mix) / "mix.json"
    try:
        share = json.loads(path.read_text(encoding="utf-8"))["plan"]["fresh_human_share"]
        if isinstance(share, bool) or not 0 <= share <= 1:
            raise ValueError(share)
    except FileNotFoundError:
        raise RunError(f"{mix}: no mix.json; give the folder of a finished mix") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{path}: no plan.fresh_human_share between 0 and 1; write the mix again") from None
    return float(share)


def _run_texts(folder: Path) -> Iterator[str]:
    files = [path for label in LABELS for path in sorted((folder / "data" / label).glob("train-*.parquet"))]
    if not files:
        raise RunError(f"{folder}: the run has no training documents labelled {' or '.join(LABELS)}; give other text")
    for path in files:
        for row in _parquet_rows(path, ["text"]):
            yield row["text"] or ""


def _mix_texts(folder: Path) -> Iterator[str]:
    files = sorted((folder / "data").glob("train-*.parquet")) + sorted((folder / "data").glob("train-*.jsonl.zst"))
    if not files:
        raise RunError(f"{folder}: the mix has no data/train-*.parquet or .jsonl.zst; give the runs that it is made of")
    for path in files:
        rows = _json_rows(path) if path.suffix == ".zst" else _parquet_rows(path, ["text", "origin"])
        for row in rows:
            if row.get("origin") == "real":
                yield row.get("text") or ""


def _parquet_rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                yield from batch.to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{path}: cannot be read ({type(error).__name__}); `headwater verify` says what changed"
        ) from error


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with contextlib.closing(open_file(str(path))) as file:
        yield from json_objects(str(path), Window(file), "zstd")


def _table_texts(inputs: Sequence[str], text_column: str, failed: Counter[str]) -> Iterator[str]:
    columns = TextColumns(text=text_column)
    for split in plan_splits(list_sources(inputs, text_column=text_column), _SPLIT_BYTES):
        for item in SplitReader(split, columns=columns):
            if not isinstance(item, Page):
                failed[item.code] += 1
            elif item.record_type != "row":
                raise InputError(
                    f"{split.source_file}: an archive, and no table of texts; run `headwater curate` or `headwater "
                    "extract` on it first"
                )
            elif item.error is not None:
                failed[item.error[0]] += 1
            else:
                yield item.text or ""
