from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from app.api import job_events
from app.db.engine import transaction
from app.db.tables import Dataset
from app.db.types import utc_now
from app.jobs.claim import claim
from app.jobs.ending import finish
from app.jobs.journal import write_log, write_progress
from app.jobs.submit import NewJob, submit

Sessions = sessionmaker[Session]


@pytest.fixture
def job_id(session_factory: Sessions) -> str:
    """A queued job that `run_job` brings to its end."""
    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={})
        session.add(dataset)
        session.flush()
        arguments = {"tasks": [], "seed": 0, "dataset_revision": 0}
        return submit(session, NewJob("training", dataset.id, arguments)).id


def run_job(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
    assert run is not None
    with transaction(sessions) as session:
        write_progress(session, run, {"stage": "fit", "fraction": 0.5})
    with transaction(sessions) as session:
        line = {"level": "info", "message": "two\nlines", "fields": {}}
        write_log(session, run, [(utc_now(), line)])
    with transaction(sessions) as session:
        finish(session, run, {"model_version": 1})


def follow(client: TestClient, job_id: str, last_event_id: str | None = None) -> list[Any]:
    """The events of a stream that ends by itself, as a browser would split them."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    answer = client.get(f"/v1/training-jobs/{job_id}/events", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in answer.text.split("\n\n") if block and block[0] != ":"]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def kinds(events: list[Any]) -> list[str]:
    return [event["event"] for event in events]


def test_an_ended_job_is_replayed_to_its_end(
    client: TestClient, job_id: str, session_factory: Sessions
) -> None:
    run_job(session_factory)
    events = follow(client, job_id)
    assert kinds(events) == ["state", "state", "progress", "log", "state"]
    assert '"succeeded"' in events[-1]["data"]
    assert '"model_version": 1' in events[-1]["data"]
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(ids)


def test_a_client_that_comes_back_goes_on_where_it_was(
    client: TestClient, job_id: str, session_factory: Sessions
) -> None:
    run_job(session_factory)
    events = follow(client, job_id)
    for number, event in enumerate(events[:-1]):
        assert follow(client, job_id, event["id"]) == events[number + 1 :]


def test_a_browser_that_has_seen_the_end_is_told_not_to_come_back(
    client: TestClient, job_id: str, session_factory: Sessions
) -> None:
    run_job(session_factory)
    last = follow(client, job_id)[-1]["id"]
    answer = client.get(f"/v1/training-jobs/{job_id}/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_client_that_was_cut_off_at_any_event_misses_nothing(
    client: TestClient, job_id: str, session_factory: Sessions
) -> None:
    """Also when more has happened meanwhile: it reads one event, goes away, and comes back."""
    with transaction(session_factory) as session:
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
    assert run is not None
    url, seen, told = f"/v1/training-jobs/{job_id}/events", list[int](), 0
    for step in range(4):
        with transaction(session_factory) as session:
            write_progress(session, run, {"stage": f"stage {step}", "fraction": step / 4})
            told += 1
    with transaction(session_factory) as session:
        finish(session, run, {"model_version": 1})
    while True:
        headers = {"Last-Event-ID": str(seen[-1])} if seen else {}
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 204:
                break
            seen += [int(line[4:]) for line in answer.iter_lines() if line[:4] == "id: "][:1]
    assert seen == sorted(set(seen))
    assert len(seen) == 3 + told


def test_a_silent_stream_is_kept_alive(
    app: FastAPI, client: TestClient, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(client.get, f"/v1/training-jobs/{job_id}/events")
        with pytest.raises(TimeoutError):
            stream.result(timeout=1)
        app.state.stopping.set()
        assert ": ping" in stream.result().text


def test_a_stream_outlives_a_database_that_is_away_for_a_moment(
    client: TestClient,
    job_id: str,
    session_factory: Sessions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_job(session_factory)
    has_ended, looks = job_events.has_ended, list[str]()

    def first_fail(session: Session, job_id: str) -> bool:
        looks.append(job_id)
        if len(looks) == 1:
            raise OperationalError("SELECT", None, Exception("the server is restarting"))
        return has_ended(session, job_id)

    monkeypatch.setattr(job_events, "has_ended", first_fail)
    assert kinds(follow(client, job_id)) == ["state", "state", "progress", "log", "state"]


def test_a_follower_sees_what_happens_until_the_end(
    client: TestClient, job_id: str, session_factory: Sessions
) -> None:
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(follow, client, job_id)
        run_job(session_factory)
        events = stream.result()
    assert kinds(events) == ["state", "state", "progress", "log", "state"]


def test_streams_end_when_the_service_does(app: FastAPI, client: TestClient, job_id: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(follow, client, job_id)
        stopping: threading.Event = app.state.stopping
        stopping.set()
        assert kinds(stream.result()) in ([], ["state"])


@pytest.mark.parametrize("bad", ["x", "-1", str(2**63)])
def test_an_event_id_that_is_none_is_refused(client: TestClient, job_id: str, bad: str) -> None:
    answer = client.get(f"/v1/training-jobs/{job_id}/events", headers={"Last-Event-ID": bad})
    assert answer.status_code == 422


def test_a_stream_keeps_no_connection_of_the_database(
    app: FastAPI, client: TestClient, job_id: str
) -> None:
    follow_forever = threading.Thread(target=follow, args=(client, job_id))
    follow_forever.start()
    try:
        for _ in range(30):
            assert client.get(f"/v1/training-jobs/{job_id}").status_code == 200
        assert app.state.engine.pool.checkedout() <= 1
    finally:
        app.state.stopping.set()
        follow_forever.join()
