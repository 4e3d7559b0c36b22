"""Here a few labels are all that there are: the share that counts as few is above one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.config import Config
from model.training import pretraining
from model.training.compact_labels import CompactLabels
from model.training.examples import Examples
from model.training.preparation import Prepared
from model.training.pretraining import PRETRAINING_EPOCHS, has_few_labels
from model.training.self_supervision import is_self_supervised
from model.training.state import TrainingState
from tests.model.training.test_loop import never, nothing, run_of


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "SCARCE_SHARE", 2.0)


@pytest.fixture
def quick(config: Config) -> Config:
    return config.model_copy(update={"max_steps_per_epoch": 3})


def with_labels_on(examples: Examples, share: float) -> Examples:
    """The first rows keep their declared labels; the rest have pieces without any."""
    hidden = np.arange(len(examples)) >= share * len(examples)
    compact = []
    for group, labels in zip(examples.layout.groups, examples.compact, strict=True):
        declared = np.array([not is_self_supervised(task.name) for task in group.tasks])
        unknown = labels.usual.copy()
        unknown[:, declared] = np.nan
        row = np.repeat(np.arange(len(hidden)), np.diff(labels.starts))
        kept = ~(hidden[row] & declared[labels.task])
        compact.append(
            CompactLabels(
                usual=np.concatenate([labels.usual, unknown]),
                piece=labels.piece + (hidden * len(labels.usual)).astype(labels.piece.dtype),
                starts=np.concatenate([[0], np.cumsum(kept)])[labels.starts],
                task=labels.task[kept],
                values=labels.values[kept],
            )
        )
    return replace(examples, compact=tuple(compact))


def test_labels_on_a_tenth_of_the_rows_are_few(prepared: Prepared) -> None:
    users = prepared.training["user"]
    assert has_few_labels(with_labels_on(users, 0.1))
    assert not has_few_labels(with_labels_on(users, 0.5))
    assert not has_few_labels(users)


@pytest.mark.usefixtures("scarce")
def test_pairs_have_no_tasks_of_the_logs_own(prepared: Prepared) -> None:
    assert has_few_labels(prepared.training["user"])
    assert not has_few_labels(prepared.training["pair"])


@pytest.mark.usefixtures("scarce")
def test_the_logs_own_tasks_come_first(prepared: Prepared, quick: Config) -> None:
    run = run_of(prepared, quick)
    layout = prepared.layouts["user"]
    moved: list[tuple[bool, bool]] = []

    def look(_epoch: int, _losses: object) -> None:
        private = run.network.kind("user").private
        own, declared = [], []
        for group, weights in zip(layout.groups, private.weights, strict=True):
            for task, of_task in zip(group.tasks, weights, strict=True):
                (own if is_self_supervised(task.name) else declared).append(bool(of_task.any()))
        moved.append((any(own), any(declared)))

    run.fit(1, look, never)
    assert moved == [(True, False)] * PRETRAINING_EPOCHS + [(True, True)]
    assert run.best_epoch == 1
    assert len(run.losses) == 1


def test_with_all_labels_there_is_none(prepared: Prepared, quick: Config) -> None:
    run = run_of(prepared, quick)
    epochs: list[int] = []
    run.fit(2, lambda epoch, _: epochs.append(epoch), never)
    assert epochs == [1, 2]


@pytest.mark.usefixtures("scarce")
@pytest.mark.parametrize("over", [1, PRETRAINING_EPOCHS, PRETRAINING_EPOCHS + 1])
def test_who_goes_on_from_it_ends_at_the_same_bits(
    prepared: Prepared, quick: Config, over: int
) -> None:
    memory = Remembered()
    whole = run_of(prepared, quick).fit(2, nothing, never, memory)
    resumed = run_of(prepared, quick).fit(2, nothing, never, Remembered(memory.kept[over - 1]))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


class Remembered:
    """Keeps the state after every epoch."""

    def __init__(self, first: TrainingState | None = None) -> None:
        self.kept: list[TrainingState] = []
        self._first = first

    def recall(self) -> TrainingState | None:
        return self._first

    def is_due(self) -> bool:
        return False

    def keep(self, state: TrainingState) -> None:
        tensors = {name: value.clone() for name, value in state.tensors.items()}
        self.kept.append(TrainingState(tensors, state.facts))
