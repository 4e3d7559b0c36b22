"""What a model says about many entities, piece by piece, in the parameters of its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import UnknownEntity
from model.events import Entities, EventLog
from model.prediction import Predictor
from model.tasks import EntityKind

Codes = NDArray[np.int64]

PIECE_ENTITIES = 8192
"""How many users or items are scored before the run looks whether it should stop."""
PIECE_USERS_OF_PAIRS = 512
BEST_ITEMS = 10
"""How many items are kept per user and pair task; any other pair is computed when asked for."""


@dataclass(frozen=True)
class Scope:
    """Whom to answer for.

    Attributes:
        users: ids; None for every user that the log knows. Pair tasks are answered for candidate
            pairs of these users, or of the active ones.
        items: ids; None for every item that the log knows.
        active_within_days: only who had an event in so many days before the cutoff.
    """

    users: Sequence[str] | None = None
    items: Sequence[str] | None = None
    active_within_days: float | None = None


@dataclass(frozen=True)
class Piece:
    """Some entities of a kind, by their codes; of pairs the users, whose candidates are found."""

    entity: EntityKind
    codes: Codes


@dataclass(frozen=True)
class ScoredPiece:
    """What the model says of a piece.

    Attributes:
        codes: (R,) of users or items; of the users of pairs.
        items: (R,) codes of the items of pairs, else empty.
        cold_start: (R,)
        parameters: (R, P) by task.
        kept: (R,) of pair tasks, which rows are among a user's best ones.
    """

    codes: Codes
    items: Codes
    cold_start: NDArray[np.bool_]
    parameters: dict[str, NDArray[np.float32]]
    kept: dict[str, NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answering:
    """All that is to be answered.

    Attributes:
        predictor: answers.
        log: events and entities.
        tasks: names.
        cutoff_at: when.
    """

    predictor: Predictor
    log: EventLog
    tasks: tuple[str, ...]
    cutoff_at: datetime

    def pieces(self, scope: Scope) -> list[Piece]:
        """Everybody of the scope once; the same for the same log.

        Raises:
            UnknownEntity: an id of the scope is unknown.
        """
        found: list[Piece] = []
        tables: dict[Literal["user", "item"], tuple[Entities, Sequence[str] | None]] = {
            "user": (self.log.users, scope.users),
            "item": (self.log.items, scope.items),
        }
        for kind, (table, ids) in tables.items():
            if self._names(kind):
                codes = self._codes(kind, table, ids, scope.active_within_days)
                found += _cut(kind, codes, PIECE_ENTITIES)
        if self._names("pair"):
            users = (
                self.predictor.active(self.log, "user", self.cutoff_at, scope.active_within_days)
                if scope.users is None
                else _codes_of(self.log.users, scope.users, "user")
            )
            found += _cut("pair", users, PIECE_USERS_OF_PAIRS)
        return found

    def score(self, piece: Piece) -> ScoredPiece:
        """What the model says of a piece."""
        names = self._names(piece.entity)
        users, items = self._rows(piece)
        scores = self.predictor.score(self.log, piece.entity, users, items, self.cutoff_at)
        scorer = self.predictor.scorer(piece.entity)
        parameters = {name: scores.parameters[:, scorer.layout.columns_of(name)] for name in names}
        if users is None or items is None:
            no_items = np.zeros(0, dtype=np.int64)
            return ScoredPiece(piece.codes, no_items, scores.is_cold, parameters)
        kept = {
            name: best_of_each_user(
                users, scorer.distribution(name, scores.parameters).point, BEST_ITEMS
            )
            for name in names
        }
        some = np.any(list(kept.values()), axis=0)
        return ScoredPiece(
            users[some],
            items[some],
            scores.is_cold[some],
            {name: values[some] for name, values in parameters.items()},
            {name: rows[some] for name, rows in kept.items()},
        )

    def _rows(self, piece: Piece) -> tuple[Codes | None, Codes | None]:
        """The users and the items of a piece."""
        match piece.entity:
            case "user":
                return piece.codes, None
            case "item":
                return None, piece.codes
            case "pair":
                return self.predictor.candidates_of(self.log, piece.codes, self.cutoff_at)

    def _names(self, entity: EntityKind) -> list[str]:
        return [name for name in self.tasks if self.predictor.tasks[name].entity == entity]

    def _codes(
        self,
        kind: Literal["user", "item"],
        table: Entities,
        ids: Sequence[str] | None,
        days: float | None,
    ) -> Codes:
        if ids is not None:
            return _codes_of(table, ids, kind)
        if days is not None:
            return self.predictor.active(self.log, kind, self.cutoff_at, days)
        return np.arange(len(table), dtype=np.int64)


def best_of_each_user(users: Codes, points: NDArray[np.float64], limit: int) -> NDArray[np.bool_]:
    """(R,) the pairs with the largest points, at most `limit` per user.

    Pairs of a user lie together; of equal points the earlier pair is kept.
    """
    is_first = np.append(True, users[1:] != users[:-1])[: len(users)]
    user = np.cumsum(is_first)
    order = np.lexsort((-points, user))
    starts = np.flatnonzero(is_first)
    rank = np.arange(len(order)) - starts[user[order] - 1]
    kept = np.zeros(len(users), dtype=bool)
    kept[order[rank < limit]] = True
    return kept


def _cut(kind: EntityKind, codes: Codes, size: int) -> Iterator[Piece]:
    for start in range(0, len(codes), size):
        yield Piece(kind, codes[start : start + size])


def _codes_of(table: Entities, ids: Sequence[str], noun: str) -> Codes:
    distinct = list(dict.fromkeys(ids))
    codes = table.find(distinct)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise UnknownEntity(
            f"unknown {noun} {distinct[int(unknown[0])]!r}{more}: it is in no event and in no table"
        )
    return np.sort(codes)
