from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from app.db.migrate import is_current, upgrade
from app.db.tables import Base


def test_migrations_make_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []
    assert is_current(engine)


def test_upgrading_twice_changes_nothing(database_url: str, engine: Engine) -> None:
    upgrade(database_url)
    assert is_current(engine)
