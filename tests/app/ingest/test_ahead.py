from collections.abc import Iterator
from contextlib import closing
from threading import Event, active_count

import pytest

from app.ingest.ahead import made_ahead


def test_everything_comes_in_order() -> None:
    assert list(made_ahead(lambda: iter(range(100)))) == list(range(100))
    assert list(made_ahead(lambda: iter(()))) == []


def test_an_error_is_raised_after_what_came_before_it() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = made_ahead(make)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_it_is_only_a_little_ahead() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with closing(made_ahead(make, most=2)) as items:
        assert next(items) == 0
        assert len(made) <= 5


def test_who_stops_early_leaves_no_thread() -> None:
    closed = Event()

    def make() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    before = active_count()
    with closing(made_ahead(make)) as items:
        assert next(items) == 1
    assert active_count() == before
    assert closed.wait(5)
