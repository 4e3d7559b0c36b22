"""How much of the joint head's correction is served: as much as held true on validation rows.

The joint head is trained beside the network's own marginals; what is served is calibrated, or a
baseline. So each task takes the share of the correction under which its hidden outcomes were most
probable while random outcomes of other tasks were shown. A head that learned nothing of a task, or
too much, is left out of its answers.

    R = rows, T = tasks, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Baselines, Layout, TaskServing
from model.network import KindNetwork, SomeTasks
from model.network.likelihoods import nll_of_all
from model.tasks import Window
from model.training.examples import Examples
from model.training.scoring import Outputs, mean_nll
from model.training.selection import source_parameters
from model.training.self_supervision import is_self_supervised

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Tried in this order: of equal ones the largest is taken."""
MAX_ROWS = 4096
DRAWS = 4


@torch.no_grad()
def evidence_shares(
    kind: KindNetwork,
    some: SomeTasks,
    outputs: Outputs,
    examples: Examples,
    serving: Mapping[str, TaskServing],
    baselines: Baselines,
) -> dict[str, float]:
    """The share of each declared task.

    Args:
        kind: whose joint head it is.
        some: the tasks that are looked at.
        outputs: of the network, for these tasks.
        examples: validation rows with the labels of these tasks.
        serving: how the declared ones are served.
        baselines: of these tasks.
    """
    rows = _evenly(len(examples))
    examples = examples.take(rows)
    outputs = outputs.take(rows)
    layout = some.layout
    served_RO, slope_O = _served(layout, outputs, examples, serving, baselines)
    nll_RT = nll_of_all(layout, served_RO, examples.labels)
    declared_T = torch.tensor([not is_self_supervised(task.name) for task in layout.tasks])
    happened_RT = _happened(layout, examples.labels)
    happens_TT, does_not_TT = _decisions(layout)
    generator = torch.Generator().manual_seed(0)
    found = torch.zeros(len(SHARES), len(layout))
    for _ in range(DRAWS):
        known_RT = _shown(declared_T & ~nll_RT.isnan(), generator)
        correction_RO = slope_O * kind.joint(
            outputs.states, served_RO, examples.labels, known_RT, some
        )
        decided_RT = (known_RT & happened_RT).float() @ happens_TT.T
        decided_RT += (known_RT & ~happened_RT).float() @ does_not_TT.T
        # Where logic decides it is logic that is served, whatever the correction.
        hidden_RT = ~known_RT & (decided_RT == 0)
        for number, share in enumerate(SHARES):
            moved_RO = served_RO + share * correction_RO
            given_RT = nll_of_all(layout, moved_RO, examples.labels)
            loss_T = mean_nll(given_RT.masked_fill(~hidden_RT, torch.nan), examples.weights)
            found[number] += loss_T.nan_to_num(0.0)
    best_T = found.argmin(dim=0).tolist()
    return {
        task.name: SHARES[best]
        for task, best in zip(layout.tasks, best_T, strict=True)
        if task.name in serving
    }


def _evenly(rows: int) -> NDArray[np.int64]:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.linspace(0, rows - 1, MAX_ROWS).astype(np.int64)


def _served(
    layout: Layout,
    outputs: Outputs,
    examples: Examples,
    serving: Mapping[str, TaskServing],
    baselines: Baselines,
) -> tuple[Tensor, Tensor]:
    """(R, O) what is served when nothing is known, and (O,) the slopes of its calibration."""
    served_RO = outputs.marginals.clone()
    slope_O = torch.ones(layout.columns)
    for task in layout.tasks:
        how = serving.get(task.name)
        if how is None:
            continue
        columns = layout.columns_of(task.name)
        parameters = source_parameters(
            how.source, task.name, layout, how, examples, outputs, baselines
        )
        served_RO[:, columns] = torch.from_numpy(np.asarray(parameters, dtype=np.float32))
        if how.is_learned and how.slope:
            slope_O[columns] = torch.tensor(how.slope)
    return served_RO, slope_O


def _shown(may_be_RT: Tensor, generator: torch.Generator) -> Tensor:
    """(R, T) of each row a random number of random outcomes."""
    chance_R1 = torch.rand(len(may_be_RT), 1, generator=generator)
    return may_be_RT & (torch.rand(may_be_RT.shape, generator=generator) < chance_R1)


def _happened(layout: Layout, labels: list[Tensor]) -> Tensor:
    """(R, T) whether there was anything within the window, of tasks that ask for that."""
    parts = []
    for group, of_group in zip(layout.groups, labels, strict=True):
        match group.likelihood:
            case "bernoulli" | "hurdle_negative_binomial":
                parts.append(of_group > 0)
            case "hurdle_log_normal":
                parts.append(of_group > -torch.inf)
            case "hazard":
                parts.append(of_group < torch.inf)
            case "periods":
                parts.append(torch.zeros(of_group.shape[:2], dtype=torch.bool))
            case _:
                parts.append(torch.zeros_like(of_group, dtype=torch.bool))
    return torch.cat(parts, dim=1)


def _decisions(layout: Layout) -> tuple[Tensor, Tensor]:
    """(T, T) whose event, and (T, T) whose lack of one, decides by logic whether each happens."""
    windows = [Window.of(task) for task in layout.tasks]
    happens = torch.zeros(len(layout), len(layout))
    does_not = torch.zeros(len(layout), len(layout))
    for place, task in enumerate(layout.tasks):
        own = windows[place]
        if task.target.kind != "occurs" or own is None:
            continue
        happens[place] = torch.tensor([one is not None and one <= own for one in windows]).float()
        does_not[place] = torch.tensor([one is not None and own <= one for one in windows]).float()
    return happens, does_not
