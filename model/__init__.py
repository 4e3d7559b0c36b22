"""SSMTL: one self-supervised multi-task model for all of a shop's predictions.

Importing this package imports no torch; fitting does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.config import Config, Progress
from model.tasks import Count, Occurs, PeakPeriod, Sum, Task

if TYPE_CHECKING:
    from model.estimator import SSMTL

__all__ = ["SSMTL", "Config", "Count", "Occurs", "PeakPeriod", "Progress", "Sum", "Task"]


def __getattr__(name: str) -> Any:
    if name == "SSMTL":
        from model.estimator import SSMTL

        return SSMTL
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
