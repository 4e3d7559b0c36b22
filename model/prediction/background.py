"""Some training rows that stand for the average entity, and rows between them and another one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.snapshots import Inputs, ReadRows, Sequences, SnapshotPlan
from model.snapshots.feature_groups import ITEM, SEQUENCE, category_groups, numeric_groups
from model.tasks import EntityKind

Arrays = Mapping[str, NDArray[np.generic]]


class Background:
    """The background rows of one entity kind.

    Attributes:
        groups: of the inputs, each once.

    Args:
        plan: what the inputs are.
        kind: of the rows.
        arrays: what the network is fed with for them.
    """

    def __init__(self, plan: SnapshotPlan, kind: EntityKind, arrays: Arrays) -> None:
        self._arrays = arrays
        of_number = numeric_groups(plan, kind)
        of_category = category_groups(plan, kind)
        others = [*([ITEM] if kind != "user" else []), *([SEQUENCE] if kind != "item" else [])]
        self.groups = tuple(dict.fromkeys([*of_number, *of_category, *others]))
        place = {group: number for number, group in enumerate(self.groups)}
        self._of_number = np.array([place[group] for group in of_number], dtype=np.int64)
        self._of_category = np.array([place[group] for group in of_category], dtype=np.int64)
        self._place = place

    def __len__(self) -> int:
        return len(self._arrays["numbers"])

    def mixed(
        self, read: ReadRows, rows: NDArray[np.int64], taken_NG: NDArray[np.bool_]
    ) -> ReadRows:
        """N rows, some groups of each from one entity and the others from the background.

        Args:
            read: one row.
            rows: (N,) which background row each begins as.
            taken_NG: which groups it has from `read`.
        """
        theirs = read.arrays
        nothing = np.zeros((len(rows), 0), dtype=bool)
        chosen = {
            "numbers": taken_NG[:, self._of_number] if len(self._of_number) else nothing,
            "categories": taken_NG[:, self._of_category] if len(self._of_category) else nothing,
        }
        mixed = {}
        for name, background in self._arrays.items():
            if name not in chosen:
                group = ITEM if name == "item" else SEQUENCE
                is_taken = taken_NG[:, self._place[group]] if group in self._place else None
                taken = np.ones(len(rows), dtype=bool) if is_taken is None else is_taken
                chosen[name] = taken.reshape(-1, *(1 for _ in background.shape[1:]))
            mixed[name] = np.where(chosen[name], theirs[name], background[rows])
        return _read_rows(read, mixed)


def _read_rows(like: ReadRows, arrays: Arrays) -> ReadRows:
    """Rows of the same kind, at the same cutoff."""
    rows = len(arrays["numbers"])

    def same(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.repeat(values[:1], rows)

    inputs = Inputs(
        users=same(like.inputs.users),
        items=same(like.inputs.items),
        cutoffs_us=same(like.inputs.cutoffs_us),
        ends=same(like.inputs.ends),
        numbers=np.asarray(arrays["numbers"], dtype=np.float32),
        categories=np.asarray(arrays["categories"], dtype=np.int64),
        item_codes=np.asarray(arrays["item"], dtype=np.int64),
    )
    sequences = Sequences(
        items=np.asarray(arrays["items"], dtype=np.int64),
        types=np.asarray(arrays["types"], dtype=np.int64),
        gaps=np.asarray(arrays["gaps"], dtype=np.float32),
        amounts=np.asarray(arrays["amounts"], dtype=np.float32),
    )
    return ReadRows(inputs, sequences, np.zeros(rows, dtype=bool))
