"""Repeated lines of the pages that are kept: keys of the lines of a shard, who repeats, and what is cut. No Beam.

Three rules, each a 64-bit key a line and a decision about it:

- `site`: the folded words of a line on a site (registrable domain). A line that stands on many of a site's pages, and
  with lines of that kind alone before or after it, is the site's and not the page's.
- `c4`: Raffel et al. 2020 as coded (tensorflow/datasets `text/c4_utils.py`, `remove_duplicate_text`): MD5 of the line,
  stripped and in lower case; one page keeps it, that of the smallest MD5 of its address; a page has it once.
- `cc_net`: Wenzek et al. 2020 as coded (facebookresearch/cc_net `text_normalizer.normalize_for_dedup`, `dedup.py`):
  SHA-1 of the normalised line; on two pages or more, no copy stays; within one page, the first stays.

Lines without a letter or a number take no part: they say nothing alone, and both peers see them as equal lines only
because they hash the empty text. A shard's keys travel once each, with the number of its pages that have them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from detectors.features.tokens import KIND_WORD, Tokens, segment_sums, tokenise
from detectors.features.url_key import site_of
from pipeline.cuts import CUTS
from pipeline.decide import decisions_path
from pipeline.keys import read_arrow
from schemas.config import LinePolicy

U64 = npt.NDArray[np.uint64]

# Lines of a shard that take part, in the order of the pages and of the text; left beside the shard.
LINES = pa.schema(
    [
        ("row", pa.int32()),
        ("start", pa.int32()),  # code points of the text, half-open, without the line end
        ("end", pa.int32()),
        ("words", pa.int32()),
        ("key", pa.uint64()),
        ("site", pa.uint64()),  # key under which the site's pages are counted; 0 in other rules
        ("rank", pa.uint64()),  # the page of the smallest (rank, page) keeps a line; 0 in other rules than c4
        ("page", pa.uint64()),  # head of the document id
    ]
)
LINE_KEYS = pa.schema(
    [
        ("key", pa.uint64()),
        ("shard", pa.uint64()),
        ("pages", pa.int32()),  # of the shard that have it
        ("rank", pa.uint64()),
        ("page", pa.uint64()),
    ]
)
# What comes back to a shard about its keys. `pages`: of the whole run.
LINE_VERDICTS = pa.schema([("key", pa.uint64()), ("shard", pa.uint64()), ("pages", pa.int64())])

BATCH_CHARACTERS: Final = 4 << 20
MOST_CUT: Final = 0.5  # of a page's words, by rule `site`

# cc_net's tables, by their name there.
UNICODE_PUNCT: Final = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
_DIGIT = re.compile(r"\d")
_PUNCT_OR_NON_PRINTING = re.compile(f"[{UNICODE_PUNCT}\x00-\x1f\x7f-\x9f]")
# C4's normalize_url.
_C4_SCHEME = re.compile(r"https?:\/\/(www\.)?")
_C4_QUERY = re.compile(r"\?(utm_|ref|feed).*")


def c4_line_key(line: str) -> int:
    """First 8 bytes of C4's hash of a line: MD5 of the line, stripped and in lower case."""
    return int.from_bytes(hashlib.md5(line.strip().lower().encode("utf-8", "surrogatepass")).digest()[:8], "big")


def c4_rank(url: str) -> int:
    """First 8 bytes of the MD5 by which C4 chooses the page that keeps a line: that of the address as C4 writes it."""
    address = _C4_QUERY.sub("", _C4_SCHEME.sub("", url)).rstrip("/")
    return int.from_bytes(hashlib.md5(address.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def normalize_for_dedup(line: str) -> str:
    """cc_net's normalisation of a paragraph: stripped, in lower case, digits 0, no punctuation or control characters.

    Punctuation is that of its table, which has no ASCII. A full-width 1 stands in it, but is a digit before.
    """
    return _PUNCT_OR_NON_PRINTING.sub("", _DIGIT.sub("0", line.strip().lower()))


def cc_net_key(line: str) -> int:
    """cc_net's hash of a paragraph: the first 8 bytes of SHA-1 as a little-endian number."""
    text = normalize_for_dedup(line).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha1(text).digest()[:8], "little")


def site_keys(site: U64, line: U64) -> U64:
    """Keys of lines (hashes of their words) on sites; a line of 0 stands for the site itself."""
    mixed = (site ^ (line * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
    result: U64 = mixed ^ (mixed >> np.uint64(29))
    return result


def site_hash(url: str | None) -> int:
    """Hash of the site of an address; 0 where there is none."""
    site = site_of(url)
    return int(xxhash.xxh3_64_intdigest(site.encode("utf-8", "surrogatepass"))) | 1 if site else 0


def page_hash(doc_id: str) -> int:
    """Head of a document id: orders pages alike in every layout of the input."""
    return int(doc_id[:16], 16)


def kept_pages(
    folder: str | Path, name: str
) -> Iterator[tuple[npt.NDArray[np.int64], list[str], list[str | None], list[str]]]:
    """(rows, doc_ids, addresses, texts) of the kept pages of a staged shard, a few megabytes of text at a time."""
    kept = np.asarray(pc.is_null(read_arrow(decisions_path(folder, name)).column("reason")))
    first = 0
    with pq.ParquetFile(Path(folder) / f"{name}.documents.parquet") as file:
        for batch in file.iter_batches(batch_size=512, columns=["doc_id", "url", "text"]):
            mask = kept[first : first + batch.num_rows]
            rows = np.flatnonzero(mask) + first
            first += batch.num_rows
            if not len(rows):
                continue
            doc_ids, urls, texts = (column.filter(pa.array(mask)).to_pylist() for column in batch.columns)
            begin, size = 0, 0
            for at, text in enumerate(texts):
                size += len(text)
                if size > BATCH_CHARACTERS or at == len(texts) - 1:
                    yield rows[begin : at + 1], doc_ids[begin : at + 1], urls[begin : at + 1], texts[begin : at + 1]
                    begin, size = at + 1, 0


def lines_of(
    rows: npt.NDArray[np.int64], doc_ids: Sequence[str], urls: Sequence[str | None], texts: Sequence[str], rule: str
) -> pa.Table:
    """LINES of pages: those that take part under a rule."""
    tokens = tokenise(texts)
    doc = np.repeat(np.arange(tokens.docs), np.diff(tokens.doc_line))
    chosen = np.flatnonzero(tokens.line_hash != 0)
    owner = doc[chosen]
    pages = np.array([page_hash(doc_id) for doc_id in doc_ids], np.uint64)
    sites, ranks = np.zeros(len(texts), np.uint64), np.zeros(len(texts), np.uint64)
    if rule == "site":
        hashes = np.array([site_hash(url) for url in urls], np.uint64)
        has_site = hashes[owner] != 0
        chosen, owner = chosen[has_site], owner[has_site]
        keys = site_keys(hashes[owner], tokens.line_hash[chosen])
        sites = site_keys(hashes, np.zeros(len(texts), np.uint64))
    else:
        hash_of: Callable[[str], int] = c4_line_key if rule == "c4" else cc_net_key
        keys = np.array([hash_of(line) for line in _line_texts(tokens, texts, chosen, owner)], np.uint64)
        if rule == "c4":
            ranks = np.array([c4_rank(url or doc_id) for url, doc_id in zip(urls, doc_ids, strict=True)], np.uint64)
    words = segment_sums(((tokens.kind & KIND_WORD) != 0).astype(np.int64), tokens.line_token)
    return pa.table(
        [
            pa.array(rows[owner].astype(np.int32)),
            pa.array((tokens.line_start[chosen] - tokens.doc_start[owner]).astype(np.int32)),
            pa.array((tokens.line_end[chosen] - tokens.doc_start[owner]).astype(np.int32)),
            pa.array(words[chosen].astype(np.int32)),
            pa.array(keys),
            pa.array(sites[owner]),
            pa.array(ranks[owner]),
            pa.array(pages[owner]),
        ],
        schema=LINES,
    )


def _line_texts(
    tokens: Tokens, texts: Sequence[str], lines: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]
) -> Iterator[str]:
    starts = (tokens.line_start[lines] - tokens.doc_start[owner]).tolist()
    ends = (tokens.line_end[lines] - tokens.doc_start[owner]).tolist()
    for doc, start, end in zip(owner.tolist(), starts, ends, strict=True):
        yield texts[doc][start:end]


def keys_of(lines: pa.Table, shard: int) -> pa.Table:
    """LINE_KEYS of a shard: each key once, with its pages and the best of them; in rule `site` the sites too."""
    row = np.asarray(lines.column("row"), dtype=np.uint64)
    key, site, rank, page = (np.asarray(lines.column(name)) for name in ("key", "site", "rank", "page"))
    if len(key) and site.any():
        _, first = np.unique(row, return_index=True)
        key, rank, page, row = (
            np.append(values, more)
            for values, more in ((key, site[first]), (rank, rank[first]), (page, page[first]), (row, row[first]))
        )
    order = np.lexsort((row, page, rank, key))
    key, rank, page, row = key[order], rank[order], page[order], row[order]
    fresh = np.append(True, key[1:] != key[:-1])[: len(key)]
    starts = np.flatnonzero(fresh)
    new_page = fresh | np.append(True, row[1:] != row[:-1])[: len(key)]
    pages = segment_sums(new_page.astype(np.int64), np.append(starts, len(key))) if len(key) else np.zeros(0, np.int64)
    return pa.table(
        [
            pa.array(key[starts]),
            pa.array(np.full(len(starts), shard, np.uint64)),
            pa.array(pages.astype(np.int32)),
            pa.array(rank[starts]),
            pa.array(page[starts]),
        ],
        schema=LINE_KEYS,
    )


def resolve_keys(keys: pa.Table, policy: LinePolicy) -> pa.Table:
    """LINE_VERDICTS of a bucket of LINE_KEYS: to each shard that must know it, what the run says about a key.

    site: pages of the run, from `site_pages` on. cc_net: likewise from 2 on. c4: the keys that stay in another shard.
    """
    key, shard, rank, page = (np.asarray(keys.column(name)) for name in ("key", "shard", "rank", "page"))
    order = np.lexsort((shard, page, rank, key))
    key, shard = key[order], shard[order]
    fresh = np.append(True, key[1:] != key[:-1])[: len(key)]
    starts = np.append(np.flatnonzero(fresh), len(key))
    totals = segment_sums(np.asarray(keys.column("pages"), dtype=np.int64)[order], starts)
    pages = np.repeat(totals, np.diff(starts))
    if policy.rule == "c4":
        told = ~fresh
    else:
        told = pages >= (policy.site_pages if policy.rule == "site" else 2)
    return pa.table([key[told], shard[told], pages[told]], schema=LINE_VERDICTS)


def find_line_cuts(lines: pa.Table, verdicts: pa.Table, policy: LinePolicy) -> pa.Table:
    """CUTS of a shard's LINES, given the LINE_VERDICTS about its keys."""
    order = np.argsort(np.asarray(verdicts.column("key")))
    known, pages = np.asarray(verdicts.column("key"))[order], np.asarray(verdicts.column("pages"))[order]
    key = np.asarray(lines.column("key"))

    def pages_of(values: U64) -> npt.NDArray[np.int64]:
        if not len(known):
            return np.zeros(len(values), np.int64)
        at = np.minimum(np.searchsorted(known, values), len(known) - 1)
        found: npt.NDArray[np.int64] = np.where(known[at] == values, pages[at], 0)
        return found

    if policy.rule == "site":
        total = pages_of(np.asarray(lines.column("site")))
        repeated = pages_of(key)
        cut = (repeated >= policy.site_pages) & (repeated >= policy.site_share * total)
        cut = at_the_ends(lines, cut)
    else:
        row, rank, page = (np.asarray(lines.column(name)) for name in ("row", "rank", "page"))
        elsewhere = pages_of(key) > 0
        # c4: all but the best page's; cc_net: all but the first of each page
        keys = (row, page, rank, key) if policy.rule == "c4" else (row, key)
        by = np.lexsort((np.arange(len(key)), *keys))
        same = key[by][1:] == key[by][:-1]
        if policy.rule == "cc_net":
            same &= row[by][1:] == row[by][:-1]
        cut = elsewhere.copy()
        cut[by[1:][same]] = True
    return lines.filter(pa.array(cut)).select(CUTS.names)


def at_the_ends(lines: pa.Table, repeated: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The repeated lines of a page that stand before, or after, all its other lines with words.

    What repeats in the middle of a page is its structure (`Note`, `See also`, `try {`), not what a template put around
    it. And a page most of whose words would go is another version of a document of its site, not a page with a frame.
    """
    row, words = (np.asarray(lines.column(name), dtype=np.int64) for name in ("row", "words"))
    if not len(row):
        return repeated
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    sizes = np.diff(np.append(starts, len(row)))
    own = np.append(0, np.cumsum(~repeated))
    before = own[1:] - np.repeat(own[starts], sizes)
    total = np.repeat(own[starts + sizes] - own[starts], sizes)
    cut: npt.NDArray[np.bool_] = repeated & ((before == 0) | (before == total))
    page = np.repeat(np.arange(len(starts)), sizes)
    lost = np.bincount(page, weights=words * cut)
    cut &= (lost <= MOST_CUT * np.bincount(page, weights=words))[page]
    return cut
