from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.config import Config
from model.distributions import Layout
from model.network import KindNetwork, KindShape, SSMTLNetwork
from model.network.voices import even_shares
from model.tasks import PeakPeriod, Task
from model.training import stacking
from model.training.boosting import boost
from model.training.preparation import Prepared
from model.training.scoring import outputs_of
from model.training.stacking import fit_shares, learn_shares, shares_of, take_shares
from tests.model.network.made_networks import CLASSES, CONFIG, made_boosted, moved, tasks_of

ROWS = 4000
BEST = Task(name="best", entity="item", target=PeakPeriod(event_type="buy", period="weekday"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def truth_of(tasks: tuple[Task, ...]) -> tuple[Layout, Tensor, list[Tensor], Tensor]:
    """Two outcomes with known logits, labels drawn from them, and noise to spoil voices with."""
    layout = Layout(tasks, CLASSES)
    logits = torch.randn(ROWS, 2) * 1.5
    return layout, logits, [torch.bernoulli(torch.sigmoid(logits))], torch.randn(3, ROWS, 2)


def seasons() -> tuple[Layout, Tensor, list[Tensor]]:
    """Periods with known logits, and labels drawn from them."""
    logits = torch.randn(ROWS, 7)
    drawn = torch.distributions.Categorical(logits=logits).sample()
    of_periods = torch.nn.functional.one_hot(drawn, 7).float()
    labels = torch.stack([of_periods, torch.zeros_like(of_periods)], dim=1)[:, None]
    return Layout((BEST,), CLASSES), logits, [labels]


def test_who_knows_more_counts_more() -> None:
    layout, logits, labels, noise = truth_of(tasks_of("pair"))
    said = [logits + noise[0] * 2, logits + noise[1] * 0.3, logits + noise[2] * 2]
    has_trees = torch.ones(2, dtype=torch.bool)
    shares = fit_shares(layout, said, has_trees, labels, torch.ones(ROWS))
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(2))
    assert (shares[1] > 0.8).all()


def test_voices_that_are_equally_good_count_alike_whatever_their_scale() -> None:
    layout, logits, labels, noise = truth_of(tasks_of("pair"))
    said = [(logits + of_voice) * 2 + 1 for of_voice in noise]
    has_trees = torch.ones(2, dtype=torch.bool)
    shares = fit_shares(layout, said, has_trees, labels, torch.ones(ROWS))
    torch.testing.assert_close(shares, even_shares(has_trees), atol=0.08, rtol=0)


def test_where_there_are_no_trees_they_are_not_listened_to() -> None:
    layout, logits, labels, noise = truth_of(tasks_of("pair"))
    said = [logits + noise[0], logits + noise[1], logits]
    has_trees = torch.tensor([True, False])
    shares = fit_shares(layout, said, has_trees, labels, torch.ones(ROWS))
    assert shares[2, 0] > 0.8
    assert shares[2, 1] == 0
    torch.testing.assert_close(shares[:2, 1].sum(), torch.tensor(1.0))


def test_few_rows_or_no_labels_change_little() -> None:
    layout, logits, labels, noise = truth_of(tasks_of("pair"))
    few = [labels[0][:15].clone()]
    few[0][:, 1] = torch.nan
    said = [(logits + of_voice)[:15] for of_voice in noise]
    has_trees = torch.ones(2, dtype=torch.bool)
    shares = fit_shares(layout, said, has_trees, few, torch.ones(15))
    torch.testing.assert_close(shares[:, 0], torch.full((3,), 1 / 3), atol=0.15, rtol=0)
    torch.testing.assert_close(shares[:, 1], torch.full((3,), 1 / 3))


def test_voices_that_know_nothing_count_alike() -> None:
    layout, _, labels, noise = truth_of(tasks_of("pair"))
    has_trees = torch.ones(2, dtype=torch.bool)
    shares = fit_shares(layout, list(noise * 2), has_trees, labels, torch.ones(ROWS))
    torch.testing.assert_close(shares, even_shares(has_trees))


def test_rows_count_by_their_weights() -> None:
    """The first voice knows the rows that count, the second the others."""
    layout, logits, labels, noise = truth_of(tasks_of("pair"))
    counts = torch.arange(ROWS) < ROWS // 2
    said = [
        torch.where(counts[:, None], logits, noise[0]),
        torch.where(counts[:, None], noise[1], logits),
    ]
    has_trees = torch.zeros(2, dtype=torch.bool)
    shares = fit_shares(layout, said, has_trees, labels, counts.float() * 2)
    assert (shares[0] > 0.9).all()


def test_all_periods_of_a_task_have_one_share() -> None:
    layout, logits, labels = seasons()
    said = [logits, torch.randn(ROWS, 7)]
    shares = fit_shares(layout, said, torch.zeros(7, dtype=torch.bool), labels, torch.ones(ROWS))
    assert shares.unique(dim=1).shape[1] == 1
    assert shares[0, 0] > 0.9


def test_a_voice_with_another_season_is_not_set_right_by_a_shift() -> None:
    """Calibration shifts no periods, so nothing else may either."""
    layout, logits, labels = seasons()
    said = [logits, logits + torch.linspace(-3, 3, 7)]
    shares = fit_shares(layout, said, torch.zeros(7, dtype=torch.bool), labels, torch.ones(ROWS))
    assert shares[0, 0] > 0.9


def test_shares_that_were_learned_make_validation_likelier(
    prepared: Prepared, config: Config
) -> None:
    network = prepared.network(config)
    moved(network)
    kind, examples = network.kind("user"), prepared.training["user"]
    boost(network, {"user": examples}, {"user": examples}, seed=0)

    def nll() -> Tensor:
        return kind.nll(outputs_of(network, kind, examples).marginals, examples.labels).nanmean(0)

    before = nll()
    learn_shares(network, kind, examples, {})
    column = kind.layout.columns_of("buys_30d").start
    assert kind.voices.shares[2, column] > 0.8  # the others are random
    position = kind.layout.position("buys_30d")
    assert nll()[position] < before[position]


def test_of_very_many_tasks_all_voices_count_alike(
    prepared: Prepared, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = prepared.network(config)
    moved(network)
    kind = network.kind("user")
    monkeypatch.setattr(stacking, "MAX_TASKS", 1)
    learn_shares(network, kind, prepared.training["user"], {})
    torch.testing.assert_close(kind.voices.shares, even_shares(kind.has_trees))


def made_kind() -> KindNetwork:
    shape = KindShape("pair", 3, (), Layout(tasks_of("pair"), CLASSES))
    return SSMTLNetwork([shape], 5, 2, CONFIG).kind("pair")


def test_another_network_takes_them_as_far_as_it_has_the_voices() -> None:
    learned, fresh, without = made_kind(), made_kind(), made_kind()
    for kind in (learned, fresh):
        kind.add_trees(made_boosted(kind))
    learned.voices.shares.copy_(torch.tensor([[0.2, 0.5], [0.3, 0.0], [0.5, 0.5]]))
    shares = shares_of(learned)
    take_shares(fresh, shares)
    torch.testing.assert_close(fresh.voices.shares, learned.voices.shares)
    take_shares(without, shares)
    expected = torch.tensor([[0.4, 1.0], [0.6, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(without.voices.shares, expected)


def test_classes_that_are_new_have_the_share_of_their_task() -> None:
    (asked,) = (task for task in tasks_of("item") if task.target.kind == "next")
    there, here = (
        SSMTLNetwork(
            [KindShape("item", 3, (), Layout([asked], {asked.name: classes}))], 5, 2, CONFIG
        ).kind("item")
        for classes in (("a", "b"), ("a", "b", "c"))
    )
    there.voices.shares.copy_(torch.tensor([[0.8], [0.2], [0.0]]).expand(-1, 2))
    take_shares(here, shares_of(there))
    expected = torch.tensor([[0.8], [0.2], [0.0]]).expand(-1, 3)
    torch.testing.assert_close(here.voices.shares, expected)


def test_who_would_be_left_with_nothing_counts_all_voices_alike() -> None:
    kind = made_kind()
    (first, *_) = kind.layout.tasks
    take_shares(kind, {first.name: [[0.0], [0.0], [1.0]]})
    torch.testing.assert_close(kind.voices.shares, even_shares(kind.has_trees))
