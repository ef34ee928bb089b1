"""Requests for the texts that are missing: what a generator is asked, of which parents, and how answers find back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from pipeline.synthesize.gaps_measure import Gap, Measured
from pipeline.synthesize.gaps_survey import LENGTH_BINS, OTHER, Seed, Stratum, Tally
from pipeline.synthesize.gaps_words import Int, read_data
from schemas.config import ConfigError
from schemas.targets import JOINT, Dimension, GapTargets

ENOUGH_LENGTHS = 30  # documents of a stratum from which its lengths are taken; else those of all strata
SHORTEST_REPHRASING, LONGEST_REPHRASING = 0.5, 1.25  # of the parent: more would have to be invented


@dataclass(frozen=True, slots=True)
class Request:
    """One text that is wanted. An answer names it in its column `request` (or has its id)."""

    id: str  # 32 hex digits, a function of everything below
    target: str
    stratum: dict[str, str]  # value by dimension
    kind: str  # grounded: a rephrasing of its parents; ungrounded
    language: str  # ISO 639-3
    words: int
    parents: tuple[str, ...]  # doc_ids
    depth: int  # generation: 1 is made of real text, or of none
    prompt: str  # name and version
    instructions: str
    seed: int  # for the generator, below 2**31
    parent_texts: tuple[str, ...] = ()


def allot(gaps: Sequence[Gap], limit: int) -> list[int]:
    """Requests of each gap by what is to be added, `limit` together at most: largest remainders, then in order."""
    wanted = np.array([gap.to_add for gap in gaps], np.int64)
    total = int(wanted.sum())
    if total <= limit:
        return [int(value) for value in wanted]
    exact = wanted * limit / total
    found: Int = np.floor(exact).astype(np.int64)
    rest = limit - int(found.sum())
    found[np.argsort(found - exact, kind="stable")[:rest]] += 1
    return [int(value) for value in found]


def plan_requests(
    measured: Sequence[Measured], tallies: Sequence[Tally], config: GapTargets
) -> tuple[list[Request], dict[tuple[str, str], Seed], list[str]]:
    """Requests of all thin strata, their seeds by (target, doc_id), and what could not be asked and why."""
    pairs = [(one, tally, gap) for one, tally in zip(measured, tallies, strict=True) for gap in one.gaps if gap.to_add]
    numbers = allot([gap for _, _, gap in pairs], config.requests.limit)
    requests: list[Request] = []
    seeds: dict[tuple[str, str], Seed] = {}
    problems: list[str] = []
    for (one, tally, gap), number in zip(pairs, numbers, strict=True):
        made = list(_of_gap(one, tally, gap, number, config, seeds))
        requests += made
        if len(made) < number:
            problems.append(
                f"{one.target.name}: {gap.key}: {number - len(made):,} of {number:,} requests could not be made: "
                + ("no language is known for it" if config.requests.ungrounded else "too few documents can be parents")
            )
    return requests, seeds, problems


def _of_gap(
    measured: Measured, tally: Tally, gap: Gap, number: int, config: GapTargets, used: dict[tuple[str, str], Seed]
) -> Iterator[Request]:
    target, stratum = measured.target, tally.strata.get(gap.key)
    values: dict[Dimension, str] = dict(zip(target.dimensions, gap.key.split(JOINT), strict=True))
    values |= target.where
    held = stratum.seeds.values() if stratum is not None and stratum.seeds is not None else []
    seeds = by_host(held)
    grounded = min(number, config.requests.rephrasings * len(seeds))
    everything = [s for key, s in tally.strata.items() if key != OTHER]
    lengths = _lengths(stratum, everything)
    languages = _languages(values, stratum, everything)
    for at in range(number):
        draw = _Draw(f"{config.seed}\0{target.name}\0{gap.key}\0{at}")
        words = draw_length(lengths, draw.unit("bin"), draw.unit("within"), config.requests.words)
        if at < grounded:
            seed = seeds[at % len(seeds)]
            used[target.name, seed.doc_id] = seed
            low, high = (int(part * seed.words) for part in (SHORTEST_REPHRASING, LONGEST_REPHRASING))
            words = _rounded(min(max(words, low), high))
            yield _request(target.name, values, "grounded", seed.language, words, (seed.doc_id,), draw)
        elif config.requests.ungrounded and languages:
            language = _drawn(languages, draw.unit("language"))
            yield _request(target.name, values, "ungrounded", language, words, (), draw)


def by_host(seeds: Sequence[Seed]) -> list[Seed]:
    """Seeds in an order that begins with one of each host, then the second of each: no site sets the tone alone."""
    rank: dict[int, int] = {}
    ranked = []
    for seed in sorted(seeds):
        rank[seed.host] = rank.get(seed.host, -1) + 1
        ranked.append((rank[seed.host], seed))
    return [seed for _, seed in sorted(ranked)]


class _Draw:
    """Numbers by name, each a function of what the request is for."""

    def __init__(self, key: str) -> None:
        self._key = key

    def integer(self, name: str) -> int:
        return int(xxhash.xxh3_64_intdigest(f"{self._key}\0{name}".encode()))

    def unit(self, name: str) -> float:
        return self.integer(name) / 2**64


def _lengths(stratum: Stratum | None, everything: Sequence[Stratum]) -> Int:
    if stratum is not None and stratum.amounts[0] >= ENOUGH_LENGTHS:
        return stratum.lengths
    return sum((one.lengths for one in everything), np.zeros(LENGTH_BINS, np.int64))


def draw_length(lengths: Int, first: float, second: float, bounds: tuple[int, int]) -> int:
    """A length in words from a histogram (`length_bins`) by two numbers in [0, 1), within bounds, rounded."""
    total = int(lengths.sum())
    if not total:
        return _rounded(min(max(300, bounds[0]), bounds[1]))
    place = int(np.searchsorted(np.cumsum(lengths), first * total, side="right"))
    words = 2 ** ((place + second) / 4)
    return _rounded(int(min(max(words, bounds[0]), bounds[1])))


def _rounded(words: int) -> int:
    """To ten words: generators count no better."""
    return max(10, 10 * round(words / 10))


def _languages(
    values: Mapping[Dimension, str], stratum: Stratum | None, everything: Sequence[Stratum]
) -> dict[str, int]:
    """In what language to write, with weights: the stratum's own, else its documents', else the region's, else all."""
    if "language" in values:
        return {values["language"]: 1}
    if stratum is not None and stratum.languages:
        return dict(stratum.languages)
    if "region" in values:
        known = read_data("gaps_prompts")["region_languages"].get(values["region"])
        return {known: 1} if known else {}
    together: dict[str, int] = {}
    for one in everything:
        for language, count in one.languages.items():
            together[language] = together.get(language, 0) + count
    together.pop("und", None)
    return together


def _drawn(weights: Mapping[str, int], at: float) -> str:
    names = sorted(weights)
    sums = np.cumsum([weights[name] for name in names])
    return names[int(np.searchsorted(sums, at * sums[-1], side="right"))]


def instructions(kind: str, language: str, words: int, stratum: Mapping[Dimension, str]) -> str:
    """What the generator is told."""
    data = read_data("gaps_prompts")
    name = data["languages"].get(language, f"the language with the ISO 639-3 code {language}")
    base = data["prompts"]["rephrase" if kind == "grounded" else "write"]
    parts = [base.format(language=name, words=words)]
    for dimension, value in stratum.items():
        if dimension != "language":
            parts.append(_told(data, kind, dimension, value))
    return " ".join([*filter(None, parts), data["ending"]])


def _told(data: Mapping[str, Any], kind: str, dimension: Dimension, value: str) -> str:
    """The sentence of one dimension; a rephrasing keeps what its parent has."""
    names = {"topic": "topics", "register": "registers", "region": "regions", "gender": "genders"}
    named = data[names[dimension]].get(value, value)
    template: str = data["kept" if kind == "grounded" else "stratum"][dimension]
    return template.format(**named) if isinstance(named, dict) else template.format(value=named)


def _request(
    target: str, stratum: Mapping[Dimension, str], kind: str, language: str, words: int, parents: tuple[str, ...],
    draw: _Draw,
) -> Request:  # fmt: skip
    version = read_data("gaps_prompts")["version"]
    told = instructions(kind, language, words, stratum)
    prompt = f"gaps/{'rephrase' if kind == 'grounded' else 'write'}/v{version}"
    one = Request("", target, {str(k): v for k, v in stratum.items()}, kind, language, words, parents, 1, prompt, told,
                  draw.integer("seed") % 2**31)  # fmt: skip
    known = json.dumps(asdict(one), sort_keys=True, ensure_ascii=False)
    return replace(one, id=xxhash.xxh3_128_hexdigest(known.encode()))


def request_lines(requests: Sequence[Request]) -> Iterator[str]:
    """Lines of a JSONL file; the parents' text only where it was asked for."""
    for request in requests:
        values = asdict(request)
        if not request.parent_texts:
            del values["parent_texts"]
        yield json.dumps(values, ensure_ascii=False) + "\n"


def read_requests(path: str | Path) -> dict[str, Request]:
    """Requests by id, of a file that `headwater synthesize gaps` wrote.

    Raises:
        ConfigError: no such file, or a line that is no request; says which.
    """
    found: dict[str, Request] = {}
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    request = _parsed(line)
                    if request is None:
                        raise ConfigError(f"{path}: line {number} is no request of `headwater synthesize gaps`")
                    found[request.id] = request
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give the requests.jsonl of `synthesize gaps`") from None
    return found


def _parsed(line: str) -> Request | None:
    try:
        values: dict[str, Any] = json.loads(line)
        request = Request(**{**values, "parents": tuple(values["parents"]),
                             "parent_texts": tuple(values.get("parent_texts", ()))})  # fmt: skip
    except (ValueError, TypeError, KeyError):
        return None
    return request if isinstance(request.id, str) and isinstance(request.depth, int) else None
