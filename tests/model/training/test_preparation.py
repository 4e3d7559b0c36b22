from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model import Config, Count, Occurs, Sum, Task
from model.errors import InvalidTask, NotEnoughData
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.snapshots import final_part, folds
from model.training.preparation import Prepared, prepare
from model.training.self_supervision import is_self_supervised

START = pd.Timestamp("2023-01-02", tz="UTC")


def events_of(users: int = 20, days: int = 120, **first_of_type: str) -> pd.DataFrame:
    """Every user views an item each day; users with an even number buy in some weeks."""
    times = [START + pd.Timedelta(days=day, hours=hour) for day in range(days) for hour in (1, 2)]
    frames = [
        pd.DataFrame(
            {
                "user": f"u{user}",
                "item": f"i{user % 3}",
                "time": times,
                "event_type": [
                    "buy" if hour == 2 and user % 2 == 0 and (day // 7 + user) % 3 == 0 else "view"
                    for day in range(days)
                    for hour in (1, 2)
                ],
            }
        )
        for user in range(users)
    ]
    for event_type, moment in first_of_type.items():
        row = frames[0].iloc[:1].assign(event_type=event_type, time=pd.Timestamp(moment, tz="UTC"))
        frames.append(row)
    return pd.concat(frames)


def log_of(users: int = 20, days: int = 120, **first_of_type: str) -> EventLog:
    return EventLog.from_frames(events_of(users, days, **first_of_type))


def task(event_type: str, days: int = 7) -> Task:
    return Task(
        name="asked", entity="user", target=Occurs(event_type=event_type), horizon_days=days
    )


def prepared_for(log: EventLog, *tasks: Task) -> Prepared:
    part = final_part(log, tasks, 5)
    return prepare(log, tasks, part, Config(), np.random.default_rng(0))


def test_what_never_happens_is_refused() -> None:
    log = log_of(wish="2023-01-03")
    with pytest.raises(InvalidTask, match=r"no wish follows within 7 days .*: choose") as caught:
        prepared_for(log, task("wish"))
    assert caught.value.task == "asked"


def test_what_never_has_a_value_is_refused_for_its_value() -> None:
    free = EventLog.from_frames(events_of().assign(quantity=1.0, price=0.0))
    spent = Task(name="spent", entity="user", target=Sum(event_type="buy"), horizon_days=7)
    with pytest.raises(InvalidTask, match="no buy with a total value above zero follows"):
        prepared_for(free, spent)


def test_what_always_happens_is_refused() -> None:
    with pytest.raises(InvalidTask, match=r"every user has a view .*choose a shorter horizon"):
        prepared_for(log_of(), task("view"))


def test_what_is_always_counted_is_still_a_question() -> None:
    views = Task(name="views", entity="user", target=Count(event_type="view"), horizon_days=7)
    assert prepared_for(log_of(), views).training["user"].labels


def test_too_few_labels_are_refused_with_both_numbers() -> None:
    with pytest.raises(NotEnoughData, match=r"'asked' has \d labels .*, 20 are needed: import"):
        prepared_for(log_of(users=1), task("buy"))


def test_generated_tasks_sometimes_happen_and_sometimes_do_not(prepared: Prepared) -> None:
    for entity, layout in prepared.layouts.items():
        generated = [task for task in layout.tasks if is_self_supervised(task.name)]
        assert bool(generated) == (entity != "pair")


def test_without_self_supervision_there_is_none(
    log: EventLog, tasks: tuple[Task, ...], config: Config
) -> None:
    plain = config.model_copy(update={"self_supervision": 0.0})
    users = [task for task in tasks if task.entity == "user"]
    found = prepare(log, users, final_part(log, users, 3), plain, np.random.default_rng(0))
    assert set(found.layouts) == {"user"}
    assert {task.name for task in found.layouts["user"].tasks} == {task.name for task in users}


def test_nothing_after_the_part_is_learnt(
    small_shop_frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    tasks: tuple[Task, ...],
    config: Config,
) -> None:
    """What a fold's test shows cannot have been known to anything that was fitted before."""
    events, users, items = small_shop_frames
    log = EventLog.from_frames(events, users, items)
    (fold,) = folds(log, tasks, config.max_cutoffs)
    end = pd.Timestamp(fold.training.label_end_us, unit="us", tz="UTC")
    rng = np.random.default_rng(0)
    later = events["time"] > end
    events = events.copy()
    events.loc[later, "item"] = rng.permutation(events.loc[later, "item"])
    events.loc[later, "event_type"] = rng.permutation(events.loc[later, "event_type"])
    events.loc[later, ["quantity", "price", "value"]] = 77.0
    changed = EventLog.from_frames(events, users, items)
    before, after = (
        prepare(some, tasks, fold.training, config, np.random.default_rng(0))
        for some in (log, changed)
    )
    assert before.plan == after.plan
    assert before.scales == after.scales
    assert before.forecasts == after.forecasts
    for entity, baselines in before.baselines.items():
        assert np.array_equal(baselines.climatology, after.baselines[entity].climatology)
        assert np.array_equal(baselines.weights, after.baselines[entity].weights)
        left, right = before.training[entity], after.training[entity]
        assert np.array_equal(left.inputs.numbers, right.inputs.numbers, equal_nan=True)
        for one, other in zip(left.labels, right.labels, strict=True):
            assert np.array_equal(one.numpy(), other.numpy(), equal_nan=True)
    assert fold.test is not None
    assert log.last_us - fold.test.cutoffs_us[0] <= 30 * MICROSECONDS_PER_DAY
