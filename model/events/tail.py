"""New events beside a log that is not made anew for them.

The log stays as it is, mapped into memory or not. The new events, its tail, may be of anybody and
of any time, also before the log's last event. What is asked of some entities is put together when
it is asked; it is what an index of all events would say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.errors import InvalidEvents
from model.events.batches import recoded
from model.events.entities import Entities
from model.events.index import EntityEvents, packed_pairs
from model.events.log import EventLog
from model.events.tail_codes import TailCodes
from model.events.tail_rows import TailRows
from model.events.together import Joined, joined

Side = Literal["user", "item"]
Longs = NDArray[np.int64]


class LogWithTail:
    """A log and some events that came later.

    Codes of the log stay; ids and event types that only the tail has get the codes after them. A
    row of the tail is counted on from the log's rows, in the order in which they came.

    Args:
        base: the log.
        events: the tail, as for `EventLog.from_frames`; of one moment, its events come after the
            log's. None: nothing yet.

    Raises:
        InvalidEvents: the events are not what is asked for, or only one of the two has times.
    """

    def __init__(self, base: EventLog, events: pd.DataFrame | None = None) -> None:
        self.base = base
        self.event_types = base.event_types
        self.last_us = base.last_us
        self._length = 0
        self._rows = TailRows()
        self._codes: dict[Side, TailCodes] = {
            "user": TailCodes(base.users),
            "item": TailCodes(base.items),
        }
        if events is not None:
            self._add(events)

    def __len__(self) -> int:
        """How many events the tail has."""
        return self._length

    def with_events(self, events: pd.DataFrame) -> LogWithTail:
        """The same with more events; what it costs does not grow with the tail.

        This one stays as it is. The two share what they know, so that only the newest one of them
        can be added to, by one thread at a time; all of them can be read meanwhile.

        Raises:
            InvalidEvents: see the class.
        """
        if self._length != len(self._rows):
            raise ValueError("events were added to this log before: add to what came of that")
        longer = object.__new__(LogWithTail)
        vars(longer).update(vars(self))
        longer._add(events)
        return longer

    def _add(self, events: pd.DataFrame) -> None:
        base = self.base
        new = EventLog.from_frames(events, time_zone=base.time_zone)
        if new.has_time != base.has_time:
            raise InvalidEvents("either the log or its tail has no times: give them both or none")
        if not len(new):
            return
        self.event_types = _extended(self.event_types, new.event_types)
        types = np.array([self.event_types.index(name) for name in new.event_types], np.int16)
        user = recoded(new.user, self._codes["user"].added(new.users))
        item = recoded(new.item, self._codes["item"].added(new.items))
        columns = new.slot_columns | {"event_type": types[new.event_type]}
        self._rows.append(user, item, columns)
        self._length = len(self._rows)
        self.last_us = max(self.last_us, new.last_us)

    def codes(self, side: Side, ids: Sequence[str]) -> Longs:
        """(R,) the codes of users or items, -1 for those whom neither log nor tail knows."""
        return self._codes[side].find(ids)

    def code(self, side: Side, entity_id: str) -> int:
        """The code of a user or item, -1 for one that neither log nor tail knows."""
        return int(self.codes(side, [entity_id])[0])

    def id_of(self, side: Side, code: int) -> str:
        """The id that this code stands for."""
        return self._codes[side].id_of(code)

    def entities(self, side: Side) -> Entities:
        """Those of the log."""
        return self.base.users if side == "user" else self.base.items

    def has_tail_of(self, side: Side, code: int) -> bool:
        """Whether the tail has events of this one."""
        return self._rows.has(side, code)

    def has_tail(self, side: Side, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whom of these, in any shape, the tail has events of."""
        return self._rows.have(side, codes)

    def pairs_with_tail(self, users: Longs, items: Longs) -> NDArray[np.bool_]:
        """(R,) which pairs the tail has events of."""
        return self._rows.have_pairs(packed_pairs(users, items))

    def events_of_many(self, side: Side, codes: Longs) -> EntityEvents:
        """The events of some users or items, as an index whose entity r is the r-th of them."""
        base = self.base.user_events if side == "user" else self.base.item_events
        rows = self._rows.of(side, codes, self._length)
        return joined(self._joined(base, codes, "item" if side == "user" else "user"), rows)

    def tail_of_many(self, side: Side, codes: Longs) -> EntityEvents:
        """The same of the tail's events alone."""
        nobody = np.full(len(codes), -1)
        base = self.base.user_events if side == "user" else self.base.item_events
        rows = self._rows.of(side, codes, self._length)
        return joined(self._joined(base, nobody, "item" if side == "user" else "user"), rows)

    def events_of_pairs(self, users: Longs, items: Longs) -> EntityEvents:
        """The events of some pairs, as an index whose entity r is the r-th of them."""
        base = self.base.pair_events
        rows = self._rows.of_pairs(packed_pairs(users, items), self._length)
        return joined(self._joined(base.events, base.codes(users, items), "item"), rows)

    def events_of(self, side: Side, code: int) -> EntityEvents:
        """The events of one user or item, as an index whose entity 0 it is."""
        return self.events_of_many(side, np.array([code]))

    def events_of_pair(self, user: int, item: int) -> EntityEvents:
        """The events of one pair, by the codes of its user and item."""
        return self.events_of_pairs(np.array([user]), np.array([item]))

    def _joined(self, base: EntityEvents, codes: Longs, counterpart: Side) -> Joined:
        return Joined(
            base=base,
            codes=codes,
            base_rows=len(self.base),
            tail=self._rows,
            counterpart=counterpart,
            names=self._codes[counterpart],
            event_types=self.event_types,
            by_time=self.base.has_time,
        )


def _extended(base: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return base + tuple(name for name in more if name not in base)
