"""Explanations sum to the prediction, are the same each time, and find what a task depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.distributions import TaskServing
from model.errors import InvalidOutcome
from model.events import EventLog
from model.prediction import Predictor
from model.prediction.explanation import Explanation

USERS = ["buys_7d", "buys_30d", "order_days_30d", "spend_30d"]


def total(explanation: Explanation) -> float:
    added = [*explanation.groups.values(), *explanation.evidence.values()]
    return explanation.average + sum(added)


def first_user(log: EventLog) -> str:
    return str(log.users.ids[int(log.user[-1])])


def test_contributions_sum_to_the_prediction(predictor: Predictor, log: EventLog) -> None:
    user = first_user(log)
    points = predictor.predict(log, USERS, [user])
    explained = predictor.explain(log, USERS, user)
    for name in USERS:
        assert explained[name].prediction == pytest.approx(points[name].point[0], rel=1e-6)
        assert total(explained[name]) == pytest.approx(explained[name].prediction, rel=1e-5)
        assert not explained[name].evidence
        sizes = [abs(value) for value in explained[name].groups.values()]
        assert sizes == sorted(sizes, reverse=True)
    assert explained["buys_7d"].unit == "probability"
    assert explained["order_days_30d"].unit == "days"
    assert explained["spend_30d"].unit == "money"


def test_known_outcomes_have_their_share(predictor: Predictor, log: EventLog) -> None:
    user = first_user(log)
    given = {"buys_7d": True, "order_days_30d": 3}
    point = predictor.predict(log, ["spend_30d"], [user], given=given)["spend_30d"].point[0]
    found = predictor.explain(log, ["spend_30d"], user, given=given)["spend_30d"]
    assert set(found.evidence) == set(given)
    assert found.prediction == pytest.approx(point, rel=1e-6)
    assert total(found) == pytest.approx(point, rel=1e-5)
    sure = predictor.explain(log, ["buys_30d"], user, given=given)["buys_30d"]
    assert sure.prediction == pytest.approx(1)
    assert sure.evidence["buys_7d"] > 0
    with pytest.raises(InvalidOutcome, match="its outcome is given"):
        predictor.explain(log, ["buys_7d"], user, given=given)


def test_an_explanation_is_the_same_each_time(predictor: Predictor, log: EventLog) -> None:
    user = first_user(log)
    assert predictor.explain(log, USERS, user) == predictor.explain(log, USERS, user)


def test_items_and_pairs_are_explained_too(predictor: Predictor, log: EventLog) -> None:
    item = str(log.items.ids[int(log.item[-1])])
    found = predictor.explain(log, ["units_14d", "best_weekday"], item)
    assert "item_identity" in found["units_14d"].groups
    assert "last_events" not in found["units_14d"].groups
    assert total(found["best_weekday"]) == pytest.approx(found["best_weekday"].prediction, rel=1e-5)
    best = predictor.predict(log, ["best_weekday"], [item])["best_weekday"]
    assert found["best_weekday"].prediction == pytest.approx(best.point[0], rel=1e-6)
    pair = (first_user(log), item)
    (of_pair,) = predictor.explain(log, ["views_14d"], pair).values()
    assert {"user_recency", "item_recency", "pair_recency", "last_events"} <= set(of_pair.groups)
    assert total(of_pair) == pytest.approx(of_pair.prediction, rel=1e-5)


def with_sources(predictor: Predictor, how: TaskServing) -> Predictor:
    """The same model, every user task served like this."""
    artifact = predictor.artifact
    serving = {**artifact.description.serving, **dict.fromkeys(USERS, how)}
    description = artifact.description.model_copy(update={"serving": serving})
    return Predictor(replace(artifact, description=description))


def test_who_says_the_same_of_everybody_has_no_reasons(predictor: Predictor, log: EventLog) -> None:
    same = with_sources(predictor, TaskServing(source="climatology"))
    found = same.explain(log, ["buys_7d"], first_user(log))["buys_7d"]
    assert set(found.groups.values()) == {0.0}
    assert found.average == pytest.approx(found.prediction)


def test_a_linear_baseline_looks_at_recency_and_frequency_alone(
    predictor: Predictor, log: EventLog
) -> None:
    linear = with_sources(predictor, TaskServing(source="recency_frequency"))
    found = linear.explain(log, ["buys_7d"], first_user(log))["buys_7d"]
    reasons = {group for group, value in found.groups.items() if value != 0}
    assert reasons
    assert reasons <= {"recency", "purchase_events", "visits"}


def test_a_cold_entity_has_the_average_answer_and_no_reasons(
    predictor: Predictor, log: EventLog
) -> None:
    users = pd.DataFrame({"user": ["nobody"]})
    events = pd.DataFrame(
        {"user": ["a"], "item": ["b"], "time": pd.to_datetime(["2024-01-01"], utc=True)}
    ).assign(event_type="purchase")
    found = predictor.explain(EventLog.from_frames(events, users), USERS, "nobody")
    assert all(not np.any(list(one.groups.values())) for one in found.values())
    assert found["buys_7d"].average == pytest.approx(found["buys_7d"].prediction)
