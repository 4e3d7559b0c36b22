"""Moments as they go over the wire."""

from __future__ import annotations

from datetime import datetime

from model.events import to_datetime


def cutoff_shown(cutoff_at: datetime) -> datetime | None:
    """Null in a log without times: nothing is before or after anything there."""
    return None if cutoff_at == to_datetime(0) else cutoff_at
