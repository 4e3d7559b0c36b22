"""What knowing outcomes is worth on the real log, and what it costs the marginals: nothing.

A related group of tasks, whether, how often and for how much a user buys within 7 to 60 days, is
learned with and without the joint head. Its joint NLL on held-out time by the chain rule stands
beside the sum of the marginals, and the marginals of both trainings beside each other. What is
served is made to fit together (`model.distributions.consistency`); how much NLL that costs or gains
is told too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.networks import trained
from benchmarks.quality.shops import online_retail, tasks
from model.config import Config
from model.distributions import Consistency, Serving
from model.network import SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.snapshots import least_amounts
from model.training.boosting import boost
from model.training.examples import Examples
from model.training.graph import joint_report
from model.training.scoring import mean_nll, mean_nll_of, outputs_of
from model.training.selection import choose_serving

_ASKED = ("buys", "orders", "spend")


def measure(data: Path, seeds: int, console: Console) -> dict[str, float]:
    """Print what was found, return the figures."""
    log, config = online_retail(data), Config()
    group = [task for task in tasks() if task.name.split("_")[1] in _ASKED]
    (fold,) = folds_of(log, [task for task in group if task.entity == "user"], config)
    ground = Ground.of(log, fold, config, seed=0)
    runs = [_measure(ground, seed) for seed in range(seeds)]
    figures = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    for name, value in figures.items():
        console.print(f"{name}: {value:.4f}, by seed {[round(run[name], 4) for run in runs]}")
    return figures


def _measure(ground: Ground, seed: int) -> dict[str, float]:
    test = ground.test["user"]
    network = trained(ground, seed)
    without = trained(
        replace(ground, config=ground.config.model_copy(update={"joint": False})), seed
    )
    for some in (network, without):
        boost(some, ground.prepared.training, ground.validation, seed)
    found = joint_report(network, network.kind("user"), test)
    assert found is not None
    own, others = (mean_nll_of(some, some.kind("user"), test) for some in (network, without))
    return {
        "joint_nll_over_marginals": found.joint_nll / found.marginals_nll,
        "reversed_joint_nll_over_marginals": found.reversed_nll / found.marginals_nll,
        "marginal_nll_with_joint_over_without": float((own / others).nanmean()),
        "consistent_nll_over_plain_on_validation": _consistent(ground, network, "validation"),
        "consistent_nll_over_plain_on_test": _consistent(ground, network, "test"),
    }


def _consistent(ground: Ground, network: SSMTLNetwork, part: str) -> float:
    """The served NLL when chances fit together over that of each task by itself."""
    prepared, kind = ground.prepared, network.kind("user")
    layout, baselines = kind.layout, prepared.baselines["user"]
    seen, rows = ground.validation["user"], ground.examples("user", part)
    serving = choose_serving(
        layout,
        outputs_of(network, kind, seen),
        seen,
        baselines,
        prepared.scales,
        layout.tasks,
        prepared.came_true(ground.fold.validation),
    )
    least = least_amounts(prepared.reader.choices, layout.tasks)
    flat = outputs_of(network, kind, rows).marginals.numpy()
    nobody = np.zeros(len(rows), dtype=bool)
    plain = Serving(layout, serving, baselines, Consistency.none())
    whole = Serving(layout, serving, baselines, Consistency(layout, least))
    before, after = (
        _nll(some.parameters(flat, {}, rows.inputs.numbers, nobody), rows)
        for some in (plain, whole)
    )
    return float((after / before).nanmean())


def _nll(flat: np.ndarray, rows: Examples) -> Tensor:
    nll = nll_of_all(rows.layout, torch.from_numpy(flat), rows.labels)
    return mean_nll(nll, rows.weights)
