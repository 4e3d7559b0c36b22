from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor

from model.distributions import Baselines, Distribution, Scale, Source, baseline_parameters
from model.evaluation.metrics import auroc
from model.tasks import EntityKind
from model.training.baselines import fit_baselines
from model.training.examples import Examples
from model.training.preparation import ENTITY_KINDS, Prepared
from model.training.scoring import mean_nll
from model.training.selection import task_nll


def refitted(prepared: Prepared, entity: EntityKind, examples: Examples) -> Baselines:
    layout = prepared.layouts[entity]
    rng = np.random.default_rng(0)
    return fit_baselines(examples, layout, prepared.columns(entity), rng)


def labels_of(prepared: Prepared, entity: EntityKind, name: str, examples: Examples) -> np.ndarray:
    layout = prepared.layouts[entity]
    group = layout.group(name)
    labels = examples.labels[layout.groups.index(group)]
    return labels[:, layout.position(name) - group.first_task].numpy()


@pytest.mark.parametrize("name", ["buys_7d", "buys_30d"])
def test_the_climatology_is_the_empirical_rate(prepared: Prepared, name: str) -> None:
    labels = labels_of(prepared, "user", name, prepared.training["user"])
    column = prepared.layouts["user"].columns_of(name)
    (rate,) = expit(prepared.baselines["user"].climatology[column])
    assert rate == pytest.approx(np.nanmean(labels), rel=0.01)


def test_the_climatology_of_a_rare_outcome_of_weighted_rows_is_its_rate(
    prepared: Prepared,
) -> None:
    """Those that happen are all kept and the others stand for many: rates are the weighted ones."""
    examples = prepared.training["pair"]
    happened = labels_of(prepared, "pair", "views_14d", examples) > 0
    weights = np.where(happened, 1.0, 300.0)
    weighted = replace(
        examples, weights=torch.tensor(weights / weights.mean(), dtype=torch.float32)
    )
    (column,) = range(prepared.layouts["pair"].columns)
    rate = expit(refitted(prepared, "pair", weighted).climatology[column])
    assert np.average(happened, weights=weights) < 0.005
    assert rate == pytest.approx(np.average(happened, weights=weights), rel=0.1)


def test_the_climatology_of_counts_and_sums_has_their_mean(prepared: Prepared) -> None:
    layout, examples = prepared.layouts["user"], prepared.training["user"]
    climatology = prepared.baselines["user"].climatology[None].astype(np.float64)
    for name in ("order_days_30d", "spend_30d"):
        task = layout.tasks[layout.position(name)]
        scale = prepared.scales.get(name, Scale())
        labels = labels_of(prepared, "user", name, examples).astype(np.float64)
        labels = labels[~np.isnan(labels)]
        if name == "spend_30d":
            labels = np.exp(scale.location + scale.scale * labels)
        found = Distribution(task, climatology[:, layout.columns_of(name)], scale)
        assert found.probability_any[0] == pytest.approx(np.mean(labels > 0), rel=0.02)
        assert found.expected[0] == pytest.approx(np.mean(labels), rel=0.15)


def nll_of(prepared: Prepared, entity: EntityKind, source: Source, baselines: Baselines) -> Tensor:
    """(T,) mean nats of one baseline on the training rows."""
    layout, examples = prepared.layouts[entity], prepared.training[entity]
    means = []
    for task in layout.tasks:
        columns = layout.columns_of(task.name)
        parameters = baseline_parameters(
            source,
            layout.position(task.name),
            columns,
            examples.naive.get(task.name),
            baselines,
            examples.inputs.numbers,
        )
        nll = task_nll(layout, task.name, parameters, examples.labels)
        means.append(mean_nll(nll[:, None], examples.weights))
    return torch.cat(means)


def fitted_here(prepared: Prepared, entity: EntityKind) -> Tensor:
    """(T,) the tasks whose baselines have the greatest likelihood; periods have the mean season."""
    tasks = prepared.layouts[entity].tasks
    return torch.tensor([task.target.kind != "peak_period" for task in tasks])


@pytest.mark.parametrize("entity", ENTITY_KINDS)
@pytest.mark.parametrize("shift", [-0.1, 0.1])
def test_no_constant_is_better_than_the_climatology(
    prepared: Prepared, entity: EntityKind, shift: float
) -> None:
    baselines = prepared.baselines[entity]
    moved = replace(baselines, climatology=baselines.climatology + np.float32(shift))
    best = nll_of(prepared, entity, "climatology", baselines)
    worse = nll_of(prepared, entity, "climatology", moved)
    free = fitted_here(prepared, entity)
    assert (worse[free] > best[free] - 1e-4).all()
    torch.testing.assert_close(best, prepared.climatology_nll[entity])


def test_recency_and_frequency_rank_who_buys(prepared: Prepared) -> None:
    layout, examples = prepared.layouts["user"], prepared.training["user"]
    columns = layout.columns_of("buys_30d")
    parameters = prepared.baselines["user"].recency_frequency(
        examples.inputs.numbers, layout.position("buys_30d"), columns
    )
    labels = labels_of(prepared, "user", "buys_30d", examples)
    known = ~np.isnan(labels)
    ones = np.ones(int(known.sum()))
    assert auroc(parameters[known, 0], labels[known] > 0, ones) > 0.7


@pytest.mark.parametrize("entity", ENTITY_KINDS)
def test_recency_and_frequency_say_more_than_the_climatology(
    prepared: Prepared, entity: EntityKind
) -> None:
    baselines = prepared.baselines[entity]
    constant = nll_of(prepared, entity, "climatology", baselines)
    informed = nll_of(prepared, entity, "recency_frequency", baselines)
    free = fitted_here(prepared, entity)
    assert (informed[free] < constant[free]).all()
