"""Make the next things while the last ones are worked on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from queue import Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")


def made_ahead(make: Callable[[], Iterator[Item]], most: int = 1) -> Generator[Item, None, None]:
    """What `make()` yields, made by a thread of its own that is at most so many ahead.

    Its errors are raised here; when this iterator is closed, the thread ends and its iterator is
    closed too.
    """
    made: Queue[Item | _End] = Queue(most)
    unwanted = Event()
    thread = Thread(target=_make, args=(make, made, unwanted), daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()
        while thread.is_alive():
            _empty(made)
            thread.join(0.05)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _make(make: Callable[[], Iterator[Item]], made: Queue[Item | _End], unwanted: Event) -> None:
    end = _End(None)
    try:
        for item in make():
            if unwanted.is_set():
                return
            made.put(item)
    except BaseException as error:  # noqa: BLE001 (it is raised where the items are used)
        end = _End(error)
    made.put(end)


def _empty(made: Queue[Item | _End]) -> None:
    while not made.empty():
        made.get_nowait()
