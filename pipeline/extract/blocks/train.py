"""Fits the forest: from human truth, from the outputs of other extractors (silver labels), or from both.

A block's label is the share of its words that the longest common subsequence with the true text keeps. Blocks weigh
the square root of their words, and pages weigh alike from about 30 of such units on. Pages are split into folds by
registered domain, never by page. Only numbers enter the model: features, thresholds and leaves, no text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from pipeline.extract.api import PageInput
from pipeline.extract.blocks.features import CONTEXT, block_features, feature_names
from pipeline.extract.blocks.forest import Forest, Model, forest_of
from pipeline.extract.charset import decode
from pipeline.extract.measure import words_of
from pipeline.extract.page_table import scan_page
from pipeline.extract.signals import page_signals, page_title

Floats = npt.NDArray[np.float32]

TREES: Final = 250
BLOCK_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "cross_entropy", "learning_rate": 0.06, "num_leaves": 48, "max_depth": 6, "min_data_in_leaf": 60,
    "feature_fraction": 0.4, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0,
}  # fmt: skip
PAGE_TREES: Final = 40
PAGE_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "multiclass", "learning_rate": 0.1, "num_leaves": 7, "max_depth": 4, "min_data_in_leaf": 10,
    "feature_fraction": 0.6,
}  # fmt: skip
_ALWAYS: Final = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
PAGE_WEIGHT: Final = 30.0  # square roots of words at which a page's weight begins to level off
SILVER_WEIGHT: Final = 0.5  # of a page with silver labels beside one with human truth


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


@dataclass(slots=True)
class Example:
    """A page with its features and labels."""

    record_id: str
    domain: str
    x: Floats  # blocks x features
    texts: list[str]  # by block; only for labels and measuring
    label: Floats  # share of main text by block
    page_type: str | None = None
    weight: float = 1.0
    words: Floats = field(default_factory=lambda: np.zeros(0, np.float32))  # by block, as the truth counts them


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise TrainingError("training needs more packages: pip install lightgbm publicsuffixlist rapidfuzz") from error


def require() -> None:
    """Raise TrainingError unless all that training needs is installed: now, and not after an hour's work."""
    for name in ("lightgbm", "publicsuffixlist", "rapidfuzz"):
        _optional(name)


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    return _optional("publicsuffixlist").PublicSuffixList()


def registered_domain(url: str | None) -> str:
    """Registered domain by the public suffix list; the host where there is none, as of an IP address."""
    try:
        host = (urlsplit(url or "").hostname or "").rstrip(".").lower()
    except ValueError:
        host = ""
    if ":" in host or host.rpartition(".")[2].isdigit():  # the list would take the end of an address for a domain
        return host
    return _suffixes().privatesuffix(host) or host


def fold_of(domain: str, folds: int) -> int:
    """Fold of a domain, by hash."""
    return int.from_bytes(hashlib.sha256(domain.encode()).digest()[:8], "big") % folds


def label_blocks(texts: Sequence[str], truth: str) -> tuple[Floats, Floats]:
    """Share of each block's words in the longest common subsequence with the truth, and the number of its words."""
    sequence = _optional("rapidfuzz.distance").LCSseq
    numbers: dict[str, int] = {}
    page: list[int] = []
    owner: list[int] = []
    for block, text in enumerate(texts):
        for word in words_of(text):
            page.append(numbers.setdefault(word, len(numbers)))
            owner.append(block)
    wanted = [numbers.get(word, -1) for word in words_of(truth)]
    matched, words = np.zeros(len(texts), np.float32), np.zeros(len(texts), np.float32)
    owners = np.array(owner, np.int64)
    np.add.at(words, owners, 1)
    if page and wanted:
        for step in sequence.opcodes(page, wanted):
            if step.tag == "equal":
                np.add.at(matched, owners[step.src_start : step.src_end], 1)
    share: Floats = np.divide(matched, np.maximum(words, 1), dtype=np.float32)
    return share, words


def make_example(
    record_id: str, page: PageInput, truths: Sequence[str], page_type: str | None, weight: float
) -> Example:
    """Features of a page and the mean of its labels under several truths."""
    html = decode(page.body, page.charset)[0]
    table = scan_page(html)
    signals = page_signals(table, page.url, page.headers)
    x = block_features(table, signals, page_title(table, signals))
    texts = [table.block_text(number) for number in range(len(table.blocks))]
    labels = [label_blocks(texts, truth) for truth in truths]
    label: Floats = np.asarray(np.mean([label for label, _ in labels], axis=0), np.float32)
    return Example(record_id, registered_domain(page.url), x, texts, label, page_type, weight, labels[0][1])


def block_weights(words: Floats) -> Floats:
    """Weights of the blocks of a page."""
    roots = np.sqrt(np.maximum(words, 1))
    result: Floats = roots * np.sqrt(PAGE_WEIGHT / (roots.sum() + PAGE_WEIGHT))
    return result


def page_columns() -> list[int]:
    """Features that are the same for all blocks of a page."""
    context = set(CONTEXT)
    return [number for number, name in enumerate(feature_names()) if name.startswith("page_") or name in context]


def fit_blocks(examples: Sequence[Example], trees: int = TREES, seed: int = 1, **parameters: Any) -> Forest:
    """The forest that says what share of a block is main text."""
    used = [example for example in examples if len(example.x)]
    if not used:
        raise TrainingError("no page with text and truth to learn from; do the record ids of truth and archives agree?")
    lightgbm = _optional("lightgbm")
    data = lightgbm.Dataset(
        np.vstack([example.x for example in used]),
        label=np.concatenate([np.clip(example.label, 0, 1) for example in used]),
        weight=np.concatenate([example.weight * block_weights(example.words) for example in used]),
    )
    booster = lightgbm.train({**BLOCK_PARAMETERS, **_ALWAYS, "seed": seed, **parameters}, data, trees)
    return forest_of(booster.dump_model())


def fit_page_types(examples: Sequence[Example], trees: int = PAGE_TREES, seed: int = 1) -> tuple[Forest, list[str]]:
    """The forest that says of which type a page is, and the names of its outputs; empty without types."""
    used = [example for example in examples if example.page_type and len(example.x)]
    types = sorted({example.page_type for example in used if example.page_type})
    if len(types) < 2:
        return Forest(np.zeros((0, 1), np.uint16), np.zeros((0, 1), np.float32), np.zeros((0, 2), np.float32), 0), []
    lightgbm = _optional("lightgbm")
    columns = page_columns()
    data = lightgbm.Dataset(
        np.array([example.x[0, columns] for example in used]),
        label=[types.index(example.page_type or "") for example in used],
    )
    parameters = {**PAGE_PARAMETERS, **_ALWAYS, "num_class": len(types), "seed": seed}
    found = forest_of(lightgbm.train(parameters, data, trees).dump_model(), len(types))
    feature = np.array(columns, np.uint16)[found.feature]
    return Forest(feature, found.threshold, found.value, len(types)), types


def fit_model(examples: Sequence[Example], trees: int = TREES, seed: int = 1) -> Model:
    """A model in memory, as the extractor reads it from a file."""
    page, types = fit_page_types(examples, seed=seed)
    return Model(fit_blocks(examples, trees, seed), page, {"page_types": types, "features": list(feature_names())}, "")


def cross_validate(
    examples: Sequence[Example],
    extra: Sequence[Example] = (),
    *,
    folds: int = 5,
    trees: int = TREES,
    seed: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Model]:
    """For every example the model that has seen no page of its domain: record id to model.

    `extra` are examples that only train (silver labels); those of a fold's domains are left out as well.
    """
    found: dict[str, Model] = {}
    for fold in range(folds):
        inside = [example for example in (*examples, *extra) if fold_of(example.domain, folds) != fold]
        outside = [example for example in examples if fold_of(example.domain, folds) == fold]
        if outside:
            say(f"fold {fold + 1} of {folds}: {len(inside)} pages to learn from, {len(outside)} to measure on")
            model = fit_model(inside, trees, seed)
            found.update((example.record_id, model) for example in outside)
    return found


def describe(examples: Iterable[Example], sources: Mapping[str, Any], trees: int, seed: int) -> dict[str, Any]:
    """What a model file says of how it was made."""
    listed = list(examples)
    return {
        "features": list(feature_names()),
        "pages": len(listed),
        "domains": len({example.domain for example in listed}),
        "blocks": sum(len(example.x) for example in listed),
        "sources": dict(sources),
        "trees": trees,
        "seed": seed,
        "parameters": {"block": BLOCK_PARAMETERS, "page": {**PAGE_PARAMETERS, "trees": PAGE_TREES}},
    }
