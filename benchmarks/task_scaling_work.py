"""One run of `benchmarks.task_scaling`, in a process of its own: steps of a training, or a fit.

python -m benchmarks.task_scaling_work steps|fit --tasks N --cost FILE
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measuring import measured, write_cost
from model import SSMTL, Config, Count, Occurs, Progress, Task
from model.events import EventLog
from model.simulation import simulate_shop
from model.snapshots import final_part
from model.tasks import expand
from model.training.loop import TrainingRun
from model.training.preparation import prepare

DAYS = 400
TIMED_EPOCHS = 3
STEPS = 30
MANY_SHELVES = 1000
_KINDS = (Occurs(event_type="view"), Count(event_type="view"))


def main() -> None:
    """Do one run and write what it cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.task_scaling_work")
    parser.add_argument("work", choices=["steps", "fit"])
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--cost", type=Path, required=True)
    given = parser.parse_args()
    work = steps if given.work == "steps" else fit
    write_cost(measured(lambda: work(given.tasks, given.users)), given.cost)


def steps(tasks: int, users: int) -> dict[str, float]:
    """The median time of a training step with so many tasks, on the rows of the same shop."""
    shelves = tasks // len(_KINDS)
    log = shop(users, shelves)
    declared = [for_each(f"{target.kind}_14d", target, 14) for target in _KINDS]
    config = Config(max_steps_per_epoch=STEPS)
    expanded = expand(declared, log).tasks
    part = final_part(log, expanded, config.max_cutoffs)
    prepared = prepare(log, expanded, part, config, np.random.default_rng(0))
    run = TrainingRun(
        network=prepared.network(config),
        training=prepared.training,
        validation={},
        climatology_nll=prepared.climatology_nll,
        config=config,
        seed=0,
    )
    ends = [time.perf_counter()]
    run.fit(1 + TIMED_EPOCHS, lambda *_: ends.append(time.perf_counter()), lambda: False)
    taken_s = [(after - before) / STEPS for before, after in pairwise(ends[1:])]
    return {"step_s": median(taken_s), "tasks": len(prepared.layouts["user"])}


def fit(tasks: int, users: int) -> dict[str, Any]:
    """A whole fit of so many tasks, with the settings that everybody gets."""
    log = shop(users, MANY_SHELVES)
    views, carts = Occurs(event_type="view"), Occurs(event_type="cart")
    buys, orders = Occurs(event_type="purchase"), Count(event_type="purchase")
    declared = [
        *(for_each(f"views_{days}d", views, days) for days in (7, 14, 30, 60)),
        *(for_each(f"visits_{days}d", Count(event_type="view"), days) for days in (7, 30)),
        *(for_each(f"carts_{days}d", carts, days) for days in (14, 30, 60)),
        *(for_each(f"buys_{days}d", buys, days) for days in (14, 30, 60)),
        *(for_each(f"orders_{days}d", orders, days) for days in (30, 60)),
    ][: -(-tasks // MANY_SHELVES) + 1]
    started = time.perf_counter()
    stages: dict[str, float] = {}

    def note(progress: Progress) -> None:
        stages[f"{len(stages)} {progress.stage} {progress.epoch or ''}"] = (
            time.perf_counter() - started
        )

    estimator = SSMTL(declared).fit(log, progress=note)
    report = estimator.report_
    return {
        "tasks": len(estimator.tasks_),
        "left_out": len(report.left_out),
        "rows": report.training_rows["user"],
        "mean_skill": float(np.mean([r.served_score.skill for r in report.tasks.values()])),
        "stages": stages,
    }


def for_each(name: str, target: Occurs | Count, days: int) -> Task:
    """A task for each shelf."""
    return Task(name=name, entity="user", target=target, horizon_days=days, for_each="item.shelf")


def shop(users: int, shelves: int) -> EventLog:
    """A simulated shop, its items on so many shelves, each with items of every popularity."""
    made = simulate_shop(users, 3 * MANY_SHELVES, DAYS)
    shelf = (np.arange(len(made.items)) * 7919 % len(made.items)) % shelves
    items = made.items.assign(shelf=[f"shelf {number:04}" for number in shelf])
    return EventLog.from_frames(made.events, made.users, items)


if __name__ == "__main__":
    main()
