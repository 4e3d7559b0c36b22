"""Every kind of task is learned, tested, saved and answered, with and without times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from model import SSMTL, Config
from model.events import EventLog
from model.simulation import SimulatedShop
from model.tasks import (
    Column,
    Condition,
    Eligibility,
    EntityKind,
    Next,
    Occurs,
    Target,
    Task,
    TimeTo,
)

BOUGHT = "purchase"


def user_task(name: str, target: Target, days: int = 30, **declared: object) -> Task:
    return Task.model_validate(
        {"name": name, "entity": "user", "target": target, "horizon_days": days, **declared}
    )


TASKS = (
    user_task("buys", Occurs(event_type=BOUGHT)),
    user_task("until", TimeTo(event_type=BOUGHT)),
    user_task(
        "until_phone",
        TimeTo(event_type="view", where=(Condition(attribute="event.device", value="phone"),)),
        start_days=7,
        eligible=(Eligibility(within_days=60, at_least=2),),
    ),
    user_task("next_type", Next()),
    user_task("next_category", Next(of="item.category", event_type=BOUGHT)),
    user_task("device", Column(column="device")),
    user_task("stars", Column(column="stars")),
    user_task("brand", Occurs(event_type=BOUGHT), for_each="item.brand"),
    Task(name="item_until", entity="item", target=TimeTo(event_type=BOUGHT), horizon_days=14),
    Task(name="pair_until", entity="pair", target=TimeTo(event_type="view"), horizon_days=14),
)


@pytest.fixture(scope="module")
def shop(small_shop: SimulatedShop) -> tuple[pd.DataFrame, EventLog]:
    """Events with a device and stars, and their log."""
    rng = np.random.default_rng(0)
    events = small_shop.events.assign(
        device=rng.choice(["phone", "desk"], len(small_shop.events)),
        stars=rng.integers(1, 6, len(small_shop.events)).astype(float),
    )
    return events, EventLog.from_frames(events, small_shop.users, small_shop.items)


@pytest.fixture(scope="module")
def estimator(shop: tuple[pd.DataFrame, EventLog], config: Config) -> SSMTL:
    torch.set_num_threads(1)
    small = config.model_copy(update={"max_epochs": 1, "max_cutoffs": 4})
    return SSMTL(TASKS, small).fit(shop[1])


def test_every_task_has_a_report_beside_its_baselines(estimator: SSMTL) -> None:
    report = estimator.report_
    learned = {task.name for task in estimator.tasks_}
    assert set(report.tasks) | set(report.untested) == learned
    metrics = {
        "until": {"concordance", "auroc", "mean_absolute_error"},
        "next_category": {"top1", "top3"},
        "device": {"top1", "top3"},
        "stars": {"mean_absolute_error", "root_mean_squared_error"},
    }
    sources = {"climatology", "recency_frequency", "private_head", "model"}
    for name, expected in metrics.items():
        scores = report.tasks[name].scores
        more = {"personal_frequency"} if name == "next_category" else set()
        assert set(scores) == sources | more
        assert all(set(score.metrics) == expected for score in scores.values())
        assert scores["climatology"].skill == 0


def test_recency_tells_when_somebody_buys_again(estimator: SSMTL) -> None:
    score = estimator.report_.tasks["until"].scores["recency_frequency"]
    assert score.skill > 0
    assert score.metrics["concordance"] > 0.65


def test_what_is_random_is_not_claimed_to_be_known(estimator: SSMTL) -> None:
    for name in ("device", "stars"):
        assert estimator.report_.tasks[name].served_score.skill == pytest.approx(0, abs=0.05)


def test_only_eligible_rows_are_tested(estimator: SSMTL) -> None:
    rows = {name: task.test_rows for name, task in estimator.report_.tasks.items()}
    assert 0 < rows["until_phone"] < rows["until"]
    assert 0 < rows["next_category"] < rows["next_type"], "undefined labels do not count"


def test_a_declaration_for_each_value_learns_what_it_can(
    estimator: SSMTL, shop: tuple[pd.DataFrame, EventLog]
) -> None:
    of_values = [task for task in estimator.tasks_ if task.declared_as == "brand"]
    left_out = estimator.report_.left_out
    assert of_values
    assert left_out
    assert all(name.startswith("brand__") for name in left_out)
    assert not set(left_out) & {task.name for task in estimator.tasks_}
    answers = estimator.predict(of_values[0].name, shop[1])
    assert answers["probability"].between(0, 1).all()


def test_days_agree_with_each_other(estimator: SSMTL, shop: tuple[pd.DataFrame, EventLog]) -> None:
    answers = estimator.predict("until", shop[1])
    left = answers[[f"survival_{day}" for day in (1, 3, 7, 14, 30)]]
    assert (left.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    assert np.allclose(left["survival_30"], 1 - answers["probability_any"])
    assert answers["expected_days"].between(0, 30).all()
    median = answers["quantiles_0.5"].astype(float)
    assert (median.isna() == (answers["probability_any"] < 0.5)).all()


@pytest.mark.parametrize("name", ["next_category", "device", "item_until", "pair_until", "stars"])
def test_a_saved_model_answers_the_same(
    estimator: SSMTL, shop: tuple[pd.DataFrame, EventLog], name: str, tmp_path: Path
) -> None:
    estimator.save(tmp_path / "model")
    loaded = SSMTL.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(name, shop[1]), estimator.predict(name, shop[1]))


def test_whoever_is_new_gets_the_average_answer(
    estimator: SSMTL, small_shop: SimulatedShop, shop: tuple[pd.DataFrame, EventLog]
) -> None:
    users = pd.concat([small_shop.users, pd.DataFrame({"user": ["stranger"]})])
    log = EventLog.from_frames(shop[0], users, small_shop.items)
    answer = estimator.predict("next_category", log, entity_ids=["stranger"]).iloc[0]
    assert answer["cold_start"]
    shares = answer.filter(like="probabilities_").astype(float)
    assert shares.sum() == pytest.approx(1)


def rated(rows: int = 600) -> pd.DataFrame:
    """A table without times: stars by user and item, and what follows from them."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 40, rows), rng.integers(0, 25, rows)
    likes, liked = rng.normal(size=40), rng.normal(size=25)
    stars = 3 + likes[users] + liked[items] + rng.normal(size=rows) * 0.3
    return pd.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "item": [f"i{item}" for item in items],
            "event_type": "rated",
            "stars": stars,
            "verdict": np.where(stars > 3, "good", "bad"),
        }
    )


@pytest.fixture(scope="module")
def timeless(config: Config) -> tuple[EventLog, SSMTL]:
    torch.set_num_threads(1)
    log = EventLog.from_frames(rated())
    entities: dict[str, EntityKind] = {"pair_stars": "pair", "user_verdict": "user"}
    columns = {"pair_stars": "stars", "user_verdict": "verdict"}
    tasks = [
        Task(name=name, entity=entity, target=Column(column=columns[name]))
        for name, entity in entities.items()
    ]
    return log, SSMTL(tasks, config).fit(log)


def test_a_table_without_times_is_learned_and_answered(timeless: tuple[EventLog, SSMTL]) -> None:
    log, estimator = timeless
    stars = estimator.report_.tasks["pair_stars"]
    assert stars.served_score.skill > 0.2
    assert stars.served_score.metrics["root_mean_squared_error"] < 1.2
    known = [("u0", "i0"), ("u1", "i3")]
    answers = estimator.predict("pair_stars", log, entity_ids=known)
    assert (answers["quantiles_0.1"] < answers["expected"]).all()
    verdicts = estimator.predict("user_verdict", log)
    assert len(verdicts) == len(log.users)
    assert set(verdicts["best"]) <= {"good", "bad"}
    assert estimator.report_.self_supervised_tasks == 0


def test_without_times_a_new_user_is_told_by_what_the_item_is(
    timeless: tuple[EventLog, SSMTL],
) -> None:
    log, estimator = timeless
    users = pd.DataFrame({"user": [*log.users.ids, "stranger"]})
    items = pd.DataFrame({"item": [*log.items.ids, "novelty"]})
    wider = EventLog.from_frames(rated(), users, items)
    pairs = [("stranger", "i0"), ("u0", "novelty"), ("stranger", "novelty")]
    found = estimator.predict("pair_stars", wider, entity_ids=pairs)
    assert found["cold_start"].tolist() == [False, False, True]
