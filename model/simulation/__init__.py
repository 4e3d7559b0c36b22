"""A simulated shop whose truth is known: for the demo, the tests and the benchmarks."""

from model.simulation.shop import SimulatedShop, simulate_events, simulate_shop
from model.simulation.truth import Truth

__all__ = ["SimulatedShop", "Truth", "simulate_events", "simulate_shop"]
