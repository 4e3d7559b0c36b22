"""The networks of the contest: SSMTL, and others trained by the same loop on the same rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.quality.contest import Ground, Nats
from benchmarks.quality.sharing import Mix, replace_sharing
from model.distributions import Consistency, Serving
from model.network import SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.snapshots import least_amounts
from model.training.boosting import boost
from model.training.calibration import fit_calibration
from model.training.loop import MAX_VALIDATION_ROWS, TrainingRun
from model.training.preparation import declared_tasks
from model.training.scoring import outputs_of
from model.training.selection import choose_serving
from model.training.stacking import learn_shares

Built = Callable[[SSMTLNetwork], None]


def ssmtl(ground: Ground, seed: int) -> dict[str, Nats]:
    """All tasks and the self-supervised ones in one network, with and without boosted heads."""
    network = trained(ground, seed)
    alone = served(ground, network)
    boost(network, ground.prepared.training, ground.validation, seed)
    return {"ssmtl": served(ground, network), "without_trees": alone}


def single_task(ground: Ground, seed: int) -> Nats:
    """The same network once per task."""
    nats: Nats = {}
    for _, task in ground.tasks():
        alone = ground.restricted([task.name])
        nats |= served(alone, trained(alone, seed))
    return nats


def sharing(mix: Mix) -> Callable[[Ground, int], Nats]:
    """All tasks of a fold in a network that shares in another way."""

    def compete(ground: Ground, seed: int) -> Nats:
        alone = ground.restricted([task.name for _, task in ground.tasks()])

        def build(network: SSMTLNetwork) -> None:
            for entity in network.layouts:
                replace_sharing(network.kind(entity), mix, ground.config.dropout)

        return served(alone, trained(alone, seed, build))

    return compete


def served(ground: Ground, network: SSMTLNetwork) -> Nats:
    """The NLL of what is served: calibrated, or the baseline where validation prefers that."""
    nats: Nats = {}
    came_true = ground.prepared.came_true(ground.fold.validation)
    for entity, layout in ground.prepared.layouts.items():
        kind, baselines = network.kind(entity), ground.prepared.baselines[entity]
        seen, test = ground.validation[entity], ground.test[entity]
        learn_shares(network, kind, seen, came_true)
        serving = choose_serving(
            layout,
            outputs_of(network, kind, seen),
            seen,
            baselines,
            ground.prepared.scales,
            list(layout.tasks),
            came_true,
        )
        least = least_amounts(ground.prepared.reader.choices, layout.tasks)
        parameters = Serving(layout, serving, baselines, Consistency(layout, least)).parameters(
            outputs_of(network, kind, test).marginals.numpy(),
            test.naive,
            test.inputs.numbers,
            np.zeros(len(test), dtype=bool),
        )
        nll = nll_of_all(layout, torch.from_numpy(parameters), test.labels)
        for task in declared_tasks(layout):
            nats[task.name] = nll[:, layout.position(task.name)].double().numpy()
    return nats


def calibrated(ground: Ground, seed: int) -> Nats:
    """The NLL of the network itself: trained, calibrated on validation, with no baseline."""
    network = trained(ground, seed)
    nats: Nats = {}
    for entity, layout in ground.prepared.layouts.items():
        kind, seen, test = network.kind(entity), ground.validation[entity], ground.test[entity]
        slope, shift = fit_calibration(
            layout, outputs_of(network, kind, seen).marginals, seen.labels, seen.weights
        )
        nll = kind.nll(outputs_of(network, kind, test).marginals * slope + shift, test.labels)
        for task in layout.tasks:
            nats[task.name] = nll[:, layout.position(task.name)].double().numpy()
    return nats


def trained(ground: Ground, seed: int, build: Built | None = None) -> SSMTLNetwork:
    """The network after the loop of every training, stopped early on validation."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = ground.prepared.network(ground.config)
    if build is not None:
        build(network)
    run = TrainingRun(
        network=network,
        training=ground.prepared.training,
        validation={
            entity: examples.take(rng.permutation(len(examples))[:MAX_VALIDATION_ROWS])
            for entity, examples in ground.validation.items()
        },
        climatology_nll=ground.prepared.climatology_nll,
        config=ground.config,
        seed=seed,
    )
    return run.fit(ground.config.max_epochs, lambda *_: None, lambda: False)
