"""A fit that was interrupted, wherever it was, gives the bits that it would have given."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch

from model import SSMTL, Config, Occurs, Sum, Task
from model.artifact import ExportError
from model.checkpoints import CheckpointFolder
from model.events import EventLog
from model.network import SSMTLNetwork
from model.snapshots import folds
from model.tasks import EntityKind
from model.training.examples import Examples
from model.training.export import export_network
from model.training.fingerprint import fingerprint_of
from model.training.resumption import Resumption
from model.training.state import TrainingState, pack, unpack

SMALL = Config(
    max_cutoffs=4,
    max_rows=1000,
    max_scored_rows=500,
    sequence_length=4,
    width=16,
    members=2,
    embedding=4,
    task_channels=4,
    max_epochs=2,
    max_steps_per_epoch=3,
    bootstrap=2,
)
TASKS = (
    Task(name="buys_7d", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(name="spends_7d", entity="user", target=Sum(event_type="purchase"), horizon_days=7),
    Task(name="buys_60d", entity="user", target=Occurs(event_type="purchase"), horizon_days=60),
)


class Killed(Exception):
    """What a killed process would not even raise."""


class KilledAfter(CheckpointFolder):
    """Ends the fit after so many checkpoints; one is due after each step."""

    def __init__(self, folder: Path, saves: int) -> None:
        super().__init__(folder, interval_s=0)
        self._left = saves

    def save(self, content: bytes) -> None:
        super().save(content)
        self._left -= 1
        if self._left == 0:
            raise Killed


@pytest.fixture(scope="module", autouse=True)
def _one_export() -> Iterator[None]:
    """Most of a small fit's time goes into the export, which only looks at the final weights."""
    exported: dict[str, tuple[bytes, ExportError]] = {}

    def export_once(
        network: SSMTLNetwork, entity: EntityKind, examples: Examples, private: list[str]
    ) -> tuple[bytes, ExportError]:
        if entity not in exported:
            exported[entity] = export_network(network, entity, examples, private)
        return exported[entity]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("model.training.fit"), "export_network", export_once)
        yield


def model_hash(estimator: SSMTL, folder: Path) -> str:
    """Of the network's weights and the baselines."""
    estimator.save(folder)
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def said(estimator: SSMTL) -> tuple[object, ...]:
    report = estimator.report_.model_copy(update={"fit_s": 0.0})
    artifact = estimator.predictor_.artifact.description
    return report, estimator.task_graph_, artifact.serving, artifact.plan


@pytest.fixture(scope="module")
def uninterrupted(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> SSMTL:
    torch.set_num_threads(1)
    return SSMTL(TASKS, SMALL).fit(log)


@pytest.fixture(scope="module")
def saves(log: EventLog, tmp_path_factory: pytest.TempPathFactory) -> list[TrainingState]:
    """The states that a fit leaves, in order."""
    seen: list[TrainingState] = []

    class Recording(CheckpointFolder):
        def save(self, content: bytes) -> None:
            seen.append(unpack(content))

    torch.set_num_threads(1)
    SSMTL(TASKS, SMALL).fit(log, checkpoints=Recording(tmp_path_factory.mktemp("all"), 0))
    return seen


def number_of(saves: list[TrainingState], where: str) -> int:
    """How many checkpoints there are up to the first of these moments."""

    def matches(state: TrainingState) -> bool:
        training, folds_done = state.facts["training"], len(state.facts["results"])
        match where:
            case "between two folds":
                return training is None and folds_done == 1
            case "between two epochs":
                return training is not None and training["step"] == 0 and training["epoch"] == 1
            case "in the first epoch":
                return training is not None and training["step"] == 1
            case "in the last training":
                return training is not None and folds_done == 2 and training["step"] == 1
        raise AssertionError(where)

    return next(number for number, state in enumerate(saves, 1) if matches(state))


def test_the_fit_has_two_folds(log: EventLog) -> None:
    assert len(folds(log, TASKS, SMALL.max_cutoffs)) == 2


@pytest.mark.parametrize(
    "where",
    [
        "in the first epoch",
        "between two epochs",
        "between two folds",
        "in the last training",
    ],
)
def test_an_interrupted_fit_gives_the_same_model_bit_for_bit(
    log: EventLog, uninterrupted: SSMTL, saves: list[TrainingState], tmp_path: Path, where: str
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with pytest.raises(Killed):
        SSMTL(TASKS, SMALL).fit(log, checkpoints=KilledAfter(folder, number_of(saves, where)))
    torch.manual_seed(77)  # another process
    torch.rand(5)
    resumed = SSMTL(TASKS, SMALL).fit(log, checkpoints=CheckpointFolder(folder, 60))
    assert model_hash(resumed, tmp_path / "a") == model_hash(uninterrupted, tmp_path / "b")
    assert said(resumed) == said(uninterrupted)


@pytest.mark.slow
def test_a_fit_that_is_interrupted_again_and_again_ends_all_the_same(
    log: EventLog, uninterrupted: SSMTL, saves: list[TrainingState], tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    lives = 0
    while True:
        lives += 1
        try:
            resumed = SSMTL(TASKS, SMALL).fit(log, checkpoints=KilledAfter(folder, 7))
        except Killed:
            continue
        break
    assert 2 < lives <= len(saves) // 7 + 1  # nothing is done twice
    assert model_hash(resumed, tmp_path / "a") == model_hash(uninterrupted, tmp_path / "b")


def test_saving_changes_nothing(
    log: EventLog, uninterrupted: SSMTL, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the disk may be full: the fit says so and goes on."""

    class Full(CheckpointFolder):
        def save(self, content: bytes) -> None:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {len(content)} bytes")

    with caplog.at_level(logging.WARNING):
        fitted = SSMTL(TASKS, SMALL).fit(log, checkpoints=Full(tmp_path, 0))
    assert "No space left on device" in caplog.text
    assert model_hash(fitted, tmp_path / "a") == model_hash(uninterrupted, tmp_path / "b")


class Remembering:
    """Checkpoints in memory."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)

    def is_due(self) -> bool:
        return False

    def save(self, content: bytes) -> None:
        self.contents.append(content)

    def newest_first(self) -> Iterator[bytes]:
        return reversed(self.contents)


def state(epoch: int) -> TrainingState:
    facts = {"epoch": epoch, "best_loss": float("inf")}
    return TrainingState({"network.weight": torch.full((2,), float(epoch))}, facts)


def test_the_newest_state_is_recalled_once() -> None:
    checkpoints = Remembering()
    earlier = Resumption(checkpoints, "mine")
    assert earlier.recall() is None
    for epoch in (1, 2):
        earlier.keep(state(epoch))
    later = Resumption(checkpoints, "mine")
    recalled = later.recall()
    assert recalled is not None
    assert recalled.facts == state(2).facts
    assert torch.equal(recalled.tensors["network.weight"], torch.tensor([2.0, 2.0]))
    assert later.recall() is None  # the next training is another one


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", pack(TrainingState({}, {}))])
def test_what_cannot_be_read_is_passed_over(content: bytes) -> None:
    checkpoints = Remembering()
    Resumption(checkpoints, "mine").keep(state(1))
    checkpoints.save(content)
    recalled = Resumption(checkpoints, "mine").recall()
    assert recalled is not None
    assert recalled.facts["epoch"] == 1


def test_a_checkpoint_of_another_fit_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    checkpoints = Remembering()
    Resumption(checkpoints, "mine").keep(state(1))
    with caplog.at_level(logging.WARNING):
        assert Resumption(checkpoints, "yours").recall() is None
    assert "other data, tasks or settings" in caplog.text


def test_a_fingerprint_tells_data_tasks_settings_and_seed_apart(log: EventLog) -> None:
    def of(
        log: EventLog = log,
        tasks: tuple[Task, ...] = TASKS,
        config: Config = SMALL,
        seed: int = 0,
    ) -> str:
        return fingerprint_of(log, tasks, config, seed)

    different = [
        of(),
        of(log=log.until(log.last_us - 1)),
        of(tasks=TASKS[:2]),
        of(tasks=TASKS[::-1]),
        of(config=SMALL.model_copy(update={"width": 8})),
        of(seed=1),
    ]
    assert len(set(different)) == len(different)
    assert of() == of()
