"""What reading an archive yields: pages, damaged regions, and the account of everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_TIME = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_TIME = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def micros_of(moment: datetime) -> int | None:
    """Microseconds since the epoch of an aware time; None where it is outside the years 1 to 9999 in UTC."""
    return known_time((moment - _EPOCH) // _MICROSECOND)


def known_time(micros: int) -> int | None:
    """Microseconds since the epoch as they are; None outside the years 1 to 9999, which Python cannot represent."""
    return micros if _FIRST_TIME <= micros <= _LAST_TIME else None


@dataclass(frozen=True, slots=True)
class Source:
    """One input file, as the user gave it (or as a glob, folder or crawl listing expanded to it)."""

    path: str
    size_bytes: int
    ranges: tuple[tuple[int, int], ...] | None = None  # (offset, length) of the records a table of offsets names


@dataclass(frozen=True, slots=True)
class Split:
    """The unit of work, retry and resume: the records of `source_file` whose gzip member starts in [start, end).

    Splits are planned from sizes alone. Where the content turns out not to be one gzip member per record, split 0
    of the file reads all of it and the others are empty. `exact_start` is set when the sequential position of the
    first member is known (see `SplitReader.first_offset`); without it the reader looks for the first member.
    `ranges` (offset, length) replaces [start, end) where a table of offsets names the records.
    """

    number: int
    source_file: str
    start: int
    end: int
    source_bytes: int
    exact_start: int | None = None
    ranges: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of what one record may cost. All sizes in bytes."""

    max_body_bytes: int = 16 << 20  # of a page's payload after all decoding; larger pages are failures
    max_record_bytes: int = 64 << 20  # of a record block inside the archive; larger ones are skipped over
    max_header_bytes: int = 4 << 20  # of a WARC or HTTP header block
    max_content_encodings: int = 3


@dataclass(frozen=True, slots=True)
class TextColumns:
    """Column names of a table that already holds text."""

    id: str = "id"
    text: str = "text"
    url: str = "url"
    fetched_at: str = "fetched_at"


@dataclass(slots=True)
class Page:
    """A record that can become a document: HTTP response, ARC entry, WET conversion, HTML resource or table row.

    Exactly one of `body` (decoded payload bytes), `text` (already text) and `error` (code, message) is set, except
    that pages that are not extracted (status other than 200, or not HTML) have none of them. An HTML page without
    content has the body b"". `status` is None where there is no HTTP: conversions, HTML resources, rows.
    `payload_digest` is xxh3_128 of the payload as archived; `fetched_at` is microseconds since the epoch, UTC.
    """

    record_id: str | None
    url: str | None
    source_file: str
    source_offset: int
    fetched_at: int | None
    record_type: str
    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    media_type: str | None = None
    charset: str | None = None
    body: bytes | None = None
    text: str | None = None
    truncated: str | None = None
    payload_digest: bytes = b""
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A damaged stretch [source_offset, end_offset) that cannot be read as a page."""

    source_file: str
    source_offset: int
    end_offset: int
    code: str
    message: str
