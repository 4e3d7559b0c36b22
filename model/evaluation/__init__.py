"""Metrics and the report of a trained model."""

from model.evaluation.report import (
    Edge,
    JointReport,
    ReliabilityBin,
    Report,
    Score,
    TaskGraph,
    TaskReport,
)

__all__ = [
    "Edge",
    "JointReport",
    "ReliabilityBin",
    "Report",
    "Score",
    "TaskGraph",
    "TaskReport",
]
