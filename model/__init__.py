"""SSMTL: one self-supervised multi-task model for all of a shop's predictions.

Importing this package imports no torch; fitting does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime's packages report their use to their maker over the internet, from the import on. A
# shop's predictions are nobody else's business; who wants the reports sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from model.config import Config, Progress
from model.tasks import (
    Column,
    Condition,
    Count,
    Eligibility,
    Next,
    Occurs,
    PeakPeriod,
    Sum,
    Task,
    TimeTo,
)

if TYPE_CHECKING:
    from model.estimator import SSMTL

__all__ = [
    "SSMTL",
    "Column",
    "Condition",
    "Config",
    "Count",
    "Eligibility",
    "Next",
    "Occurs",
    "PeakPeriod",
    "Progress",
    "Sum",
    "Task",
    "TimeTo",
]


def __getattr__(name: str) -> Any:
    if name == "SSMTL":
        from model.estimator import SSMTL

        return SSMTL
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
