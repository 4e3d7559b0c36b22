from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.events.interleaving import Keyed, interleaved

sequences = st.lists(st.lists(st.integers(0, 5), max_size=12).map(sorted), min_size=1, max_size=4)


@given(sequences, st.integers(1, 5))
def test_all_come_by_key_then_sequence_then_place(sequences: list[list[int]], window: int) -> None:
    keyed = [
        Keyed(len(keys), lambda start, stop, keys=keys: np.array(keys[start:stop], dtype=np.int64))
        for keys in sequences
    ]
    found = []
    for stretch in interleaved(keyed, window):
        entries = [
            (sequences[number][place], number, place)
            for number, (start, stop) in enumerate(stretch.ranges)
            for place in range(start, stop)
        ]
        assert stretch.keys.tolist() == [key for key, _, _ in entries]
        assert len(stretch) == len(entries) <= window * len(sequences)
        found += [entries[place] for place in stretch.order]
    expected = sorted(
        (key, number, place)
        for number, keys in enumerate(sequences)
        for place, key in enumerate(keys)
    )
    assert found == expected
