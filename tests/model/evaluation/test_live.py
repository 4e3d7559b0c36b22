from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from model.distributions import Distribution, Layout
from model.evaluation.live import Outturn
from model.snapshots import PeriodLabels
from model.tasks import Occurs, PeakPeriod, Sum, Task, TimeTo

BUYS = Task(name="buys", entity="user", target=Occurs(event_type="buy"), horizon_days=7)


def outturn(task: Task, parameters: np.ndarray, climatology: np.ndarray, label: object) -> Outturn:
    distribution = Distribution(task, parameters.astype(np.float64))
    return Outturn.of(distribution, Layout([task]).group(task.name), climatology, label)  # type: ignore[arg-type]


def test_perfectly_calibrated_predictions_have_the_skill_that_they_should() -> None:
    rng = np.random.default_rng(0)
    chance = rng.beta(1, 3, 20_000)
    label = (rng.random(20_000) < chance).astype(np.float32)
    usual = np.array([logit(chance.mean())], dtype=np.float32)
    score = outturn(BUYS, logit(chance)[:, None], usual, label).score("occurs")
    assert score is not None
    entropy = -(chance * np.log(chance) + (1 - chance) * np.log1p(-chance)).mean()
    mean = chance.mean()
    at_mean = -(mean * np.log(mean) + (1 - mean) * np.log1p(-mean))
    assert score.skill == pytest.approx(1 - entropy / at_mean, abs=0.02)
    assert score.skill_low < score.skill < score.skill_high
    assert score.calibration_error is not None
    assert score.calibration_error < 0.02
    assert score.predicted_mean == pytest.approx(score.observed_mean, abs=0.02)
    assert sum(row.share for row in score.reliability) == pytest.approx(1)


def test_the_climatology_itself_has_no_skill() -> None:
    label = np.array([0, 1, 0, 0], dtype=np.float32)
    usual = np.array([logit(0.25)], dtype=np.float32)
    score = outturn(BUYS, np.full((4, 1), logit(0.25)), usual, label).score("occurs")
    assert score is not None
    assert score.skill == pytest.approx(0, abs=1e-6)


def test_rows_without_a_label_do_not_count() -> None:
    label = np.array([0, np.nan, 1], dtype=np.float32)
    found = outturn(BUYS, np.zeros((3, 1)), np.zeros(1, np.float32), label)
    assert len(found) == 2
    nothing = outturn(BUYS, np.zeros((1, 1)), np.zeros(1, np.float32), label[1:2])
    assert nothing.score("occurs") is None
    together = Outturn.together([found, nothing, found])
    assert len(together) == 4


def test_of_each_kind_it_is_known_whether_it_happened() -> None:
    spend = Task(name="spend", entity="user", target=Sum(event_type="buy"), horizon_days=7)
    found = outturn(
        spend, np.zeros((3, 3)), np.zeros(3, np.float32), np.array([0, 5, np.nan], np.float32)
    )
    assert found.happened.tolist() == [False, True]
    until = Task(name="until", entity="user", target=TimeTo(event_type="buy"), horizon_days=7)
    found = outturn(
        until, np.zeros((2, 10)), np.zeros(10, np.float32), np.array([np.inf, 3], np.float32)
    )
    assert found.happened.tolist() == [False, True]
    best = Task(
        name="best",
        entity="item",
        target=PeakPeriod(event_type="buy", period="weekday"),
        horizon_days=7,
    )
    amounts = np.ones((2, 7), dtype=np.float32)
    amounts[1] = np.nan
    periods = PeriodLabels(amounts, np.ones((2, 7), dtype=np.float32))
    found = outturn(best, np.zeros((2, 7)), np.zeros(7, np.float32), periods)
    score = found.score("peak_period")
    assert score is not None
    assert (score.rows, score.predicted_mean) == (1, None)
    assert score.nll == pytest.approx(np.log(7))
