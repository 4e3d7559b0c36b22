from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model import SSMTL, Occurs, Task
from model.checkpoints import CheckpointFolder
from model.config import Config, Progress
from model.events import EventLog
from model.training.loop import TrainingRun
from model.training.search import TRIALS, settings_of
from tests.model.conftest import TINY

TASKS = (Task(name="buys", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),)
SEARCHING = TINY.model_copy(update={"trials": 3, "max_epochs": 3})
LOSSES = {"asked for": [0.9, 0.8, 0.7], "best": [0.95, 0.6, 0.5], "worst": [0.99, 0.98, 0.1]}


class Killed(BaseException):
    pass


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The validation losses are made up: narrow is best, and none else is worth going on."""

    def said(self: TrainingRun, network: torch.nn.Module) -> dict[str, float]:
        if not self.validation:  # the last training
            return {}
        asked = self.config.model_copy(update={"trials": 0, "max_epochs": TINY.max_epochs})
        kind = "asked for" if asked == TINY else "best" if self.config.width == 64 else "worst"
        return {"buys": LOSSES[kind][self._epoch - 1]}

    monkeypatch.setattr(TrainingRun, "_validate", said)


def test_the_first_trial_is_what_was_asked_for_and_one_has_no_self_supervision() -> None:
    config = Config(trials=len(TRIALS) - 1)
    tried = list(settings_of(config))
    assert tried[0] == config
    assert [c.self_supervision for c in tried].count(0.0) == 1
    assert len({c.model_dump_json() for c in tried}) == len(TRIALS)
    assert list(settings_of(Config())) == []


@pytest.mark.usefixtures("scripted")
def test_the_best_settings_are_taken_and_the_hopeless_given_up(log: EventLog) -> None:
    torch.set_num_threads(1)
    told: list[Progress] = []
    found = SSMTL(TASKS, SEARCHING).fit(log, progress=told.append)
    trials = found.report_.trials
    assert [trial.settings for trial in trials] == [dict(changes) for changes in TRIALS[:4]]
    assert [trial.given_up for trial in trials] == [False, True, False, True]
    assert [len(trial.losses) for trial in trials] == [3, 2, 3, 2]
    assert found.predictor_.artifact.description.config.width == 64
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)


@pytest.mark.usefixtures("scripted")
def test_a_search_that_is_interrupted_goes_on(log: EventLog, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = SSMTL(TASKS, SEARCHING).fit(log)

    class KilledAfter(CheckpointFolder):
        left = 8

        def save(self, content: bytes) -> None:
            super().save(content)
            self.left -= 1
            if not self.left:
                raise Killed

    with pytest.raises(Killed):
        SSMTL(TASKS, SEARCHING).fit(log, checkpoints=KilledAfter(tmp_path, 0))
    resumed = SSMTL(TASKS, SEARCHING).fit(log, checkpoints=CheckpointFolder(tmp_path, 60))
    assert resumed.report_.trials == whole.report_.trials
    for name, weight in whole.predictor_.artifact.weights.items():
        assert (resumed.predictor_.artifact.weights[name] == weight).all()
