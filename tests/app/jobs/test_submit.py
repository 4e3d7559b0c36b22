from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from app.db.engine import transaction
from app.db.tables import Job
from app.errors import Invalid
from app.jobs.events import events_after
from app.jobs.submit import NewJob, new_job_id, submit
from tests.app.jobs.conftest import Sessions


def test_a_submitted_job_is_queued_and_says_so(session_factory: Sessions, dataset_id: int) -> None:
    with transaction(session_factory) as session:
        job = submit(session, NewJob("test", dataset_id, {"seed": 7}))
    with transaction(session_factory, write=False) as session:
        stored = session.get_one(Job, job.id)
        assert (stored.state, stored.arguments) == ("queued", {"seed": 7})
        assert [event.data for event in events_after(session, job.id, 0)] == [{"state": "queued"}]


def test_a_rolled_back_submission_leaves_nothing(
    session_factory: Sessions, dataset_id: int
) -> None:
    with session_factory() as session:
        submit(session, NewJob("test", dataset_id, {}))
        session.rollback()
    with transaction(session_factory, write=False) as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_the_same_key_gives_the_same_job_also_at_once(
    session_factory: Sessions, dataset_id: int
) -> None:
    def submit_with_key(number: int) -> str:
        # The arguments are frozen from the dataset and may differ; the request is the same.
        new = NewJob("test", dataset_id, {"number": number}, request={"seed": 0})
        with transaction(session_factory) as session:
            return submit(session, new, idempotency_key="once").id

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(submit_with_key, range(20)))
    assert len(ids) == 1
    with transaction(session_factory, write=False) as session:
        assert session.scalars(select(Job.id)).all() == list(ids)
        assert len(events_after(session, ids.pop(), 0)) == 1


def test_the_same_key_with_another_request_is_refused(
    session_factory: Sessions, dataset_id: int
) -> None:
    with transaction(session_factory) as session:
        submit(session, NewJob("test", dataset_id, {}, {"seed": 0}), idempotency_key="once")
    with pytest.raises(Invalid, match="'once'"), transaction(session_factory) as session:
        submit(session, NewJob("test", dataset_id, {}, {"seed": 1}), idempotency_key="once")


def test_without_a_key_every_submission_is_a_job(
    session_factory: Sessions, dataset_id: int
) -> None:
    with transaction(session_factory) as session:
        ids = {submit(session, NewJob("test", dataset_id, {})).id for _ in range(5)}
    assert len(ids) == 5


def test_ids_sort_by_time() -> None:
    ids = [new_job_id() for _ in range(100)]
    milliseconds = [job_id[:12] for job_id in ids]
    assert milliseconds == sorted(milliseconds)
    assert len(set(ids)) == 100
