from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion, PredictionChunk, PredictionSet
from app.domain.aliases import get_alias
from app.domain.model_versions import CHAMPION, get_version, list_versions
from app.errors import NotFound
from tests.app.domain.conftest import CUTOFF_AT, publish_one, row_of

Sessions = sessionmaker[Session]


def champion(session: Session, dataset: Dataset) -> int:
    return get_alias(session, dataset, CHAMPION).version


def test_numbers_count_up_per_dataset(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        other = Dataset(name="other", time_zone="UTC", mapping={})
        session.add(other)
        session.flush()
        numbers = [publish_one(session, which).number for which in (dataset, other, dataset)]
    assert numbers == [1, 1, 2]


def test_the_first_version_is_the_champion_and_stays_it(
    session_factory: Sessions, dataset: Dataset
) -> None:
    for _ in range(2):
        with transaction(session_factory) as session:
            publish_one(session, dataset)
            assert champion(session, dataset) == 1


def test_versions_published_at_once_have_different_numbers(
    session_factory: Sessions, dataset: Dataset
) -> None:
    def publish_in_own_transaction(_: int) -> int:
        with transaction(session_factory) as session:
            return publish_one(session, dataset, [row_of("u", 0.5)]).number

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(publish_in_own_transaction, range(4)))
    assert sorted(numbers) == [1, 2, 3, 4]


def test_a_version_appears_with_its_predictions_or_not_at_all(
    session_factory: Sessions, dataset: Dataset
) -> None:
    def publish_and_fail() -> None:
        with transaction(session_factory) as session:
            publish_one(session, dataset, [row_of("u", 0.5)])
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk"):
        publish_and_fail()
    with transaction(session_factory) as session:
        assert session.scalar(select(func.count()).select_from(ModelVersion)) == 0
        assert session.scalar(select(func.count()).select_from(PredictionSet)) == 0
        with pytest.raises(NotFound, match="none is trained yet"):
            get_version(session, dataset, 1)


def test_predictions_go_with_their_version(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        publish_one(session, dataset, [row_of("u", 0.5)])
    with transaction(session_factory) as session:
        session.delete(session.get_one(Dataset, dataset.id))
    with transaction(session_factory) as session:
        assert session.scalar(select(func.count()).select_from(PredictionChunk)) == 0


def test_versions_are_read_back(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        for _ in range(3):
            publish_one(session, dataset)
    with transaction(session_factory, write=False) as session:
        version = get_version(session, dataset, 2)
        assert (version.cutoff_at, version.dataset_revision) == (CUTOFF_AT, 3)
        assert version.task_graph == {"nodes": [], "edges": []}
        pages = [list_versions(session, dataset, before, limit=1) for before in (None, 3, 2)]
        assert [[v.number for v in page] for page in pages] == [[3, 2], [2, 1], [1]]
        for unknown in (0, 4, 2**31, 2**80):
            with pytest.raises(NotFound, match="the newest is 3"):
                get_version(session, dataset, unknown)
