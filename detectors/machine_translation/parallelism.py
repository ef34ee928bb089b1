"""Keys under which the versions of one document in several languages meet, and a sketch to compare them by.

The more languages a text exists in, the likelier it is machine-translated (Thompson et al. 2024, "A Shocking Amount of
the Web is Machine Translated", arXiv 2401.05749). What survives translation is kept of every page, a few hundred bytes:

url      host and address without language tokens (`/de/`, `de.`, `?lang=de`, `.de.html`)
link     addresses of the versions that the page names itself (hreflang)
token    numbers of two digits or more, code, options, acronyms; in text of other scripts all Latin words
name     words with a capital within a sentence
pair     two such tokens that follow each other
place    a token with the number of its line, among so many lines
shape    which lines are the longest, among so many lines

Keys are samples by smallest hash, so that two pages which share tokens share keys. Nothing here decides:
`pipeline.parallelism` matches the keys of a whole run. Published in no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from detectors.api import FeatureCache, Signals
from detectors.features.tokens import TOKENS_VERSION, Tokens, character_table, tokens, unicode_version, warm
from detectors.language_codes import ISO_639_3, same_language
from detectors.machine_translation.page_marks import alternates, site_language

U64 = npt.NDArray[np.uint64]

RULES_VERSION = 2
KINDS = ("url", "link", "pair", "token", "name", "place", "shape")
KIND_MASK = np.uint64(7)  # the low bits of a key name its kind
URL, LINK, PAIR, TOKEN, NAME, PLACE, SHAPE = range(len(KINDS))
TOKEN_KEYS, NAME_KEYS, LINK_KEYS = 16, 8, 4
MOST_ALTERNATES = 400

# Bits of `parallel_source`: what speaks for the side that was written first.
IS_DEFAULT = 1  # the page names itself as x-default
NO_TOKEN = 2  # its address has no language token
SITE_LANGUAGE = 4  # its language is the site's own
IS_CANONICAL_TRANSLATION = 8  # the site's own language is another

# Language parameters of addresses, beside those whose value is a language.
_PARAMETERS = frozenset(
    {
        "lang", "language", "hl", "locale", "lng", "langid", "l", "lc", "ln", "lg", "setlang", "uselang", "idioma",
        "langue", "sprache", "lingua",
    }
)  # fmt: skip
# Countries that sites use as if they were languages (/jp/, /br/). Codes that are languages too need no mention.
_COUNTRIES = frozenset(
    {
        "us", "uk", "gb", "jp", "cn", "kr", "br", "mx", "tw", "hk", "ua", "dk", "cz", "gr", "vn", "rs", "il", "at",
        "ch", "be", "in", "au", "nz", "ie", "ar", "cl", "co", "pe", "sg",
    }
)  # fmt: skip
_CODES = frozenset(ISO_639_3) | frozenset(ISO_639_3.values())
_TAG = re.compile(r"([a-z]{2,3})(?:[-_](?:[a-z]{2}|[a-z]{4}|\d{3}))?(?:[-_][a-z]{2})?\Z")
# A part of a path's last segment that may be a tag: behind a full stop, a hyphen or a low line, at its end or before
# the file's suffix.
_PART = re.compile(r"[._-]([a-zA-Z]{2,3}(?:[-_][a-zA-Z]{2,4})?)(?=\.[a-zA-Z0-9]{2,5}\Z|\Z)")
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "edu"})
_SUFFIXES = frozenset(
    {
        "html", "htm", "php", "asp", "aspx", "jsp", "shtml", "xhtml", "txt", "xml", "md", "pdf", "cgi", "do",
    }
)  # fmt: skip


def is_language_token(token: str) -> bool:
    """Whether a lower-case part of an address is a language tag (`de`, `pt-br`, `zh_hans`) or a country used as one."""
    match = _TAG.match(token)
    return match is not None and (match.group(1) in _CODES or token in _COUNTRIES)


def strip_language(url: str) -> tuple[str, bool]:
    """The address without scheme, top-level domain and language tokens, and whether it had a language token.

    Never raises: an address that cannot be split is returned in lower case.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return url.strip().lower(), False
    found = False
    labels = host.split(".")
    if len(labels) > 1 and not labels[-1].isdigit():
        labels.pop()
        if len(labels) > 1 and labels[-1] in _SECOND_LEVEL:
            labels.pop()
    while len(labels) > 1 and is_language_token(labels[0]):
        labels.pop(0)
        found = True
    kept = []
    for segment in parts.path[:2000].split("/"):
        if not segment:
            continue
        if is_language_token(segment.lower()):
            found = True
            continue
        kept.append(segment)
    if kept:
        last, count = _drop_parts(kept[-1])
        found |= count
        kept[-1] = last
    query = ""
    if parts.query:
        pairs = parse_qsl(parts.query[:2000], keep_blank_values=True)[:50]
        rest = [(k, v) for k, v in pairs if not (k.lower() in _PARAMETERS and is_language_token(v.lower()))]
        found |= len(rest) < len(pairs)
        query = "?" + urlencode(rest) if rest else ""
    return ".".join(labels) + "/" + "/".join(kept) + query, found


def _drop_parts(segment: str) -> tuple[str, bool]:
    """The last segment without a language tag at its end or before its suffix: `index.fr.html`, `page-de`."""
    match = _PART.search(segment)
    while match is not None:
        part = match.group(1).lower()
        is_tag = part not in _COUNTRIES or match.group(0)[0] == "."  # about-us, log-in
        if part not in _SUFFIXES and is_tag and is_language_token(part):
            return segment[: match.start()] + segment[match.end() :], True
        match = _PART.search(segment, match.start() + 1)
    return segment, False


def address_key(address: str) -> int:
    """xxh3-64 of an address without scheme, `www.`, fragment and trailing slash; cheap, as pages name many."""
    text = address.partition("#")[0].strip().rstrip("/")
    _, separator, rest = text.partition("://")
    return int(xxhash.xxh3_64_intdigest((rest if separator else text).removeprefix("www.").encode(errors="replace")))


def link_keys(url: str | None, links: Sequence[tuple[str, str]]) -> tuple[list[int], bool]:
    """Keys of a page's own address and of the smallest of those it names as its versions, and whether it is x-default.

    All versions that name the same set meet under its smallest members; one that names others meets them by their own.
    """
    if not links:
        return [], False
    named: dict[int, str] = {}
    for lang, href in links[:MOST_ALTERNATES]:
        if "://" not in href:
            try:
                href = urljoin(url or "", href)
            except ValueError:
                continue
        if href:
            named.setdefault(address_key(href), lang)
            if lang == "x-default":
                named[address_key(href)] = lang
    if len(named) < 2:
        return [], False
    own = address_key(url) if url else None
    keys = sorted(named)[:LINK_KEYS]
    if own is not None and own not in keys:
        keys.append(own)
    return keys, own is not None and named.get(own) == "x-default"


def survey(found: Tokens) -> dict[str, npt.NDArray[Any]]:
    """One row a document of what `_native_parallel.survey` fills; `counts` says how much of each row is used."""
    from detectors.machine_translation import _native_parallel as native

    table, fold, _ = character_table()
    docs = found.docs
    made: dict[str, npt.NDArray[Any]] = {
        "strong": np.zeros((docs, native.STRONG_SIZE), np.uint32),
        "strong_place": np.zeros((docs, native.STRONG_SIZE), np.uint8),
        "weak": np.zeros((docs, native.WEAK_SIZE), np.uint32),
        "weak_place": np.zeros((docs, native.WEAK_SIZE), np.uint8),
        "lines": np.zeros((docs, native.LINES), np.uint8),
        "pair": np.zeros((docs, native.PAIR_KEYS), np.uint64),
        "place": np.zeros((docs, native.PLACE_KEYS), np.uint64),
        "shape": np.zeros((docs, native.SHAPE_KEYS), np.uint64),
        "counts": np.zeros((docs, 8), np.int64),
    }
    native.survey(
        found.chars, table, fold, found.doc_start, found.doc_token, found.doc_line, found.start, found.end, found.hash,
        found.exact, found.kind, found.line_token, found.line_first, found.line_last, *made.values(),
    )  # fmt: skip
    return made


def sketches(made: Mapping[str, npt.NDArray[Any]]) -> list[bytes]:
    """A sketch a document, little-endian.

    uint16: strong hashes, weak hashes, lines kept, lines in all; uint32: characters; then the hashes (uint32), the
    places of the strong and of the weak ones (256ths of the text), and the lengths of lines (8 log2).
    """
    counts = made["counts"]
    heads = np.minimum(counts[:, [0, 1, 2, 6]], 0xFFFF).astype("<u2")
    sizes = counts[:, 7].astype("<u4")
    strong, weak = made["strong"].astype("<u4", copy=False), made["weak"].astype("<u4", copy=False)
    found = []
    for row, (ns, nw, nl) in enumerate(counts[:, :3].tolist()):
        found.append(
            b"".join(
                (
                    heads[row].tobytes(),
                    sizes[row].tobytes(),
                    strong[row, :ns].tobytes(),
                    weak[row, :nw].tobytes(),
                    made["strong_place"][row, :ns].tobytes(),
                    made["weak_place"][row, :nw].tobytes(),
                    made["lines"][row, :nl].tobytes(),
                )
            )
        )
    return found


def keys_of(made: Mapping[str, npt.NDArray[Any]], addresses: Sequence[Sequence[int]]) -> pa.Array:
    """Lists of keys (uint64, kind in the low bits): those of addresses as given, then those of the text."""
    counts = made["counts"]
    columns, used = [], []
    for kind, name, count, most in (
        (PAIR, "pair", 3, None),
        (TOKEN, "strong", 0, TOKEN_KEYS),
        (NAME, "weak", 1, NAME_KEYS),
        (PLACE, "place", 4, None),
        (SHAPE, "shape", 5, None),
    ):
        values = made[name][:, :most].astype(np.uint64)
        if kind in (TOKEN, NAME):  # 32 bits, to be spread over 64
            values = values * np.uint64(0x9E3779B97F4A7C15)
        columns.append(with_kind(values, kind))
        used.append(np.arange(values.shape[1]) < counts[:, count : count + 1])
    width = max((len(row) for row in addresses), default=0)
    first = np.zeros((len(addresses), width), np.uint64)
    taken = np.zeros((len(addresses), width), bool)
    for row, given in enumerate(addresses):
        first[row, : len(given)] = np.array(given, np.uint64)
        taken[row, : len(given)] = True
    keys, mask = np.hstack([first, *columns]), np.hstack([taken, *used])
    offsets = np.append(0, np.cumsum(mask.sum(axis=1))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(keys[mask], pa.uint64()))


def with_kind(values: U64, kind: int) -> U64:
    """Hashes as keys of a kind."""
    result: U64 = (values & ~KIND_MASK) | np.uint64(kind)
    return result


class Parallelism:
    """Keys and sketch of a page for the search of its versions in other languages.

    Outputs: `parallel_keys` (uint64, kind in the low three bits), `parallel_sketch` (see `sketches`) and
    `parallel_source` (bits that speak for the original: x-default, no language token in the address, site's language).
    """

    def __init__(self) -> None:
        self.name = "parallelism"
        self.version = 1
        self.columns = frozenset({"text", "url", "page"})
        self.outputs: Mapping[str, pa.DataType] = {
            "parallel_keys": pa.list_(pa.uint64()),
            "parallel_sketch": pa.binary(),
            "parallel_source": pa.uint8(),
        }

    def setup(self) -> None:
        """Compile or load native code."""
        warm()
        from detectors.features.tokens import tokenise

        survey(tokenise(["warm up"]))

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Keys of the batch; no evidence."""
        made = survey(tokens(features))
        rows = batch.num_rows
        languages = features.languages()
        addresses: list[list[int]] = []
        sources: list[int] = []
        for url, page, language in zip(features.column("url"), features.column("page"), languages, strict=True):
            keys, source = address_evidence(url, page, language)
            addresses.append(keys)
            sources.append(source)
        return Signals(
            {
                "parallel_keys": keys_of(made, addresses) if rows else pa.array([], pa.list_(pa.uint64())),
                "parallel_sketch": pa.array(sketches(made), pa.binary()),
                "parallel_source": pa.array(sources, pa.uint8()),
            }
        )

    def parameters(self) -> Mapping[str, Any]:
        """Versions of the rules, the tokeniser and its character data."""
        return {"rules": RULES_VERSION, "tokens": TOKENS_VERSION, "unicode": unicode_version()}


def address_evidence(url: str | None, page: Mapping[str, Any] | None, language: str | None) -> tuple[list[int], int]:
    """Keys of the address and of the versions that the page names, and the bits of `parallel_source`."""
    keys: list[int] = []
    source = 0
    if url:
        stripped, has_token = strip_language(url)
        digest = xxhash.xxh3_64_intdigest(stripped.encode("utf-8", "surrogatepass"))
        keys.append(digest & ~7 | URL)
        source |= 0 if has_token else NO_TOKEN
    if page:
        links, is_default = link_keys(url, alternates(page))
        keys += [key & ~7 | LINK for key in links]
        source |= IS_DEFAULT if is_default else 0
        if links and language and (site := site_language(page)):
            source |= SITE_LANGUAGE if same_language(site, language) else IS_CANONICAL_TRANSLATION
    return keys, source
