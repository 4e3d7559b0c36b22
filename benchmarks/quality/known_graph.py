"""Is the graph that the model reports the one that made the outcomes?

Users decide each week about twelve shelves. Whether they buy from a shelf depends on what they are
like, which the model is told, and on whether they buy from the shelves that a sparse random graph
connects with it (an Ising model: Besag, Journal of the Royal Statistical Society B 36, 1974).
Shelves that the same users like correlate without an edge. An edge's strength is what the report
says: the nats that one outcome is worth for the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.networks import trained
from model import Config, Occurs, Task
from model.evaluation import Edge
from model.evaluation.metrics import auroc
from model.events import EventLog
from model.tasks import Condition
from model.training.graph import edges_with_gain

USERS, WEEKS, SHELVES, TASTES = 1500, 30, 12, 4
EDGES = 14
COUPLING = 1.0
_SWEEPS = 30
_START = pd.Timestamp("2024-01-01 12:00", tz="UTC")
Floats = NDArray[np.float64]


def measure(seeds: int, console: Console) -> dict[str, float]:
    """Print what was found, return the figures."""
    edges, log = known_shop(seed=0)
    config = Config()
    declared = [
        Task(
            name=f"shelf_{shelf}",
            entity="user",
            target=Occurs(
                event_type="purchase",
                where=(Condition(attribute="item.shelf", value=f"{shelf}"),),
            ),
            horizon_days=7,
        )
        for shelf in range(SHELVES)
    ]
    (fold,) = folds_of(log, declared, config)
    ground = Ground.of(log, fold, config, seed=0)
    strengths = []
    for seed in range(max(seeds, 2)):
        network = trained(ground, seed)
        found = edges_with_gain(network, network.kind("user"), ground.validation["user"])
        strengths.append(strength(found))
    labels = correlation_of(found)
    is_edge = np.zeros((SHELVES, SHELVES), dtype=bool)
    is_edge[tuple(np.array(edges).T)] = True
    pairs = np.triu_indices(SHELVES, 1)
    by_seed = [_auc(some, is_edge, pairs) for some in strengths]
    off_diagonal = ~np.eye(SHELVES, dtype=bool)
    alike = np.corrcoef([some[off_diagonal] for some in strengths]).min()
    console.print(
        f"known graph: AUC of the edges by seed {[round(auc, 3) for auc in by_seed]}, of the "
        f"labels' correlation {_auc(labels, is_edge, pairs):.3f}; seeds agree by {alike:.3f}"
    )
    return {
        "graph_edge_auc": float(np.mean(by_seed)),
        "graph_edge_auc_of_label_correlation": _auc(labels, is_edge, pairs),
        "graph_seed_correlation": float(alike),
    }


def known_shop(seed: int) -> tuple[list[tuple[int, int]], EventLog]:
    """The edges, and a log of weekly purchases that they made."""
    rng = np.random.default_rng(seed)
    pairs = np.array(np.triu_indices(SHELVES, 1)).T
    edges = [(int(a), int(b)) for a, b in pairs[rng.choice(len(pairs), EDGES, replace=False)]]
    coupling = np.zeros((SHELVES, SHELVES))
    for one, other in edges:
        coupling[one, other] = coupling[other, one] = COUPLING
    tastes = rng.normal(size=(USERS, TASTES))
    liking = rng.normal(size=(TASTES, SHELVES)) * 0.7
    base = -1.5 - coupling.sum(axis=0) / 3
    field = np.repeat(base + tastes @ liking, WEEKS, axis=0)
    bought = _drawn(field, coupling, rng)
    row, shelf = np.nonzero(bought)
    user, week = row // WEEKS, row % WEEKS
    events = pd.DataFrame(
        {
            "user": [f"u{number}" for number in user],
            "item": [f"i{number}" for number in shelf],
            "time": _START + pd.to_timedelta(week * 7, unit="D"),
            "event_type": "purchase",
        }
    )
    users = pd.DataFrame(tastes, columns=[f"taste_{n}" for n in range(TASTES)])
    users.insert(0, "user", [f"u{number}" for number in range(USERS)])
    numbers = range(SHELVES)
    items = pd.DataFrame({"item": [f"i{n}" for n in numbers], "shelf": [f"{n}" for n in numbers]})
    return edges, EventLog.from_frames(events, users, items)


def _drawn(field: Floats, coupling: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(R, shelves) outcomes, by Gibbs sampling: each shelf in turn given the others."""
    bought = rng.random(field.shape) < 0.3
    for _ in range(_SWEEPS):
        for shelf in range(field.shape[1]):
            logit = field[:, shelf] + bought @ coupling[:, shelf]
            bought[:, shelf] = rng.random(len(field)) < 1 / (1 + np.exp(-logit))
    return bought


def strength(edges: Sequence[Edge]) -> Floats:
    """(shelves, shelves) nats from each row's shelf for each column's, 0 without an edge."""
    return _matrix(edges, [edge.gain_nats for edge in edges])


def correlation_of(edges: Sequence[Edge]) -> Floats:
    """(shelves, shelves) how strongly the labels of connected shelves correlate."""
    return _matrix(edges, [abs(edge.correlation) for edge in edges])


def _matrix(edges: Sequence[Edge], values: Sequence[float]) -> Floats:
    matrix = np.zeros((SHELVES, SHELVES))
    for edge, value in zip(edges, values, strict=True):
        source, target = (int(name.removeprefix("shelf_")) for name in (edge.source, edge.target))
        matrix[source, target] = value
    return matrix


def _auc(found: Floats, is_edge: NDArray[np.bool_], pairs: tuple[NDArray[np.intp], ...]) -> float:
    both = (found + found.T)[pairs]
    return auroc(both, is_edge[pairs], np.ones(len(both)))
