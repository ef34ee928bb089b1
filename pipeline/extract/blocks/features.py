"""Features of the blocks of a page: what the forest reads. `_features` computes them, this module says of what."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.extract.blocks import names
from pipeline.extract.page_table import PageTable

FEATURES_VERSION: Final = 1
MAX_TOKENS_BYTES: Final = 2_000  # of title and description

OG_TYPES: Final = ("article", "product", "website")
GENERATORS: Final = (
    "wordpress", "discourse", "vbulletin", "phpbb", "shopify", "woocommerce", "docusaurus", "sphinx", "mediawiki",
    "xenforo",
)  # fmt: skip
SCHEMA_TYPES: Final = (
    "Article", "BlogPosting", "Product", "Forum", "QAPage", "ItemList", "CollectionPage", "FAQPage", "Recipe", "Event",
    "JobPosting", "Service", "Organization", "BreadcrumbList", "Review", "SoftwareApp",
)  # fmt: skip
CONTEXT: Final = (
    *(f"og_{name}" for name in OG_TYPES), "og_other",
    *(f"made_by_{name}" for name in GENERATORS),
    *(f"schema_{name}" for name in SCHEMA_TYPES),
)  # fmt: skip


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """Columns of the matrix, in order."""
    return tuple(names.feature_names(CONTEXT))


def page_context(signals: dict[str, Any]) -> npt.NDArray[np.float32]:
    """What a page says of its own kind: og:type, generator, schema.org types; 0 or 1 each."""
    values = np.zeros(len(CONTEXT), np.float32)
    kind = next((pair["value"] for pair in signals["meta"] if pair["name"] == "og:type"), "").strip().lower()
    if kind:
        found = [number for number, name in enumerate(OG_TYPES) if name in kind]
        values[found[0] if found else len(OG_TYPES)] = 1
    first = len(OG_TYPES) + 1
    generator = (signals["generator"] or "").lower()
    if generator:
        for number, name in enumerate(GENERATORS, first):
            if name in generator:
                values[number] = 1
    first += len(GENERATORS)
    types = " ".join(pair["value"] for pair in signals["structured"] if pair["name"] == "@type")
    if types:
        for number, name in enumerate(SCHEMA_TYPES, first):
            if name in types:
                values[number] = 1
    return values


def _tokens(text: str | None) -> npt.NDArray[np.uint8]:
    raw = (text or "").encode("utf-8", "replace")[:MAX_TOKENS_BYTES]
    return np.frombuffer(bytearray(raw), np.uint8)  # native code wants a writable buffer


def block_features(table: PageTable, signals: dict[str, Any], title: str | None) -> npt.NDArray[np.float32]:
    """Features of the blocks of a page: blocks x features."""
    from pipeline.extract.blocks import _features

    x = np.empty((len(table.blocks), len(feature_names())), np.float32)
    if len(x):
        named = (pair["value"] for pair in signals["meta"] if pair["name"] in ("description", "og:description"))
        _features.fill(
            table.text, table.blocks, table.block_words, table.nodes, table.node_words,
            _tokens(title), _tokens(next(named, None)), page_context(signals), x,
        )  # fmt: skip
    return x
