"""Files of text models: the same bytes for the same model, and files that cannot be used are refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.features.forest import Forest, ModelError
from detectors.text_model.canonical import canonicalise
from detectors.text_model.grams import GramSpec
from detectors.text_model.lexicon import lexicon
from detectors.text_model.model import Member, TextFeatures, load_model, model_bytes, model_of, probability

SPEC = GramSpec("words", 1, 2, 8)
STUMP = Forest(np.zeros((1, 1), np.uint16), np.full((1, 1), 4.0, np.float32), np.array([[-1.0, 1.0]], np.float32))
TEXTS = ["A cat sat on a mat. " * 20, "Considerable organisational restructuring. " * 20]


def members() -> list[Member]:
    weights = np.random.default_rng(1).integers(-100, 100, (256, 1)).astype(np.int8)
    forest = Member("forest", 0.0, 2.0, STUMP, np.array([0], np.int64))
    return [forest, Member("linear", 0.5, 4.0, specs=(SPEC,), weights=(weights,), scales=(0.02,), offset=1.5)]


def changed(raw: bytes, **new: Any) -> bytes:
    """The file with arrays or entries of `meta` replaced; None takes one away."""
    with np.load(io.BytesIO(raw)) as data:
        arrays = {name: data[name] for name in data.files}
    meta = json.loads(bytes(arrays["meta"]))
    for name, value in new.items():
        if name in arrays:
            arrays[name] = value
        else:
            meta[name] = value
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    sink = io.BytesIO()
    np.savez(sink, **{name: value for name, value in arrays.items() if value is not None})
    return sink.getvalue()


def test_round_trip_and_score() -> None:
    raw = model_bytes("chat", "eng", members(), 0.8, {"style_names": 287})
    assert raw == model_bytes("chat", "eng", members(), 0.8, {"style_names": 287})
    model = model_of(raw)
    features = TextFeatures(canonicalise(TEXTS), lexicon("eng"))
    expected = sum(((m.raw(features) - m.mean) / m.sd for m in members()), np.zeros(2)) / 2 / 0.8
    assert model.score(features).tolist() == pytest.approx(expected.tolist())
    assert [m.raw(features)[0] for m in model.members] != [m.raw(features)[1] for m in model.members]


def test_a_model_may_bring_its_words() -> None:
    raw = model_bytes("x", "xxx", members()[1:], 1.0, {}, {"frequent": ["uno", "due"]})
    assert model_of(raw).lexicon.words == ("uno", "due")


def test_a_score_holds_its_logit() -> None:
    z = np.array([-40.0, -2.5, 0.0, 11.0, 40.0])
    score = probability(z).astype(np.float64)
    assert np.log(score / (1 - score)) == pytest.approx(np.clip(z, -12, 12), abs=0.02)


GOOD = model_bytes("chat", "eng", members(), 0.8, {"style_names": 287})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not a text model"),
        (GOOD[:-100], "not a text model"),
        (changed(GOOD, features_version=[0, 0, 0, 0]), "train it again"),
        (changed(GOOD, format=99), "train it again"),
        (changed(GOOD, members=[]), "no members"),
        (changed(GOOD, sd=0.0), "no members"),
        (changed(GOOD, style_names=12), "other features"),
        (changed(GOOD, **{"0.columns": np.array([5000], np.int64)}), "no feature"),
        (changed(GOOD, **{"0.feature": np.array([[7]], np.uint16)}), "no feature"),
        (changed(GOOD, **{"1.weights.0": np.zeros((16, 1), np.int8)}), "another shape"),
        (changed(GOOD, **{"1.weights.0": np.zeros((256, 1), np.float64)}), "float64"),
        (changed(GOOD, **{"1.weights.0": None}), "not a text model"),
    ],
)
def test_files_that_cannot_be_used(raw: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model_of(raw)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "none.npz")
