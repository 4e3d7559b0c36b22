"""Which rows are asked for, and what was read of them: all that the network is fed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.snapshots.inputs import Inputs
from model.snapshots.sequences import Sequences
from model.tasks import EntityKind

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Entities of one kind, and when.

    Attributes:
        kind: what they are.
        users: (R,) codes, -1 for rows of items.
        items: (R,) codes, -1 for rows of users.
        cutoffs_us: (R,) microseconds since 1970.
    """

    kind: EntityKind
    users: Longs
    items: Longs
    cutoffs_us: Longs

    @classmethod
    def of(cls, kind: EntityKind, users: Longs | None, items: Longs | None, at_us: int) -> Rows:
        """Users, items or pairs, all at one cutoff."""
        given = users if users is not None else items
        assert given is not None
        nobody = np.full(len(given), -1, dtype=np.int64)
        return cls(
            kind=kind,
            users=nobody if users is None else users,
            items=nobody if items is None else items,
            cutoffs_us=np.full(len(given), at_us, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.cutoffs_us)

    def take(self, rows: Longs | slice) -> Rows:
        """Some of them."""
        return Rows(self.kind, self.users[rows], self.items[rows], self.cutoffs_us[rows])

    def once(self, side: Literal["user", "item"]) -> tuple[Rows, Longs]:
        """The users or the items of pairs, each once at each cutoff; and which is each row's."""
        codes = self.users if side == "user" else self.items
        moments_us, moment = np.unique(self.cutoffs_us, return_inverse=True)
        packed, row = np.unique((moment << 32) | codes, return_inverse=True)
        nobody = np.full(len(packed), -1, dtype=np.int64)
        own, at_us = packed & 0xFFFFFFFF, moments_us[packed >> 32]
        if side == "user":
            return Rows("user", own, nobody, at_us), row
        return Rows("item", nobody, own, at_us), row


@dataclass(frozen=True)
class ReadRows:
    """What was read of R rows.

    Attributes:
        inputs: features, categories and codes.
        sequences: the last events.
        is_cold: (R,) of whom nothing is known but the existence.
    """

    inputs: Inputs
    sequences: Sequences
    is_cold: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Longs | slice) -> ReadRows:
        """Some of the rows."""
        return ReadRows(self.inputs.take(rows), self.sequences.take(rows), self.is_cold[rows])

    @property
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What the network is fed with, by name."""
        return network_arrays(self.inputs, self.sequences)


def network_arrays(inputs: Inputs, sequences: Sequences) -> dict[str, NDArray[np.generic]]:
    """What the network is fed with, by name."""
    return {
        "numbers": inputs.numbers,
        "categories": inputs.categories,
        "item": inputs.item_codes,
        "items": sequences.items,
        "types": sequences.types,
        "gaps": sequences.gaps,
        "amounts": sequences.amounts,
    }
