from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job
from app.jobs.claim import claim
from app.jobs.ending import release
from app.jobs.errors import RunLost
from app.jobs.lease import Run
from app.settings import Settings
from app.worker.job_checkpoints import remove_checkpoints, take_checkpoints
from tests.app.worker.workplace import Workplace

Sessions = sessionmaker[Session]


def next_run(sessions: Sessions, before: Run | None = None) -> Run:
    with transaction(sessions) as session:
        if before is not None:
            release(session, before)
        run = claim(session, worker="w", kinds=["test"], lease_s=30)
    assert run is not None
    return run


@pytest.fixture
def first(workplace: Workplace) -> Run:
    workplace.submit("test")
    return next_run(workplace.sessions)


def test_the_first_run_gets_an_empty_folder(
    first: Run, settings: Settings, session_factory: Sessions
) -> None:
    folder = take_checkpoints(session_factory, settings, first)
    assert list(folder.iterdir()) == []
    with transaction(session_factory, write=False) as session:
        location = session.get_one(Job, first.job_id).checkpoint
    assert location is not None
    assert folder == settings.data_dir / location / "1"


def test_a_later_run_gets_what_was_left_and_the_earlier_loses_it(
    first: Run, settings: Settings, session_factory: Sessions
) -> None:
    before = take_checkpoints(session_factory, settings, first)
    (before / "state").touch()
    second = next_run(session_factory, first)
    third = next_run(session_factory, second)  # the second left no checkpoint
    now = take_checkpoints(session_factory, settings, third)
    assert [path.name for path in now.iterdir()] == ["state"]
    assert [path.name for path in now.parent.iterdir()] == ["3"]
    with pytest.raises(RunLost):
        take_checkpoints(session_factory, settings, first)
    assert not before.exists()


def test_asking_twice_changes_nothing(
    first: Run, settings: Settings, session_factory: Sessions
) -> None:
    folder = take_checkpoints(session_factory, settings, first)
    (folder / "state").touch()
    assert take_checkpoints(session_factory, settings, first) == folder
    assert (folder / "state").exists()


def test_of_several_folders_the_newest_is_taken(
    first: Run, settings: Settings, session_factory: Sessions
) -> None:
    folder = take_checkpoints(session_factory, settings, first)
    (folder.rename(folder.parent / "11") / "new").touch()
    for token in ("9", "10"):
        (folder.parent / token).mkdir()
    with transaction(session_factory) as session:
        session.get_one(Job, first.job_id).run_token = 12
    twelfth = Run(first.job_id, 12, first.kind, first.dataset_id, first.arguments)
    taken = take_checkpoints(session_factory, settings, twelfth)
    assert [path.name for path in taken.iterdir()] == ["new"]
    assert [path.name for path in taken.parent.iterdir()] == ["12"]


def test_nothing_is_left_of_an_ended_job(
    first: Run, settings: Settings, session_factory: Sessions
) -> None:
    folder: Path = take_checkpoints(session_factory, settings, first)
    with transaction(session_factory, write=False) as session:
        job = session.get_one(Job, first.job_id)
    remove_checkpoints(settings, job)
    assert not folder.parent.exists()
    remove_checkpoints(settings, job)
