from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from app.db.engine import transaction
from app.db.tables import Job
from app.jobs.claim import Limits, claim, is_waiting
from app.jobs.clock import database_now
from app.jobs.ending import finish
from app.jobs.lease import Run
from app.jobs.submit import NewJob, submit
from tests.app.jobs.conftest import Sessions, add_dataset, claim_one, submit_one


def test_a_claimed_job_is_running_and_leased(
    session_factory: Sessions, run: Run, job_now: Callable[[], Job]
) -> None:
    job = job_now()
    assert (job.state, job.worker, job.attempt, job.run_token) == ("running", "worker-1", 1, 1)
    assert run == Run(job.id, 1, "test", job.dataset_id, {"n": 1})
    with transaction(session_factory, write=False) as session:
        now = database_now(session)
    assert job.lease_until is not None
    assert now < job.lease_until <= now + timedelta(seconds=30)


def test_an_empty_queue_gives_nothing(session_factory: Sessions) -> None:
    assert claim_one(session_factory) is None


def test_other_kinds_are_left_alone(session_factory: Sessions, submitted: str) -> None:
    with transaction(session_factory) as session:
        assert not is_waiting(session, ["other"])
        assert claim(session, worker="w", kinds=["other"], lease_s=1) is None


def test_a_higher_priority_goes_first_then_the_older(session_factory: Sessions) -> None:
    datasets = [add_dataset(session_factory, name) for name in "abc"]
    ids = [
        submit_one(session_factory, dataset, priority=priority)
        for dataset, priority in zip(datasets, (0, 0, 5), strict=True)
    ]
    claimed = [claim_one(session_factory) for _ in range(4)]
    assert [run and run.job_id for run in claimed] == [ids[2], ids[0], ids[1], None]


def test_a_job_waits_for_its_time(session_factory: Sessions, submitted: str) -> None:
    with transaction(session_factory) as session:
        session.get_one(Job, submitted).run_at = database_now(session) + timedelta(minutes=1)
    assert claim_one(session_factory) is None


def test_one_job_of_a_dataset_at_a_time(session_factory: Sessions, run: Run) -> None:
    submit_one(session_factory, run.dataset_id)
    with transaction(session_factory, write=False) as session:
        assert not is_waiting(session, ["test"])
    assert claim_one(session_factory) is None


def test_each_job_is_claimed_once_by_many_workers(session_factory: Sessions) -> None:
    ids = {
        submit_one(session_factory, add_dataset(session_factory, f"shop-{n}")) for n in range(12)
    }
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: claim_one(session_factory, f"worker-{n}"), range(30)))
    claimed = [run.job_id for run in runs if run is not None]
    assert sorted(claimed) == sorted(ids)


def test_many_workers_take_one_job_of_a_busy_dataset(
    session_factory: Sessions, dataset_id: int
) -> None:
    for _ in range(6):
        submit_one(session_factory, dataset_id)
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: claim_one(session_factory, f"worker-{n}"), range(16)))
    assert len([run for run in runs if run is not None]) == 1


def test_as_many_jobs_of_a_dataset_run_as_its_limit_allows(
    session_factory: Sessions, dataset_id: int
) -> None:
    limits = Limits(running_per_dataset=2)
    for _ in range(3):
        submit_one(session_factory, dataset_id)
    other = submit_one(session_factory, add_dataset(session_factory, "other"))
    runs = [claim_one(session_factory, limits=limits) for _ in range(4)]
    assert [run and run.dataset_id == dataset_id for run in runs] == [True, True, False, None]
    assert runs[2] is not None
    assert runs[2].job_id == other


def test_as_many_jobs_run_as_the_limit_of_all_allows(session_factory: Sessions) -> None:
    limits = Limits(running=2)
    for name in "abc":
        submit_one(session_factory, add_dataset(session_factory, name))
    first, second, third = (claim_one(session_factory, limits=limits) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is None
    with transaction(session_factory, write=False) as session:
        assert not is_waiting(session, ["test"], limits)
    with transaction(session_factory) as session:
        finish(session, first, {})
    assert claim_one(session_factory, limits=limits) is not None


def test_many_workers_keep_the_limit_of_all(session_factory: Sessions) -> None:
    for number in range(8):
        submit_one(session_factory, add_dataset(session_factory, f"shop-{number}"))
    with ThreadPoolExecutor(8) as pool:
        runs = list(
            pool.map(
                lambda n: claim_one(session_factory, f"worker-{n}", Limits(running=3)), range(16)
            )
        )
    assert len([run for run in runs if run is not None]) == 3


def test_a_job_of_the_whole_service_waits_for_no_dataset(session_factory: Sessions) -> None:
    for _ in range(2):
        with transaction(session_factory) as session:
            submit(session, NewJob("test", None, arguments={}))
    runs = [claim_one(session_factory) for _ in range(2)]
    assert [run and run.dataset_id for run in runs] == [None, None]
    assert None not in runs
