"""Scores of the text models for generated text: of chat models, and of raw language models.

Both are one number a document, in [0, 1]: 1 / (1 + exp(-z)), with z in standard deviations of the text that the model
was calibrated on. A score is no verdict: where human text of a kind stands is for controls of that kind to say
(`detectors.calibration`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.text_model.canonical import canonical
from detectors.text_model.model import MIN_WORDS, TextModel, load_model, probability, text_features

HEADS = {"chat": "ai_text_score", "raw": "raw_text_score"}
_DATA = Path(__file__).parent / "data"


class AiText:
    """`ai_text_score` and `raw_text_score`; null outside the model's language and under 50 words.

    `chat_model` and `raw_model` name model files (default: those that ship). The language is the one that the language
    detector publishes before; where none is published, all text counts as in the model's language.

    Raises:
        ModelError: when set up, if a file cannot be used.
    """

    name = "ai_text"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {column: pa.float32() for column in HEADS.values()}

    def __init__(self, chat_model: str | None = None, raw_model: str | None = None) -> None:
        self.paths = {"chat": chat_model, "raw": raw_model}

    def __getstate__(self) -> dict[str, Any]:
        return {"paths": self.paths}

    @cached_property
    def models(self) -> dict[str, TextModel]:
        """Model by head."""
        return {head: load_model(Path(path) if path else _DATA / f"{head}.npz") for head, path in self.paths.items()}

    def setup(self) -> None:
        """Load the models; compile or load native code."""
        batch = pa.record_batch({"text": ["One word after another makes a text that is long enough. " * 6]})
        self(batch, FeatureCache(batch))

    def parameters(self) -> Mapping[str, Any]:
        """Digest and features of each model."""
        return {
            "models": {head: model.digest for head, model in self.models.items()},
            "features": next(iter(self.models.values())).meta["features_version"],
            "min_words": MIN_WORDS,
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Scores of the batch; no evidence."""
        words = canonical(features).words()
        published = features.signal("language")
        languages = None if published is None else [(name or "")[:3] for name in published.to_pylist()]
        found: dict[str, pa.Array] = {}
        for head, model in self.models.items():
            applies = words >= MIN_WORDS
            if languages is not None:
                applies &= np.array([language == model.language for language in languages], np.bool_)
            rows = np.flatnonzero(applies)
            score = np.zeros(batch.num_rows, np.float32)
            if len(rows):
                score[rows] = probability(model.score(text_features(features, model.language, rows, model.lexicon)))
            found[HEADS[head]] = pa.array(score, mask=~applies)
        return Signals(found)
