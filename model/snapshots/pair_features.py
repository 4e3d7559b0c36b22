"""What a user and an item have had with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.snapshots.aggregates import Feature, recency_days, total
from model.snapshots.features import FeaturePlan
from model.snapshots.history import Floats, History, Rows

PAIR_WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, None)


def declared_pair_features(plan: FeaturePlan) -> tuple[Feature, ...]:
    """The columns of `pair_aggregate`, in order."""
    columns: list[Feature] = []
    for event_type in plan.event_types:
        for days in PAIR_WINDOWS_DAYS:
            window = "all" if days is None else f"{days}d"
            columns.append(
                Feature(
                    f"pair_{event_type}_events_{window}",
                    "log(1 + events)",
                    f"{event_type} of this user with this item in the window before the cutoff",
                )
            )
        columns.append(
            Feature(
                f"pair_{event_type}_recency",
                "log(1 + days)",
                f"time since this user's last {event_type} of this item, ten years for never",
            )
        )
    return tuple(columns)


def pair_aggregate(
    history: History, plan: FeaturePlan, codes: NDArray[np.int64], cutoff_us: int
) -> NDArray[np.float32]:
    """The pair's own features.

    Args:
        history: by pair.
        plan: names the event types.
        codes: (R,) the pair's code, -1 for a pair without any event.
        cutoff_us: no event after it is seen.
    """
    met = np.flatnonzero(codes >= 0)
    rows = Rows(codes[met], cutoff_us)
    columns: list[Floats] = []
    for event_type in plan.event_types:
        columns.extend(
            np.log1p(total(history, rows, "events", event_type, days)) for days in PAIR_WINDOWS_DAYS
        )
        columns.append(np.log1p(recency_days(history, rows, event_type)))
    features = np.tile(_never(plan), (len(codes), 1))
    features[met] = np.stack(columns, axis=1)
    return features


def _never(plan: FeaturePlan) -> NDArray[np.float32]:
    one_type = [0.0] * len(PAIR_WINDOWS_DAYS) + [np.log1p(3650.0)]
    return np.array(one_type * len(plan.event_types), dtype=np.float32)
