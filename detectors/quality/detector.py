"""The quality detector: all signals of the chosen profiles, from one token array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.features import tokens as token_features
from detectors.features.tokens import TOKENS_VERSION, Tokens, tokens, unicode_version
from detectors.quality import c4, fineweb, gopher, profiles, refinedweb, repetition


class Quality:
    """Signals of the quality profiles as float32 columns; null = not applicable.

    Stop words follow `language_feature`, the column that the language detector publishes before, and are English where
    none is published. `variant` is that of the repetition formulas, by default the one of the profiles, which must
    then agree.

    Raises:
        ValueError: unknown profile or variant, or profiles of different variants without `variant`.
    """

    def __init__(
        self,
        profile_names: Sequence[str] = ("fineweb",),
        variant: str | None = None,
        language_feature: str | None = "signal:language",
    ) -> None:
        self.name = "quality"
        self.version = 1
        chosen = [profiles.profile(name, variant) for name in profile_names]
        variants = {p.variant for p in chosen if any(s.startswith("gopher_") for s in profiles.signals(p))}
        if len(variants) > 1:
            raise ValueError(f"profiles {', '.join(profile_names)} use different variants: name one as variant")
        self.variant = variants.pop() if variants else (variant or repetition.DEFAULT_VARIANT)
        self.language_feature = language_feature
        needed = dict.fromkeys(signal for p in chosen for signal in profiles.signals(p))
        self.columns = frozenset({"text"})
        self.outputs: Mapping[str, pa.DataType] = {signal: pa.float32() for signal in needed}

    def setup(self) -> None:
        """Compile or load native code."""
        warm(self)

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Signals of the batch; no evidence."""
        languages = self._languages(features)
        found: dict[str, npt.NDArray[np.float64]] = self.compute(tokens(features), languages)
        return Signals({name: _float32(found[name]) for name in self.outputs})

    def compute(
        self, found: Tokens, languages: Sequence[str | None] | None = None
    ) -> dict[str, npt.NDArray[np.float64]]:
        """All signals by name; NaN = not applicable."""
        needed = set(self.outputs)
        values: dict[str, npt.NDArray[np.float64]] = {}
        if needed & set(repetition.SIGNALS):
            values |= repetition.signals(found, self.variant)
        if needed & set(gopher.SIGNALS):
            values |= gopher.signals(found, gopher.variant_for(self.variant), languages)
        lines: dict[str, c4.C4Lines] = {}
        for name, rules in c4.RULES.items():
            if needed & set(c4.signal_names(rules)):
                lines[name] = c4.judge(found, rules)
                values |= c4.signals(found, rules, lines[name])
        if needed & set(fineweb.SIGNALS):
            values |= fineweb.signals(found, lines.get("c4_fineweb"))
        if needed & set(refinedweb.SIGNALS):
            values |= refinedweb.signals(found)
        return values

    def _languages(self, features: FeatureCache) -> list[str | None] | None:
        if self.language_feature is None:
            return None
        published: pa.Array | None = features.get(self.language_feature, lambda batch: None)
        return None if published is None else published.to_pylist()

    def parameters(self) -> Mapping[str, Any]:
        """Signals, variant, and versions of the tokeniser and its character data."""
        return {
            "signals": sorted(self.outputs),
            "variant": self.variant,
            "language_feature": self.language_feature,
            "tokens": TOKENS_VERSION,
            "unicode": unicode_version(),
        }


def warm(detector: Quality | None = None) -> None:
    """Compile or load the native code that the detector needs."""
    token_features.warm()
    (detector or Quality(tuple(profiles.PROFILES), variant="datatrove")).compute(token_features.tokenise(["Warm up."]))


def _float32(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values.astype(np.float32), mask=np.isnan(values))
