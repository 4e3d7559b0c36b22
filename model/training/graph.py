"""The evidence graph: where it starts, and what its edges turn out to mean."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.distributions import Layout
from model.evaluation import Edge, JointReport
from model.network import KindNetwork
from model.training.examples import Examples
from model.training.scoring import Outputs, conditional_nll, mean_nll
from model.training.self_supervision import is_self_supervised

MAX_EDGE_WORK = 100_000_000
"""Rows times tasks squared: with many tasks their edges are measured on fewer rows."""
MIN_EDGE_ROWS = 500


def label_correlation(layout: Layout, examples: Examples) -> Tensor:
    """(T, T) correlation of the tasks' labels over the rows that have both.

    Amounts count as log(1 + amount), standardised amounts and numbers as they are, of times how
    much of the horizon is left; periods and classes not at all.
    """
    values = []
    for group, labels in zip(layout.groups, examples.labels, strict=True):
        match group.likelihood:
            case "periods" | "categorical":
                values.append(torch.full((len(examples), len(group.tasks)), torch.nan))
            case "hurdle_log_normal":
                values.append(labels.clamp_min(-3.0))
            case "normal":
                values.append(labels.clamp(-3.0, 3.0))
            case "hazard":
                # What never came is as far from the last moment as that is from the first.
                values.append(1 - labels.clamp_max(2.0))
            case _:
                values.append(labels.log1p())
    value_RT = torch.cat(values, dim=1)
    known = (~value_RT.isnan()).double()
    filled = value_RT.nan_to_num(0.0).double()
    both = (known.T @ known).clamp_min(1.0)
    mean = (filled.T @ known) / both
    square = (filled.square().T @ known) / both
    covariance = (filled.T @ filled) / both - mean * mean.T
    deviation = (square - mean.square()).clamp_min(1e-12).sqrt()
    return (covariance / (deviation * deviation.T)).nan_to_num(0.0).clamp(-1, 1).float()


def edges_with_gain(
    kind: KindNetwork, outputs: Outputs, examples: Examples, correlation_TT: Tensor
) -> list[Edge]:
    """The edges between declared tasks, each with the nats that its source's outcome is worth."""
    layout = kind.layout
    outputs, examples = _measured(layout, outputs, examples)
    declared = [i for i, task in enumerate(layout.tasks) if not is_self_supervised(task.name)]
    before = kind.nll(outputs.marginals, examples.labels)
    edges: list[Edge] = []
    for source in declared:
        known_T = torch.zeros(len(layout), dtype=torch.bool)
        known_T[source] = True
        after = conditional_nll(kind, outputs, examples.labels, known_T)
        known_source = before[:, source].isnan().logical_not()
        gain_T = mean_nll((before - after)[known_source], examples.weights[known_source])
        edges += [
            Edge(
                source=layout.tasks[source].name,
                target=layout.tasks[target].name,
                weight=float(kind.joint.adjacency[target, source].detach()),
                correlation=float(correlation_TT[target, source]),
                gain_nats=float(gain_T[target].nan_to_num(0.0)),
            )
            for target in declared
            if source != target and kind.joint.edges[target, source] > 0
        ]
    return edges


def _measured(layout: Layout, outputs: Outputs, examples: Examples) -> tuple[Outputs, Examples]:
    """As many rows, evenly spaced, as the tasks leave time for."""
    most = max(MIN_EDGE_ROWS, MAX_EDGE_WORK // max(len(layout), 1) ** 2)
    if len(examples) <= most:
        return outputs, examples
    rows = np.linspace(0, len(examples) - 1, most).astype(np.int64)
    return Outputs(outputs.states[rows], outputs.marginals[rows]), examples.take(rows)


def joint_report(kind: KindNetwork, outputs: Outputs, examples: Examples) -> JointReport | None:
    """The joint NLL of the declared tasks by the chain rule, beside the sum of the marginals.

    Only rows where every task that has labels has one are counted, and only tasks that give
    evidence and whose labels are not undefined by structure; None with fewer than two tasks.
    """
    layout = kind.layout
    outputs, examples = _measured(layout, outputs, examples)
    marginal = kind.nll(outputs.marginals, examples.labels)
    candidates = [
        index
        for index, task in enumerate(layout.tasks)
        if not is_self_supervised(task.name)
        and bool((~marginal[:, index].isnan()).any())
        and task.target.kind not in {"peak_period", "next", "column"}
    ]
    order = sorted(candidates, key=lambda i: (layout.tasks[i].end_days, i))
    if len(order) < 2:
        return None
    complete = ~marginal[:, order].isnan().any(dim=1)
    weights = examples.weights[complete] / examples.weights[complete].mean()

    def chain(indices: list[int]) -> float:
        known_T = torch.zeros(len(layout), dtype=torch.bool)
        total = torch.zeros(int(complete.sum()))
        for index in indices:
            total += conditional_nll(kind, outputs, examples.labels, known_T)[complete, index]
            known_T[index] = True
        return float((total * weights).mean())

    independent = marginal[complete][:, order].sum(dim=1)
    return JointReport(
        tasks=tuple(layout.tasks[index].name for index in order),
        marginals_nll=float((independent * weights).mean()),
        joint_nll=chain(order),
        reversed_nll=chain(order[::-1]),
    )
