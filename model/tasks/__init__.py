"""Tasks: what is predicted, for whom, how far ahead."""

from model.tasks.checks import check_tasks
from model.tasks.profile import ColumnKind, LogProfile, profile_of
from model.tasks.suggestions import Suggestion, conversion_type, suggest
from model.tasks.task import (
    CYCLE_DAYS,
    PERIODS,
    Column,
    Condition,
    Count,
    Eligibility,
    EntityKind,
    Next,
    Occurs,
    PeakPeriod,
    PeriodName,
    Sum,
    Target,
    Task,
    TaskDeclaration,
    TimeTo,
)

__all__ = [
    "CYCLE_DAYS",
    "PERIODS",
    "Column",
    "ColumnKind",
    "Condition",
    "Count",
    "Eligibility",
    "EntityKind",
    "LogProfile",
    "Next",
    "Occurs",
    "PeakPeriod",
    "PeriodName",
    "Suggestion",
    "Sum",
    "Target",
    "Task",
    "TaskDeclaration",
    "TimeTo",
    "check_tasks",
    "conversion_type",
    "profile_of",
    "suggest",
]
