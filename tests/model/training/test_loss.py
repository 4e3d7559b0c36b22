from __future__ import annotations

import pytest
import torch

from model.config import Config
from model.distributions import Layout
from model.tasks import Task
from model.training.loss import TaskWeights, reveal, weighted_mean
from model.training.self_supervision import self_supervised_tasks
from tests.model.network.made_networks import made_labels, made_network, tasks_of

ROWS = 4000


def layout() -> Layout:
    return Layout(tasks_of("user"))


def missing_at_random(tasks: int) -> torch.Tensor:
    nll = torch.rand(ROWS, tasks)
    nll[torch.rand(ROWS, tasks) < 0.3] = torch.nan
    return nll


def test_missing_labels_are_never_shown() -> None:
    nll = missing_at_random(5)
    known, importance = reveal(layout(), nll.isnan(), torch.Generator().manual_seed(0))
    assert known.shape == (ROWS, 5)
    assert not (known & nll.isnan()).any()
    assert importance.shape == (ROWS,)
    assert (importance > 0).all()
    assert float(importance.mean()) == pytest.approx(1)


def test_any_number_of_outcomes_but_all_is_shown() -> None:
    known, _ = reveal(
        layout(), torch.zeros(ROWS, 5, dtype=torch.bool), torch.Generator().manual_seed(0)
    )
    shown = known.sum(dim=1)
    assert sorted(set(shown.tolist())) == [0, 1, 2, 3, 4]
    assert (known.any(dim=0) & ~known.all(dim=0)).all(), "every task is sometimes shown"


def test_half_of_the_rows_show_what_would_be_known_some_days_later() -> None:
    tasks = layout()
    horizons = torch.tensor([task.horizon_days for task in tasks.tasks])
    known, _ = reveal(
        tasks, torch.zeros(ROWS, 5, dtype=torch.bool), torch.Generator().manual_seed(0)
    )
    shortest = horizons == horizons.min()
    # Who shows a task of 28 or 30 days in the order of time shows that of 7 days too.
    later_alone = known[:, ~shortest].any(dim=1) & ~known[:, shortest].any(dim=1)
    assert 0.05 < float(later_alone.float().mean()) < 0.35


def test_revealing_is_the_same_under_a_seed() -> None:
    nll = missing_at_random(5)
    first, second = (
        reveal(layout(), nll.isnan(), torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_missing_labels_do_not_count_in_the_mean() -> None:
    nll = torch.tensor([[1.0, torch.nan], [3.0, torch.nan], [torch.nan, torch.nan]])
    weights = TaskWeights(torch.tensor([0.5, 0.5]))
    assert float(weighted_mean(nll, torch.ones(3), weights)) == 1.0
    doubled = weighted_mean(nll, torch.tensor([2.0, 2.0, 2.0]), weights)
    assert float(doubled) == 2.0


def test_tasks_count_in_units_of_their_climatology() -> None:
    declared = list(tasks_of("item"))[:2]
    heavy = declared[1].model_copy(update={"weight": 3.0})
    generated = self_supervised_tasks("item", ["view", "buy"], declared, 30)
    layout = Layout([declared[0], heavy, *generated])
    climatology = torch.linspace(0.1, 1.0, len(layout))
    weights = TaskWeights.of(layout, climatology, Config(self_supervision=0.3)).values * climatology
    shares = dict(zip((task.name for task in layout.tasks), weights.tolist(), strict=True))
    assert shares["item_views"] == pytest.approx(0.25)
    assert shares["item_buys"] == pytest.approx(0.75)
    assert sum(shares.values()) == pytest.approx(1.3)


def test_self_supervision_asks_for_what_is_not_declared() -> None:
    declared = [Task.model_validate(task.model_dump()) for task in tasks_of("user")]
    first = self_supervised_tasks("user", ["a", "b", "c", "d", "e"], declared, 30)
    assert {task.target.event_type for task in first} == {"a", "b", "c", "d"}
    assert {task.horizon_days for task in first} == {7, 30}
    assert all(":" in task.name for task in first)
    assert {task.horizon_days for task in self_supervised_tasks("user", ["a"], [], 10)} == {7}
    assert self_supervised_tasks("pair", ["a"], declared, 30) == ()
    same = first[0].model_copy(update={"name": "declared"})
    assert first[0].name not in {
        task.name for task in self_supervised_tasks("user", ["a"], [same], 30)
    }


def test_labels_that_are_missing_leave_the_marginals_without_gradient() -> None:
    network = made_network()
    kind = network.kind("user")
    parameters = torch.randn(8, kind.layout.columns, requires_grad=True)
    labels = made_labels(kind.layout, 8, missing=1.0)
    nll = kind.nll(parameters, labels)
    weighted_mean(nll, torch.ones(8), TaskWeights(torch.ones(5))).backward()
    assert parameters.grad is not None
    assert (parameters.grad == 0).all()
