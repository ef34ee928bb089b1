"""The extractor's model: two forests (`detectors.features.forest`) in one file.

The file is an `.npz` without pickles: `meta` (JSON as bytes) and, per forest (`block`, `page`), `feature` and
`threshold` (trees x inner nodes) and `value` (trees x leaves).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.features.forest import Forest, ModelError, forest_of

__all__ = ["Forest", "Model", "ModelError", "forest_of", "load_model", "model_bytes"]

FORMAT: Final = 1
MAX_BYTES: Final = 256 << 20  # of a model, unpacked
_ARRAYS: Final = {"feature": np.uint16, "threshold": np.float32, "value": np.float32}


@dataclass(frozen=True, slots=True)
class Model:
    """What the extractor knows: `block` says how much of a block is main text, `page` of which type a page is."""

    block: Forest
    page: Forest
    meta: dict[str, Any]
    digest: str  # sha256 of the file

    @property
    def page_types(self) -> tuple[str, ...]:
        """Names of the outputs of `page`."""
        return tuple(self.meta["page_types"])


def model_bytes(block: Forest, page: Forest, meta: dict[str, Any]) -> bytes:
    """The file of a model; equal arguments give equal bytes."""
    arrays = {
        f"{name}.{part}": getattr(forest, part)
        for name, forest in (("block", block), ("page", page))
        for part in _ARRAYS
    }
    text = json.dumps({"format": FORMAT, **meta}, sort_keys=True, ensure_ascii=False)
    arrays["meta"] = np.frombuffer(text.encode(), np.uint8)
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)  # a zip with a fixed date
    return sink.getvalue()


def load_model(source: Path, names: tuple[str, ...]) -> Model:
    """Read a model whose features are `names`.

    Raises:
        ModelError: no such file, not a model, or made for other features (then: train it again).
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from None
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:  # NumPy says of other files that they hold pickles
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        with np.load(io.BytesIO(raw), allow_pickle=False) as data:
            meta = json.loads(bytes(data["meta"]))
            forests: dict[str, dict[str, Any]] = {
                name: {part: _array(data[f"{name}.{part}"], kind) for part, kind in _ARRAYS.items()}
                for name in ("block", "page")
            }
        made_for, types = (meta["format"], meta["features"]), meta["page_types"]
        if not isinstance(types, list) or not all(isinstance(name, str) and 0 < len(name) < 64 for name in types):
            raise ValueError("page_types is no list of names")
        if len(types) > 64 or len(set(types)) < len(types):
            raise ValueError("page_types holds too many names, or one twice")
        "".join(types).encode()  # lone surrogates are no names
    except Exception as error:  # zlib, zipfile and NumPy raise a dozen kinds for a damaged file
        raise ModelError(f"{source}: not a model of this extractor ({_first_line(error)})") from None
    if made_for != (FORMAT, list(names)):
        raise ModelError(f"{source}: made for other features; train it again with `headwater extractor train`")
    model = Model(
        Forest(**forests["block"]),
        Forest(**forests["page"], outputs=len(types)),
        meta,
        hashlib.sha256(raw).hexdigest(),
    )
    try:
        if not len(model.block.feature):
            raise ModelError("no tree")
        for forest in (model.block, model.page):
            forest.check(len(names))
    except ModelError as error:
        raise ModelError(f"{source}: not a model of this extractor ({error})") from None
    return model


def _array(found: npt.NDArray[Any], kind: Any) -> npt.NDArray[Any]:
    if found.dtype != np.dtype(kind):
        raise ValueError(f"an array of {found.dtype} where {np.dtype(kind)} belongs")
    return np.ascontiguousarray(found)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
