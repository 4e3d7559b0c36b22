"""Bring a database to the newest schema, and say whether it is there.

Alembic is imported when there is something to migrate; a process that finds the newest schema
starts without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

import migrations
from app.db.engine import make_engine

if TYPE_CHECKING:
    from alembic.config import Config

# Two processes that start at once migrate one after the other.
_ADVISORY_LOCK = 7_305_229_121
_VERSION_TABLE = "alembic_version"


def upgrade(database_url: str) -> None:
    """Apply every missing migration, in one transaction."""
    engine = make_engine(database_url)
    try:
        if not is_current(engine):
            _upgrade(engine)
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the newest schema."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSION_TABLE):
            return False
        query = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608 (our own constant)
        return list(connection.scalars(query)) == [newest_revision()]


def newest_revision() -> str:
    """The revision that the last migration makes: the number that its file's name begins with."""
    return max(path.name.partition("_")[0] for path in (_folder() / "versions").glob("[0-9]*.py"))


def _upgrade(engine: Engine) -> None:
    from alembic import command

    with engine.connect() as plain:
        connection = plain.execution_options(sqlite_begin="IMMEDIATE")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
                )
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _folder() -> Path:
    return Path(next(iter(migrations.__path__)))


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
