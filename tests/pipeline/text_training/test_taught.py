"""A teacher beside a student, and cheap attacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detectors.text_model.canonical import canonicalise
from detectors.text_model.lexicon import lexicon
from detectors.text_model.model import TextFeatures
from pipeline.text_training.attacks import ATTACKS, attacked
from pipeline.text_training.corpus import CHAT, HUMAN, Row
from pipeline.text_training.design import Design
from pipeline.text_training.taught import Lessons, agreement

TEXT = "It is known, however, that the people of the town do not leave their houses, for it is cold. " * 20


def fitted(statistics: Any, labels: Any, groups: Any) -> Any:
    """A teacher that reads the first statistic, in the direction that its training rows say."""
    sign = np.sign(statistics[labels, 0].mean() - statistics[~labels, 0].mean())
    return SimpleNamespace(score=lambda rows: sign * rows[:, 0])


LIBRARY = SimpleNamespace(
    fit_teacher=fitted, TEACHER_WEIGHT=0.6, out_of_fold=lambda s, labels, groups: fitted(s, labels, groups).score(s)
)


def design(rows: int) -> Design:
    listed = [
        Row(str(i), "", CHAT if i % 2 else HUMAN, "g", "eng", "d", f"s{i % 3}", "", str(i), group=f"s{i % 3}")
        for i in range(rows)
    ]
    return Design(listed, TextFeatures(canonicalise([""] * rows), lexicon("eng")), np.arange(rows))


def lessons(rows: int, told: int) -> Lessons:
    statistics = np.full((rows, 2), np.nan)
    statistics[:told] = np.random.default_rng(1).normal(size=(told, 2))
    statistics[1:told:2, 0] += 2
    return Lessons(statistics, ~np.isnan(statistics[:, 0]), LIBRARY)


def test_the_teacher_is_fitted_outside_the_fold_and_added() -> None:
    rows, train, test = design(400), np.arange(200), np.arange(200, 400)
    student = np.zeros(200)
    found = lessons(400, 350).fold(rows, "chat", train, test, student)
    assert found is not None
    assert (found["human"], found["machine"]) == (75, 75)
    assert found["auc_student"] == 0.5
    assert found["auc_teacher"] == found["auc_both"]
    assert float(str(found["auc_teacher"])) > 0.85
    assert lessons(400, 210).fold(rows, "chat", train, test, student) is None  # too few in the fold


def test_targets_mix_the_label_with_the_teacher() -> None:
    target, opinion = lessons(100, 60).targets(design(100), np.arange(100))
    machine = np.arange(100) % 2 == 1
    assert np.isnan(opinion[60:]).all()
    assert (target[60:] == machine[60:]).all()
    expected = 0.5 * machine[:60] + 0.5 / (1 + np.exp(-opinion[:60]))
    assert np.allclose(target[:60], expected)


def test_agreement() -> None:
    opinion = np.array([-2.0, -1.0, np.nan, 1.0, 2.0])
    same = agreement(opinion.copy(), opinion)
    assert (same["documents"], same["rank_correlation"], same["same_side"]) == (4, 1.0, 1.0)
    assert agreement(-opinion, opinion)["cross_entropy"] > same["cross_entropy"]
    assert agreement(opinion[2:3], opinion[2:3]) == {"documents": 0}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_change_the_text_and_are_deterministic(name: str) -> None:
    found = attacked(TEXT, name)
    assert found == attacked(TEXT, name)
    assert (found == TEXT) == (name == "none")


@pytest.mark.parametrize("name", ["homoglyphs, 30 %", "zero-width spaces, 10 %", "white space"])
def test_canonical_text_undoes_attacks_on_characters(name: str) -> None:
    text = TEXT.strip()
    assert canonicalise([attacked(text, name)]).text(0)[:900] == canonicalise([text]).text(0)[:900]
