"""From a raw record to a `Page`: HTTP parsed, payload hashed as archived, the body decoded if it will be extracted."""

from __future__ import annotations

import xxhash

from pipeline.read import arc, http, warc
from pipeline.read.gzip_members import Problem
from pipeline.read.records import Page, ReadLimits
from pipeline.read.scan import RawRecord


def build_page(record: RawRecord, source_file: str, source_offset: int, limits: ReadLimits) -> Page:
    """The page of a record. Never raises on data: what goes wrong is in `Page.error`."""
    page = Page(None, record.url, source_file, source_offset, None, record.record_type)
    try:
        _fill(page, record, limits)
    except Exception as e:  # one record must not cost the file; the type alone, as messages may quote the page
        page.body = page.text = None
        page.error = ("record_unreadable", f"{type(e).__name__} in the record at byte {source_offset}")
    return page


def _fill(page: Page, record: RawRecord, limits: ReadLimits) -> None:
    declared: str | None
    if record.arc_header is not None:
        page.fetched_at = arc.parse_date(record.arc_header.date)
        declared = record.arc_header.media_type
    else:
        fields = record.fields
        page.record_id = warc.text_of(fields.get(b"warc-record-id"))
        page.truncated = warc.text_of(fields.get(b"warc-truncated"))
        page.fetched_at = warc.parse_date(warc.text_of(fields.get(b"warc-date")) or "")
        declared = warc.text_of(fields.get(b"content-type"))
    if record.error is not None or record.block is None:
        page.error = record.error or ("record_truncated", f"no block in the record at byte {page.source_offset}")
        return
    block = record.block
    if record.record_type == "response":
        _fill_response(page, block, limits)
        return
    page.payload_digest = xxhash.xxh3_128_digest(block)
    page.media_type = warc.media_type_of(declared)
    page.charset = http.charset_of(declared)
    if len(block) > limits.max_body_bytes:
        page.error = ("body_too_large", f"the body is over {limits.max_body_bytes} bytes")
    elif record.record_type == "conversion":
        page.text = block.decode("utf-8", "replace")
    else:
        page.body = block


def _fill_response(page: Page, block: bytes, limits: ReadLimits) -> None:
    page.status, page.headers, start, problem = http.parse_head(block, limits.max_header_bytes)
    page.payload_digest = xxhash.xxh3_128_digest(memoryview(block)[start:])
    if problem is not None:
        page.error = problem
        return
    content_type = http.header(page.headers, "content-type")
    page.media_type = warc.media_type_of(content_type)
    page.charset = http.charset_of(content_type)
    if page.status != 200 or not http.needs_body(page.media_type):
        return
    body: bytes | Problem = block[start:]
    if _is_coded(page):
        body = http.decode_body(page.headers, block[start:], limits.max_body_bytes, limits.max_content_encodings)
    elif len(body) > limits.max_body_bytes:
        body = ("body_too_large", f"the body is over {limits.max_body_bytes} bytes")
    if isinstance(body, tuple):
        page.error = body
    elif http.is_html(page.media_type, body):
        page.body = body


def _is_coded(page: Page) -> bool:
    return any(name.lower() in ("transfer-encoding", "content-encoding") for name, _ in page.headers)
