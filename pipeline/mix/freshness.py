"""Which documents of a mix's runs earlier runs and mixes held, and which stand in two of its runs.

    index parts of the runs ─ keys of what they kept ─┐
    index parts of earlier runs and mixes ────────────┴─ MatchEquals ─ bands ─ pairs ─ VerifyPairs ─ VERDICTS by part

Verdicts rest on text, by direct comparison: `seen` where an earlier index holds an equal text or a near duplicate (at
the similarity of the run's policy), `twin` where a run that the recipe lists earlier does, `taken_down` where the text,
a near copy of it or the address was taken down. A page at a known address whose text is new is fresh, as it is for
`headwater curate --seen`, which keeps a newer capture with new text. Texts are compared by the keys and sketches of the
indexes alone, so no text is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import match
from pipeline.arrow_lists import column
from pipeline.calls import Call, RunOnHost
from pipeline.curate import BUCKET_BYTES
from pipeline.dedup import MeetAgain, VerifyPairs, crowded_by_group, pair_up
from pipeline.equals import MatchEquals
from pipeline.index import TAKEN_DOWN_REASON, RunIndex
from pipeline.job import SEEN_BYTES, seen_files
from pipeline.keys import content_key, document_hashes, keys_path, read_arrow, write_arrow
from pipeline.match import BANDS, OTHER_COPY
from pipeline.mix.candidates import InputFile
from pipeline.packing import gather, unpack
from pipeline.seen import SeenFile
from pipeline.seen_query import key_config, open_runs
from pipeline.shuffle import BucketedShuffle, to_shards
from pipeline.verify_pairs import EDGES_VERIFIED, FEWEST_GROUPS
from pipeline.write import file_number
from schemas.config import DuplicatePolicy
from schemas.recipe import MixRecipe

SEEN, TWIN, TAKEN_DOWN = "seen", "twin", TAKEN_DOWN_REASON
VERDICTS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("verdict", pa.string()),  # taken_down, twin or seen: the first of these that is true
        ("of_run", pa.string()),  # name of the run or mix that holds the other document
        ("of_doc", pa.string()),
        ("similarity", pa.float32()),  # of shingles; null where an address or a text that was taken down says it
    ]
)
_ORDER = (TAKEN_DOWN, TWIN, SEEN)
_KEYS = ("doc_id", "url_key", "content_hash", "bands", "shingles", "sketch", "reason")

Joined = tuple[int, dict[str, Iterable[Any]]]


@dataclass(frozen=True, slots=True)
class SourcePart:
    """An index file of a source's run: shard `number`; `order` of its run in the recipe, `part` of it."""

    number: int
    order: int
    part: int
    path: str


@dataclass(frozen=True, slots=True)
class FreshnessPlan:
    """What is compared with what. Runs of the recipe have an entry each in `roots`, `runs` and `similarity`.

    `taken_urls` and `taken_texts` are the keys of addresses and texts that were taken down, sorted; `taken_rows` the
    references of pages of earlier indexes that were left out as their copies.
    """

    folder: str
    policy: DuplicatePolicy
    roots: tuple[str, ...]
    runs: tuple[str, ...]
    similarity: tuple[float, ...]
    parts: tuple[SourcePart, ...]
    seen: tuple[SeenFile, ...]
    documents: int
    taken_urls: tuple[int, ...] = ()
    taken_texts: tuple[int, ...] = ()
    taken_rows: tuple[int, ...] = ()

    @property
    def buckets(self) -> int:
        """Buckets of a shuffle, by the number of documents that are compared."""
        return max(1, -(-self.documents * SEEN_BYTES // BUCKET_BYTES))

    def parts_of(self, root: str) -> tuple[SourcePart, ...]:
        """Index files of a run, in their order."""
        order = self.roots.index(resolved(root))
        return tuple(part for part in self.parts if part.order == order)


def resolved(folder: str | Path) -> str:
    """One spelling of a folder."""
    return str(Path(folder).resolve())


def plan_freshness(recipe: MixRecipe, folder: str | Path) -> FreshnessPlan | None:
    """The comparison that a recipe asks for; None where it has one run, and names no earlier runs and mixes.

    Raises:
        RunError: a run or mix is not there, damaged, named twice, or its keys are not made as those of the first run.
    """
    roots = tuple(dict.fromkeys(resolved(one.run) for one in recipe.sources if one.kind == "run"))
    earlier = [*recipe.freshness.runs, *recipe.freshness.mixes]
    if len(roots) < 2 and not earlier:
        return None
    indexes, _ = open_runs([*roots, *earlier])
    ours, others = indexes[: len(roots)], indexes[len(roots) :]
    policies = [key_config(index).policy.duplicates for index in ours]
    similarity = tuple(policy.similarity for policy in policies)
    # Equal texts share all bands, so near pairs find them too; datatrove has no bands for the shortest texts.
    changes = {"url": False, "exact": policies[0].scheme != "headwater", "near": True, "verify": True}
    policy = policies[0].model_copy(
        update={**changes, "similarity": min(similarity), "semantic": DuplicatePolicy().semantic}
    )
    parts = [(order, part, str(path)) for order, index in enumerate(ours) for part, path in enumerate(index.files)]
    seen = seen_files(others)
    return FreshnessPlan(
        str(folder),
        policy,
        roots,
        tuple(index.run for index in ours),
        similarity,
        tuple(SourcePart(number, *part) for number, part in enumerate(parts)),
        seen,
        sum(index.documents for index in indexes),
        *_taken_down(indexes, seen),
    )


def _taken_down(indexes: Sequence[RunIndex], seen: Sequence[SeenFile]) -> tuple[tuple[int, ...], ...]:
    """Keys of addresses and of texts that were taken down, and references of the pages that were their copies."""
    urls, texts, rows = set[int](), set[int](), list[int]()
    for index in indexes:
        if index.taken_down is not None:
            table = pq.read_table(index.taken_down, columns=["url_key", "content_hash"], partitioning=None)
            urls.update(key for key in table.column("url_key").to_pylist() if key is not None)
            texts.update(key for key in content_key(table.column("content_hash")).to_pylist() if key is not None)
    for file in seen:
        reason = pq.read_table(file.path, columns=["reason"], partitioning=None).column("reason")
        found = np.flatnonzero(np.asarray(pc.fill_null(pc.equal(reason, TAKEN_DOWN_REASON), False)))
        rows += [(file.number << 32) + int(row) for row in found]
    return tuple(sorted(urls)), tuple(sorted(texts)), tuple(rows)


def verdicts_path(folder: str | Path, number: int) -> Path:
    """Where the verdicts on an index part are."""
    return Path(folder) / f"{number:05d}.verdicts.arrow"


def _refused_path(folder: str | Path, number: int) -> Path:
    return Path(folder) / f"{number:05d}.refused.arrow"


def prepare_part(plan: FreshnessPlan, part: SourcePart) -> tuple[int, str]:
    """Leave the keys of what an index part says was kept in `plan.folder`; returns the shard."""
    table = pq.read_table(part.path, columns=list(_KEYS), partitioning=None)
    table = table.filter(pc.is_null(table.column("reason")))
    contents = content_key(table.column("content_hash"))
    refused = pc.or_(
        pc.is_in(table.column("url_key"), pa.array(plan.taken_urls, pa.uint64())),
        pc.is_in(contents, pa.array(plan.taken_texts, pa.uint64())),
    )
    down = table.column("doc_id").filter(refused)
    nothing = pa.nulls(len(down), pa.string())
    unknown = pa.nulls(len(down), pa.float32())
    columns = [down, pa.repeat(TAKEN_DOWN, len(down)), nothing, nothing, unknown]
    write_arrow(_refused_path(plan.folder, part.number), pa.table(columns, schema=VERDICTS))
    table, contents = table.filter(pc.invert(refused)), contents.filter(pc.invert(refused))
    # The run that the recipe lists first is preferred; within a run the order is that of a hash.
    hashes = document_hashes(table.column("doc_id"))
    ranks = (np.uint64(part.order) << np.uint64(48)) | (hashes >> np.uint64(16))
    keys = {
        "reference": (np.uint64(part.number) << np.uint64(32)) + np.arange(table.num_rows, dtype=np.uint64),
        **{name: table.column(name) for name in ("doc_id", "reason", "url_key", "bands", "shingles", "sketch")},
        "content_key": contents,
        "rank": ranks,
        "capture_rank": ranks,
    }
    write_arrow(keys_path(plan.folder, str(part.number)), pa.table(keys).combine_chunks())
    return part.number, str(part.number)


def judge_part(plan: FreshnessPlan, number: int, edges: pa.Table) -> pa.Table:
    """VERDICTS of an index part: of each document the gravest, then the most similar; sorted by document.

    `edges` are EDGES_VERIFIED whose left pages are here; what is equal to a preferred page is in the roles beside.
    """
    own = plan.parts[number].order
    runs = {file.number: file.run for file in plan.seen} | {p.number: plan.runs[p.order] for p in plan.parts}
    edges = pa.concat_tables([edges, _equal_texts(plan.folder, number)])
    right = column(edges, "right")
    down = np.isin(right, np.array(plan.taken_rows, np.uint64))
    found = pa.table(
        {
            "doc_id": edges.column("left_id"),
            "code": pa.array(np.where(right < match.SEEN, 1, np.where(down, 0, 2)), pa.int8()),
            "of_run": pa.array([runs[shard] for shard in (right >> np.uint64(32)).tolist()], pa.string()),
            "of_doc": edges.column("right_id"),
            "similarity": edges.column("similarity"),
        }
    )
    near = pc.greater_equal(found.column("similarity"), pa.scalar(plan.similarity[own], pa.float32()))
    found = found.filter(pc.and_(near, pc.not_equal(found.column("of_run"), plan.runs[own])))
    keys = [("doc_id", "ascending"), ("code", "ascending"), ("similarity", "descending")]
    found = found.sort_by([*keys, ("of_run", "ascending"), ("of_doc", "ascending")])
    ids = found.column("doc_id").to_pylist()
    found = found.filter(pa.array([row == 0 or ids[row - 1] != one for row, one in enumerate(ids)], pa.bool_()))
    names = pa.array(_ORDER).take(found.column("code"))
    found = found.set_column(1, "verdict", names).cast(VERDICTS)
    refused = read_arrow(_refused_path(plan.folder, number))
    return pa.concat_tables([refused, found]).sort_by("doc_id").combine_chunks()


def _equal_texts(folder: str, number: int) -> pa.Table:
    """EDGES_VERIFIED of the pages that lost to one of equal text."""
    roles = read_arrow(match.roles_path(folder, str(number)))
    lost = pc.equal(roles.column("role"), OTHER_COPY)
    keys = read_arrow(keys_path(folder, str(number))).select(["reference", "doc_id"]).filter(lost)
    roles = roles.filter(lost)
    columns = [
        keys.column("reference"), roles.column("winner"), pa.array(np.ones(keys.num_rows, np.float32)),
        pa.array(np.zeros(keys.num_rows, np.uint8)), keys.column("doc_id"), roles.column("winner_id"),
    ]  # fmt: skip
    return pa.table(columns, schema=EDGES_VERIFIED)


class FindSeen(beam.PTransform):  # type: ignore[misc]
    """The start of a pipeline to (number of an index part, {verdict: documents}), with VERDICTS left beside."""

    def __init__(self, plan: FreshnessPlan, workers: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.plan = plan
        self.workers = workers
        self.groups = groups

    def expand(self, start: beam.Pipeline) -> beam.PCollection:
        """Keys, then equal texts, then pairs, then verified pairs, then verdicts."""
        plan = self.plan
        groups = max(plan.buckets, FEWEST_GROUPS)

        def write(joined: Joined) -> Iterator[tuple[int, dict[str, int]]]:
            for number, _ in joined[1]["shards"]:
                verdicts = judge_part(plan, number, gather(joined[1]["edges"], EDGES_VERIFIED))
                write_arrow(verdicts_path(plan.folder, number), verdicts)
                yield number, dict(Counter(verdicts.column("verdict").to_pylist()))

        calls = [Call(part.number, prepare_part, (plan, part), name=f"keys {part.number}") for part in plan.parts]
        own = (
            start
            | "Parts" >> beam.Create(calls)
            | "PrepareKeys" >> RunOnHost(self.workers, self.groups)
            | "Prepared" >> beam.Values()
        )
        earlier = start | "Earlier" >> beam.Create([(file.number, file.name) for file in plan.seen])
        shards = (own, earlier) | "AllShards" >> beam.Flatten()
        equals = shards | "MatchEquals" >> MatchEquals(plan.folder, plan.policy, plan.buckets)
        bands = equals.bands | "ByBand" >> BucketedShuffle(BANDS)
        pairs = bands | "PairUp" >> beam.FlatMap(pair_up, plan.policy.similarity, groups)
        crowded = bands | "Crowded" >> beam.FlatMap(crowded_by_group, groups)
        more = crowded | "MeetAgain" >> MeetAgain(plan.folder, plan.policy, shards, groups)
        edges = (
            (pairs, more)
            | "AllPairs" >> beam.Flatten()
            | "VerifyPairs" >> VerifyPairs(plan.folder, plan.policy, shards, groups)
            | "EdgesByShard" >> beam.FlatMap(lambda group: to_shards(unpack(group[1]), "left"))
        )
        roles = equals.losers | "Settled" >> beam.combiners.Count.Globally()  # roles are written before they are read
        return (
            {"shards": own | "ByNumber" >> beam.Map(lambda shard: (shard[0], shard)), "edges": edges}
            | "JoinEdges" >> beam.CoGroupByKey()
            | "AfterRoles" >> beam.Map(lambda joined, _: joined, beam.pvalue.AsSingleton(roles))
            | "JudgeParts" >> beam.FlatMap(write)
        )


def read_verdicts(plan: FreshnessPlan, root: str, doc_ids: Sequence[str]) -> dict[str, str]:
    """Verdicts on documents of a run, by id; only the parts that may hold one of them are read."""
    if not doc_ids:
        return {}
    parts = plan.parts_of(root)
    numbers = {file_number(doc_id, len(parts)) for doc_id in (min(doc_ids), max(doc_ids))}
    found: dict[str, str] = {}
    for part in parts[min(numbers) : max(numbers) + 1]:
        table = read_arrow(verdicts_path(plan.folder, part.number))
        mine = pc.is_in(table.column("doc_id"), pa.array(doc_ids, pa.string()))
        table = table.filter(mine)
        found.update(zip(table.column("doc_id").to_pylist(), table.column("verdict").to_pylist(), strict=True))
    return found


def held_out_twins(plan: FreshnessPlan, files: Sequence[InputFile]) -> frozenset[str]:
    """Documents that left because another run holds a near copy of them for validation or test.

    Their children are held out too: a mix must not train on what was made of its validation text.
    """
    tables = [read_arrow(verdicts_path(plan.folder, part.number)) for part in plan.parts]
    twins = pa.concat_tables([table.filter(pc.equal(table.column("verdict"), TWIN)) for table in tables])
    wanted, held = pc.unique(twins.column("of_doc")), [pa.array([], pa.string())]
    for file in files if len(wanted) else ():
        if Path(file.path).name.startswith(("validation-", "test-")):
            doc_ids = pq.read_table(file.path, columns=["doc_id"], partitioning=None).column("doc_id")
            held.append(doc_ids.filter(pc.is_in(doc_ids, wanted)).combine_chunks())
    known = pa.concat_arrays(held)
    return frozenset(twins.filter(pc.is_in(twins.column("of_doc"), known)).column("doc_id").to_pylist())


def count_verdicts(found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Documents by verdict, of all parts."""
    total: Counter[str] = Counter()
    for one in found:
        total.update(one)
    return dict(sorted(total.items()))
