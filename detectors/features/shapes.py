"""Shapes of punctuation that few texts have: one look at the characters says which texts need a regular expression."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from detectors.api import FeatureCache
from detectors.features.tokens import FEATURE, Tokens, UInt8, tokens

EMAIL = 1  # [0-9A-Za-z_.+%-]@[0-9A-Za-z]
IPV4 = 2  # [0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]
IPV6 = 4  # [0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f] or ::[0-9A-Fa-f]
MARKDOWN = 8  # two asterisks, or a line that begins with ##


def find_shapes(found: Tokens) -> UInt8:
    """Bits of the shapes that occur in each document."""
    from detectors.features import _kernels

    out = np.zeros(found.docs, np.uint8)
    _kernels.find_shapes(found.chars, found.doc_start, out)
    return out


def shapes(features: FeatureCache) -> UInt8:
    """Bits of each text of the batch, computed once."""

    def compute(_: pa.RecordBatch) -> UInt8:
        return find_shapes(tokens(features))

    return features.get(f"shapes:{FEATURE}", compute)


def rows_with(shape: int, features: FeatureCache) -> list[int]:
    """Rows of the batch whose text has a shape."""
    rows: list[int] = np.flatnonzero(shapes(features) & shape).tolist()
    return rows
