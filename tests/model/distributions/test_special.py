from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from model.distributions import special

LOGITS = np.concatenate([np.linspace(-800, 800, 1001), [-1e-20, 0.0, 1e-20, np.inf, -np.inf]])
DTYPES = [np.float64, np.float32]


def assert_close(found: np.ndarray, expected: np.ndarray, steps: int) -> None:
    """But for so many times the last bit, and numbers too small for all bits."""
    kind = np.finfo(found.dtype)
    rtol, atol = steps * float(kind.eps), float(kind.tiny)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ["expit", "log_expit"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_of_log_odds_are_those_of_scipy(
    name: str, dtype: type[np.floating[Any]]
) -> None:
    logits = LOGITS.astype(dtype)
    found, expected = (getattr(module, name)(logits) for module in (special, scipy.special))
    assert found.dtype == dtype
    assert_close(found, expected, 4)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_shares_are_those_of_scipy(name: str, dtype: type[np.floating[Any]]) -> None:
    logits = np.random.default_rng(0).normal(scale=30, size=(50, 7)).astype(dtype)
    found = getattr(special, name)(logits)
    expected = getattr(scipy.special, name)(logits, axis=-1)
    assert found.dtype == dtype
    assert_close(found, expected, 100)


def test_normal_quantiles_are_those_of_scipy() -> None:
    tails = 10.0 ** -np.linspace(0.3, 300, 2000)
    levels = np.concatenate([tails, 1 - tails[:100], np.linspace(0, 1, 1001), [np.nan, -1, 2]])
    np.testing.assert_allclose(
        special.ndtri(levels), scipy.special.ndtri(levels), rtol=2e-14, atol=1e-15
    )
    assert special.ndtri(0.5) == 0
