"""Predictions from a trained model; nothing here imports torch."""

from model.prediction.outcomes import Outcome
from model.prediction.predictor import Predictions, Predictor

__all__ = ["Outcome", "Predictions", "Predictor"]
