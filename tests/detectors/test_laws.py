"""Every registered detector obeys the laws, and the laws catch those that do not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from detectors.api import Detector, FeatureCache, Signals, fingerprint
from detectors.language import Language
from detectors.laws import LawBroken, check_bounded, check_laws, make_batch
from detectors.registry import build_detectors, built_in_names
from schemas.evidence import Evidence

DETECTORS = {detector.name: detector for detector in build_detectors()}


@pytest.mark.parametrize("name", built_in_names())
def test_laws(name: str) -> None:
    check_laws(DETECTORS[name])


def test_fingerprints_differ_and_follow_the_parameters() -> None:
    assert len({fingerprint(detector) for detector in DETECTORS.values()}) == len(DETECTORS)
    assert fingerprint(Language()) != fingerprint(Language("lid176", "0" * 64))


class Fair:
    """A lawful detector: length of the text."""

    name = "fair"
    version = 1
    columns = frozenset({"text"})
    outputs: ClassVar[Any] = {"length": pa.int64()}

    def setup(self) -> None:
        pass

    def parameters(self) -> dict[str, Any]:
        return {}

    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        return [len(text or "") for text in batch.column("text").to_pylist()]

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        return Signals({"length": pa.array(self.lengths(batch), pa.int64())})


class Raises(Fair):
    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        return [len(text) for text in batch.column("text").to_pylist()]


class LooksAround(Fair):
    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        return [batch.num_rows] * batch.num_rows


class Counts(Fair):
    def __init__(self) -> None:
        self.calls = 0

    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        self.calls += 1
        return [self.calls] * batch.num_rows


class WrongType(Fair):
    outputs: ClassVar[Any] = {"length": pa.int32()}


class Hides(Fair):
    outputs: ClassVar[Any] = {}


class LiesAboutSpans(Fair):
    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        spans = [Evidence(row, self.name, "x", start=0, end=5) for row in range(batch.num_rows)]
        return Signals({"length": pa.array(self.lengths(batch), pa.int64())}, spans)


class DoesNotPickle(Fair):
    def __init__(self) -> None:
        self.function = lambda: None


class Hashes(Fair):
    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        return [hash(text or "") for text in batch.column("text").to_pylist()]


class Slow(Fair):
    def lengths(self, batch: pa.RecordBatch) -> list[int]:
        return [sum(1 for _ in range(len(text or "") ** 2 // 800)) for text in batch.column("text").to_pylist()]


BATCH = make_batch([{"text": "one"}, {"text": None}, {"text": "three"}])


def test_a_lawful_detector_passes() -> None:
    check_laws(Fair(), [BATCH])


@pytest.mark.parametrize(
    ("make", "law"),
    [
        (Raises, "total"),
        (LooksAround, "row-local"),
        (WrongType, "declared"),
        (Hides, "declared"),
        (LiesAboutSpans, "honest spans"),
        (DoesNotPickle, "serialisable"),
        (Hashes, "deterministic"),
    ],
)
def test_lawless_detectors_are_caught(make: Callable[[], Detector], law: str) -> None:
    with pytest.raises(LawBroken) as caught:
        check_laws(make(), [BATCH])
    assert caught.value.law == law


def test_a_detector_with_a_memory_is_caught() -> None:
    with pytest.raises(LawBroken) as caught:
        check_laws(Counts(), [make_batch([{"text": "one"}])], processes=False)
    assert caught.value.law in {"row-local", "deterministic"}


def test_quadratic_time_is_caught() -> None:
    with pytest.raises(LawBroken) as caught:
        check_bounded(Slow(), {"one letter": lambda size: "a" * size})
    assert caught.value.law == "bounded"


def test_splits_of_every_size_agree() -> None:
    rows = [{"text": text} for text in ("Der Hund schläft.", "", "as an AI language model", "mail a@example.org", "1")]
    batch = make_batch(rows)
    for name, detector in itertools.islice(DETECTORS.items(), 6):
        detector.setup()
        whole = detector(batch, FeatureCache(batch))
        for cut in range(len(rows) + 1):
            parts = [batch.slice(0, cut), batch.slice(cut)]
            for column in detector.outputs:
                joined = [v for p in parts for v in detector(p, FeatureCache(p)).columns[column].to_pylist()]
                assert joined == whole.columns[column].to_pylist(), name
