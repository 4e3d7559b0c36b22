"""Metrics and the report of a trained model."""

from model.evaluation.drift import FeatureSummary, stability_index
from model.evaluation.live import LiveScore, Outturn
from model.evaluation.report import (
    ColdReport,
    Edge,
    JointReport,
    ReliabilityBin,
    Report,
    Score,
    TaskGraph,
    TaskReport,
    Trial,
)

__all__ = [
    "ColdReport",
    "Edge",
    "FeatureSummary",
    "JointReport",
    "LiveScore",
    "Outturn",
    "ReliabilityBin",
    "Report",
    "Score",
    "TaskGraph",
    "TaskReport",
    "Trial",
    "stability_index",
]
