from __future__ import annotations

import numpy as np
import pytest
import torch

from model.config import Config
from model.network import KindNetwork, SomeTasks
from model.training.evidence_shares import SHARES, evidence_shares
from model.training.preparation import Prepared, declared_tasks
from model.training.scoring import Outputs, outputs_of
from model.training.selection import choose_serving


@pytest.fixture(scope="module")
def kind_and_outputs(prepared: Prepared, config: Config) -> tuple[KindNetwork, Outputs]:
    torch.manual_seed(0)
    network = prepared.network(config)
    kind = network.kind("user")
    return kind, outputs_of(network, kind, prepared.training["user"])


def found_shares(
    prepared: Prepared, kind_and_outputs: tuple[KindNetwork, Outputs], output: float
) -> dict[str, float]:
    """With a joint head whose corrections all go one way, so strongly."""
    kind, outputs = kind_and_outputs
    with torch.no_grad():
        kind.joint.output.fill_(output)
    examples, baselines = prepared.training["user"], prepared.baselines["user"]
    declared = declared_tasks(kind.layout)
    serving = choose_serving(kind.layout, outputs, examples, baselines, prepared.scales, declared)
    some = SomeTasks.all_of(kind.layout)
    return evidence_shares(kind, some, outputs, examples, serving, baselines)


def test_a_head_that_says_nothing_keeps_its_whole_say(
    prepared: Prepared, kind_and_outputs: tuple[KindNetwork, Outputs]
) -> None:
    found = found_shares(prepared, kind_and_outputs, 0.0)
    assert set(found) == {"buys_7d", "buys_30d", "order_days_30d", "spend_30d"}
    assert set(found.values()) == {1.0}


def test_a_head_that_says_what_is_not_so_is_not_listened_to(
    prepared: Prepared, kind_and_outputs: tuple[KindNetwork, Outputs]
) -> None:
    found = found_shares(prepared, kind_and_outputs, 50.0)
    assert {found["order_days_30d"], found["spend_30d"]} == {0.0}


def test_a_share_is_one_of_those_tried_and_always_the_same(
    prepared: Prepared, kind_and_outputs: tuple[KindNetwork, Outputs]
) -> None:
    found = found_shares(prepared, kind_and_outputs, 0.3)
    assert set(found.values()) <= set(SHARES)
    assert found == found_shares(prepared, kind_and_outputs, 0.3)
    assert np.isfinite(list(found.values())).all()
