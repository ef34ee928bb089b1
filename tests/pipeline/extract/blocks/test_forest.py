"""The forest: equal to LightGBM, and files that cannot be used are refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.extract.blocks.extractor import default_model_path
from pipeline.extract.blocks.features import feature_names
from pipeline.extract.blocks.forest import Forest, ModelError, forest_of, load_model, model_bytes


def leaf(value: float) -> dict[str, float]:
    return {"leaf_value": value}


def split(feature: int, threshold: float, left: object, right: object) -> dict[str, object]:
    return {
        "split_feature": feature, "threshold": threshold, "decision_type": "<=", "left_child": left,
        "right_child": right,
    }  # fmt: skip


def trees(*structures: object) -> dict[str, object]:
    return {"tree_info": [{"tree_structure": structure} for structure in structures]}


UNEVEN = trees(split(0, 1.5, leaf(1), split(1, -2.0, leaf(10), split(0, 7.0, leaf(100), leaf(1000)))), leaf(0.25))


def test_walks_of_unequal_depth() -> None:
    forest = forest_of(UNEVEN)
    x = np.array(
        [[1.5, 0], [1.6, -2], [1.6, -1.9], [8, 0]] * 5, np.float32
    )  # 20 rows: whole groups of eight, and a rest
    assert forest.sums(x)[:, 0].tolist() == [1.25, 10.25, 100.25, 1000.25] * 5
    assert forest.sums(x[:0]).shape == (0, 1)


def test_threshold_between_floats_splits_like_a_double() -> None:
    just_below_float = 0.1  # float32(0.1) is larger than 0.1: such a value goes right
    forest = forest_of(trees(split(0, just_below_float, leaf(-1), leaf(1))))
    value = np.float32(0.1)
    assert float(value) > just_below_float
    assert forest.sums(np.array([[value]], np.float32))[0, 0] == 1


def test_outputs_take_turns() -> None:
    forest = forest_of(trees(leaf(1), leaf(2), leaf(4), leaf(10), leaf(20), leaf(40)), 3)
    assert forest.sums(np.zeros((2, 1), np.float32)).tolist() == [[11, 22, 44]] * 2


def test_equals_lightgbm() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 7)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(float)
    booster = lightgbm.train(
        {"objective": "cross_entropy", "max_depth": 6, "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(x, label=y),
        30,
    )
    ours = 1 / (1 + np.exp(-forest_of(booster.dump_model()).sums(x)[:, 0]))
    np.testing.assert_allclose(ours, booster.predict(x), atol=1e-5)


def test_a_file_comes_back_and_has_equal_bytes(tmp_path: Path) -> None:
    forest = forest_of(UNEVEN)
    meta = {"features": ["a", "b"], "page_types": ["x"]}
    raw = model_bytes(forest, forest, meta)
    assert raw == model_bytes(forest, forest, dict(reversed(meta.items())))
    path = tmp_path / "model.npz"
    path.write_bytes(raw)
    model = load_model(path, ("a", "b"))
    assert model.page_types == ("x",)
    assert (model.block.value == forest.value).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a model"),
        (b"PK\x03\x04 and no more", "not a model"),
        (b"\x93NUMPY", "not a model"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_model(path, ("a",))


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(model_bytes(forest_of(UNEVEN), forest_of(UNEVEN), {"features": ["a", "c"], "page_types": ["x"]}))
    with pytest.raises(ModelError, match="other features"):
        load_model(path, ("a", "b"))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_raise_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    raw = default_model_path().read_bytes()
    path = tmp_path / "model.npz"
    told: list[str] = []
    for _ in range(50):
        body = bytearray(raw)
        for _ in range(rng.choice([1, 4, 30])):
            body[rng.randrange(len(body))] = rng.randrange(256)
        path.write_bytes(body[: rng.choice([len(body), len(body), rng.randrange(len(body))])])
        try:
            load_model(path, feature_names())
        except ModelError as error:
            told.append(str(error))
    assert len(told) > 25
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in told)


@pytest.mark.parametrize(
    ("arrays", "meta"),
    [
        ({}, {"page_types": None}),
        ({}, {"page_types": 3}),
        ({}, {"page_types": "xy"}),
        ({}, {"page_types": []}),  # with trees for them
        ({}, {"page_types": ["a", "b", "c"]}),  # two trees do not go into three
        ({"block.feature": np.zeros(3, np.uint16)}, {}),
        ({"block.value": np.full((2, 8), np.nan, np.float32)}, {}),
        ({"block.value": np.array(["a"])}, {}),
        ({"block.value": np.array([object()])}, {}),
        (
            {
                "block.feature": np.zeros((0, 1), np.uint16),
                "block.threshold": np.zeros((0, 1), np.float32),
                "block.value": np.zeros((0, 2), np.float32),
            },
            {},
        ),
        ({"meta": np.frombuffer(b"[1]", np.uint8)}, {}),
        ({"meta": np.frombuffer(b"{}", np.uint8)}, {}),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], meta: dict[str, object]
) -> None:
    path = tmp_path / "model.npz"
    forest = forest_of(UNEVEN)
    path.write_bytes(model_bytes(forest, forest, {"features": ["a", "b"], "page_types": ["x", "y"], **meta}))
    with np.load(path) as data:
        good = {name: data[name] for name in data}
    np.savez(path, **{**good, **arrays})
    with pytest.raises(ModelError, match="not a model of this extractor"):
        load_model(path, ("a", "b"))


def test_arrays_in_the_order_of_fortran_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    forest = forest_of(UNEVEN)
    path.write_bytes(model_bytes(forest, forest, {"features": ["a", "b"], "page_types": ["x"]}))
    with np.load(path) as data:
        np.savez(path, **{name: np.asfortranarray(data[name]) for name in data})
    x = np.zeros((1, 2), np.float32)
    assert load_model(path, ("a", "b")).block.sums(x) == forest.sums(x)


def test_a_model_without_page_types_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    none = Forest(np.zeros((0, 1), np.uint16), np.zeros((0, 1), np.float32), np.zeros((0, 2), np.float32), 0)
    path.write_bytes(model_bytes(forest_of(UNEVEN), none, {"features": ["a", "b"], "page_types": []}))
    assert load_model(path, ("a", "b")).page_types == ()


@pytest.mark.parametrize("part", ["feature", "threshold", "value"])
def test_a_broken_forest_is_refused(tmp_path: Path, part: str) -> None:
    good = forest_of(UNEVEN)
    arrays = {"feature": good.feature, "threshold": good.threshold, "value": good.value}
    arrays[part] = np.full_like(arrays[part], 999) if part == "feature" else arrays[part][:, :-1]
    path = tmp_path / "model.npz"
    path.write_bytes(model_bytes(Forest(**arrays), good, {"features": ["a", "b"], "page_types": ["x"]}))
    with pytest.raises(ModelError):
        load_model(path, ("a", "b"))


def test_the_shipped_model_fits_its_features() -> None:
    model = load_model(default_model_path(), feature_names())
    assert model.block.outputs == 1
    assert model.page.outputs == len(model.page_types) >= 2
    card = default_model_path().with_name("MODEL_CARD.md").read_text(encoding="utf-8")
    assert model.digest in card, "write the digest of the shipped model into its card"
