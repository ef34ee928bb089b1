"""A key under which captures of one address meet, and what all readings of addresses share.

Two addresses get one key only where nearly every server answers both with the same page; what is alike in rarer cases
is left to the comparison of texts, because a page that leaves by its address is never compared. So the scheme, `www.`
(where a registrable domain is left), default ports, fragments, trailing slashes, index pages (the most frequent rule of
Bar-Yossef, Keidar & Schonfeld, WWW 2007), the order of parameters, and parameters that say how a visitor came make no
difference; `m.` and `amp.` hosts, `www2.`, and upper and lower case in a path do.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import idna
import xxhash

URL_KEY_VERSION = 3  # raise it when the key of any address changes; an index of earlier pages records it
MAX_HOST = 253  # characters of a host name (RFC 1035); longer ones are taken as they stand

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):[/\\]{2}|(https?):", re.I)
_AUTHORITY_END = re.compile(r"[/?#\\]")
_UNWANTED = dict.fromkeys((9, 10, 13))  # browsers and urllib drop tabs and line ends inside an address
_NO_SPACES = dict.fromkeys(range(33))
_AROUND = "".join(map(chr, range(33)))
_DOTS = ".\u3002\uff0e\uff61"  # what UTS 46 maps to a dot
_NO_HOST = re.compile(r"[\x00-\x20%/?#@:\\\[\]\ufffd]")


class Address(NamedTuple):
    """Parts of an address. `host` is canonical (`canonical_host`), `port` null for 80 and 443, the rest as given."""

    scheme: str
    host: str
    port: str | None
    path: str
    query: str
    fragment: str


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


@lru_cache(maxsize=1 << 16)
def registrable_domain(host: str) -> str | None:
    """The domain of a canonical host that can be registered, by the public suffix list with its private section.

    `example.co.uk` of `news.example.co.uk`; null for a public suffix itself, an IP address, and what is no host name.
    """
    if len(host) > MAX_HOST or is_ip_address(host):
        return None
    domain: str | None = _suffixes().privatesuffix(host)
    return domain


def is_ip_address(host: str) -> bool:
    """Whether a host is an IPv4 or (in brackets) IPv6 address."""
    if host[:1] == "[":
        return True
    if not host[-1:].isdigit():
        return False
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def canonical_host(host: str) -> str:
    """A host in lower case and punycode (IDNA 2008 with the mapping of UTS 46), without final dots.

    `www.` goes where a registrable domain is left: `www.gov.uk` and `www.com` are sites of their own.
    """
    if len(host) <= MAX_HOST:
        return _canonical_host(host)
    host = host.translate(_NO_SPACES).lower().rstrip(_DOTS)
    return host if len(host) > MAX_HOST else _canonical_host(host)


@lru_cache(maxsize=1 << 16)
def _canonical_host(host: str) -> str:
    host = host.translate(_NO_SPACES).lower()
    if "%" in host:
        plain = unquote(host).lower()
        host = host if _NO_HOST.search(plain) else plain
    host = host.rstrip(_DOTS)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError, ValueError, IndexError):
            pass  # as it stands: it can be compared with itself
    host = host.rstrip(".")
    while host.startswith("www.") and registrable_domain(host[4:]):
        host = host[4:]
    return host


def _trimmed(url: str) -> str:
    return (url if url.isprintable() else url.translate(_UNWANTED)).strip(_AROUND)


def split_address(url: str) -> Address:
    """The parts of an address; never raises, and takes time linear in its length.

    Read as browsers read it: `\\` is `/`, a user before `@` is left out, spaces around the address and line ends in it
    do not count. What has no scheme is read as if it began with the host.

    >>> split_address("HTTPS://me@www.Example.org:443/a/?b=1#c")
    Address(scheme='https', host='example.org', port=None, path='/a/', query='b=1', fragment='c')
    """
    url = _trimmed(url)
    found = _SCHEME.match(url)
    scheme = (found[1] or found[2]).lower() if found else ""
    bare = (url[found.end() :] if found else url).lstrip("/\\")
    end = _AUTHORITY_END.search(bare)
    authority, rest = (bare[: end.start()], bare[end.start() :]) if end else (bare, "")
    authority = authority.rpartition("@")[2]
    if authority.startswith("["):  # an IPv6 address keeps its colons
        name, closing, tail = authority.partition("]")
        host, port = name + closing, tail.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    port = port.strip(_AROUND)
    if port.isascii() and port.isdigit():
        port = port.lstrip("0")
        port = "" if port in ("80", "443") else port
    rest, _, fragment = rest.partition("#")
    path, _, query = rest.partition("?")
    return Address(scheme, canonical_host(host), port or None, path.replace("\\", "/"), query, fragment)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Parameters that say how a visitor came, not what the page is: those that ClearURLs and courlan strip everywhere, as
# their trackers document them, and C4's rule (`?utm_`, `?ref`, `?feed`: t5 c4_utils.normalize_url).
_TRACKING = _names(
    "gclid gclsrc gbraid wbraid dclid srsltid gad_source gad_campaignid _ga _gl _gac fbclid fb_action_ids "
    "fb_action_types fb_source fb_ref msclkid yclid ysclid ymclid _openstat twclid __twitter_impression igsh igshid "
    "ttclid li_fat_id epik mc_cid mc_eid mc_tc mkt_tok _hsenc _hsmi __hssc __hstc __hsfp hsctatracking vero_conv "
    "vero_id oly_anon_id oly_enc_id rb_clickid s_cid wickedid cmpid wt_mc wt_zmc wtrid echobox spm ml_subscriber "
    "ml_subscriber_hash os_ehash tracking_source __s _ke xtor guccounter guce_referrer guce_referrer_sig "
    "pk_campaign pk_kwd pk_keyword pk_source pk_medium pk_content pk_cid "
    "ref ref_ ref_src ref_url referrer referer feed"
)
_TRACKING_PREFIXES = ("utm_", "mtm_", "otm_", "itm_", "hmb_", "ga_", "at_medium", "at_campaign", "at_custom")
# Session ids: names that are nothing else, and names that are one where their value looks like it (phpBB's `sid`,
# vBulletin's `s`; a `sessionid` may also be a talk of a conference). After the Wayback Machine's canonicaliser.
_SESSIONS = _names("jsessionid phpsessid oscsid xtcsid zenid cfid cftoken")
_SESSIONS_BY_VALUE = _names("sid s session sessid sess sessionid session_id")
_SESSION_VALUE = re.compile(r"[0-9a-f-]{16,}|(?=[a-z]*[0-9])[0-9a-z]{24,}", re.I)
_SESSION_PATH = re.compile(r";(?:(?:jsessionid|phpsessid)=[^/;]*|sid=[0-9a-f]{16,}(?![^/;]))", re.I)
_ASP_NET_SESSION = re.compile(r"/\((?:[a-z]\([\w-]{16,}\))+\)(?=/|$)|/\([0-9a-z]{24}\)(?=/)", re.I)
_INDEX_PAGES = _names(
    "index.html index.htm index.shtml index.php index.asp index.aspx index.jsp index.cgi default.html default.htm "
    "default.asp default.aspx Default.asp Default.aspx"
)

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
# What means the same with and without percent-encoding: RFC 3986 says so of unreserved characters, and servers treat
# so the others that do not divide a path or a query.
_PATH = _UNRESERVED + "!$&'()*,=:@"
_QUERY = _UNRESERVED + "!$'()*,:@/?"


class _Quoting:
    """One spelling for all ways to percent-encode a part of an address. Idempotent: a `%` without hex is `%25`."""

    def __init__(self, plain: str, dividers: str) -> None:
        kept = re.escape(plain + dividers)
        self._plain = frozenset(plain)
        self._odd = re.compile(rf"%([0-9A-Fa-f]{{2}})?|[^{kept}%]+")

    def __call__(self, text: str) -> str:
        return self._odd.sub(self._spell, text)

    def _spell(self, found: re.Match[str]) -> str:
        if found[1] is not None:
            character = chr(int(found[1], 16))
            return character if character in self._plain else f"%{found[1].upper()}"
        return "%25" if found[0] == "%" else quote(found[0], safe="", errors="surrogatepass")


_quote_path = _Quoting(_PATH, "/;+")
_quote_query = _Quoting(_QUERY, "&=;+")


def _normal_path(path: str) -> str:
    """Path without dot segments, doubled and trailing slashes, session ids and index page."""
    path = _quote_path(path)
    if ";" in path:
        path = _SESSION_PATH.sub("", path)
    if "/(" in path:
        path = _ASP_NET_SESSION.sub("", path)
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    while segments and segments[-1] in _INDEX_PAGES:
        segments.pop()
    return "".join(["/" + segment for segment in segments])


def _is_noise(name: str, value: str) -> bool:
    """Whether a parameter says nothing of the page."""
    name = name.lower().removeprefix("amp;")  # links that were escaped twice
    if name in _TRACKING or name in _SESSIONS or name.startswith(_TRACKING_PREFIXES):
        return True
    if name in _SESSIONS_BY_VALUE:
        return _SESSION_VALUE.fullmatch(value) is not None
    return name.startswith("aspsessionid")


def _normal_query(query: str) -> str:
    """Query in order of names, without parameters that say nothing of the page."""
    pairs: list[tuple[str, str]] = []
    for pair in _quote_query(query).replace("+", "%20").split("&"):
        name, _, value = pair.partition("=")
        if pair and not _is_noise(name, value):
            pairs.append((name, pair))
    pairs.sort(key=lambda pair: pair[0])  # values of one name keep their order, which may mean something
    return "&".join([pair for _, pair in pairs])


def normalise_url(url: str) -> str:
    """The address that stands for all spellings of `url`. Idempotent, never raises, linear time.

    An address without a host, or of another scheme than http and https, is returned without spaces around it. A
    fragment goes, unless it begins with `!`: such an address names a page that a script shows.

    >>> normalise_url("https://www.example.org:443/a/../b/index.html?z=1&utm_source=x&a=%7e#top")
    'http://example.org/b?a=~&z=1'
    """
    scheme, host, port, path, query, fragment = split_address(url)
    if not host or scheme not in ("", "http", "https"):
        return _trimmed(url)
    normal = f"http://{host}:{port}" if port else f"http://{host}"
    if path:
        normal += _normal_path(path)
    if query and (query := _normal_query(query)):
        normal += "?" + query
    if fragment.startswith("!") and fragment != "!":
        normal += "#" + _quote_query(fragment)
    return normal


def url_key(url: str | None) -> int | None:
    """xxh3-64 of the normalised address; null without an address."""
    if not url:
        return None
    return int(xxhash.xxh3_64_intdigest(normalise_url(url).encode("utf-8", "surrogatepass")))


def host_of(url: str | None) -> str | None:
    """Canonical host of an address (`canonical_host`); null where it has no scheme, `//` or host."""
    if not url:
        return None
    address = split_address(url)
    return address.host or None if address.scheme or url.lstrip().startswith("//") else None


def site_of(url: str | None) -> str | None:
    """Registrable domain of an address; the host where there is none (an IP address, a bare suffix); null without."""
    host = host_of(url)
    return (registrable_domain(host) or host) if host else None
