"""How far the dataset of now lies from the rows that a version has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.evaluation import stability_index
from model.events import EventLog, to_microseconds
from model.prediction import Predictor
from model.snapshots import Rows, declared_features, watermark_us
from model.snapshots.feature_groups import CALENDAR, numeric_groups

MAX_ROWS = 10_000
"""So many of the active entities are looked at."""


@dataclass(frozen=True)
class Drift:
    """Of users or of items.

    Attributes:
        rows: how many were looked at.
        features: the population stability index by feature, the largest first.
    """

    rows: int
    features: dict[str, float]


def drift_of(predictor: Predictor, log: EventLog) -> dict[Literal["user", "item"], Drift]:
    """The active users and items of now beside those of training; calendars are left out.

    Empty where the version kept no summaries of what it has learned from.
    """
    found: dict[Literal["user", "item"], Drift] = {}
    sides: tuple[Literal["user", "item"], ...] = ("user", "item")
    for side in sides:
        if side in predictor.artifact.description.feature_summaries:
            found[side] = _of_side(predictor, log, side)
    return found


def _of_side(predictor: Predictor, log: EventLog, side: Literal["user", "item"]) -> Drift:
    description = predictor.artifact.description
    now_us = max(watermark_us(log), to_microseconds(predictor.cutoff_at))
    codes = predictor.reader(log).active(side, now_us, description.config.lookback_days)
    codes = codes[:: -(-len(codes) // MAX_ROWS) or 1]
    if not len(codes):
        return Drift(0, {})
    users, items = (codes, None) if side == "user" else (None, codes)
    inputs = predictor.reader(log).read(Rows.of(side, users, items, now_us)).inputs
    (plan,) = description.plan.for_entity(side)
    groups = numeric_groups(description.plan, side)
    numbers = {
        feature.name: inputs.numbers[:, at]
        for at, (feature, group) in enumerate(
            zip(declared_features(description.plan, side), groups, strict=True)
        )
        if group != CALENDAR
    }
    categories = {name: inputs.categories[:, at] for at, name in enumerate(plan.categories)}
    summaries = description.feature_summaries[side]
    indices = {
        name: stability_index(summaries[name], np.asarray(values))
        for name, values in {**numbers, **categories}.items()
    }
    return Drift(len(codes), dict(sorted(indices.items(), key=lambda entry: -entry[1])))
