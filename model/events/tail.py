"""New events beside a log that is not made anew for them.

The log stays as it is, mapped into memory or not. The new events, its tail, may be of anybody and
of any time, also before the log's last event. What is asked of one entity is put together when it
is asked; it is what an index of all events would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import InvalidEvents
from model.events.batches import recoded
from model.events.entities import Entities
from model.events.index import SLOT_COLUMNS, Codes, EntityEvents
from model.events.log import EventLog
from model.events.ordering import ties_broken


class LogWithTail:
    """A log and some events that came later.

    Codes of the log stay; ids and event types that only the tail has get the codes after them. A
    row of the tail is counted on from the log's rows.

    Args:
        base: the log.
        events: the tail, as for `EventLog.from_frames`; of one moment, its events come after the
            log's.

    Raises:
        InvalidEvents: the events are not what is asked for, or only one of the two has times.
    """

    def __init__(self, base: EventLog, events: pd.DataFrame) -> None:
        tail = EventLog.from_frames(events, time_zone=base.time_zone)
        if tail.has_time != base.has_time:
            raise InvalidEvents("either the log or its tail has no times: give them both or none")
        self.base = base
        self.event_types = _extended(base.event_types, tail.event_types)
        self._users = _Codes(base.users, tail.users)
        self._items = _Codes(base.items, tail.items)
        types = np.array([self.event_types.index(name) for name in tail.event_types], np.int16)
        columns = tail.slot_columns | {"event_type": types[tail.event_type]}
        users, items = recoded(tail.user, self._users.to), recoded(tail.item, self._items.to)
        self._by_user = EntityEvents.build(tail.user, len(tail.users), items, columns)
        self._by_item = EntityEvents.build(tail.item, len(tail.items), users, columns)
        self._pairs = tail.pair_events
        self._by_pair = EntityEvents.build(
            self._pairs.codes(tail.user, tail.item), len(self._pairs.pairs), items, columns
        )

    def code(self, kind: Literal["user", "item"], entity_id: str) -> int:
        """The code of a user or item, -1 for one that neither log nor tail knows."""
        return (self._users if kind == "user" else self._items).code(entity_id)

    def events_of(self, kind: Literal["user", "item"], code: int) -> EntityEvents:
        """The events of one user or item, as an index whose entity 0 it is."""
        of_user = kind == "user"
        base = self.base.user_events if of_user else self.base.item_events
        tail, codes = (self._by_user, self._users) if of_user else (self._by_item, self._items)
        others = self._items if of_user else self._users
        return self._joined(base, code, tail, codes.own(code), others)

    def tail_of(
        self, kind: Literal["user", "item"], codes: Codes
    ) -> tuple[EntityEvents, NDArray[np.int64]]:
        """The tail's own events of all users or items, and the entities there of these codes.

        An entity is -1 where the tail has none.
        """
        events, known = (
            (self._by_user, self._users) if kind == "user" else (self._by_item, self._items)
        )
        return events, np.array([known.own(code) for code in codes.tolist()], dtype=np.int64)

    def events_of_pair(self, user: int, item: int) -> EntityEvents:
        """The events of one pair, by the codes of its user and item."""
        base = self.base.pair_events
        in_base = int(base.codes(np.array([user]), np.array([item]))[0])
        own = np.array([self._users.own(user)]), np.array([self._items.own(item)])
        in_tail = int(self._pairs.codes(*own)[0])
        return self._joined(base.events, in_base, self._by_pair, in_tail, self._items)

    def _joined(
        self, base: EntityEvents, code: int, tail: EntityEvents, own: int, others: _Codes
    ) -> EntityEvents:
        old, new = _slots(base, code), _slots(tail, own)
        count = old.stop - old.start + new.stop - new.start
        if new.stop == new.start:
            columns = {name: getattr(base, name)[old] for name in SLOT_COLUMNS}
        else:
            columns = {
                name: np.concatenate([getattr(base, name)[old], getattr(tail, name)[new]])
                for name in SLOT_COLUMNS
            }
            columns["rows"][old.stop - old.start :] += len(self.base)
            if self.base.has_time and (np.diff(columns["time_us"]) <= 0).any():
                order = self._order(columns, others)
                columns = {name: column[order] for name, column in columns.items()}
        return EntityEvents(offsets=np.array([0, count], dtype=np.int64), **columns)

    def _order(self, columns: Mapping[str, NDArray[Any]], others: _Codes) -> NDArray[np.intp]:
        """By time, and at one moment as a log would be ordered; codes are not in order here."""
        types = np.array(self.event_types)[columns["event_type"]]
        decisive = [
            others.ranks(columns["counterpart"]),
            np.unique(types, return_inverse=True)[1],
            *(columns[name] for name in ("units", "price_cents", "value_cents")),
        ]
        by_time = np.argsort(columns["time_us"], kind="stable")
        return ties_broken(by_time, columns["time_us"], decisive)


class _Codes:
    """Codes of a log's entities, with those that only its tail has behind them."""

    def __init__(self, base: Entities, tail: Entities) -> None:
        self._base = base
        known = base.codes(tail.ids)
        is_new = known < 0
        self.to: Codes = np.where(is_new, len(base) + np.cumsum(is_new) - 1, known)
        self._own: dict[int, int] = {int(code): own for own, code in enumerate(self.to)}
        self._new: dict[str, int] = dict(
            zip(map(str, tail.ids[is_new]), map(int, self.to[is_new]), strict=True)
        )

    def own(self, code: int) -> int:
        """The tail's own code, -1 for one that it does not have."""
        return self._own.get(code, -1)

    def ranks(self, codes: Codes) -> Codes:
        """Numbers in the order of ids, -1 for nobody."""
        names = {own: name for name, own in self._new.items()}
        ids = [names.get(code) or str(self._base.ids[code]) for code in codes.tolist() if code >= 0]
        ranks = np.full(len(codes), -1)
        ranks[codes >= 0] = np.unique(np.array(ids, dtype=object), return_inverse=True)[1]
        return ranks

    def code(self, entity_id: str) -> int:
        if entity_id in self._new:
            return self._new[entity_id]
        return int(self._base.codes([entity_id])[0])


def _slots(index: EntityEvents, code: int) -> slice:
    if not 0 <= code < len(index):
        return slice(0, 0)
    return slice(int(index.offsets[code]), int(index.offsets[code + 1]))


def _extended(base: tuple[str, ...], tail: tuple[str, ...]) -> tuple[str, ...]:
    return base + tuple(name for name in tail if name not in base)
