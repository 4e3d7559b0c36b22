"""Fits the baselines: climatology, and recency-frequency as a small generalised linear model.

Both maximise the same likelihood as the network, so their NLLs compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Baselines, Group, Layout, LikelihoodName, standardise
from model.network import SomeTasks
from model.network.likelihoods import negative_log_likelihood
from model.tasks import Column, Task
from model.training.base_rates import class_logits, hazard_logits, normal_parameters, rate_logit
from model.training.examples import Examples
from model.training.linear_chances import fit_chances
from model.training.scoring import CHUNK_TASKS

FEATURES_PER_TASK = 4
MAX_ROWS = 10_000
_RIDGE = 1e-4
_ITERATIONS = 40
_CLOSED_FORM: frozenset[LikelihoodName] = frozenset({"periods", "categorical", "hazard", "normal"})
"""Their climatology is where it starts."""
_CHANCES: frozenset[LikelihoodName] = frozenset(
    {"bernoulli", "hurdle_log_normal", "hurdle_negative_binomial"}
)
"""Their first parameter is the log odds of anything at all, which is fitted by itself."""
_MANY_WEIGHTS: frozenset[LikelihoodName] = frozenset({"categorical", "hazard"})
_PRIOR_VARIANCE = 0.1
"""Of each of their weights, which have mean 0, before the rows are seen."""


def fit_baselines(
    examples: Examples, layout: Layout, columns: Sequence[str], rng: np.random.Generator
) -> Baselines:
    """Fit both baselines of all of an entity kind's tasks at once.

    Args:
        examples: training rows; at most `MAX_ROWS` are used.
        layout: the tasks.
        columns: the names of the numeric inputs.
        rng: chooses the rows.
    """
    rows = np.arange(len(examples))
    if len(rows) > MAX_ROWS:
        rows = np.sort(rng.choice(rows, size=MAX_ROWS, replace=False))
    chosen = examples.take(rows)
    found = [
        _fit_some(chosen.of_tasks(some), columns) for some in SomeTasks.chunks(layout, CHUNK_TASKS)
    ]
    climatology = np.concatenate([part.climatology for part in found])
    # Chunks follow the layout, and so do their tasks and columns.
    return Baselines(
        climatology=climatology,
        features=np.concatenate([part.features for part in found]),
        mean=np.concatenate([part.mean for part in found]),
        spread=np.concatenate([part.spread for part in found]),
        weights=np.concatenate([part.weights for part in found]),
    )


def _fit_some(examples: Examples, columns: Sequence[str]) -> Baselines:
    """Of as many tasks as fit into memory together."""
    layout, rows = examples.layout, np.arange(len(examples))
    chosen = np.array([_features(task, columns) for task in layout.tasks])
    numbers = examples.inputs.numbers[rows].astype(np.float64)
    mean = np.nan_to_num(_column_means(numbers)[chosen]).astype(np.float32)
    spread = np.nan_to_num(_column_spreads(numbers)[chosen], nan=1.0).astype(np.float32)
    spread = np.where(spread > 1e-6, spread, np.float32(1))
    inputs_RTF = torch.from_numpy(
        standardise(examples.inputs.numbers[rows][:, chosen], mean, spread)
    )
    nobody_RTF = torch.zeros(len(rows), len(layout), FEATURES_PER_TASK)
    start = _start(examples, layout, rows)
    constant = _fit(examples, layout, nobody_RTF, start, _CLOSED_FORM)
    weights = _fit(examples, layout, inputs_RTF, constant, frozenset({"periods"}))
    weights = _with_chances(weights, examples, inputs_RTF, torch.from_numpy(chosen))
    return Baselines(
        climatology=constant[:, -1].numpy(),
        features=chosen,
        mean=mean,
        spread=spread,
        weights=weights.numpy(),
    )


def _column_means(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(numbers)
    means: NDArray[np.float64] = np.nansum(numbers, axis=0) / np.maximum(known.sum(axis=0), 1)
    return means


def _column_spreads(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.maximum((~np.isnan(numbers)).sum(axis=0), 1)
    centred = numbers - _column_means(numbers)
    spreads: NDArray[np.float64] = np.sqrt(np.nansum(centred**2, axis=0) / known)
    return spreads


def _features(task: Task, columns: Sequence[str]) -> list[int]:
    """The columns of recency, frequency (all and recent) and tenure that fit the task."""
    event_type = task.target.event_type
    own = f"pair_{event_type}_recency" if task.entity == "pair" else f"{event_type}_recency"
    # Without a type, or with one too rare for columns of its own: of events of any type.
    has_own = event_type is not None and own in columns
    if task.entity == "pair":
        wanted = [
            own,
            f"pair_{event_type}_events_all",
            f"item_{event_type}_events_30d",
            f"user_{event_type}_events_30d",
        ]
        of_any = ["user_recency", "item_recency", "user_visits_30d", "item_visits_30d"]
    else:
        wanted = [own, f"{event_type}_events_all", f"{event_type}_events_30d", "tenure"]
        of_any = ["recency", "visits_all", "visits_30d", "tenure"]
    names = _statistics(task, columns) or (wanted if has_own else of_any)
    return [columns.index(name) if name in columns else 0 for name in names]


def _statistics(task: Task, columns: Sequence[str]) -> list[str]:
    """Of a log without times: what the other events of the user and the item say."""
    if not isinstance(task.target, Column) or any("recency" in name for name in columns):
        return []
    of_side = [
        [name for name in columns if name.startswith(f"{side}_{task.target.column}_")]
        for side in ("user", "item")
    ]
    each = FEATURES_PER_TASK // sum(map(bool, of_side)) if any(of_side) else 0
    names = [name for own in of_side for name in own[:each]]
    return (names * FEATURES_PER_TASK)[:FEATURES_PER_TASK]


def _start(examples: Examples, layout: Layout, rows: NDArray[np.int64]) -> Tensor:
    """(columns, features + 1) where to start: base rates, and for periods the mean forecast."""
    start = torch.zeros(layout.columns, FEATURES_PER_TASK + 1)
    for group, labels in zip(layout.groups, examples.labels, strict=True):
        for index, task in enumerate(group.tasks):
            columns = layout.columns_of(task.name)
            if group.likelihood == "periods":
                start[columns, -1] = examples.offsets[rows][:, columns].mean(dim=0)
                continue
            known = labels[rows, index]
            weights = examples.weights[rows].masked_fill(known.isnan(), 0.0)
            match group.likelihood:
                case "categorical":
                    start[columns, -1] = class_logits(known, weights, group.parameters)
                case "hazard":
                    start[columns, -1] = hazard_logits(known, weights)
                case "normal":
                    start[columns, -1] = normal_parameters(known, weights)
                case "hurdle_log_normal":
                    some = known > -torch.inf
                    start[columns.start, -1] = rate_logit(some.float(), weights)
                case _:
                    start[columns.start, -1] = rate_logit((known > 0).float(), weights)
    return start


def _fit(
    examples: Examples,
    layout: Layout,
    inputs_RTF: Tensor,
    start: Tensor,
    fixed: frozenset[LikelihoodName],
) -> Tensor:
    """(columns, features + 1) of the greatest likelihood; what is fixed stays as it starts.

    The chance that there is anything is fitted elsewhere: of amounts only what they are.
    """
    weights = start.clone().requires_grad_()
    parts: list[Callable[[Tensor], Tensor]] = []
    for group, labels in zip(layout.groups, examples.labels, strict=True):
        if group.likelihood in fixed or group.likelihood == "bernoulli":
            continue
        if group.likelihood in _CHANCES:
            parts.append(_Amounts.of(group, labels, inputs_RTF, examples.weights).mean_nll)
        else:
            inputs = inputs_RTF[:, group.task_slice]
            parts.append(partial(_mean_nll, group, labels, inputs, examples.weights))
    if not parts:
        return start
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=_ITERATIONS, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def means() -> Tensor:
        """Nats of every task that is not fixed."""
        return torch.cat([part(weights) for part in parts])

    # In units of each task's nats, so that the ridge pulls rare outcomes no more than others.
    units = means().detach().clamp_min(1e-6)

    def closure() -> Tensor:
        optimizer.zero_grad()
        ridge = weights[:, :-1].square().sum() + (weights - start).square().sum()
        loss = (means() / units).sum() + _RIDGE * ridge
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = weights.detach()
    for group in layout.groups:
        if group.likelihood in _CHANCES:
            of_group = slice(group.column_slice.start, group.column_slice.stop, group.parameters)
            found[of_group] = start[of_group]
    return found


def _mean_nll(
    group: Group, labels: Tensor, inputs_RTF: Tensor, row_weights_R: Tensor, weights: Tensor
) -> Tensor:
    """(T,) nats of a group's tasks, with what pulls the many weights of classes and bins."""
    of_group_TPG = _of_group(group, weights)
    parameters = (
        torch.einsum("rtf,tpf->rtp", inputs_RTF, of_group_TPG[..., :-1]) + of_group_TPG[..., -1]
    )
    nll = negative_log_likelihood(group.likelihood, parameters, labels)
    seen = ~nll.isnan()
    rows_T = seen.sum(dim=0).clamp_min(1)
    mean_T = torch.where(seen, nll * row_weights_R[:, None], 0.0).sum(dim=0) / rows_T
    if group.likelihood in _MANY_WEIGHTS:
        squares_T = of_group_TPG[..., :-1].square().sum(dim=(1, 2))
        mean_T = mean_T + squares_T / (2 * _PRIOR_VARIANCE * rows_T)
    return mean_T


def _of_group(group: Group, weights: Tensor) -> Tensor:
    """(T, P, features + 1) of a group's tasks."""
    return weights[group.column_slice].view(len(group.tasks), group.parameters, -1)


@dataclass(frozen=True)
class _Amounts:
    """A group's amounts above zero, one after the other: few, where the tasks are many.

    Attributes:
        group: counts or sums.
        task: (N,) within the group.
        inputs: (N, F)
        labels: (N,)
        weights: (N,) of the rows, over the number of the task's labels.
    """

    group: Group
    task: Tensor
    inputs: Tensor
    labels: Tensor
    weights: Tensor

    @classmethod
    def of(cls, group: Group, labels: Tensor, inputs_RTF: Tensor, row_weights: Tensor) -> _Amounts:
        """Those that are known."""
        nothing = -torch.inf if group.likelihood == "hurdle_log_normal" else 0.0
        rows_T = (~labels.isnan()).sum(dim=0).clamp_min(1)
        row, task = torch.nonzero(labels > nothing, as_tuple=True)
        return cls(
            group,
            task,
            inputs_RTF[row, group.first_task + task],
            labels[row, task],
            row_weights[row] / rows_T[task],
        )

    def mean_nll(self, weights: Tensor) -> Tensor:
        """(T,) nats of what the amounts are, over all labels."""
        amounts_NPG = _of_group(self.group, weights)[self.task, 1:]
        parameters = (amounts_NPG[..., :-1] * self.inputs[:, None]).sum(dim=-1)
        parameters = parameters + amounts_NPG[..., -1]
        # Every amount has the same chance here, so that only the amounts are fitted.
        parameters = torch.cat([torch.zeros(len(parameters), 1), parameters], dim=1)
        nll = negative_log_likelihood(
            self.group.likelihood, parameters[:, None], self.labels[:, None]
        )
        empty = weights.new_zeros(len(self.group.tasks))
        return empty.index_add(0, self.task, nll[:, 0] * self.weights)


def _with_chances(
    weights: Tensor, examples: Examples, inputs_RTF: Tensor, features_TF: Tensor
) -> Tensor:
    """The same, with the chances of the greatest likelihood."""
    found = weights.clone()
    for group, labels in zip(examples.layout.groups, examples.labels, strict=True):
        if group.likelihood not in _CHANCES:
            continue
        nothing = -torch.inf if group.likelihood == "hurdle_log_normal" else 0.0
        came_RT = (labels > nothing).float().masked_fill(labels.isnan(), torch.nan)
        tasks = group.task_slice
        columns = slice(group.column_slice.start, group.column_slice.stop, group.parameters)
        found[columns] = fit_chances(
            inputs_RTF[:, tasks],
            features_TF[tasks],
            came_RT,
            examples.weights,
            weights[columns, -1],
            _RIDGE,
        )
    return found
