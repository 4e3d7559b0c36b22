from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import id_search
from model.events.id_search import IdSearch, places_among

texts = st.text(max_size=4)


@given(st.sets(texts, max_size=30), st.lists(texts, max_size=20), st.booleans())
def test_an_id_is_found_where_it_stands(
    known: set[str], asked: list[str], use_compiler: bool
) -> None:
    ids = sorted(known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_search, "COMPILED", use_compiler)
        search = IdSearch(pa.array(ids, pa.large_string()))
        found = search.codes([*ids, *asked])
        alone = [int(search.codes([one])[0]) for one in [*ids, *asked]]
    expected = [*range(len(ids)), *(ids.index(one) if one in known else -1 for one in asked)]
    assert found.tolist() == alone == expected


@pytest.mark.parametrize("use_compiler", [True, False])
def test_half_a_character_is_nobody(monkeypatch: pytest.MonkeyPatch, use_compiler: bool) -> None:
    monkeypatch.setattr(id_search, "COMPILED", use_compiler)
    search = IdSearch(pa.array(["?", "a"], pa.large_string()))
    assert search.codes(["a", "\ud800"]).tolist() == [1, -1]
    assert search.codes(["\ud83d", "\ude00"]).tolist() == [-1, -1]


@given(st.lists(st.none() | texts, max_size=30), st.sets(texts, max_size=5), st.integers(0, 3))
def test_texts_are_found_among_those_that_are_known(
    values: list[str | None], known: set[str], skipped: int
) -> None:
    in_any_order = list(known)
    found = places_among(pa.array(values, pa.large_string())[skipped:], in_any_order)
    expected = [in_any_order.index(v) if v in known else -1 for v in values[skipped:]]
    assert found.tolist() == expected
