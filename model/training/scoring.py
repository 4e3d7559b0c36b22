"""The network's output and NLL on all rows of some examples, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network import KindNetwork, SomeTasks, SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.training.examples import Examples

SCORING_ROWS = 4096
CHUNK_TASKS = 256
"""So many tasks are looked at together where all rows are."""


@dataclass(frozen=True)
class Outputs:
    """What the network says of R rows.

    Attributes:
        states: (R, D)
        marginals: (R, columns), offsets included, nothing known.
        private: (R, columns) the same from the tasks' private heads.
    """

    states: Tensor
    marginals: Tensor
    private: Tensor

    def take(self, rows: NDArray[np.integer]) -> Outputs:
        """Of some rows."""
        return Outputs(self.states[rows], self.marginals[rows], self.private[rows])


@torch.no_grad()
def states_of(network: SSMTLNetwork, kind: KindNetwork, examples: Examples) -> Tensor:
    """(R, D) every row's state, in evaluation mode."""
    network.eval()
    return torch.cat([kind.state(examples.batch(rows)) for rows in examples.batches(SCORING_ROWS)])


def marginals_of(
    network: SSMTLNetwork,
    kind: KindNetwork,
    states_RD: Tensor,
    examples: Examples,
    some: SomeTasks | None = None,
) -> Tensor:
    """(R, columns) the parameters of some tasks, offsets included, nothing known."""
    return outputs_of(network, kind, examples, states_RD, some).marginals


@torch.no_grad()
def outputs_of(
    network: SSMTLNetwork,
    kind: KindNetwork,
    examples: Examples,
    states_RD: Tensor | None = None,
    some: SomeTasks | None = None,
) -> Outputs:
    """Every row's state and parameters of some tasks, all by default, in evaluation mode."""
    states = states_of(network, kind, examples) if states_RD is None else states_RD
    marginals, privates = [], []
    for said, offsets in _said_in_batches(network, kind, examples, states, some):
        marginals.append(kind.voices(said, some) + offsets)
        privates.append(said[1] + offsets)
    return Outputs(states, torch.cat(marginals), torch.cat(privates))


@torch.no_grad()
def said_by(
    network: SSMTLNetwork, kind: KindNetwork, examples: Examples, some: SomeTasks
) -> list[Tensor]:
    """(R, columns) what each voice says of some tasks, offsets included, in evaluation mode."""
    states = states_of(network, kind, examples)
    batches = [
        [voice + offsets for voice in said]
        for said, offsets in _said_in_batches(network, kind, examples, states, some)
    ]
    return [torch.cat(of_voice) for of_voice in zip(*batches, strict=True)]


def _said_in_batches(
    network: SSMTLNetwork,
    kind: KindNetwork,
    examples: Examples,
    states_RD: Tensor,
    some: SomeTasks | None,
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Batch by batch (B, columns) of each voice, and the offsets."""
    for rows in examples.batches(SCORING_ROWS):
        shared = network.shared_parameters(kind.entity, states_RD[rows], some)
        numbers = torch.from_numpy(examples.inputs.numbers[rows])
        categories = torch.from_numpy(examples.inputs.categories[rows])
        private = kind.private_parameters(numbers, some)
        said = kind.said(shared, private, numbers, categories, some)
        yield said, examples.offsets_of(rows, some)


def outputs_in_chunks(
    network: SSMTLNetwork, kind: KindNetwork, examples: Examples
) -> Iterator[tuple[SomeTasks, Outputs, Examples]]:
    """All rows with a bounded number of tasks at a time, so that many tasks need little memory."""
    states = states_of(network, kind, examples)
    for some in SomeTasks.chunks(kind.layout, CHUNK_TASKS):
        yield some, outputs_of(network, kind, examples, states, some), examples.of_tasks(some)


def mean_nll_of(network: SSMTLNetwork, kind: KindNetwork, examples: Examples) -> Tensor:
    """(T,) mean nats of every task, nothing known."""
    return torch.cat(
        [
            mean_nll(nll_of_all(some.layout, outputs.marginals, chunk.labels), chunk.weights)
            for some, outputs, chunk in outputs_in_chunks(network, kind, examples)
        ]
    )


@torch.no_grad()
def conditional_nll(
    kind: KindNetwork,
    outputs: Outputs,
    labels: list[Tensor],
    known_T: Tensor,
    some: SomeTasks | None = None,
) -> Tensor:
    """(R, T) nats of some tasks, all by default, when the outcomes of some of them are known."""
    layout = kind.layout if some is None else some.layout
    parts = []
    for start in range(0, len(outputs.marginals), SCORING_ROWS):
        rows = slice(start, start + SCORING_ROWS)
        of_rows = [group_labels[rows] for group_labels in labels]
        marginals = outputs.marginals[rows]
        known = known_T.expand(len(marginals), -1)
        correction = kind.joint(outputs.states[rows], marginals, of_rows, known, some)
        parts.append(nll_of_all(layout, marginals + correction, of_rows))
    return torch.cat(parts)


def mean_nll(nll_RT: Tensor, weights_R: Tensor) -> Tensor:
    """(T,) weighted mean over the known labels, NaN for a task without any."""
    known = ~nll_RT.isnan()
    total = torch.where(known, nll_RT * weights_R[:, None], 0.0).sum(dim=0)
    return total / torch.where(known, weights_R[:, None], 0.0).sum(dim=0)
