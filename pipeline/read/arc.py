"""ARC 1.0 header lines (version 1 and 2), as the Internet Archive, Alexa and early Common Crawl wrote them.

Format: https://archive.org/web/researcher/ArcFileFormat.php. Fields are parsed from the right, because URLs and media
types in real files hold spaces, and address and date are found by their look, because some writers swapped them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.read.records import micros_of

MAX_LINE = 8 << 10  # bytes of a header line; longer ones are not taken for one

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{1,20}:")
_ADDRESS = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|None|-|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
_DATE = re.compile(rb"\d{8,20}[A-Za-z]{0,8}")
_NUMBER = re.compile(rb"-?\w{1,24}")  # negative or no number in damaged files; the line is a header still
MARKER = re.compile(rb"\n(?=[A-Za-z][A-Za-z0-9+.\-]{1,20}:)")  # candidates: check them with `parse_header`


@dataclass(frozen=True, slots=True)
class ArcHeader:
    """One header line; `length` in bytes, None where it is negative or no number."""

    url: bytes
    date: bytes
    media_type: str | None
    length: int | None
    line_bytes: int


def could_be_header(head: bytes) -> bool:
    """Whether `head`, perhaps cut, may be the beginning of a header line."""
    scheme = _SCHEME.match(head)
    return scheme is not None or (len(head) < 22 and b"\n" not in head and head[:1].isalpha())


def is_header(head: bytes) -> bool:
    """Whether `head` begins with a whole header line."""
    return parse_header(head) is not None


def parse_header(head: bytes) -> ArcHeader | None:
    """Parses the header line at the start of `head`; None where there is none."""
    if not _SCHEME.match(head):
        return None
    newline = head.find(b"\n", 0, MAX_LINE)
    if newline < 0:
        return None
    # By hand, not by one regular expression: linear in the line whatever it holds.
    words = head[:newline].rstrip(b" \r").split(b" ")
    number = words[-1]
    if len(words) < 4 or not _NUMBER.fullmatch(number):
        return None
    for at in range(1, len(words) - 2):
        first, second = words[at], words[at + 1]
        if _ADDRESS.fullmatch(first) and second:
            date = second
        elif _ADDRESS.fullmatch(second) and _DATE.fullmatch(first):
            date = first
        else:
            continue
        rest = words[at + 2 : -1]
        media = rest[0] if len(rest) >= 6 else b" ".join(rest)  # version 2 has six fields here
        length = int(number) if number.isdigit() and len(number) < 19 else None
        return ArcHeader(
            b" ".join(words[:at]), date, media.strip().decode("latin-1").lower() or None, length, newline + 1
        )
    return None


def parse_date(text: bytes | str) -> int | None:
    """Microseconds since the epoch of a date of 8 to 14 digits (YYYYMMDD[hh[mm[ss]]]), more are ignored; else None."""
    found = re.match(r"\d{8,14}", text if isinstance(text, str) else text.decode("latin-1"))
    if found is None:
        return None
    digits = found[0] + "00000000000000"[len(found[0]) :]
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not 1990 <= moment.year <= 2100:  # before the web, or a number that is no date
        return None
    return micros_of(moment)
