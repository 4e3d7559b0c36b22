"""Distributions within bounds, against the same distribution cut off by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit

from model.distributions import BINS, Bounds, Distribution, Scale, conditioned
from model.tasks import Column, Count, Occurs, Sum, Target, Task, TimeTo

HORIZON = 30
SCALE = Scale(location=3.0, scale=0.7)
logit = st.floats(-3, 3)


def of(target: Target, parameters: list[float]) -> Distribution:
    task = Task(name="t", entity="user", target=target, horizon_days=HORIZON)
    return Distribution(task, np.array([parameters], dtype=np.float64), SCALE)


def count(a: float, b: float, c: float) -> Distribution:
    return of(Count(event_type="buy"), [a, b, c])


def amount(a: float, b: float, c: float) -> Distribution:
    return of(Sum(event_type="buy"), [a, b, c])


def time(logits: list[float]) -> Distribution:
    return of(TimeTo(event_type="buy"), logits)


def density(distribution: Distribution, outcome: float) -> float:
    return float(np.exp(distribution.log_probability(outcome)[0]))


times = st.lists(st.floats(-4, 1), min_size=BINS, max_size=BINS)


def test_without_bounds_it_is_the_same_object() -> None:
    marginal = count(0.3, 0.2, 0.1)
    assert conditioned(marginal, Bounds()) is marginal


def test_a_number_has_no_bounds() -> None:
    number = of(Column(column="stars"), [0.0, 0.0])
    assert conditioned(number, Bounds(happens=True)) is number


@pytest.mark.parametrize("happens", [True, False])
def test_what_is_sure_to_happen_happens(happens: bool) -> None:
    for marginal in (of(Occurs(event_type="buy"), [0.4]), count(1, 1, 1), amount(1, 1, 1)):
        found = conditioned(marginal, Bounds(happens=happens))
        assert found.probability_any[0] == happens
        assert marginal.probability_any[0] == pytest.approx(expit(marginal.parameters[0, 0]))
    nothing = conditioned(amount(1, 1, 1), Bounds(happens=False))
    assert nothing.expected[0] == 0
    assert nothing.quantile(0.9)[0] == 0
    assert nothing.log_probability(0)[0] == 0


@given(logit, st.floats(-2, 2), st.floats(-2, 3), st.integers(0, 5), st.integers(0, 30))
def test_counts_within_bounds(a: float, b: float, c: float, least: int, more: int) -> None:
    most = math.inf if more == 30 else least + more
    marginal = count(a, b, c)
    found = conditioned(marginal, Bounds(least=least, most=most, happens=True if least else None))
    support = np.arange(least, (4000 if most == math.inf else most) + 1)
    weights = np.array([density(marginal, y) for y in support])
    share = weights / weights.sum()
    assert found.expected[0] == pytest.approx(share @ support, rel=1e-3, abs=1e-6)
    assert found.probability_any[0] == pytest.approx(share[support > 0].sum(), abs=1e-6)
    assert density(found, least) == pytest.approx(share[0], rel=1e-4, abs=1e-9)
    cumulative = share.cumsum()
    for level in (0.1, 0.5, 0.9):
        quantile = found.quantile(level)[0]
        at = int(quantile - least)
        assert cumulative[at] >= level - 1e-6
        assert at == 0 or cumulative[at - 1] <= level + 1e-6
    assert found.log_probability(least - 1)[0] == -math.inf


@given(logit, st.floats(-1, 1), st.floats(-1.5, 0.5), st.floats(0.5, 60), st.floats(1.2, 5))
def test_sums_within_bounds(a: float, b: float, c: float, least: float, times_more: float) -> None:
    most = least * times_more
    marginal = amount(a, b, c)
    found = conditioned(marginal, Bounds(least=least, most=most, happens=True))
    mass = quad(lambda y: density(marginal, y), least, most)[0]
    total = quad(lambda y: y * density(marginal, y), least, most)[0]
    if mass < 1e-6:
        return
    assert found.expected[0] == pytest.approx(total / mass, rel=1e-3)
    assert found.probability_any[0] == 1
    middle = found.quantile(0.5)[0]
    below = quad(lambda y: density(found, y), least, middle)[0]
    assert below == pytest.approx(0.5, abs=1e-3)


def test_a_sum_not_more_than_an_amount_may_be_nothing() -> None:
    marginal = amount(0.5, 0.0, 0.0)
    found = conditioned(marginal, Bounds(most=20.0))
    nothing = density(marginal, 0)
    some = quad(lambda y: density(marginal, y), 1e-9, 20)[0]
    assert found.probability_any[0] == pytest.approx(some / (nothing + some), abs=1e-4)
    assert density(found, 0) == pytest.approx(nothing / (nothing + some), abs=1e-4)


@given(times, st.floats(0, 25), st.floats(0.5, 20))
def test_times_within_bounds(logits: list[float], after: float, more: float) -> None:
    by = after + more if after + more < HORIZON else math.inf
    marginal = time(logits)
    found = conditioned(marginal, Bounds(least=after, most=by, happens=None))
    before = marginal.probability_within(after)[0] if after else 0.0
    end = marginal.probability_within(by)[0] if by < HORIZON else 1.0
    for days in np.linspace(after + 0.1, min(by, HORIZON), 5):
        inside = (marginal.probability_within(days)[0] - before) / (end - before)
        assert found.probability_within(days)[0] == pytest.approx(inside, abs=1e-6)
    days = np.linspace(0, HORIZON, 3001)
    survival = 1 - np.array([found.probability_within(float(day))[0] for day in days])
    assert found.expected[0] == pytest.approx(np.trapezoid(survival, days), abs=0.02)
    for level in (0.1, 0.5, 0.9):
        quantile = found.quantile(level)[0]
        if math.isnan(quantile):
            assert found.probability_any[0] <= level + 1e-6
        else:
            assert found.probability_within(quantile)[0] == pytest.approx(level, abs=1e-6)


def test_a_time_that_is_known_not_to_come() -> None:
    found = conditioned(time([0.0] * BINS), Bounds(happens=False, least=HORIZON))
    assert found.probability_any[0] == 0
    assert found.expected[0] == HORIZON
    assert math.isnan(found.quantile(0.5)[0])
    assert found.log_probability(math.inf)[0] == 0
    assert found.log_probability(3)[0] == -math.inf


def test_densities_sum_to_one() -> None:
    logits = [-1.0] * BINS
    within = quad(lambda d: density(time(logits), d), 0, HORIZON, limit=200)[0]
    assert within + density(time(logits), math.inf) == pytest.approx(1, abs=1e-5)
    some = quad(lambda y: density(amount(0.5, 0.0, 0.0), y), 0, 5000, limit=200)[0]
    assert some + density(amount(0.5, 0.0, 0.0), 0) == pytest.approx(1, abs=1e-4)
    counts = sum(density(count(0.5, 0.0, 0.0), y) for y in range(500))
    assert counts == pytest.approx(1, abs=1e-9)


def test_an_answer_is_json_within_bounds() -> None:
    found = conditioned(time([0.0] * BINS), Bounds(least=7.0))
    (answer,) = found.answers()
    assert answer["survival"]["7"] == 1
    assert answer["quantiles"]["0.1"] > 7
