"""The formulas for the compiler: from totals to arguments of logarithms, from those to features.

Between the two stands NumPy's logarithm, so that the numbers are those of `transforms` in NumPy bit
for bit: every other operation is one that IEEE 754 rounds in one way.
"""

# R = rows, Q = tallies, L = logarithms, F = features, G = given numbers

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

PLAIN, MEAN, DEVIATION = 0, 1, 2
"""Kinds of logarithms."""
LOGARITHM, RATIO, SHARE, GIVEN = 0, 1, 2, 3
"""Kinds of features."""

_FLOATS_2 = "Array(float64, 2, 'C', readonly=True)"
_LONGS_2 = "Array(int64, 2, 'C', readonly=True)"
_FLOATS = "Array(float64, 1, 'C', readonly=True)"


@compiled_as(
    f"void({_FLOATS_2}, {_LONGS_2}, {_FLOATS_2}, Array(float64, 2, 'C'), Array(boolean, 2, 'C'))"
)
def arguments(
    totals_RQ: Floats,
    terms_L9: Longs,
    numbers_L2: Floats,
    sizes_RL: Floats,
    is_negative_RL: NDArray[np.bool_],
) -> None:
    """Fill the last two: what logarithms are taken of, and its sign.

    Args:
        totals_RQ: of the scan; column 0 is zero.
        terms_L9: kind, and where a tally and what is taken away from it stand: of the number, of
            what it is less, of the count, of the squares.
        numbers_L2: divisor, and what is spare of the count.
        sizes_RL: NaN where undefined.
        is_negative_RL: the sign.
    """
    for r in range(len(totals_RQ)):
        totals = totals_RQ[r]
        for j in range(len(terms_L9)):
            kind = terms_L9[j, 0]
            number = totals[terms_L9[j, 1]] - totals[terms_L9[j, 2]]
            if kind != PLAIN:
                number -= totals[terms_L9[j, 3]] - totals[terms_L9[j, 4]]
                count = totals[terms_L9[j, 5]] - totals[terms_L9[j, 6]] - numbers_L2[j, 1]
                number = number / count if count > 0 else np.nan
                if kind == DEVIATION and count > 0:
                    squares = totals[terms_L9[j, 7]] - totals[terms_L9[j, 8]]
                    number = np.sqrt(max(squares / count - number * number, 0.0))
            if numbers_L2[j, 0] != 1.0:
                number /= numbers_L2[j, 0]
            sizes_RL[r, j] = abs(number)
            is_negative_RL[r, j] = number < 0


@compiled_as(
    f"void({_FLOATS_2}, Array(float64, 2, 'C'), Array(boolean, 2, 'C', readonly=True), "
    f"{_FLOATS_2}, {_LONGS_2}, {_FLOATS}, Array(float32, 2, 'C'))"
)
def features(
    totals_RQ: Floats,
    logs_RL: Floats,
    is_negative_RL: NDArray[np.bool_],
    given_RG: Floats,
    sources_F5: Longs,
    bins_F: Floats,
    features_RF: NDArray[np.float32],
) -> None:
    """Fill the last: each feature from its sources.

    Args:
        totals_RQ: of the scan; column 0 is zero.
        logs_RL: logarithms of sizes; get their signs here.
        is_negative_RL: the signs.
        given_RG: what no scan gives.
        sources_F5: kind, and where the sources stand: one or two logarithms, or the tallies of a
            share and of the whole and what is taken away from each, or a given number.
        bins_F: of a share.
        features_RF: columns.
    """
    for r in range(len(totals_RQ)):
        totals, logs = totals_RQ[r], logs_RL[r]
        for j in range(len(logs)):
            if is_negative_RL[r, j]:
                logs[j] = -logs[j]
        for f in range(len(sources_F5)):
            kind = sources_F5[f, 0]
            if kind == LOGARITHM:
                features_RF[r, f] = logs[sources_F5[f, 1]]
            elif kind == RATIO:
                features_RF[r, f] = logs[sources_F5[f, 1]] - logs[sources_F5[f, 2]]
            elif kind == SHARE:
                part = totals[sources_F5[f, 1]] - totals[sources_F5[f, 2]] + 1
                whole = totals[sources_F5[f, 3]] - totals[sources_F5[f, 4]] + bins_F[f]
                features_RF[r, f] = part / whole
            else:
                features_RF[r, f] = given_RG[r, sources_F5[f, 1]]
