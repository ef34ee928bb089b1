"""Connected components on Beam: the clusters of a graph whose edges are spread over many workers.

    edges ─ Spread ─ Contract1 ─ Contract2 ─ ... ─ ContractN ─ smallest node of each component ─ labels
                     (buckets)   states of the last two rounds: equal?

A bucket owns the nodes that are hashed to it. In a round it contracts all edges that it was sent into stars, and sends
each edge to the owner of its leaf. Of the leaves that it owns, one of each star goes to the owner of the centre, and
the answer for that one is enough for all: a node of a million neighbours costs as many messages as there are buckets.

What is sent depends on the stars alone, so that stars which repeat are final. They are then right: if the centre of an
owned leaf hung below another node, its owner would have told so, and the leaf would have moved; so centres hang below
nothing, and as edges are never lost but to contraction, each component has one.

Beam has no loops, so the rounds are unrolled. Each looks at the states of the last two, and when these are equal what
it has leaves; later rounds get nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from pipeline.arrow_lists import U64, column
from pipeline.components import checksum, contract, one_each, rounds_for, scramble, smallest_by, unscramble
from pipeline.packing import gather, pack, unpack
from pipeline.shuffle import BucketedShuffle, bucket_of, split_by, to_buckets, to_shards

_LOG = logging.getLogger(__name__)

EDGES = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])
LABELS = pa.schema([("reference", pa.uint64()), ("component", pa.uint64())])
# Smallest node that a bucket knows of a star, by the name of its centre.
SMALLEST = pa.schema([("centre", pa.uint64()), ("smallest", pa.uint64()), ("bucket", pa.uint64())])


class UnconvergedError(RuntimeError):
    """Connected components did not converge in the rounds given."""


class RoundStatistics(NamedTuple):
    """Edges that were sent to all buckets in a round, and the edges of the stars that they were contracted to.

    The last round is the one that found nothing to change, so `number` (from 1) of the last is the rounds needed.
    """

    number: int
    edges_before: int
    edges_after: int


class Components(NamedTuple):
    """Results of ConnectedComponents: (bucket, table of LABELS), and RoundStatistics."""

    labels: beam.PCollection
    rounds: beam.PCollection


class _BucketState(NamedTuple):
    """What a bucket reports of a round."""

    number: int
    before: int
    after: int
    digest: int


def edge_table(left: U64, right: U64) -> pa.Table:
    """A table of EDGES."""
    return pa.table([left, right], schema=EDGES)


def label_shards(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
    """LABELS by shard, with those of the pages that name a component: the smallest labels itself."""
    roots = np.unique(column(bucket[1], "component"))
    yield from to_shards(bucket[1])
    yield from to_shards(pa.table([roots, roots], schema=LABELS))


def unique_labels(labels: pa.Table) -> pa.Table:
    """LABELS of a shard without repetitions: several buckets may name one root."""
    reference, component = column(labels, "reference"), column(labels, "component")
    _, once = np.unique(reference, return_index=True)
    return pa.table([reference[once], component[once]], schema=LABELS)


def route_edges(node: U64, centre: U64, buckets: int, bucket: int) -> Iterator[tuple[int, bytes]]:
    """Stars of a bucket: each edge to the owner of its leaf, and one to the owner of a centre, of a leaf of the bucket.

    The answer for a leaf of another bucket would go there, and the leaves here would never hear of it.
    """
    owner = bucket_of(node, buckets)
    asks = np.flatnonzero((owner == bucket) & (bucket_of(centre, buckets) != bucket))
    asks = asks[one_each(centre[asks])]
    owners = np.append(owner, bucket_of(centre[asks], buckets))
    yield from split_by(edge_table(np.append(node, node[asks]), np.append(centre, centre[asks])), owners)


def merge_rounds(states: Iterable[_BucketState]) -> tuple[int, int, int]:
    """Edges before and after a round, and a digest of its stars, of all buckets together."""
    before = after = digest = 0
    for state in states:
        before, after, digest = before + state.before, after + state.after, digest + state.digest
    return before, after, digest % 2**64


class _ContractFn(beam.DoFn):  # type: ignore[misc]
    """(bucket, packed EDGES of it) to the buckets of the next round; tagged `state`: a _BucketState.

    Tagged `done`: (bucket, packed stars), in place of both, when the states of the last two rounds are equal.
    """

    def __init__(self, buckets: int, number: int, is_last: bool) -> None:
        self._buckets = buckets
        self._number = number
        self._is_last = is_last
        self._is_done: bool | None = None
        self._before = Metrics.counter("ConnectedComponents", f"round_{number:02d}_edges_before")
        self._after = Metrics.counter("ConnectedComponents", f"round_{number:02d}_edges_after")

    def start_bundle(self) -> None:
        self._is_done = None

    def process(
        self,
        grouped: tuple[int, Iterable[bytes]],
        last: Iterable[_BucketState] = (),
        older: Iterable[_BucketState] = (),
    ) -> Iterator[Any]:
        if self._is_done is None:  # once a bundle: there is a state for each bucket
            after, before = merge_rounds(last), merge_rounds(older)
            self._is_done = self._number > 2 and after[1:] == before[1:]
        if self._is_last and not self._is_done:
            raise UnconvergedError(
                f"connected components have not converged after {self._number - 1} rounds; raise the number of rounds"
            )
        bucket, packed = grouped
        table = gather(packed, EDGES)
        node, centre = contract(column(table, "left"), column(table, "right"))
        if self._is_done:
            yield beam.pvalue.TaggedOutput("done", (bucket, pack(edge_table(node, centre))))
            return
        self._before.inc(table.num_rows)
        self._after.inc(len(node))
        # Weighed by the bucket: who knows an edge is a part of the state.
        digest = checksum(node, centre) * (2 * bucket + 1) % 2**64
        yield beam.pvalue.TaggedOutput("state", _BucketState(self._number, table.num_rows, len(node), digest))
        yield from route_edges(node, centre, self._buckets, bucket)


class ConnectedComponents(beam.PTransform):  # type: ignore[misc]
    """Packed EDGES in any order, repeated or not, to Components: each node but the smallest of a component, with that.

    There is one table of labels for each bucket, with the nodes of the bucket, sorted. With one bucket (inputs of a
    laptop) one contraction is the answer. With more, a bucket holds its share of the nodes and of the messages: in
    the largest round up to 3.5 times 16 bytes for each edge of a forest of the graph, measured over many shapes.

    Raises:
        UnconvergedError: in the pipeline, when `rounds` (as many as `rounds_for` says, if None) are not enough.
    """

    def __init__(self, buckets: int, rounds: int | None = None) -> None:
        super().__init__()
        self.buckets = buckets
        self.rounds = rounds_for(buckets) if rounds is None else rounds

    def expand(self, edges: beam.PCollection) -> Components:
        """Contract what is together, then exchange between buckets until nothing changes, then name components."""
        buckets = self.buckets

        def contract_batch(packed: bytes) -> Iterator[tuple[int, bytes]]:
            table = unpack(packed)
            stars = contract(column(table, "left"), column(table, "right"))
            if len(stars[0]):
                yield 0, pack(edge_table(*stars))

        def spread(packed: bytes) -> Iterator[tuple[int, bytes]]:
            table = unpack(packed)
            stars = contract(scramble(column(table, "left")), scramble(column(table, "right")))
            yield from to_buckets(edge_table(*stars), "left", buckets)

        def contract_all(grouped: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
            table = gather(grouped[1], EDGES)
            node, smallest = contract(column(table, "left"), column(table, "right"))
            yield grouped[0], pa.table([node, smallest], schema=LABELS)
            yield beam.pvalue.TaggedOutput("state", _BucketState(1, table.num_rows, len(node), 0))

        if buckets == 1:
            found = (
                edges
                | "ContractBatch" >> beam.FlatMap(contract_batch)
                | "OneBucket" >> beam.GroupByKey()
                | "Contract" >> beam.FlatMap(contract_all).with_outputs("state", main="labels")
            )
            return Components(found.labels, found.state | "Statistics" >> _SumRounds())
        messages = edges | "Spread" >> beam.FlatMap(spread)
        states: list[beam.PCollection] = []
        done: list[beam.PCollection] = []
        for number in range(1, self.rounds + 2):  # the last only takes what has converged
            step = _ContractFn(buckets, number, number > self.rounds)
            sides = [beam.pvalue.AsIter(state) for state in reversed(states[-2:])]
            found = (
                messages
                | f"Owners{number}" >> beam.GroupByKey()
                | f"Contract{number}" >> beam.ParDo(step, *sides).with_outputs("state", "done", main="next")
            )
            states.append(found.state)
            done.append(found.done)
            messages = found.next
        final = done | "Done" >> beam.Flatten()
        rounds = states | "AllStates" >> beam.Flatten() | "Statistics" >> _SumRounds()
        return Components(final | "NameComponents" >> _NameBySmallest(buckets), rounds)


class _SumRounds(beam.PTransform):  # type: ignore[misc]
    """_BucketState to RoundStatistics, which are logged."""

    def expand(self, states: beam.PCollection) -> beam.PCollection:
        def log(pair: tuple[int, Iterable[_BucketState]]) -> RoundStatistics:
            before, after, _ = merge_rounds(pair[1])
            _LOG.info("components, round %d: %d edges before, %d after", pair[0], before, after)
            return RoundStatistics(pair[0], before, after)

        return (
            states
            | "ByRound" >> beam.Map(lambda state: (state.number, state))
            | "OfARound" >> beam.GroupByKey()
            | "Sum" >> beam.Map(log)
        )


class _NameBySmallest(beam.PTransform):  # type: ignore[misc]
    """(bucket, packed stars of scrambled names) to (bucket, LABELS): the centre gives way to the smallest node.

    Each bucket asks the owner of a centre once, and tells the smallest node that it has.
    """

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self._buckets = buckets

    def expand(self, stars: beam.PCollection) -> beam.PCollection:
        buckets = self._buckets

        def keep_own(star: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
            table = unpack(star[1])
            own = bucket_of(column(table, "left"), buckets) == star[0]
            if own.any():
                yield star[0], pack(table.filter(pa.array(own)))

        def ask(star: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
            table = unpack(star[1])
            centre, smallest = smallest_by(column(table, "right"), unscramble(column(table, "left")))
            asked = pa.table([centre, smallest, np.full(len(centre), star[0], np.uint64)], schema=SMALLEST)
            yield from to_buckets(asked, "centre", buckets)

        def answer(asked: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            table = asked[1]
            every = column(table, "centre")
            centre, smallest = smallest_by(every, column(table, "smallest"))
            smallest = np.minimum(smallest, unscramble(centre))
            found = smallest[np.searchsorted(centre, every)]
            yield from split_by(
                pa.table([every, found, column(table, "bucket")], schema=SMALLEST), column(table, "bucket")
            )
            own = np.full(len(centre), asked[0], np.uint64)  # the centre itself needs a label too
            yield asked[0], pack(pa.table([centre, smallest, own], schema=SMALLEST))

        def join(joined: tuple[int, dict[str, Iterable[bytes]]]) -> Iterator[tuple[int, pa.Table]]:
            bucket, parts = joined
            stars, answers = gather(parts["stars"], EDGES), gather(parts["answers"], SMALLEST)
            centre, smallest = smallest_by(column(answers, "centre"), column(answers, "smallest"))
            component = smallest[np.searchsorted(centre, column(stars, "right"))]
            own = bucket_of(centre, buckets) == bucket
            reference = unscramble(np.append(column(stars, "left"), centre[own]))
            component = np.append(component, smallest[own])
            others = reference != component
            reference, component = reference[others], component[others]
            order = np.argsort(reference)
            if len(order):
                yield bucket, pa.table([reference[order], component[order]], schema=LABELS)

        own = stars | "KeepOwn" >> beam.FlatMap(keep_own)
        answers = (
            own
            | "AskCentres" >> beam.FlatMap(ask)
            | "Centres" >> BucketedShuffle(SMALLEST)
            | "Answer" >> beam.FlatMap(answer)
        )
        return {"stars": own, "answers": answers} | "JoinSmallest" >> beam.CoGroupByKey() | "Name" >> beam.FlatMap(join)
