"""Repeated lines and substrings of the pages that are kept, between the decisions and the files.

    shards ─ lines of each ─ by key ─ who repeats ─ cuts beside each shard ─┐
    ┌───────────────────────────────────────────────────────────────────────┘
    └ fingerprints ─ by key ─ those in two shards ─ windows ─ by key ─ those that stand earlier ─ cuts beside each shard

Text is read and hashed in the child processes of a machine; what travels is a key a distinct line (fingerprint, window)
and shard, packed, so that a line on a million pages is one row a shard. Nothing depends on how pages lie in shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipeline.calls import Call, RunOnHost
from pipeline.cuts import line_cuts_path, read_repeats, substring_cuts_path
from pipeline.decide import quality_profile
from pipeline.keys import read_arrow, write_arrow
from pipeline.packing import gather
from pipeline.repeat_lines import (
    LINE_KEYS,
    LINE_VERDICTS,
    LINES,
    find_line_cuts,
    kept_pages,
    keys_of,
    lines_of,
    resolve_keys,
)
from pipeline.repeat_spans import (
    FINGERPRINTS,
    WINDOWS,
    WordStream,
    find_fingerprints,
    find_substring_cuts,
    find_windows,
    later_windows,
    make_stream,
    repeated_fingerprints,
)
from pipeline.shuffle import BucketedShuffle, to_buckets, to_key
from schemas.config import CurateConfig, DuplicatePolicy

Shard = tuple[int, str]
Packed = list[tuple[int, bytes]]

# A bucket of keys is meant for one row a page and band; lines and fingerprints are more.
BUCKETS_MORE = 4


def lines_path(folder: str | Path, name: str) -> Path:
    """Where the lines of a shard's kept pages are."""
    return Path(folder) / f"{name}.lines.arrow"


def read_lines(folder: str, shard: Shard, rule: str, buckets: int) -> Packed:
    """Leave the lines of a shard's kept pages beside it, and return their keys by bucket; a child's whole task."""
    tables = [lines_of(*batch, rule) for batch in kept_pages(folder, shard[1])]
    lines = pa.concat_tables(tables) if tables else LINES.empty_table()
    write_arrow(lines_path(folder, shard[1]), lines)
    return list(to_buckets(keys_of(lines, shard[0]), "key", buckets))


def cut_lines(folder: str, shard: Shard, verdicts: list[bytes], config: CurateConfig) -> str:
    """Leave the repeated lines of a shard beside it; a child's whole task."""
    lines = read_arrow(lines_path(folder, shard[1]))
    cuts = find_line_cuts(lines, gather(verdicts, LINE_VERDICTS), config.policy.duplicates.lines)
    write_arrow(line_cuts_path(folder, shard[1]), cuts)
    return shard[1]


def stream_of(folder: str, name: str, config: CurateConfig) -> WordStream:
    """Words of a shard's kept pages that its profile and its repeated lines leave."""
    lines_only = config.policy.duplicates.model_copy(
        update={"substrings": config.policy.duplicates.substrings.model_copy(update={"words": 0})}
    )
    return make_stream(kept_pages(folder, name), quality_profile(config).cut, read_repeats(folder, name, lines_only))


def read_fingerprints(folder: str, shard: Shard, config: CurateConfig, buckets: int) -> Packed:
    """Fingerprints of a shard by bucket; a child's whole task."""
    words = config.policy.duplicates.substrings.words
    found = find_fingerprints(stream_of(folder, shard[1], config), words, shard[0])
    return list(to_buckets(found, "key", buckets))


def read_windows(folder: str, shard: Shard, repeated: list[bytes], config: CurateConfig, buckets: int) -> Packed:
    """Windows of a shard that may stand elsewhere, by bucket; a child's whole task."""
    words = config.policy.duplicates.substrings.words
    known = np.sort(np.asarray(gather(repeated, FINGERPRINTS).column("key")))
    if not len(known):
        return []
    found = find_windows(stream_of(folder, shard[1], config), words, shard[0], known)
    return list(to_buckets(found, "key", buckets))


def cut_substrings(folder: str, shard: Shard, later: list[bytes], config: CurateConfig) -> str:
    """Leave the repeated substrings of a shard beside it; a child's whole task."""
    words = config.policy.duplicates.substrings.words
    known = np.sort(np.asarray(gather(later, FINGERPRINTS).column("key")))
    cuts = find_substring_cuts(stream_of(folder, shard[1], config), words, known)
    write_arrow(substring_cuts_path(folder, shard[1]), cuts)
    return shard[1]


def wanted(policy: DuplicatePolicy) -> bool:
    """Whether a policy cuts anything that is repeated."""
    return policy.lines.rule != "none" or policy.substrings.words > 0


class CutRepeats(beam.PTransform):  # type: ignore[misc]
    """(shard number, shard name), decisions beside each shard, to the same when its cuts are beside it too.

    `pipeline.cuts.read_repeats` reads them.
    """

    def __init__(self, folder: str, config: CurateConfig, buckets: int, workers: int, groups: int) -> None:
        super().__init__()
        self._folder = folder
        self._config = config
        self._buckets = buckets * BUCKETS_MORE
        self._workers = workers
        self._groups = groups

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        """Lines, then substrings in what they leave."""
        policy = self._config.policy.duplicates
        if policy.lines.rule != "none":
            rule, lines = policy.lines.rule, policy.lines
            keys = self._meet(
                shards, "Lines", read_lines, (rule, self._buckets), LINE_KEYS, lambda keys: resolve_keys(keys, lines)
            )
            shards = self._answer(shards, keys, "CutLines", cut_lines, (self._config,))
        if policy.substrings.words:
            sizes = (self._config, self._buckets)
            repeated = self._meet(shards, "Fingerprints", read_fingerprints, sizes, FINGERPRINTS, repeated_fingerprints)
            windows = self._with_answers(shards, repeated, "Windows", read_windows, sizes)
            later = self._resolve(windows, "Windows", WINDOWS, later_windows)
            shards = self._answer(shards, later, "CutSubstrings", cut_substrings, (self._config,))
        return shards

    def _meet(
        self,
        shards: beam.PCollection,
        name: str,
        read: Callable[..., Packed],
        arguments: tuple[Any, ...],
        schema: pa.Schema,
        resolve: Callable[[pa.Table], pa.Table],
    ) -> beam.PCollection:
        """Keys of all shards, resolved bucket by bucket: (shard, packed answers)."""
        folder = self._folder

        def call(shard: Shard) -> Call:
            return Call(shard, read, (folder, shard, *arguments), name=f"{name} {shard[1]}")

        found = shards | f"{name}Calls" >> beam.Map(call) | f"Read{name}" >> RunOnHost(self._workers, self._groups)
        return self._resolve(found, name, schema, resolve)

    def _resolve(
        self, found: beam.PCollection, name: str, schema: pa.Schema, resolve: Callable[[pa.Table], pa.Table]
    ) -> beam.PCollection:
        def answers(bucket: tuple[int, pa.Table]) -> Iterator[tuple[int, bytes]]:
            yield from to_key(resolve(bucket[1]), "shard")

        return (
            found
            | f"{name}Keys" >> beam.FlatMap(lambda result: result[1])
            | f"{name}Meet" >> BucketedShuffle(schema)
            | f"{name}Answers" >> beam.FlatMap(answers)
        )

    def _with_answers(
        self,
        shards: beam.PCollection,
        answers: beam.PCollection,
        name: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> beam.PCollection:
        """The function on each shard, with what its keys were answered: (shard, value)."""
        folder = self._folder

        def calls(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Call]:
            number, parts = joined
            told = sorted(parts["answers"])
            for shard_name in parts["shards"]:
                shard = (number, shard_name)
                yield Call(shard, function, (folder, shard, told, *arguments), name=f"{name} {shard_name}")

        return (
            {"shards": shards, "answers": answers}
            | f"{name}Join" >> beam.CoGroupByKey()
            | f"{name}JoinCalls" >> beam.FlatMap(calls)
            | f"{name}Run" >> RunOnHost(self._workers, self._groups)
        )

    def _answer(
        self,
        shards: beam.PCollection,
        answers: beam.PCollection,
        name: str,
        function: Callable[..., str],
        arguments: tuple[Any, ...],
    ) -> beam.PCollection:
        done = self._with_answers(shards, answers, name, function, arguments)
        return done | f"{name}Done" >> beam.Map(lambda result: result[0])


def after_repeats(
    reports: beam.PCollection, decisions: beam.PCollection, step: CutRepeats, config: CurateConfig
) -> beam.PCollection:
    """Reports of shards when the cuts of what is repeated are beside them; at once where no rule is on."""
    if not wanted(config.policy.duplicates):
        return reports

    def once(joined: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        yield from joined[1]["reports"]

    shards = decisions | "DecidedShards" >> beam.Map(lambda decision: (decision.number, decision.name))
    parts = {
        "reports": reports | "RepeatReports" >> beam.Map(lambda report: (report.number, report)),
        "cut": shards | "CutRepeats" >> step,
    }
    return parts | "AwaitCuts" >> beam.CoGroupByKey() | "CutReports" >> beam.FlatMap(once)
