"""Predictions from a trained model; nothing here imports torch."""

from model.prediction.outcomes import Outcome
from model.prediction.predictor import Predictions, Predictor, chunks, whole_second
from model.prediction.scorer import Scorer

__all__ = ["Outcome", "Predictions", "Predictor", "Scorer", "chunks", "whole_second"]
