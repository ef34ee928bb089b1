"""Calls that run in the child processes of a machine, from a Beam pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.host import HostTask, shared_host


@dataclass(frozen=True, slots=True)
class Call:
    """A task for the host, as data."""

    key: Any
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    guarded: bool = False
    name: str = ""


class _RunOnHostFn(beam.DoFn):  # type: ignore[misc]
    """Runs groups of calls in the child processes of this machine, yielding (key, value) as they finish."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def process(self, group: tuple[int, Iterable[Call]]) -> Iterator[tuple[Any, Any]]:
        host = shared_host(self._workers)
        yield from host.run(
            HostTask(call.key, call.function, call.arguments, call.guarded, call.name) for call in group[1]
        )


class RunOnHost(beam.PTransform):  # type: ignore[misc]
    """Calls to (key, value) pairs.

    `groups` is how far the work spreads over a cluster. On one machine it is 1: one element holds all calls and the
    host's children take them as they become free, which balances better than dealing them out.
    """

    def __init__(self, workers: int, groups: int) -> None:
        super().__init__()
        self._workers = workers
        self._groups = groups

    def expand(self, calls: beam.PCollection) -> beam.PCollection:
        """Group the calls and run each group."""
        groups = self._groups

        def group_of(numbered: Call) -> tuple[int, Call]:
            return hash_group(numbered.name, groups), numbered

        return (
            calls
            | "Spread" >> beam.Map(group_of)
            | "Gather" >> beam.GroupByKey()
            | "Run" >> beam.ParDo(_RunOnHostFn(self._workers))
        )


def hash_group(name: str, groups: int) -> int:
    """Group of a call by its name; stable across processes."""
    if groups == 1:
        return 0
    value = 0
    for byte in name.encode("utf-8", "surrogatepass"):
        value = (value * 1099511628211 + byte) % 2**64
    return value % groups
