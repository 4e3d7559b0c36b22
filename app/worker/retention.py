"""The retention handler: what is old and what nobody names is removed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.orm import Session

from app.db.engine import transaction
from app.db.types import utc_now
from app.domain.datasets import remove_files
from app.domain.orphans import list_places, orphans, owns_files, read_names
from app.domain.prediction_log import remove_logged
from app.domain.prediction_sets import remove_withdrawn
from app.domain.retention import (
    remove_batches,
    remove_histories,
    remove_retention_jobs,
    retire_versions,
    withdraw_sets,
)
from app.worker.job_run import JobRun
from model.errors import Stopped


def clean(run: JobRun) -> None:
    """Remove old rows, then orphaned files; in any order and any number of times it is the same.

    Raises:
        Stopped: the job was cancelled; what is removed is removed.
    """
    settings = run.settings
    ended_before = utc_now() - timedelta(days=settings.job_log_days)
    logged_before = utc_now() - timedelta(days=settings.prediction_set_days)
    _withdraw_predictions(run)
    removed = {
        "events": _repeat(run, lambda session: remove_histories(session, ended_before)),
        "jobs": _repeat(run, lambda session: remove_retention_jobs(session, ended_before)),
        "batches": _repeat(run, lambda session: remove_batches(session, ended_before)),
        "predictions": _repeat(run, remove_withdrawn),
        "logged": _repeat(run, lambda session: remove_logged(session, logged_before)),
    }
    run.report("files", 0.5)
    removed["files"] = _remove_orphans(run)
    run.log("old rows and orphaned files are removed", removed=removed)
    with run.storing() as session:
        run.finish(session, {"removed": removed})


def _withdraw_predictions(run: JobRun) -> None:
    settings = run.settings
    published_before = utc_now() - timedelta(days=settings.prediction_set_days)
    with transaction(run.session_factory) as session:
        if settings.stored_versions is not None:
            retire_versions(session, settings.stored_versions)
        withdraw_sets(session, published_before)


def _remove_orphans(run: JobRun) -> int:
    data_dir = run.settings.data_dir
    with transaction(run.session_factory) as session:
        is_ours = owns_files(session, data_dir)
    if not is_ours:
        run.log(
            "the data directory belongs to another database, so no file of it is removed",
            level="warning",
            data_dir=str(data_dir),
        )
        return 0
    unchanged_since = time.time() - run.settings.orphan_grace_s
    found = list_places(data_dir)
    with transaction(run.session_factory, write=False) as session:
        names = read_names(session)
    removed = 0
    for path in orphans(data_dir, found, names, unchanged_since):
        _stop_if_told(run)
        run.log("removing an orphan", path=str(path.relative_to(data_dir)))
        remove_files([path], data_dir)
        removed += not path.exists()
    return removed


def _repeat(run: JobRun, remove: Callable[[Session], int]) -> int:
    """Remove piece by piece, each in a transaction of its own, until there is no more."""
    total = 0
    while True:
        _stop_if_told(run)
        with transaction(run.session_factory) as session:
            removed = remove(session)
        if removed == 0:
            return total
        total += removed


def _stop_if_told(run: JobRun) -> None:
    if run.should_stop():
        raise Stopped("stopped while removing what is old")
