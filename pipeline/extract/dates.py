"""Dates that a page states, as microseconds since 1970, UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)  # the web began in 1991
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
TOLERANCE: Final = timedelta(days=2)  # clocks and time zones

PUBLISHED_NAMES: Final = (
    "article:published_time",
    "datepublished",
    "article.published",
    "og:published_time",
    "og:article:published_time",
    "dc.date.issued",
    "dcterms.issued",
    "dcterms.created",
    "dc.date.created",
    "parsely-pub-date",
    "sailthru.date",
    "pubdate",
    "publishdate",
    "publish-date",
    "publish_date",
    "publication_date",
    "citation_publication_date",
    "citation_online_date",
    "dc.date",
    "dcterms.date",
    "date",
)
MODIFIED_NAMES: Final = (
    "article:modified_time",
    "datemodified",
    "article.updated",
    "og:updated_time",
    "dcterms.modified",
    "dc.date.modified",
    "lastmod",
    "last-modified",
    "last_modified",
)

_ISO: Final = re.compile(
    r"\s{0,9}(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})"
    r"(?:[T\s]{1,2}(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?(?!\d)",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"/((?:19|20)\d{2})[/-](\d{1,2})[/-](\d{1,2})(?=[/_.-]|$)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_date(value: str) -> datetime | None:
    """ISO 8601 or RFC 2822 date; UTC where it names no zone; None where it is neither."""
    found = _ISO.match(value[:64])
    try:
        if found:
            year, month, day, hour, minute, second, fraction, zone = found.groups()
            moment = datetime(
                int(year),
                int(month),
                int(day),
                int(hour or 0),
                int(minute or 0),
                min(int(second or 0), 59),
                int((fraction or "0")[:6].ljust(6, "0")),
                tzinfo=UTC,
            )
            if zone and zone[0] in "+-":
                digits = zone[1:].replace(":", "").ljust(4, "0")
                offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
                moment = moment.replace(tzinfo=timezone(offset if zone[0] == "+" else -offset)).astimezone(UTC)
            return moment
        if "," in value[:64] or " " in value[:64].strip():
            moment = parsedate_to_datetime(value[:64])
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return None


def plausible(value: str, reference: datetime | None) -> int | None:
    """Microseconds of a date that the page could have stated: from 1990 to its capture; else None."""
    moment = parse_date(value)
    if moment is None or moment < EARLIEST or moment > (reference + TOLERANCE if reference else LATEST):
        return None
    return to_microseconds(moment)


def first_plausible(values: Iterable[str], reference: datetime | None) -> int | None:
    """The first of `values` that is a plausible date."""
    for value in values:
        moment = plausible(value, reference)
        if moment is not None:
            return moment
    return None


def url_date(url: str | None, reference: datetime | None) -> int | None:
    """Date from a path such as /2019/05/17/."""
    found = _URL.search(url[:2048]) if url else None
    return plausible("-".join(found.groups()), reference) if found else None


def reference_date(fetched_at: int | None, headers: Iterable[tuple[str, str]]) -> datetime | None:
    """Capture time (microseconds), else the HTTP Date header: no page states a date after it."""
    if fetched_at is not None:
        try:
            return _EPOCH + timedelta(microseconds=fetched_at)
        except OverflowError:
            return None
    for name, value in headers:
        if name.lower() == "date":
            moment = parse_date(value)
            return moment if moment and moment > EARLIEST else None
    return None
