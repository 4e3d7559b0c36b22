"""The event log of a simulated shop, and the states along its way."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from model.simulation.days import DAY_US
from model.simulation.process import DayEvents, step
from model.simulation.returns import ReturnDesk
from model.simulation.state import State
from model.simulation.world import Stream, World, generator

CHECKPOINT_DAYS = 60


@dataclass(frozen=True)
class EventColumns:
    """The log as plain columns, ordered by time: 27 bytes an event. Users and items are codes."""

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    event_type: npt.NDArray[np.int8]
    time_us: npt.NDArray[np.int64]
    """Microseconds from the start of the log."""
    units: npt.NDArray[np.int16]
    price: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, repr=False)
class Chronicle:
    """What happened in a world: its log, and the true state at any midnight of it."""

    world: World
    seed: int
    columns: EventColumns
    checkpoints: dict[int, State]

    @property
    def last_state(self) -> State:
        """The state at the end of the log."""
        return self.checkpoints[self.world.days.log_days]

    def state_before(self, day: int) -> State:
        """The true state at the start of a day, replayed from the checkpoint before it.

        Raises:
            ValueError: the log does not cover the day.
        """
        log_days = self.world.days.log_days
        if not 0 <= day <= log_days:
            raise ValueError(f"the log covers day 0 to {log_days}, not day {day}")
        known = max(checkpoint for checkpoint in self.checkpoints if checkpoint <= day)
        state = self.checkpoints[known].copy()
        for past_day in range(known, day):
            step(self.world, state, past_day, generator(self.seed, Stream.PROCESS, past_day))
        return state


def chronicle(world: World, seed: int) -> Chronicle:
    """Play all days of the log."""
    state = State.initial(world.people.size)
    desk = ReturnDesk(world)
    checkpoints: dict[int, State] = {}
    days: list[EventColumns] = []
    for day in range(world.days.log_days):
        if day % CHECKPOINT_DAYS == 0:
            checkpoints[day] = state.copy()
        events = step(world, state, day, generator(seed, Stream.PROCESS, day)).events
        returned = desk.due(state, day)
        desk.plan(events, day, generator(seed, Stream.RETURNS, day))
        days.append(_columns(state, [events, *returned], day))
    checkpoints[world.days.log_days] = state
    return Chronicle(world, seed, _joined(days), checkpoints)


def _columns(state: State, parts: list[DayEvents], day: int) -> EventColumns:
    """The events of one day, ordered by time."""
    time_us = np.concatenate([part.time_us for part in parts])
    order = np.argsort(time_us, kind="stable")

    def ordered(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])[order]

    return EventColumns(
        user=state.user_R[ordered("row")],
        item=ordered("item").astype(np.int32),
        event_type=ordered("event_type").astype(np.int8),
        time_us=time_us[order] + day * DAY_US,
        units=ordered("units").astype(np.int16),
        price=ordered("price"),
    )


def _joined(days: list[EventColumns]) -> EventColumns:
    return EventColumns(
        **{
            field.name: np.concatenate([getattr(day, field.name) for day in days])
            for field in fields(EventColumns)
        }
    )
