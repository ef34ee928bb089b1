"""Measures against definitions and tabulated values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.text_training.measures import Rate, auc, auc_error, rate_beyond, threshold_at, wilson


def test_area_is_the_chance_that_a_machine_scores_higher() -> None:
    random = np.random.default_rng(0)
    score = random.integers(0, 8, 60).astype(np.float64)
    machine = random.random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in score[machine] for b in score[~machine]]
    assert auc(machine, score) == pytest.approx(np.mean(pairs))
    assert math.isnan(auc(np.ones(3, np.bool_), np.zeros(3)))
    assert auc_error(0.9, 100, 100) == pytest.approx(0.0223, abs=1e-3)


def test_wilson_intervals() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(1, 100) == pytest.approx((0.00177, 0.05446), abs=1e-4)
    assert Rate(1, 100).plain() == {"share": 0.01, "low": 0.0018, "high": 0.0545, "n": 100}


def test_at_most_the_stated_share_lies_beyond_a_threshold() -> None:
    human = np.arange(250.0)
    threshold = threshold_at(human, 0.01)
    assert rate_beyond(human, threshold).hits == 2
    assert threshold_at(np.zeros(0), 0.01) == math.inf
