"""The network's inputs for some rows, in the log's memory until a batch asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Inputs:
    """Rows of one entity kind; all arrays have one entry per row.

    Attributes:
        users: (R,) the log's codes, -1 where the entity is an item.
        items: (R,) the log's codes, -1 where the entity is a user.
        cutoffs_us: (R,) microseconds since 1970.
        ends: (R,) the first slot of the user's history after the cutoff; 0 for items.
        numbers: (R, features) NaN where undefined.
        categories: (R, categorical attributes) codes, 0 for unknown.
        item_codes: (R,) the model's codes of the items, 0 for unknown or none.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    cutoffs_us: NDArray[np.int64]
    ends: NDArray[np.int64]
    numbers: NDArray[np.float32]
    categories: NDArray[np.int64]
    item_codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cutoffs_us)

    def take(self, rows: NDArray[np.integer] | slice) -> Inputs:
        """Some of the rows."""
        return Inputs(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def concatenate(parts: Sequence[Inputs]) -> Inputs:
        """The rows of all parts, in order."""
        return Inputs(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(Inputs)
            }
        )
