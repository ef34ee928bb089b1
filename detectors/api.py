"""The detector contract: what a detector is, what it returns, and how shared work is computed once.

A detector is a configured pure function from a batch of documents (`schemas.document.DOCUMENT_INPUT`) to `Signals`.
`detectors.laws` tests the contract for every detector: row-local, total, deterministic, honest spans, serialisable,
bounded. Detectors never parse HTML and never import Beam.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import pyarrow as pa

from schemas.evidence import Evidence

T = TypeVar("T")


class FeatureCache:
    """Work on one batch that several detectors share, computed once under a name that includes its parameters."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._values: dict[str, Any] = {}

    def get(self, name: str, compute: Callable[[pa.RecordBatch], T]) -> T:
        """The value under `name`, computed by `compute(batch)` the first time."""
        if name not in self._values:
            self._values[name] = compute(self.batch)
        value: T = self._values[name]
        return value

    def put(self, name: str, value: object) -> None:
        """Publish a detector's result for the detectors that run after it (language for quality, for instance)."""
        self._values[name] = value

    def signal(self, column: str) -> pa.Array | None:
        """What a detector that ran before returned in a column; None where none did."""
        found: pa.Array | None = self._values.get(f"signal:{column}")
        return found

    def languages(self) -> list[str | None]:
        """Language of each row by the language detector; None where it did not run, or does not know."""
        found = self.signal("language")
        return [None] * self.batch.num_rows if found is None else list(found.to_pylist())

    def column(self, name: str) -> list[Any]:
        """A column of the batch as Python values, converted once."""
        return self.get(f"column:{name}", lambda batch: batch.column(name).to_pylist())


@dataclass(frozen=True, slots=True)
class Signals:
    """Result of a detector: one row per row of the batch.

    `columns` holds an array of `Detector.outputs[name]` type and batch length per output (null = not applicable);
    `evidence` the findings, in order of row.
    """

    columns: Mapping[str, pa.Array]
    evidence: Sequence[Evidence] = field(default_factory=tuple)


@runtime_checkable
class Detector(Protocol):
    """A configured pure function from a batch to signals."""

    name: str
    version: int
    columns: frozenset[str]  # columns of DOCUMENT_INPUT that it reads
    outputs: Mapping[str, pa.DataType]  # columns that it returns

    def setup(self) -> None:
        """Load a model or an index, once per process. Loaded state is never pickled."""

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Score the batch. Never raises on data."""

    def parameters(self) -> Mapping[str, Any]:
        """What the result depends on beside the code: options, and digests of models and indexes."""


def fingerprint(detector: Detector) -> str:
    """16 hex digits that change with the name, version, parameters or model of the detector."""
    spec = {"name": detector.name, "version": detector.version, "parameters": dict(detector.parameters())}
    return digest_of(spec)


def digest_of(value: object) -> str:
    """16 hex digits of the canonical JSON of plain data (dataclasses included)."""

    def plain(item: object) -> object:
        if is_dataclass(item) and not isinstance(item, type):
            return asdict(item)
        if isinstance(item, (set, frozenset)):
            return sorted(item)
        if isinstance(item, bytes):
            return item.hex()
        raise TypeError(f"cannot fingerprint {type(item).__name__}")

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_detectors(detectors: Sequence[Detector], batch: pa.RecordBatch) -> Signals:
    """All detectors over one batch, sharing features; evidence is ordered by row, then by detector.

    Raises:
        ValueError: two detectors return one column, or a column of another length.
    """
    features = FeatureCache(batch)
    columns: dict[str, pa.Array] = {}
    evidence: list[Evidence] = []
    for detector in detectors:
        signals = detector(batch, features)
        for name, values in signals.columns.items():
            if name in columns:
                raise ValueError(f"column {name} comes from two detectors; {detector.name} is the second")
            if len(values) != batch.num_rows:
                raise ValueError(f"{detector.name}: column {name} has {len(values)} rows of {batch.num_rows}")
            columns[name] = values
            features.put(f"signal:{name}", values)
        evidence.extend(signals.evidence)
    evidence.sort(key=lambda e: e.row)
    return Signals(columns, evidence)
