"""Every kind of task can be printed."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from app.demo.tables import print_answers, print_quality, print_tasks
from model.tasks import Condition, Occurs, Task
from tests.app.trained_shop import TASKS, TrainedShop

by_name = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def printed(function: Any, *arguments: Any) -> str:
    console = Console(file=StringIO(), width=200)
    function(console, *arguments)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def suggestion(task: Task) -> dict[str, Any]:
    declaration = task.declaration.model_dump(mode="json")
    return {"name": task.name, "why": "", "declaration": declaration}


def test_declared_tasks_are_told_with_what_they_ask() -> None:
    text = printed(print_tasks, [suggestion(task) for task in TASKS])
    for asked in (
        "occurs of purchase",
        "time_to of purchase",
        "next item.category of any event",
        "column stars of any event",
    ):
        assert asked in text


def test_conditions_are_told() -> None:
    target = Occurs(
        event_type="purchase", where=(Condition(attribute="item.category", value="shoes"),)
    )
    task = Task(name="shoes", entity="user", target=target, horizon_days=7)
    text = printed(print_tasks, [suggestion(task)])
    assert "occurs of purchase where item.category == shoes" in text


def test_the_quality_of_every_kind_has_a_metric(trained_shop: TrainedShop) -> None:
    report = trained_shop.predictor.report.model_dump(mode="json")
    report["left_out"] = {"buys__hats": "too few events"}
    text = printed(print_quality, report)
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    for name, metric in {
        "buys_14d": "AUROC",
        "until_14d": "C ",
        "next_14d": "top 3",
        "device_14d": "top 3",
        "stars_14d": "MAE",
    }.items():
        assert metric in rows[name]
    assert "buys__hats: too few events" in text


@by_name
def test_answers_of_every_kind_are_told(trained_shop: TrainedShop, task: Task) -> None:
    predictor, log = trained_shop.predictor, trained_shop.log
    if task.entity == "pair":
        found = predictor.predict_pairs(log, [task.name], [("u00001", "i00001")])[task.name]
    else:
        ids = {"user": ["u00001", "u00002"], "item": ["i00001"]}[task.entity]
        found = predictor.predict(log, [task.name], ids)[task.name]
    ranking = [
        {
            **answer,
            "user": None if task.entity == "item" else entity_id,
            "item": entity_id
            if task.entity == "item"
            else "i00001" * (task.entity == "pair") or None,
        }
        for answer, entity_id in zip(found.answers(), found.entity_ids, strict=True)
    ]
    text = printed(print_answers, {"name": task.name, **suggestion(task)["declaration"]}, ranking)
    assert task.name in text
    assert all(entity_id in text for entity_id in found.entity_ids)
    if task.entity == "pair":
        assert "u00001 with i00001" in text
