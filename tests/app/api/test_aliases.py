from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from shutil import copytree
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset
from app.settings import Settings
from tests.app.domain.conftest import publish_one
from tests.app.trained_shop import TrainedShop

URL = "/v1/datasets/shop/aliases"


@pytest.fixture(autouse=True)
def versions(
    session_factory: sessionmaker[Session], settings: Settings, trained_shop: TrainedShop
) -> None:
    """A dataset with two versions, and one with none."""
    copytree(trained_shop.artifact, settings.data_dir / "models/none")
    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={})
        session.add_all([dataset, Dataset(name="untrained", time_zone="UTC", mapping={})])
        session.flush()
        for _ in range(2):
            publish_one(session, dataset)


def put(client: TestClient, alias: str, version: Any, if_match: str | None = None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return client.put(f"{URL}/{alias}", json={"version": version}, headers=headers)


def test_an_alias_is_made_moved_and_moved_back(client: TestClient) -> None:
    assert client.get(f"{URL}/champion").json()["version"] == 1
    moved = put(client, "champion", 2)
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    assert client.get(f"{URL}/champion").json() == moved.json()
    assert put(client, "champion", 1).json()["version"] == 1
    made = put(client, "challenger", 2)
    assert (made.status_code, made.json()["alias"]) == (201, "challenger")


def test_the_etag_changes_with_each_move(client: TestClient) -> None:
    before = client.get(f"{URL}/champion").headers["ETag"]
    assert put(client, "champion", 1).headers["ETag"] == before
    after = put(client, "champion", 2, before).headers["ETag"]
    assert after != before
    refused = put(client, "champion", 1, before)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert client.get(f"{URL}/champion").json()["version"] == 2
    assert put(client, "champion", 1, "*").status_code == 200
    assert put(client, "nobody", 1, "*").status_code == 412


def test_of_two_moves_from_one_state_one_is_refused(client: TestClient) -> None:
    etag = client.get(f"{URL}/champion").headers["ETag"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: put(client, "champion", 2, etag), range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_aliases_are_listed_by_name(client: TestClient) -> None:
    put(client, "shadow", 2)
    put(client, "challenger", 2)
    page = client.get(URL, params={"limit": 2}).json()
    rest = client.get(URL, params={"cursor": page["next_cursor"]}).json()
    names = [alias["alias"] for alias in page["items"] + rest["items"]]
    assert names == ["challenger", "champion", "shadow"]
    versions = client.get("/v1/datasets/shop/model-versions").json()["items"]
    assert [version["aliases"] for version in versions] == [["challenger", "shadow"], ["champion"]]


def test_what_is_unknown_is_not_found(client: TestClient) -> None:
    alias = client.get(f"{URL}/challenger")
    assert (alias.status_code, alias.json()["code"]) == (404, "alias_not_found")
    assert "champion" in alias.json()["detail"]
    version = put(client, "champion", 9)
    assert (version.status_code, version.json()["code"]) == (404, "model_version_not_found")
    assert client.get("/v1/datasets/nowhere/aliases").status_code == 404


@pytest.mark.parametrize("alias", ["1", "Champion", "a%00b", "a" * 64])
def test_a_name_that_could_be_a_number_or_worse_is_refused(client: TestClient, alias: str) -> None:
    assert put(client, alias, 1).status_code == 422


@pytest.mark.parametrize("version", [0, -1, 2**31, "two", None])
def test_an_impossible_version_is_refused(client: TestClient, version: Any) -> None:
    assert put(client, "champion", version).status_code == 422


def test_without_a_model_there_are_no_predictions_yet(client: TestClient) -> None:
    task = {
        "entity": "user",
        "target": {"kind": "occurs", "event_type": "purchase"},
        "horizon_days": 30,
    }
    base = "/v1/datasets/untrained"
    assert client.put(f"{base}/tasks/buys_30d", json=task).status_code == 201
    for path in ("tasks/buys_30d/predictions/u1", "tasks/buys_30d/predictions"):
        problem = client.get(f"{base}/{path}")
        assert (problem.status_code, problem.json()["code"]) == (409, "not_trained")
        assert f"POST {base}/training-jobs" in problem.json()["detail"]
    body = {"users": ["u1"], "tasks": ["buys_30d"]}
    assert client.post(f"{base}/predictions", json=body).status_code == 409
    unknown = client.get(f"{base}/tasks/nope/predictions/u1")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "task_not_found")
    assert client.get(f"{base}/tasks/buys_30d/predictions/u1?version=1").status_code == 404
    assert client.get(f"{base}/tasks/buys_30d/predictions/u1?version=other").status_code == 404
