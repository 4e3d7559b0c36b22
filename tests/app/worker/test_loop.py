from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.worker.takeover import take_back
from tests.app.worker.workplace import Workplace, eventually, is_gone

SHORT_LEASE_S = 3.0


def test_a_terminated_worker_hands_its_job_back_at_once(workplace: Workplace) -> None:
    job_id = workplace.submit("wait_for_stop")
    worker = workplace.start_worker()
    child = workplace.sign("started")
    worker.terminate()
    worker.join()
    assert worker.exitcode == 0
    job = workplace.job(job_id)
    assert (job.state, job.losses, job.attempt) == ("queued", 0, 0)
    assert is_gone(child)


def test_a_job_that_was_handed_back_goes_on_from_its_checkpoint(workplace: Workplace) -> None:
    job_id = workplace.submit("count_on")
    worker = workplace.start_worker()
    workplace.sign("counted")
    assert (
        workplace.job(job_id).checkpoint == f"datasets/{workplace.dataset_id}/checkpoints/{job_id}"
    )
    worker.terminate()
    worker.join()
    assert workplace.job(job_id).state == "queued"
    number = workplace.newest_number(job_id)
    workplace.start_worker()
    workplace.sign(f"from-{number}", run_token=2)
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.attempt, job.losses, job.checkpoint) == ("succeeded", 1, 0, None)
    eventually(lambda: not workplace.checkpoint_folder(job_id).exists(), "nothing is left of them")


def test_a_killed_worker_takes_its_child_along_and_another_takes_the_job_over(
    workplace: Workplace,
) -> None:
    job_id = workplace.submit("finish_when_told")
    worker = workplace.start_worker(lease_s=SHORT_LEASE_S)
    child = workplace.sign("started")
    worker.kill()
    worker.join()
    eventually(lambda: is_gone(child), "the child is gone")
    assert workplace.job(job_id).state == "running"
    workplace.start_worker()
    workplace.sign("started", run_token=2)
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.losses, job.run_token) == ("succeeded", 1, 2)
    assert workplace.results() == [2]


def test_a_stopped_worker_that_wakes_up_has_no_effect(workplace: Workplace) -> None:
    job_id = workplace.submit("finish_when_told")
    stopped = workplace.start_worker(lease_s=SHORT_LEASE_S)
    child = workplace.sign("started")
    assert stopped.pid is not None
    workplace.stop(stopped.pid)
    eventually(lambda: is_gone(child), "the child has given up, its lease not being renewed")
    workplace.start_worker()
    workplace.sign("started", run_token=2)
    os.kill(stopped.pid, signal.SIGCONT)
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.losses, job.run_token) == ("succeeded", 1, 2)
    assert workplace.results() == [2]
    stopped.terminate()
    stopped.join()
    assert stopped.exitcode == 0


def test_a_stopped_child_that_wakes_up_stores_nothing(workplace: Workplace) -> None:
    job_id = workplace.submit("finish_when_told")
    worker = workplace.start_worker(lease_s=SHORT_LEASE_S)
    child = workplace.sign("started")
    workplace.stop(child)
    assert worker.pid is not None
    workplace.stop(worker.pid)
    workplace.start_worker()
    workplace.sign("started", run_token=2)
    (workplace.settings.data_dir / "finish").touch()
    os.kill(child, signal.SIGCONT)
    workplace.ended(job_id)
    eventually(lambda: is_gone(child), "the child is gone")
    assert workplace.results() == [2]


def test_what_is_woken_after_its_lease_has_no_effect(workplace: Workplace) -> None:
    """The worker and its child, stopped at work; another run has come far by then."""
    job_id = workplace.submit("count_on")
    stopped = workplace.start_worker(lease_s=SHORT_LEASE_S)
    child = workplace.sign("counted")
    assert stopped.pid is not None
    workplace.stop(stopped.pid)
    workplace.stop(child)
    workplace.start_worker()
    workplace.sign("counted", run_token=2)
    os.kill(child, signal.SIGCONT)
    os.kill(stopped.pid, signal.SIGCONT)
    eventually(lambda: is_gone(child), "the child has given up")
    stopped.terminate()  # it ends when it has settled its run
    stopped.join()
    seen = workplace.newest_number(job_id)
    eventually(lambda: workplace.newest_number(job_id) > seen + 5, "the other run goes on")
    assert [folder.name for folder in workplace.checkpoint_folder(job_id).iterdir()] == ["2"]
    assert [folder.name for folder in (workplace.settings.data_dir / "runs").iterdir()] == [
        f"{job_id}-2"
    ]
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.losses, job.run_token) == ("succeeded", 1, 2)
    told = [data["by"] for data in workplace.events(job_id, "progress")]
    assert told == sorted(told)
    assert workplace.results() == [2]


def test_a_busy_worker_takes_jobs_of_silent_ones_back(workplace: Workplace) -> None:
    other = workplace.submit("finish_when_told", workplace.add_dataset("other shop"))
    silent = workplace.start_worker(lease_s=SHORT_LEASE_S)
    workplace.sign("started")
    silent.kill()
    silent.join()
    workplace.submit("wait_for_stop")
    workplace.start_worker(lease_s=SHORT_LEASE_S)
    eventually(lambda: workplace.job(other).state == "queued", "the job is back in the queue")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_broken_connections_cost_nothing(workplace: Workplace) -> None:
    job_id = workplace.submit("count_on")
    workplace.start_worker()
    workplace.sign("counted")
    with transaction(workplace.sessions) as session:
        others = "datname = current_database() AND pid != pg_backend_pid()"
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
        assert len(session.execute(text(query)).all()) >= 2  # of the worker and of its child
    seen = workplace.newest_number(job_id)
    eventually(lambda: workplace.newest_number(job_id) > seen + 5, "the job goes on")
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.attempt, job.losses, job.run_token) == ("succeeded", 1, 0, 1)
    assert workplace.results() == [1]


def test_a_job_that_is_lost_for_good_leaves_no_checkpoints(workplace: Workplace) -> None:
    job_id = workplace.submit("count_on")
    worker = workplace.start_worker(lease_s=0.5)
    workplace.sign("counted")
    worker.kill()
    worker.join()
    workplace.cancel(job_id)

    def is_cancelled() -> bool:
        take_back(workplace.sessions, workplace.settings)
        return workplace.job(job_id).state == "cancelled"

    eventually(is_cancelled, "the lease has run out")
    assert not workplace.checkpoint_folder(job_id).exists()


def test_jobs_of_one_dataset_run_one_after_the_other(workplace: Workplace) -> None:
    job_ids = [workplace.submit("succeed") for _ in range(3)]
    for _ in range(2):
        workplace.start_worker()
    jobs = [workplace.ended(job_id) for job_id in job_ids]
    assert [job.state for job in jobs] == ["succeeded"] * 3
    for earlier, later in pairwise(jobs):
        assert earlier.finished_at is not None
        assert later.started_at is not None
        assert earlier.finished_at <= later.started_at
