"""The country that a page comes from or addresses, from evidence that adds up: unknown rather than guessed.

Each kind of evidence is a vote for one country or several; a country is named with two votes and one more than any
other. Spelling alone names none: people write American English everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from detectors.features.page_values import named_values
from detectors.features.tokens import Tokens
from detectors.features.url_key import host_of, is_ip_address
from pipeline.synthesize.gaps_words import Int, WordTable, expand, find_words, read_data

DOMAIN_VOTES = 3  # a country's domain, also against the locale that the software was left with
TAG_VOTES = 2  # a tag with a region that somebody chose
WEAK_VOTES = 1  # a locale that software writes by itself; spelling
ENOUGH, LEAD = 2, 1
LEAST_SPELLINGS, CLEAR_SPELLING = 2, 3  # words, and how many times those of any other group
_SECOND_LEVELS = frozenset({"com", "net", "org", "gov", "edu", "gob", "gouv", "ac", "co"})
_TAG = re.compile(r"\s*[a-z]{2,3}(?:[-_][a-z]{4})?[-_]([a-z]{2})(?![a-z])", re.I)
_LOCALES = frozenset({"og:locale", "content-language", "dc.language", "dcterms.language", "language"})
_PLACES = frozenset({"geo.region", "geo.country"})
_PLACE = re.compile(r"\s*([a-z]{2})(?:-[a-z0-9]{1,3})?\s*\Z", re.I)


@lru_cache(maxsize=1)
def _lists() -> tuple[frozenset[str], dict[str, str], frozenset[str]]:
    data = read_data("gaps_regions")
    locales = frozenset(name.lower() for name in data["default_locales"].split())
    return frozenset(data["generic_domains"].split()), data["domains"], locales


@lru_cache(maxsize=1 << 14)
def region_of_host(host: str | None) -> str | None:
    """Country of a host by its top-level domain, as in ISO 3166 and small letters; None for generic domains."""
    if not host or is_ip_address(host):
        return None
    generic, special, _ = _lists()
    labels = host.split(".")
    last = labels[-1]
    if last in special:
        return special[last]
    if len(last) != 2 or not last.isascii() or not last.isalpha():
        return None
    return last if last not in generic or (len(labels) > 2 and labels[-2] in _SECOND_LEVELS) else None


def region_of_tag(tag: str | None) -> tuple[str, int] | None:
    """Country of a language tag or locale (`pt-BR`, `zh_Hant_TW`) and its votes; None without a region."""
    match = _TAG.match(tag) if tag else None
    if match is None or tag is None:
        return None
    region = match[1].lower()
    plain = tag.strip().replace("_", "-").lower()[:5]
    return ("gb" if region == "uk" else region), WEAK_VOTES if plain in _lists()[2] else TAG_VOTES


def votes_of_page(page: Mapping[str, Any] | None) -> Counter[str]:
    """Votes of what a page says of itself. Language attribute and locales are one setting: the strongest counts."""
    votes: Counter[str] = Counter()
    if page is None:
        return votes
    meta = named_values(page.get("meta"), lambda name: name in _LOCALES or name in _PLACES)
    for tag in (page.get("html_lang"), *(value for name, value in meta if name in _LOCALES)):
        if found := region_of_tag(tag):
            votes[found[0]] = max(votes[found[0]], found[1])
    for name, value in meta:
        if name in _PLACES and (match := _PLACE.match(value)):
            votes[match[1]] = max(votes[match[1]], TAG_VOTES)
    return votes


@lru_cache(maxsize=1)
def _spelling() -> tuple[dict[str, WordTable], list[list[str]]]:
    """Words by language, and the countries of each class."""
    tables: dict[str, WordTable] = {}
    regions: list[list[str]] = []
    for language, groups in read_data("gaps_regions")["spelling"].items():
        words = {}
        for group in groups:
            words[len(regions)] = list(expand(group["words"]))
            regions.append(group["regions"].split())
        tables[language] = WordTable.of(words)
    return tables, regions


def spelling_regions(texts: Tokens, languages: Sequence[str | None]) -> list[list[str]]:
    """Countries whose spelling each text keeps to; empty where it says nothing or both."""
    tables, regions = _spelling()
    counts: Int = find_words(texts, languages, tables).totals(texts.docs, len(regions))
    if not texts.docs:
        return []
    best = np.argmax(counts, axis=1)
    most = counts[np.arange(texts.docs), best]
    sure = (most >= LEAST_SPELLINGS) & (most >= CLEAR_SPELLING * (counts.sum(axis=1) - most))
    return [regions[at] if is_sure else [] for at, is_sure in zip(best.tolist(), sure.tolist(), strict=True)]


def region_of(host: str | None, page: Mapping[str, Any] | None, spelling: Iterable[str]) -> str | None:
    """The country that evidence names together, or None."""
    votes = votes_of_page(page)
    if domain := region_of_host(host):
        votes[domain] += DOMAIN_VOTES
    for region in spelling:
        votes[region] += WEAK_VOTES
    ranked = votes.most_common()
    if not ranked or ranked[0][1] < ENOUGH:
        return None
    ahead = ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0)
    return ranked[0][0] if ahead >= LEAD else None


def regions_of(
    urls: Sequence[str | None], pages: Sequence[Mapping[str, Any] | None], spelling: Sequence[Sequence[str]]
) -> list[str | None]:
    """Country of each document."""
    rows = zip(urls, pages, spelling, strict=True)
    return [region_of(host_of(url), page, words) for url, page, words in rows]
