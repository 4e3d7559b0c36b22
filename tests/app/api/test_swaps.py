"""Versions are swapped under load without a lost request, and a move counts when it is answered."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion
from app.domain.aliases import put_alias
from app.domain.datasets import get_dataset
from tests.app.trained_shop import NAME, Service

URL = f"/v1/datasets/{NAME}/tasks/buys_14d/predictions/u00001"
ALIAS = f"/v1/datasets/{NAME}/aliases/champion"


@pytest.fixture
def versions(service: Service) -> tuple[int, int]:
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, NAME)
        return 1, service.shop.publish(session, dataset, service.settings.data_dir)


def test_no_request_is_lost_in_swaps(service: Service, versions: tuple[int, int]) -> None:
    stopping = threading.Event()

    def ask() -> Counter[tuple[int, int | None]]:
        found: Counter[tuple[int, int | None]] = Counter()
        while not stopping.is_set():
            answer = service.client.get(URL)
            found[answer.status_code, answer.json().get("model_version")] += 1
        return found

    with ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask) for _ in range(3)]
        try:
            for turn in range(30):
                number = versions[(turn + 1) % 2]
                moved = service.client.put(ALIAS, json={"version": number})
                assert moved.status_code == 200, moved.text
                assert service.client.get(URL).json()["model_version"] == number
        finally:
            stopping.set()
        told = sum((asker.result() for asker in askers), Counter())
    assert {status for status, _ in told} == {200}
    assert {version for _, version in told} <= set(versions)


def test_a_move_by_another_process_is_seen_at_the_next_look(
    service: Service, versions: tuple[int, int]
) -> None:
    before = service.client.get(URL).json()["model_version"]
    other = next(number for number in versions if number != before)
    with transaction(service.sessions) as session:
        dataset = session.query(Dataset).filter_by(name=NAME).one()
        put_alias(session, dataset, "champion", other)
    serving = service.client.app.state.predicting.serving  # type: ignore[attr-defined]
    assert serving.settled(NAME).champion.number == other  # looked, and loaded it
    assert service.client.get(URL).json()["model_version"] == other


def test_a_move_to_a_damaged_version_by_another_process_changes_nothing_here(
    service: Service, versions: tuple[int, int]
) -> None:
    before = service.client.get(URL).json()
    with transaction(service.sessions) as session:
        dataset = session.query(Dataset).filter_by(name=NAME).one()
        number = service.shop.publish(session, dataset, service.settings.data_dir)
        version = session.query(ModelVersion).filter_by(number=number).one()
        put_alias(session, dataset, "champion", number)
    network = service.settings.data_dir / version.artifact_path / "network_user.onnx"
    network.write_bytes(network.read_bytes()[:-1])
    serving = service.client.app.state.predicting.serving  # type: ignore[attr-defined]
    assert serving.settled(NAME).champion.number == before["model_version"]
    assert service.client.get(URL).json() == before
    assert service.client.put(ALIAS, json={"version": 1}).status_code == 200
