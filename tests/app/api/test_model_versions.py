from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset
from app.settings import Settings
from tests.app.trained_shop import TASKS, TrainedShop

URL = "/v1/datasets/shop/model-versions"


@pytest.fixture
def published(
    session_factory: sessionmaker[Session], settings: Settings, trained_shop: TrainedShop
) -> TrainedShop:
    """Three versions of one dataset, without its data."""
    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={}, revision=5)
        session.add(dataset)
        session.flush()
        for _ in range(3):
            trained_shop.publish(session, dataset, settings.data_dir, answers=False)
    return trained_shop


def test_a_version_shows_its_quality_beside_the_baselines(
    client: TestClient, published: TrainedShop
) -> None:
    version = client.get(f"{URL}/1").json()
    assert (version["number"], version["aliases"], version["dataset_revision"]) == (
        1,
        ["champion"],
        5,
    )
    assert [task["name"] for task in version["tasks"]] == [task.name for task in TASKS]
    assert version["report"] == published.predictor.report.model_dump(mode="json")
    tested = version["report"]["tasks"]
    assert set(tested) | set(version["report"]["untested"]) == {task.name for task in TASKS}
    assert {"model", "climatology"} <= set(tested["buys_14d"]["scores"])


def test_the_task_graph(client: TestClient, published: TrainedShop) -> None:
    graph = client.get(f"{URL}/1/task-graph").json()
    assert graph == published.predictor.task_graph.model_dump(mode="json")
    assert set(graph["nodes"]) == {task.name for task in TASKS}


def test_versions_are_listed_from_the_newest(client: TestClient, published: TrainedShop) -> None:
    page = client.get(URL, params={"limit": 2}).json()
    rest = client.get(URL, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [version["number"] for version in page["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    assert "report" not in page["items"][0]


@pytest.mark.parametrize("path", ["", "/task-graph"])
def test_an_unknown_version_is_not_found(
    client: TestClient, published: TrainedShop, path: str
) -> None:
    problem = client.get(f"{URL}/9{path}")
    assert problem.status_code == 404
    assert problem.json()["code"] == "model_version_not_found"
    assert "the newest is 3" in problem.json()["detail"]
    assert client.get(f"{URL}/{2**40}{path}").status_code == 422
    assert client.get(f"/v1/datasets/nowhere/model-versions/1{path}").status_code == 404
