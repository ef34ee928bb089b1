"""Measures the block extractor: a model as it is, or by folds of registered domains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.extract.blocks.corpus import Truth, read_pages
from pipeline.extract.blocks.extractor import BlockExtractor
from pipeline.extract.blocks.forest import Model
from pipeline.extract.blocks.train import TREES, Example, TrainingError, cross_validate, fit_model
from pipeline.extract.errors import ExtractionError
from pipeline.extract.extract import extract_page
from pipeline.extract.measure import Tally


@dataclass(slots=True)
class Found:
    """Figures, and the text of every measured page: record_id, text, confidence, page_type."""

    report: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


def _measure(inputs: Sequence[str], truth: Truth, extractor_of: Callable[[str], BlockExtractor]) -> Found:
    tally = Tally()
    found = Found()
    typed = right = failed = 0
    for record_id, page in read_pages(inputs):
        if record_id not in truth.rows:
            continue
        try:
            got = extract_page(page, extractor_of(record_id))
        except ExtractionError:
            failed += 1
            continue
        found.rows.append(
            {"record_id": record_id, "text": got.text, "confidence": got.confidence, "page_type": got.page_type}
        )
        for row in truth.rows[record_id]:
            tally.add(got.text, row)
            if row.get("page_type") and got.page_type:
                typed += 1
                right += row["page_type"] == got.page_type
    if not found.rows and not failed:
        raise TrainingError("no page to measure on: the truth names none of the pages of INPUT")
    found.report = {**tally.report(), "failed": failed}
    if typed:
        found.report["page_type_accuracy"] = round(right / typed, 4)
    return found


def evaluate_model(inputs: Sequence[str], truth: Truth, path: Path | None, *, precision: bool = False) -> Found:
    """Measure a model file on all pages of the truth."""
    extractor = BlockExtractor(model=path, precision=precision)
    extractor.setup()
    return _measure(inputs, truth, lambda _: extractor)


def evaluate_folds(
    inputs: Sequence[str],
    truth: Truth,
    human: Sequence[Example],
    silver: Sequence[Example],
    *,
    folds: int,
    trees: int | None = None,
    seed: int = 1,
    precision: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Found:
    """Measure every page with a text as truth by a model of other domains; the rest by a model of all examples."""
    models = cross_validate(human, silver, folds=folds, trees=trees or TREES, seed=seed, say=say)
    say("a model of all pages, for those that have no text as truth")
    whole = fit_model([*human, *silver], trees or TREES, seed)
    made: dict[int, BlockExtractor] = {}

    def extractor_of(record_id: str) -> BlockExtractor:
        model: Model = models.get(record_id, whole)
        if id(model) not in made:
            made[id(model)] = BlockExtractor(precision=precision, loaded=model)
        return made[id(model)]

    return _measure(inputs, truth, extractor_of)
