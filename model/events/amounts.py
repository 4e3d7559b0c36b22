"""Quantities and money of events, in the grains that make their running totals exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InvalidEvents

UNIT_STEP = 2.0**-20
"""The grain of quantities: sums of up to 8 billion units are exact in float64."""
MAX_AMOUNT = 1e12
"""The largest quantity, price or value."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Amounts:
    """See `EventLog` for the columns; (N,) each."""

    units: Floats
    price_cents: NDArray[np.int64]
    value_cents: NDArray[np.int64]
    has_value: bool
    has_quantity: bool

    @classmethod
    def of(cls, quantity: Floats, price: Floats, value: Floats) -> Amounts:
        """From what the events say, NaN for nothing.

        Raises:
            InvalidEvents: an amount is too large.
        """
        value = np.where(np.isnan(value), quantity * price, value)
        for name, amounts in (("quantity", quantity), ("price", price), ("value", value)):
            _check_size(name, amounts)
        return cls(
            units=_to_units(quantity),
            price_cents=_to_cents(price, absent=-1),
            value_cents=_to_cents(value, absent=0),
            has_value=bool((~np.isnan(value)).any()),
            has_quantity=bool((~np.isnan(quantity)).any()),
        )


def _check_size(name: str, amounts: Floats) -> None:
    too_large = np.flatnonzero(np.abs(amounts) > MAX_AMOUNT)
    if len(too_large):
        raise InvalidEvents(
            f"an event has the {name} {amounts[too_large[0]]:g}: at most {MAX_AMOUNT:g} is allowed"
        )


def _to_units(quantity: Floats) -> Floats:
    units: Floats = np.rint(quantity / UNIT_STEP) * UNIT_STEP
    return np.where(np.isnan(units), 1.0, units)


def _to_cents(money: Floats, *, absent: int) -> NDArray[np.int64]:
    cents: NDArray[np.int64] = np.where(
        np.isnan(money), float(absent), np.rint(money * 100)
    ).astype(np.int64)
    return cents
