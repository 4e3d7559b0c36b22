"""The training loop: batches of one entity kind at a time, averaged weights, early stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.config import Config, StopCallback
from model.errors import Stopped
from model.network import SSMTLNetwork
from model.tasks import EntityKind
from model.training.examples import Examples
from model.training.loss import TaskWeights, training_loss
from model.training.precision import Precision, usable
from model.training.pretraining import PRETRAINING_EPOCHS, has_few_labels, of_own_tasks
from model.training.sampling import TaskSampler
from model.training.scoring import mean_nll, mean_nll_of
from model.training.self_supervision import is_self_supervised
from model.training.state import (
    Memory,
    Oblivion,
    TrainingState,
    copies_of,
    optimizer_tensors,
    prefixed,
    set_optimizer,
    set_tensors,
    stacked,
    tensors_of,
    under,
    unstacked,
)

AVERAGING = 0.99
WARM_UP_STEPS = 50
JOINT_SPEED = 5.0
"""How much larger the joint heads' steps are: their messages are small and start at nothing."""
PRIVATE_SPEED = 3.0
"""The same of the private heads, which are linear."""
MAX_VALIDATION_ROWS = 20_000
MAX_PASSES = 3
MIN_BATCH_ROWS = 128

EpochCallback = Callable[[int, dict[str, float]], None]


@dataclass
class TrainingRun:
    """One run of the loop.

    Attributes:
        network: trained in place.
        training: rows per entity kind.
        validation: rows per entity kind; none means a fixed number of epochs.
        climatology_nll: (T,) per entity kind, nats of the training climatology.
        seed: of the order of rows, the masks and the revealed outcomes.
        losses: after each epoch the mean over the tasks of the validation NLL over the
            climatology's.
        best_epoch: counted from the end of pretraining, as `losses` are.
    """

    network: SSMTLNetwork
    training: Mapping[EntityKind, Examples]
    validation: Mapping[EntityKind, Examples]
    climatology_nll: Mapping[EntityKind, Tensor]
    config: Config
    seed: int
    losses: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = field(default=float("inf"))

    def fit(
        self,
        epochs: int,
        on_epoch: EpochCallback,
        stop: StopCallback,
        memory: Memory | None = None,
    ) -> SSMTLNetwork:
        """Train for at most so many epochs; returns the averaged network of the best one.

        Where labels are few, epochs of pretraining come before them. With a memory that has a state
        it goes on from there, to the same bits.

        Raises:
            Stopped: `stop` said so.
        """
        memory = memory or Oblivion()
        self._begin()
        state = memory.recall()
        if state is not None:
            self._restore(state)
        while self._learned < epochs and self._learned - self.best_epoch < self.config.patience:
            losses = self._train_epoch(stop, memory)
            self._epoch += 1
            if self._learned <= 0:
                memory.keep(self._state())
                on_epoch(self._epoch, losses)
                continue
            validated = self._validate(self._averaged.module)
            # Without validation labels every epoch is the best so far.
            loss = float(np.mean(list(validated.values()))) if validated else -float(self._learned)
            self.losses.append(loss)
            if loss < self.best_loss:
                self.best_loss, self.best_epoch = loss, self._learned
                self._best = copies_of(self._averaged.module)
            memory.keep(self._state())
            on_epoch(self._epoch, validated or losses)
        set_tensors(self.network, self._best)
        return self.network.eval()

    def _begin(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed)
        self._rng = np.random.default_rng(self.seed)
        self._optimizer = make_optimizer(self.network, self.config)
        self._samplers = {entity: self._sampler(entity) for entity in self.training}
        self._pretraining = {
            entity: self._sampler(entity, pretraining=True)
            for entity, examples in self.training.items()
            if self.config.self_supervision > 0 and has_few_labels(examples)
        }
        self._precision = {entity: self._usable_precision(entity) for entity in self.training}
        self._clipped = _apart(self.network)
        self._averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING))  # type: ignore[no-untyped-call]
        self._best = copies_of(self.network)
        self._epoch: int = 0  # epochs that are over
        self._step: int = 0  # steps of this epoch that are over
        self._recorded: dict[str, list[Tensor]] = {}  # their (T,) mean nats
        self._order = self._rng.bit_generator.state  # what this epoch's order of rows comes from

    def _sampler(self, entity: EntityKind, *, pretraining: bool = False) -> TaskSampler:
        """Asks all tasks, in pretraining the log's own alone."""
        kind = self.network.kind(entity)
        weights = TaskWeights.of(kind.layout, self.climatology_nll[entity], self.config)
        if pretraining:
            weights = of_own_tasks(kind.layout, weights)
        joint = self.config.joint and not pretraining
        return TaskSampler(kind, weights, self.config.step_tasks, joint=joint)

    @property
    def _learned(self) -> int:
        """How many epochs are over since pretraining, below zero before its end."""
        return self._epoch - (PRETRAINING_EPOCHS if self._pretraining else 0)

    def _usable_precision(self, entity: EntityKind) -> Precision:
        """Decided by the network that training begins with, so that who resumes decides alike."""
        some = self.training[entity].batch(slice(MIN_BATCH_ROWS))
        return usable(self.config.precision, self.network.kind(entity), some)

    def _state(self) -> TrainingState:
        """All that changes, between two steps."""
        groups = self._optimizer.state_dict()["param_groups"]
        return TrainingState(
            tensors={
                **prefixed("network", tensors_of(self.network)),
                **prefixed("averaged", tensors_of(self._averaged)),
                **prefixed("best", self._best),
                **prefixed("optimizer", optimizer_tensors(self._optimizer)),
                **prefixed("recorded", stacked(self._recorded)),
                "random.torch": torch.get_rng_state(),
                "random.generator": self._generator.get_state(),
            },
            facts={
                "epoch": self._epoch,
                "step": self._step,
                "best_epoch": self.best_epoch,
                "best_loss": self.best_loss,
                "losses": list(self.losses),
                "order": self._order,
                "groups": groups,
            },
        )

    def _restore(self, state: TrainingState) -> None:
        tensors, facts = state.tensors, state.facts
        set_tensors(self.network, under("network", tensors))
        set_tensors(self._averaged, under("averaged", tensors))
        self._best = under("best", tensors)
        set_optimizer(self._optimizer, under("optimizer", tensors), facts["groups"])
        self._recorded = unstacked(under("recorded", tensors))
        torch.set_rng_state(tensors["random.torch"])
        self._generator.set_state(tensors["random.generator"])
        self._epoch, self._step = facts["epoch"], facts["step"]
        self.best_epoch, self.best_loss = facts["best_epoch"], facts["best_loss"]
        self.losses = list(facts["losses"])
        self._rng.bit_generator.state = facts["order"]

    def _train_epoch(self, stop: StopCallback, memory: Memory) -> dict[str, float]:
        self.network.train()
        self._order = self._rng.bit_generator.state
        for entity, rows in self._steps()[self._step :]:
            if stop():
                raise Stopped("the training was stopped")
            nll_T = self._train_step(entity, rows)
            self._recorded.setdefault(entity, []).append(nll_T)
            self._step += 1
            if memory.is_due():
                memory.keep(self._state())
        recorded, self._recorded = self._recorded, {}
        self._step, self._order = 0, self._rng.bit_generator.state
        return self._relative(
            {entity: torch.stack(parts).nanmean(dim=0) for entity, parts in recorded.items()}
        )

    def _train_step(self, entity: EntityKind, rows: np.ndarray) -> Tensor:
        """One batch; its (T,) mean nats."""
        examples = self.training[entity]
        sampler = self._samplers[entity]
        if self._learned < 0:
            sampler = self._pretraining.get(entity, sampler)
        asked, related = sampler.ask(examples, rows, self._generator)
        loss, nll = training_loss(
            self.network,
            self.network.kind(entity),
            examples.batch(rows),
            asked,
            related,
            examples.weights[rows],
            self.config.self_supervision,
            self._generator,
            self._precision[entity],
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for parameters in self._clipped:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self._optimizer.step()
        self._warm_up()
        self._averaged.update_parameters(self.network)
        mean_T = torch.full((len(asked.some.whole),), torch.nan)
        mean_T[asked.some.positions] = mean_nll(nll, examples.weights[rows])
        return mean_T

    def _steps(self) -> list[tuple[EntityKind, np.ndarray]]:
        """The batches of one epoch, kinds mixed at random.

        A kind gets steps by the fourth root of its rows, so that many sampled pairs do not drown
        few items, and passes over its rows at most `MAX_PASSES` times.
        """
        share = {entity: len(examples) ** 0.25 for entity, examples in self.training.items()}
        batches: list[tuple[EntityKind, np.ndarray]] = []
        for entity, examples in self.training.items():
            limit = int(self.config.max_steps_per_epoch * share[entity] / sum(share.values()))
            size = min(self.config.batch_rows, max(MIN_BATCH_ROWS, len(examples) // 8))
            orders = [self._rng.permutation(len(examples)) for _ in range(MAX_PASSES)]
            order = np.concatenate(orders)
            whole = [order[start : start + size] for start in range(0, len(order), size)]
            batches += [(entity, rows) for rows in whole[: max(limit, 1)]]
        return [batches[index] for index in self._rng.permutation(len(batches))]

    def _warm_up(self) -> None:
        for group in self._optimizer.param_groups:
            group["step"] = group.get("step", 0) + 1
            warm = min(1.0, group["step"] / WARM_UP_STEPS)
            group["lr"] = self.config.learning_rate * group["speed"] * warm

    def _validate(self, network: torch.nn.Module) -> dict[str, float]:
        assert isinstance(network, SSMTLNetwork)
        means: dict[str, Tensor] = {}
        for entity, examples in self.validation.items():
            kind = network.kind(entity)
            means[entity] = mean_nll_of(network, kind, examples)
        return self._relative(means)

    def _relative(self, means: Mapping[str, Tensor]) -> dict[str, float]:
        """Per declared task, the NLL over the climatology's."""
        losses: dict[str, float] = {}
        for entity, mean_T in means.items():
            relative_T = mean_T / self.climatology_nll[entity]  # type: ignore[index]
            for task, value in zip(
                self.network.layouts[entity].tasks,  # type: ignore[index]
                relative_T.tolist(),
                strict=True,
            ):
                if not is_self_supervised(task.name) and not np.isnan(value):
                    losses[task.name] = value
        return losses


def _apart(network: SSMTLNetwork) -> list[list[torch.nn.Parameter]]:
    """The parameters whose gradients are clipped together: of what is shared, private, and joint.

    So the marginals learn exactly what they would learn without private and joint heads.
    """
    kinds = [network.kind(entity) for entity in network.layouts]
    private = [p for kind in kinds for p in kind.private.parameters()]
    joint = [p for kind in kinds for p in kind.joint.parameters()]
    apart = set(map(id, (*private, *joint)))
    return [[p for p in network.parameters() if id(p) not in apart], private, joint]


def make_optimizer(network: SSMTLNetwork, config: Config) -> torch.optim.Optimizer:
    """AdamW; only weight matrices decay, and private and joint heads learn in larger steps."""
    shared, private, joint = _apart(network)
    return torch.optim.AdamW(
        [
            {"params": [p for p in some if (p.ndim >= 2) == decays], "speed": speed, **decay}
            for some, speed in ((shared, 1.0), (private, PRIVATE_SPEED), (joint, JOINT_SPEED))
            for decays, decay in (
                (True, {"weight_decay": config.weight_decay}),
                (False, {"weight_decay": 0.0}),
            )
        ],
        lr=config.learning_rate / WARM_UP_STEPS,
        fused=True,
    )
