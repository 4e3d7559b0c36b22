from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs.ending import Failure
from app.jobs.lease import Run
from app.settings import Settings
from app.worker import children as children_module
from app.worker.children import Children
from app.worker.messages import Assignment, RenewedLease
from tests.app.worker.fake_handlers import HANDLERS
from tests.app.worker.workplace import eventually, is_gone


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    made.close()


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """A run that refuses what it is told, without a database."""
    return Assignment(
        Run("job", 1, "refuse", None, {}),
        HANDLERS["refuse"],
        Settings(_env_file=None, data_dir=tmp_path),
        RenewedLease(time.monotonic() + 60),
    )


def last_word(children: Children, assignment: Assignment) -> tuple[int, object]:
    child = children.take(assignment)
    assert child.process.pid is not None
    pid, told = child.process.pid, child.pipe.recv()
    child.end()
    return pid, told


def test_a_prepared_child_does_the_next_job_of_its_kind(
    children: Children, assignment: Assignment
) -> None:
    children.prepare(HANDLERS["refuse"])
    children.prepare(HANDLERS["refuse"])  # there is one already
    assert children._spare is not None
    prepared = children._spare.process.pid
    pid, told = last_word(children, assignment)
    assert pid == prepared
    assert isinstance(told, Failure)
    other, told = last_word(children, assignment)
    assert other != prepared
    assert isinstance(told, Failure)


def test_a_job_of_another_kind_leaves_it_waiting(
    children: Children, assignment: Assignment
) -> None:
    children.prepare(HANDLERS["succeed"])
    assert children._spare is not None
    prepared = children._spare.process
    pid, told = last_word(children, assignment)
    assert pid != prepared.pid
    assert isinstance(told, Failure)
    assert prepared.is_alive()


def test_a_prepared_child_that_has_died_is_replaced(
    children: Children, assignment: Assignment
) -> None:
    children.prepare(HANDLERS["refuse"])
    assert children._spare is not None
    children._spare.process.kill()
    children._spare.process.join()
    _, told = last_word(children, assignment)
    assert isinstance(told, Failure)


def test_a_child_that_nobody_needs_is_let_go(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    children.prepare(HANDLERS["succeed"])
    assert children._spare is not None
    pid = children._spare.process.pid
    assert pid is not None
    children.rest()
    os.kill(pid, 0)
    monkeypatch.setattr(children_module, "SPARE_S", -1.0)
    children.rest()
    eventually(lambda: is_gone(pid), "the child is gone")
