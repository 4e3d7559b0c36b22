from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

import migrations
from app.db.migrate import is_current, newest_revision, upgrade
from app.db.tables import Base


def test_migrations_make_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []
    assert is_current(engine)


def test_upgrading_twice_changes_nothing(database_url: str, engine: Engine) -> None:
    upgrade(database_url)
    assert is_current(engine)


def test_the_newest_revision_is_alembics_head() -> None:
    folder = next(iter(migrations.__path__))
    assert ScriptDirectory(folder).get_heads() == [newest_revision()]


def test_a_database_without_tables_is_not_current(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert not is_current(engine)
    engine.dispose()
