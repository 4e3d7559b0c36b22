from __future__ import annotations

import numpy as np
import pytest
import torch

from model.distributions import BINS, Distribution, Layout, Scale
from model.tasks import Column, Next, PeakPeriod, Sum, Target, Task, TimeTo
from model.training.task_metrics import observed_mean, outcomes, task_metrics

INF = np.inf
CLASSES = ("blue", "green", "red")


def task_of(target: Target) -> Task:
    return Task(name="t", entity="user", target=target, horizon_days=30)


def happened(target: Target, labels: list[float], scale: Scale) -> list[float]:
    layout = Layout([task_of(target)], {"t": CLASSES} if isinstance(target, Next) else None)
    found = outcomes(layout.tasks[0], layout.groups[0], torch.tensor(labels), scale)
    return [float(value) for value in found]


def test_outcomes_are_in_the_units_of_the_answers() -> None:
    scale = Scale(location=2.0, scale=0.5)
    sums = happened(Sum(event_type="buy"), [0.0, -INF], scale)
    assert sums == pytest.approx([np.exp(2.0), 0.0])
    assert happened(Column(column="rating"), [0.0, 2.0], scale) == [2.0, 3.0]
    assert happened(TimeTo(event_type="buy"), [0.5, INF], Scale()) == [15.0, INF]
    assert happened(Next(), [0.0, 2.0], Scale()) == [0.0, 2.0]


def test_the_outcome_of_a_cycle_is_its_best_period() -> None:
    task = Task(name="t", entity="item", target=PeakPeriod(event_type="buy", period="weekday"))
    layout = Layout([task])
    shares = torch.tensor([[0.1, 0, 0.6, 0.3, 0, 0, 0]])
    labels = torch.stack([shares, torch.zeros_like(shares)], dim=1)
    assert outcomes(task, layout.groups[0], labels, Scale()).tolist() == [2]


def test_of_times_the_median_is_judged_where_the_event_came() -> None:
    soon, late = np.full(BINS, 2.0), np.full(BINS, -6.0)
    found = Distribution(task_of(TimeTo(event_type="buy")), np.stack([soon, soon, late, late]))
    median = found.quantile(0.5)[0]
    days = np.array([1.0, 2.0, 29.0, INF])
    metrics = task_metrics(found, days, np.ones(4))
    assert set(metrics) == {"concordance", "auroc", "mean_absolute_error"}
    # A median beyond the horizon counts as the horizon.
    expected = (abs(1 - median) + abs(2 - median) + 1.0) / 3
    assert metrics["mean_absolute_error"] == pytest.approx(expected)
    # Five pairs are in a known order; the two ties of what is expected count half.
    assert metrics["concordance"] == pytest.approx((4 + 2 * 0.5) / 6)
    assert observed_mean(found, days, np.ones(4)) == 0.75


def test_of_times_without_an_event_only_what_is_defined_is_told() -> None:
    found = Distribution(task_of(TimeTo(event_type="buy")), np.zeros((3, BINS)))
    assert task_metrics(found, np.full(3, INF), np.ones(3)) == {}
    assert observed_mean(found, np.full(3, INF), np.ones(3)) == 0


def test_of_classes_the_best_ones_are_judged() -> None:
    logits = np.array([[3.0, 2, 1], [3, 2, 1], [1, 2, 3]])
    found = Distribution(task_of(Next()), logits, classes=CLASSES)
    metrics = task_metrics(found, np.array([0.0, 1, 0]), np.ones(3))
    assert metrics == {"top1": pytest.approx(1 / 3), "top3": 1.0}
    assert observed_mean(found, np.zeros(3), np.ones(3)) is None


def test_of_numbers_the_mean_is_judged() -> None:
    scale = Scale(location=10.0, scale=2.0)
    found = Distribution(task_of(Column(column="rating")), np.zeros((2, 2)), scale)
    metrics = task_metrics(found, np.array([13.0, 6.0]), np.array([3.0, 1.0]))
    assert metrics["mean_absolute_error"] == pytest.approx((3 * 3 + 4) / 4)
    assert metrics["root_mean_squared_error"] == pytest.approx(((3 * 9 + 16) / 4) ** 0.5)
    assert observed_mean(found, np.array([13.0, 6.0]), np.array([3.0, 1.0])) == 11.25
