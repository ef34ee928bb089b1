"""Fits the heads for translations: one logistic regression a kind of n-gram, standardised, averaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.machine_translation.model_file import MACHINE, TRANSLATED
from detectors.text_model.model import Member, model_bytes
from pipeline.text_training import fit
from pipeline.text_training.design import Standard, standardise
from pipeline.text_training.translation_corpus import ORIGINAL, TranslationDesign, specs_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

# Inverse penalty: the machine head's classes share their content, so that it can afford more.
INVERSE_PENALTY: Final = {TRANSLATED: 10.0, MACHINE: 20.0}
ROUNDS: Final = 150
LEAST_ROWS: Final = 3  # documents that an n-gram must be in
LEAST: Final = 50  # documents of a class
HELD: Final = 10  # one in so many documents standardises


@dataclass(frozen=True, slots=True)
class Linear:
    """Coefficients of a member by bucket, and its offset."""

    coefficients: Floats
    offset: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """Members and their standard."""

    members: tuple[Linear, ...]
    standard: Standard

    def z(self, matrices: Sequence[Any], rows: Ints) -> Floats:
        """Standardised scores of rows."""
        return self.standard.z(raw_scores(self.members, matrices, rows))


def raw_scores(members: Sequence[Linear], matrices: Sequence[Any], rows: Ints) -> Floats:
    """Raw scores: rows x members."""
    columns = [m[rows] @ linear.coefficients + linear.offset for m, linear in zip(matrices, members, strict=True)]
    return np.stack(columns, 1)


def fit_sparse(x: Any, target: Floats, weight: Floats, inverse_penalty: float) -> Linear:
    """Logistic regression on the n-grams that at least LEAST_ROWS documents have."""
    present = np.bincount(x.indices, minlength=x.shape[1])
    used = np.flatnonzero(present >= LEAST_ROWS)
    found, offset = fit.fit_linear(x[:, used].tocsr(), target, weight, inverse_penalty, rounds=ROUNDS)
    coefficients = np.zeros(x.shape[1])
    coefficients[used] = found
    return Linear(coefficients, offset)


def weights_of(design: TranslationDesign, rows: Ints, machine: Bools) -> Floats:
    """Weights of balance: each class sums to half, sources by the root of their size."""
    return fit.balance(design.part[rows].tolist(), machine)


def fit_members(
    design: TranslationDesign, rows: Ints, head: str, matrices: Sequence[Any], machine: Bools | None = None
) -> list[Linear]:
    """Members fitted to these rows. `machine` replaces the labels, by row of the design (for audits)."""
    labels = design.is_machine(head) if machine is None else machine
    weight = weights_of(design, rows, labels[rows])
    target = labels[rows].astype(np.float64)
    return [fit_sparse(matrix[rows], target, weight, INVERSE_PENALTY[head]) for matrix in matrices]


def held_out(design: TranslationDesign, rows: Ints) -> Bools:
    """The tenth of the documents that standardises. Another part of the number than the folds use."""
    held: Bools = design.group[rows] // 7 % HELD == 0
    return held


def fit_standardised(
    design: TranslationDesign, rows: Ints, head: str, matrices: Sequence[Any], machine: Bools | None = None
) -> Fitted:
    """Members fitted to nine tenths of the documents and standardised on the tenth.

    Raises:
        TrainingError: a class has too few documents.
    """
    labels = design.is_machine(head) if machine is None else machine
    held = held_out(design, rows)
    for part in (held, ~held):
        least = 5 if part is held else LEAST
        if min(labels[rows[part]].sum(), (~labels[rows[part]]).sum()) < least:
            raise fit.TrainingError(f"{design.language}, {head}: fewer than {LEAST} documents of a class to fit to")
    members = fit_members(design, rows[~held], head, matrices, machine)
    raw = raw_scores(members, matrices, rows[held])
    return Fitted(tuple(members), standardise(raw, weights_of(design, rows[held], labels[rows[held]])))


def train_language(design: TranslationDesign, head: str) -> bytes:
    """The model of a head and language: fitted to all rows, with the standard of nine tenths.

    Raises:
        TrainingError: a class has too few documents.
    """
    rows = design.used(head)
    standard = fit_standardised(design, rows, head, design.matrices).standard
    members = []
    fitted = fit_members(design, rows, head, design.matrices)
    for spec, linear, mean, sd in zip(specs_of(design.language), fitted, standard.mean, standard.sd, strict=True):
        weights, scales = fit.quantise(linear.coefficients, [spec.bits])
        members.append(Member(
            "linear", float(mean), float(sd), specs=(spec,), weights=tuple(weights), scales=tuple(scales),
            offset=linear.offset,
        ))  # fmt: skip
    meta = {"trained_on": describe(design, rows), "inverse_penalty": INVERSE_PENALTY[head]}
    return model_bytes(head, design.language, members, standard.together, meta)


def describe(design: TranslationDesign, rows: Ints) -> list[Mapping[str, Any]]:
    """Documents by source and label, with licence and systems."""
    counts: Counter[tuple[str, str, str]] = Counter()
    systems: dict[tuple[str, str, str], set[str]] = {}
    for i in rows.tolist():
        row = design.rows[i]
        key = (row.source, row.licence, row.label)
        counts[key] += 1
        systems.setdefault(key, set()).update([row.system] if row.system and row.label != ORIGINAL else [])
    return [
        {"source": source, "licence": licence, "label": label, "documents": counts[source, licence, label],
         "systems": sorted(systems[source, licence, label])}
        for source, licence, label in sorted(counts)
    ]  # fmt: skip
