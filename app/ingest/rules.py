"""From a row to its event type by rule, e.g. `Quantity < 0` is a `return`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
from app.ingest.blocks import Block
from app.ingest.cells import numbers_of, text_of
from app.ingest.checked import mask
from app.ingest.mapping import Rule

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def event_types_by_rule(block: Block, rules: Sequence[Rule]) -> pa.Array:
    """The event type of the first rule that fits each row; null where none does."""
    codes = np.full(len(block), -1, dtype=np.int32)
    for number, rule in enumerate(rules):
        codes[_fits(block, rule) & (codes < 0)] = number
    names = pa.array([rule.event_type for rule in rules], pa.string())
    return names.take(pa.array(codes, mask=codes < 0))


def _fits(block: Block, rule: Rule) -> NDArray[np.bool_]:
    cells = block.column(rule.column)
    if isinstance(rule.value, int | float):
        numbers = numbers_of(cells)
        usable = ~(numbers.missing | numbers.unreadable)
        fits: NDArray[np.bool_] = _COMPARE[rule.op](numbers.value, rule.value) & usable
        return fits
    texts = text_of(cells)
    if rule.op == "is_missing":
        found = pc.is_null(texts)
    elif rule.op == "starts_with":
        found = pc.starts_with(texts, str(rule.value))
    else:
        found = (pc.equal if rule.op == "==" else pc.not_equal)(texts, str(rule.value))
    return mask(found)
