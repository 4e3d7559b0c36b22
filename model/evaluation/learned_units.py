"""Labels in the units in which they are learned, which the likelihoods take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.distributions import LikelihoodName, Scale
from model.tasks import Task

Labels = NDArray[np.float32]

_LOG_NO_EXPOSURE = -30.0


def in_learned_units(
    task: Task, likelihood: LikelihoodName, values: Labels, scale: Scale
) -> Labels:
    """What `model.network.likelihoods` and `model.evaluation.likelihoods` take.

    Args:
        task: whose labels.
        likelihood: the task's.
        values: (...) labels as `model.snapshots` gives them; of periods (..., 2, K) sales and
            exposure.
        scale: the task's, where it has one.
    """
    match likelihood:
        case "periods":
            return _shares_and_log_exposure(values)
        case "hurdle_log_normal":
            return _standardised_log(values, scale)
        case "normal":
            return ((values - scale.location) / scale.scale).astype(np.float32)
        case "hazard":
            return values / np.float32(task.horizon_days)
        case _:
            return values


def _standardised_log(amounts: Labels, scale: Scale) -> Labels:
    """(log amount - location) / scale, -inf for nothing, NaN stays."""
    with np.errstate(divide="ignore"):
        standardised = (np.log(amounts) - scale.location) / scale.scale
    return standardised.astype(np.float32)


def _shares_and_log_exposure(sales_and_exposure: Labels) -> Labels:
    """(..., 2, K) shares of the sales, and log of the exposure."""
    amounts, exposure = np.moveaxis(sales_and_exposure, -2, 0)
    shares = amounts / amounts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_exposure = np.maximum(np.log(exposure), _LOG_NO_EXPOSURE)
    return np.stack([shares, log_exposure], axis=-2).astype(np.float32)
