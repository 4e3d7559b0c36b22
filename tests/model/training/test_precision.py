"""Half the bits, where the processor has instructions for them and the states agree."""

from __future__ import annotations

import pytest
import torch

from model.config import Config
from model.training.precision import MAX_ERROR, error_of, state_of, usable
from model.training.preparation import Prepared
from tests.model.network.made_networks import made_batch, made_network
from tests.model.training.test_loop import never, nothing, run_of, same_state

BATCH_ROWS = 64


def test_states_in_half_the_bits_agree_and_are_whole_numbers_of_bits() -> None:
    kind, batch = made_network().kind("user"), made_batch(BATCH_ROWS)
    rounded = state_of(kind, batch, "bfloat16")
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, kind.state(batch))
    assert 0 < error_of(kind, batch) <= MAX_ERROR


def test_the_check_leaves_the_mode_as_it_was() -> None:
    kind = made_network().kind("user").train()
    error_of(kind, made_batch(BATCH_ROWS))
    assert kind.training


@pytest.mark.parametrize(
    ("wanted", "supported", "error", "expected"),
    [
        ("bfloat16", True, 0.0, "bfloat16"),
        ("bfloat16", True, 2 * MAX_ERROR, "float32"),
        ("bfloat16", False, 0.0, "float32"),
        ("float32", True, 0.0, "float32"),
    ],
)
def test_it_falls_back_where_it_is_not_supported_or_does_not_agree(
    wanted: str, supported: bool, error: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.precision.is_supported", lambda: supported)
    monkeypatch.setattr("model.training.precision.error_of", lambda *_: error)
    kind, batch = made_network().kind("user"), made_batch(BATCH_ROWS)
    assert usable(wanted, kind, batch) == expected  # type: ignore[arg-type]


def test_training_in_half_the_bits_is_the_same_under_a_seed(
    prepared: Prepared, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.precision.is_supported", lambda: True)
    half = config.model_copy(update={"precision": "bfloat16"})
    first, second, exact = (
        run_of(prepared, some).fit(1, nothing, never).state_dict() for some in (half, half, config)
    )
    assert same_state(first, second)
    assert not same_state(first, exact)
