"""FAILURES: pages and damaged regions that could not be read. Never holds the page's text."""

from __future__ import annotations

import pyarrow as pa

FAILURES = pa.schema(
    [
        pa.field("unit", pa.string(), nullable=False, metadata={"description": "`page` or `region`"}),
        pa.field("stage", pa.string(), nullable=False, metadata={"description": "`read`, `extract` or `detect`"}),
        pa.field("code", pa.string(), nullable=False, metadata={"description": "what went wrong, snake_case"}),
        pa.field("message", pa.string(), metadata={"description": "what went wrong and where, for people"}),
        pa.field("source_file", pa.string(), nullable=False, metadata={"description": "input file as given"}),
        pa.field("source_offset", pa.int64(), nullable=False, metadata={"description": "byte offset of the record"}),
        pa.field("source_end", pa.int64(), metadata={"description": "end of a damaged region, bytes"}),
        pa.field("record_id", pa.string(), metadata={"description": "WARC-Record-ID, where it could be read"}),
        pa.field("url", pa.string(), metadata={"description": "address of the page, where it could be read"}),
        pa.field("doc_id", pa.string(), metadata={"description": "document id, where it could be computed"}),
    ]
)
