"""From what a scan totals to the numbers that a network reads: the formulas, whole columns at once.

Everything is worked out in float64 and rounded to float32 at the end. The logarithms of all columns
are taken in one call, so that a single row costs little.
"""

# R = rows, Q = quantities, F = features, G = given columns

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.snapshots.formulas import (
    Attribute,
    Bin,
    Declaration,
    DeviationLog,
    Difference,
    Log,
    Logarithm,
    MeanLog,
    OfCutoff,
    Quantity,
    Share,
)
from model.snapshots.scan import ScanLayout

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]


def _columns(numbers: Sequence[int]) -> Columns:
    return np.array(numbers, dtype=np.int64)


class _Terms:
    """Some quantities, one after the other: where they stand and what is taken away."""

    def __init__(self, layout: ScanLayout, quantities: Sequence[Quantity]) -> None:
        terms = [layout.terms(quantity) for quantity in quantities]
        self._plus = _columns([plus for plus, _ in terms])
        self._less = _columns([column for column, (_, minus) in enumerate(terms) if minus])
        self._minus = _columns([minus for _, minus in terms if minus])

    def read(self, totals_RQ: Floats) -> Floats:
        numbers = totals_RQ.take(self._plus, axis=1)
        if len(self._less):
            numbers[:, self._less] -= totals_RQ.take(self._minus, axis=1)
        return numbers


class Transform:
    """The formulas of some declarations, made ready.

    Args:
        declarations: F of them.
        layout: has their quantities.
    """

    def __init__(self, declarations: Sequence[Declaration], layout: ScanLayout) -> None:
        formulas = [declaration.formula for declaration in declarations]
        plain, means, deviations = _logarithms(formulas)
        logarithms: list[Logarithm] = [*plain, *means, *deviations]
        place = {formula: column for column, formula in enumerate(logarithms)}
        self._plain = _Terms(layout, [formula.quantity for formula in plain])
        self._divisors = np.array([formula.divisor for formula in plain])
        self._means = _Means(layout, means)
        self._deviations = _Deviations(layout, deviations)
        logs = [(f, place[g]) for f, g in enumerate(formulas) if isinstance(g, Logarithm)]
        self._logs_to = _columns([feature for feature, _ in logs])
        self._logs_from = _columns([column for _, column in logs])
        ratios = [(f, g) for f, g in enumerate(formulas) if isinstance(g, Difference)]
        self._ratios_to = _columns([feature for feature, _ in ratios])
        self._left = _columns([place[formula.left] for _, formula in ratios])
        self._right = _columns([place[formula.right] for _, formula in ratios])
        shares = [(f, g) for f, g in enumerate(formulas) if isinstance(g, Share)]
        self._shares_to = _columns([feature for feature, _ in shares])
        self._parts = _Terms(layout, [Bin(g.histogram, g.code) for _, g in shares])
        self._wholes = _Terms(layout, [Bin(g.histogram, None) for _, g in shares])
        self._bins = np.array([float(g.histogram.width) for _, g in shares])
        given = [f for f, g in enumerate(formulas) if isinstance(g, Attribute | OfCutoff)]
        self._given_to = _columns(given)
        self._features = len(formulas)

    def read(self, totals_RQ: Floats, given_RG: Floats) -> NDArray[np.float32]:
        """The features of R rows.

        Args:
            totals_RQ: of the scan.
            given_RG: the columns that no scan gives, in the order of declaration.

        Shape:
            returns: (R, F)
        """
        logs = self._log(totals_RQ)
        features = np.empty((len(totals_RQ), self._features), dtype=np.float32)
        features[:, self._logs_to] = logs.take(self._logs_from, axis=1)
        if len(self._ratios_to):
            left, right = logs.take(self._left, axis=1), logs.take(self._right, axis=1)
            features[:, self._ratios_to] = left - right
        if len(self._shares_to):
            wholes = self._wholes.read(totals_RQ) + self._bins
            features[:, self._shares_to] = (self._parts.read(totals_RQ) + 1) / wholes
        if len(self._given_to):
            features[:, self._given_to] = given_RG
        return features

    def _log(self, totals_RQ: Floats) -> Floats:
        numbers = np.concatenate(
            [
                self._plain.read(totals_RQ) / self._divisors,
                self._means.read(totals_RQ),
                self._deviations.read(totals_RQ),
            ],
            axis=1,
        )
        sign = np.sign(numbers)
        np.abs(numbers, out=numbers)
        np.log1p(numbers, out=numbers)
        numbers *= sign
        return numbers


class _Means:
    """(of - less) / (count - spare) / divisor; NaN where the count is not above `spare`."""

    def __init__(self, layout: ScanLayout, means: Sequence[MeanLog]) -> None:
        self._of = _Terms(layout, [mean.of for mean in means])
        self._count = _Terms(layout, [mean.count for mean in means])
        with_less = [(column, mean.less) for column, mean in enumerate(means) if mean.less]
        self._with_less = _columns([column for column, _ in with_less])
        self._less = _Terms(layout, [less for _, less in with_less])
        self._spare = np.array([float(mean.spare) for mean in means])
        self._divisors = np.array([mean.divisor for mean in means])

    def read(self, totals_RQ: Floats) -> Floats:
        sums = self._of.read(totals_RQ)
        if len(self._with_less):
            sums[:, self._with_less] -= self._less.read(totals_RQ)
        means: Floats = sums / _counts(self._count, totals_RQ, self._spare) / self._divisors
        return means


class _Deviations:
    """The root of the mean square less the squared mean."""

    def __init__(self, layout: ScanLayout, deviations: Sequence[DeviationLog]) -> None:
        self._squares = _Terms(layout, [deviation.squares for deviation in deviations])
        self._of = _Terms(layout, [deviation.of for deviation in deviations])
        self._count = _Terms(layout, [deviation.count for deviation in deviations])
        self._spare = np.array([float(deviation.spare) for deviation in deviations])

    def read(self, totals_RQ: Floats) -> Floats:
        count = _counts(self._count, totals_RQ, self._spare)
        mean = self._of.read(totals_RQ) / count
        variance = self._squares.read(totals_RQ) / count - mean * mean
        deviation: Floats = np.sqrt(np.maximum(variance, 0))
        return deviation


def _counts(count: _Terms, totals_RQ: Floats, spare: Floats) -> Floats:
    counts = count.read(totals_RQ) - spare
    counts[counts <= 0] = np.nan
    return counts


def _logarithms(
    formulas: Sequence[object],
) -> tuple[list[Log], list[MeanLog], list[DeviationLog]]:
    """The different logarithms that the formulas are made of, by kind."""
    found: dict[object, None] = {}
    for formula in formulas:
        if isinstance(formula, Difference):
            found |= {formula.left: None, formula.right: None}
        else:
            found[formula] = None
    return (
        [formula for formula in found if isinstance(formula, Log)],
        [formula for formula in found if isinstance(formula, MeanLog)],
        [formula for formula in found if isinstance(formula, DeviationLog)],
    )
