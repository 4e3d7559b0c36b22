"""A task that stands for many is declared once and asked by the names of its values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.domain.model_versions import publish
from model.events import EventLog
from model.tasks import Occurs, Task, expand
from tests.app.api.uploads import make_dataset, uploaded
from tests.model.tasks.test_expansion import log_of

EACH: dict[str, Any] = {
    "entity": "user",
    "target": {"kind": "occurs", "event_type": "purchase"},
    "horizon_days": 7,
    "for_each": "item.category",
}


def values_of(log: EventLog) -> list[Task]:
    """What a training would make of the declaration."""
    target = Occurs(event_type="purchase")
    declared = Task(
        name="buys", entity="user", target=target, horizon_days=7, for_each="item.category"
    )
    return list(expand([declared], log).tasks)


@pytest.fixture
def shop(client: TestClient, session_factory: sessionmaker[Session]) -> TestClient:
    """A service with a task for each category and a model version that has learned two."""
    make_dataset(client)
    rows = "".join(
        f"u1,{category},2024-01-{day:02} 10:00,purchase\n"
        for category in ("hats", "鞋")
        for day in range(1, 29)
    )
    uploaded(client, "user_id,item_id,time,event_type\n" + rows)
    uploaded(client, "item_id,category\nhats,hats\n鞋,鞋\n", table="items")
    assert client.put("/v1/datasets/shop/tasks/buys", json=EACH).status_code == 201
    assert client.get("/v1/datasets/shop/tasks/buys").json()["learned_values"] is None
    with transaction(session_factory) as session:
        publish(
            session,
            dataset_id=get_dataset(session, "shop").id,
            job_id=None,
            artifact_path="models/none",
            dataset_revision=1,
            estimator_report={},
            task_graph={},
            tasks=[
                task.model_dump(mode="json") for task in values_of(log_of({"hats": 20, "鞋": 20}))
            ],
            cutoff_at=datetime(2024, 1, 28, tzinfo=UTC),
        )
    return client


def test_a_declared_task_lists_what_was_learned_of_it(shop: TestClient) -> None:
    learned = [{"name": "buys__hats", "value": "hats"}, {"name": "buys__v2", "value": "鞋"}]
    declared = shop.get("/v1/datasets/shop/tasks/buys").json()
    assert declared["learned_values"] == learned
    assert declared["for_each"] == "item.category"
    assert declared["target"]["where"] == []
    assert "declared_as" not in declared
    (listed,) = shop.get("/v1/datasets/shop/tasks").json()["items"]
    assert listed == declared
    assert shop.put("/v1/datasets/shop/tasks/buys", json=EACH).json() == declared


def test_asking_by_the_declared_name_tells_the_names_to_ask_by(shop: TestClient) -> None:
    answer = shop.get("/v1/datasets/shop/tasks/buys/predictions/u1")
    assert (answer.status_code, answer.json()["code"]) == (404, "task_for_each")
    assert (
        "ask for one of its 2 values: buys__hats (hats), buys__v2 (鞋)" in answer.json()["detail"]
    )
