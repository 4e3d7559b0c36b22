from __future__ import annotations

import os
import signal

from app.jobs.ending import MAX_LOSSES
from app.worker.supervision import JOURNAL_S
from tests.app.worker.workplace import Workplace, eventually, is_gone


def test_a_job_succeeds_with_progress_log_and_result(workplace: Workplace) -> None:
    job = workplace.run("succeed")
    assert (job.state, job.result) == ("succeeded", {"run_token": 1})
    assert workplace.results() == [1]
    states = [data["state"] for data in workplace.events(job.id, "state")]
    assert states == ["queued", "running", "succeeded"]
    assert workplace.events(job.id, "log") == [
        {"level": "warning", "message": "half way", "fields": {"rows": 3}}
    ]


def test_every_stage_is_seen_in_turn_however_short_it_is(workplace: Workplace) -> None:
    job = workplace.run("hurry_through_stages")
    assert job.state == "succeeded"
    told = workplace.history(job.id)
    stages = [data["stage"] for kind, data in told if kind == "progress"]
    assert stages == ["load", "fit", "predict", "store"]
    assert [data["message"] for kind, data in told if kind == "log"] == ["loaded", "predicted"]
    assert told[-1] == ("state", {"state": "succeeded", "result": job.result})


def test_what_any_library_logs_is_in_the_log_of_the_job(workplace: Workplace) -> None:
    job = workplace.run("log_in_every_way")
    lines = {line["message"]: line for line in workplace.events(job.id, "log")}
    assert lines["from structlog"]["fields"] == {"rows": 3}
    assert lines["from structlog"]["level"] == "info"
    assert lines["from logging: 7"]["level"] == "warning"
    assert "ValueError: broken" in lines["an accident"]["fields"]["exception"]
    assert lines["an accident"]["level"] == "error"
    assert any("from warnings" in message for message in lines)


def test_a_refusal_is_told_as_it_is(workplace: Workplace) -> None:
    job = workplace.run("refuse")
    assert (job.state, job.error_code) == ("failed", "not_enough_data")
    assert job.error_message == "5 events are too few: send at least 90 days"


def test_a_crash_leaves_its_traceback_in_the_log(workplace: Workplace) -> None:
    job = workplace.run("crash")
    assert (job.state, job.error_code) == ("failed", "internal_error")
    assert "KeyError: 'no such column'" in (job.error_message or "")
    tracebacks = [line["fields"].get("exception", "") for line in workplace.events(job.id, "log")]
    assert any("in crash" in traceback for traceback in tracebacks)


def test_a_full_disk_is_told_with_a_way_out(workplace: Workplace) -> None:
    job = workplace.run("fill_the_disk")
    assert (job.state, job.error_code) == ("failed", "disk_full")
    assert "weights.safetensors" in (job.error_message or "")
    assert f"Free some space for {workplace.settings.data_dir}" in (job.error_message or "")


def test_a_handler_must_store_a_result(workplace: Workplace) -> None:
    job = workplace.run("end_without_result")
    assert (job.state, job.error_code) == ("failed", "internal_error")


def test_a_well_behaved_job_stops_when_cancelled(workplace: Workplace) -> None:
    job_id = workplace.submit("wait_for_stop")
    workplace.start_worker_thread()
    child = workplace.sign("started")
    workplace.cancel(job_id)
    job = workplace.ended(job_id)
    assert (job.state, job.error_code) == ("cancelled", None)
    messages = [line["message"] for line in workplace.events(job_id, "log")]
    assert not any("killed" in message for message in messages)
    eventually(lambda: is_gone(child), "the child is gone")


def test_a_job_that_does_not_listen_is_killed(workplace: Workplace) -> None:
    job_id = workplace.submit("ignore_stop")
    workplace.start_worker_thread(cancel_grace_s=0.2)
    child = workplace.sign("started")
    workplace.cancel(job_id)
    assert workplace.ended(job_id).state == "cancelled"
    assert is_gone(child)
    messages = [line["message"] for line in workplace.events(job_id, "log")]
    assert any("killed" in message for message in messages)


def test_a_cancel_is_not_overtaken_by_a_result(workplace: Workplace) -> None:
    job_id = workplace.submit("finish_when_told")
    workplace.start_worker_thread()
    workplace.sign("started")
    workplace.cancel(job_id)
    (workplace.settings.data_dir / "finish").touch()
    assert workplace.ended(job_id).state == "cancelled"
    assert workplace.results() == []


def test_a_job_that_kills_its_process_fails_with_that_reason(workplace: Workplace) -> None:
    job = workplace.run("kill_itself")
    assert (job.state, job.error_code, job.losses) == ("failed", "worker_lost", MAX_LOSSES)
    messages = [line["message"] for line in workplace.events(job.id, "log")]
    assert len([message for message in messages if "exit code -9" in message]) == MAX_LOSSES


def test_a_killed_child_is_run_again_and_leaves_no_files(workplace: Workplace) -> None:
    job_id = workplace.submit("leave_a_file")
    workplace.start_worker_thread()
    os.kill(workplace.sign("started", run_token=1), signal.SIGKILL)
    workplace.sign("started", run_token=2)
    runs = workplace.settings.data_dir / "runs"
    assert [folder.name for folder in runs.iterdir()] == [f"{job_id}-2"]
    assert workplace.job(job_id).losses == 1
    workplace.end()
    assert list(runs.iterdir()) == []


def test_a_job_whose_process_was_stopped_is_run_again(workplace: Workplace) -> None:
    job_id = workplace.submit("stop_once")
    workplace.start_worker_thread(lease_s=1.0)
    job = workplace.ended(job_id)
    assert (job.state, job.losses, job.run_token) == ("succeeded", 1, 2)
    messages = [line["message"] for line in workplace.events(job_id, "log")]
    assert any("its process was stopped" in message for message in messages)


def test_progress_is_written_a_few_times_a_second(workplace: Workplace) -> None:
    job = workplace.run("report_much")
    assert job.started_at is not None
    assert job.finished_at is not None
    ran_s = (job.finished_at - job.started_at).total_seconds()
    written = workplace.events(job.id, "progress")
    assert len(written) <= 2 + ran_s / JOURNAL_S  # the last is written before the result is stored
    fractions = [data["fraction"] for data in written]
    assert fractions == sorted(fractions)
    assert all(data["stage"] == "fit" for data in written)
