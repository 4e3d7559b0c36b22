"""Predictions given outcomes, outcomes together, and reasons, through HTTP."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.app.trained_shop import NAME, STRANGER, Service

USER, OTHER_USER, ITEM = "u00001", "u00002", "i00001"


def asked(**body: Any) -> dict[str, Any]:
    return {"tasks": ["spend_14d"], "users": [USER, OTHER_USER], **body}


def by_task(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["task"]: one for one in answer["predictions"]}


def test_nothing_given_is_what_is_served_without(service: Service) -> None:
    plain = service.predict(asked())
    assert service.predict(asked(given={}, explain=False, joint=False)) == plain
    explained = service.predict(asked(explain=True))
    for one, other in zip(explained["predictions"], plain["predictions"], strict=True):
        assert one.pop("explanation")
        assert one == other


def test_what_is_given_decides_what_follows_from_it(service: Service) -> None:
    answer = by_task(
        service.predict(
            {"users": [USER], "given": {"buys_14d": True, "stars_14d": 4}, "items": [ITEM]}
        )
    )
    assert "buys_14d" not in answer  # what is known is not predicted
    assert "stars_14d" not in answer
    assert answer["orders_14d"]["probability_any"] == 1
    assert answer["orders_14d"]["expected"] >= 1
    assert answer["until_14d"]["probability_any"] == 1
    assert answer["until_14d"]["survival"]["14"] == 0
    assert answer["sold_14d"]["expected"] >= 0
    never = by_task(service.predict({"users": [USER], "given": {"until_14d": None}}))
    assert never["buys_14d"]["probability"] == 0
    assert never["spend_14d"]["expected"] == 0
    soon = by_task(service.predict({"users": [USER], "given": {"until_14d": 3}}))
    assert soon["buys_14d"]["probability"] == 1


def test_it_is_what_the_model_says(service: Service) -> None:
    given = {"orders_14d": 3}
    (answer,) = service.predict(asked(users=[USER], given=given))["predictions"]
    predictor, log = service.shop.predictor, service.shop.log
    (expected,) = predictor.predict(log, ["spend_14d"], [USER], given=given)["spend_14d"].answers()
    assert answer["expected"] == pytest.approx(expected["expected"], rel=1e-6)
    assert answer["quantiles"] == pytest.approx(expected["quantiles"], rel=1e-6)


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        (asked(given={"buys_14d": 1}), "/body/given/buys_14d", "state true or false"),
        (asked(given={"buys_14d": None}), "/body/given/buys_14d", "null is no outcome"),
        (asked(given={"orders_14d": -1}), "/body/given/orders_14d", "-1 is no outcome"),
        (asked(given={"orders_14d": 2.5}), "/body/given/orders_14d", "whole number"),
        (asked(given={"until_14d": 15}), "/body/given/until_14d", "at most 14 days"),
        (asked(given={"spend_14d": 3}), "/body/given/spend_14d", "its outcome is given"),
        (asked(given={"next_14d": 3}), "/body/given/next_14d", "says nothing of other tasks"),
        (asked(given={"device_14d": 1}), "/body/given/device_14d", "says nothing of other tasks"),
        (asked(given={"sold_14d": 3}), "/body/given/sold_14d", "is about items, and nothing"),
        (asked(given={"meets_14d": True}), "/body/given/meets_14d", "is about pairs"),
        (asked(given={"nothing": True}), "/body/given/nothing", "no task 'nothing'"),
        (
            asked(given={"buys_14d": True, "orders_14d": 0}),
            "/body/given/buys_14d",
            "true cannot be beside orders_14d = 0",
        ),
        (
            asked(given={"buys_14d": False, "until_14d": 3}),
            "/body/given/buys_14d",
            "false cannot be beside until_14d = 3",
        ),
        (
            asked(given={"buys_14d": True}, joint=True, outcomes={"orders_14d": 0}),
            "/body/outcomes/orders_14d",
            "0 cannot be beside buys_14d = true",
        ),
        (
            asked(given={"buys_14d": True}, joint=True, outcomes={"buys_14d": True}),
            "/body/outcomes/buys_14d",
            "its outcome is given",
        ),
        (asked(joint=True), "/body/outcomes", "State them"),
        (asked(outcomes={"buys_14d": True}), "/body/joint", "set `joint` to true"),
        (asked(joint=True, outcomes={"sold_14d": 1}), "/body/outcomes/sold_14d", "about items"),
        (asked(joint=True, outcomes={"next_14d": 1}), "/body/outcomes/next_14d", "says nothing"),
        (
            asked(users=[USER] * 101, explain=True),
            "/body/explain",
            "101 predictions for 101 entities are to be explained; at most 1,000 for 100 at once",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    service: Service, body: dict[str, Any], pointer: str, said: str
) -> None:
    problem = service.predict(body, 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert said in problem["detail"]


@pytest.mark.parametrize("value", ["yes", [1], {"a": 1}])
def test_a_value_of_another_type_is_refused(service: Service, value: Any) -> None:
    problem = service.predict(asked(given={"buys_14d": value}), 422)
    assert all(error["pointer"].startswith("/body/given/buys_14d") for error in problem["errors"])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_numbers_beyond_all_bounds_are_refused(service: Service, value: float) -> None:
    answer = service.client.post(
        f"/v1/datasets/{NAME}/predictions",
        content=json.dumps({"tasks": ["buys_14d"], "users": [USER], "given": {"spend_14d": value}}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert "spend_14d" in answer.json()["errors"][0]["pointer"]


def test_too_many_outcomes_are_refused(service: Service) -> None:
    problem = service.predict(asked(given={f"t{n}": True for n in range(101)}), 422)
    assert problem["errors"][0]["pointer"] == "/body/given"


def test_an_unknown_entity_is_not_found_all_the_same(service: Service) -> None:
    problem = service.predict(asked(users=[USER, "nobody"], given={"buys_14d": True}), 404)
    assert problem["errors"][0]["pointer"] == "/body/users/1"


def test_outcomes_together(service: Service) -> None:
    outcomes = {"buys_14d": True, "spend_14d": 25.0, "until_14d": 3}
    answer = service.predict(asked(joint=True, outcomes=outcomes))
    assert [one["user"] for one in answer["joint"]] == [USER, OTHER_USER]
    for one in answer["joint"]:
        assert {term["task"] for term in one["terms"]} == set(outcomes)
        assert one["log_probability"] == pytest.approx(
            sum(term["log_probability"] for term in one["terms"])
        )
        assert one["independent_log_probability"] == pytest.approx(
            sum(term["marginal_log_probability"] for term in one["terms"])
        )
        assert one["inconsistency"] >= 0
        densities = {term["task"] for term in one["terms"] if term["is_density"]}
        assert densities == {"spend_14d", "until_14d"}
        assert one["model_version"] == 1
        assert one["item"] is None
    assert "joint" not in service.predict(asked())


def test_the_outcomes_of_an_event_have_probability_one_together(service: Service) -> None:
    total = 0.0
    for outcomes in ({"buys_14d": False}, {"buys_14d": True}):
        (one,) = service.predict(asked(users=[USER], joint=True, outcomes=outcomes))["joint"]
        total += math.exp(one["log_probability"])
    assert total == pytest.approx(1)


def test_pairs_and_items_have_joint_probabilities(service: Service) -> None:
    answer = service.predict(
        {
            "items": [ITEM],
            "pairs": [{"user": USER, "item": ITEM}],
            "joint": True,
            "outcomes": {"sold_14d": 2, "meets_14d": False},
        }
    )
    assert {(one["entity"], one["user"], one["item"]) for one in answer["joint"]} == {
        ("item", None, ITEM),
        ("pair", USER, ITEM),
    }


def check_sums(explanation: dict[str, Any]) -> None:
    added = [one["contribution"] for one in explanation["groups"] + explanation["evidence"]]
    total = explanation["average"] + sum(added)
    assert total == pytest.approx(explanation["prediction"], rel=1e-5, abs=1e-7)


def test_reasons_sum_to_the_prediction(service: Service) -> None:
    answer = service.predict({"users": [USER], "items": [ITEM], "explain": True})
    for one in answer["predictions"]:
        check_sums(one["explanation"])
        wanted = one["expected_days"] if one["kind"] == "time_to" else one["point"]
        assert one["explanation"]["prediction"] == pytest.approx(wanted, rel=1e-5)


def test_known_outcomes_are_reasons_too(service: Service) -> None:
    given = {"buys_14d": True, "until_14d": 2}
    (answer,) = service.predict(asked(users=[USER], given=given, explain=True))["predictions"]
    check_sums(answer["explanation"])
    assert {one["task"] for one in answer["explanation"]["evidence"]} == set(given)


def test_one_prediction_comes_with_reasons_if_asked(service: Service) -> None:
    plain = service.get(f"/tasks/buys_14d/predictions/{USER}")
    explained = service.get(f"/tasks/buys_14d/predictions/{USER}", explain=True)
    explanation = explained.pop("explanation")
    assert explained == plain
    check_sums(explanation)
    assert {"recency", "last_events"} <= {one["group"] for one in explanation["groups"]}
    of_pair = service.get(f"/tasks/meets_14d/predictions/{USER}", item=ITEM, explain=True)
    check_sums(of_pair["explanation"])
    cold = service.get(f"/tasks/buys_14d/predictions/{STRANGER}", explain=True)
    assert cold["cold_start"]
    assert not any(one["contribution"] for one in cold["explanation"]["groups"])


def test_reasons_for_one_are_refused_as_a_prediction_is(service: Service) -> None:
    problem = service.refused(f"/tasks/meets_14d/predictions/{USER}", 422, explain=True)
    assert problem["errors"][0]["pointer"] == "/query/item"
    problem = service.refused("/tasks/buys_14d/predictions/nobody", 404, explain=True)
    assert problem["errors"][0]["pointer"] == "/path/entity_id"
    service.refused(f"/tasks/nothing/predictions/{USER}", 404, explain=True)


def test_a_ranking_speaks_of_no_reasons(service: Service) -> None:
    (first, *_) = service.get("/tasks/buys_14d/predictions")["items"]
    assert "explanation" not in first
