from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion, PredictionChunk, PredictionSet
from app.domain.prediction_chunks import AnswerRows, decode, encode
from app.domain.prediction_sets import (
    CHUNKS_AT_ONCE,
    begin_set,
    current_set,
    get_set,
    list_sets,
    publish_set,
    remove_withdrawn,
    set_of_job,
    superseded_sets,
    withdraw,
)
from app.domain.stored_predictions import current_ranking, rank, ranking_of_set
from app.errors import NotFound
from app.jobs.claim import claim
from app.jobs.ending import finish
from app.jobs.submit import NewJob, submit
from tests.app.domain.conftest import CUTOFF_AT, publish_one, row_of, store_rows, task_of

Sessions = sessionmaker[Session]
OLD = [row_of("a", 0.25), row_of("b", 0.5), row_of("a", 0.75, task="u")]
NEW = [row_of("a", 0.5), row_of("c", 0.125)]
LATER = datetime(2100, 1, 1, tzinfo=CUTOFF_AT.tzinfo)


def points(session: Session, version: ModelVersion, task: str = "t") -> dict[str, float]:
    ranking = current_ranking(session, version, task_of(task))
    return {a.entity.entity_id: a.point for a in rank(session, ranking, start=0, limit=99)}


def chunks(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(PredictionChunk)) or 0


def test_new_answers_are_seen_all_at_once_task_by_task(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, OLD)
        begun = store_rows(session, dataset, NEW)
        assert points(session, version) == {"a": 0.25, "b": 0.5}
        assert [found.prediction_set.id for found in list_sets(session, dataset, None, 9)] == [1]
        publish_set(session, begun, version)
        assert points(session, version) == {"a": 0.5, "c": 0.125}
        assert points(session, version, "u") == {"a": 0.75}


def test_what_is_for_download_alone_is_not_ranked(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, OLD)
        listed = store_rows(session, dataset, NEW, ranked=False)
        publish_set(session, listed, version)
        assert points(session, version) == {"a": 0.25, "b": 0.5}
        assert get_set(session, dataset, listed.id).prediction_set.rows == 2


def test_a_ranking_goes_on_with_its_set_while_that_is_kept(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, OLD)
        first = current_set(session, version, "t")
        assert first is not None
        publish_set(session, store_rows(session, dataset, NEW), version)
        ranking = ranking_of_set(session, dataset, first.id, "t")
        (answer,) = rank(session, ranking, start=1, limit=5)
        assert (answer.entity.entity_id, answer.point) == ("a", 0.25)
        withdraw(first)
        session.flush()
        with pytest.raises(NotFound, match=f"prediction set {first.id}"):
            ranking_of_set(session, dataset, first.id, "t")
        with pytest.raises(NotFound, match="'nope'"):
            ranking_of_set(session, dataset, 2, "nope")


def test_a_set_that_a_ranking_reads_is_never_superseded(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, OLD)
        publish_set(session, store_rows(session, dataset, NEW), version)
        assert superseded_sets(session, LATER) == []  # the first one has task u
        only_u = store_rows(session, dataset, [row_of("a", 0.5, task="u")])
        publish_set(session, only_u, version)
        listed = store_rows(session, dataset, NEW, ranked=False)
        publish_set(session, listed, version)
        assert [old.id for old in superseded_sets(session, LATER)] == [1, listed.id]
        long_ago = CUTOFF_AT - timedelta(days=1)
        assert superseded_sets(session, long_ago) == []


def test_what_is_withdrawn_is_removed_piece_by_piece(
    session_factory: Sessions, dataset: Dataset
) -> None:
    tasks = [f"t{number}" for number in range(CHUNKS_AT_ONCE + 1)]
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, OLD)
        many = store_rows(session, dataset, [row_of("a", 0.5, task=task) for task in tasks])
        withdraw(many)
    removed = []
    with transaction(session_factory) as session:
        while count := remove_withdrawn(session):
            removed.append(count)
    assert removed == [CHUNKS_AT_ONCE, 1]
    with transaction(session_factory, write=False) as session:
        assert chunks(session) == 2
        assert points(session, session.get_one(ModelVersion, version.id)) == {"a": 0.25, "b": 0.5}


def test_what_a_job_has_begun_stays_while_it_is_open(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        job_id = submit(session, NewJob("prediction", dataset.id, {})).id
        first = store_rows(session, dataset, OLD, job_id=job_id)
        assert remove_withdrawn(session) == 0
        # The next run of the job begins anew.
        second = begin_set(
            session, dataset_id=dataset.id, job_id=job_id, cutoff_at=CUTOFF_AT, ranked=True
        )
        assert remove_withdrawn(session) == 2
        assert session.get(PredictionSet, first.id) is None
        assert set_of_job(session, dataset, job_id) is None
        run = claim(session, worker="w", kinds=["prediction"], lease_s=30)
        assert run is not None
        finish(session, run, {})
        assert remove_withdrawn(session) == 1
        assert session.get(PredictionSet, second.id) is None


def test_ids_are_never_given_twice(session_factory: Sessions, dataset: Dataset) -> None:
    seen = set()
    for _ in range(3):
        with transaction(session_factory) as session:
            begun = store_rows(session, dataset, NEW)
            seen.add(begun.id)
            session.delete(begun)
    assert len(seen) == 3


def test_sets_go_with_their_dataset(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        publish_one(session, dataset, OLD)
    with transaction(session_factory) as session:
        session.delete(session.get_one(Dataset, dataset.id))
    with transaction(session_factory, write=False) as session:
        assert chunks(session) == 0


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_rows_come_back_as_they_were(rows: int) -> None:
    rng = np.random.default_rng(0)
    before = AnswerRows(
        entity_ids=pa.array([f"用户\n{number}" for number in range(rows)], pa.string()),
        item_ids=pa.array([f"i{number}" for number in range(rows)], pa.string()),
        point=rng.normal(size=rows),
        cold_start=rng.random(rows) < 0.5,
        parameters=rng.normal(size=(rows, 3)).astype(np.float32),
    )
    after = decode(encode(before))
    assert after.entity_ids.equals(before.entity_ids)
    assert after.item_ids.equals(before.item_ids)
    np.testing.assert_array_equal(after.point, before.point)
    np.testing.assert_array_equal(after.cold_start, before.cold_start)
    np.testing.assert_array_equal(after.parameters, before.parameters)
    some = after.slice(1, 3)
    assert len(some) == max(0, min(3, rows) - 1)
