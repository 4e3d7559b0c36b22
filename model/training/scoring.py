"""The network's output and NLL on all rows of some examples, in batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.network import KindNetwork, SSMTLNetwork
from model.training.examples import Examples

SCORING_ROWS = 4096


@dataclass(frozen=True)
class Outputs:
    """What the network says of R rows.

    Attributes:
        states: (R, D)
        marginals: (R, columns), offsets included, nothing known.
    """

    states: Tensor
    marginals: Tensor


@torch.no_grad()
def outputs_of(network: SSMTLNetwork, kind: KindNetwork, examples: Examples) -> Outputs:
    """Every row's state and parameters, in evaluation mode."""
    network.eval()
    states, marginals = [], []
    for rows in examples.batches(SCORING_ROWS):
        state, output = network.marginals(kind.entity, examples.batch(rows))
        states.append(state)
        marginals.append(output + examples.offsets[rows])
    return Outputs(torch.cat(states), torch.cat(marginals))


@torch.no_grad()
def conditional_nll(
    kind: KindNetwork, outputs: Outputs, labels: list[Tensor], known_T: Tensor
) -> Tensor:
    """(R, T) nats of every task when the outcomes of some tasks are known."""
    parts = []
    for start in range(0, len(outputs.marginals), SCORING_ROWS):
        rows = slice(start, start + SCORING_ROWS)
        some = [group_labels[rows] for group_labels in labels]
        marginals = outputs.marginals[rows]
        known = known_T.expand(len(marginals), -1)
        correction = kind.joint(outputs.states[rows], marginals, some, known)
        parts.append(kind.nll(marginals + correction, some))
    return torch.cat(parts)


def mean_nll(nll_RT: Tensor, weights_R: Tensor) -> Tensor:
    """(T,) weighted mean over the known labels, NaN for a task without any."""
    known = ~nll_RT.isnan()
    total = torch.where(known, nll_RT * weights_R[:, None], 0.0).sum(dim=0)
    return total / torch.where(known, weights_R[:, None], 0.0).sum(dim=0)
