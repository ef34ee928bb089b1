"""The quality detector as a whole."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from detectors.api import Detector, FeatureCache, fingerprint, run_detectors
from detectors.quality import profiles
from detectors.quality.detector import Quality

GOOD = """The harbour of the old town lies behind a wall that was built with stone from the hills to the north.
Every morning the boats come back with herring, and the women who buy it wait on the steps below the chapel.
Nobody remembers why the bell rings twice at noon, but the priest says it must have been a warning about storms.
In winter, when ice closes the channel, children walk out to the lighthouse and skate around its black foundation.
My grandfather kept the lamp for thirty years; he wrote down the weather each night in small blue notebooks.
Some pages mention ships that never arrived, others only the price of oil or a quarrel over firewood.
"""
TEXTS = [
    GOOD,
    "",
    "short",
    "   ",
    "a b " * 400,
    GOOD + "\n" + GOOD,
    "日本語の文章です。" * 30,
    "\x00\x00",
    GOOD.upper(),
]


def run(texts: list[str], detector: Quality) -> dict[str, pa.Array]:
    return dict(run_detectors([detector], pa.record_batch({"text": pa.array(texts, pa.string())})).columns)


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_outputs_match_the_contract(name: str) -> None:
    detector = Quality((name,))
    assert isinstance(detector, Detector)
    assert tuple(detector.outputs) == profiles.signals(profiles.profile(name))
    found = run(TEXTS, detector)
    assert {key: column.type for key, column in found.items()} == detector.outputs
    reasons = profiles.evaluate(profiles.profile(name), found, ["eng"] * len(TEXTS))
    assert reasons[0] is None
    if name not in ("none", "c4", "c4_paper"):
        assert reasons[1:5] == [reasons[1], "gopher_short_doc", reasons[1], reasons[4]]
        assert None not in reasons[1:6]


def test_row_local() -> None:
    detector = Quality(tuple(profiles.PROFILES), variant="dclm")
    whole = run(TEXTS, detector)
    for at in (1, 4, 8):
        first, second = run(TEXTS[:at], detector), run(TEXTS[at:], detector)
        for name, column in whole.items():
            assert column.to_pylist() == first[name].to_pylist() + second[name].to_pylist()
    assert all(len(column) == 0 for column in run([], detector).values())


def test_language_comes_from_the_detector_before() -> None:
    batch = pa.record_batch({"text": ["der Hund und die Katze", "the dog and the cat"]})
    alone, after = FeatureCache(batch), FeatureCache(batch)
    after.put("signal:language", pa.array(["deu_Latn", None]))
    detector = Quality(("gopher",))
    assert detector(batch, alone).columns["gopher_stop_words"].to_pylist() == [0, 2]
    assert detector(batch, after).columns["gopher_stop_words"].to_pylist() == [3, None]
    english = Quality(("gopher",), language_feature=None)
    assert english(batch, after).columns["gopher_stop_words"].to_pylist() == [0, 2]


def test_variants_must_agree() -> None:
    with pytest.raises(ValueError, match="name one as variant"):
        Quality(("fineweb", "refinedweb"))
    assert Quality(("fineweb", "refinedweb"), variant="dclm").variant == "dclm"
    assert Quality(("c4",)).variant == "datatrove"


def test_fingerprint_and_pickle() -> None:
    prints = {fingerprint(Quality((name,), variant)) for name in ("gopher", "c4") for variant in (None, "dolma")}
    assert len(prints) == 4
    copy = pickle.loads(pickle.dumps(Quality()))  # noqa: S301
    copy.setup()
    assert fingerprint(copy) == fingerprint(Quality())
