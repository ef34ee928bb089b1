"""What a mix is made of, file by file: a sample of its texts beside one of human text, and who generated the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.features.url_key import site_of
from pipeline.diversity.sample import WORDS, Sample, hash_of, measure, merge
from pipeline.keys import read_arrow
from pipeline.mix.candidates import REAL, candidates_path
from pipeline.mix.choose import ChoosePlan, MixFile, choose
from pipeline.mix.source_rows import read_rows
from pipeline.mix.survey import AI_LABELLED, MT_LABELLED

COLUMNS = ("doc_id", "text", "url", "page_type", "cluster_id")
LINEAGE = ("generator", "prompt", "depth", "parents")
READ_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Inspected:
    """Of one file, or of many.

    Attributes:
        mix: sample of the texts, by copies.
        human: sample of the real text that could have been chosen.
        generators: rows by (generator, prompt, depth) of synthetic text.
        parents: synthetic rows that name parents.
    """

    mix: Sample
    human: Sample
    generators: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    parents: int = 0


def inspect_file(file: MixFile, plan: ChoosePlan, groups: Sequence[str]) -> Inspected:
    """Inspect a data file; `groups` are those of documents that count as human text."""
    choice = choose(file, plan)
    taken = ~choice.held_out
    rows = np.asarray(choice.candidates.column("row"))[taken]
    mix = _sample(file, choice.candidates.filter(pa.array(taken)), choice.copies[taken])
    every = read_arrow(candidates_path(plan.candidates, file.input.number))
    is_human = pc.and_(
        pc.is_null(every.column("reason")),
        pc.and_(pc.equal(every.column("origin"), REAL), pc.is_in(every.column("group"), pa.array(list(groups)))),
    )
    people = every.filter(is_human)
    human = _sample(file, people, np.ones(people.num_rows, np.int32))
    generators, parents = Counter[tuple[str, str, int]](), 0
    if file.run is None:
        copies = choice.copies[taken]
        for begin, table, places in read_rows(file.input.path, rows, LINEAGE, READ_BYTES):
            lineage = table.take(pa.array(places)).to_pylist()
            for one, times in zip(lineage, copies[begin : begin + len(places)].tolist(), strict=True):
                generators[one["generator"] or "", one["prompt"] or "", one["depth"] or 0] += times
                parents += times if one["parents"] else 0
    return Inspected(mix, human, generators, parents)


def _sample(file: MixFile, candidates: pa.Table, copies: npt.NDArray[np.int32]) -> Sample:
    """Sample of documents; only the texts are read that may be in it."""
    order = np.argsort(np.asarray(candidates.column("row")), kind="stable")
    candidates, copies = candidates.take(pa.array(order)), copies[order]
    wanted = np.flatnonzero(_may_be_sampled(candidates, copies))
    rows = np.asarray(candidates.column("row"))[wanted]
    found: dict[str, list[str | None]] = {name: [None] * len(copies) for name in COLUMNS}
    for begin, table, places in read_rows(file.input.path, rows, COLUMNS, READ_BYTES):
        part = table.take(pa.array(places))
        for name in part.schema.names:
            for at, value in zip(
                wanted[begin : begin + len(places)].tolist(), part.column(name).to_pylist(), strict=True
            ):
                found[name][at] = value
    return measure(
        candidates.column("doc_id").to_pylist(),
        found["text"],
        hosts=[site_of(url) if url else None for url in found["url"]],
        languages=candidates.column("language").to_pylist(),
        page_types=found["page_type"],
        clusters=found["cluster_id"],
        copies=copies.tolist(),
    )


def _may_be_sampled(candidates: pa.Table, copies: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Of each language the documents with the smallest keys, up to the words of a sample and half as many more."""
    keys = np.array([hash_of(doc_id) for doc_id in candidates.column("doc_id").to_pylist()], np.uint64)
    words = np.asarray(pc.fill_null(candidates.column("words"), 1)).astype(np.int64) * copies
    languages = np.asarray(candidates.column("language").combine_chunks().dictionary_encode().indices)
    chosen = np.zeros(len(keys), bool)
    for language in np.unique(languages):
        mine = np.flatnonzero(languages == language)
        mine = mine[np.argsort(keys[mine], kind="stable")]
        chosen[mine[np.cumsum(np.minimum(words[mine], WORDS)) - words[mine] < WORDS * 3 // 2]] = True
    return chosen


def combine(parts: Iterable[Inspected]) -> Inspected:
    """All files together, in any order."""
    every = list(parts)
    generators = sum((one.generators for one in every), Counter[tuple[str, str, int]]())
    return Inspected(
        merge(one.mix for one in every),
        merge(one.human for one in every),
        generators,
        sum(one.parents for one in every),
    )


def human_groups(groups: Iterable[tuple[str, float]]) -> list[str]:
    """Groups that count as human text: those of which people wrote something at least, else all without a label."""
    known = sorted({group for group, human_low in groups if human_low > 0})
    return known or sorted({group for group, _ in groups} - {AI_LABELLED, MT_LABELLED})
