"""WARC headers (0.18 to 1.1): fields, dates, and which records are pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.read.records import micros_of

_VERSION = re.compile(rb"(?i)WARC/\d+\.\d+[ \t\r]*\n")
# A record begins on its own line after a blank line; used only to find the way again after damage.
MARKER = re.compile(rb"\n\r{0,2}\n(?=WARC/\d+\.\d+[ \t\r]*\n)", re.IGNORECASE)
HEADER_END = re.compile(rb"\n\r{0,2}\n")  # two: text converted twice
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?)?)?)?(Z|[+-]\d\d:?\d\d)?$"
)
KNOWN_TYPES = frozenset(
    ("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation")
)  # WARC 1.1, section 5.5
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_FOLD = re.compile(rb"\r?\n[ \t]+")
_MEDIA_TYPE = re.compile(r"[\s;,]*([^\s;,]{1,256})")  # some servers forget the semicolon

Fields = dict[bytes, bytes]


def is_version_line(head: bytes) -> bool:
    """Whether `head` begins with a WARC version line (any case: some writers use small letters)."""
    return _VERSION.match(head) is not None


def parse_fields(block: bytes) -> Fields:
    """Fields after the version line: names in lower case, the first of equal names, folded lines joined."""
    fields: Fields = {}
    for line in unfold(block).split(b"\n")[1:]:
        key, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def unfold(block: bytes) -> bytes:
    """A header block with folded lines joined by a blank; at once, as joining line by line would be quadratic."""
    return _FOLD.sub(b" ", block) if b"\n " in block or b"\n\t" in block else block


def parse_length(value: bytes | None) -> int | None:
    """Content-Length in bytes; None where it is missing, negative, no number or over 2^63."""
    if value is None or not value.isdigit() or len(value) > 18:
        return None
    return int(value)


def parse_date(text: str) -> int | None:
    """Microseconds since the epoch of a WARC-Date (W3C date and time, any precision); None where it is none."""
    match = _DATE.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
        if zone not in (None, "Z"):
            shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            moment = moment - shift if zone[0] == "+" else moment + shift
    except (ValueError, OverflowError):
        return None
    return micros_of(moment.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0"))))


def text_of(value: bytes | None) -> str | None:
    """A header value as text: UTF-8, or Latin-1 where it is not UTF-8."""
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def url_of(fields: Fields) -> str | None:
    """WARC-Target-URI without the angle brackets that wget 1.14 put around it; None where missing."""
    url = text_of(fields.get(b"warc-target-uri"))
    if url and url[0] == "<" and url[-1] == ">":
        url = url[1:-1]
    return url or None


def media_type_of(value: str | None) -> str | None:
    """Media type in lower case without parameters."""
    match = _MEDIA_TYPE.match(value or "")
    return match[1].lower() if match else None


def is_page(record_type: str, fields: Fields, url: str | None) -> bool:
    """Whether a record can become a document (see `docs`: pages and records)."""
    declared = fields.get(b"content-type", b"").lower()
    if record_type == "response":
        return declared.startswith(b"application/http") or (url or "")[:8].lower().startswith(("http://", "https://"))
    if record_type == "conversion":
        return not declared or declared.startswith(b"text/plain")
    if record_type == "resource":
        return media_type_of(text_of(declared)) in HTML_TYPES
    return False
