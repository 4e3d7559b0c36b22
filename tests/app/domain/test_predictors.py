from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.predictors import LoadOnce


def test_threads_that_ask_at_once_load_once() -> None:
    cache: LoadOnce[object] = LoadOnce(2)
    everybody = threading.Barrier(8)
    loads: list[int] = []

    def load() -> object:
        loads.append(1)
        return object()

    def ask(_: int) -> object:
        everybody.wait()
        return cache.get("key", load)

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(ask, range(8)))
    assert len(loads) == 1
    assert len(set(map(id, values))) == 1


def test_a_failure_is_told_and_not_kept() -> None:
    cache: LoadOnce[str] = LoadOnce(2)

    def fail() -> str:
        raise OSError("gone")

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            cache.get("key", fail)
    assert cache.get("key", lambda: "here again") == "here again"


def test_who_waits_is_told_of_the_failure() -> None:
    cache: LoadOnce[str] = LoadOnce(2)
    loading, waiting = threading.Event(), threading.Event()

    def fail() -> str:
        loading.set()
        waiting.wait()
        raise OSError("gone")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail)
        loading.wait()
        second = pool.submit(cache.get, "key", lambda: "loaded after the failure")
        waiting.set()
        assert isinstance(first.exception(), OSError)
        # The second came during the load, or so late that the failure was forgotten.
        assert isinstance(second.exception(), OSError) or second.result().startswith("loaded")


def test_the_least_recently_used_goes_first() -> None:
    cache: LoadOnce[str] = LoadOnce(2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: f"{key}1")  # type: ignore[misc]
    assert cache.get("a", lambda: "loaded again") == "a1"
    assert cache.get("b", lambda: "loaded again") == "loaded again"
