"""Small tables of documents with the columns of a run that gaps are found by."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.document import PAGE_STRUCT, PERSONAL_DATA, RIGHTS_STRUCT

SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()), ("url", pa.string()), ("text", pa.string()), ("language", pa.string()),
        ("page_type", pa.string()), ("words", pa.int32()), ("provenance_label", pa.string()), ("split", pa.string()),
        ("page", PAGE_STRUCT), ("rights", RIGHTS_STRUCT), ("personal_data", pa.list_(PERSONAL_DATA)),
    ]
)  # fmt: skip
HEALTH = "The doctor saw the patient at the hospital. The nurse gave medicine for the disease and the infection."
COOKING = (
    "A recipe with flour, butter and sugar: mix the dough, then bake it in the oven and serve the cake with cheese."
)


def document(number: int, **values: Any) -> dict[str, Any]:
    """A row with defaults; `number` makes its id."""
    text = values.get("text", f"Plain words about number {number}.")
    row = {
        "doc_id": hashlib.md5(str(number).encode()).hexdigest(), "url": f"https://host{number}.example.com/{number}",
        "text": text, "language": "eng", "page_type": "article", "words": max(60, len(text.split())),
        "provenance_label": "unknown", "split": "train", "page": None, "rights": None, "personal_data": [],
    }  # fmt: skip
    return {**row, **values}


def page(**values: Any) -> dict[str, Any]:
    """A page with the given members; the others are null."""
    return {member.name: values.get(member.name) for member in PAGE_STRUCT}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the columns of a run."""
    return pa.Table.from_pylist(rows, SCHEMA)


def write(path: Path, rows: list[dict[str, Any]], group: int = 100) -> str:
    """A Parquet file of rows; returns its path."""
    pq.write_table(table(rows), path, row_group_size=group)
    return str(path)
