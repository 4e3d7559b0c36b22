from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import httpx
import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.serving import serve
from app.settings import Settings
from tests.app.worker.fake_handlers import HANDLERS
from tests.app.worker.workplace import Workplace, eventually, hasty, is_gone


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def workplace(settings: Settings, session_factory: sessionmaker[Session]) -> Iterator[Workplace]:
    given = settings.model_copy(update={"port": free_port(), "embedded_worker": True})
    workplace = Workplace(hasty(given), session_factory)
    yield workplace
    workplace.end()


def start(workplace: Workplace) -> tuple[BaseProcess, str]:
    """`ssmtl serve` in a process of its own, ready, and its address."""
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(workplace.settings,), kwargs={"handlers": HANDLERS}
    )
    server.start()
    workplace.workers.append(server)
    address = f"http://127.0.0.1:{workplace.settings.port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    eventually(is_ready, "the service is ready")
    return server, address


def test_serve_runs_jobs_while_it_answers_and_hands_them_back_when_it_ends(
    workplace: Workplace,
) -> None:
    server, address = start(workplace)
    done = workplace.submit("succeed")
    assert workplace.ended(done).state == "succeeded"
    running = workplace.submit("wait_for_stop")
    child = workplace.sign("started")
    assert httpx.get(f"{address}/livez").status_code == 200
    server.terminate()
    server.join()
    assert server.exitcode == 0
    job = workplace.job(running)
    assert (job.state, job.losses) == ("queued", 0)
    assert is_gone(child)


def test_a_killed_serve_goes_on_with_its_job_when_it_is_started_again(
    workplace: Workplace,
) -> None:
    workplace.settings = workplace.settings.model_copy(update={"lease_s": 2.0})
    server, _ = start(workplace)
    job_id = workplace.submit("count_on")
    child = workplace.sign("counted")
    server.kill()
    server.join()
    eventually(lambda: is_gone(child), "the child is gone")
    number = workplace.newest_number(job_id)
    start(workplace)
    workplace.sign(f"from-{number}", run_token=2)
    (workplace.settings.data_dir / "finish").touch()
    job = workplace.ended(job_id)
    assert (job.state, job.losses, workplace.results()) == ("succeeded", 1, [2])


def test_an_open_event_stream_does_not_keep_serve_from_ending(workplace: Workplace) -> None:
    workplace.settings = workplace.settings.model_copy(update={"embedded_worker": False})
    server, address = start(workplace)
    job_id = workplace.submit("training")
    with httpx.stream("GET", f"{address}/v1/training-jobs/{job_id}/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: state"
        server.terminate()
        assert not any(line.startswith("event:") for line in lines)  # it ends, and properly
    server.join()
    assert server.exitcode == 0
