"""Shares of a difference: how much each of several players adds, on average over their orders.

The Shapley value (Shapley, 1953) from sampled orders (Castro et al., Computers and Operations
Research 36, 2009). In each order every player adds what changes when it joins those before it; so
whatever the orders, the shares sum to the whole difference. Orders come in pairs, one the reverse
of the other, which makes the shares of few of them steadier.

    M = orders, G = players, V = values
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sampled_orders(players: int, pairs: int) -> NDArray[np.int64]:
    """(2 * pairs, players) orders, always the same ones, each beside its reverse."""
    rng = np.random.default_rng(0)
    forwards = np.array([rng.permutation(players) for _ in range(pairs)], dtype=np.int64)
    forwards = forwards.reshape(pairs, players)
    return np.stack([forwards, forwards[:, ::-1]], axis=1).reshape(2 * pairs, players)


def coalitions(orders_MG: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M, G + 1, G) who has joined after each step of each order, nobody first."""
    places_MG = orders_MG.argsort(axis=1)
    steps = np.arange(orders_MG.shape[1] + 1)
    joined: NDArray[np.bool_] = places_MG[:, None, :] < steps[None, :, None]
    return joined


def shares(orders_MG: NDArray[np.int64], values_MSV: NDArray[np.float64]) -> NDArray[np.float64]:
    """(G, V) what each player adds on average.

    Args:
        orders_MG: of the players.
        values_MSV: (M, G + 1, V) the values of the coalitions.
    """
    added_MGV = np.diff(values_MSV, axis=1)
    places_MG = orders_MG.argsort(axis=1)
    of_player_MGV = np.take_along_axis(added_MGV, places_MG[:, :, None], axis=1)
    mean: NDArray[np.float64] = of_player_MGV.mean(axis=0)
    return mean
