from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.api.uploads import EVENTS, make_dataset, uploaded

BUYS = {
    "entity": "user",
    "target": {"kind": "occurs", "event_type": "purchase"},
    "horizon_days": 7,
}


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    """A client of a service with a dataset of 62 days."""
    make_dataset(client)
    uploaded(client, EVENTS)
    return client


def put(client: TestClient, body: dict[str, Any], name: str = "buys", **headers: str) -> Any:
    return client.put(f"/v1/datasets/shop/tasks/{name}", json=body, headers=headers)


def test_a_task_is_declared_changed_and_forgotten(shop: TestClient) -> None:
    made = put(shop, BUYS)
    assert made.status_code == 201
    told = made.json()
    assert told["target"] == BUYS["target"] | {"where": []}
    assert {name: told[name] for name in ("name", "entity", "horizon_days", "revision")} == {
        "name": "buys",
        "entity": "user",
        "horizon_days": 7,
        "revision": 1,
    }
    assert (told["start_days"], told["eligible"], told["for_each"], told["weight"]) == (
        0,
        [],
        None,
        1.0,
    )
    same = put(shop, BUYS)
    assert (same.status_code, same.headers["ETag"]) == (200, made.headers["ETag"])
    changed = put(shop, BUYS | {"horizon_days": 8})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    assert changed.headers["ETag"] != made.headers["ETag"]
    got = shop.get("/v1/datasets/shop/tasks/buys")
    assert (got.json(), got.headers["ETag"]) == (changed.json(), changed.headers["ETag"])
    assert shop.delete("/v1/datasets/shop/tasks/buys").status_code == 204
    assert shop.get("/v1/datasets/shop/tasks/buys").status_code == 404


def test_nobody_overwrites_what_they_have_not_seen(shop: TestClient) -> None:
    assert put(shop, BUYS, **{"If-Match": "*"}).status_code == 412
    tag = put(shop, BUYS).headers["ETag"]
    newer = put(shop, BUYS | {"weight": 2.0}, **{"If-Match": tag}).headers["ETag"]
    late = put(shop, BUYS | {"weight": 3.0}, **{"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    path = "/v1/datasets/shop/tasks/buys"
    assert shop.delete(path, headers={"If-Match": tag}).status_code == 412
    assert shop.delete(path, headers={"If-Match": f'"x", {newer}'}).status_code == 204
    again = put(shop, BUYS)
    assert again.headers["ETag"] not in {tag, newer}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"target": {"kind": "occurs", "event_type": "bought"}},
            "no event type 'bought'; it has purchase (2), view (2)",
        ),
        (
            {"horizon_days": 100},
            "horizon of 100 days is not shorter than the log, which spans 62.1",
        ),
        ({"horizon_days": 0}, "horizon_days is required"),
        ({"horizon_days": -3}, "greater than or equal to 0"),
        ({"entity": "pair", "target": {"kind": "sum", "event_type": "view"}}, "not pair"),
        ({"entity": "shop"}, "'user', 'item' or 'pair'"),
        ({"target": {"kind": "guess", "event_type": "view"}}, "'guess'"),
        ({"where": "now"}, "Extra inputs"),
    ],
)
def test_an_impossible_task_is_refused(
    shop: TestClient, change: dict[str, Any], words: str
) -> None:
    answer = put(shop, BUYS | change)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["errors"]
    assert shop.get("/v1/datasets/shop/tasks").json()["items"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"target": BUYS["target"] | {"where": [{"attribute": "item.kind", "value": "shoe"}]}},
            "item.kind is never 'shoe'; there are 'hats', 'shoes'",
        ),
        (
            {"target": BUYS["target"] | {"where": [{"attribute": "item.size", "value": 3}]}},
            "no attribute 'item.size'; there are item.kind, item.weight, event.quantity",
        ),
        ({"for_each": "item.weight"}, "item.weight is a number"),
        ({"target": {"kind": "column", "column": "rating"}}, "no further columns"),
        ({"eligible": [{"within_days": -1}]}, "looks into the label's window"),
        ({"start_days": 56}, "7 days that begins after 56 is not shorter"),
    ],
)
def test_what_a_task_says_of_attributes_and_time_is_checked(
    shop: TestClient, change: dict[str, Any], words: str
) -> None:
    uploaded(shop, "item_id,kind,weight\ni1,shoes,1\ni2,hats,2\n", table="items")
    answer = put(shop, BUYS | change)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    where = [{"attribute": "item.kind", "op": "in", "value": ["shoes"]}]
    fine = BUYS | {"target": BUYS["target"] | {"where": where}, "for_each": "item.kind"}
    assert put(shop, fine).status_code == 201


@pytest.mark.parametrize("name", ["Buys", "1st", "a-b", "购买", "x" * 64])
def test_a_task_has_a_plain_name(shop: TestClient, name: str) -> None:
    answer = put(shop, BUYS, name)
    assert answer.json()["errors"][0]["pointer"] == "/path/task"


def test_without_events_only_the_shape_is_checked(client: TestClient) -> None:
    make_dataset(client)
    assert put(client, BUYS | {"horizon_days": 1000}).status_code == 201
    assert put(client, BUYS | {"entity": "shop"}).status_code == 422
    nameless = {"target": {"kind": "occurs", "event_type": "a\0b"}}
    assert put(client, BUYS | nameless).status_code == 422
    assert client.get("/v1/datasets/shop/task-suggestions").json() == {"items": []}


def test_an_unknown_task_names_the_known_ones(shop: TestClient) -> None:
    assert "none is declared yet" in shop.get("/v1/datasets/shop/tasks/x").json()["detail"]
    put(shop, BUYS)
    answer = shop.delete("/v1/datasets/shop/tasks/x")
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
    assert answer.json()["detail"] == "no task 'x' in dataset 'shop'; there are buys"
    assert shop.get("/v1/datasets/none/tasks/x").json()["code"] == "dataset_not_found"


def test_tasks_are_listed_in_pages(shop: TestClient) -> None:
    for name in ("c", "a", "b"):
        put(shop, BUYS, name)
    page = shop.get("/v1/datasets/shop/tasks", params={"limit": 2}).json()
    assert [task["name"] for task in page["items"]] == ["a", "b"]
    rest = shop.get("/v1/datasets/shop/tasks", params={"cursor": page["next_cursor"]}).json()
    assert ([task["name"] for task in rest["items"]], rest["next_cursor"]) == (["c"], None)


def test_every_suggestion_can_be_declared(shop: TestClient) -> None:
    suggestions = shop.get("/v1/datasets/shop/task-suggestions").json()["items"]
    assert {item["declaration"]["target"]["kind"] for item in suggestions} == {
        "occurs",
        "count",
        "sum",
        "peak_period",
    }
    assert {item["declaration"]["entity"] for item in suggestions} == {"user", "item", "pair"}
    for item in suggestions:
        assert put(shop, item["declaration"], item["name"]).status_code == 201
        assert item["why"].endswith(".")
