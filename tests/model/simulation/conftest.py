from __future__ import annotations

import pytest

from model.simulation import SimulatedShop, simulate_shop


@pytest.fixture(scope="session")
def shop() -> SimulatedShop:
    return simulate_shop(users=900, items=120, days=420, seed=3)
