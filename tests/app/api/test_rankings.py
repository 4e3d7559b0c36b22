from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from app.api.pagination import encode_cursor
from app.db.engine import transaction
from app.db.tables import PredictionSet
from app.domain.datasets import get_dataset
from app.domain.model_versions import get_version
from app.domain.prediction_sets import publish_set
from tests.app.domain.conftest import row_of, store_rows
from tests.app.trained_shop import STRANGER, TASKS, Service

USER = "u00001"


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_ranking_has_everybody_once_in_order(service: Service, task: Any, order: str) -> None:
    ranked: list[dict[str, Any]] = []
    query: dict[str, Any] | None = {"limit": 37, "order": order}
    while query:
        page = service.get(f"/tasks/{task.name}/predictions", **query)
        ranked += page["items"]
        query = page["next_cursor"] and {**query, "cursor": page["next_cursor"]}
    points = [answer["point"] for answer in ranked]
    assert points == sorted(points, reverse=order == "desc")
    entities = [(answer["user"], answer["item"]) for answer in ranked]
    assert len(set(entities)) == len(entities)
    if task.entity == "pair":
        per_user = pd.Series([user for user, _ in entities]).value_counts()
        assert per_user.max() == 10
    else:
        known = service.shop.log.users if task.entity == "user" else service.shop.log.items
        assert len(entities) == len(known)


def pages(service: Service, task: str, **query: Any) -> list[dict[str, Any]]:
    ranked: list[dict[str, Any]] = []
    asked: dict[str, Any] | None = query
    while asked:
        page = service.get(f"/tasks/{task}/predictions", **asked)
        ranked += page["items"]
        asked = page["next_cursor"] and {**query, "cursor": page["next_cursor"]}
    return ranked


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_the_best_items_of_a_user_are_its_own_and_the_popular_ones(
    service: Service, order: str
) -> None:
    ranked = pages(service, "meets_14d", user=USER, limit=7, order=order)
    predictor, log = service.shop.predictor, service.shop.log
    own = set(service.shop.events.loc[service.shop.events["user"] == USER, "item"])
    items = [answer["item"] for answer in ranked]
    assert own <= set(items)
    assert len(set(items)) == len(items) > len(own)
    assert {answer["user"] for answer in ranked} == {USER}
    now = predictor.cutoff_at  # nothing has come since
    assert {pd.Timestamp(answer["cutoff_at"]) for answer in ranked} == {pd.Timestamp(now)}
    found = predictor.predict_pairs(log, ["meets_14d"], [(USER, item) for item in items], now)
    points = [answer["point"] for answer in ranked]
    assert points == pytest.approx(found["meets_14d"].point, abs=1e-6)
    assert points == sorted(points, reverse=order == "desc")


def test_a_user_without_events_is_offered_the_popular_items(service: Service) -> None:
    ranked = pages(service, "meets_14d", user=STRANGER)
    assert len(ranked) == 20
    assert all(answer["cold_start"] for answer in ranked)


def test_the_items_of_nobody_are_refused(service: Service) -> None:
    problem = service.refused("/tasks/buys_14d/predictions", 422, user=USER)
    assert problem["errors"][0]["pointer"] == "/query/user"
    unknown = service.refused("/tasks/meets_14d/predictions", 404, user="nobody")
    assert (unknown["code"], unknown["errors"][0]["pointer"]) == ("entity_not_found", "/query/user")
    for cursor in (
        encode_cursor([1, "desc", 3]),
        encode_cursor([1, "asc", "2025-01-01T00:00:00+00:00", 0.5, "i"]),
        encode_cursor([1, "desc", "yesterday", 0.5, "i"]),
        encode_cursor([1, "desc", "2025-01-01T00:00:00", 0.5, "i"]),
    ):
        query = {"user": USER, "cursor": cursor}
        assert service.refused("/tasks/meets_14d/predictions", 422, **query)["errors"]


def test_a_ranking_goes_on_with_the_version_it_began_with(service: Service) -> None:
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, "shop")
        number = service.shop.publish(session, dataset, service.settings.data_dir, answers=False)
    first = service.get("/tasks/buys_14d/predictions", limit=60)
    aliases = "/v1/datasets/shop/aliases/champion"
    assert service.client.put(aliases, json={"version": number}).status_code == 200
    assert service.get("/tasks/buys_14d/predictions")["items"] == []
    second = service.get("/tasks/buys_14d/predictions", limit=60, cursor=first["next_cursor"])
    assert {answer["model_version"] for answer in second["items"]} == {1}
    assert len(first["items"]) + len(second["items"]) == len(service.shop.log.users)
    assert service.client.put(aliases, json={"version": 1}).status_code == 200


def test_a_ranking_goes_on_with_the_answers_it_began_with(service: Service) -> None:
    first = service.get("/tasks/orders_14d/predictions", limit=60)
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, "shop")
        stored = store_rows(session, dataset, [row_of("somebody", 0.5, task="orders_14d")])
        # Its rows are not of this task's kind, but who they are is what is asked here.
        set_id = stored.id
        publish_set(session, stored, get_version(session, dataset, 1))
    cursor = first["next_cursor"]
    second = service.get("/tasks/orders_14d/predictions", limit=60, cursor=cursor)
    seen = [answer["user"] for answer in first["items"] + second["items"]]
    assert sorted(seen) == sorted(map(str, service.shop.log.users.ids))
    with transaction(service.sessions) as session:
        session.delete(session.get_one(PredictionSet, set_id))


def test_a_cursor_of_another_list_is_refused(service: Service) -> None:
    cursor = service.get("/tasks/buys_14d/predictions", limit=1)["next_cursor"]
    for query in (
        {"cursor": cursor, "order": "asc"},
        {"cursor": encode_cursor([1])},
        {"cursor": encode_cursor([0, "desc", 1])},
        {"cursor": encode_cursor([1, "desc", -1])},
        {"cursor": encode_cursor([1, "desc", 0.5, "a", ""])},
        {"cursor": "!"},
    ):
        assert service.refused("/tasks/buys_14d/predictions", 422, **query)["errors"]
    gone = encode_cursor([2**31 - 1, "desc", 1])
    problem = service.refused("/tasks/buys_14d/predictions", 404, cursor=gone)
    assert problem["code"] == "prediction_set_not_found"
