from __future__ import annotations

import numpy as np
import pytest

from model.distributions import Baselines, Layout, Serving, TaskServing, standardise
from model.distributions.baselines import LinearTasks
from model.tasks import Occurs, PeakPeriod, Task

BUYS = Task(name="buys", entity="item", target=Occurs(event_type="buy"), horizon_days=30)
VIEWS = Task(name="views", entity="item", target=Occurs(event_type="view"), horizon_days=30)
BEST = Task(name="best", entity="item", target=PeakPeriod(event_type="buy", period="weekday"))
LAYOUT = Layout([BUYS, VIEWS, BEST])
ROWS = 5


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def served_parameters(
    serving: dict[str, TaskServing],
    network: np.ndarray,
    naive: dict[str, np.ndarray],
    baselines: Baselines,
    numbers: np.ndarray,
) -> np.ndarray:
    nobody = np.zeros(len(network), dtype=bool)
    return Serving(LAYOUT, serving, baselines).parameters(network, naive, numbers, nobody)


@pytest.fixture
def baselines() -> Baselines:
    return Baselines(
        climatology=floats(LAYOUT.columns),
        features=np.array([[0, 2], [1, 2], [0, 1]]),
        mean=floats(3, 2),
        spread=np.ones((3, 2), dtype=np.float32),
        weights=floats(LAYOUT.columns, 3),
    )


def test_each_task_is_served_from_its_own_source(baselines: Baselines) -> None:
    network, numbers, naive = floats(ROWS, LAYOUT.columns), floats(ROWS, 3), floats(ROWS, 7)
    serving = {
        "buys": TaskServing(source="model", slope=(2.0,), shift=(-1.0,)),
        "views": TaskServing(source="recency_frequency"),
        "best": TaskServing(source="seasonal_naive"),
    }
    served = served_parameters(serving, network, {"best": naive}, baselines, numbers)
    buys, views, best = (LAYOUT.columns_of(name) for name in ("buys", "views", "best"))
    np.testing.assert_allclose(served[:, buys], 2 * network[:, buys] - 1)
    position = LAYOUT.position("views")
    inputs = standardise(
        numbers[:, baselines.features[position]],
        baselines.mean[position],
        baselines.spread[position],
    )
    weights = baselines.weights[views][0]
    expected = inputs @ weights[:-1] + weights[-1]
    np.testing.assert_allclose(served[:, views][:, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(served[:, best], naive)


def test_the_climatology_is_the_same_for_everybody(baselines: Baselines) -> None:
    serving = {task.name: TaskServing(source="climatology") for task in LAYOUT.tasks}
    served = served_parameters(
        serving, floats(ROWS, LAYOUT.columns), {}, baselines, floats(ROWS, 3)
    )
    np.testing.assert_array_equal(served, np.tile(baselines.climatology, (ROWS, 1)))


def test_a_model_without_calibration_is_served_as_it_is(baselines: Baselines) -> None:
    serving = {task.name: TaskServing() for task in LAYOUT.tasks}
    network = floats(ROWS, LAYOUT.columns)
    served = served_parameters(serving, network, {}, baselines, floats(ROWS, 3))
    np.testing.assert_array_equal(served, network)


def test_who_is_cold_has_the_climatology(baselines: Baselines) -> None:
    serving = {task.name: TaskServing() for task in LAYOUT.tasks}
    network, is_cold = floats(ROWS, LAYOUT.columns), np.arange(ROWS) == 2
    served = Serving(LAYOUT, serving, baselines).parameters(network, {}, floats(ROWS, 3), is_cold)
    np.testing.assert_array_equal(served[2], baselines.climatology)
    np.testing.assert_array_equal(served[~is_cold], network[~is_cold])


def test_a_baseline_that_a_task_has_not_is_refused(baselines: Baselines) -> None:
    serving = {task.name: TaskServing(source="seasonal_naive") for task in LAYOUT.tasks}
    with pytest.raises(ValueError, match="seasonal_naive is no baseline"):
        served_parameters(serving, floats(ROWS, LAYOUT.columns), {}, baselines, floats(ROWS, 3))


def test_some_tasks_keep_their_baselines(baselines: Baselines) -> None:
    smaller = Layout([BEST, VIEWS])
    taken = baselines.of_tasks(LAYOUT, smaller)
    for task in smaller.tasks:
        before, after = LAYOUT.columns_of(task.name), smaller.columns_of(task.name)
        np.testing.assert_array_equal(taken.climatology[after], baselines.climatology[before])
        np.testing.assert_array_equal(
            taken.recency_frequency(floats(ROWS, 3), smaller.position(task.name), after),
            baselines.recency_frequency(floats(ROWS, 3), LAYOUT.position(task.name), before),
        )


def test_undefined_numbers_are_at_the_mean_and_far_ones_bounded() -> None:
    numbers = np.array([[np.nan, 1e9, -1e9, 1.0]], dtype=np.float32)
    found = standardise(numbers, np.zeros(4, np.float32), np.ones(4, np.float32))
    assert found.tolist() == [[0, 4, -4, 1]]


def test_a_calibration_goes_with_its_classes() -> None:
    fold = TaskServing(classes=("blue", "red"), slope=(2.0, 2.0), shift=(0.5, -0.5))
    final = fold.with_classes(("blue", "green", "red"))
    assert (final.slope, final.shift) == ((2.0, 2.0, 2.0), (0.5, 0.0, -0.5))
    assert final.classes == ("blue", "green", "red")
    assert fold.with_classes(("blue", "red")) == fold
    assert fold.with_classes(("red",)).shift == (-0.5,)
    plain = TaskServing(source="climatology").with_classes(("blue",))
    assert plain == TaskServing(source="climatology", classes=("blue",))


def test_linear_tasks_are_the_same_together_and_one_by_one(baselines: Baselines) -> None:
    numbers = floats(ROWS, 3)
    numbers[0, 1] = np.nan
    tasks = [(LAYOUT.position(task.name), LAYOUT.columns_of(task.name)) for task in LAYOUT.tasks]
    expected = floats(ROWS, LAYOUT.columns)
    for position, columns in tasks:
        expected[:, columns] = baselines.recency_frequency(numbers, position, columns)
    for use_compiler in (True, False):
        flat = floats(ROWS, LAYOUT.columns)
        LinearTasks(baselines, tasks, use_compiler=use_compiler).write(numbers, flat)
        np.testing.assert_allclose(flat, expected, rtol=1e-5, atol=1e-5)
