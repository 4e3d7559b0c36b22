from __future__ import annotations

import math

from model import SSMTL


def test_cold_users_are_tested_apart(fitted: SSMTL) -> None:
    report = fitted.report_.tasks["buys_7d"]
    assert report.cold is not None
    assert report.cold.rows > 0
    assert set(report.cold.nll) == set(report.scores)
    assert all(math.isfinite(nll) for nll in report.cold.nll.values())
    assert report.cold.observed_mean is not None
    assert 0 <= report.cold.observed_mean <= 1


def test_of_pairs_nobody_is_cold(fitted: SSMTL) -> None:
    assert fitted.report_.tasks["views_14d"].cold is None
