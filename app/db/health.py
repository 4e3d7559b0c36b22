"""Can the database be used?"""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.db.migrate import is_current


def check_database(engine: Engine) -> dict[str, str | None]:
    """For `database` and `migrations`: what is wrong, or None."""
    try:
        current = is_current(engine)
    except SQLAlchemyError as error:
        reason = f"the database does not answer: {type(error).__name__}"
        return {"database": reason, "migrations": "unknown without the database"}
    behind = None if current else "the schema is not the newest: run `ssmtl migrate`"
    return {"database": None, "migrations": behind}
