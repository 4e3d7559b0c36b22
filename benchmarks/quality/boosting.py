"""The peer to beat: LightGBM, one or two models a task, stopped early on validation.

Every answer is a density, so that its NLL compares: a hurdle is a classifier for whether there is
anything and a regression for how much, whose spread is that of the validation residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        offset = None if self.offset is None else self.offset[chosen]
        return Rows(self.x[chosen], self.y[chosen], self.weights[chosen], offset)

    def about(self, y: Floats) -> Rows:
        """The same rows with other labels."""
        return replace(self, y=y)


@dataclass(frozen=True)
class Parts:
    """What is learned from, stopped by and asked.

    With `before_test` the model that answers is fitted again on these rows, for as many rounds as
    validation found.
    """

    train: Rows
    valid: Rows
    test: Rows
    before_test: Rows | None = None

    def __iter__(self) -> Iterator[Rows]:
        again = () if self.before_test is None else (self.before_test,)
        return iter((self.train, self.valid, self.test, *again))

    def each(self, change: Callable[[Rows], Rows]) -> Parts:
        """All parts changed alike."""
        return Parts(*map(change, self))


@dataclass(frozen=True)
class _Fitted:
    """The model that was stopped by validation, which its residuals are of, and who answers."""

    validated: lightgbm.Booster
    answering: lightgbm.Booster


def use_threads(threads: int) -> None:
    """As many as everybody else has."""
    _FIXED["num_threads"] = threads


def bernoulli_nll(parts: Parts, seed: int) -> Floats:
    """(R,) nats of what happened, 1 or 0."""
    model = _fit("binary", parts, seed)
    logits: Floats = model.answering.predict(parts.test.x, raw_score=True)
    nll: Floats = np.logaddexp(0, logits) - parts.test.y * logits
    return nll


def hurdle_log_normal_nll(parts: Parts, seed: int) -> Floats:
    """(R,) nats of standardised log amounts, -inf for nothing."""
    return _hurdle(parts, seed, lambda y: y > -np.inf, normal_nll)


def hurdle_count_nll(parts: Parts, seed: int) -> Floats:
    """(R,) nats of counts: whichever of two densities of the positive ones validates better."""

    def best(positive: Parts, seed: int) -> Floats:
        found = [_rounded_log_normal(positive, seed), _negative_binomial(positive, seed)]
        return min(found, key=lambda pair: pair[0])[1]

    return _hurdle(parts, seed, lambda y: y > 0, best)


def normal_nll(parts: Parts, seed: int) -> Floats:
    """(R,) nats of numbers."""
    model, valid, test = _fit("regression", parts, seed), parts.valid, parts.test
    residuals = valid.y - model.validated.predict(valid.x)
    spread = np.sqrt(np.average(residuals**2, weights=valid.weights))
    nll: Floats = -norm.logpdf(test.y, model.answering.predict(test.x), spread)
    return nll


def categorical_nll(parts: Parts, classes: int, seed: int) -> Floats:
    """(R,) nats of class codes."""
    model, test = _fit("multiclass", parts, seed, num_class=classes), parts.test
    log_shares = np.log(np.maximum(model.answering.predict(test.x), _SMALLEST))
    nll: Floats = -log_shares[np.arange(len(test.y)), test.y.astype(np.int64)]
    return nll


def periods_nll(parts: Parts, seed: int) -> Floats:
    """(R,) nats of shares per period, from the seasonal forecast as the first guess."""
    rng = np.random.default_rng(seed)
    periods, test = parts.test.y.shape[1], parts.test
    model = _fit("multiclass", parts.each(lambda rows: _drawn(rows, rng)), seed, num_class=periods)
    assert test.offset is not None
    logits = model.answering.predict(test.x, raw_score=True) + test.offset
    log_shares = log_softmax(logits, axis=1)
    nll: Floats = -np.where(test.y > 0, test.y * np.maximum(log_shares, -30), 0).sum(axis=1)
    return nll


def _drawn(rows: Rows, rng: np.random.Generator) -> Rows:
    """One period per row, drawn by its share: in the mean the likelihood is that of the shares."""
    reached = rows.y.cumsum(axis=1) > rng.random((len(rows.y), 1)) * rows.y.sum(axis=1)[:, None]
    return rows.about(reached.argmax(axis=1).astype(np.float64))


def _hurdle(
    parts: Parts,
    seed: int,
    is_some: Callable[[Floats], NDArray[np.bool_]],
    amounts_nll: Callable[[Parts, int], Floats],
) -> Floats:
    """(R,) nats of whether there is anything, and of how much where there is."""
    nll = bernoulli_nll(
        parts.each(lambda rows: rows.about(is_some(rows.y).astype(np.float64))), seed
    )
    positive = parts.each(lambda rows: rows.where(is_some(rows.y)))
    nll[is_some(parts.test.y)] += amounts_nll(positive, seed)
    return nll


def _rounded_log_normal(parts: Parts, seed: int) -> tuple[float, Floats]:
    """A log-normal amount rounded to whole numbers: mean nats of validation, nats of test."""
    model = _fit("regression", parts.each(lambda rows: rows.about(np.log(rows.y))), seed)

    def nll(booster: lightgbm.Booster, rows: Rows, sigma: float) -> Floats:
        mean = booster.predict(rows.x)
        above = norm.cdf((np.log(rows.y + 0.5) - mean) / sigma)
        below = np.where(rows.y > 1, norm.cdf((np.log(rows.y - 0.5) - mean) / sigma), 0.0)
        return -np.log(np.maximum(above - below, _SMALLEST))

    return _with_best_spread(nll, np.linspace(0.1, 3, 60), model, parts)


def _negative_binomial(parts: Parts, seed: int) -> tuple[float, Floats]:
    """A Poisson regression of what is beyond one, spread as validation says."""
    model = _fit("poisson", parts.each(lambda rows: rows.about(rows.y - 1)), seed)

    def nll(booster: lightgbm.Booster, rows: Rows, log_size: float) -> Floats:
        k, log_mean, size = rows.y - 1, booster.predict(rows.x, raw_score=True), np.exp(log_size)
        log_total = np.logaddexp(log_size, log_mean)
        return -(
            gammaln(k + size)
            - gammaln(size)
            - gammaln(k + 1)
            + size * (log_size - log_total)
            + k * (log_mean - log_total)
        )

    return _with_best_spread(nll, np.linspace(-4, 6, 60), model, parts)


def _with_best_spread(
    nll: Callable[[lightgbm.Booster, Rows, float], Floats],
    spreads: Floats,
    model: _Fitted,
    parts: Parts,
) -> tuple[float, Floats]:
    weights = parts.valid.weights
    scored = [
        (float(np.average(nll(model.validated, parts.valid, spread), weights=weights)), spread)
        for spread in spreads.tolist()
    ]
    validated, spread = min(scored)
    return validated, nll(model.answering, parts.test, spread)


def _fit(objective: str, parts: Parts, seed: int, num_class: int = 1) -> _Fitted:
    found: list[tuple[float, dict[str, object], lightgbm.Booster]] = []
    valid = parts.valid
    for tried in GRID:
        fixed = {**_FIXED, **tried, "objective": objective, "num_class": num_class, "seed": seed}
        data = _dataset(parts.train)
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
        found.append((float(score), fixed, model))
    _, fixed, best = min(found, key=lambda one: one[0])
    if parts.before_test is None:
        return _Fitted(best, best)
    rounds = max(best.best_iteration, 1)
    return _Fitted(best, lightgbm.train(fixed, _dataset(parts.before_test), rounds))


def _dataset(rows: Rows) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.x, rows.y, weight=rows.weights, init_score=rows.offset, free_raw_data=False
    )
