from __future__ import annotations

import threading
from pathlib import Path

import pytest

from app.settings import Settings
from app.worker.loop import run_worker
from tests.app.worker.workplace import Workplace, eventually

CLOSED_PORT_URL = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


class OneTurn(threading.Event):
    """Asked to wait, it is set: the loop turns once."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return super().wait(timeout)


def test_a_worker_that_waits_for_jobs_has_a_pulse(workplace: Workplace, tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    workplace.start_worker_thread(pulse_file=pulse)
    eventually(pulse.exists, "the worker touched its file")


def test_a_worker_with_a_job_has_a_pulse(workplace: Workplace, tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    workplace.submit("wait_for_stop")
    workplace.start_worker_thread(pulse_file=pulse)
    workplace.sign("started")
    pulse.unlink(missing_ok=True)
    eventually(pulse.exists, "the worker touched its file while the job runs")


def test_a_worker_whose_turns_fail_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.pulse.BEAT_S", 0.0)
    pulse = tmp_path / "pulse"
    settings = Settings(
        _env_file=None, data_dir=tmp_path, database_url=CLOSED_PORT_URL, pulse_file=pulse
    )
    run_worker(settings, OneTurn())
    assert not pulse.exists()
