"""The evidence graph: where it starts, and what its edges turn out to mean.

R = rows, T = tasks, K = neighbours of a task, F = numeric features
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from model.distributions import Layout
from model.evaluation import Edge, JointReport
from model.network import KindNetwork, Neighbours, SomeTasks, SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.training.examples import Examples
from model.training.scoring import (
    conditional_nll,
    marginals_of,
    mean_nll,
    outputs_of,
    states_of,
)
from model.training.self_supervision import is_self_supervised

MAX_RELATED_CELLS = 60_000_000
"""Rows times tasks that correlations are taken over; at most `MAX_RELATED_ROWS` rows."""
MAX_RELATED_ROWS = 20_000
MAX_EDGE_CELLS = 20_000_000
"""Rows times tasks that edges are measured on."""
MIN_EDGE_ROWS = 500
MAX_JOINT_TASKS = 64
"""So many tasks are looked at together, those around the strongest edges."""
_CHUNK_TASKS = 256
_RIDGE = 1e-3


def related_tasks(layout: Layout, examples: Examples, most: int) -> Neighbours:
    """The neighbours of each task: those whose outcomes go with its own beyond the features.

    Two tasks are related by the correlation of what a linear regression on the numeric features
    leaves of their outcomes: what the features explain of both is no evidence between them.
    """
    rows = _evenly(len(examples), min(MAX_RELATED_ROWS, MAX_RELATED_CELLS // len(layout)))
    left_RT = _unexplained(examples.take(rows), layout)
    found = [
        Neighbours.strongest((left_RT[:, chunk].T @ left_RT).clamp(-1, 1), most, chunk.start)
        for chunk in _slices(len(layout), _CHUNK_TASKS)
    ]
    return Neighbours(
        torch.cat([part.sources for part in found]),
        torch.cat([part.correlation for part in found]),
    )


def _unexplained(examples: Examples, layout: Layout) -> Tensor:
    """(R, T) what the features do not explain of the outcomes, 0 if missing; of length 1."""
    numbers = torch.from_numpy(examples.inputs.numbers)
    known = ~numbers.isnan()
    features = torch.where(known, numbers, 0.0)
    mean = features.sum(dim=0) / known.sum(dim=0).clamp_min(1)
    centred = torch.where(known, numbers - mean, 0.0)
    scaled = (centred / centred.square().mean(dim=0).sqrt().clamp_min(1e-6)).clamp(-4, 4)
    inputs_RF = torch.cat([scaled, (~known).float(), torch.ones(len(numbers), 1)], dim=1)
    square_FF = (inputs_RF.T @ inputs_RF).double()
    ridge = _RIDGE * len(numbers) * torch.eye(len(square_FF), dtype=torch.double)
    inverse_FF = torch.linalg.inv(square_FF + ridge).float()
    parts = []
    for some in SomeTasks.chunks(layout, _CHUNK_TASKS):
        value_RT = _values(some.layout, examples.labels_of(slice(None), some))
        missing = value_RT.isnan()
        value_RT = torch.where(missing, 0.0, value_RT - value_RT.nanmean(dim=0).nan_to_num(0.0))
        explained = inputs_RF @ (inverse_FF @ (inputs_RF.T @ value_RT))
        left = torch.where(missing, 0.0, value_RT - explained)
        size = left.square().sum(dim=0).sqrt()
        parts.append(torch.where(size > 1e-6, left / size.clamp_min(1e-6), 0.0))
    return torch.cat(parts, dim=1)


def _values(layout: Layout, labels: list[Tensor]) -> Tensor:
    """(R, T) one number per outcome, NaN where it is missing.

    Amounts count as log(1 + amount), standardised amounts and numbers as they are, of times how
    much of the horizon is left; periods and classes not at all.
    """
    values = []
    for group, of_group in zip(layout.groups, labels, strict=True):
        match group.likelihood:
            case "periods" | "categorical":
                values.append(torch.full((len(of_group), len(group.tasks)), torch.nan))
            case "hurdle_log_normal":
                values.append(of_group.clamp_min(-3.0))
            case "normal":
                values.append(of_group.clamp(-3.0, 3.0))
            case "hazard":
                # What never came is as far from the last moment as that is from the first.
                values.append(1 - of_group.clamp_max(2.0))
            case _:
                values.append(of_group.log1p())
    return torch.cat(values, dim=1)


@torch.no_grad()
def edges_with_gain(network: SSMTLNetwork, kind: KindNetwork, examples: Examples) -> list[Edge]:
    """The edges between declared tasks, each with the nats that its source's outcome is worth.

    Args:
        network: of all kinds.
        kind: the rows'.
        examples: of many tasks some of the rows are looked at.
    """
    rows = _evenly(len(examples), max(MIN_EDGE_ROWS, MAX_EDGE_CELLS // len(kind.layout)))
    examples = examples.take(rows)
    states = states_of(network, kind, examples)
    edges: list[Edge] = []
    for targets in SomeTasks.chunks(kind.layout, _CHUNK_TASKS):
        edges += _edges_to(network, kind, states, examples, targets)
    return edges


def _edges_to(
    network: SSMTLNetwork,
    kind: KindNetwork,
    states_RD: Tensor,
    examples: Examples,
    targets: SomeTasks,
) -> list[Edge]:
    """The edges that lead to some tasks."""
    joint, layout = kind.joint, kind.layout
    sources_TK = joint.sources[targets.positions]
    some = SomeTasks.at(layout, [*targets.order, *sources_TK.flatten().tolist()])
    labels = examples.labels_of(slice(None), some)
    marginals = marginals_of(network, kind, states_RD, examples, some)
    values = _values(some.layout, labels)
    messages_SRC = joint.messages(marginals, labels, ~values.isnan(), some)
    local = torch.full((len(layout),), -1)
    local[some.positions] = torch.arange(len(some))
    own = examples.of_tasks(targets).labels
    before = marginals_of(network, kind, states_RD, examples, targets)
    nll_RT = nll_of_all(targets.layout, before, own)
    edges = []
    for number in range(sources_TK.shape[1]):
        source_T = local[sources_TK[:, number]]
        strength_T = joint.strength[targets.positions, number]
        received_TRC = strength_T[:, None, None] * messages_SRC[source_T]
        after = before + joint.correction(states_RD, received_TRC, targets)
        known = ~values[:, source_T].isnan()
        gain_RT = (nll_RT - nll_of_all(targets.layout, after, own)).masked_fill(~known, torch.nan)
        gain_T = mean_nll(gain_RT, examples.weights)
        left_T = mean_nll(nll_RT.masked_fill(~known, torch.nan), examples.weights)
        correlation_T = _correlation(values[:, source_T], values[:, local[targets.positions]])
        edges += [
            Edge(
                source=layout.tasks[source].name,
                target=layout.tasks[target].name,
                weight=float(strength_T[index]),
                correlation=float(correlation_T[index]),
                gain_nats=float(gain_T[index].nan_to_num(0.0)),
                gain_share=float((gain_T / left_T.clamp_min(1e-9))[index].nan_to_num(0.0)),
            )
            for index, (source, target) in enumerate(
                zip(sources_TK[:, number].tolist(), targets.order, strict=True)
            )
            if source != target
            and not is_self_supervised(layout.tasks[source].name)
            and not is_self_supervised(layout.tasks[target].name)
        ]
    return edges


def _correlation(one_RT: Tensor, other_RT: Tensor) -> Tensor:
    """(T,) of two columns over the rows that have both, 0 where either is constant."""
    both = ~(one_RT.isnan() | other_RT.isnan())
    rows = both.sum(dim=0).clamp_min(1)

    def centred(values: Tensor) -> Tensor:
        filled = torch.where(both, values, 0.0)
        return torch.where(both, filled - filled.sum(dim=0) / rows, 0.0)

    one, other = centred(one_RT), centred(other_RT)
    size = (one.square().sum(dim=0) * other.square().sum(dim=0)).sqrt()
    return torch.where(size > 1e-9, (one * other).sum(dim=0) / size.clamp_min(1e-9), 0.0)


def _evenly(rows: int, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).astype(np.int64)


def _slices(size: int, chunk: int) -> Iterator[slice]:
    for start in range(0, size, chunk):
        yield slice(start, min(start + chunk, size))


@torch.no_grad()
def joint_report(
    network: SSMTLNetwork, kind: KindNetwork, examples: Examples
) -> JointReport | None:
    """The joint NLL of the declared tasks by the chain rule, beside the sum of the marginals.

    Only rows where every task that has labels has one are counted, and only tasks that give
    evidence and whose labels are not undefined by structure; None with fewer than two tasks. Of
    many tasks those are looked at that the strongest edges connect.
    """
    examples = examples.take(_evenly(len(examples), MAX_EDGE_CELLS // MAX_JOINT_TASKS))
    candidates = [
        index
        for index, task in enumerate(kind.layout.tasks)
        if not is_self_supervised(task.name)
        and task.target.kind not in {"peak_period", "next", "column"}
    ]
    chosen = _most_connected(kind, candidates)
    if len(chosen) < 2:
        return None
    some = SomeTasks.at(kind.layout, chosen)
    layout = some.layout
    states = states_of(network, kind, examples)
    outputs = outputs_of(network, kind, examples, states, some)
    labels = examples.of_tasks(some).labels
    marginal = nll_of_all(layout, outputs.marginals, labels)
    labelled = [index for index in range(len(layout)) if bool((~marginal[:, index].isnan()).any())]
    order = sorted(labelled, key=lambda index: (layout.tasks[index].end_days, index))
    if len(order) < 2:
        return None
    complete = ~marginal[:, order].isnan().any(dim=1)
    weights = examples.weights[complete] / examples.weights[complete].mean()

    def chain(indices: list[int]) -> float:
        known_T = torch.zeros(len(layout), dtype=torch.bool)
        total = torch.zeros(int(complete.sum()))
        for index in indices:
            nll = conditional_nll(kind, outputs, labels, known_T, some)
            total += nll[complete, index]
            known_T[index] = True
        return float((total * weights).mean())

    independent = marginal[complete][:, order].sum(dim=1)
    return JointReport(
        tasks=tuple(layout.tasks[index].name for index in order),
        marginals_nll=float((independent * weights).mean()),
        joint_nll=chain(order),
        reversed_nll=chain(order[::-1]),
    )


def _most_connected(kind: KindNetwork, candidates: list[int]) -> list[int]:
    """All candidates, or of many those between which the strongest edges run."""
    if len(candidates) <= MAX_JOINT_TASKS:
        return candidates
    strength = kind.joint.strength.abs() * kind.joint.is_edge
    allowed = set(candidates)
    chosen: dict[int, None] = {}
    most = kind.joint.sources.shape[1]
    for flat in strength.flatten().argsort(descending=True, stable=True).tolist():
        target = flat // most
        pair = (target, int(kind.joint.sources[target, flat % most]))
        if allowed.issuperset(pair):
            chosen.update(dict.fromkeys(pair))
        if len(chosen) >= MAX_JOINT_TASKS:
            break
    return list(chosen)[:MAX_JOINT_TASKS]
