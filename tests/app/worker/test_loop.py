from __future__ import annotations

import os
import signal
from itertools import pairwise

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
