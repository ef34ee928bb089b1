"""Columns of what `headwater synthesize ingest` writes, and what its command needs before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from schemas.document import DROPPED, data_schema

# A text is a copy of its parent from this share of its shingles on: half of it stands there word by word. Measured by
# benchmarks/parent_copies.py (docs/synthetic.md).
PARENT_CONTAINMENT = 0.5


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


# A list and no map, which `datasets` cannot load.
SCORES = pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))
LINEAGE = [
    _field("generator", pa.string(), "what wrote the text, as declared"),
    _field("prompt", pa.string(), "prompt, or its name, as declared"),
    _field("seed", pa.string(), "seed, as declared"),
    _field("parents", pa.list_(pa.string()), "doc_ids of the documents that it was made of"),
    _field("depth", pa.int32(), "generations after real text; 1: of real text alone"),
    _field("grounded", pa.bool_(), "whether it is a rephrasing of its parents"),
    _field("parent_similarity", pa.float32(), "largest Jaccard similarity to a parent; null without parents"),
    _field("parent_containment", pa.float32(), "largest share of its shingles in one parent; null without parents"),
    _field("declared_language", pa.string(), "ISO 639-3, as declared"),
    _field("scores", SCORES, "columns that passed through, by name"),
]
# Rows that go on to the search for duplicates, beside their texts.
ACCEPTED = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_offset", pa.int64()),
        ("doc_id", pa.string()),
        ("split", pa.string()),
        *LINEAGE,
    ]
)
TEXTS = pa.schema([("id", pa.string()), ("text", pa.string())])
# As `dropped/` of a run, with the lineage. Where that is not known `parents` are the names that the row gave.
REFUSED = pa.schema([*DROPPED, *LINEAGE])
# Of what a run stores, what speaks of a page and not of its text, or of text that was cut.
_OF_PAGES = frozenset({"title", "page", "extraction_confidence", "rights", "parallel", "mix_weight", "cuts"})


def synthetic_schema(quality_signals: Sequence[str]) -> pa.Schema:
    """Schema of the files under `data/`: documents of a run, with their lineage. Addresses and times are null."""
    return pa.schema([*(one for one in data_schema(list(quality_signals)) if one.name not in _OF_PAGES), *LINEAGE])
