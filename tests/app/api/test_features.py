from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.api.uploads import EVENTS, make_dataset, uploaded

PATH = "/v1/datasets/shop/features"


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    """A client of a service with a dataset of 62 days."""
    make_dataset(client)
    uploaded(client, EVENTS)
    return client


def features(client: TestClient, **query: str) -> list[dict[str, Any]]:
    answer = client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_each_feature_has_a_name_a_unit_and_a_meaning(shop: TestClient) -> None:
    found = features(shop)
    assert {feature["entity"] for feature in found} == {"user", "item", "pair"}
    assert all(feature["unit"] and feature["meaning"] for feature in found)
    names = [(feature["entity"], feature["name"]) for feature in found]
    assert len(set(names)) == len(names)
    assert {
        "entity": "user",
        "name": "purchase_events_30d",
        "unit": "log(1 + events)",
        "meaning": "events of purchase in the last 30 days",
    } in found


def test_one_kind_of_entities_can_be_asked_for(shop: TestClient) -> None:
    everything = features(shop)
    for entity in ("user", "item", "pair"):
        own = features(shop, entity=entity)
        assert own == [feature for feature in everything if feature["entity"] == entity]
    assert shop.get(PATH, params={"entity": "basket"}).status_code == 422


def test_the_periods_that_tasks_ask_for_are_features(shop: TestClient) -> None:
    names = {feature["name"] for feature in features(shop, entity="item")}
    task = {
        "entity": "item",
        "target": {"kind": "peak_period", "event_type": "purchase", "period": "weekday"},
    }
    assert shop.put("/v1/datasets/shop/tasks/best_day", json=task).status_code == 201
    more = {feature["name"] for feature in features(shop, entity="item")}
    assert {f"purchase_units_weekday_{day}" for day in range(1, 8)} <= more - names


def test_a_task_that_the_log_does_not_fit_changes_nothing(client: TestClient) -> None:
    make_dataset(client)
    task = {
        "entity": "user",
        "target": {"kind": "next", "of": "item.colour", "event_type": "purchase"},
        "horizon_days": 7,
    }
    assert client.put("/v1/datasets/shop/tasks/colour", json=task).status_code == 201
    uploaded(client, EVENTS)
    assert features(client)


def test_without_events_there_are_no_features(client: TestClient) -> None:
    missing = client.get(PATH)
    assert (missing.status_code, missing.json()["code"]) == (404, "dataset_not_found")
    make_dataset(client)
    empty = client.get(PATH)
    assert (empty.status_code, empty.json()["code"]) == (409, "no_events")
    assert "import some first" in empty.json()["detail"]
