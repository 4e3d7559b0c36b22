"""One small simulated shop and one small model of it, made once for all tests of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, settings

from model import SSMTL, Config, Count, Occurs, PeakPeriod, Progress, Sum, Task
from model.events import EventLog
from model.prediction import Predictor
from model.simulation import SimulatedShop, simulate_shop
from model.snapshots import folds
from model.training.preparation import Prepared, prepare

# The same examples in every run: a failure can be seen again.
settings.register_profile(
    "model", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("model")

TINY = Config(
    max_cutoffs=6,
    sequence_length=8,
    pair_negatives=4,
    pair_history=6,
    width=32,
    members=2,
    embedding=8,
    task_channels=8,
    max_epochs=2,
    max_steps_per_epoch=24,
    bootstrap=20,
)


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def config() -> Config:
    return TINY


@pytest.fixture(scope="session")
def tasks() -> tuple[Task, ...]:
    """One of each kind, and horizons that lie within each other."""
    purchase = Occurs(event_type="purchase")
    units = Count(event_type="purchase", of="units")
    return (
        Task(name="buys_7d", entity="user", target=purchase, horizon_days=7),
        Task(name="buys_30d", entity="user", target=purchase, horizon_days=30),
        Task(
            name="order_days_30d",
            entity="user",
            target=Count(event_type="purchase", of="days"),
            horizon_days=30,
        ),
        Task(name="spend_30d", entity="user", target=Sum(event_type="purchase"), horizon_days=30),
        Task(name="units_14d", entity="item", target=units, horizon_days=14),
        Task(
            name="best_weekday",
            entity="item",
            target=PeakPeriod(event_type="purchase", period="weekday"),
            horizon_days=28,
        ),
        Task(name="views_14d", entity="pair", target=Occurs(event_type="view"), horizon_days=14),
    )


@pytest.fixture(scope="session")
def small_shop() -> SimulatedShop:
    return simulate_shop(users=250, items=40, days=240, seed=1)


@pytest.fixture(scope="session")
def small_shop_frames(
    small_shop: SimulatedShop,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Events, users and items."""
    return small_shop.events, small_shop.users, small_shop.items


@pytest.fixture(scope="session")
def log(small_shop: SimulatedShop) -> EventLog:
    return EventLog.from_frames(small_shop.events, small_shop.users, small_shop.items)


@pytest.fixture(scope="session")
def prepared(log: EventLog, tasks: tuple[Task, ...], config: Config) -> Prepared:
    """What stands before the first training step of the shop's fold."""
    (fold,) = folds(log, tasks, config.max_cutoffs)
    return prepare(log, tasks, fold.training, config, np.random.default_rng(0))


@pytest.fixture(scope="session")
def told() -> list[Progress]:
    """What the fit of `fitted` said of its progress."""
    return []


@pytest.fixture(scope="session")
def fitted(log: EventLog, tasks: tuple[Task, ...], config: Config, told: list[Progress]) -> SSMTL:
    torch.set_num_threads(1)
    return SSMTL(tasks, config).fit(log, progress=told.append)


@pytest.fixture(scope="session")
def folder(fitted: SSMTL, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fitted model as it lies on disk; not to be changed."""
    path = tmp_path_factory.mktemp("models") / "shop"
    fitted.save(path)
    return path


@pytest.fixture(scope="session")
def predictor(folder: Path) -> Predictor:
    return Predictor.load(folder)
