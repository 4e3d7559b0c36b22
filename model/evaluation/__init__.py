"""Metrics and the report of a trained model."""

from model.evaluation.report import (
    ColdReport,
    Edge,
    JointReport,
    ReliabilityBin,
    Report,
    Score,
    TaskGraph,
    TaskReport,
)

__all__ = [
    "ColdReport",
    "Edge",
    "JointReport",
    "ReliabilityBin",
    "Report",
    "Score",
    "TaskGraph",
    "TaskReport",
]
