"""The contest in small."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch

from benchmarks.quality import as_served
from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.few_labels import with_few_labels, without_self_supervision
from benchmarks.quality.networks import trained
from benchmarks.quality.real import COMPETITORS
from benchmarks.quality.scores import calibration_errors_of, skills_of
from benchmarks.quality.sharing import Extraction, Mix, MultiGate, SharedBottom, replace_sharing
from model import SSMTL, Config, Count, Occurs, PeakPeriod, Task
from model.distributions import TaskServing
from model.events import EventLog, to_datetime, to_microseconds
from model.prediction import Predictor
from model.simulation import simulate_shop

TASKS = [
    Task(name="buys", entity="user", target=Occurs(event_type="purchase"), horizon_days=14),
    Task(
        name="days", entity="user", target=Count(event_type="purchase", of="days"), horizon_days=14
    ),
    Task(name="views", entity="user", target=Count(event_type="view"), horizon_days=7),
    Task(name="weekday", entity="item", target=PeakPeriod(event_type="purchase", period="weekday")),
]
CONFIG = Config(
    max_cutoffs=4, max_epochs=1, max_steps_per_epoch=4, max_rows=2000, width=32, members=2
)
MIXES = [SharedBottom, MultiGate, Extraction]


@pytest.fixture(scope="module")
def ground() -> Ground:
    shop = simulate_shop(users=150, items=30, days=240)
    log = EventLog.from_frames(shop.events, shop.users, shop.items)
    (fold,) = folds_of(log, TASKS, CONFIG)
    return Ground.of(log, fold, CONFIG, seed=0)


def test_a_restricted_ground_has_the_same_rows_and_labels(ground: Ground) -> None:
    alone = ground.restricted(["views", "weekday"])
    assert [task.name for _, task in alone.tasks()] == ["views", "weekday"]
    for entity, name in (("user", "views"), ("item", "weekday")):
        for part in ("training", "validation", "test"):
            whole, some = (g.labels(entity, name, part) for g in (ground, alone))
            assert np.array_equal(whole, some, equal_nan=True)
    assert "weekday" in alone.test["item"].naive
    assert bool((alone.test["item"].offsets != 0).any())


@pytest.mark.parametrize("mix", MIXES)
def test_another_sharing_has_as_many_parameters(ground: Ground, mix: Mix) -> None:
    network = ground.prepared.network(ground.config)
    kind = network.kind("user")
    before = sum(p.numel() for part in (kind.trunk, kind.stage) for p in part.parameters())
    replace_sharing(kind, mix, dropout=0.1)
    after = sum(p.numel() for p in kind.stage.parameters())
    assert after == pytest.approx(before, rel=0.15)


@pytest.mark.parametrize("name", COMPETITORS)
def test_every_competitor_scores_the_same_rows(ground: Ground, name: str) -> None:
    answers = COMPETITORS[name](ground, 0)
    assert name in answers
    for nats in answers.values():
        assert set(nats) == {task.name for task in TASKS}
        for entity, task in ground.tasks():
            labels = ground.labels(entity, task.name, "test")
            missing = np.isnan(labels.reshape(len(labels), -1)).any(axis=1)
            assert (np.isnan(nats[task.name]) == missing).all()


def test_trees_change_what_the_network_says_of_tasks_that_have_some(ground: Ground) -> None:
    answers = COMPETITORS["ssmtl"](ground, 0)
    with_trees, without = answers["ssmtl"], answers["without_trees"]
    same = {name for name in with_trees if np.array_equal(with_trees[name], without[name], True)}
    assert "weekday" in same
    assert same < set(with_trees)


def test_a_seed_decides_all(ground: Ground) -> None:
    first, second = (trained(ground, seed=1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_few_labels_are_those_of_some_users_and_self_supervision_keeps_its_own(
    ground: Ground,
) -> None:
    few = with_few_labels(ground, np.random.default_rng(0))
    for name in ("buys", "days", "views"):
        before = ground.labels("user", name, "training")
        after = few.labels("user", name, "training")
        users = ground.prepared.training["user"].inputs.users
        kept = ~np.isnan(after)
        assert 0.05 < kept.sum() / (~np.isnan(before)).sum() < 0.2
        assert np.array_equal(after[kept], before[kept])
        assert set(users[kept]).isdisjoint(users[~kept & ~np.isnan(before)])
    own = [task.name for task in ground.prepared.layouts["user"].tasks if ":" in task.name]
    assert own
    for name in own:
        labels = (ground_.labels("user", name, "training") for ground_ in (ground, few))
        assert np.array_equal(*labels, equal_nan=True)
    alone = without_self_supervision(few)
    layout = alone.prepared.layouts["user"]
    assert not [task.name for task in layout.tasks if ":" in task.name]
    rows = alone.prepared.training["user"]
    assert len(rows) == (~np.isnan(few.labels("user", "views", "training"))).sum()
    assert set(rows.inputs.users) <= set(ground.prepared.training["user"].inputs.users)


def test_calibration_errors_follow_from_nats(ground: Ground) -> None:
    nats = COMPETITORS["ssmtl"](ground, 0)["ssmtl"]
    errors = calibration_errors_of(ground, nats)
    assert set(errors) == {"buys"}
    assert 0 <= errors["buys"] < 0.5
    outcomes = ground.labels("user", "buys", "test")
    rate = np.nanmean(outcomes)
    constant = {"buys": -np.where(outcomes > 0, np.log(rate), np.log(1 - rate))}
    constant["buys"][np.isnan(outcomes)] = np.nan
    alone = ground.restricted(["buys"])
    assert calibration_errors_of(alone, constant)["buys"] == pytest.approx(0, abs=1e-6)


def test_the_skill_of_what_is_served_is_that_of_its_answers() -> None:
    """The answers of the estimator beside what the frame says happened."""
    shop = simulate_shop(users=150, items=30, days=240)
    log = EventLog.from_frames(shop.events, shop.users, shop.items)
    cutoff_at = to_datetime(log.last_us) - timedelta(days=20)
    cutoff_us = to_microseconds(cutoff_at.replace(microsecond=0))
    task = TASKS[0]
    estimator = SSMTL([task, TASKS[2]], CONFIG).fit(log.until(cutoff_us))
    found = as_served.served_skills(estimator.predictor_, log, cutoff_us)
    assert set(found) == {"buys", "views"}

    answers = estimator.predict("buys", log, cutoff_at=to_datetime(cutoff_us))
    answers = answers[~answers["cold_start"]]
    time = shop.events["time"]
    ahead = (time > to_datetime(cutoff_us)) & (
        time <= to_datetime(cutoff_us) + timedelta(days=task.horizon_days)
    )
    buyers = shop.events.loc[ahead & (shop.events["event_type"] == "purchase"), "user"].unique()
    happened = answers["user"].isin(buyers).to_numpy()
    probability = answers["probability"].to_numpy()
    rate = 1 / (1 + np.exp(-_climatology(estimator.predictor_, "buys")))
    assert found["buys"] == pytest.approx(
        1 - _log_loss(probability, happened) / _log_loss(np.full(len(happened), rate), happened),
        abs=1e-3,
    )

    plain = _served_by(estimator.predictor_, TaskServing(source="climatology"))
    assert list(as_served.served_skills(plain, log, cutoff_us).values()) == pytest.approx([0, 0])


def test_lightgbm_learns_again_from_all_rows_before_the_test() -> None:
    shop = simulate_shop(users=150, items=30, days=240)
    log = EventLog.from_frames(shop.events, shop.users, shop.items)
    (fold,) = folds_of(log, TASKS[:3], CONFIG)
    assert fold.test is not None
    (cutoff_us,) = fold.test.cutoffs_us
    again = as_served.boosted_skills(log, fold, cutoff_us)
    assert set(again) == {"buys", "days", "views"}
    assert all(0 < found < 1 for found in again.values())
    ground = Ground.of(log, fold, CONFIG, seed=0)
    once = skills_of(ground, COMPETITORS["lightgbm"](ground, 0)["lightgbm"])
    assert all(again[name] != once[name] for name in again)


def _served_by(predictor: Predictor, how: TaskServing) -> Predictor:
    artifact = predictor.artifact
    serving = dict.fromkeys(artifact.description.serving, how)
    description = artifact.description.model_copy(update={"serving": serving})
    return Predictor(replace(artifact, description=description))


def _climatology(predictor: Predictor, name: str) -> float:
    columns = predictor.scorer("user").layout.columns_of(name)
    return float(predictor.artifact.baselines["user"].climatology[columns][0])


def _log_loss(probability: np.ndarray, happened: np.ndarray) -> float:
    return float(-np.log(np.where(happened, probability, 1 - probability)).mean())
