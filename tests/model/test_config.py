"""Hyperparameters are checked before a fit spends time and memory on them."""

from typing import Any

import pytest
from pydantic import ValidationError

from model.config import Config


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": float("inf")},
        {"learning_rate": float("nan")},
        {"weight_decay": float("inf")},
        {"width": 100_000_000},
        {"members": 0},
        {"lookback_days": 10**12},
        {"unknown": 1},
    ],
)
def test_an_impossible_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config(**wrong)


def test_the_defaults_are_within_the_bounds() -> None:
    assert Config.model_validate(Config().model_dump()) == Config()
