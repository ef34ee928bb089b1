"""Regression and Gaussian cases of `headwater collapse` against what can be calculated."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.collapse import gaussian, regression
from pipeline.collapse.workflows import Workflow, all_workflows, error_multiplier, over_seeds

WORKFLOWS = all_workflows((0.1, 0.3))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_regression_is_within_ten_percent_of_theory_in_every_generation(workflow: Workflow) -> None:
    found = regression.simulate(workflow, 25, 400, np.random.default_rng(11), rows=300) / regression.first_error(300)
    assert found == pytest.approx(regression.theory(workflow, 25), rel=0.1)


def test_limits_of_the_papers() -> None:
    limits = {workflow.name: regression.limit(workflow) for workflow in WORKFLOWS}
    assert limits["fresh_0.1"] == pytest.approx(5.26, abs=0.005)
    assert limits["fresh_0.3"] == pytest.approx(1.96, abs=0.005)
    assert limits["accumulate"] == pytest.approx(1.645, abs=0.0005)
    assert limits["budget"] == pytest.approx(2.935, abs=0.0005)
    assert limits["replace"] is None
    for workflow in WORKFLOWS[1:]:
        assert regression.theory(workflow, 20_000)[-1] == pytest.approx(limits[workflow.name], rel=1e-3)
    assert error_multiplier(0.0, 7) == 7
    assert error_multiplier(0.3, 1) == 1
    assert error_multiplier(1.0) == 1


@pytest.mark.parametrize(("dimensions", "rows", "fresh"), [(1, 10, 0.5), (3, 12, 0.25), (4, 40, 0.1)])
def test_error_that_is_carried_on_is_exact_for_few_rows(dimensions: int, rows: int, fresh: float) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60_000, rows, dimensions))
    labelled = x[:, round(fresh * rows) :]
    before = np.ones((dimensions, 1)) / np.sqrt(dimensions)
    gram = x.transpose(0, 2, 1) @ x
    after = np.linalg.solve(gram, labelled.transpose(0, 2, 1) @ (labelled @ before))
    expected = float((after**2).sum() / len(x))
    workflow = Workflow("fresh", fresh)
    assert regression.carried(workflow, rows, dimensions) == pytest.approx(expected, rel=0.02)
    assert regression.carried(workflow, 10**7, dimensions) == pytest.approx((1 - fresh) ** 2, rel=1e-4)
    assert regression.carried(Workflow("replace"), rows, dimensions) == pytest.approx(1)


def test_gaussian_variance_falls_and_fresh_data_holds_it() -> None:
    rng = np.random.default_rng(3)
    replace, _ = gaussian.simulate(WORKFLOWS[0], 50, 4000, rng)
    assert np.exp(replace) == pytest.approx(np.exp(gaussian.log_variance(50)), rel=0.1)
    assert np.exp(gaussian.log_variance(50)[-1]) == pytest.approx(0.602, abs=0.001)
    for workflow in WORKFLOWS[1:]:
        logs, _ = gaussian.simulate(workflow, 50, 300, rng)
        assert np.exp(logs).min() > 0.94


@pytest.mark.parametrize("workflow", WORKFLOWS[:-1], ids=lambda workflow: workflow.name)
def test_gaussian_mean_is_within_ten_percent_of_theory(workflow: Workflow) -> None:
    _, errors = gaussian.simulate(workflow, 20, 4000, np.random.default_rng(2))
    assert errors == pytest.approx(gaussian.mean_error(workflow, 20), rel=0.1)


def test_gaussian_budget_stays_bounded() -> None:
    _, errors = gaussian.simulate(WORKFLOWS[-1], 40, 1500, np.random.default_rng(2))
    assert errors[-10:].mean() == pytest.approx(np.pi**2 / 2 - 2, rel=0.1)


def test_intervals_over_seeds() -> None:
    values = np.array([[1.0, 100.0], [3.0, 100.0], [2.0, 100.0]])
    found = over_seeds(values)
    assert found["mean"] == [2, 100]
    assert found["low"] == [0, 100]  # 2 - 4.303 / sqrt(3) is below nothing
    assert found["high"][0] == pytest.approx(2 + 4.302653 / np.sqrt(3), rel=1e-6)
    logs = over_seeds(np.array([[1.0], [100.0]]), logarithms=True)
    assert logs["mean"] == [10]
    assert 0 < logs["low"][0] < 10 < logs["high"][0]
