"""Scores of the text models for translated text, and for translated text that a machine translated.

Each is one number a document, in [0, 1]: 1 / (1 + exp(-z)), with z in standard deviations of the text that the model
was calibrated on. `translation_score` tells translated text, by whomever, from text first written in the language;
`machine_translation_score` tells machine from human translation, and says nothing of text that is no translation. The
second is weak: it learns the agencies and systems that it saw (docs of the model file). Neither gives a verdict on
a document; hosts, page marks and parallel pages do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.machine_translation.model_file import MACHINE, TRANSLATED, TranslationModels, read_models
from detectors.text_model.canonical import canonical
from detectors.text_model.model import MIN_WORDS, probability, text_features

COLUMNS: Final = {TRANSLATED: "translation_score", MACHINE: "machine_translation_score"}
MODEL: Final = Path(__file__).parent / "data" / "translation.npz"
# Scripts without spaces count 2.5 letters as a word: 40 of those words are 100 letters.
MIN_WORDS_UNSPACED: Final = 40
UNSPACED: Final = frozenset({"zho", "cmn", "yue", "jpn"})


class TranslatedText:
    """`translation_score` and `machine_translation_score`; null without a model of the language, and in short text.

    `model` names a file of translation models (default: the one that ships). The language is the one that the language
    detector publishes before; where none is published, no model applies.

    Raises:
        ModelError: when set up, if the file cannot be used.
    """

    name = "translated_text"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {column: pa.float32() for column in COLUMNS.values()}

    def __init__(self, model: str | None = None) -> None:
        self.path = model

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    @cached_property
    def models(self) -> TranslationModels:
        """Models by head and language."""
        return read_models(Path(self.path) if self.path else MODEL)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Languages of at least one model, ISO 639-3."""
        return tuple(sorted({language for _, language in self.models.models}))

    def setup(self) -> None:
        """Load the models; compile or load native code."""
        text = "One word after another makes a text that is long enough. " * 6
        batch = pa.record_batch({"text": [text] * len(self.languages)})
        features = FeatureCache(batch)
        features.put("signal:language", pa.array(self.languages, pa.string()))
        self(batch, features)

    def parameters(self) -> Mapping[str, Any]:
        """Digest of the file, and the features that its models read."""
        return {
            "model": self.models.digest,
            "features": sorted({str(model.meta["features_version"]) for model in self.models.models.values()}),
            "min_words": [MIN_WORDS, MIN_WORDS_UNSPACED],
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Scores of the batch; no evidence."""
        scores = {head: np.zeros(batch.num_rows, np.float32) for head in COLUMNS}
        known = {head: np.zeros(batch.num_rows, np.bool_) for head in COLUMNS}
        published = features.signal("language")
        if published is not None and self.languages:
            names = np.array([(name or "")[:3] for name in published.to_pylist()], np.str_)
            if np.isin(names, self.languages).any():
                self._score(names, canonical(features).words(), features, scores, known)
        return Signals({column: pa.array(scores[head], mask=~known[head]) for head, column in COLUMNS.items()})

    def _score(self, names: Any, words: Any, features: FeatureCache, scores: Any, known: Any) -> None:
        """Fill in the scores of rows whose language has a model."""
        for language in self.languages:
            rows = np.flatnonzero((names == language) & (words >= least_words(language)))
            if not len(rows):
                continue
            for head in COLUMNS:
                model = self.models.models.get((head, language))
                if model is not None:
                    shared = text_features(features, language, rows, model.lexicon)
                    scores[head][rows] = probability(model.score(shared))
                    known[head][rows] = True


def least_words(language: str) -> int:
    """Words under which no model of the language applies."""
    return MIN_WORDS_UNSPACED if language in UNSPACED else MIN_WORDS
