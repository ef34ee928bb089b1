"""Tokens of texts, as a budget counts them. Columns in, columns out; no Beam."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.config import ConfigError
from schemas.recipe import Tokens

_TEXTS = 64  # encoded at once: their tokens are objects of the library, many times the text


def check_tokens(tokens: Tokens) -> None:
    """Raise ConfigError where a recipe's tokenizer cannot be had."""
    if tokens.tokenizer is not None:
        _tokenizer(tokens.tokenizer)


def count_tokens(texts: pa.Array, tokens: Tokens) -> npt.NDArray[np.int64]:
    """Bytes of UTF-8, or tokens without those that a tokenizer adds around a text; 0 for null."""
    if tokens.tokenizer is None:
        return np.asarray(pc.fill_null(pc.binary_length(texts), 0)).astype(np.int64)
    tokenizer = _tokenizer(tokens.tokenizer)
    counts: list[int] = []
    for begin in range(0, len(texts), _TEXTS):
        part = [text or "" for text in texts.slice(begin, _TEXTS).to_pylist()]
        counts += [len(found.ids) for found in tokenizer.encode_batch_fast(part, add_special_tokens=False)]
    return np.array(counts, np.int64)


@lru_cache(maxsize=2)
def _tokenizer(name: str) -> Any:
    # Files are surveyed side by side, one a process; threads of the library would compete with them.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigError("tokens.tokenizer needs the library `tokenizers`; install headwater[mix]") from None
    try:
        tokenizer = Tokenizer.from_file(name) if Path(name).is_file() else Tokenizer.from_pretrained(name)
    except Exception as error:  # the library raises plain Exception
        raise ConfigError(
            f"tokens.tokenizer: {name} is no tokenizer.json and no name that can be fetched ({str(error)[:200]})"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
