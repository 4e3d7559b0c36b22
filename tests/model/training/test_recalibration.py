from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from model import SSMTL, Config, Task
from model.distributions import TaskServing
from model.events import EventLog
from model.network import SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.snapshots import has_label
from model.training import recalibration
from model.training.fold import FoldResult, run_fold
from model.training.preparation import Prepared, declared_tasks
from model.training.recalibration import NEWEST_CUTOFFS, recalibrated
from model.training.scoring import outputs_of


def calibrations(prepared: Prepared, slope: float) -> dict[str, TaskServing]:
    """All tasks served by the model, at levels that are far from right."""
    return {
        task.name: TaskServing(
            slope=(slope,) * layout.group(task.name).parameters,
            shift=(9.0,) * layout.group(task.name).parameters,
            scale=prepared.scales.get(task.name, TaskServing().scale),
        )
        for layout in prepared.layouts.values()
        for task in declared_tasks(layout)
    }


def again(
    network: SSMTLNetwork, prepared: Prepared, serving: dict[str, TaskServing]
) -> dict[str, TaskServing]:
    return recalibrated(network, prepared, serving, np.random.default_rng(0))


def test_each_task_is_right_in_the_mean_of_its_newest_rows(
    prepared: Prepared, config: Config
) -> None:
    network = prepared.network(config)
    kind, examples = network.kind("user"), prepared.training["user"]
    found = again(network, prepared, calibrations(prepared, slope=1.5))
    said = outputs_of(network, kind, examples).marginals
    cutoffs_us = examples.inputs.cutoffs_us
    labelled = {}
    for name in ("buys_7d", "buys_30d"):
        position, columns = kind.layout.position(name), kind.layout.columns_of(name)
        group = kind.layout.group(name)
        labels = examples.labels[kind.layout.groups.index(group)][:, position - group.first_task]
        task = kind.layout.tasks[position]
        known = [at for at in np.unique(cutoffs_us) if has_label(task, at, prepared.label_end_us)]
        labelled[name] = known
        newest = np.isin(cutoffs_us, known[-NEWEST_CUTOFFS:])
        chance = torch.sigmoid(
            torch.from_numpy(found[name].calibrate(said[:, columns].numpy()))[newest, 0]
        )
        weights = examples.weights[newest]
        rate = float((labels[newest] * weights).sum() / weights.sum())
        assert float((chance * weights).sum() / weights.sum()) == pytest.approx(rate, abs=0.01)
        assert found[name].slope == (1.5,)
    assert labelled["buys_7d"][-1] > labelled["buys_30d"][-1], "else nothing is told apart"


def test_older_rows_do_not_count(
    prepared: Prepared, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalibration, "NEWEST_CUTOFFS", 1)
    network, serving = prepared.network(config), calibrations(prepared, slope=1.0)
    examples = prepared.training["user"]
    task = next(task for task in examples.layout.tasks if task.name == "buys_30d")
    at_us = [
        int(at)
        for at in np.unique(examples.inputs.cutoffs_us)
        if has_label(task, at, prepared.label_end_us)
    ]
    older = np.flatnonzero(examples.inputs.cutoffs_us >= at_us[-1])
    without = replace(prepared, training={**prepared.training, "user": examples.take(older)})
    found = [again(network, made, serving)["buys_30d"].shift for made in (prepared, without)]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_who_is_not_calibrated_stays_as_they_are(prepared: Prepared, config: Config) -> None:
    serving = dict.fromkeys(calibrations(prepared, 1.0), TaskServing(source="climatology"))
    assert again(prepared.network(config), prepared, serving) == serving


def test_a_season_keeps_the_shift_that_it_has(prepared: Prepared, config: Config) -> None:
    layout = prepared.layouts["item"]
    (season,) = (t.name for t in layout.tasks if layout.group(t.name).likelihood == "periods")
    found = again(prepared.network(config), prepared, calibrations(prepared, slope=0.7))
    assert set(found[season].shift) == {9.0}


def test_rows_become_more_likely(prepared: Prepared, config: Config) -> None:
    network, serving = prepared.network(config), calibrations(prepared, slope=1.2)
    for entity, examples in prepared.training.items():
        layout = examples.layout
        said = outputs_of(network, network.kind(entity), examples).marginals
        nats = []
        for how in (serving, again(network, prepared, serving)):
            served = said.clone()
            for task in declared_tasks(layout):
                columns = layout.columns_of(task.name)
                calibrated = how[task.name].calibrate(said[:, columns].numpy())
                served[:, columns] = torch.from_numpy(calibrated)
            nats.append(nll_of_all(layout, served, examples.labels).nanmean(dim=0))
        declared = [layout.position(task.name) for task in declared_tasks(layout)]
        wrong, right = (of_tasks[declared] for of_tasks in nats)
        assert (right <= wrong).all()
        assert (right < wrong).any()


def test_a_fit_serves_the_slopes_of_its_folds_and_shifts_of_its_own(
    log: EventLog, tasks: tuple[Task, ...], config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[FoldResult] = []

    def seen(*given: object) -> FoldResult:
        results.append(run_fold(*given))  # type: ignore[arg-type]
        return results[-1]

    # The package's `fit` is the function.
    monkeypatch.setattr(import_module("model.training.fit"), "run_fold", seen)
    asked = [task for task in tasks if task.name in {"buys_7d", "buys_30d"}]
    served = SSMTL(asked, config).fit(log).predictor_.artifact.description.serving
    folds = {name: how for result in results for name, how in result.serving.items()}
    calibrated = [name for name in served if served[name].slope]
    assert calibrated, "else nothing is said"
    for name in calibrated:
        assert served[name].slope == folds[name].slope
        assert served[name].shift != folds[name].shift
