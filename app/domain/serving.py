"""The datasets that this process serves, kept fresh beside the database.

A request asks `find`, which looks at memory alone. What is not there is brought by `prepare`, in a
thread. While there are requests, a thread looks for changes every `LOOK_S` seconds, by one small
query on the counters of the served datasets; who comes after a pause waits for one such look. So a
change that this process makes is seen by its next request (`look` is called before the change is
answered), and one of another process a few hundredths of a second later. Models and logs are loaded
beside what answers: a new one takes over when it is ready, and one that cannot be read does not.
When the database is away, what is in memory goes on answering.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import DATABASE_AWAY, transaction
from app.db.tables import Dataset
from app.domain.aliases import find_version
from app.domain.datasets import get_dataset
from app.domain.model_versions import get_version
from app.domain.predictions import choose_tasks
from app.domain.predictors import LogSource, ModelCache, ModelSource, source_of
from app.domain.served import ServedDataset, ServedModel
from app.domain.served_facts import Facts, count_changes, facts_of
from app.domain.watching import Watcher
from app.errors import Conflict, ServiceError, Unavailable
from model.events import EventLog
from model.events.tail import LogWithTail

logger = logging.getLogger(__name__)


class Serving:
    """Serves datasets by name. All methods but `find` may take long, and are for threads.

    Args:
        sessions: the database.
        data_dir: where the files are.
        models: loads models and logs.
        capacity: how many models are kept ready; the least recently used goes first.
    """

    def __init__(
        self, sessions: sessionmaker[Session], data_dir: Path, models: ModelCache, capacity: int
    ) -> None:
        self._sessions = sessions
        self._data_dir = data_dir
        self._models = models
        self._capacity = capacity
        self._served: dict[str, ServedDataset] = {}
        self._changing = threading.RLock()
        self._looking = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._pending: dict[tuple[int, int], Future[None]] = {}
        self._loader = ThreadPoolExecutor(1, "loader")
        self._watcher = Watcher(self.look)

    def find(self, name: str) -> ServedDataset | None:
        """The dataset of this name, if it is served and was looked at lately."""
        return self._served.get(name) if self._watcher.use() else None

    def prepare(self, name: str, version: str, tasks: Sequence[str] = ()) -> ServedDataset:
        """The same, ready to answer by a version.

        Args:
            name: of the dataset.
            version: a number or an alias.
            tasks: what is to be predicted.

        Raises:
            NotFound: there is no such dataset, version or alias, or the version knows no such task.
            NotTrained: the dataset has no trained model at all.
            Unavailable: the files of model or log are missing or damaged.
        """
        self._watcher.wake()
        with self._opening_of(name):
            served = self._served.get(name)
            if served is not None and served.model(version) is not None:
                return served
            with transaction(self._sessions, write=False) as session:
                dataset = get_dataset(session, name)
                chosen = find_version(session, dataset, version, tasks)
                choose_tasks(session, dataset, chosen, tasks)
                source = source_of(session, dataset, chosen, self._data_dir)
            if served is None or served.dataset_id != source.dataset_id:
                self._open(source.dataset_id)
            self._make_ready(source)
            self.look()
        # Deleted meanwhile: then this says so.
        return self._served.get(name) or self.prepare(name, version, tasks)

    def refuse_tasks(self, name: str, number: int, tasks: Sequence[str]) -> None:
        """Say why a version does not answer tasks that it does not know.

        Raises:
            NotFound: see `choose_tasks`.
        """
        with transaction(self._sessions, write=False) as session:
            dataset = get_dataset(session, name)
            choose_tasks(session, dataset, get_version(session, dataset, number), tasks)

    def check(self, name: str, number: int) -> ModelSource:
        """Load a version, so that it is ready when an alias is moved to it; then call `moved`.

        Raises:
            NotFound: there is no such dataset or version.
            Conflict: its files are missing or damaged.
        """
        with transaction(self._sessions, write=False) as session:
            dataset = get_dataset(session, name)
            version = get_version(session, dataset, number)
            source = source_of(session, dataset, version, self._data_dir)
        try:
            self._make_ready(source)
        except Unavailable as error:
            raise Conflict(
                f"the alias stays where it is: {error.detail}", code=error.code
            ) from error
        return source

    def moved(self, source: ModelSource) -> None:
        """An alias points to this version now, and the next request is answered by it."""
        with self._opening_of(source.dataset_name):  # whoever opens it did not know of the move
            self._make_ready(source)
            self.look()

    def settled(self, name: str) -> ServedDataset | None:
        """The dataset once all that was imported by now is in its log."""
        self.look()
        with self._changing:
            served = self._served.get(name)
            own = None if served is None else served.dataset_id
            pending = [future for (key, _), future in self._pending.items() if key == own]
        for future in pending:
            future.result()
        return self._served.get(name)

    def look(self) -> None:
        """Look for changes in the database, once."""
        with self._looking:
            served = {state.dataset_id: state for state in self._served.values()}
            if served:
                try:
                    self._look_at(served)
                except DATABASE_AWAY as error:
                    logger.warning("no look for changes, going on with what is known: %s", error)

    def close(self) -> None:
        """End the threads."""
        self._loader.shutdown(wait=False, cancel_futures=True)
        self._watcher.close()

    def _look_at(self, served: dict[int, ServedDataset]) -> None:
        found = count_changes(self._sessions, served)
        changed = [state for key, state in served.items() if found.get(key) != state.changes]
        if not changed:
            return
        with transaction(self._sessions, write=False) as session:
            facts = {
                state.dataset_id: facts_of(
                    session, state.dataset_id, self._data_dir, state.revision, state.sequence
                )
                for state in changed
            }
        for state in changed:
            known = facts[state.dataset_id]
            if known is None:
                self._forget(state)
            else:
                self._learn(known)

    def _learn(self, facts: Facts) -> None:
        """Take over what has changed; what takes long is begun."""
        source = facts.source

        def changed(state: ServedDataset) -> ServedDataset:
            told = replace(state, changes=facts.changes)
            return told.pointed(facts.aliases).with_tail(facts.tail)

        state = self._change(source, changed)
        if state is None:
            return
        if state.revision != source.dataset_revision:
            self._begin(source.dataset_id, -1, partial(self._open_again, source.dataset_id))
        for number in set(facts.aliases.values()) - set(state.models):
            if self._points_elsewhere(state, facts.aliases, number):
                self._begin(
                    source.dataset_id, number, partial(self._load, source.dataset_id, number)
                )

    @staticmethod
    def _points_elsewhere(state: ServedDataset, wanted: dict[str, int], number: int) -> bool:
        """Whether a version answers in the place of this one, until this one is ready."""
        return any(
            state.aliases[alias] != number for alias, target in wanted.items() if target == number
        )

    def _load(self, dataset_id: int, number: int) -> None:
        """Make a version ready; aliases that wait for it then point to it."""
        with transaction(self._sessions, write=False) as session:
            dataset = session.get(Dataset, dataset_id)
            if dataset is None:
                return
            version = get_version(session, dataset, number)
            source = source_of(session, dataset, version, self._data_dir)
        self._make_ready(source)
        with self._looking:  # an alias may have been moved on while it was loaded
            facts = self._facts(dataset_id)
            if facts is not None:
                self._learn(facts)

    def _open(self, dataset_id: int) -> None:
        facts = self._facts(dataset_id)
        while facts is not None:
            log = self._models.load_log(facts.source)
            with self._looking:  # what is committed before this look is seen, later changes as well
                revision, facts = facts.source.dataset_revision, self._facts(dataset_id)
                if facts is not None and facts.source.dataset_revision == revision:
                    self._install(facts, log)
                    return

    def _install(self, facts: Facts, log: EventLog) -> None:
        source = facts.source
        state = ServedDataset(
            dataset_id=source.dataset_id,
            name=source.dataset_name,
            changes=facts.changes,
            revision=source.dataset_revision,
            sequence=0,
            log=LogWithTail(log),
            aliases=facts.aliases,
            models={},
        )
        with self._changing:
            self._served[source.dataset_name] = state.with_tail(facts.tail)

    def _open_again(self, dataset_id: int) -> None:
        """The log of the newest revision, its tail, and the models ready for it."""
        facts = self._facts(dataset_id)
        while facts is not None:
            log = self._models.load_log(facts.source)
            state = self._served.get(facts.source.dataset_name)
            ready = [] if state is None else list(state.models.values())
            models = {model.number: model.over(log) for model in ready}
            with self._looking:  # nobody adds events to what is replaced
                revision, facts = facts.source.dataset_revision, self._facts(dataset_id)
                if facts is not None and facts.source.dataset_revision == revision:
                    self._exchange(facts, log, models)
                    return

    def _exchange(self, facts: Facts, log: EventLog, models: dict[int, ServedModel]) -> None:
        """Another log takes over, with all that has been posted since."""
        before: list[int] = []

        def changed(state: ServedDataset) -> ServedDataset:
            before.append(state.revision)
            late = {n: model for n, model in state.models.items() if n not in models}
            return replace(
                state,
                changes=facts.changes,
                revision=facts.source.dataset_revision,
                sequence=0,
                log=LogWithTail(log),
                models=models | {n: model.over(log) for n, model in late.items()},
            ).with_tail(facts.tail)

        self._change(facts.source, changed)
        for revision in before:
            if revision != facts.source.dataset_revision:
                self._models.forget_log(facts.source.dataset_id, revision)

    def _facts(self, dataset_id: int) -> Facts | None:
        with transaction(self._sessions, write=False) as session:
            return facts_of(session, dataset_id, self._data_dir)

    def _make_ready(self, source: ModelSource) -> None:
        predictor = self._models.load_predictor(source)
        while True:
            state = self._served.get(source.dataset_name)
            if state is None or state.dataset_id != source.dataset_id:
                return
            if source.version in state.models:
                return
            log = state.log.base
            # Outside the lock: it is slow.
            model = ServedModel.of(source.version, source.tasks, predictor, log)
            with self._changing:
                state = self._served.get(source.dataset_name)
                if state is not None and state.log.base is log:
                    self._served[source.dataset_name] = state.with_model(model)
                    self._make_room()
                    return

    def _make_room(self) -> None:
        with self._changing:
            ready = [(s, m) for s in self._served.values() for m in s.models.values()]
            ready.sort(key=lambda one: one[1].used[0])
            for state, model in ready[: max(0, len(ready) - self._capacity)]:
                left = self._served[state.name].without_model(model.number)
                self._served[state.name] = left
                if not left.models:
                    del self._served[state.name]

    def _change(
        self, source: LogSource, change: Callable[[ServedDataset], ServedDataset]
    ) -> ServedDataset | None:
        """Put another state in the place of the one that is there, if that is of the dataset."""
        with self._changing:
            state = self._served.get(source.dataset_name)
            if state is None or state.dataset_id != source.dataset_id:
                return None
            self._served[source.dataset_name] = changed = change(state)
            return changed

    def _opening_of(self, name: str) -> threading.Lock:
        """Held while a dataset of this name is opened."""
        with self._changing:
            return self._opening.setdefault(name, threading.Lock())

    def _forget(self, state: ServedDataset) -> None:
        with self._changing:
            now = self._served.get(state.name)
            if now is not None and now.dataset_id == state.dataset_id:
                del self._served[state.name]

    def _begin(self, dataset_id: int, what: int, work: Callable[[], None]) -> None:
        """Do it in the loader's thread, unless it is being done."""

        def done() -> None:
            try:
                work()
            except ServiceError as error:
                logger.error("going on with what answers: %s", error.detail)
            except Exception:
                logger.exception("going on with what answers")
            finally:
                with self._changing:
                    self._pending.pop((dataset_id, what), None)

        with self._changing:
            if (dataset_id, what) not in self._pending and not self._watcher.is_closed:
                self._pending[dataset_id, what] = self._loader.submit(done)
