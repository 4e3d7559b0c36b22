"""Fresh databases for tests; the servers and templates are fixtures of `conftest.py`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text


@contextmanager
def migrated_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """URL of a fresh, migrated database of the kind that the fixture's parameter names."""
    if request.param == "sqlite":
        path = folder / "ssmtl.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgresql_server")
    template = request.getfixturevalue("postgresql_template")
    name = f"ssmtl_{uuid4().hex}"
    administrate(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url_of(server, name)
    administrate(server, f"DROP DATABASE {name} WITH (FORCE)")


def administrate(server_url: str, *statements: str) -> None:
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def url_of(server_url: str, database: str) -> str:
    return make_url(server_url).set(database=database).render_as_string(hide_password=False)
