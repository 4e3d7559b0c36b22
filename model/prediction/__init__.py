"""Predictions from a trained model; nothing here imports torch."""

from model.prediction.candidates import popular_items
from model.prediction.outcomes import Outcome
from model.prediction.predictor import Predictions, Predictor, Scores, chunks, whole_second
from model.prediction.scorer import Scorer

__all__ = [
    "Outcome",
    "Predictions",
    "Predictor",
    "Scorer",
    "Scores",
    "chunks",
    "popular_items",
    "whole_second",
]
