from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import nbinom, norm

from model.distributions import EDGES, Distribution, Layout, Scale, of_task
from model.tasks import (
    Column,
    Count,
    Next,
    Occurs,
    PeakPeriod,
    Sum,
    Target,
    Task,
    TimeTo,
)

LEVELS = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
some = st.floats(-4, 4)
SCALE = Scale(location=3.0, scale=0.7)
CLASSES = ("shoes", "hats", "other")


def task_of(target: Target) -> Task:
    return Task(name="t", entity="item", target=target, horizon_days=30)


COUNT = task_of(Count(event_type="buy"))
SUM = task_of(Sum(event_type="buy"))


def count(a: float, b: float, c: float) -> Distribution:
    return Distribution(COUNT, np.array([[a, b, c]]))


def amount(a: float, b: float, c: float) -> Distribution:
    return Distribution(SUM, np.array([[a, b, c]]), SCALE)


def count_cdf(at: float, a: float, b: float, c: float) -> float:
    """P(y <= at), straight from the definition."""
    size, mean = np.exp(c), np.exp(b)
    beyond = nbinom.cdf(np.floor(at) - 1, size, size / (size + mean))
    return float(1 - expit(a) + expit(a) * beyond) if at >= 0 else 0.0


def amount_cdf(at: float, a: float, b: float, c: float) -> float:
    if at <= 0:
        return float(1 - expit(a)) if at == 0 else 0.0
    standardised = (np.log(at) - SCALE.location) / SCALE.scale
    return float(1 - expit(a) + expit(a) * norm.cdf(standardised, b, np.exp(c)))


@given(some, st.floats(-3, 5), st.floats(-2, 4))
def test_count_quantiles_are_those_of_its_cdf(a: float, b: float, c: float) -> None:
    quantiles = [float(count(a, b, c).quantile(level)[0]) for level in LEVELS]
    assert quantiles == sorted(quantiles)
    for level, quantile in zip(LEVELS, quantiles, strict=True):
        assert quantile == round(quantile)
        assert count_cdf(quantile, a, b, c) >= level - 1e-7
        assert quantile == 0 or count_cdf(quantile - 1, a, b, c) <= level + 1e-7


@given(some, st.floats(-3, 3), st.floats(-2, 1.5))
def test_amount_quantiles_are_those_of_its_cdf(a: float, b: float, c: float) -> None:
    quantiles = [float(amount(a, b, c).quantile(level)[0]) for level in LEVELS]
    assert quantiles == sorted(quantiles)
    for level, quantile in zip(LEVELS, quantiles, strict=True):
        if quantile == 0:
            assert level <= 1 - expit(a)
        else:
            assert amount_cdf(quantile, a, b, c) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(-2.0, 0.0, 0.0), (0.0, 1.0, 2.0), (3.0, -1.0, -1.0), (1.0, 2.0, 5.0)]
)
def test_the_expected_count_is_the_mean_of_draws(a: float, b: float, c: float) -> None:
    rng = np.random.default_rng(0)
    size, mean = np.exp(c), np.exp(b)
    draws = 200_000
    happens = rng.random(draws) < expit(a)
    drawn = np.where(happens, 1 + rng.negative_binomial(size, size / (size + mean), draws), 0)
    error = drawn.std() / np.sqrt(draws)
    assert abs(float(count(a, b, c).expected[0]) - drawn.mean()) < 4 * error


@pytest.mark.parametrize(("a", "b", "c"), [(-2.0, 0.0, -0.5), (0.0, 1.0, 0.0), (3.0, -1.0, 0.3)])
def test_the_expected_amount_is_the_mean_of_draws(a: float, b: float, c: float) -> None:
    rng = np.random.default_rng(0)
    draws = 200_000
    logs = SCALE.location + SCALE.scale * rng.normal(b, np.exp(c), draws)
    drawn = np.where(rng.random(draws) < expit(a), np.exp(logs), 0)
    error = drawn.std() / np.sqrt(draws)
    assert abs(float(amount(a, b, c).expected[0]) - drawn.mean()) < 4 * error


@given(st.lists(st.floats(-8, 8), min_size=7, max_size=7))
def test_period_probabilities_sum_to_one(parameters: list[float]) -> None:
    task = task_of(PeakPeriod(event_type="buy", period="weekday"))
    found = Distribution(task, np.array([parameters]))
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.point[0] == found.probabilities.max()
    (answer,) = found.answers()
    assert answer["best"] == int(np.argmax(found.probabilities)) + 1
    assert list(answer["probabilities"]) == [str(day) for day in range(1, 8)]


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (Occurs(event_type="buy"), ()),
        (Count(event_type="buy"), ()),
        (Sum(event_type="buy"), ()),
        (PeakPeriod(event_type="buy", period="hour"), ()),
        (Next(of="item.category"), CLASSES),
        (TimeTo(event_type="buy"), ()),
        (Column(column="rating"), ()),
        (Column(column="color"), CLASSES),
    ],
)
@pytest.mark.parametrize("size", [0.0, 3.0, 50.0])
def test_answers_are_json_whatever_the_parameters(
    target: Target, classes: tuple[str, ...], size: float
) -> None:
    task = task_of(target)
    layout = Layout([task], {"t": classes} if classes else None)
    rng = np.random.default_rng(0)
    flat = (rng.normal(size=(20, layout.columns)) * size).astype(np.float32)
    found = of_task(layout, "t", flat, {"t": SCALE})
    answers = json.loads(json.dumps(found.answers(), allow_nan=False))
    assert len(answers) == 20
    assert {answer["kind"] for answer in answers} == {target.kind}
    assert found.point.shape == (20,)
    assert np.isfinite(found.point).all()


def test_a_probability_is_the_point_of_occurs() -> None:
    found = Distribution(task_of(Occurs(event_type="buy")), np.array([[0.0], [2.0]]))
    assert found.point.tolist() == [0.5, pytest.approx(expit(2.0))]
    assert found.answers()[0] == {"kind": "occurs", "probability": 0.5}


def test_an_answer_of_amounts_tells_its_quantiles() -> None:
    (answer,) = amount(0.0, 0.0, -1.0).answers()
    assert answer["probability_any"] == 0.5
    assert list(answer["quantiles"]) == ["0.1", "0.5", "0.9"]
    assert answer["quantiles"]["0.1"] == answer["quantiles"]["0.5"] == 0
    assert answer["quantiles"]["0.9"] > np.exp(SCALE.location)


def test_a_task_reads_its_own_columns() -> None:
    tasks = [
        task_of(target).model_copy(update={"name": name})
        for name, target in {"a": Count(event_type="x"), "b": Count(event_type="y")}.items()
    ]
    layout = Layout(tasks)
    flat = np.arange(6, dtype=np.float32)[None]
    assert of_task(layout, "b", flat, {}).parameters.tolist() == [[3, 4, 5]]


def test_the_best_class_is_named() -> None:
    task = task_of(Next(of="item.category"))
    found = Distribution(task, np.array([[0.0, 2.0, 1.0]]), classes=CLASSES)
    (answer,) = found.answers()
    assert answer["kind"] == "next"
    assert answer["best"] == "hats"
    assert list(answer["probabilities"]) == list(CLASSES)
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert found.point[0] == answer["probabilities"]["hats"]


def test_a_column_of_categories_is_told_like_the_next_class() -> None:
    found = Distribution(task_of(Column(column="color")), np.zeros((1, 3)), classes=CLASSES)
    (answer,) = found.answers()
    assert (answer["kind"], answer["values"], answer["best"]) == ("column", "categories", "shoes")
    assert answer["probabilities"] == pytest.approx(dict.fromkeys(CLASSES, 1 / 3))


def test_a_column_of_numbers_is_told_in_its_own_units() -> None:
    found = Distribution(task_of(Column(column="rating")), np.array([[0.5, np.log(2)]]), SCALE)
    (answer,) = found.answers()
    mean, deviation = 3.0 + 0.7 * 0.5, 0.7 * 2
    assert (answer["kind"], answer["values"]) == ("column", "numbers")
    assert answer["expected"] == found.point[0] == pytest.approx(mean)
    for level, value in answer["quantiles"].items():
        assert value == pytest.approx(norm.ppf(float(level), mean, deviation))


def test_a_time_is_told_in_days_as_far_as_the_horizon() -> None:
    """A constant hazard rate, of which half is left after the horizon's 30 days."""
    widths = np.diff([0.0, *EDGES])
    hazard = 1 - 0.5**widths
    found = Distribution(task_of(TimeTo(event_type="buy")), np.log(hazard / (1 - hazard))[None])
    (answer,) = found.answers()
    assert answer["kind"] == "time_to"
    assert answer["probability_any"] == found.point[0] == pytest.approx(0.5)
    assert answer["survival"] == pytest.approx(
        {str(day): 0.5 ** (day / 30) for day in (1, 3, 7, 14, 30)}
    )
    assert answer["quantiles"]["0.1"] == pytest.approx(30 * np.log(0.9) / np.log(0.5))
    assert answer["quantiles"]["0.5"] == pytest.approx(30)
    assert answer["quantiles"]["0.9"] is None
    assert answer["expected_days"] == pytest.approx(30 * 0.5 / np.log(2))
