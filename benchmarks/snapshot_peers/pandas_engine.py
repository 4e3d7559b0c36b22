"""The snapshot benchmark in pandas: totals per age of the events, then windows as sums of ages.

The log is in the order of time, so that ages are contiguous and the known events a prefix. Groups
are categorical codes, which pandas takes as they are, without hashing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import snapshot_task as task
from benchmarks.snapshot_task import DAY_US, EVENT_TYPES, Part

_AGE_DAYS = (7, 14, 21, 28, 30, 35, 90, 365)
"""The edges of all windows and lags."""
_AGES = len(_AGE_DAYS) + 1
_TYPES = len(EVENT_TYPES)
_PURCHASE = EVENT_TYPES.index("purchase")
Floats = npt.NDArray[np.float64]


def snapshots(path: Path, cutoffs: int) -> Iterator[Part]:
    """All parts of the task."""
    log = _read(path)
    moments = task.cutoffs_us(int(log["time"].iloc[-1]), cutoffs)
    for entity in task.ENTITIES:
        events = _with_links(log, entity)
        for cutoff_us in moments:
            yield _part(events, entity, cutoff_us)


def _read(path: Path) -> pd.DataFrame:
    log = pd.read_parquet(path)
    value = log["quantity"] * log["price"]
    return pd.DataFrame(
        {
            "user": log["user"],
            "item": log["item"],
            "time": log["time"].astype("int64"),
            "type": log["event_type"],
            "units": log["quantity"].fillna(1),
            "value": (value * 100).round().fillna(0) / 100,
            "price": (log["price"] * 100).round() / 100,
        }
    )


def _with_links(log: pd.DataFrame, entity: str) -> pd.DataFrame:
    """With what does not depend on the cutoff: the next meeting, the next event of the same day."""
    other = task.COUNTERPART_OF[entity]
    day = log["time"] // DAY_US
    day -= day.iloc[0]
    meeting = log[entity].astype("int64") * (log[other].max() + 1) + log[other]
    visit = log[entity].astype("int64") * (day.max() + 1) + day
    time = log["time"]
    return log.assign(
        entity=log[entity],
        next_meeting=time.groupby(meeting, sort=False).shift(-1, fill_value=np.iinfo("int64").max),
        next_of_day=time.groupby(visit, sort=False).shift(-1, fill_value=np.iinfo("int64").max),
        nth=time.groupby(log[entity], sort=False).cumcount(),
    )


def _grouped(codes: pd.Series | npt.NDArray[np.integer], size: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.RangeIndex(size))


def _part(events: pd.DataFrame, entity: str, cutoff_us: int) -> Part:
    time = events["time"].to_numpy()
    entities = int(events["entity"].max()) + 1
    known = events.iloc[: np.searchsorted(time, cutoff_us, side="right")]
    opens = cutoff_us - np.array(_AGE_DAYS[::-1]) * DAY_US
    borders = np.searchsorted(known["time"].to_numpy(), opens, side="right")
    age = np.repeat(np.arange(_AGES)[::-1], np.diff(np.concatenate([[0], borders, [len(known)]])))
    columns = _totals(known, age, entities)
    columns |= _moments(known, age, entities, cutoff_us)
    columns |= _distinct(known, age, entities, cutoff_us, task.COUNTERPART_OF[entity])
    columns |= _labels(events, entity, entities, cutoff_us)
    seen = np.bincount(known["entity"], minlength=entities)
    active = np.flatnonzero(seen)
    sequences, lengths = _sequences(known, seen, cutoff_us) if entity == "user" else ({}, None)
    return Part(
        entity,
        cutoff_us,
        active,
        {name: values[active].astype(np.float32) for name, values in columns.items()},
        sequences,
        None if lengths is None else lengths[active],
    )


def _within(days: int | None) -> int:
    """How many ages lie in a window."""
    return _AGES if days is None else _AGE_DAYS.index(days) + 1


def _totals(known: pd.DataFrame, age: npt.NDArray[np.int64], entities: int) -> dict[str, Floats]:
    key = (known["entity"].astype("int64") * _TYPES + known["type"]) * _AGES + age
    groups = known[["units", "value", "price"]].groupby(
        _grouped(key, entities * _TYPES * _AGES), observed=False
    )
    sums = groups.sum()
    sums["events"] = groups.size()
    sums["priced"] = groups["price"].count()
    shape = (entities, _TYPES, _AGES)
    running = {
        name: sums[name].to_numpy(dtype=np.float64).reshape(shape).cumsum(axis=2) for name in sums
    }
    columns: dict[str, Floats] = {}
    for code, name in enumerate(EVENT_TYPES):
        for days in task.WINDOWS_DAYS:
            window, last = task.window_name(days), _within(days) - 1
            columns[f"{name}_events_{window}"] = np.log1p(running["events"][:, code, last])
            if days != 7:
                columns[f"{name}_value_{window}"] = np.log1p(running["value"][:, code, last])
                columns[f"{name}_units_{window}"] = np.log1p(running["units"][:, code, last])
        for week in task.LAG_WEEKS:
            until, after = _within(7 * week) - 1, _within(7 * (week - 1)) - 1
            columns[f"{name}_events_week_{week}"] = np.log1p(
                running["events"][:, code, until] - running["events"][:, code, after]
            )
    for days in task.WINDOWS_DAYS[2:]:
        last = _within(days) - 1
        with np.errstate(invalid="ignore"):
            mean = running["price"][:, :, last].sum(1) / running["priced"][:, :, last].sum(1)
        columns[f"price_mean_{task.window_name(days)}"] = np.log1p(mean)
    return columns


def _moments(
    known: pd.DataFrame, age: npt.NDArray[np.int64], entities: int, cutoff_us: int
) -> dict[str, Floats]:
    key = known["entity"].astype("int64") * _TYPES + known["type"]
    last = known["time"].groupby(_grouped(key, entities * _TYPES), observed=False)
    since = ((cutoff_us - last.max()) / DAY_US).fillna(task.NEVER_DAYS).to_numpy()
    since = since.reshape(entities, _TYPES)
    whole = _grouped(known["entity"], entities)
    first = known["time"].groupby(whole, observed=False).min()
    tenure = ((cutoff_us - first) / DAY_US).to_numpy()
    recency = since.min(axis=1)
    visits = _per_age(known, age, entities, known["next_of_day"] > cutoff_us)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.maximum(tenure - recency, 0) / (visits[:, -1] - 1)
    gap = np.where(visits[:, -1] > 1, gap, np.nan)
    return {
        "recency": np.log1p(recency),
        "tenure": np.log1p(tenure),
        "gap_mean": np.log1p(gap),
        "recency_over_gap": np.log1p(recency) - np.log1p(gap),
        **{f"{name}_recency": np.log1p(since[:, code]) for code, name in enumerate(EVENT_TYPES)},
        **{
            f"visits_{task.window_name(days)}": np.log1p(visits[:, _within(days) - 1])
            for days in task.WINDOWS_DAYS
        },
    }


def _distinct(
    known: pd.DataFrame, age: npt.NDArray[np.int64], entities: int, cutoff_us: int, other: str
) -> dict[str, Floats]:
    met = _per_age(known, age, entities, known["next_meeting"] > cutoff_us)
    return {
        f"distinct_{other}s_{task.window_name(days)}": np.log1p(met[:, _within(days) - 1])
        for days in task.WINDOWS_DAYS[1:]
    }


def _per_age(
    known: pd.DataFrame, age: npt.NDArray[np.int64], entities: int, chosen: pd.Series
) -> Floats:
    """(entities, ages) how many of the chosen events are no older than each age."""
    key = known.loc[chosen, "entity"].astype("int64") * _AGES + age[chosen]
    counts = key.groupby(_grouped(key, entities * _AGES), observed=False).size()
    return counts.to_numpy(dtype=np.float64).reshape(entities, _AGES).cumsum(axis=1)


def _labels(events: pd.DataFrame, entity: str, entities: int, cutoff_us: int) -> dict[str, Floats]:
    time = events["time"].to_numpy()
    borders = cutoff_us + np.array([0, 7, 30]) * DAY_US
    after, week, month = np.searchsorted(time, borders, side="right")

    def bought(until: int) -> pd.DataFrame:
        ahead = events.iloc[after:until]
        ahead = ahead[ahead["type"] == _PURCHASE]
        groups = ahead[["units", "value"]].groupby(
            _grouped(ahead["entity"], entities), observed=False
        )
        return groups.sum().assign(events=groups.size())

    in_week, in_month = bought(week), bought(month)
    if entity == "item":
        return {
            "sold_7d": (in_week["events"] > 0).to_numpy(dtype=np.float64),
            "units_30d": in_month["units"].to_numpy(),
        }
    return {
        "buys_7d": (in_week["events"] > 0).to_numpy(dtype=np.float64),
        "buys_30d": (in_month["events"] > 0).to_numpy(dtype=np.float64),
        "orders_30d": in_month["events"].to_numpy(dtype=np.float64),
        "spend_30d": in_month["value"].to_numpy(),
    }


def _sequences(
    known: pd.DataFrame, seen: npt.NDArray[np.int64], cutoff_us: int
) -> tuple[dict[str, npt.NDArray[np.generic]], npt.NDArray[np.int64]]:
    recent = known[seen[known["entity"]] - known["nth"] <= task.SEQUENCE_LENGTH]
    recent = recent.sort_values("entity", kind="stable")
    gaps = np.log1p((cutoff_us - recent["time"]) / DAY_US)
    return {
        "items": recent["item"].to_numpy(),
        "types": recent["type"].to_numpy(),
        "gaps": gaps.to_numpy(dtype=np.float32),
        "amounts": np.log1p(recent["value"]).to_numpy(dtype=np.float32),
    }, np.minimum(seen, task.SEQUENCE_LENGTH)
