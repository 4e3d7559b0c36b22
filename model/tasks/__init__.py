"""Tasks: what is predicted, for whom, how far ahead."""

from model.tasks.checks import check_tasks
from model.tasks.conditions import asked_attribute
from model.tasks.expansion import Expansion, expand
from model.tasks.profile import AttributeProfile, ColumnKind, LogProfile, profile_of
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
from model.tasks.windows import Choice, Window

__all__ = [
    "CYCLE_DAYS",
    "PERIODS",
    "AttributeProfile",
    "Choice",
    "Column",
    "ColumnKind",
    "Condition",
    "Count",
    "Eligibility",
    "EntityKind",
    "Expansion",
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
    "Window",
    "asked_attribute",
    "check_tasks",
    "conversion_type",
    "expand",
    "profile_of",
    "suggest",
]
