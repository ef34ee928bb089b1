"""Repeated lines: the peers' keys as their code makes them, and each rule against a plain Python reading of it."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from detectors.features.tokens import tokenise
from detectors.features.url_key import site_of
from pipeline.repeat_lines import (
    LINE_KEYS,
    LINES,
    c4_line_key,
    c4_rank,
    cc_net_key,
    find_line_cuts,
    keys_of,
    lines_of,
    normalize_for_dedup,
    page_hash,
    resolve_keys,
)
from schemas.config import LinePolicy

Page = tuple[str, str | None, str]  # doc_id, address, text
Found = dict[str, list[str]]  # cut lines by doc_id


def cut_shards(shards: Sequence[Sequence[Page]], policy: LinePolicy) -> Found:
    tables = []
    for pages in shards:
        ids, urls, texts = ([page[k] for page in pages] for k in range(3))
        tables.append(lines_of(np.arange(len(pages)), ids, urls, texts, policy.rule) if ids else LINES.empty_table())
    keys = pa.concat_tables([LINE_KEYS.empty_table(), *(keys_of(table, n) for n, table in enumerate(tables))])
    verdicts = resolve_keys(keys, policy)
    found: Found = defaultdict(list)
    for number, (pages, table) in enumerate(zip(shards, tables, strict=True)):
        told = verdicts.filter(pa.array(np.asarray(verdicts.column("shard")) == number))
        for cut in find_line_cuts(table, told, policy).to_pylist():
            found[pages[cut["row"]][0]].append(pages[cut["row"]][2][cut["start"] : cut["end"]])
    return dict(found)


def has_words(line: str) -> bool:
    return bool((tokenise([line]).kind & 1).any())


def c4_oracle(pages: Sequence[Page]) -> Found:
    """As remove_duplicate_text: each line's page, then the lines that are not the page's, or have been there."""
    best: dict[str, tuple[int, int]] = {}
    for doc_id, url, text in pages:
        for line in filter(has_words, text.split("\n")):
            place = (c4_rank(url or doc_id), page_hash(doc_id))
            best[line.strip().lower()] = min(best.get(line.strip().lower(), place), place)
    found: Found = defaultdict(list)
    for doc_id, url, text in pages:
        seen: set[str] = set()
        for line in filter(has_words, text.split("\n")):
            key = line.strip().lower()
            if best[key] != (c4_rank(url or doc_id), page_hash(doc_id)) or key in seen:
                found[doc_id].append(line)
            seen.add(key)
    return dict(found)


def cc_net_oracle(pages: Sequence[Page]) -> Found:
    """As HashesCollector and finalize_doc: every copy of what two pages have, and later copies in a page."""
    on = Counter(key for page in pages for key in {normalize_for_dedup(line) for line in page[2].split("\n")})
    found: Found = defaultdict(list)
    for doc_id, _, text in pages:
        seen: set[str] = set()
        for line in filter(has_words, text.split("\n")):
            key = normalize_for_dedup(line)
            if on[key] > 1 or key in seen:
                found[doc_id].append(line)
            seen.add(key)
    return dict(found)


def site_oracle(pages: Sequence[Page], policy: LinePolicy) -> Found:
    def key_of(line: str) -> tuple[int, ...]:
        tokens = tokenise([line])
        return tuple(tokens.hash[(tokens.kind & 1) != 0].tolist())

    totals = Counter(site_of(page[1]) for page in pages if has_words(page[2]))
    on = Counter(
        key for page in pages for key in {(site_of(page[1]), key_of(line)) for line in page[2].split("\n")}
    )  # fmt: skip
    found: Found = {}
    for doc_id, url, text in pages:
        site = site_of(url)
        if site is None:
            continue
        lines = [line for line in text.split("\n") if has_words(line)]
        again = [
            on[site, key_of(line)] >= max(policy.site_pages, policy.site_share * totals[site]) for line in lines
        ]  # fmt: skip
        head = next((n for n, hit in enumerate(again) if not hit), len(lines))
        foot = next((n for n, hit in enumerate(again[::-1]) if not hit), len(lines))
        chosen = [n for n in range(len(lines)) if n < head or n >= len(lines) - foot]
        words = [len(key_of(line)) for line in lines]
        if chosen and sum(words[n] for n in chosen) <= 0.5 * sum(words):
            found[doc_id] = [lines[n] for n in chosen]
    return found


def make_pages(rng: random.Random, count: int) -> list[Page]:
    """Pages of few sites with lines of few kinds: menus, prose, headings that repeat, lines without words."""
    shared = ["Menu", "menu ", "About us", "ABOUT US", "© 2024 Us", "© 2023 Us", "* * *", "", "…", "Note", "漢字"]
    pages: list[Page] = []
    for _ in range(count):
        site = rng.choice(["a.example", "www.a.example", "b.co.uk", "x.github.io", "y.github.io", "10.0.0.1"])
        url = None if rng.random() < 0.1 else f"https://{site}/{rng.randrange(10**6)}"
        lines = [
            rng.choice(shared) if rng.random() < 0.6 else f"Words {rng.randrange(12)} of a page {rng.randrange(4)}"
            for _ in range(rng.randrange(12))
        ]
        pages.append((f"{rng.getrandbits(128):032x}", url, "\n".join(lines)))
    return pages


@pytest.mark.parametrize("rule", ["site", "c4", "cc_net"])
@pytest.mark.parametrize("shards", [1, 3])
def test_rules_against_a_plain_reading(rule: str, shards: int) -> None:
    cut = 0
    for seed in range(12):
        rng = random.Random(seed)
        pages = make_pages(rng, rng.randrange(30))
        policy = LinePolicy.model_validate({"rule": rule, "site_share": rng.choice([0, 0.2, 0.6])})
        dealt: list[list[Page]] = [[] for _ in range(shards)]
        for page in rng.sample(pages, len(pages)):
            rng.choice(dealt).append(page)
        if rule == "site":
            expected = site_oracle(pages, policy)
        else:
            expected = c4_oracle(pages) if rule == "c4" else cc_net_oracle(pages)
        assert cut_shards(dealt, policy) == expected
        cut += len(expected)
    assert cut > 9


def test_what_the_site_rule_leaves_alone() -> None:
    prose = [f"Only this page says what this line says, number {n}." for n in range(8)]
    texts = [f"Home\nProducts\n{prose[n]}\nSee also\n{prose[n]}\n{n} likes\nAll rights reserved" for n in range(4)]
    pages = [(f"{n:016x}{0:016x}", f"https://shop.example/{n}", text) for n, text in enumerate(texts)]
    found = cut_shards([pages], LinePolicy(rule="site"))
    expected = ["Home", "Products", "All rights reserved"]
    assert set(found) == {page[0] for page in pages}
    assert all(lines == expected for lines in found.values()), "a heading in the middle and a count stay"
    assert cut_shards([pages[:2]], LinePolicy(rule="site")) == {}, "two pages are too few"
    versions = [(doc_id, url, "One long text that a site has in three places\nHome") for doc_id, url, _ in pages]
    assert cut_shards([versions], LinePolicy(rule="site")) == {}, "versions of a document are no boilerplate"
    other = [(f"{n + 9:016x}{0:016x}", f"https://shop{n}.example/", text) for n, text in enumerate(texts)]
    assert cut_shards([other], LinePolicy(rule="site")) == {}, "lines of other sites do not count"
    many = [(f"{n + 99:016x}{0:016x}", f"https://shop.example/x{n}", f"Own words {n}\nof page {n}") for n in range(40)]
    assert cut_shards([pages, many], LinePolicy(rule="site")) == {}, "four of 44 pages are no share of a site"


def test_keys_of_c4() -> None:
    digest = hashlib.md5(b"some line.").hexdigest()
    assert c4_line_key("  Some LINE. ") == int(digest[:16], 16)
    digest = hashlib.md5(b"example.org/a").hexdigest()
    assert c4_rank("https://www.example.org/a/?utm_source=x&b=1") == int(digest[:16], 16)
    assert c4_rank("http://example.org/a") == int(digest[:16], 16)


@pytest.mark.parametrize(
    ("line", "normalised"),
    [
        ("  Hello World 2024!  ", "hello world 0000!"),
        ("« Déjà » vu… – 3,5 ％", " déjà  vu  0,0 "),
        ("a\tb\x07c\x85d", "abcd"),
        ("１２", "00"),
        ("٣ items", "0 items"),
        ("「漢字」。", "漢字"),
        ("   ", ""),
        ("ÀÉ", "àé"),
        ("x\u00a0y", "x\u00a0y"),
    ],
)
def test_normalisation_of_cc_net(line: str, normalised: str) -> None:
    assert normalize_for_dedup(line) == normalised
    digest = hashlib.sha1(normalised.encode()).digest()
    assert cc_net_key(line) == int(np.frombuffer(digest[:8], "<u8")[0])


def test_keys_travel_once_a_shard() -> None:
    pages = [(f"{n:032x}", f"https://a.example/{n}", "Menu\nMenu\nmenu\nHome") for n in range(1000)]
    ids, urls, texts = ([page[k] for page in pages] for k in range(3))
    for rule, rows in (("site", 3), ("c4", 2), ("cc_net", 2)):
        keys = keys_of(lines_of(np.arange(1000), ids, urls, texts, rule), 7)
        assert keys.num_rows == rows, "a key a distinct line, and one for the site"
        assert set(keys.column("pages").to_pylist()) == {1000}
        assert set(keys.column("shard").to_pylist()) == {7}


@pytest.mark.parametrize("rule", ["site", "c4", "cc_net"])
def test_nothing_and_strange_texts(rule: str) -> None:
    policy = LinePolicy.model_validate({"rule": rule})
    assert cut_shards([[]], policy) == {}
    odd = ["", "\n\n\n", "\ud800 lone", "* * *\n—", "word" * 100_000, "\x00\x85"]
    pages: list[Page] = [(f"{n:032x}", "https://[bad", text) for n, text in enumerate(odd)]
    assert cut_shards([pages, pages[:0]], policy) == {}
