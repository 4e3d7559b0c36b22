"""What the database does for a process that falls silent."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import make_engine, transaction
from app.db.tables import Dataset
from tests.app.databases import administrate, url_of


def test_what_is_read_is_of_one_moment(session_factory: sessionmaker[Session]) -> None:
    """Parts and tail of a log, read one after the other, hold each event once."""
    query = select(Dataset.name)
    with transaction(session_factory) as session:
        session.add(Dataset(name="before", time_zone="UTC", mapping={}))
    with transaction(session_factory, write=False) as reading:
        assert reading.scalars(query).all() == ["before"]
        with transaction(session_factory) as writing:
            writing.add(Dataset(name="meanwhile", time_zone="UTC", mapping={}))
        assert reading.scalars(query).all() == ["before"]
    with transaction(session_factory, write=False) as later:
        assert sorted(later.scalars(query)) == ["before", "meanwhile"]


def test_a_silent_transaction_loses_its_locks(postgresql_server: str) -> None:
    name = f"ssmtl_silence_{uuid4().hex[:8]}"
    administrate(postgresql_server, f"CREATE DATABASE {name}")
    url = url_of(postgresql_server, name)
    silent, other = make_engine(url, idle_transaction_s=0.3), make_engine(url)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE lock AS SELECT 1 AS id"))
    with silent.connect() as connection:
        connection.execute(text("SELECT id FROM lock FOR UPDATE"))
        # The other waits for the lock, and gets it although this one still holds its transaction.
        with other.begin() as waiting:
            assert waiting.scalar(text("SELECT id FROM lock FOR UPDATE")) == 1
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            connection.execute(text("SELECT 1"))
    silent.dispose()
    other.dispose()
    administrate(postgresql_server, f"DROP DATABASE {name}")
