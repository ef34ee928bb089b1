"""Stylometry: rates of function words, word classes, suffixes and punctuation, lengths, and variety, by document.

Definitions follow the literature on authorship: type-token ratios, Yule's K, a moving type-token ratio over 50 words,
hapax share, distinct word pairs and triples, entropy of the function words, variation of sentence length, sentence
openings. Word lists are those of the language's lexicon; without one, only the general features say something.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.text_model.lexicon import Lexicon
from detectors.text_model.units import Units

STYLE_VERSION = 1

GENERAL = (
    "word_length", "word_length_sd", "long_words_7", "long_words_10", "types", "hapaxes", "yule_k", "moving_types",
    "function_share", "content_types", "content_repeats", "function_entropy", "sentence_length", "sentence_cv",
    "sentence_least", "sentence_most", "sentences_short", "sentences_long", "sentence_steps", "distinct_pairs",
    "distinct_triples", "contractions", "possessives", "capitals", "upper_case", "figures", "opening_repeats",
    "opening_comma", "opening_ing", "series", "no_comma", "comma_sd", "oxford", "symbols",
)  # fmt: skip
MARKS = (
    "comma", "semicolon", "colon", "dash", "parenthesis", "quote", "apostrophe", "exclamation", "question", "percent",
    "slash", "other",
)  # fmt: skip
# Features that only tell punctuation and typography: what an audit compares a model with.
PUNCTUATION = ("no_comma", "comma_sd", "oxford", "symbols", "opening_comma", *(f"mark_{name}" for name in MARKS))


def feature_names(lexicon: Lexicon) -> tuple[str, ...]:
    """Names of the columns of `style_features`."""
    return (
        *GENERAL,
        *(f"mark_{name}" for name in MARKS),
        *(f"suffix_{name}" for name in lexicon.suffixes),
        *(f"class_{name}" for name in lexicon.class_names),
        *(f"opening_{name}" for name in lexicon.class_names),
        *(f"word_{name}" for name in lexicon.function_words),
    )


def style_features(units: Units, lexicon: Lexicon) -> npt.NDArray[np.float32]:
    """Features of each document: documents x `feature_names`."""
    from detectors.text_model import _style

    found = np.zeros((units.docs, len(feature_names(lexicon))), np.float32)
    _style.measure(
        units.canonical.chars, units.start, units.end, units.hash, units.kind, units.entry, units.suffix,
        units.doc_unit, units.sentence_unit, units.doc_sentence, lexicon.function, lexicon.classes,
        len(lexicon.suffixes), len(lexicon.class_names), len(lexicon.function_words),
        lexicon.class_names.index("and") if "and" in lexicon.class_names else -1, found,
    )  # fmt: skip
    return found
