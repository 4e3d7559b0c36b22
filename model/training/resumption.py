"""What a fit has got so far: the results of its folds and the state of the training it is in.

A fit that begins looks here first. The results of folds that are over are taken as they are, the
training in the middle goes on from its newest state, and everything else (snapshots, baselines) is
computed again: it depends on the log, the tasks, the config and the seed alone.
"""

from __future__ import annotations

import logging
import time

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from model.checkpoints import Checkpoints
from model.evaluation import Trial
from model.training.fold import FoldResult
from model.training.state import TrainingState, pack, unpack

_RESULTS = TypeAdapter(list[FoldResult])
_TRIALS = TypeAdapter(list[Trial])

log = logging.getLogger(__name__)


class Resumption:
    """The checkpoints of one fit, in the fit's own words; a `Memory` of the training it is in.

    Args:
        checkpoints: where they are kept.
        fingerprint: of the fit; checkpoints of another one are left alone.

    Attributes:
        results: of the folds that are over, in order.
        trials: of the search that are over, in order.
    """

    def __init__(self, checkpoints: Checkpoints, fingerprint: str) -> None:
        self.results: list[FoldResult] = []
        self.trials: list[Trial] = []
        self._checkpoints = checkpoints
        self._fingerprint = fingerprint
        self._training: TrainingState | None = None
        self._started = time.monotonic()
        for content in checkpoints.newest_first():
            if self._take(content):
                break

    @property
    def elapsed_s(self) -> float:
        """How long the fit has taken, what was lost left out."""
        return time.monotonic() - self._started

    def add(self, result: FoldResult) -> None:
        """A fold is over."""
        self.results.append(result)
        self._save(None)

    def add_trial(self, trial: Trial) -> None:
        """A trial is over."""
        self.trials.append(trial)
        self._save(None)

    def recall(self) -> TrainingState | None:
        """The state of the training that comes next, None if it begins."""
        state, self._training = self._training, None
        return state

    def is_due(self) -> bool:
        """Whether a state in the middle of an epoch is wanted."""
        return self._checkpoints.is_due()

    def keep(self, state: TrainingState) -> None:
        """Save the state of the training."""
        self._save(state)

    def _save(self, training: TrainingState | None) -> None:
        facts = {
            "fingerprint": self._fingerprint,
            "elapsed_s": self.elapsed_s,
            "results": _RESULTS.dump_python(self.results, mode="json"),
            "trials": _TRIALS.dump_python(self.trials, mode="json"),
            "training": None if training is None else training.facts,
        }
        tensors = {} if training is None else training.tensors
        try:
            self._checkpoints.save(pack(TrainingState(tensors, facts)))
        except OSError as error:
            log.warning("no checkpoint was written (%s): the training goes on without it", error)

    def _take(self, content: bytes) -> bool:
        try:
            state = unpack(content)
            facts = state.facts
            if facts["fingerprint"] != self._fingerprint:
                log.warning("a checkpoint is of other data, tasks or settings: not taken")
                return False
            results = _RESULTS.validate_python(facts["results"])
            self.trials = _TRIALS.validate_python(facts["trials"])
            self.results = results
        except (KeyError, ValueError, ValidationError, SafetensorError) as error:
            log.warning("a checkpoint cannot be read (%s): not taken", error)
            return False
        if facts["training"] is not None:
            self._training = TrainingState(state.tensors, facts["training"])
        self._started -= facts["elapsed_s"]
        epoch = 0 if facts["training"] is None else facts["training"]["epoch"]
        log.info("going on after %d folds and %d epochs", len(self.results), epoch)
        return True
