from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from model import Task
from model.errors import InvalidEvents, UnknownEntity, UnknownTask
from model.events import EventLog, to_datetime
from model.prediction import Predictor
from model.simulation import SimulatedShop

USER_TASKS = ["buys_7d", "buys_30d", "order_days_30d", "spend_30d"]
ITEM_TASKS = ["units_14d", "best_weekday"]
NEWCOMER = "nobody-yet"


def with_newcomers(shop: SimulatedShop, until: datetime | None = None) -> EventLog:
    """A user and an item that the tables know and the events do not."""
    events = shop.events if until is None else shop.events[shop.events["time"] <= until]
    users = pd.concat([shop.users, pd.DataFrame({"user": [NEWCOMER]})])
    items = pd.concat([shop.items, pd.DataFrame({"item": [NEWCOMER]})])
    return EventLog.from_frames(events, users, items)


def test_it_knows_its_tasks_and_until_when(
    predictor: Predictor, tasks: tuple[Task, ...], log: EventLog
) -> None:
    assert predictor.tasks == {task.name: task for task in tasks}
    assert timedelta(0) <= predictor.cutoff_at - to_datetime(log.last_us) < timedelta(seconds=1)
    assert set(predictor.report.tasks) == set(predictor.tasks)
    assert set(predictor.task_graph.nodes) == set(predictor.tasks)


@pytest.mark.parametrize(("names", "noun"), [(USER_TASKS, "users"), (ITEM_TASKS, "items")])
def test_everybody_is_answered_in_json(
    predictor: Predictor, log: EventLog, names: list[str], noun: str
) -> None:
    found = predictor.predict(log, names)
    assert list(found) == names
    for name, predictions in found.items():
        assert predictions.task == predictor.tasks[name]
        assert predictions.entity_ids == list(getattr(log, noun).ids)
        assert predictions.item_ids is None
        assert predictions.point.shape == (len(predictions.entity_ids),)
        answers = json.loads(json.dumps(predictions.answers(), allow_nan=False))
        assert {answer["kind"] for answer in answers} == {predictor.tasks[name].target.kind}
        assert len(answers) == len(predictions.entity_ids)


def test_one_is_answered_as_among_all(predictor: Predictor, log: EventLog) -> None:
    for names, ids in ((USER_TASKS, log.users.ids), (ITEM_TASKS, log.items.ids)):
        bulk = predictor.predict(log, names)
        some = [str(key) for key in ids[[7, 3, 3, 11]]]
        online = predictor.predict(log, names, some)
        for name in names:
            assert online[name].entity_ids == some
            places = [bulk[name].entity_ids.index(key) for key in some]
            np.testing.assert_allclose(
                online[name].distribution.parameters,
                bulk[name].distribution.parameters[places],
                rtol=1e-6,
                atol=1e-6,
            )
            assert np.array_equal(online[name].cold_start, bulk[name].cold_start[places])


def test_nobody_is_answered_with_nothing(predictor: Predictor, log: EventLog) -> None:
    found = predictor.predict(log, USER_TASKS, [])
    assert all(predictions.answers() == [] for predictions in found.values())
    assert predictor.predict_pairs(log, ["views_14d"], [])["views_14d"].answers() == []


def test_many_rows_are_answered_in_chunks(
    predictor: Predictor, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predictor.predict(log, USER_TASKS)
    monkeypatch.setattr("model.prediction.predictor.CHUNK_ROWS", 37)
    for name, predictions in predictor.predict(log, USER_TASKS).items():
        np.testing.assert_allclose(predictions.point, whole[name].point, rtol=1e-5)


def test_later_events_change_no_earlier_prediction(
    predictor: Predictor, small_shop: SimulatedShop, log: EventLog
) -> None:
    cutoff = to_datetime(log.last_us).replace(microsecond=0) - timedelta(days=40)
    then = with_newcomers(small_shop, until=cutoff)
    now = with_newcomers(small_shop)
    for names in (USER_TASKS, ITEM_TASKS):
        before = predictor.predict(then, names, cutoff_at=cutoff)
        after = predictor.predict(now, names, cutoff_at=cutoff)
        for name in names:
            assert before[name].entity_ids == after[name].entity_ids
            left, right = before[name].distribution, after[name].distribution
            assert left.parameters.tobytes() == right.parameters.tobytes()
            assert np.array_equal(before[name].cold_start, after[name].cold_start)
    assert predictor.candidate_pairs(then, cutoff) == predictor.candidate_pairs(now, cutoff)


def test_the_cutoff_is_the_models_own_unless_given(predictor: Predictor, log: EventLog) -> None:
    by_default = predictor.predict(log, ["buys_30d"])["buys_30d"].point
    given = predictor.predict(log, ["buys_30d"], cutoff_at=predictor.cutoff_at)["buys_30d"].point
    earlier = predictor.cutoff_at - timedelta(days=60)
    assert np.array_equal(by_default, given)
    then = predictor.predict(log, ["buys_30d"], cutoff_at=earlier)["buys_30d"].point
    assert not np.array_equal(by_default, then)
    with pytest.raises(InvalidEvents, match="has no zone"):
        predictor.predict(log, ["buys_30d"], cutoff_at=datetime(2023, 6, 1))  # noqa: DTZ001


@pytest.mark.parametrize(("names", "noun"), [(USER_TASKS, "user"), (ITEM_TASKS, "item")])
def test_who_is_known_from_the_tables_alone_has_the_average_answer(
    predictor: Predictor, small_shop: SimulatedShop, names: list[str], noun: str
) -> None:
    log = with_newcomers(small_shop)
    found = predictor.predict(log, names)
    for predictions in found.values():
        place = predictions.entity_ids.index(NEWCOMER)
        seen = set(small_shop.events[noun])
        assert predictions.cold_start.tolist() == [
            key not in seen for key in predictions.entity_ids
        ]
        cold = predictions.distribution.parameters[predictions.cold_start]
        assert (cold == predictions.distribution.parameters[place]).all()
        layout = predictor.artifact.layout(noun)  # type: ignore[arg-type]
        climatology = predictor.artifact.baselines[noun].climatology  # type: ignore[index]
        expected = climatology[layout.columns_of(predictions.task.name)]
        found_here = predictions.distribution.parameters[place]
        # Chances that fit together may differ a little from each task's own.
        np.testing.assert_allclose(found_here, expected, atol=1e-3)


def test_before_the_first_event_everybody_is_cold(predictor: Predictor, log: EventLog) -> None:
    found = predictor.predict(log, ["buys_30d"], cutoff_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert found["buys_30d"].cold_start.all()
    assert len(set(found["buys_30d"].point.tolist())) == 1


def test_an_entity_that_the_model_has_not_met_is_answered_from_its_events(
    predictor: Predictor, small_shop: SimulatedShop
) -> None:
    newer = small_shop.events.tail(50).assign(user=NEWCOMER)
    log = EventLog.from_frames(
        pd.concat([small_shop.events, newer]), small_shop.users, small_shop.items
    )
    found = predictor.predict(log, USER_TASKS, [NEWCOMER])
    for predictions in found.values():
        assert not predictions.cold_start.any()
        assert np.isfinite(predictions.point).all()


def test_pairs_are_answered_in_their_order(predictor: Predictor, log: EventLog) -> None:
    pairs = predictor.candidate_pairs(log)
    some = [pairs[5], pairs[0], pairs[-1]]
    whole = predictor.predict_pairs(log, ["views_14d"], pairs)["views_14d"]
    found = predictor.predict_pairs(log, ["views_14d"], some)["views_14d"]
    assert found.entity_ids == [user for user, _ in some]
    assert found.item_ids == [item for _, item in some]
    np.testing.assert_allclose(
        found.point, whole.point[[5, 0, len(pairs) - 1]], rtol=1e-5, atol=1e-7
    )
    assert ((found.point > 0) & (found.point < 1)).all()


def test_candidates_are_of_active_users_and_each_once(predictor: Predictor, log: EventLog) -> None:
    pairs = predictor.candidate_pairs(log)
    assert len(set(pairs)) == len(pairs)
    users = {user for user, _ in pairs}
    assert users == {str(log.users.ids[code]) for code in set(log.user.tolist()) if code >= 0}
    popular = pd.Series(log.item[log.time_us > log.last_us - 90 * 86_400_000_000]).value_counts()
    best = str(log.items.ids[popular.index[0]])
    assert {(user, best) for user in users} <= set(pairs)


def test_unknown_names_are_said(predictor: Predictor, log: EventLog) -> None:
    with pytest.raises(UnknownTask, match=r"'buys_90d'; it knows \['best_weekday', 'buys_30d'"):
        predictor.predict(log, ["buys_90d"])
    with pytest.raises(UnknownEntity, match=r"unknown user 'u-0'"):
        predictor.predict(log, ["buys_30d"], [str(log.users.ids[0]), "u-0"])
    with pytest.raises(UnknownEntity, match=r"unknown item 'i-0'"):
        predictor.predict(log, ["units_14d"], ["i-0"])
    with pytest.raises(UnknownEntity, match=r"unknown item 'i-0'"):
        predictor.predict_pairs(log, ["views_14d"], [(str(log.users.ids[0]), "i-0")])


def test_one_kind_of_entity_at_a_time(predictor: Predictor, log: EventLog) -> None:
    with pytest.raises(UnknownTask, match="one kind at a time"):
        predictor.predict(log, ["buys_30d", "units_14d"])
    with pytest.raises(UnknownTask, match="user or item"):
        predictor.predict(log, ["views_14d"])
    with pytest.raises(UnknownTask, match="here pair"):
        predictor.predict_pairs(log, ["buys_30d"], [])


def test_a_log_without_tables_is_answered(
    predictor: Predictor, small_shop: SimulatedShop, log: EventLog
) -> None:
    bare = EventLog.from_frames(small_shop.events)
    for names in (USER_TASKS, ITEM_TASKS):
        for predictions in predictor.predict(bare, names).values():
            assert np.isfinite(predictions.point).all()


def test_what_is_served_fits_together_also_of_who_is_cold(
    predictor: Predictor, log: EventLog
) -> None:
    found = predictor.predict(log, ["buys_7d", "buys_30d", "order_days_30d", "spend_30d"])
    chance = {name: of.distribution.probability_any for name, of in found.items()}
    assert found["buys_7d"].cold_start.any()
    assert (chance["buys_7d"] <= chance["buys_30d"]).all()
    assert (chance["order_days_30d"] == chance["buys_30d"]).all()
    assert (chance["spend_30d"] <= chance["buys_30d"]).all()
