"""Engine and sessions for SQLite (WAL) and PostgreSQL.

SQLite connections take the write lock when a transaction begins to write (`BEGIN IMMEDIATE` for
sessions of `write_session`), wait for each other for a while instead of failing, and check foreign
keys, as PostgreSQL does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

BUSY_TIMEOUT_MS = 30_000

DATABASE_AWAY = (OperationalError, InterfaceError)
"""What is raised when the database does not answer, or SQLite is kept busy for longer than that."""

TRANSACTION_LOST = (*DATABASE_AWAY, InternalError)
"""The same for who sets `idle_transaction_s`, and may be woken after PostgreSQL has acted on it."""


def make_engine(database_url: str, *, idle_transaction_s: float | None = None) -> Engine:
    """An engine for this URL; for SQLite the folder is made and every connection set up.

    Args:
        database_url: SQLAlchemy's.
        idle_transaction_s: PostgreSQL ends a transaction whose process is silent for so long, so
            that one that was stopped in the middle of it holds no lock for ever. SQLite cannot.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        options = (
            ""
            if idle_transaction_s is None
            else f"-c idle_in_transaction_session_timeout={math.ceil(idle_transaction_s * 1000)}"
        )
        return create_engine(url, pool_pre_ping=True, connect_args={"options": options})
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own, lazy BEGIN is switched off: `_begin_sqlite` says when and how.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


def make_session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(factory: sessionmaker[Session], *, write: bool = True) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back by an exception.

    On SQLite a writing transaction takes the write lock at once, so that it waits its turn instead
    of failing when a read lock is to become a write lock. All queries of a reading one see the
    database as the first one did: on SQLite that is always so.
    """
    with factory() as session:
        if write:
            session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        elif session.get_bind().dialect.name != "sqlite":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session
        session.commit()
