"""What the nats of the test rows come to: skills and calibration errors."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.baselines import climatology
from benchmarks.quality.contest import Ground, Nats
from model.evaluation.metrics import calibration_error


def skills_of(ground: Ground, nats: Nats) -> dict[str, float]:
    """Per declared task 1 - NLL / NLL of the climatology."""
    base = climatology(ground)
    skills = {}
    for entity, task in ground.tasks():
        weights = ground.test[entity].weights.double().numpy()
        known = ~np.isnan(base[task.name])
        ours = np.average(nats[task.name][known], weights=weights[known])
        skills[task.name] = 1 - ours / np.average(base[task.name][known], weights=weights[known])
    return skills


def calibration_errors_of(ground: Ground, nats: Nats) -> dict[str, float]:
    """Per `occurs` task the expected calibration error; nats and outcome say the probability."""
    errors = {}
    for entity, task in ground.tasks():
        if task.target.kind != "occurs":
            continue
        outcomes = ground.labels(entity, task.name, "test")
        known = ~np.isnan(outcomes)
        happened = outcomes[known] > 0
        of_outcome = np.exp(-nats[task.name][known])
        errors[task.name] = calibration_error(
            np.where(happened, of_outcome, 1 - of_outcome).round(9),  # ties stay ties
            happened,
            ground.test[entity].weights.double().numpy()[known],
        )
    return errors
