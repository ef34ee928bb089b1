"""A key under which captures of one address meet."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

import xxhash

# Parameters that say how a visitor came, not what the page is (as listed by the tools that strip them: ClearURLs,
# Common Crawl's own deduplication and C4's `?utm_`, `?ref`, `?feed` rule).
URL_KEY_VERSION = 1
_TRACKING = re.compile(
    r"^(utm_\w+|gclid|gclsrc|dclid|fbclid|msclkid|yclid|igshid|mc_[ce]id|_ga|_gl|ref|referrer|feed|"
    r"phpsessid|jsessionid|sid|sessionid)$",
    re.IGNORECASE,
)
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#]*", re.IGNORECASE)


def normalise_url(url: str) -> str:
    """The address without scheme, `www.`, default port, fragment, tracking parameters and trailing slash.

    Never raises: an address that cannot be split is returned stripped and in lower case.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
        if parts.port and parts.port not in (80, 443):
            host = f"{host}:{parts.port}"
    except ValueError:
        return url.strip().lower()
    path = _SESSION_PATH.sub("", parts.path).rstrip("/")
    query = parts.query
    if query:
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([pair for pair in pairs if not _TRACKING.match(pair[0])])
    return f"{host}{path}?{query}" if query else f"{host}{path}"


def url_key(url: str | None) -> int | None:
    """xxh3-64 of the normalised address; null without an address."""
    if not url:
        return None
    return int(xxhash.xxh3_64_intdigest(normalise_url(url).encode("utf-8", "surrogatepass")))


def host_of(url: str | None) -> str | None:
    """Host of an address in lower case without `www.`; null where there is none."""
    try:
        host = urlsplit((url or "").strip()).hostname
    except ValueError:
        return None
    return (host or "").removeprefix("www.") or None
