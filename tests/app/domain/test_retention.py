from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Job, JobEvent, ModelVersion, PredictionSet
from app.domain.aliases import put_alias
from app.domain.model_versions import get_version
from app.domain.prediction_sets import publish_set, remove_withdrawn
from app.domain.retention import (
    remove_histories,
    remove_retention_jobs,
    retention_is_due,
    retire_versions,
    submit_retention,
    withdraw_sets,
)
from app.domain.stored_predictions import current_ranking, rank
from app.errors import Conflict
from app.jobs.claim import claim
from app.jobs.clock import database_now
from app.jobs.ending import finish
from app.jobs.journal import write_log, write_progress
from app.jobs.submit import NewJob, submit
from tests.app.domain.conftest import publish_one, row_of, store_rows, task_of

Sessions = sessionmaker[Session]

DAY_S = 86_400.0
VERSIONS = select(ModelVersion)


def add_job(sessions: Sessions, dataset: Dataset | None, kind: str = "training") -> str:
    with transaction(sessions) as session:
        dataset_id = None if dataset is None else dataset.id
        return submit(session, NewJob(kind, dataset_id, {}), idempotency_key=None).id


def run_job(sessions: Sessions, kind: str = "training", *, ended_days_ago: float | None) -> None:
    """Claim the next job and let it speak; perhaps let it end."""
    with transaction(sessions) as session:
        run = claim(session, worker="w", kinds=[kind], lease_s=30)
        assert run is not None
        write_progress(session, run, {"stage": "fit", "fraction": 0.5})
        write_log(session, run, [(database_now(session), {"level": "info", "message": "x"})])
        if ended_days_ago is None:
            return
        finish(session, run, {})
        job = session.get_one(Job, run.job_id)
        job.finished_at = database_now(session) - timedelta(days=ended_days_ago)


def days_ago(session: Session, days: float) -> datetime:
    return database_now(session) - timedelta(days=days)


def history(sessions: Sessions, job_id: str) -> list[str]:
    query = select(JobEvent.kind).where(JobEvent.job_id == job_id).order_by(JobEvent.id)
    with transaction(sessions, write=False) as session:
        return list(session.scalars(query))


def test_the_history_of_a_job_that_ended_long_ago_is_its_states(
    session_factory: Sessions, dataset: Dataset
) -> None:
    whole = ["state", "state", "progress", "log"]
    old, recent, running = (add_job(session_factory, dataset) for _ in range(3))
    for ended_days_ago in (40, 20, None):
        run_job(session_factory, ended_days_ago=ended_days_ago)
    with transaction(session_factory) as session:
        assert remove_histories(session, days_ago(session, 30)) == 2
        assert remove_histories(session, days_ago(session, 30)) == 0
    assert history(session_factory, old) == ["state"] * 3
    assert history(session_factory, recent) == [*whole, "state"]
    assert history(session_factory, running) == whole
    with transaction(session_factory, write=False) as session:
        assert session.get(Job, old) is not None  # its idempotency key is for ever


def test_old_retention_jobs_leave_no_row(session_factory: Sessions, dataset: Dataset) -> None:
    kept = add_job(session_factory, dataset)
    run_job(session_factory, ended_days_ago=40)
    add_job(session_factory, None, "retention")
    run_job(session_factory, "retention", ended_days_ago=40)
    now = add_job(session_factory, None, "retention")
    with transaction(session_factory) as session:
        assert remove_retention_jobs(session, days_ago(session, 30)) == 1
        assert set(session.scalars(select(Job.id))) == {kept, now}


def test_retention_is_due_once_per_interval(session_factory: Sessions) -> None:
    with transaction(session_factory) as session:
        assert retention_is_due(session, DAY_S)
        job = submit_retention(session, DAY_S)
        assert job is not None
        assert (job.kind, job.dataset_id) == ("retention", None)
        assert not retention_is_due(session, DAY_S)  # it is queued
        job.created_at = days_ago(session, 2)
        assert not retention_is_due(session, DAY_S)  # still
    run_job(session_factory, "retention", ended_days_ago=1.9)
    with transaction(session_factory) as session:
        assert not retention_is_due(session, 3 * DAY_S)
        assert retention_is_due(session, DAY_S)
        assert submit_retention(session, 3 * DAY_S) is None
        following = submit_retention(session, DAY_S)
        assert following is not None
        assert following.id != job.id


def test_workers_that_look_at_once_make_one_retention_job(session_factory: Sessions) -> None:
    ready = threading.Barrier(6)

    def look(_: int) -> None:
        with transaction(session_factory, write=False) as session:
            assert retention_is_due(session, DAY_S)
        ready.wait()
        with transaction(session_factory) as session:
            submit_retention(session, DAY_S)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(6)))
    with transaction(session_factory, write=False) as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def stored(sessions: Sessions) -> dict[int, int]:
    """How many predictions each version has."""
    rows = func.coalesce(func.sum(PredictionSet.rows), 0)
    query = select(ModelVersion.number, rows).outerjoin(PredictionSet)
    with transaction(sessions, write=False) as session:
        return {row[0]: int(row[1]) for row in session.execute(query.group_by(ModelVersion.number))}


@pytest.fixture
def versions(session_factory: Sessions, dataset: Dataset) -> None:
    """Four with three predictions each; the first is the champion."""
    rows = [row_of("a", 0.1), row_of("b", 0.2), row_of("a", 0.3, task="u")]
    with transaction(session_factory) as session:
        for _ in range(4):
            publish_one(session, dataset, rows)


def remove_all(sessions: Sessions, kept: int) -> None:
    with transaction(sessions) as session:
        retire_versions(session, kept)
    with transaction(sessions) as session:
        while remove_withdrawn(session):
            pass
        assert session.scalar(select(func.count()).select_from(PredictionSet)) == sum(
            version.predictions_removed_at is None for version in session.scalars(VERSIONS)
        )


def test_predictions_stay_with_the_newest_versions_and_with_those_that_have_an_alias(
    session_factory: Sessions, versions: None
) -> None:
    remove_all(session_factory, kept=1)
    assert stored(session_factory) == {1: 3, 2: 0, 3: 0, 4: 3}


def test_what_an_alias_comes_to_point_to_stays(
    session_factory: Sessions, dataset: Dataset, versions: None
) -> None:
    with transaction(session_factory) as session:
        put_alias(session, dataset, "champion", 3)
    remove_all(session_factory, kept=1)
    assert stored(session_factory) == {1: 0, 2: 0, 3: 3, 4: 3}


def test_a_retired_version_says_that_it_ranks_nobody(
    session_factory: Sessions, versions: None
) -> None:
    remove_all(session_factory, kept=3)
    remove_all(session_factory, kept=2)
    assert stored(session_factory) == {1: 3, 2: 0, 3: 3, 4: 3}
    with transaction(session_factory, write=False) as session:
        for version in session.scalars(select(ModelVersion)):
            if version.number != 2:
                ranking = current_ranking(session, version, task_of("t"))
                assert len(rank(session, ranking, start=0, limit=10)) == 2
                continue
            with pytest.raises(Conflict, match="version 2 were removed"):
                current_ranking(session, version, task_of("t"))


def test_a_retired_version_ranks_again_with_new_answers(
    session_factory: Sessions, dataset: Dataset, versions: None
) -> None:
    remove_all(session_factory, kept=1)
    with transaction(session_factory) as session:
        version = get_version(session, dataset, 2)
        publish_set(session, store_rows(session, dataset, [row_of("a", 0.5)]), version)
    assert stored(session_factory) == {1: 3, 2: 1, 3: 0, 4: 3}


def test_sets_out_of_use_are_withdrawn_after_some_days(
    session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, [row_of("a", 0.5)])
        publish_set(session, store_rows(session, dataset, [row_of("b", 0.5)]), version)
        assert withdraw_sets(session, days_ago(session, 1)) == 0
        assert withdraw_sets(session, days_ago(session, -1)) == 1
        ranking = current_ranking(session, version, task_of("t"))
        assert [a.entity.entity_id for a in rank(session, ranking, start=0, limit=9)] == ["b"]
