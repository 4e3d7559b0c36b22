"""Tasks: what is predicted, for whom, how far ahead."""

from model.tasks.task import (
    CYCLE_DAYS,
    PERIODS,
    Count,
    EntityKind,
    Occurs,
    PeakPeriod,
    PeriodName,
    Sum,
    Target,
    Task,
    TaskDeclaration,
)

__all__ = [
    "CYCLE_DAYS",
    "PERIODS",
    "Count",
    "EntityKind",
    "Occurs",
    "PeakPeriod",
    "PeriodName",
    "Sum",
    "Target",
    "Task",
    "TaskDeclaration",
]
