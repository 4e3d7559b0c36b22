from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import id_search
from model.events.id_search import IdSearch

texts = st.text(max_size=4)


@given(st.sets(texts, max_size=30), st.lists(texts, max_size=20), st.booleans())
def test_an_id_is_found_where_it_stands(
    known: set[str], asked: list[str], use_compiler: bool
) -> None:
    ids = sorted(known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_search, "COMPILED", use_compiler)
        search = IdSearch(pd.Index(np.array(ids, dtype=object), dtype="str"))
        found = search.codes([*ids, *asked])
        alone = [int(search.codes([one])[0]) for one in [*ids, *asked]]
    expected = [*range(len(ids)), *(ids.index(one) if one in known else -1 for one in asked)]
    assert found.tolist() == alone == expected


@pytest.mark.parametrize("use_compiler", [True, False])
def test_half_a_character_is_nobody(monkeypatch: pytest.MonkeyPatch, use_compiler: bool) -> None:
    monkeypatch.setattr(id_search, "COMPILED", use_compiler)
    assert IdSearch(pd.Index(["?", "a"], dtype="str")).codes(["a", "\ud800"]).tolist() == [1, -1]
