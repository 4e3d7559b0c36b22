"""The event log and its indices by user, item and pair."""

from model.events.calendar import PERIOD_LABELS, exposure_hours, period_codes
from model.events.entities import Entities
from model.events.frames import EventColumn
from model.events.index import EntityEvents, PairEvents
from model.events.log import (
    MICROSECONDS_PER_DAY,
    EventLog,
    to_datetime,
    to_microseconds,
)

__all__ = [
    "MICROSECONDS_PER_DAY",
    "PERIOD_LABELS",
    "Entities",
    "EntityEvents",
    "EventColumn",
    "EventLog",
    "PairEvents",
    "exposure_hours",
    "period_codes",
    "to_datetime",
    "to_microseconds",
]
