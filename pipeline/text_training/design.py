"""A corpus with the features of one language: what members are fitted to and scored on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.text_model.canonical import canonicalise
from detectors.text_model.grams import GramSpec
from detectors.text_model.lexicon import Lexicon, lexicon
from detectors.text_model.model import MIN_WORDS, Member, TextFeatures
from detectors.text_model.stylometry import PUNCTUATION, feature_names
from pipeline.text_training import fit
from pipeline.text_training.corpus import Row, joined_documents, read_rows, with_groups

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

PARTS: Final = 4  # of a corpus, by document; the first is held out for standardisation
# Kinds of n-grams of each linear member.
LINEAR: Final[tuple[tuple[GramSpec, ...], ...]] = (
    (GramSpec("distorted", 1, 3, 17),),
    (GramSpec("characters", 2, 4, 18), GramSpec("words", 1, 2, 18)),
)


@dataclass
class Design:
    """Rows and their features. Arrays are by row."""

    rows: list[Row]
    features: TextFeatures
    document: Ints  # rows of one number share a document
    seed: int = 1

    @property
    def lexicon(self) -> Lexicon:
        """Lexicon of the language."""
        return self.features.lexicon

    def __len__(self) -> int:
        return len(self.rows)

    def _text(self, name: str) -> npt.NDArray[np.str_]:
        return np.array([getattr(row, name) for row in self.rows], np.str_)

    @cached_property
    def machine(self) -> Bools:
        """Written by a model."""
        return np.array([row.machine for row in self.rows], np.bool_)

    @cached_property
    def family(self) -> npt.NDArray[np.str_]:
        """human, edited, chat or raw."""
        return self._text("family")

    @cached_property
    def source(self) -> npt.NDArray[np.str_]:
        """Sources."""
        return self._text("source")

    @cached_property
    def group(self) -> npt.NDArray[np.str_]:
        """Groups of balance."""
        return self._text("group")

    @cached_property
    def generator(self) -> npt.NDArray[np.str_]:
        """Generators."""
        return self._text("generator")

    @cached_property
    def attack(self) -> npt.NDArray[np.str_]:
        """Attacks; empty = clean."""
        return self._text("attack")

    @cached_property
    def part(self) -> Ints:
        """Part of the corpus, 0 to PARTS - 1, by hash of the document."""
        name: dict[int, str] = {}
        for row, document in zip(self.rows, self.document.tolist(), strict=True):
            name[document] = min(name.get(document, row.pair), row.pair)
        found = {document: _hash(pair) % PARTS for document, pair in name.items()}
        return np.array([found[document] for document in self.document.tolist()], np.int64)

    @cached_property
    def style(self) -> npt.NDArray[np.float32]:
        """Stylometry."""
        return self.features.style

    @cached_property
    def matrices(self) -> list[Any]:
        """Sparse n-grams of each linear member."""
        return [fit.matrix([self.features.grams(spec) for spec in specs]) for specs in LINEAR]

    @cached_property
    def order(self) -> npt.NDArray[np.uint64]:
        """Order in which documents of a group are kept, by hash of id and seed."""
        return np.array([_hash(f"{self.seed}:{row.id}") for row in self.rows], np.uint64)

    def columns(self, punctuation_only: bool = False) -> Ints:
        """Columns of stylometry that a forest reads."""
        names = feature_names(self.lexicon)
        return np.array([i for i, name in enumerate(names) if not punctuation_only or name in PUNCTUATION], np.int64)

    def weights(self, rows: Ints) -> Floats:
        """Weights of balance among these rows."""
        return fit.balance(self.group[rows].tolist(), self.machine[rows])

    def take(self, rows: Ints) -> Design:
        """These rows only."""
        features = TextFeatures(self.features.canonical.take(rows), self.lexicon)
        return Design([self.rows[i] for i in rows.tolist()], features, self.document[rows], self.seed)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def read_design(
    paths: Iterable[Path],
    language: str = "eng",
    overrides: Mapping[str, str] | None = None,
    min_words: int = MIN_WORDS,
    seed: int = 1,
) -> Design:
    """All rows of a language with at least `min_words` words, and which of them share a document.

    Raises:
        CorpusError: a file that cannot be used.
        TrainingError: no row is left.
    """
    rows = [row for row in read_rows(paths, overrides) if row.language == language]
    canonical = canonicalise([row.text for row in rows])
    kept = np.flatnonzero(canonical.words() >= min_words)
    if not len(kept):
        raise fit.TrainingError(f"no row in {language} with {min_words} words or more")
    features = TextFeatures(canonical.take(kept), lexicon(language))
    rows = with_groups([rows[i] for i in kept.tolist()])
    units = features.units
    words = (units.kind & 1) != 0
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(words)))[units.doc_unit]
    document = joined_documents(units.hash[words], bounds, [row.pair for row in rows])
    return Design(rows, features, document, seed)


def clean_rows(design: Design, head: str, among: Bools | None = None, most: int = fit.CAP_MACHINE) -> Ints:
    """Rows that a head learns from: clean human text and clean text of its family, capped.

    `among` limits them; `most` is the cap of a group and generator.
    """
    clean = ((design.family == "human") | (design.family == head)) & (design.attack == "")
    used = np.flatnonzero(clean if among is None else clean & among)
    kept = fit.cap(
        design.group[used].tolist(), design.machine[used], design.generator[used].tolist(), design.order[used],
        generated=most,
    )  # fmt: skip
    return used[kept]


def fit_members(
    design: Design,
    rows: Ints,
    target: Floats | None = None,
    seed: int = 1,
    trees: int = fit.TREES,
    forest_only: Ints | None = None,
) -> list[Member]:
    """Members fitted to these rows, not standardised yet. `target` in [0, 1] (default: the labels), by row of `rows`.

    `forest_only` fits one forest to these columns, for audits.
    """
    wanted = design.machine[rows].astype(np.float64) if target is None else target
    weight = design.weights(rows)
    columns = design.columns() if forest_only is None else forest_only
    forest = fit.fit_forest(design.style[rows][:, columns], wanted, weight, trees, seed)
    members = [Member("forest", 0.0, 1.0, forest, columns)]
    if forest_only is not None:
        return members
    for specs, matrix in zip(LINEAR, design.matrices, strict=True):
        coefficients, offset = fit.fit_linear(matrix[rows], wanted, weight)
        weights, scales = fit.quantise(coefficients, [spec.bits for spec in specs])
        members.append(
            Member("linear", 0.0, 1.0, specs=specs, weights=tuple(weights), scales=tuple(scales), offset=offset)
        )
    return members


def raw_scores(design: Design, members: Sequence[Member], rows: Ints) -> Floats:
    """Raw scores: rows x members."""
    found = np.zeros((len(rows), len(members)))
    matrices = iter(design.matrices) if len(members) > 1 else iter(())
    for number, member in enumerate(members):
        if member.forest is not None:
            x = np.ascontiguousarray(design.style[rows][:, member.columns])
            found[:, number] = member.forest.sums(x)[:, 0]
        else:
            weights = np.concatenate([w[:, 0] * s for w, s in zip(member.weights, member.scales, strict=True)])
            found[:, number] = next(matrices)[rows] @ weights + member.offset
    return found


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and sd of each member, and the sd of the mean of the standardised members."""

    mean: Floats
    sd: Floats
    together: float

    def z(self, raw: Floats) -> Floats:
        """z of raw scores (rows x members)."""
        result: Floats = ((raw - self.mean) / self.sd).mean(1) / self.together
        return result


def standardise(raw: Floats, weight: Floats) -> Standard:
    """From raw scores of calibration rows and their weights of balance (half human, half machine)."""
    share = weight / weight.sum()
    mean = share @ raw
    sd = np.maximum(np.sqrt(share @ (raw - mean) ** 2), 1e-9)
    joint = ((raw - mean) / sd).mean(1)
    return Standard(mean, sd, max(float(np.sqrt(share @ joint**2)), 1e-9))
