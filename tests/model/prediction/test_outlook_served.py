"""The outlook moves what is served, on the days that it knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from model.artifact import Artifact
from model.events import MICROSECONDS_PER_DAY, EventLog, to_microseconds
from model.prediction import Predictor
from model.snapshots import Outlook
from model.snapshots.outlook import outlook_key
from model.tasks import Task


def with_move(artifact: Artifact, tasks: tuple[Task, ...], move: float) -> Predictor:
    """The same model with one move on the day of its cutoff, and served by the model alone."""
    day = to_microseconds(artifact.description.cutoff_at) // MICROSECONDS_PER_DAY
    outlooks = {
        outlook_key(task): Outlook(first_day=day, moves=(move,))
        for task in tasks
        if outlook_key(task)
    }
    serving = {
        name: how.model_copy(update={"source": "model"})
        for name, how in artifact.description.serving.items()
    }
    described = artifact.description.model_copy(update={"outlooks": outlooks, "serving": serving})
    return Predictor(replace(artifact, description=described))


@pytest.fixture(scope="module")
def artifact(folder: Path) -> Artifact:
    return Artifact.load(folder)


def test_a_good_outlook_raises_chances_and_numbers(
    artifact: Artifact, log: EventLog, tasks: tuple[Task, ...]
) -> None:
    names = ["buys_7d", "buys_30d", "order_days_30d", "spend_30d"]
    usual, good = (with_move(artifact, tasks, move).predict(log, names) for move in (0.0, 0.7))
    for name in names:
        warm = ~usual[name].cold_start
        before = usual[name].distribution.probability_any
        after = good[name].distribution.probability_any
        assert (after[warm] > before[warm]).all()
        assert (after[~warm] == before[~warm]).all()


def test_on_other_days_nothing_is_moved(
    artifact: Artifact, log: EventLog, tasks: tuple[Task, ...]
) -> None:
    earlier = artifact.description.cutoff_at - timedelta(days=2)
    usual, good = (
        with_move(artifact, tasks, move).predict(log, ["buys_7d"], cutoff_at=earlier)["buys_7d"]
        for move in (0.0, 0.7)
    )
    same = usual.distribution.probability_any == good.distribution.probability_any
    assert same.all()
