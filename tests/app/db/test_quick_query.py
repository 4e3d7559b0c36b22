"""A query that goes past the session, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import column, select, table
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.quick_query import ask
from app.db.tables import Dataset


def test_it_sees_what_others_have_committed(session_factory: sessionmaker[Session]) -> None:
    query = select(Dataset.id, Dataset.name).where(Dataset.id.in_((1, 2)))
    assert list(ask(session_factory, query)) == []
    for number, name in enumerate(("first", "second"), 1):
        with transaction(session_factory) as session:
            session.add(Dataset(id=number, name=name, time_zone="UTC", mapping={}))
        assert len(ask(session_factory, query)) == number
    assert dict(ask(session_factory, query)) == {1: "first", 2: "second"}


def test_it_holds_no_connection(session_factory: sessionmaker[Session]) -> None:
    ask(session_factory, select(Dataset.id))
    assert session_factory.kw["bind"].pool.checkedout() == 0


def test_an_error_is_told_as_sqlalchemy_would(session_factory: sessionmaker[Session]) -> None:
    nowhere = select(column("id")).select_from(table("nowhere"))
    with pytest.raises((OperationalError, ProgrammingError), match="nowhere"):
        ask(session_factory, nowhere)
    assert list(ask(session_factory, select(Dataset.id))) == []
