"""The clock that leases are measured by: the database's, which all workers share."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.types import UtcDateTime, utc_now


def database_now(session: Session) -> datetime:
    """Now, by the database's clock.

    A SQLite database has no clock but that of the machine that it lies on.
    """
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    return session.execute(select(func.clock_timestamp(type_=UtcDateTime()))).scalar_one()
