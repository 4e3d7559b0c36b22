from __future__ import annotations

import re
from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job
from app.jobs.claim import claim
from app.jobs.clock import database_now
from app.jobs.states import JobState
from tests.app.declared_shop import declare_shop

Sessions = sessionmaker[Session]

SAMPLE = re.compile(r'([a-z_]+)\{kind="([a-z]+)"(?:,state="([a-z]+)")?\} ([0-9.]+)')


def figures(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every sample by its name and labels; each family says what it is before its samples."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found, described = {}, set[str]()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("# HELP "):
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] in described
            found[tuple(label for label in sample.groups()[:3] if label)] = float(sample[4])
    return found


def test_a_service_without_jobs_says_so(client: TestClient) -> None:
    found = figures(client)
    assert set(found.values()) == {0.0}
    assert {state for name, kind, state in filter(lambda key: len(key) == 3, found)} == set(
        JobState
    )
    assert ("ssmtl_jobs_oldest_waiting_seconds", "retention") in found


def test_the_queue_in_figures(client: TestClient, session_factory: Sessions) -> None:
    with transaction(session_factory) as session:
        declare_shop(session)
    for seed in range(3):
        client.post("/v1/datasets/shop/training-jobs", json={"seed": seed})
    with transaction(session_factory) as session:
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
        assert run is not None
        now = database_now(session)
        for job in session.query(Job):
            job.run_at = now - timedelta(seconds=90)
            job.losses = 2
        session.get_one(Job, run.job_id).lease_until = now - timedelta(seconds=1)
    found = figures(client)
    assert found["ssmtl_jobs", "training", "queued"] == 2
    assert found["ssmtl_jobs", "training", "running"] == 1
    assert found["ssmtl_jobs_overdue", "training"] == 1
    assert found["ssmtl_job_losses_total", "training"] == 6
    assert found["ssmtl_jobs_oldest_waiting_seconds", "training"] >= 90
    assert found["ssmtl_jobs", "retention", "queued"] == 0


def test_a_job_that_is_to_run_later_does_not_wait_yet(
    client: TestClient, session_factory: Sessions
) -> None:
    with transaction(session_factory) as session:
        declare_shop(session)
    client.post("/v1/datasets/shop/training-jobs")
    with transaction(session_factory) as session:
        session.query(Job).one().run_at = database_now(session) + timedelta(hours=1)
    assert figures(client)["ssmtl_jobs_oldest_waiting_seconds", "training"] == 0
