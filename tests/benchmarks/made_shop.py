"""A small raw log with what is hard in real ones: ties, and events exactly at the cutoffs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.snapshot_task import DAY_US

START_US = 19_000 * DAY_US
DAYS = 400
USERS, ITEMS = 40, 15


def write_raw_log(path: Path, events: int = 4000, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    midnights = rng.integers(0, DAYS, events) * DAY_US
    between = rng.integers(0, DAYS * DAY_US, events)
    time_us = START_US + np.where(rng.random(events) < 0.2, midnights, between)
    # Squared, so that some users and items have few events.
    user = (rng.random(events) ** 2 * USERS).astype(np.int32)
    item = (rng.random(events) ** 2 * ITEMS).astype(np.int32)
    order = np.lexsort((item, user, time_us))
    time_us, user, item = time_us[order], user[order], item[order]
    quantity = rng.integers(1, 5, events).astype(np.float64)
    table = pa.table(
        {
            "user": pa.array(user),
            "item": pa.array(item),
            "time": pa.array(time_us).cast(pa.timestamp("us", tz="UTC")),
            "event_type": pa.array(rng.integers(0, 4, events).astype(np.int8)),
            "quantity": pa.array(quantity, mask=rng.random(events) < 0.5),
            "price": pa.array(np.round(rng.gamma(2, 5, events), 2)),
        }
    )
    pq.write_table(table, path)
