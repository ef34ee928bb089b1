"""CANDIDATES: what a mix knows of every document of its sources, beside each data file and without its text.

A document takes part where `reason` is null. Within its cell documents have an order that no budget changes: `key` is
floor(2^32 * -ln(u) / w) with u in (0, 1] of the seed and the document's id, and w its weight, so that a prefix of the
order is a weighted sample without replacement and a longer prefix holds a shorter one (exponential race; Efraimidis &
Spirakis 2006). Documents of one key are taken together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from schemas.document import TIMESTAMP

CANDIDATES = pa.schema(
    [
        ("row", pa.int64()),  # row of the data file
        ("doc_id", pa.string()),
        ("origin", pa.string()),  # real, grounded (a rephrasing of its parents) or ungrounded
        ("fresh", pa.bool_()),  # real text that no earlier run or mix held
        ("language", pa.string()),  # ISO 639-3; `und` where there is none
        ("page_type", pa.string()),  # `none` where there is none
        ("group", pa.string()),  # what is known of its human share, see human_share; "" for synthetic text
        ("label", pa.string()),  # provenance label; `unknown` where there is none
        ("reason", pa.string()),  # why the document takes no part; null for those that do
        ("tokens", pa.int64()),
        ("key", pa.uint64()),
        ("host", pa.uint64()),  # xxh3_64 of the host; 0 where there is none
        ("score", pa.float32()),  # raw score of text of chat models
        ("p_machine_translated", pa.float32()),
        ("words", pa.int32()),
        ("fetched_at", TIMESTAMP),
    ]
)

REAL, GROUNDED, UNGROUNDED = "real", "grounded", "ungrounded"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A data file of a source. Numbers are dense, in the order of (source, path)."""

    number: int
    source: str
    path: str


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Documents that a plan does not tell apart."""

    source: str
    origin: str
    fresh: bool
    language: str
    page_type: str
    group: str


def candidates_path(folder: str | Path, number: int) -> Path:
    """Where the candidates of an input file are."""
    return Path(folder) / f"{number:05d}.candidates.arrow"
