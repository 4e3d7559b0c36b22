"""How long a training of 256 tasks takes beside LightGBM per task, in CPU seconds.

Who buys from which of 64 departments within four horizons. SSMTL learns all of them at once;
LightGBM is timed on every sixteenth and the sum multiplied by sixteen.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from benchmarks.quality.boosted import boosted
from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.networks import ssmtl
from benchmarks.quality.shops import HORIZONS_DAYS, PURCHASE, online_retail
from model import Occurs, Task
from model.config import Config
from model.tasks import expand

TASKS = 256
TIMED = 16


def measure(data: Path, console: Console) -> dict[str, float]:
    """Print both times, return their ratio."""
    departments = TASKS // len(HORIZONS_DAYS)
    log, config = online_retail(data, departments), Config()
    every = [
        Task(
            name=f"buys_{days}d",
            entity="user",
            target=Occurs(event_type=PURCHASE),
            horizon_days=days,
            for_each="item.department",
        )
        for days in HORIZONS_DAYS
    ]
    declared = expand(every, log).tasks
    (fold,) = folds_of(log, declared, config)
    ground = Ground.of(log, fold, config, seed=0)
    started = time.process_time()
    ssmtl(ground, seed=0)
    ours_s = time.process_time() - started
    # A step of 17 meets every horizon.
    some = ground.restricted([task.name for task in declared[:: TASKS // TIMED + 1]])
    asked = sum(1 for _ in some.tasks())
    started = time.process_time()
    boosted(some, seed=0)
    theirs_s = (time.process_time() - started) * len(declared) / asked
    console.print(
        f"{len(declared)} tasks: SSMTL {ours_s:.0f} CPU s, LightGBM {theirs_s:.0f} CPU s "
        f"({asked} of them timed)"
    )
    return {"train_time_over_lightgbm_256_tasks": ours_s / theirs_s}
