"""Two requests at once about one dataset: the second waits for the first, and sees what it did."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain import idempotency
from app.domain.datasets import delete_dataset, get_dataset
from app.domain.idempotency import IdempotentRequest
from app.domain.tasks import put_task
from app.settings import Settings
from model.tasks import TaskDeclaration
from tests.app.api.uploads import EVENTS, make_dataset, uploaded

TASK = {
    "entity": "user",
    "target": {"kind": "occurs", "event_type": "purchase"},
    "horizon_days": 30,
}
TASK_URL = "/v1/datasets/shop/tasks/buys"
Sessions = sessionmaker[Session]


@pytest.fixture
def shop(client: TestClient) -> TestClient:
    make_dataset(client)
    uploaded(client, EVENTS)
    return client


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def has_to_wait(asked: Future[httpx.Response]) -> bool:
    """Whether there is no answer while our transaction is open."""
    return not wait([asked], timeout=0.5).done


@pytest.mark.parametrize(
    "path", [("POST", "/v1/datasets/shop/training-jobs"), ("PUT", TASK_URL)], ids=lambda p: p[0]
)
def test_nothing_is_added_to_a_dataset_that_is_being_deleted(
    shop: TestClient,
    pool: ThreadPoolExecutor,
    settings: Settings,
    session_factory: Sessions,
    path: tuple[str, str],
) -> None:
    assert shop.put(TASK_URL, json=TASK).status_code == 201
    body = TASK if path[0] == "PUT" else {}
    with transaction(session_factory) as session:
        delete_dataset(session, "shop", settings.data_dir)
        asked = pool.submit(lambda: shop.request(*path, json=body))
        assert has_to_wait(asked)
    answer = asked.result()
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")


def test_a_task_that_is_declared_twice_at_once_is_one(
    shop: TestClient, pool: ThreadPoolExecutor, session_factory: Sessions
) -> None:
    with transaction(session_factory) as session:
        dataset = get_dataset(session, "shop", lock=True)
        put_task(session, dataset, "buys", TaskDeclaration.model_validate(TASK))
        asked = pool.submit(lambda: shop.put(TASK_URL, json=TASK))
        assert has_to_wait(asked)
    assert asked.result().status_code == 200
    assert len(shop.get("/v1/datasets/shop/tasks").json()["items"]) == 1


def test_a_dataset_is_made_once_by_the_same_request_at_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create() -> httpx.Response:
        return client.post("/v1/datasets", json={"name": "shop"}, headers={"Idempotency-Key": "k"})

    first = create()
    look, looks = idempotency.created_before, list[int]()

    def look_too_early(session: Session, request: IdempotentRequest | None) -> str | None:
        looks.append(1)
        return None if len(looks) == 1 else look(session, request)

    monkeypatch.setattr(idempotency, "created_before", look_too_early)
    second = create()
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()


def test_a_crowd_of_writers_does_not_stand_in_its_own_way(shop: TestClient) -> None:
    """More at once than there are threads: those who wait leave threads to those who end."""
    crowd = 100
    with ThreadPoolExecutor(crowd) as many:
        answers = list(
            many.map(
                lambda n: shop.put(f"/v1/datasets/shop/tasks/buys_{n}", json=TASK), range(crowd)
            )
        )
    assert [answer.status_code for answer in answers] == [201] * crowd
    assert len(shop.get("/v1/datasets/shop/tasks?limit=100").json()["items"]) == crowd
