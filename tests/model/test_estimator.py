from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import model.estimator
import model.tasks.task
from model import SSMTL, Config, Count, Occurs, PeakPeriod, Progress, Sum, Task
from model.errors import InvalidEvents, InvalidTask, NotEnoughData, SSMTLError, Stopped, UnknownTask
from model.events import EventLog
from model.simulation import SimulatedShop, simulate_shop

BUYS = Task(name="buys_30d", entity="user", target=Occurs(event_type="purchase"), horizon_days=30)


def asked(event_type: str = "view", days: int = 2) -> Task:
    return Task(
        name="asked", entity="user", target=Occurs(event_type=event_type), horizon_days=days
    )


def events(rows: int, days: float = 100) -> pd.DataFrame:
    times = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(
        np.linspace(0, days, rows), unit="D"
    )
    return pd.DataFrame(
        {
            "user": [f"u{row % 3}" for row in range(rows)],
            "item": [f"i{row % 2}" for row in range(rows)],
            "time": times,
            "event_type": "view",
        }
    )


def stop_after(calls: int) -> Callable[[], bool]:
    seen = iter(range(calls))
    return lambda: next(seen, None) is None


def test_importing_the_model_imports_no_torch() -> None:
    code = "import sys, model, model.estimator; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tasks_need_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="declare at least one"):
        SSMTL([])
    with pytest.raises(ValueError, match=r"must differ: \['buys_30d', 'buys_30d'\]"):
        SSMTL([BUYS, BUYS.model_copy(update={"horizon_days": 7})])


@pytest.mark.parametrize(
    ("frame", "task", "error", "words"),
    [
        (events(0), asked(), NotEnoughData, "no events"),
        (events(5, days=0.1), asked(), InvalidTask, "not shorter than the log"),
        (events(5), asked(), NotEnoughData, "5 events, 100 are needed .*: import more"),
        (events(600), asked(days=90), NotEnoughData, r"100 days; .* 90 days .*choose .*shorter"),
        (events(5), asked("buy"), InvalidTask, r"no event type 'buy'; it has view \(5\)"),
        (events(600), asked(), InvalidTask, "nothing to predict; choose a shorter horizon"),
        (events(5).drop(columns=["user", "item"]), asked(), InvalidEvents, "none 'item'"),
        (events(5).drop(columns="time"), asked(), InvalidTask, "the log has no times"),
    ],
)
def test_a_log_that_does_not_do_is_refused_with_a_way_out(
    frame: pd.DataFrame, task: Task, error: type[SSMTLError], words: str
) -> None:
    with pytest.raises(error, match=words):
        SSMTL([task]).fit(frame)


@pytest.mark.parametrize("calls", [0, 1, 10, 30])
def test_a_fit_ends_when_asked(
    log: EventLog, tasks: tuple[Task, ...], config: Config, calls: int
) -> None:
    users = [task for task in tasks if task.entity == "user"]
    estimator = SSMTL(users, config)
    with pytest.raises(Stopped):
        estimator.fit(log, stop=stop_after(calls))
    assert not hasattr(estimator, "predictor_")


def test_progress_goes_from_start_to_end(
    fitted: SSMTL, told: list[Progress], tasks: tuple[Task, ...], config: Config
) -> None:
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < 0.1
    assert 0.9 < fractions[-1] <= 1
    stages = [progress.stage for progress in told]
    in_turn = [stage for stage, after in pairwise([*stages, ""]) if stage != after]
    assert in_turn == ["snapshots", "training", "boosting", "testing"] * 2
    epochs = [progress.epoch for progress in told if progress.stage == "training"]
    assert epochs[: config.max_epochs] == list(range(1, config.max_epochs + 1))
    for progress in told:
        names = {task.name for task in tasks} if progress.stage == "training" else set()
        assert set(progress.losses) == names


def test_the_report_has_every_task_beside_its_baselines(
    fitted: SSMTL, tasks: tuple[Task, ...]
) -> None:
    report = fitted.report_
    assert set(report.tasks) == {task.name for task in tasks}
    assert report.untested == {}
    assert set(report.training_rows) == {"user", "item", "pair"}
    for name, found in report.tasks.items():
        assert found.task.name == name
        assert found.served in found.scores
        assert "climatology" in found.scores
        assert "model" in found.scores
        assert len(found.scores) == 4
        gain = found.scores["model"].skill - found.scores["private_head"].skill
        assert found.sharing_gain == gain
        assert found.scores["climatology"].skill == 0
        assert found.test_at < fitted.cutoff_at_
        assert found.test_rows > 0
        assert (found.observed_mean is None) == (found.task.target.kind == "peak_period")
        for score in found.scores.values():
            assert score.skill_low <= score.skill_high
            assert all(np.isfinite(value) for value in score.metrics.values())
    assert report.model_validate_json(report.model_dump_json()) == report


def test_a_task_that_is_served_worse_than_a_baseline_says_so(fitted: SSMTL) -> None:
    for found in fitted.report_.tasks.values():
        best = min(found.scores, key=lambda source: found.scores[source].nll)
        if found.served != best:
            assert found.note == f"on the test rows {best} was better than what is served"


def test_the_task_graph_is_of_the_declared_tasks(fitted: SSMTL, tasks: tuple[Task, ...]) -> None:
    graph = fitted.task_graph_
    names = {task.name for task in tasks}
    assert set(graph.nodes) == names
    assert graph.edges
    gains = [edge.gain_nats for edge in graph.edges]
    assert gains == sorted(gains, reverse=True)
    kinds = {task.name: task.entity for task in tasks}
    for edge in graph.edges:
        assert {edge.source, edge.target} <= names
        assert kinds[edge.source] == kinds[edge.target]
        assert -1 <= edge.correlation <= 1


def test_predictions_are_frames(fitted: SSMTL, small_shop: SimulatedShop) -> None:
    frames = small_shop.events, small_shop.users, small_shop.items
    buys = fitted.predict("buys_30d", *frames)
    assert list(buys.columns) == ["user", "cold_start", "probability"]
    assert buys["probability"].between(0, 1).all()
    assert set(buys["user"]) == set(small_shop.users["user"])
    spend = fitted.predict("spend_30d", *frames, entity_ids=list(buys["user"][:3]))
    assert list(spend["user"]) == list(buys["user"][:3])
    assert {"expected", "probability_any", "quantiles_0.5"} <= set(spend.columns)
    best = fitted.predict("best_weekday", *frames)
    assert best["best"].between(1, 7).all()
    shares = best[[f"probabilities_{day}" for day in range(1, 8)]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_pairs_are_those_worth_ranking_unless_given(fitted: SSMTL, log: EventLog) -> None:
    candidates = fitted.predict("views_14d", log)
    assert list(candidates.columns) == ["user", "item", "cold_start", "probability"]
    pair = (str(candidates["user"][0]), str(candidates["item"][0]))
    given = fitted.predict("views_14d", log, entity_ids=[pair])
    assert given["probability"][0] == pytest.approx(candidates["probability"][0], rel=1e-5)


def test_an_unknown_task_is_said(fitted: SSMTL, log: EventLog) -> None:
    with pytest.raises(UnknownTask, match="'buys_31d'"):
        fitted.predict("buys_31d", log)


@pytest.fixture(scope="module")
def larger_shop() -> SimulatedShop:
    return simulate_shop(users=800, items=100, days=400, seed=5)


@pytest.mark.slow
def test_it_learns_what_there_is_to_learn(larger_shop: SimulatedShop) -> None:
    """Every kind of task, on a shop whose truth is known, better than the climatology."""
    units = Count(event_type="purchase", of="units")
    best = PeakPeriod(event_type="purchase")
    tasks = [
        BUYS,
        Task(name="spend_30d", entity="user", target=Sum(event_type="purchase"), horizon_days=30),
        Task(name="units_30d", entity="item", target=units, horizon_days=30),
        Task(name="best_month", entity="item", target=best),
    ]
    config = Config(width=64, members=2, max_epochs=6, max_steps_per_epoch=50, max_cutoffs=12)
    estimator = SSMTL(tasks, config).fit(larger_shop.events, larger_shop.users, larger_shop.items)
    report = estimator.report_
    # A year ahead cannot be tested within four hundred days.
    assert set(report.untested) == {"best_month"}
    for name, found in report.tasks.items():
        score = found.served_score
        assert score.skill_low > 0.05, name
        assert found.scores["model"].skill > 0.05, name
    bought = report.tasks["buys_30d"]
    assert bought.served_score.skill > 0.15
    assert bought.served_score.metrics["auroc"] > 0.75
    assert bought.served_score.metrics["calibration_error"] < 0.06


@pytest.mark.slow
def test_the_examples_of_the_estimator_run() -> None:
    assert doctest.testmod(model.estimator).failed == 0


def test_the_examples_of_the_tasks_run() -> None:
    found = doctest.testmod(model.tasks.task)
    assert found.failed == 0
    assert found.attempted > 0


def test_a_log_too_short_to_validate_is_learned_and_served_by_the_baseline() -> None:
    shop = simulate_shop(users=120, items=30, days=40)
    task = Task(
        name="buys_20d", entity="user", target=Occurs(event_type="purchase"), horizon_days=20
    )
    estimator = SSMTL([task], Config(max_epochs=1, max_steps_per_epoch=2)).fit(shop.events)
    assert estimator.report_.epochs == 1
    assert "served by recency_frequency" in estimator.report_.untested["buys_20d"]
    answers = estimator.predict("buys_20d", shop.events)
    assert answers["probability"].between(0, 1).all()
    assert answers["probability"].nunique() > 10
