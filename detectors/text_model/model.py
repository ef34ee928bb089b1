"""A text model: members that score a document's features, each standardised, averaged; one file.

The file is an `.npz` without pickles: `meta` (JSON as bytes) and the arrays of each member. Members are of two kinds:
`forest` (gradient-boosted trees over stylometry) and `linear` (logistic regression over hashed n-grams, weights of
eight bits with one scale a kind of n-gram). A member's raw score is standardised by `mean` and `sd`, measured on text
that it was not fitted to, half of it human; z is the mean over the members, in turn over its own spread there. Positive
z speaks for the machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.api import FeatureCache
from detectors.features.forest import Forest, ModelError
from detectors.text_model.canonical import CANONICAL_VERSION, FEATURE, Canonical, canonical
from detectors.text_model.grams import GRAMS_VERSION, Grams, GramSpec, count_grams, linear_scores
from detectors.text_model.lexicon import Lexicon, build, lexicon
from detectors.text_model.stylometry import STYLE_VERSION, feature_names, style_features
from detectors.text_model.units import UNITS_VERSION, Units, split_units

Floats = npt.NDArray[np.float64]

FORMAT: Final = 1
FEATURES_VERSION: Final = [CANONICAL_VERSION, UNITS_VERSION, STYLE_VERSION, GRAMS_VERSION]
MAX_BYTES: Final = 64 << 20  # of a model, unpacked
MIN_WORDS: Final = 50
MAX_Z: Final = 12.0  # so that float32 holds the score's logit


@dataclass(slots=True)
class TextFeatures:
    """Features of canonical texts in one language, each computed once, when it is first asked for."""

    canonical: Canonical
    lexicon: Lexicon
    _units: Units | None = None
    _style: npt.NDArray[np.float32] | None = None
    _grams: dict[GramSpec, Grams] = field(default_factory=dict)

    @property
    def units(self) -> Units:
        """Units and sentences."""
        if self._units is None:
            self._units = split_units(self.canonical, self.lexicon)
        return self._units

    @property
    def style(self) -> npt.NDArray[np.float32]:
        """Stylometry: documents x features."""
        if self._style is None:
            self._style = style_features(self.units, self.lexicon)
        return self._style

    def grams(self, spec: GramSpec) -> Grams:
        """Hashed n-grams."""
        if spec not in self._grams:
            self._grams[spec] = count_grams(self.units, self.lexicon, spec)
        return self._grams[spec]


def text_features(
    features: FeatureCache, language: str, rows: npt.NDArray[np.int64], words: Lexicon | None = None
) -> TextFeatures:
    """Features of these rows of the batch (those in `language`), shared by all heads that name the same lexicon."""
    chosen = words or lexicon(language)
    name = f"{FEATURE}:{language}:{chosen.digest}:{rows.tobytes().hex()}"
    return features.get(name, lambda _: TextFeatures(canonical(features).take(rows), chosen))


@dataclass(frozen=True, slots=True)
class Member:
    """One scorer. A forest has `forest`; a linear one `specs`, `weights` (buckets x 1 each), `scales` and `offset`."""

    kind: str
    mean: float
    sd: float
    forest: Forest | None = None
    columns: npt.NDArray[np.int64] | None = None  # of stylometry, that the forest reads
    specs: tuple[GramSpec, ...] = ()
    weights: tuple[npt.NDArray[np.int8], ...] = ()
    scales: tuple[float, ...] = ()
    offset: float = 0.0

    def raw(self, features: TextFeatures) -> Floats:
        """Scores before standardisation, by document."""
        if self.forest is not None and self.columns is not None:
            x = np.ascontiguousarray(features.style[:, self.columns])
            return self.forest.sums(x)[:, 0].astype(np.float64)
        found = np.full(features.canonical.docs, self.offset, np.float64)
        for spec, weights, scale in zip(self.specs, self.weights, self.scales, strict=True):
            found += linear_scores(features.grams(spec), weights, np.array([scale]), np.zeros(1))[:, 0]
        return found

    def standard(self, features: TextFeatures) -> Floats:
        """Standardised scores, by document."""
        result: Floats = (self.raw(features) - self.mean) / self.sd
        return result


@dataclass(frozen=True, slots=True)
class TextModel:
    """A head for one language."""

    head: str
    language: str  # ISO 639-3
    members: tuple[Member, ...]
    sd: float  # of the members' mean on calibration text
    meta: Mapping[str, Any]
    lexicon: Lexicon
    digest: str  # sha256 of the file; "" = not from a file

    def score(self, features: TextFeatures) -> Floats:
        """z by document: 1 is one standard deviation of the calibration text."""
        total = np.zeros(features.canonical.docs, np.float64)
        for member in self.members:
            total += member.standard(features)
        result: Floats = total / (len(self.members) * self.sd)
        return result


def probability(z: Floats) -> npt.NDArray[np.float32]:
    """The score of a z, as columns hold it: 1 / (1 + exp(-z))."""
    result: npt.NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(z, -MAX_Z, MAX_Z)))).astype(np.float32)
    return result


def model_bytes(
    head: str,
    language: str,
    members: Sequence[Member],
    sd: float,
    meta: Mapping[str, Any],
    sections: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """The file of a model; equal arguments give equal bytes. `sections` is a lexicon that the file brings along."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    described: list[dict[str, Any]] = []
    for number, member in enumerate(members):
        entry: dict[str, Any] = {"kind": member.kind, "mean": member.mean, "sd": member.sd}
        if member.forest is not None and member.columns is not None:
            for part in ("feature", "threshold", "value"):
                arrays[f"{number}.{part}"] = getattr(member.forest, part)
            arrays[f"{number}.columns"] = member.columns.astype(np.int64)
        else:
            entry["specs"] = [[spec.kind, spec.low, spec.high, spec.bits] for spec in member.specs]
            entry["scales"], entry["offset"] = list(member.scales), member.offset
            for part_number, weights in enumerate(member.weights):
                arrays[f"{number}.weights.{part_number}"] = weights
        described.append(entry)
    text = json.dumps(
        {
            **meta,
            "format": FORMAT,
            "features_version": FEATURES_VERSION,
            "head": head,
            "language": language,
            "sd": sd,
            "members": described,
            "lexicon": {name: list(words) for name, words in sections.items()} if sections is not None else None,
        },
        sort_keys=True,
        ensure_ascii=False,
    )
    arrays["meta"] = np.frombuffer(text.encode(), np.uint8)
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)  # type: ignore[arg-type]  # a zip with a fixed date
    return sink.getvalue()


def load_model(source: Path) -> TextModel:
    """Read a model.

    Raises:
        ModelError: no such file, not a text model, or made for other features (then: train it again).
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from None
    return model_of(raw, str(source))


def model_of(raw: bytes, name: str = "model") -> TextModel:
    """A model from the bytes of its file, see `load_model`."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        with np.load(io.BytesIO(raw), allow_pickle=False) as data:
            meta = json.loads(bytes(data["meta"]))
            made_for = meta["format"], meta["features_version"]
            arrays = {key: np.ascontiguousarray(data[key]) for key in data.files if key != "meta"}
    except Exception as error:  # zlib, zipfile and NumPy raise a dozen kinds for a damaged file
        raise ModelError(f"{name}: not a text model ({type(error).__name__}: {error})") from None
    if made_for != (FORMAT, FEATURES_VERSION):
        raise ModelError(f"{name}: made for other features; train it again with `headwater detectors train`")
    try:
        sections = meta["lexicon"]
        words = build(meta["language"], sections) if sections is not None else lexicon(meta["language"])
        columns = len(feature_names(words))
        members = tuple(_member(entry, number, arrays, columns) for number, entry in enumerate(meta["members"]))
        if not members or not float(meta["sd"]) > 0 or meta.get("style_names", columns) != columns:
            raise ValueError("it has no members, or other features")
        return TextModel(
            meta["head"], meta["language"], members, float(meta["sd"]), meta, words, hashlib.sha256(raw).hexdigest()
        )
    except ModelError as error:
        raise ModelError(f"{name}: not a text model ({error})") from None
    except Exception as error:
        raise ModelError(f"{name}: not a text model ({type(error).__name__}: {error})") from None


def _member(entry: Mapping[str, Any], number: int, arrays: Mapping[str, npt.NDArray[Any]], columns: int) -> Member:
    mean, sd = float(entry["mean"]), float(entry["sd"])
    if not sd > 0:
        raise ModelError("a member has no spread")
    if entry["kind"] == "forest":
        chosen = _typed(arrays[f"{number}.columns"], np.int64)
        if chosen.ndim != 1 or len(chosen) == 0 or chosen.min() < 0 or chosen.max() >= columns:
            raise ModelError("a forest reads what is no feature")
        forest = Forest(
            _typed(arrays[f"{number}.feature"], np.uint16),
            _typed(arrays[f"{number}.threshold"], np.float32),
            _typed(arrays[f"{number}.value"], np.float32),
        )
        forest.check(len(chosen))
        return Member("forest", mean, sd, forest, chosen)
    if entry["kind"] != "linear":
        raise ModelError(f"no kind of member is called {entry['kind']}")
    specs = tuple(GramSpec(*spec) for spec in entry["specs"])
    weights = tuple(_typed(arrays[f"{number}.weights.{part}"], np.int8) for part in range(len(specs)))
    for spec, weight in zip(specs, weights, strict=True):
        if weight.shape != (1 << spec.bits, 1) or not 0 < spec.low <= spec.high <= 6:
            raise ModelError("weights of another shape")
    return Member(
        "linear", mean, sd, specs=specs, weights=weights, scales=tuple(map(float, entry["scales"])),
        offset=float(entry["offset"]),
    )  # fmt: skip


def _typed(found: npt.NDArray[Any], kind: Any) -> npt.NDArray[Any]:
    if found.dtype != np.dtype(kind):
        raise ModelError(f"an array of {found.dtype} where {np.dtype(kind)} belongs")
    return found
