"""From what a scan totals to the numbers that a network reads: the formulas, whole columns at once.

Everything is worked out in float64 and rounded to float32 at the end. What all formulas need is
taken in one go and all logarithms in one call, so that a single row costs microseconds.
"""

# R rows, Q tallies, F features, L logarithms

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.snapshots import transform_kernel
from model.snapshots.formulas import (
    Attribute,
    Bin,
    Declaration,
    DeviationLog,
    Difference,
    Formula,
    Log,
    Logarithm,
    MeanLog,
    OfCutoff,
    Share,
    Tally,
)
from model.snapshots.scan import ScanLayout

Floats = NDArray[np.float64]
Columns = NDArray[np.int64]


class Transform:
    """The formulas of some declarations, made ready.

    Args:
        declarations: F of them.
        layout: has their tallies.
        use_compiler: without it they are worked out in NumPy, the same bit for bit.
    """

    def __init__(
        self,
        declarations: Sequence[Declaration],
        layout: ScanLayout,
        *,
        use_compiler: bool = COMPILED,
    ) -> None:
        formulas = [declaration.formula for declaration in declarations]
        logarithms = _logarithms(formulas)
        self._logarithms = _Logarithms(logarithms, layout)
        self._tables = _tables(formulas, logarithms, layout) if use_compiler else None
        ratios = [formula for formula in formulas if isinstance(formula, Difference)]
        self._left = _columns([self._logarithms.place[ratio.left] for ratio in ratios])
        self._right = _columns([self._logarithms.place[ratio.right] for ratio in ratios])
        shares = [formula for formula in formulas if isinstance(formula, Share)]
        self._parts = _Terms(layout, [Bin(s.histogram, s.code) for s in shares])
        self._wholes = _Terms(layout, [Bin(s.histogram, None) for s in shares])
        self._bins = np.array([float(share.histogram.width) for share in shares])
        given = [formula for formula in formulas if isinstance(formula, Attribute | OfCutoff)]
        others = [*ratios, *shares, *given]
        place = {f: len(self._logarithms.place) + n for n, f in enumerate(others)}
        self._order = _columns([(self._logarithms.place | place)[f] for f in formulas])

    def read(self, totals_RQ: Floats, given: Floats) -> NDArray[np.float32]:
        """The features of R rows.

        Args:
            totals_RQ: of the scan.
            given: (R, given) what no scan gives: attributes, then what is of the cutoff.

        Shape:
            returns: (R, F)
        """
        if self._tables is not None:
            return self._tables.read(totals_RQ, given)
        logs_RL = self._logarithms.read(totals_RQ)
        parts = [logs_RL]
        if len(self._left):
            parts.append(logs_RL.take(self._left, axis=1) - logs_RL.take(self._right, axis=1))
        if len(self._bins):
            wholes = self._wholes.read(totals_RQ) + self._bins
            parts.append((self._parts.read(totals_RQ) + 1) / wholes)
        found = np.concatenate([*parts, given], axis=1, dtype=np.float32)
        return found.take(self._order, axis=1)

    def one_at_a_time(self, totals_1Q: Floats, given: Floats) -> Callable[[], NDArray[np.float32]]:
        """The same of one row whose numbers come in these arrays, again and again."""
        if self._tables is None:
            return lambda: self.read(totals_1Q, given)
        return self._tables.one_at_a_time(totals_1Q, given)


@dataclass(frozen=True)
class _Tables:
    """The formulas as the compiled functions take them, see `transform_kernel`."""

    terms_L9: Columns
    numbers_L2: Floats
    sources_F5: Columns
    bins_F: Floats

    def read(self, totals_RQ: Floats, given: Floats) -> NDArray[np.float32]:
        """See `Transform.read`."""
        room = self._room(totals_RQ, given)
        transform_kernel.arguments(*room.of_arguments)
        np.log1p(room.sizes, out=room.sizes)
        transform_kernel.features(*room.of_features)
        return room.features

    def one_at_a_time(self, totals_1Q: Floats, given: Floats) -> Callable[[], NDArray[np.float32]]:
        """See `Transform.one_at_a_time`."""
        room = self._room(totals_1Q, given)
        arguments = transform_kernel.arguments.looked_at(*room.of_arguments)
        features = transform_kernel.features.looked_at(*room.of_features)

        def read() -> NDArray[np.float32]:
            arguments(*room.of_arguments)
            np.log1p(room.sizes, out=room.sizes)
            features(*room.of_features)
            return room.features.copy()

        return read

    def _room(self, totals_RQ: Floats, given: Floats) -> _Room:
        rows = len(totals_RQ)
        sizes = np.empty((rows, len(self.terms_L9)))
        is_negative = np.empty(sizes.shape, dtype=np.bool_)
        features = np.empty((rows, len(self.sources_F5)), dtype=np.float32)
        return _Room(
            (totals_RQ, self.terms_L9, self.numbers_L2, sizes, is_negative),
            (totals_RQ, sizes, is_negative, given, self.sources_F5, self.bins_F, features),
        )


class _Room(NamedTuple):
    """What the two compiled functions take, see `transform_kernel`."""

    of_arguments: tuple[Floats, Columns, Floats, Floats, NDArray[np.bool_]]
    of_features: tuple[
        Floats, Floats, NDArray[np.bool_], Floats, Columns, Floats, NDArray[np.float32]
    ]

    @property
    def sizes(self) -> Floats:
        """Arguments of logarithms, then these."""
        return self.of_features[1]

    @property
    def features(self) -> NDArray[np.float32]:
        """What is found."""
        return self.of_features[-1]


def _tables(
    formulas: Sequence[Formula], logarithms: Sequence[Logarithm], layout: ScanLayout
) -> _Tables:
    terms = [_terms_of(logarithm, layout) for logarithm in logarithms]
    numbers = [
        (getattr(logarithm, "divisor", 1.0), getattr(logarithm, "spare", 0))
        for logarithm in logarithms
    ]
    place: dict[Formula, int] = {logarithm: n for n, logarithm in enumerate(logarithms)}
    looked_up = [f for f in formulas if isinstance(f, Attribute | OfCutoff)]
    given: dict[Formula, int] = {formula: n for n, formula in enumerate(looked_up)}
    sources = [_sources_of(formula, place, given, layout) for formula in formulas]
    bins = [f.histogram.width if isinstance(f, Share) else 0 for f in formulas]
    return _Tables(
        terms_L9=np.array(terms, dtype=np.int64).reshape(-1, 9),
        numbers_L2=np.array(numbers, dtype=np.float64).reshape(-1, 2),
        sources_F5=np.array(sources, dtype=np.int64).reshape(-1, 5),
        bins_F=np.array(bins, dtype=np.float64),
    )


_NOTHING = (0, 0)


def _terms_of(logarithm: Logarithm, layout: ScanLayout) -> tuple[int, ...]:
    """A row of `terms_L9`."""
    match logarithm:
        case Log(tally=tally):
            return (transform_kernel.PLAIN, *layout.terms(tally), *_NOTHING * 3)
        case MeanLog(of=of, count=count, less=less):
            away = _NOTHING if less is None else layout.terms(less)
            of_mean = (*layout.terms(of), *away, *layout.terms(count))
            return (transform_kernel.MEAN, *of_mean, *_NOTHING)
        case DeviationLog(squares=squares, of=of, count=count):
            of_mean = (*layout.terms(of), *_NOTHING, *layout.terms(count))
            return (transform_kernel.DEVIATION, *of_mean, *layout.terms(squares))


def _sources_of(
    formula: Formula,
    place: Mapping[Formula, int],
    given: Mapping[Formula, int],
    layout: ScanLayout,
) -> tuple[int, ...]:
    """A row of `sources_F5`."""
    match formula:
        case Difference(left=left, right=right):
            return (transform_kernel.RATIO, place[left], place[right], *_NOTHING)
        case Share(histogram=histogram, code=code):
            parts = layout.terms(Bin(histogram, code)), layout.terms(Bin(histogram, None))
            return (transform_kernel.SHARE, *parts[0], *parts[1])
        case Attribute() | OfCutoff():
            return (transform_kernel.GIVEN, given[formula], 0, *_NOTHING)
    return (transform_kernel.LOGARITHM, place[formula], 0, *_NOTHING)


class _Logarithms:
    """The logarithms that the formulas are made of: plain ones, means, deviations."""

    def __init__(self, logarithms: Sequence[Logarithm], layout: ScanLayout) -> None:
        plain = [formula for formula in logarithms if isinstance(formula, Log)]
        means = [formula for formula in logarithms if isinstance(formula, MeanLog)]
        deviations = [formula for formula in logarithms if isinstance(formula, DeviationLog)]
        counted: list[MeanLog | DeviationLog] = [*means, *deviations]
        in_order: list[Formula] = [*plain, *counted]
        self.place = {formula: column for column, formula in enumerate(in_order)}
        self._terms = _Terms(
            layout,
            [formula.tally for formula in plain]
            + [formula.of for formula in counted]
            + [formula.squares for formula in deviations]
            + [formula.count for formula in counted],
        )
        less = [(len(plain) + n, mean.less) for n, mean in enumerate(means) if mean.less]
        self._with_less = _columns([column for column, _ in less])
        self._less = _Terms(layout, [tally for _, tally in less if tally])
        self._divisors = np.array(
            [f.divisor for f in plain] + [f.divisor for f in means] + [1.0] * len(deviations)
        )
        self._spare = np.array([float(formula.spare) for formula in counted])
        self._counted = slice(len(plain), len(self.place))
        self._squares = slice(len(self.place), len(self.place) + len(deviations))
        self._deviations = slice(len(plain) + len(means), len(self.place))

    def read(self, totals_RQ: Floats) -> Floats:
        """(R, L) log(1 + x) with the sign of x, NaN where undefined."""
        terms = self._terms.read(totals_RQ)
        if len(self._with_less):
            terms[:, self._with_less] -= self._less.read(totals_RQ)
        numbers = terms[:, : len(self.place)]
        if len(self._spare):
            counts = terms[:, self._squares.stop :] - self._spare
            counts[counts <= 0] = np.nan
            numbers[:, self._counted] /= counts
            self._deviate(numbers, terms, counts)
        numbers = numbers / self._divisors
        logs: Floats = np.copysign(np.log1p(np.abs(numbers)), numbers + 0.0)
        return logs

    def _deviate(self, numbers: Floats, terms: Floats, counts: Floats) -> None:
        """The root of the mean square less the squared mean, in the place of the mean."""
        mean = numbers[:, self._deviations]
        size = mean.shape[1]
        if size:
            variance = terms[:, self._squares] / counts[:, -size:] - mean * mean
            numbers[:, self._deviations] = np.sqrt(np.maximum(variance, 0))


class _Terms:
    """Some tallies, one after the other: where they stand and what is taken away."""

    def __init__(self, layout: ScanLayout, tallies: Sequence[Tally]) -> None:
        terms = [layout.terms(tally) for tally in tallies]
        self._plus = _columns([plus for plus, _ in terms])
        self._less = _columns([column for column, (_, minus) in enumerate(terms) if minus])
        self._minus = _columns([minus for _, minus in terms if minus])

    def read(self, totals_RQ: Floats) -> Floats:
        numbers = totals_RQ.take(self._plus, axis=1)
        if len(self._less):
            numbers[:, self._less] -= totals_RQ.take(self._minus, axis=1)
        return numbers


def _logarithms(formulas: Sequence[Formula]) -> list[Logarithm]:
    """The different logarithms that the formulas are made of."""
    found: dict[Formula, None] = {}
    for formula in formulas:
        if isinstance(formula, Difference):
            found |= {formula.left: None, formula.right: None}
        else:
            found[formula] = None
    return [formula for formula in found if isinstance(formula, Log | MeanLog | DeviationLog)]


def _columns(numbers: Sequence[int]) -> Columns:
    return np.array(numbers, dtype=np.int64)
