from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from model.config import Config
from model.distributions import TaskServing
from model.network import KindNetwork
from model.training.examples import Examples
from model.training.preparation import Prepared, declared_tasks
from model.training.scoring import Outputs
from model.training.selection import choose_serving, sources_of
from tests.model.network.made_networks import tasks_of

CONFIDENT = 3.0


def made(prepared: Prepared, config: Config) -> tuple[KindNetwork, Examples]:
    kind = prepared.network(config).kind("user")
    return kind, prepared.training["user"]


def outputs(
    examples: Examples, marginals: torch.Tensor, private: torch.Tensor | None = None
) -> Outputs:
    nothing_known = marginals.new_zeros(1, marginals.shape[1]).expand(len(examples), -1)
    return Outputs(
        states=torch.zeros(len(examples), 1),
        marginals=marginals,
        private=nothing_known if private is None else private,
    )


def constant(prepared: Prepared, examples: Examples) -> torch.Tensor:
    climatology = torch.from_numpy(prepared.baselines["user"].climatology)
    return climatology.repeat(len(examples), 1)


def chosen(
    prepared: Prepared,
    kind: KindNetwork,
    examples: Examples | None,
    marginals: torch.Tensor | None,
    private: torch.Tensor | None = None,
) -> dict[str, TaskServing]:
    known = examples is not None and marginals is not None
    return choose_serving(
        kind.layout,
        outputs(examples, marginals, private) if known else None,
        examples,
        prepared.baselines["user"],
        prepared.scales,
        declared_tasks(kind.layout),
    )


def test_a_model_that_knows_nothing_is_not_served(prepared: Prepared, config: Config) -> None:
    kind, examples = made(prepared, config)
    found = chosen(prepared, kind, examples, constant(prepared, examples))
    assert {how.source for how in found.values()} == {"recency_frequency"}


def test_a_model_that_knows_is_served_and_calibrated(prepared: Prepared, config: Config) -> None:
    kind, examples = made(prepared, config)
    found = chosen(prepared, kind, examples, knowing(prepared, kind, examples, 2 * CONFIDENT))
    assert found["buys_30d"].source == "model"
    assert found["buys_7d"].source == "recency_frequency"
    (slope,) = found["buys_30d"].slope
    assert 0.2 < slope < 0.5


def test_a_private_head_that_knows_more_is_served(prepared: Prepared, config: Config) -> None:
    kind, examples = made(prepared, config)
    nothing, much = constant(prepared, examples), knowing(prepared, kind, examples, CONFIDENT / 2)
    found = chosen(prepared, kind, examples, nothing, private=much)
    assert found["buys_30d"].source == "private_head"
    assert found["buys_30d"].slope == (), "served as it was learned"
    assert found["buys_7d"].source == "recency_frequency"
    assert chosen(prepared, kind, examples, much, private=much)["buys_30d"].source == "model"


def knowing(
    prepared: Prepared, kind: KindNetwork, examples: Examples, logit: float
) -> torch.Tensor:
    """Of one task's outcomes nine out of ten are foreseen, with some confidence."""
    marginals = constant(prepared, examples)
    (column,) = range(*kind.layout.columns_of("buys_30d").indices(kind.layout.columns))
    group = kind.layout.group("buys_30d")
    position = kind.layout.position("buys_30d") - group.first_task
    happened = examples.labels[kind.layout.groups.index(group)][:, position].nan_to_num(0.0)
    right = torch.rand(len(examples)) < 0.9
    said = torch.where(right, happened, 1 - happened)
    marginals[:, column] = (2 * said - 1) * logit
    return marginals


def test_a_task_without_labels_is_served_by_its_last_baseline(
    prepared: Prepared, config: Config
) -> None:
    kind, examples = made(prepared, config)
    group = kind.layout.group("buys_7d")
    position = kind.layout.position("buys_7d") - group.first_task
    compact = list(examples.compact)
    index = kind.layout.groups.index(group)
    whole = compact[index]
    usual = whole.usual.copy()
    usual[:, position] = np.nan
    compact[index] = replace(
        whole,
        usual=usual,
        values=np.where(whole.task == position, np.float32(np.nan), whole.values),
    )
    without = replace(examples, compact=tuple(compact))
    found = chosen(prepared, kind, without, constant(prepared, examples))
    assert found["buys_7d"] == TaskServing(source="recency_frequency", scale=found["buys_7d"].scale)


def test_without_validation_rows_nothing_untested_is_trusted(
    prepared: Prepared, config: Config
) -> None:
    kind, _ = made(prepared, config)
    found = chosen(prepared, kind, None, None)
    assert {how.source for how in found.values()} == {"recency_frequency"}
    assert found["spend_30d"].scale == prepared.scales["spend_30d"]


def test_every_task_has_a_climatology_and_a_model() -> None:
    for task in tasks_of("user"):
        sources = sources_of(task)
        assert sources[0] == "climatology"
        assert sources[-1] == "model"
        assert len(set(sources)) == 4
