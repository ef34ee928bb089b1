"""Groups of versions of one document, from scored pairs. Pure functions; no Beam.

Pairs are joined from the strongest on. What a component of pairs has wrongly tied together is kept apart here: a group
holds two pages of one language only where they are near duplicates, have one address without language tokens, or are
two different translations (`pt`, `pt-BR`) that resemble each other as versions do; pages that are made of one template
are neither. Nothing depends on the order of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.machine_translation.parallel_score import SKETCH_ACCEPTED, compare_sketches, score_sketches
from detectors.machine_translation.parallelism import (
    IS_CANONICAL_TRANSLATION,
    IS_DEFAULT,
    KIND_MASK,
    NO_TOKEN,
    SITE_LANGUAGE,
    URL,
)
from pipeline.parallel_match import UNSURE

U64 = npt.NDArray[np.uint64]

EDGES_SCORED = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("score", pa.int32())])  # thousandths of a nat
COMPONENT_EDGES = pa.schema([("component", pa.uint64()), *EDGES_SCORED])
COMPONENT_MEMBERS = pa.schema(
    [
        ("component", pa.uint64()),
        ("reference", pa.uint64()),
        ("doc_id", pa.string()),
        ("language", pa.string()),
        ("fetched_at", pa.int64()),
        ("source", pa.uint8()),
        ("address", pa.uint64()),  # key of the address without language tokens
        ("sketch", pa.binary()),
        ("signature", pa.binary()),
    ]
)
PARALLEL = pa.schema(
    [
        ("reference", pa.uint64()),
        ("group", pa.string()),  # smallest doc_id of the group
        ("languages", pa.int32()),  # languages in the group, without those of pages whose language is unsure
        ("is_source", pa.bool_()),  # whether the page is in the language that the group was probably written in
        ("source_language", pa.string()),  # that language; both null where nothing tells
        ("confidence", pa.float32()),  # probability that the page belongs to the group, of its strongest pair
    ]
)

# A component beyond this is no document in many languages but a site's template; nobody has 500 versions of 100 pages.
MOST_MEMBERS = 50_000
# Two pages of one language by the estimated Jaccard similarity of their 5-grams: copies and captures of one page are
# above the first, independent translations of one original below the second, pages of one template between.
SAME_PAGE = 0.95
OTHER_WORDS = 0.35
MOST_COMPARED = 4  # pairs a language, so that joining two large groups stays cheap
TOLERANCE = 3  # one language in so many may disagree: half-translated pages count as the language that was left
PASSES = 3  # what is refused is tried again when its sides have grown

# What speaks for a page being the original, in nats, by rule. Most of what is translated is written in English
# (Thompson et al. 2024); a page that is a month older than all others of its group was there first.
SOURCE_NATS = {IS_DEFAULT: 2.0, SITE_LANGUAGE: 1.5, IS_CANONICAL_TRANSLATION: -1.5, NO_TOKEN: 1.0}
ENGLISH_NATS = 1.0
OLDEST_NATS = 0.5
MONTH_SECONDS = 30 * 86400
LEAD_NATS = 0.4  # of the best language over the second, from which on it is named


@dataclass(slots=True)
class Cluster:
    """Members of a group in the making, by language."""

    members: dict[str, list[int]]
    count: int


def sure(languages: Iterable[str]) -> set[str]:
    """The languages without those of pages whose language is unsure."""
    return {language for language in languages if not language.startswith(UNSURE)}


def _unite(cluster_of: list[Cluster], first: Cluster, second: Cluster) -> None:
    """Move the smaller cluster's members into the larger one."""
    if first.count < second.count:
        first, second = second, first
    for language, rows in second.members.items():
        first.members.setdefault(language, []).extend(rows)
        first.members[language].sort()
        for row in rows:
            cluster_of[row] = first
    first.count += second.count
    second.members, second.count = {}, 0


class _Component:
    """Members and pairs of one component, and the groups that they make."""

    def __init__(self, members: pa.Table) -> None:
        self.reference = members.column("reference").to_pylist()
        languages = enumerate(members.column("language").to_pylist())
        # a page of unsure language is in the way of none
        self.language = [f"{UNSURE}{row}" if language == UNSURE else language for row, language in languages]
        self.address = members.column("address").to_pylist()
        self.sketch = members.column("sketch").to_pylist()
        self.signature = members.column("signature").to_pylist()
        self._same: dict[tuple[int, int], bool] = {}

    def agree(self, first: int, second: int) -> bool:
        """Whether two pages of one language may be in one group."""
        key = (min(first, second), max(first, second))
        if key not in self._same:
            self._same[key] = self._compare(*key)
        return self._same[key]

    def _compare(self, first: int, second: int) -> bool:
        if self.address[first] is not None and self.address[first] == self.address[second]:
            return True
        a, b = (np.frombuffer(self.signature[row] or b"", "<u4") for row in (first, second))
        similarity = float(np.mean(a == b)) if len(a) and len(a) == len(b) else 0.0
        if similarity >= SAME_PAGE:
            return True
        if similarity > OTHER_WORDS:
            return False
        compared = compare_sketches([self.sketch[first]], [self.sketch[second]])
        return float(score_sketches(compared)[0]) >= SKETCH_ACCEPTED

    def may_join(self, first: Cluster, second: Cluster) -> bool:
        """Whether no two pages of one language stand in the way of a union."""
        shared = sorted(first.members.keys() & second.members.keys())
        if shared and self.are_siblings(first, second):
            return False
        allowed = min(len(first.members), len(second.members)) // TOLERANCE
        for language in shared:
            pairs = [(a, b) for a in first.members[language] for b in second.members[language]][:MOST_COMPARED]
            if not all(self.agree(a, b) for a, b in pairs):
                allowed -= 1
                if allowed < 0:
                    return False
        return True

    def are_siblings(self, first: Cluster, second: Cluster) -> bool:
        """Whether each side has versions under an address of its own: two documents of one site, however alike."""
        ours, theirs = (
            {
                address
                for address, languages in self._addresses(cluster).items()
                if len(languages) > 1 and address is not None
            }
            for cluster in (first, second)
        )
        return bool(ours and theirs and not ours & theirs)

    def _addresses(self, cluster: Cluster) -> dict[int | None, set[str]]:
        found: dict[int | None, set[str]] = {}
        for language, rows in cluster.members.items():
            for row in rows:
                found.setdefault(self.address[row], set()).add(language)
        return found

    def groups(self, edges: Sequence[tuple[int, int, int]]) -> Iterator[list[int]]:
        """Rows of each group of two languages or more; `edges` holds (score, row, row)."""
        cluster_of = [Cluster({language: [row]}, 1) for row, language in enumerate(self.language)]
        waiting = sorted(edges, key=lambda e: (-e[0], e[1], e[2]))
        for _ in range(PASSES):
            refused: set[tuple[int, int]] = set()
            rest = []
            for edge in waiting:
                a, b = cluster_of[edge[1]], cluster_of[edge[2]]
                if a is b:
                    continue
                if (id(a), id(b)) in refused or not self.may_join(a, b):
                    refused |= {(id(a), id(b)), (id(b), id(a))}
                    rest.append(edge)
                else:
                    _unite(cluster_of, a, b)
            if len(rest) == len(waiting):
                break
            waiting = rest
        seen: set[int] = set()
        for cluster in cluster_of:
            if id(cluster) not in seen and len(sure(cluster.members)) > 1:
                seen.add(id(cluster))
                yield sorted(row for rows in cluster.members.values() for row in rows)


def resolve_groups(members: pa.Table, edges: pa.Table) -> pa.Table:
    """PARALLEL of the components of a bucket: COMPONENT_MEMBERS and COMPONENT_EDGES in any order."""
    members = _sorted(members, "reference")
    edges = _sorted(edges, "component")
    components = np.asarray(members.column("component"), dtype=np.uint64)
    edge_components = np.asarray(edges.column("component"), dtype=np.uint64)
    found: dict[str, list[Any]] = {name: [] for name in PARALLEL.names}
    order = np.argsort(components, kind="stable")
    names, starts, counts = np.unique(components[order], return_index=True, return_counts=True)
    lows = np.searchsorted(edge_components, names, side="left")
    highs = np.searchsorted(edge_components, names, side="right")
    for start, count, low, high in zip(starts, counts, lows, highs, strict=True):
        if count > MOST_MEMBERS:
            continue
        rows = members.take(pa.array(order[start : start + count]))
        _resolve_component(rows, edges.slice(int(low), int(high - low)), found)
    return pa.table([pa.array(found[f.name], f.type) for f in PARALLEL], schema=PARALLEL)


def _sorted(table: pa.Table, name: str) -> pa.Table:
    order = np.argsort(np.asarray(table.column(name), dtype=np.uint64), kind="stable")
    return table.take(pa.array(order))


def _resolve_component(members: pa.Table, edges: pa.Table, found: dict[str, list[Any]]) -> None:
    component = _Component(members)
    row_of = {reference: row for row, reference in enumerate(component.reference)}
    left, right, scores = (edges.column(name).to_pylist() for name in ("left", "right", "score"))
    pairs = [(s, row_of[a], row_of[b]) for s, a, b in zip(scores, left, right, strict=True)]
    doc_ids = members.column("doc_id").to_pylist()
    described = members.select(["language", "fetched_at", "source"]).to_pylist()
    groups = list(component.groups(pairs))
    group_of = {row: number for number, group in enumerate(groups) for row in group}
    strongest: Counter[int] = Counter()
    for score, a, b in pairs:
        if group_of.get(a, -1) == group_of.get(b, -2):
            strongest[a], strongest[b] = max(strongest[a], score), max(strongest[b], score)
    for group in groups:
        source = source_language([described[row] for row in group])
        name = min(doc_ids[row] for row in group)
        languages = len(sure(component.language[row] for row in group))
        for row in group:
            found["reference"].append(component.reference[row])
            found["group"].append(name)
            found["languages"].append(languages)
            found["is_source"].append(None if source is None else component.language[row] == source)
            found["source_language"].append(source)
            found["confidence"].append(1.0 / (1.0 + float(np.exp(-strongest[row] / 1000))))


def source_language(pages: Sequence[dict[str, Any]]) -> str | None:
    """The language that a group was probably written in, or None where too little speaks for one.

    `pages` holds `language`, `fetched_at` (seconds or None) and `source` (bits of `parallel_source`).
    """
    all_plain = all((page["source"] or 0) & NO_TOKEN for page in pages)
    first_seen: dict[str, int] = {}
    nats: dict[str, float] = {}
    for page in pages:
        if page["language"] == UNSURE:
            continue
        language, bits = page["language"], page["source"] or 0
        if page["fetched_at"] is not None:
            first_seen[language] = min(first_seen.get(language, page["fetched_at"]), page["fetched_at"])
        score = sum(weight for bit, weight in SOURCE_NATS.items() if bits & bit and not (bit == NO_TOKEN and all_plain))
        nats[language] = max(nats.get(language, score), score)
    if "eng" in nats:
        nats["eng"] += ENGLISH_NATS
    seen = sorted((when, language) for language, when in first_seen.items())
    if len(seen) > 1 and seen[1][0] - seen[0][0] >= MONTH_SECONDS:
        nats[seen[0][1]] += OLDEST_NATS
    ranked = sorted(nats.items(), key=lambda item: (-item[1], item[0]))
    if ranked[0][1] - ranked[1][1] < LEAD_NATS:
        return None
    return ranked[0][0]


def addresses_of(prepared: pa.Table) -> pa.Array:
    """Key of each page's address without language tokens; null where it has none."""
    keys = prepared.column("keys").combine_chunks()
    flat = np.asarray(keys.flatten(), dtype=np.uint64)
    offsets = np.asarray(keys.offsets)
    first = offsets[:-1] - offsets[0]
    has = (np.diff(offsets) > 0) & (first < len(flat))
    values = np.zeros(len(first), np.uint64)
    values[has] = flat[first[has]]
    has &= (values & KIND_MASK) == URL
    return pa.array(values, pa.uint64(), mask=~has)
