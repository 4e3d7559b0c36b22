from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config import Config
from model.distributions import Layout
from model.errors import Stopped
from model.network import SSMTLNetwork
from model.training.examples import Examples
from model.training.loop import TrainingRun, make_optimizer
from model.training.loss import TaskWeights, training_loss
from model.training.preparation import Prepared
from model.training.sampling import TaskSampler
from model.training.scoring import mean_nll, outputs_of

EPOCHS = 3


def run_of(prepared: Prepared, config: Config, seed: int = 0) -> TrainingRun:
    torch.manual_seed(seed)
    return TrainingRun(
        network=prepared.network(config),
        training=prepared.training,
        validation={},
        climatology_nll=prepared.climatology_nll,
        config=config,
        seed=seed,
    )


def nothing(epoch: int, losses: dict[str, float]) -> None:
    pass


def never() -> bool:
    return False


def after(calls: int) -> Callable[[], bool]:
    """True from the n-th call on."""
    seen = iter(range(calls))
    return lambda: next(seen, None) is None


def same_state(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(value, right[name]) for name, value in left.items())


def test_training_starts_at_the_climatology(prepared: Prepared, config: Config) -> None:
    network = prepared.network(config)
    for entity, examples in prepared.training.items():
        layout: Layout = prepared.layouts[entity]
        outputs = outputs_of(network, network.kind(entity), examples)
        free = [
            column
            for task in layout.tasks
            if task.target.kind != "peak_period"
            for column in range(*layout.columns_of(task.name).indices(layout.columns))
        ]
        expected = torch.from_numpy(prepared.baselines[entity].climatology)[free]
        assert (outputs.marginals[:, free] - expected).abs().max() < 0.3


def test_it_learns_one_batch_by_heart(prepared: Prepared) -> None:
    config = Config(width=64, members=2, dropout=0.0, self_supervision=0.3, embedding=8)
    torch.manual_seed(0)
    network = prepared.network(config)
    kind, examples = network.kind("user"), prepared.training["user"].take(np.arange(48))
    optimizer, generator = make_optimizer(network, config), torch.Generator().manual_seed(0)
    for group in optimizer.param_groups:
        group["lr"] = 5e-3
    weights = TaskWeights.of(kind.layout, prepared.climatology_nll["user"], config)

    def nll() -> Tensor:
        outputs = outputs_of(network, kind, examples)
        return mean_nll(kind.nll(outputs.marginals, examples.labels), examples.weights)

    sampler = TaskSampler(kind, weights, config.step_tasks)
    every = np.arange(len(examples))
    before = nll()
    network.train()
    for _ in range(300):
        asked, related = sampler.ask(examples, every, generator)
        batch = examples.batch(every)
        loss, _ = training_loss(
            network, kind, batch, asked, related, examples.weights, 0.3, generator
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learnt = nll()
    for name in ("buys_7d", "buys_30d"):
        task = kind.layout.position(name)
        assert learnt[task] < 0.15 * before[task]
    assert (learnt < 0.8 * before).all(), "every task, the generated ones too"


def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    prepared: Prepared, config: Config
) -> None:
    first, second = (run_of(prepared, config).fit(1, nothing, never) for _ in range(2))
    assert same_state(first.state_dict(), second.state_dict())
    other = run_of(prepared, config, seed=1).fit(1, nothing, never)
    assert not same_state(first.state_dict(), other.state_dict())


def test_the_marginals_learn_the_same_without_a_joint_head(
    prepared: Prepared, config: Config
) -> None:
    without = config.model_copy(update={"joint": False})
    first, second = (run_of(prepared, some).fit(1, nothing, never) for some in (config, without))
    states = first.state_dict(), second.state_dict()
    others = {name: value for name, value in states[0].items() if ".joint." not in name}
    assert same_state(others, states[1])
    assert not same_state(states[0], states[1])


def test_of_many_tasks_a_step_computes_some_and_all_are_learned(
    prepared: Prepared, config: Config
) -> None:
    few = config.model_copy(update={"step_tasks": 8})
    first, second = (run_of(prepared, few).fit(1, nothing, never) for _ in range(2))
    assert same_state(first.state_dict(), second.state_dict())
    start = prepared.network(few)
    for before, after in zip(
        start.kind("user").stage.private, first.kind("user").stage.private, strict=True
    ):
        assert ((after - before).abs().amax(dim=(1, 2)) > 0).all()


def test_losses_fall_and_are_told_per_declared_task(prepared: Prepared, config: Config) -> None:
    told: list[dict[str, float]] = []
    run = run_of(prepared, config)
    run.fit(EPOCHS, lambda _, losses: told.append(losses), never)
    assert len(told) == EPOCHS
    declared = {
        task.name
        for layout in prepared.layouts.values()
        for task in layout.tasks
        if not task.name.startswith("self:")
    }
    assert set(told[-1]) == declared
    assert np.mean(list(told[-1].values())) < np.mean(list(told[0].values()))


class Scripted(TrainingRun):
    """Its validation losses are given; the weights that were validated are kept."""

    def script(self, losses: list[float]) -> None:
        self._losses = iter(losses)
        self.seen: list[dict[str, Tensor]] = []

    def _validate(self, network: torch.nn.Module) -> dict[str, float]:
        assert isinstance(network, SSMTLNetwork)
        self.seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"task": next(self._losses)}


@pytest.mark.parametrize(
    ("losses", "best", "epochs"),
    [
        ([3.0, 1.0, 2.0, 2.5, 0.5], 2, 4),  # two epochs without a better one end it
        ([3.0, 2.0, 1.0, 0.9, 0.8], 5, 5),
        ([1.0, 2.0, 3.0, 0.1, 0.1], 1, 3),
    ],
)
def test_the_weights_of_the_best_epoch_are_returned(
    prepared: Prepared, config: Config, losses: list[float], best: int, epochs: int
) -> None:
    quick = config.model_copy(update={"max_steps_per_epoch": 3, "patience": 2})
    validation: dict[str, Examples] = dict(prepared.training)  # any rows: the losses are scripted
    plain = run_of(prepared, quick)
    run = Scripted(**{**vars(plain), "validation": validation})
    run.script(losses)
    network = run.fit(len(losses), nothing, never)
    assert run.best_epoch == best
    assert run.best_loss == losses[best - 1]
    assert len(run.seen) == epochs
    assert same_state(network.state_dict(), run.seen[best - 1])
    assert not network.training


def test_validation_is_of_the_declared_tasks_and_counts_in_climatologies(
    prepared: Prepared, config: Config
) -> None:
    run = run_of(prepared, config)
    run.validation = prepared.training
    told = run._validate(run.network)
    assert set(told) == {
        task.name
        for layout in prepared.layouts.values()
        for task in layout.tasks
        if not task.name.startswith("self:")
    }
    for name, value in told.items():
        if name != "best_weekday":
            assert value == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("calls", [0, 1, 7])
def test_training_stops_when_asked(prepared: Prepared, config: Config, calls: int) -> None:
    with pytest.raises(Stopped):
        run_of(prepared, config).fit(EPOCHS, nothing, after(calls))


def test_every_kind_gets_steps(prepared: Prepared, config: Config) -> None:
    run = run_of(prepared, config)
    run._rng = np.random.default_rng(0)
    steps = run._steps()
    assert len(steps) <= config.max_steps_per_epoch + len(prepared.training)
    assert {entity for entity, _ in steps} == set(prepared.training)
    for entity, rows in steps:
        assert len(rows) <= config.batch_rows
        assert rows.max() < len(prepared.training[entity])
