from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Import, ModelVersion, Part
from app.domain.orphans import list_places, orphans, owns_files, read_names
from app.jobs.cancel import cancel
from app.jobs.claim import claim
from app.jobs.ending import finish, lose
from app.jobs.submit import NewJob, submit
from tests.app.declared_shop import add_events
from tests.app.domain.conftest import publish_one

Sessions = sessionmaker[Session]


class Files:
    """A data directory, and what of it would be removed some time from now."""

    def __init__(self, root: Path, sessions: Sessions, dataset: Dataset) -> None:
        self.root = root
        self.sessions = sessions
        self.dataset = dataset
        self.own = f"datasets/{dataset.id}"

    def make(self, *paths: str) -> None:
        """Files; folders where the name ends with a slash."""
        for path in paths:
            target = self.root / path
            folder = target if path.endswith("/") else target.parent
            folder.mkdir(parents=True, exist_ok=True)
            (target / "content" if path.endswith("/") else target).write_text("...")

    def orphans(self, *, later_s: float = 3600) -> set[str]:
        """Of files that are as old as this test, seen so much later, with an hour's grace."""
        found = list_places(self.root)
        with transaction(self.sessions, write=False) as session:
            names = read_names(session)
        since = time.time() + later_s - 3600 + 1
        return {
            str(path.relative_to(self.root)) for path in orphans(self.root, found, names, since)
        }


@pytest.fixture
def files(tmp_path: Path, session_factory: Sessions, dataset: Dataset) -> Files:
    root = tmp_path / "data"
    root.mkdir()
    return Files(root, session_factory, dataset)


def test_what_rows_name_stays(files: Files, session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        add_events(session, session.get_one(Dataset, dataset.id))
        part = session.scalars(select(Part)).one().path
        session.scalars(select(Import)).one().rejections_path = f"{files.own}/bad.jsonl.gz"
        publish_one(session, dataset)
        session.scalars(select(ModelVersion)).one().artifact_path = f"{files.own}/models/j-1"
    files.make(part, f"{files.own}/bad.jsonl.gz", f"{files.own}/models/j-1/")
    assert files.orphans() == set()


def test_what_no_row_names_goes_after_the_grace_time(files: Files) -> None:
    left = {
        "staging/word",
        "runs/gone-1",
        f"{files.own}/word.parquet",
        f"{files.own}/word.jsonl.gz",
        f"{files.own}/models/gone-1",
        f"{files.own}/checkpoints/gone",
    }
    folders = ("staging", "runs", "models", "checkpoints")
    files.make(*(f"{path}/" if path.split("/")[-2] in folders else path for path in left))
    assert files.orphans(later_s=0) == set()
    assert files.orphans() == left


def test_a_file_is_as_young_as_its_move_and_a_folder_as_the_youngest_in_it(files: Files) -> None:
    files.make("staging/slow/", f"{files.own}/part.parquet")
    long_ago = time.time() - 7 * 86_400
    os.utime(files.root / "staging/slow", (long_ago, long_ago))
    os.utime(files.root / f"{files.own}/part.parquet", (long_ago, long_ago))
    assert files.orphans(later_s=0) == set()


def test_the_folder_of_a_deleted_dataset_goes_as_a_whole(files: Files) -> None:
    files.make("datasets/12345/part.parquet", "datasets/12345/models/j-1/")
    assert files.orphans() == {"datasets/12345"}


def test_what_the_service_does_not_leave_is_never_looked_at(files: Files) -> None:
    files.make(
        "ssmtl.sqlite3", "backup/", "datasets/notes/", f"{files.own}/readme.txt", "x.parquet"
    )
    assert files.orphans() == set()


def test_the_newest_index_stays(files: Files) -> None:
    for number in range(3):
        files.make(f"{files.own}/index-{number}/")
        later = time.time() + number
        os.utime(files.root / f"{files.own}/index-{number}/content", (later, later))
    files.make(f"{files.own}/.index-unfinished/", f"{files.own}/.index.lock")
    assert files.orphans(later_s=7200) == {
        f"{files.own}/{name}" for name in ("index-0", "index-1", ".index-unfinished")
    }


def test_what_an_open_job_may_need_stays_until_it_has_ended(
    files: Files, session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        job_id = submit(session, NewJob("training", dataset.id, {})).id
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
        assert run is not None
    own = {
        f"runs/{job_id}-1",
        f"{files.own}/models/{job_id}-1",
        f"{files.own}/checkpoints/{job_id}",
    }
    files.make(*(f"{path}/" for path in own))
    assert files.orphans() == set()
    with transaction(session_factory) as session:
        lose(session, run)
        again = claim(session, worker="w", kinds=["training"], lease_s=30)
        assert again is not None
    files.make(f"runs/{job_id}-2/")
    assert files.orphans() == {f"runs/{job_id}-1"}  # the second run has a folder of its own
    with transaction(session_factory) as session:
        finish(session, again, {})
    assert files.orphans() == {*own, f"runs/{job_id}-2"}


def test_a_cancelled_job_needs_nothing(
    files: Files, session_factory: Sessions, dataset: Dataset
) -> None:
    with transaction(session_factory) as session:
        job_id = submit(session, NewJob("training", dataset.id, {})).id
    files.make(f"{files.own}/checkpoints/{job_id}/")
    assert files.orphans() == set()
    with transaction(session_factory) as session:
        cancel(session, job_id)
    assert files.orphans() == {f"{files.own}/checkpoints/{job_id}"}


def test_a_file_whose_row_is_not_committed_yet_is_protected_by_the_grace_time(
    files: Files, session_factory: Sessions, dataset: Dataset
) -> None:
    with session_factory() as session:
        add_events(session, session.get_one(Dataset, dataset.id))
        part = session.scalars(select(Part)).one().path
        files.make(part)
        assert files.orphans(later_s=0) == set()
        session.rollback()
    assert files.orphans() == {part}


def test_a_row_that_is_committed_after_the_listing_counts(
    files: Files, session_factory: Sessions, dataset: Dataset
) -> None:
    """An import that is about to commit while the files are listed."""
    with transaction(session_factory) as session:
        add_events(session, session.get_one(Dataset, dataset.id))
        part = session.scalars(select(Part)).one().path
        files.make(part)
        found = list_places(files.root)
    with transaction(session_factory, write=False) as session:
        names = read_names(session)
    assert list(orphans(files.root, found, names, time.time() + 1)) == []


def test_a_data_directory_belongs_to_one_database(
    session_factory: Sessions, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    (theirs / "installation").write_text("another")
    for _ in range(2):
        with transaction(session_factory) as session:
            assert owns_files(session, ours)
            assert not owns_files(session, theirs)
