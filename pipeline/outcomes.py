"""What becomes of a page after reading: a document, a drop or a failure; and how they travel to the detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.read.records import Page, Region
from schemas.document import DOCUMENT_INPUT, document_id

# Pages of a batch: enough to spread the cost of a call, few enough to bound memory.
BATCH_ROWS = 128
BATCH_BYTES = 4 << 20


@dataclass(slots=True)
class Outcome:
    """A page after extraction: a document (no reason, no code), a drop (reason) or a failure (code)."""

    page: Page
    doc_id: str
    text: str = ""
    title: str | None = None
    signals: dict[str, Any] | None = None
    page_type: str | None = None
    confidence: float | None = None
    reason: str | None = None
    stage: str = ""
    code: str | None = None
    message: str | None = None

    def identity(self) -> dict[str, Any]:
        """Columns of `schemas.document.IDENTITY`."""
        page = self.page
        return {
            "doc_id": self.doc_id,
            "record_id": page.record_id,
            "url": page.url,
            "source_file": page.source_file,
            "source_offset": page.source_offset,
            "fetched_at": page.fetched_at,
        }

    def failure(self) -> dict[str, Any]:
        """A row of FAILURES."""
        page = self.page
        return {
            "unit": "page",
            "stage": self.stage,
            "code": self.code,
            "message": self.message,
            "source_file": page.source_file,
            "source_offset": page.source_offset,
            "source_end": None,
            "record_id": page.record_id,
            "url": page.url,
            "doc_id": self.doc_id,
        }


def doc_id_of(page: Page) -> str:
    """Document id of a page; rows of tables without an address are told apart by their own id."""
    address = page.url
    if address is None and page.record_type == "row" and page.record_id is not None:
        address = f"row:{page.record_id}"
    return document_id(address, page.fetched_at, page.payload_digest)


def document_batch(outcomes: Sequence[Outcome]) -> pa.RecordBatch:
    """Outcomes as a batch of `DOCUMENT_INPUT`."""
    columns: dict[str, list[Any]] = {name: [] for name in DOCUMENT_INPUT.names}
    for outcome in outcomes:
        for name, value in outcome.identity().items():
            columns[name].append(value)
        columns["title"].append(outcome.title)
        columns["text"].append(outcome.text)
        columns["page"].append(outcome.signals)
        columns["page_type"].append(outcome.page_type)
        columns["extraction_confidence"].append(outcome.confidence)
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[f.name], f.type) for f in DOCUMENT_INPUT], schema=DOCUMENT_INPUT
    )


def batches(
    outcomes: Iterator[Outcome | Region], rows: int = BATCH_ROWS, size: int = BATCH_BYTES
) -> Iterator[tuple[list[Outcome], list[Region]]]:
    """Outcomes in lists bounded by rows and by bytes of text, with the regions met between them."""
    held: list[Outcome] = []
    regions: list[Region] = []
    total = 0
    for item in outcomes:
        if isinstance(item, Region):
            regions.append(item)
            continue
        held.append(item)
        item.page.body = None  # the markup is not needed any more
        total += len(item.text) + 1024
        if len(held) >= rows or total >= size:
            yield held, regions
            held, regions, total = [], [], 0
    if held or regions:
        yield held, regions


def region_failure(region: Region) -> dict[str, Any]:
    """A damaged region as a row of FAILURES."""
    return {
        "unit": "region",
        "stage": "read",
        "code": region.code,
        "message": region.message,
        "source_file": region.source_file,
        "source_offset": region.source_offset,
        "source_end": region.end_offset,
    }
