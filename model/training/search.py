"""A small search over the trunk's settings: each is trained on one fold, validation says the best.

Off by default. One trial is without self-supervision, so that the report also says what that is
worth. A trial that is worse than the median of the others after as many epochs is given up
(Golovin et al., 2017, doi:10.1145/3097983.3098043, section 3.2.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from model.config import Config, StopCallback
from model.evaluation import Trial
from model.events import EventLog
from model.snapshots import Fold
from model.training.fold import Announce, fold_run, validation_rows
from model.training.loop import TrainingRun
from model.training.preparation import prepare
from model.training.resumption import Resumption

TRIALS: tuple[Mapping[str, float], ...] = (
    {},
    {"self_supervision": 0.0},
    {"width": 64},
    {"width": 256},
    {"dropout": 0.25},
    {"members": 4},
    {"learning_rate": 3e-4},
    {"weight_decay": 0.1},
    {"dropout": 0.25, "width": 256},
)
"""What is changed of the settings that were asked for; first nothing, then the most promising."""
FIRST_JUDGED = 2
"""After how many epochs a trial may be given up."""


class _GivenUpError(Exception):
    pass


def settings_of(config: Config) -> Iterator[Config]:
    """The settings that a search tries, in order; none without `trials`."""
    if config.trials:
        for changes in TRIALS[: 1 + config.trials]:
            yield config.model_copy(update=dict(changes))


def search(
    log: EventLog,
    fold: Fold,
    config: Config,
    seed: int,
    announce: Sequence[Announce],
    stop: StopCallback,
    resumption: Resumption,
) -> Config:
    """The best settings, as the fold's validation rows say; trials that were made are remembered.

    Args:
        log: all events.
        fold: whose training and validation rows are taken.
        config: as it was asked for.
        seed: of every trial alike.
        announce: one per trial.
        stop: see `fit`.
        resumption: has the trials that are over, and gets those that are not.

    Raises:
        Stopped: `stop` said so.
    """
    tried = list(settings_of(config))
    if len(resumption.trials) < len(tried):
        rng = np.random.default_rng(seed)
        prepared = prepare(log, fold.tasks, fold.training, config, rng)
        validation = validation_rows(prepared, fold.validation, config, rng)
        if not validation:
            return config
        for number in range(len(resumption.trials), len(tried)):
            run = fold_run(prepared, validation, tried[number], seed)
            given_up = _was_given_up(run, resumption, announce[number], stop)
            trial = Trial(
                settings=dict(TRIALS[number]), losses=tuple(run.losses), given_up=given_up
            )
            resumption.add_trial(trial)
    losses = [trial.loss for trial in resumption.trials]
    return tried[losses.index(min(losses))]


def _was_given_up(
    run: TrainingRun, resumption: Resumption, announce: Announce, stop: StopCallback
) -> bool:
    """Train, until it is clear that others are better."""
    epochs, others = run.config.max_epochs, [trial.losses for trial in resumption.trials]

    def judge(epoch: int, losses: dict[str, float]) -> None:
        announce("training", epoch / epochs, epoch, losses)
        if _is_hopeless(run.losses, others):
            raise _GivenUpError

    try:
        run.fit(epochs, judge, stop, resumption)
    except _GivenUpError:
        return True
    return False


def _is_hopeless(losses: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    epochs = len(losses)
    rivals = [min(other[:epochs]) for other in others]
    return epochs >= FIRST_JUDGED and bool(rivals) and min(losses) > median(rivals)
