"""One file with the text models of translation: a model by head and language.

The file is an `.npz` without pickles. Each array is named `HEAD.LANGUAGE` (`translated.deu`) and holds the bytes of one
text model (`detectors.text_model.model`), so that a language can be replaced without touching the others.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from detectors.features.forest import ModelError
from detectors.text_model.model import TextModel, model_of

TRANSLATED: Final = "translated"
MACHINE: Final = "machine"
HEADS: Final = (TRANSLATED, MACHINE)
MAX_BYTES: Final = 256 << 20  # of a file, unpacked


@dataclass(frozen=True, slots=True)
class TranslationModels:
    """Models by head and language (ISO 639-3), the bytes that they were read from, and the digest of the file."""

    models: Mapping[tuple[str, str], TextModel]
    raw: Mapping[tuple[str, str], bytes]
    digest: str  # sha256


def file_bytes(models: Mapping[tuple[str, str], bytes]) -> bytes:
    """The file that holds these models; equal models give equal bytes, whatever their order."""
    sink = io.BytesIO()
    arrays = {".".join(key): np.frombuffer(models[key], np.uint8) for key in sorted(models)}
    np.savez(sink, **arrays)  # type: ignore[arg-type]  # models are compressed already; a zip with a fixed date
    return sink.getvalue()


def read_models(source: Path) -> TranslationModels:
    """Read a file of translation models.

    Raises:
        ModelError: no such file, not such a file, or models made for other features (then: train them again).
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from None
    return models_of(raw, str(source))


def models_of(raw: bytes, name: str = "translation models") -> TranslationModels:
    """Translation models from the bytes of their file, see `read_models`."""
    parts: dict[tuple[str, str], bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        with np.load(io.BytesIO(raw), allow_pickle=False) as data:
            for key in sorted(data.files):
                head, _, language = key.partition(".")
                if head not in HEADS or not language:
                    raise ValueError(f"no head and language is called {key}")
                parts[head, language] = data[key].astype(np.uint8, casting="safe").tobytes()
    except Exception as error:  # zlib, zipfile and NumPy raise a dozen kinds for a damaged file
        raise ModelError(f"{name}: not a file of translation models ({type(error).__name__}: {error})") from None
    models: dict[tuple[str, str], TextModel] = {}
    for (head, language), part in parts.items():
        model = model_of(part, f"{name}, {head}.{language}")
        if (model.head, model.language) != (head, language):
            raise ModelError(f"{name}: {head}.{language} is the model of {model.head}.{model.language}")
        models[head, language] = model
    return TranslationModels(models, parts, hashlib.sha256(raw).hexdigest())
