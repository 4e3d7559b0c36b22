from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InvalidTask, NotEnoughData
from model.snapshots import Inputs, Snapshot
from model.tasks import Column, Count, Next, Occurs, Target, Task, TimeTo
from model.training.learnable import check_learnable, sometimes_happens, split_learnable

Label = NDArray[np.float32]
ROWS = 40
INF = np.inf


def task_of(target: Target, name: str = "asked", declared_as: str | None = None) -> Task:
    return Task(name=name, entity="user", target=target, horizon_days=7, declared_as=declared_as)


def half(one: float, other: float) -> Label:
    return np.array([one, other] * (ROWS // 2), dtype=np.float32)


NEXT, TO = Next(of="item.color"), TimeTo(event_type="buy")
COLOR = ("blue", "red")


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Occurs(event_type="buy"), half(0, 1)),
        (Count(event_type="buy"), half(1, 1)),
        (NEXT, half(0, 1)),
        (TO, half(3.5, INF)),
        (TO, half(3.5, 6)),
        (Column(column="rating"), half(-1, 1)),
    ],
)
def test_labels_that_differ_can_be_learned(target: Target, label: Label) -> None:
    check_learnable(task_of(target), label, COLOR if target is NEXT else ())


@pytest.mark.parametrize(
    ("target", "label", "message"),
    [
        (Occurs(event_type="buy"), half(0, 0), "no buy follows within 7 days"),
        (Occurs(event_type="buy"), half(1, 1), "every user has a buy within 7 days"),
        (TO, half(INF, INF), "no buy follows within 7 days"),
        (NEXT, half(1, 1), "every label is 'red': there is nothing to predict"),
        (Column(column="rating"), half(4, 4), "every label is 4.0: there is nothing to predict"),
    ],
)
def test_labels_that_never_differ_are_refused(target: Target, label: Label, message: str) -> None:
    with pytest.raises(InvalidTask, match=message):
        check_learnable(task_of(target), label, COLOR if target is NEXT else ())


def test_conditions_are_told_of() -> None:
    target = Occurs.model_validate(
        {"event_type": "buy", "where": [{"attribute": "item.color", "value": "red"}]}
    )
    with pytest.raises(InvalidTask, match="no buy that fulfils its conditions follows"):
        check_learnable(task_of(target), half(0, 0))


def test_undefined_labels_do_not_count() -> None:
    label = half(0, np.nan)
    label[0] = 1
    with pytest.raises(NotEnoughData, match=r"has 19 labels .* 20 are needed: .* longer horizon"):
        check_learnable(task_of(NEXT), label[1:], COLOR)
    check_learnable(task_of(NEXT), label, COLOR)


def snapshot_of(**labels: Label) -> Snapshot:
    nothing = np.zeros(ROWS, dtype=np.int64)
    inputs = Inputs(
        users=nothing,
        items=nothing,
        cutoffs_us=nothing,
        ends=nothing,
        numbers=np.zeros((ROWS, 1), dtype=np.float32),
        categories=np.zeros((ROWS, 0), dtype=np.int64),
        item_codes=nothing,
    )
    return Snapshot("user", inputs, dict(labels), np.ones(ROWS, dtype=np.float32))


def test_of_tasks_for_many_values_the_unlearnable_are_left_out_with_their_reason() -> None:
    buys = Occurs(event_type="buy")
    often = task_of(buys, "buys__hats", "buys")
    never = task_of(buys, "buys__umbrellas", "buys")
    snapshot = snapshot_of(buys__hats=half(0, 1), buys__umbrellas=half(0, 0))
    learnable, reasons = split_learnable([often, never], snapshot, {})
    assert learnable == [often]
    assert list(reasons) == ["buys__umbrellas"]
    assert "no buy follows within 7 days" in reasons["buys__umbrellas"]


def test_a_task_of_its_own_is_never_left_out_silently() -> None:
    snapshot = snapshot_of(asked=half(0, 0))
    with pytest.raises(InvalidTask):
        split_learnable([task_of(Occurs(event_type="buy"))], snapshot, {})


@pytest.mark.parametrize(
    ("label", "wanted"), [(half(0, 3), True), (half(0, 0), False), (half(0, 1)[:10], False)]
)
def test_a_generated_task_has_to_differ(label: Label, wanted: bool) -> None:
    assert sometimes_happens(task_of(Count(event_type="buy")), label) is wanted
