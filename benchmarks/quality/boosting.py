"""The peer to beat: LightGBM, one or two models a task, stopped early on validation.

Every answer is a density, so that its NLL compares: a hurdle is a classifier for whether there is
anything and a regression for how much, whose spread is that of the validation residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_softmax
from scipy.stats import norm

Floats = NDArray[np.float64]

GRID = ({"num_leaves": 31, "min_data_in_leaf": 50}, {"num_leaves": 15, "min_data_in_leaf": 100})
"""Tried on validation, the better one is kept."""
_FIXED: dict[str, float] = {
    "learning_rate": 0.05,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "verbosity": -1,
}
_MAX_ROUNDS, _PATIENCE = 2000, 50
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Rows:
    """Some rows of one task, all labels known.

    Attributes:
        x: (R, features) numbers, then categories.
        y: (R,) labels, for periods (R, K) shares.
        weights: (R,)
        offset: (R, K) log exposure plus log seasonal forecast of periods.
    """

    x: NDArray[np.float32]
    y: Floats
    weights: Floats
    offset: Floats | None = None

    def where(self, chosen: NDArray[np.bool_], y: Floats) -> Rows:
        """Some of the rows with other labels."""
        return Rows(self.x[chosen], y, self.weights[chosen])


def use_threads(threads: int) -> None:
    """As many as everybody else has."""
    _FIXED["num_threads"] = threads


def classified(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    """(R,) logits of the test rows."""
    model = _fit("binary", train, valid, seed)
    logits: Floats = model.predict(test.x, raw_score=True)
    return logits


def bernoulli_nll(logits: Floats, happened: Floats) -> Floats:
    """(R,) nats."""
    nll: Floats = np.logaddexp(0, logits) - happened * logits
    return nll


def hurdle_log_normal_nll(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    """(R,) nats of standardised log amounts, -inf for nothing."""
    nll, some = _hurdle(train, valid, test, seed, lambda y: y > -np.inf)
    positive = [
        rows.where(s, rows.y[s]) for rows, s in zip((train, valid, test), some, strict=True)
    ]
    nll[some[2]] += _normal_nll(*positive, seed)
    return nll


def hurdle_count_nll(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    """(R,) nats of counts: whichever of two densities of the positive ones validates better."""
    nll, some = _hurdle(train, valid, test, seed, lambda y: y > 0)
    positive = [
        rows.where(s, rows.y[s]) for rows, s in zip((train, valid, test), some, strict=True)
    ]
    found = [_rounded_log_normal(*positive, seed), _negative_binomial(*positive, seed)]
    _, best = min(found, key=lambda pair: pair[0])
    nll[some[2]] += best
    return nll


def normal_nll(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    """(R,) nats of numbers."""
    return _normal_nll(train, valid, test, seed)


def categorical_nll(train: Rows, valid: Rows, test: Rows, classes: int, seed: int) -> Floats:
    """(R,) nats of class codes."""
    model = _fit("multiclass", train, valid, seed, num_class=classes)
    log_shares = np.log(np.maximum(model.predict(test.x), _SMALLEST))
    nll: Floats = -log_shares[np.arange(len(test.y)), test.y.astype(np.int64)]
    return nll


def periods_nll(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    """(R,) nats of shares per period, from the seasonal forecast as the first guess."""
    rng = np.random.default_rng(seed)
    model = _fit(
        "multiclass",
        _drawn(train, rng),
        _drawn(valid, rng),
        seed,
        num_class=train.y.shape[1],
    )
    assert test.offset is not None
    log_shares = log_softmax(model.predict(test.x, raw_score=True) + test.offset, axis=1)
    nll: Floats = -np.where(test.y > 0, test.y * np.maximum(log_shares, -30), 0).sum(axis=1)
    return nll


def _drawn(rows: Rows, rng: np.random.Generator) -> Rows:
    """One period per row, drawn by its share: in the mean the likelihood is that of the shares."""
    reached = rows.y.cumsum(axis=1) > rng.random((len(rows.y), 1)) * rows.y.sum(axis=1)[:, None]
    return Rows(rows.x, reached.argmax(axis=1).astype(np.float64), rows.weights, rows.offset)


def _hurdle(
    train: Rows, valid: Rows, test: Rows, seed: int, is_some: Callable[[Floats], NDArray[np.bool_]]
) -> tuple[Floats, list[NDArray[np.bool_]]]:
    some = [is_some(rows.y) for rows in (train, valid, test)]
    happened = [
        Rows(rows.x, flags.astype(np.float64), rows.weights)
        for rows, flags in zip((train, valid, test), some, strict=True)
    ]
    return bernoulli_nll(classified(*happened, seed), happened[2].y), some


def _normal_nll(train: Rows, valid: Rows, test: Rows, seed: int) -> Floats:
    model = _fit("regression", train, valid, seed)
    square = np.average((valid.y - model.predict(valid.x)) ** 2, weights=valid.weights)
    nll: Floats = -norm.logpdf(test.y, model.predict(test.x), np.sqrt(square))
    return nll


def _rounded_log_normal(train: Rows, valid: Rows, test: Rows, seed: int) -> tuple[float, Floats]:
    """A log-normal amount rounded to whole numbers: mean nats of validation, nats of test."""
    model = _fit("regression", _logs(train), _logs(valid), seed)

    def nll(rows: Rows, sigma: float) -> Floats:
        mean = model.predict(rows.x)
        above = norm.cdf((np.log(rows.y + 0.5) - mean) / sigma)
        below = np.where(rows.y > 1, norm.cdf((np.log(rows.y - 0.5) - mean) / sigma), 0.0)
        return -np.log(np.maximum(above - below, _SMALLEST))

    return _with_best_spread(nll, np.linspace(0.1, 3, 60), valid, test)


def _negative_binomial(train: Rows, valid: Rows, test: Rows, seed: int) -> tuple[float, Floats]:
    """A Poisson regression of what is beyond one, spread as validation says."""
    beyond = [Rows(rows.x, rows.y - 1, rows.weights) for rows in (train, valid)]
    model = _fit("poisson", *beyond, seed)

    def nll(rows: Rows, log_size: float) -> Floats:
        k, log_mean, size = rows.y - 1, model.predict(rows.x, raw_score=True), np.exp(log_size)
        log_total = np.logaddexp(log_size, log_mean)
        return -(
            gammaln(k + size)
            - gammaln(size)
            - gammaln(k + 1)
            + size * (log_size - log_total)
            + k * (log_mean - log_total)
        )

    return _with_best_spread(nll, np.linspace(-4, 6, 60), valid, test)


def _with_best_spread(
    nll: Callable[[Rows, float], Floats], spreads: Floats, valid: Rows, test: Rows
) -> tuple[float, Floats]:
    scored = [
        (float(np.average(nll(valid, spread), weights=valid.weights)), spread)
        for spread in spreads.tolist()
    ]
    validated, spread = min(scored)
    return validated, nll(test, spread)


def _logs(rows: Rows) -> Rows:
    return Rows(rows.x, np.log(rows.y), rows.weights)


def _fit(
    objective: str, train: Rows, valid: Rows, seed: int, num_class: int = 1
) -> lightgbm.Booster:
    found: list[tuple[float, lightgbm.Booster]] = []
    for tried in GRID:
        fixed = {**_FIXED, **tried, "objective": objective, "num_class": num_class, "seed": seed}
        data = lightgbm.Dataset(
            train.x, train.y, weight=train.weights, init_score=train.offset, free_raw_data=False
        )
        held_out = data.create_valid(
            valid.x, valid.y, weight=valid.weights, init_score=valid.offset
        )
        model = lightgbm.train(
            fixed,
            data,
            _MAX_ROUNDS,
            [held_out],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        (score,) = model.best_score["valid_0"].values()
        found.append((float(score), model))
    return min(found, key=lambda pair: pair[0])[1]
