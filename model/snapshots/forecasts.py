"""What is forecast of some tasks from a few features, and added to the network's output."""

from __future__ import annotations

from model.snapshots.personal_frequency import PersonalFrequency
from model.snapshots.seasonal_naive import SeasonalNaive

Forecast = SeasonalNaive | PersonalFrequency
