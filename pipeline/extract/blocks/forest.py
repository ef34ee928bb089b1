"""A forest of regression trees as arrays in one file, and its prediction.

Every tree is complete: node k has the children 2k + 1 (value at most the threshold) and 2k + 2, and all leaves are at
one depth, so that a walk needs neither pointers nor branches. A tree that is less deep repeats its leaves. The file is
an `.npz` without pickles: `meta` (JSON as bytes) and, per forest (`block`, `page`), `feature` and `threshold` (trees x
inner nodes) and `value` (trees x leaves). Trees of several outputs take turns, as LightGBM stores them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FORMAT: Final = 1
MAX_BYTES: Final = 256 << 20  # of a model, unpacked
_ARRAYS: Final = {"feature": np.uint16, "threshold": np.float32, "value": np.float32}


class ModelError(ValueError):
    """A model file that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Complete trees; `outputs` values a row, as sums of leaves before the link function."""

    feature: npt.NDArray[np.uint16]
    threshold: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]
    outputs: int = 1

    def sums(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Sums of leaves: rows x outputs."""
        from pipeline.extract.blocks import _forest

        found = np.zeros((len(x), self.outputs), np.float32)
        _forest.add_trees(x, self.feature, self.threshold, self.value, found)
        return found

    def check(self, columns: int) -> None:
        """Raise ModelError unless trees are complete, read columns that there are, and take turns over the outputs."""
        shape = self.feature.shape
        if len(shape) != 2 or self.threshold.shape != shape or self.value.shape != (shape[0], shape[1] + 1):
            raise ModelError("trees are not complete")
        trees, inner = shape
        if inner & (inner + 1):
            raise ModelError("trees are not complete")
        if self.feature.max(initial=0) >= columns or np.isnan(self.threshold).any():
            raise ModelError("a tree reads what is no feature")
        if not np.isfinite(self.value).all():
            raise ModelError("a leaf is no number")
        if trees % self.outputs if self.outputs else trees:
            raise ModelError(f"{trees} trees cannot take turns over {self.outputs} outputs")


def forest_of(booster: dict[str, Any], outputs: int = 1) -> Forest:
    """A LightGBM model (`Booster.dump_model()`) as complete trees.

    Thresholds are doubles there and floats here: they are rounded down, so that `value <= threshold` is the same for
    every float.
    """
    trees = [tree["tree_structure"] for tree in booster["tree_info"]]
    inner = 2 ** max(map(_depth, trees), default=0) - 1
    feature = np.zeros((len(trees), inner), np.uint16)
    threshold = np.full((len(trees), inner), np.inf, np.float64)
    value = np.zeros((len(trees), inner + 1), np.float32)

    def put(node: dict[str, Any], tree: int, at: int) -> None:
        leaf = "leaf_value" in node
        if at >= inner:
            value[tree, at - inner] = node["leaf_value"]
            return
        if not leaf:
            if node["decision_type"] != "<=":
                raise ModelError(f"splits of kind {node['decision_type']} are not supported")
            feature[tree, at], threshold[tree, at] = node["split_feature"], node["threshold"]
        put(node if leaf else node["left_child"], tree, 2 * at + 1)
        put(node if leaf else node["right_child"], tree, 2 * at + 2)

    for number, tree in enumerate(trees):
        put(tree, number, 0)
    rounded = threshold.astype(np.float32)
    rounded = np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)
    return Forest(feature, rounded, value, outputs)


def _depth(node: dict[str, Any]) -> int:
    return 0 if "leaf_value" in node else 1 + max(_depth(node["left_child"]), _depth(node["right_child"]))


@dataclass(frozen=True, slots=True)
class Model:
    """What the extractor knows: `block` says how much of a block is main text, `page` of which type a page is."""

    block: Forest
    page: Forest
    meta: dict[str, Any]
    digest: str  # sha256 of the file

    @property
    def page_types(self) -> tuple[str, ...]:
        """Names of the outputs of `page`."""
        return tuple(self.meta["page_types"])


def model_bytes(block: Forest, page: Forest, meta: dict[str, Any]) -> bytes:
    """The file of a model; equal arguments give equal bytes."""
    arrays = {
        f"{name}.{part}": getattr(forest, part)
        for name, forest in (("block", block), ("page", page))
        for part in _ARRAYS
    }
    text = json.dumps({"format": FORMAT, **meta}, sort_keys=True, ensure_ascii=False)
    arrays["meta"] = np.frombuffer(text.encode(), np.uint8)
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)  # a zip with a fixed date
    return sink.getvalue()


def load_model(source: Path, names: tuple[str, ...]) -> Model:
    """Read a model whose features are `names`.

    Raises:
        ModelError: no such file, not a model, or made for other features (then: train it again).
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from None
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:  # NumPy says of other files that they hold pickles
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        with np.load(io.BytesIO(raw), allow_pickle=False) as data:
            meta = json.loads(bytes(data["meta"]))
            forests: dict[str, dict[str, Any]] = {
                name: {part: _array(data[f"{name}.{part}"], kind) for part, kind in _ARRAYS.items()}
                for name in ("block", "page")
            }
        made_for, types = (meta["format"], meta["features"]), meta["page_types"]
        if not isinstance(types, list) or not all(isinstance(name, str) and 0 < len(name) < 64 for name in types):
            raise ValueError("page_types is no list of names")
        if len(types) > 64 or len(set(types)) < len(types):
            raise ValueError("page_types holds too many names, or one twice")
        "".join(types).encode()  # lone surrogates are no names
    except Exception as error:  # zlib, zipfile and NumPy raise a dozen kinds for a damaged file
        raise ModelError(f"{source}: not a model of this extractor ({_first_line(error)})") from None
    if made_for != (FORMAT, list(names)):
        raise ModelError(f"{source}: made for other features; train it again with `headwater extractor train`")
    model = Model(
        Forest(**forests["block"]),
        Forest(**forests["page"], outputs=len(types)),
        meta,
        hashlib.sha256(raw).hexdigest(),
    )
    try:
        if not len(model.block.feature):
            raise ModelError("no tree")
        for forest in (model.block, model.page):
            forest.check(len(names))
    except ModelError as error:
        raise ModelError(f"{source}: not a model of this extractor ({error})") from None
    return model


def _array(found: npt.NDArray[Any], kind: Any) -> npt.NDArray[Any]:
    if found.dtype != np.dtype(kind):
        raise ValueError(f"an array of {found.dtype} where {np.dtype(kind)} belongs")
    return np.ascontiguousarray(found)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
