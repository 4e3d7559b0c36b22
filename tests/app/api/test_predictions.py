from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app.api.predicting import Predicting
from app.db.engine import transaction
from app.db.tables import ModelVersion, TaskRow
from app.domain.datasets import get_dataset
from model.prediction import Predictions
from tests.app.trained_shop import STRANGER, TASKS, Service

TOLERANCE = 1e-6
USER, OTHER_USER, ITEM, OTHER_ITEM = "u00001", "u00002", "i00001", "i00002"
COMMON = {
    "task",
    "entity",
    "user",
    "item",
    "model_version",
    "cutoff_at",
    "cold_start",
    "point",
    "kind",
}
OWN = {
    "occurs": {"probability"},
    "count": {"expected", "probability_any", "quantiles"},
    "sum": {"expected", "probability_any", "quantiles"},
    "peak_period": {"period", "best", "probabilities"},
    "time_to": {"expected_days", "probability_any", "quantiles", "survival"},
    "next": {"best", "probabilities"},
}
OWN_OF_COLUMN = {
    "numbers": {"values", "expected", "quantiles"},
    "categories": {"values", "best", "probabilities"},
}
ENTITY_IDS = {"user": USER, "item": ITEM, "pair": USER}


def directly(service: Service, task: str, entity_id: str, item: str | None = None) -> Predictions:
    predictor, log = service.shop.predictor, service.shop.log
    if item is not None:
        return predictor.predict_pairs(log, [task], [(entity_id, item)])[task]
    return predictor.predict(log, [task], [entity_id])[task]


def check_same(answer: dict[str, Any], expected: Predictions) -> None:
    (distribution,) = expected.answers()
    assert answer["point"] == pytest.approx(expected.point[0], abs=TOLERANCE)
    assert answer["cold_start"] == bool(expected.cold_start[0])
    for name, value in distribution.items():
        assert answer[name] == (
            value if isinstance(value, str) else pytest.approx(value, abs=TOLERANCE)
        )


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_an_answer_is_what_the_model_says(service: Service, task: Any) -> None:
    query = {"item": ITEM} if task.entity == "pair" else {}
    entity_id = ENTITY_IDS[task.entity]
    answer = service.get(f"/tasks/{task.name}/predictions/{entity_id}", **query)
    own = OWN.get(task.target.kind) or OWN_OF_COLUMN[answer["values"]]
    assert set(answer) == COMMON | own
    assert (answer["task"], answer["kind"]) == (task.name, task.target.kind)
    assert answer["entity"] == task.entity
    assert answer["user"] == (None if task.entity == "item" else USER)
    assert answer["item"] == (None if task.entity == "user" else ITEM)
    assert answer["model_version"] == 1
    assert pd.Timestamp(answer["cutoff_at"]) == service.shop.predictor.cutoff_at
    check_same(answer, directly(service, task.name, entity_id, query.get("item")))


def test_a_pair_that_is_not_stored_is_computed(service: Service) -> None:
    stored = {
        (row["user"], row["item"])
        for row in service.get("/tasks/meets_14d/predictions", limit=1000)["items"]
    }
    users, items = service.shop.log.users.ids, service.shop.log.items.ids
    user, item = next((u, i) for u in users for i in items if (u, i) not in stored)
    answer = service.get(f"/tasks/meets_14d/predictions/{user}", item=item)
    check_same(answer, directly(service, "meets_14d", user, item))


def test_a_user_of_the_table_alone_is_a_cold_start(service: Service) -> None:
    answer = service.get(f"/tasks/buys_14d/predictions/{STRANGER}")
    assert (answer["user"], answer["cold_start"]) == (STRANGER, True)
    pair = service.get(f"/tasks/meets_14d/predictions/{STRANGER}", item=ITEM)
    assert pair["cold_start"]


def test_what_is_unknown_is_not_found_with_a_way_out(service: Service) -> None:
    user = service.refused("/tasks/buys_14d/predictions/nobody", 404)
    assert user["code"] == "entity_not_found"
    assert "'nobody'" in user["detail"]
    assert user["errors"][0]["pointer"] == "/path/entity_id"
    item = service.refused(f"/tasks/meets_14d/predictions/{USER}", 404, item="nothing")
    assert item["errors"][0]["pointer"] == "/query/item"
    task = service.refused(f"/tasks/nope/predictions/{USER}", 404)
    assert task["code"] == "task_not_found"
    assert all(known.name in task["detail"] for known in TASKS)
    for version in ("7", "999999999", "challenger"):
        problem = service.refused(f"/tasks/buys_14d/predictions/{USER}", 404, version=version)
        assert version in problem["detail"]
    answer = service.client.get(f"/v1/datasets/nowhere/tasks/buys_14d/predictions/{USER}")
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")


def test_a_task_that_the_version_has_not_learned_says_so(service: Service) -> None:
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, "shop")
        declaration = TASKS[0].declaration.model_dump(mode="json")
        row = TaskRow(dataset_id=dataset.id, name="later_14d", declaration=declaration)
        session.add(row)
    problem = service.refused(f"/tasks/later_14d/predictions/{USER}", 404)
    assert problem["code"] == "task_not_trained"
    assert "/v1/datasets/shop/training-jobs" in problem["detail"]


def test_the_item_is_asked_for_with_pairs_only(service: Service) -> None:
    missing = service.refused(f"/tasks/meets_14d/predictions/{USER}", 422)
    assert "?item=" in missing["detail"]
    superfluous = service.refused(f"/tasks/buys_14d/predictions/{USER}", 422, item=ITEM)
    assert superfluous["errors"][0]["pointer"] == "/query/item"


@pytest.mark.parametrize("bad", ["a%00b", "x" * 1001])
def test_an_impossible_id_is_refused(service: Service, bad: str) -> None:
    service.refused(f"/tasks/buys_14d/predictions/{bad}", 422)


def test_many_answers_at_once_are_those_of_one_at_a_time(service: Service) -> None:
    body = {
        "users": [USER, STRANGER, OTHER_USER],
        "items": [ITEM, OTHER_ITEM],
        "pairs": [{"user": USER, "item": ITEM}, {"user": OTHER_USER, "item": OTHER_ITEM}],
    }
    answers = service.predict(body)["predictions"]
    expected = [
        service.get(
            f"/tasks/{task.name}/predictions/{entity['user'] if task.entity == 'pair' else entity}",
            **({"item": entity["item"]} if task.entity == "pair" else {}),
        )
        for task in TASKS
        for entity in body[f"{task.entity}s"]
    ]
    assert [(a["task"], a["user"], a["item"]) for a in answers] == [
        (a["task"], a["user"], a["item"]) for a in expected
    ]
    for answer, other in zip(answers, expected, strict=True):
        assert answer["point"] == pytest.approx(other["point"], abs=TOLERANCE)


def test_answers_come_in_the_order_asked(service: Service) -> None:
    body = {"tasks": ["spend_14d", "buys_14d"], "users": [OTHER_USER, USER, OTHER_USER]}
    answers = service.predict(body, version="1")["predictions"]
    assert [(answer["task"], answer["user"]) for answer in answers] == [
        (task, user) for task in body["tasks"] for user in body["users"]
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/body"),
        ({"users": [USER], "tasks": ["sold_14d"]}, "/body/tasks/0"),
        ({"users": [USER], "items": [ITEM], "tasks": ["sold_14d"]}, "/body/users"),
        ({"users": [USER] * 6000, "items": [ITEM] * 6000}, "/body"),
        ({"users": [USER] * 10_001}, "/body/users"),
        ({"users": [USER], "tasks": []}, "/body/tasks"),
        ({"user": [USER]}, "/body/user"),
        ({"pairs": [{"user": USER}]}, "/body/pairs/0/item"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    service: Service, body: Any, pointer: str
) -> None:
    problem = service.predict(body, 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_ten_thousand_answers_are_given_at_once(service: Service) -> None:
    users = [str(user) for user in service.shop.log.users.ids] * 100
    answers = service.predict({"tasks": ["buys_14d"], "users": users[:10_000]})["predictions"]
    assert [answer["user"] for answer in answers] == users[:10_000]


def test_all_unknown_entities_are_told_at_once(service: Service) -> None:
    body = {
        "users": [USER, "nobody"],
        "items": ["nothing"],
        "pairs": [{"user": USER, "item": "nothing"}, {"user": "nobody", "item": ITEM}],
    }
    problem = service.predict(body, 404)
    assert {error["pointer"] for error in problem["errors"]} == {
        "/body/users/1",
        "/body/items/0",
        "/body/pairs/0/item",
        "/body/pairs/1/user",
    }


def test_a_damaged_model_is_refused_and_the_old_version_goes_on(service: Service) -> None:
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, "shop")
        data_dir = service.settings.data_dir
        number = service.shop.publish(session, dataset, data_dir)
        version = session.query(ModelVersion).filter_by(number=number).one()
        network = data_dir / version.artifact_path / "network_user.onnx"
    network.write_bytes(network.read_bytes()[:-1])
    for _ in range(2):
        problem = service.refused(f"/tasks/buys_14d/predictions/{USER}", 503, version=number)
        assert problem["code"] == "model_damaged"
        assert f"version {number}" in problem["detail"]
    moved = service.client.put("/v1/datasets/shop/aliases/champion", json={"version": number})
    assert (moved.status_code, moved.json()["code"]) == (409, "model_damaged")
    assert "champion" in moved.json()["detail"]
    answer = service.get(f"/tasks/buys_14d/predictions/{USER}")
    assert answer["model_version"] == 1
    check_same(answer, directly(service, "buys_14d", USER))


def test_a_time_is_told_as_far_as_the_horizon(service: Service) -> None:
    answer = service.get(f"/tasks/until_14d/predictions/{USER}")
    assert list(answer["survival"]) == ["1", "3", "7", "14"]
    left = list(answer["survival"].values())
    assert left == sorted(left, reverse=True)
    assert left[-1] == pytest.approx(1 - answer["probability_any"], abs=TOLERANCE)
    assert 0 < answer["expected_days"] <= 14
    assert (answer["quantiles"]["0.5"] is None) == (answer["probability_any"] < 0.5)


def test_the_next_category_is_one_of_the_shops(service: Service) -> None:
    answer = service.get(f"/tasks/next_14d/predictions/{USER}")
    assert set(answer["probabilities"]) <= {*service.shop.items["category"], "other"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answer["point"] == max(answer["probabilities"].values())
    assert answer["probabilities"][answer["best"]] == answer["point"]


def test_a_column_is_answered_by_its_type(service: Service) -> None:
    device = service.get(f"/tasks/device_14d/predictions/{USER}")
    assert (device["values"], set(device["probabilities"])) == ("categories", {"phone", "desk"})
    stars = service.get(f"/tasks/stars_14d/predictions/{ITEM}")
    assert (stars["values"], stars["point"]) == ("numbers", stars["expected"])
    assert 1 < stars["expected"] < 5
    assert stars["quantiles"]["0.1"] < stars["expected"] < stars["quantiles"]["0.9"]


def test_the_docs_name_the_shape_of_every_kind(service: Service) -> None:
    schemas = service.client.get("/openapi.json").json()["components"]["schemas"]
    (listed,) = schemas["PredictionList"]["properties"]["predictions"]["items"]["anyOf"][:1]
    kinds = set(listed["discriminator"]["mapping"])
    assert kinds | {"column"} == {task.target.kind for task in TASKS}
    assert all(isinstance(name, str) for name in listed["discriminator"]["mapping"].values())


@pytest.mark.parametrize(
    "path",
    [
        f"/tasks/buys_14d/predictions/{USER}",
        f"/tasks/buys_14d/predictions/{STRANGER}",
        f"/tasks/sold_14d/predictions/{ITEM}",
        "/tasks/buys_14d/predictions/nobody",
        f"/tasks/never/predictions/{USER}",
        f"/tasks/meets_14d/predictions/{USER}",
    ],
)
def test_without_a_query_the_answer_is_the_same(service: Service, path: str) -> None:
    url = f"/v1/datasets/shop{path}"
    plain, asked = service.client.get(url), service.client.get(url, params={"version": "champion"})
    assert (plain.status_code, plain.content) == (asked.status_code, asked.content)
    assert plain.headers["content-type"] == asked.headers["content-type"]


def test_a_failure_that_nobody_expected_is_a_problem(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(Predicting, "single", failing)
    answer = service.client.get(f"/v1/datasets/shop/tasks/buys_14d/predictions/{USER}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
