"""What is predicted when outcomes are known, on a small model of a simulated shop."""

from __future__ import annotations

import math
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch

from model.errors import InvalidOutcome, UnknownTask
from model.events import EventLog
from model.network.joint_head import JointHead
from model.prediction import Predictor
from model.prediction.conditional import Conditional, Joint, Scored

USERS = ["buys_7d", "buys_30d", "order_days_30d", "spend_30d"]


@pytest.fixture(scope="module")
def conditional(predictor: Predictor) -> Conditional:
    return predictor.conditional("user")


@pytest.fixture(scope="module")
def scored(predictor: Predictor, conditional: Conditional, log: EventLog) -> Scored:
    """Some users, nothing known."""
    rows = predictor._entity_rows(log, "user", list(log.users.ids[:40]), None)
    return conditional.score(predictor.reader(log).read(rows), log)


def probabilities(
    predictor: Predictor, log: EventLog, task: str, given: dict[str, Any] | None = None
) -> np.ndarray:
    found = predictor.predict(log, [task], given=given)
    return found[task].distribution.probability_any


def test_nothing_known_is_what_is_served_to_the_bit(predictor: Predictor, log: EventLog) -> None:
    before = predictor.predict(log, USERS)
    for given in (None, {}):
        after = predictor.predict(log, USERS, given=given)
        for name in USERS:
            left, right = before[name].distribution, after[name].distribution
            assert left.parameters.tobytes() == right.parameters.tobytes()
            assert type(left) is type(right)


def test_what_is_known_moves_the_others(predictor: Predictor, log: EventLog) -> None:
    marginal = probabilities(predictor, log, "buys_30d")
    without = probabilities(predictor, log, "buys_30d", {"buys_7d": False})
    assert ((without >= 0) & (without <= 1)).all()
    assert (without != marginal).any()


@pytest.mark.parametrize(
    ("given", "task", "sure"),
    [
        ({"buys_7d": True}, "buys_30d", 1),
        ({"buys_30d": False}, "buys_7d", 0),
        ({"order_days_30d": 2}, "buys_30d", 1),
        ({"order_days_30d": 0}, "spend_30d", 0),
        ({"buys_30d": True}, "order_days_30d", 1),
        ({"spend_30d": 12.5}, "order_days_30d", 1),
    ],
)
def test_what_follows_by_logic_is_certain(
    predictor: Predictor, log: EventLog, given: dict[str, Any], task: str, sure: int
) -> None:
    assert (probabilities(predictor, log, task, given) == sure).all()


def test_the_order_in_which_outcomes_are_given_changes_nothing(
    conditional: Conditional, scored: Scored
) -> None:
    given = {"buys_7d": False, "buys_30d": True, "spend_30d": 20.0}
    expected = conditional.parameters(scored, conditional.given(given))
    for order in permutations(given):
        shuffled = conditional.given({name: given[name] for name in order})
        assert conditional.parameters(scored, shuffled).tobytes() == expected.tobytes()


@pytest.mark.parametrize("pair", [("buys_7d", "buys_30d")])
def test_all_outcomes_of_two_events_have_probability_one_together(
    conditional: Conditional, scored: Scored, pair: tuple[str, str]
) -> None:
    nothing = conditional.given({})
    total = np.zeros(40)
    backwards = np.zeros(40)
    for values in product([True, False], repeat=2):
        if values == (True, False):
            continue  # who buys within 7 days buys within 30
        joint = conditional.joint(scored, dict(zip(pair, values, strict=True)), nothing)
        total += np.exp(joint.log_probability)
        backwards += np.exp(joint.reversed_log_probability)
    np.testing.assert_allclose(total, 1, atol=1e-9)
    np.testing.assert_allclose(backwards, 1, atol=1e-9)


def test_the_chain_is_in_the_order_in_which_windows_end(
    conditional: Conditional, scored: Scored
) -> None:
    outcomes = {"buys_30d": True, "buys_7d": False, "order_days_30d": 2}
    joint = conditional.joint(scored, outcomes, conditional.given({}))
    assert joint.order[0] == "buys_7d"
    assert set(joint.order) == {"buys_7d", "buys_30d", "order_days_30d"}
    np.testing.assert_allclose(joint.terms["buys_7d"], joint.marginals["buys_7d"])
    assert np.isfinite(joint.reversed_log_probability).all()
    assert (joint.terms["order_days_30d"] <= 0).all()


def test_a_joint_probability_given_more_is_the_rest_of_the_chain(
    conditional: Conditional, scored: Scored
) -> None:
    nothing, known = conditional.given({}), conditional.given({"buys_7d": False})
    rest = conditional.joint(scored, {"buys_30d": True, "order_days_30d": 1}, known)
    outcomes = {"buys_7d": False, "buys_30d": True, "order_days_30d": 1}
    whole = conditional.joint(scored, outcomes, nothing)
    first = conditional.joint(scored, {"buys_7d": False}, nothing)
    np.testing.assert_allclose(
        first.log_probability + rest.log_probability, whole.log_probability, atol=1e-9
    )
    with pytest.raises(InvalidOutcome, match=r"cannot be beside buys_7d = true"):
        conditional.joint(scored, {"buys_30d": False}, conditional.given({"buys_7d": True}))
    with pytest.raises(InvalidOutcome, match=r"its outcome is given"):
        conditional.joint(scored, {"buys_7d": False}, known)


def test_joined_parts_are_the_joint_probability_of_all_their_rows(
    conditional: Conditional, scored: Scored
) -> None:
    outcomes, nothing = {"buys_7d": False, "spend_30d": 30.0}, conditional.given({})
    whole = conditional.joint(scored, outcomes, nothing)
    parts = [scored.take(slice(15)), scored.take(slice(15, None))]
    joined = Joint.joined([conditional.joint(part, outcomes, nothing) for part in parts])
    assert (joined.order, joined.densities) == (whole.order, whole.densities)
    for name in ("log_probability", "independent_log_probability", "inconsistency"):
        np.testing.assert_allclose(getattr(joined, name), getattr(whole, name), atol=1e-6)
    assert (whole.inconsistency > 0).any()


def test_one_outcome_alone_has_its_own_probability(
    conditional: Conditional, scored: Scored
) -> None:
    joint = conditional.joint(scored, {"spend_30d": 30.0}, conditional.given({}))
    np.testing.assert_array_equal(joint.log_probability, joint.independent_log_probability)
    np.testing.assert_array_equal(joint.log_probability, joint.reversed_log_probability)


def test_the_correction_is_that_of_the_network_in_torch(
    predictor: Predictor, conditional: Conditional, scored: Scored
) -> None:
    artifact, layout = predictor.artifact, conditional.layout
    config = artifact.description.config
    prefix = "kinds.user.joint."
    neighbours = artifact.weights[f"{prefix}sources"].shape[1]
    joint_head = JointHead(layout, config.width, config.evidence_channels, neighbours)
    joint_head.load_state_dict(
        {
            name.removeprefix(prefix): torch.from_numpy(np.array(value))
            for name, value in artifact.weights.items()
            if name.startswith(prefix)
        }
    )
    given = conditional.given({"buys_7d": False, "order_days_30d": 2, "spend_30d": 20.0})
    labels_BT = torch.from_numpy(given.labels_T).expand(len(scored.flat_RO), -1)
    with torch.no_grad():
        correction = joint_head(
            torch.from_numpy(scored.states_RD),
            torch.from_numpy(scored.flat_RO),
            [labels_BT[:, group.task_slice] for group in layout.groups],
            ~labels_BT.isnan(),
        ).numpy()
    found = conditional.corrected(scored, given) - scored.flat_RO
    for name in ("buys_30d", "spend_30d"):
        columns = layout.columns_of(name)
        how = artifact.description.serving[name]
        slope = how.slope if how.source == "model" and how.slope else 1.0
        trusted = how.evidence * np.asarray(slope) * correction[:, columns]
        np.testing.assert_allclose(found[:, columns], trusted, atol=1e-5)


def test_chances_fit_together_also_when_outcomes_are_known(
    predictor: Predictor, log: EventLog
) -> None:
    given = {"spend_30d": 0}
    of_week = probabilities(predictor, log, "buys_7d", given)
    of_month = probabilities(predictor, log, "buys_30d", given)
    assert (of_week <= of_month).all()
    days = probabilities(predictor, log, "order_days_30d", {"buys_7d": False})
    of_month = probabilities(predictor, log, "buys_30d", {"buys_7d": False})
    np.testing.assert_allclose(days, of_month, rtol=1e-6)


def test_what_is_given_is_not_asked(predictor: Predictor, log: EventLog) -> None:
    with pytest.raises(InvalidOutcome, match=r"buys_7d.*its outcome is given"):
        predictor.predict(log, USERS, given={"buys_7d": True})


def test_outcomes_of_another_kind_of_entity_are_refused(
    predictor: Predictor, log: EventLog
) -> None:
    with pytest.raises(UnknownTask, match="units_14d"):
        predictor.predict(log, ["buys_7d"], given={"units_14d": 3})
    with pytest.raises(UnknownTask, match="ask for one kind at a time"):
        predictor.joint(log, {"units_14d": 3, "buys_7d": True}, ["u"])


def test_items_and_pairs_have_joint_probabilities_too(predictor: Predictor, log: EventLog) -> None:
    items = predictor.joint(log, {"units_14d": 3}, list(log.items.ids[:5]))
    pairs = predictor.candidate_pairs(log)[:5]
    of_pairs = predictor.joint(log, {"views_14d": True}, pairs)
    assert items.log_probability.shape == of_pairs.log_probability.shape == (5,)
    assert (of_pairs.log_probability < 0).all()
    assert not math.isnan(items.log_probability.sum())
