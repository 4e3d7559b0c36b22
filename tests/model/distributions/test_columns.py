from __future__ import annotations

import numpy as np
import pytest

from model.distributions import Distribution, NamedShares, Scale, columns_of
from model.tasks import Column, Count, Next, Occurs, PeakPeriod, Sum, Task, TimeTo

CASES = {
    "occurs": (Occurs(event_type="buy"), 1, ()),
    "count": (Count(event_type="buy"), 3, ()),
    "sum": (Sum(event_type="buy"), 3, ()),
    "time_to": (TimeTo(event_type="buy"), 10, ()),
    "next": (Next(of="item.category"), 3, ("hats", "shoes", "other")),
    "numbers": (Column(column="stars"), 2, ()),
    "categories": (Column(column="device"), 2, ("phone", "desk")),
    "peak_period": (PeakPeriod(event_type="buy", period="weekday"), 7, ()),
}


@pytest.mark.parametrize("name", CASES)
def test_columns_say_what_the_answers_say(name: str) -> None:
    target, width, classes = CASES[name]
    entity = "item" if name == "peak_period" else "user"
    task = Task(name=name, entity=entity, target=target, horizon_days=14)
    parameters = np.random.default_rng(0).normal(size=(6, width))
    distribution = Distribution(task, parameters, Scale(location=2.0, scale=0.5), classes)
    columns = columns_of(distribution)
    for row, answer in enumerate(distribution.answers()):
        said = {key: value for key, value in answer.items() if key not in {"kind", "period"}}
        said.pop("values", None)
        for level, value in said.pop("quantiles", {}).items():
            column = columns[f"quantile_{level}"]
            assert isinstance(column, np.ndarray)
            expected = np.nan if value is None else value
            assert column[row] == pytest.approx(expected, nan_ok=True)
        for key, value in said.items():
            column = columns[key]
            if isinstance(column, NamedShares):
                shares = dict(zip(column.names, column.values[row], strict=True))
                assert shares == pytest.approx(value)
            elif key == "best":
                assert column[row] == str(value)
            else:
                assert column[row] == pytest.approx(value)
