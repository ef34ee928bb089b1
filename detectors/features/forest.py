"""A forest of regression trees as arrays, and its prediction.

Every tree is complete: node k has the children 2k + 1 (value at most the threshold) and 2k + 2, and all leaves are at
one depth, so that a walk needs neither pointers nor branches. A tree that is less deep repeats its leaves. Trees of
several outputs take turns, as LightGBM stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


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
        from detectors.features import _forest

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
