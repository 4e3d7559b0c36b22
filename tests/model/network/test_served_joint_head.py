"""The joint head that is served, in NumPy, is the one that was trained, in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from model.distributions import JointCorrection
from model.distributions.evidence import evidence as evidence_in_numpy
from model.network import KindNetwork
from model.network.evidence import evidence
from model.tasks import EntityKind
from tests.model.network.made_networks import KINDS, made_batch, made_labels, made_network
from tests.model.network.made_outcomes import LIKELIHOODS, made

ROWS = 20


def served(kind: KindNetwork) -> JointCorrection:
    weights = {name: value.numpy() for name, value in kind.joint.state_dict().items()}
    return JointCorrection.of_weights(kind.layout, weights)


def outcomes_of(kind: KindNetwork, labels: list[Tensor], known_BT: Tensor) -> Tensor:
    """(B, T) what the served head is told: NaN for the unknown; periods and classes say nothing."""
    parts = [
        of_group[:, :, 0, 0] if group.likelihood == "periods" else of_group
        for group, of_group in zip(kind.layout.groups, labels, strict=True)
    ]
    return torch.cat(parts, dim=1).masked_fill(~known_BT, torch.nan)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_evidence_is_the_same(likelihood: str) -> None:
    parameters, labels = made(likelihood, missing=0.3)  # type: ignore[arg-type]
    expected = evidence(likelihood, parameters, labels)  # type: ignore[arg-type]
    plain = labels[:, :, 0, 0] if likelihood == "periods" else labels
    found = evidence_in_numpy(likelihood, parameters.numpy(), plain.numpy())  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("entity", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_correction_is_the_same(entity: EntityKind, share: float) -> None:
    network = made_network()
    kind = network.kind(entity)
    with torch.no_grad():
        state, marginals = network.marginals(entity, made_batch(ROWS))
        labels = made_labels(kind.layout, ROWS, missing=0.2)
        known = torch.rand(ROWS, len(kind.layout)) < share
        expected = kind.joint(state, marginals, labels, known)
    told = outcomes_of(kind, labels, known)
    found = served(kind)(state.numpy(), marginals.numpy(), told.numpy())
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_nothing_known_corrects_nothing() -> None:
    kind = made_network().kind("user")
    nothing = np.full((ROWS, len(kind.layout)), np.nan, dtype=np.float32)
    marginals = np.ones((ROWS, kind.layout.columns), dtype=np.float32)
    found = served(kind)(np.ones((ROWS, 16), dtype=np.float32), marginals, nothing)
    assert (found == 0).all()


def test_missing_weights_are_named() -> None:
    kind = made_network().kind("user")
    with pytest.raises(KeyError, match="sources"):
        JointCorrection.of_weights(kind.layout, {})
