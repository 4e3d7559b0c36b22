"""A small query that is asked many times a second.

It goes to the driver as text that was made once: session, statement and result would cost ten times
what the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Engine, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker


def ask(sessions: sessionmaker[Session], query: Select[*tuple[Any, ...]]) -> Sequence[Any]:
    """The rows, of a connection of its own.

    Args:
        sessions: whose database is asked.
        query: without parameters but numbers; the same object each time.

    Raises:
        DBAPIError: what the driver raises, as SQLAlchemy would say it.
    """
    engine: Engine = sessions.kw["bind"]
    text = _text(query, engine.dialect)
    try:
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(text)
            rows: Sequence[Any] = cursor.fetchall()
            return rows
    except engine.dialect.loaded_dbapi.Error as error:
        base = engine.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, (), error, base, dialect=engine.dialect) from error


@lru_cache(maxsize=64)
def _text(query: Select[*tuple[Any, ...]], dialect: Dialect) -> str:
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
