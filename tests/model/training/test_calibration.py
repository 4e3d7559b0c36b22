from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.distributions import BINS, EDGES, Layout
from model.network import KindNetwork, KindShape, SSMTLNetwork
from model.tasks import PeakPeriod, Task
from model.training.calibration import fit_calibration, fit_levels
from tests.model.network.made_networks import CLASSES, CONFIG, tasks_of

ROWS = 4000
BEST = Task(name="best", entity="item", target=PeakPeriod(event_type="buy", period="weekday"))


def kind_of(*tasks: Task) -> KindNetwork:
    shape = KindShape(tasks[0].entity, 3, (), Layout(tasks, CLASSES))
    return SSMTLNetwork([shape], 5, 2, CONFIG).kind(tasks[0].entity)


def views_and_buys() -> tuple[KindNetwork, Tensor, list[Tensor]]:
    """Two outcomes with known logits, and labels drawn from them."""
    kind = kind_of(*tasks_of("pair"))
    logits = torch.randn(ROWS, 2) * 1.5
    labels = torch.bernoulli(torch.sigmoid(logits))
    return kind, logits, [labels]


def best_weekdays() -> tuple[KindNetwork, Tensor, list[Tensor]]:
    """Periods with known logits, and labels drawn from them."""
    logits = torch.randn(ROWS, 7)
    drawn = torch.distributions.Categorical(logits=logits).sample()
    shares = torch.nn.functional.one_hot(drawn, 7).float()
    return kind_of(BEST), logits, [torch.stack([shares, torch.zeros_like(shares)], dim=1)[:, None]]


def test_a_wrong_output_is_set_right_and_a_right_one_left_alone() -> None:
    kind, logits, labels = views_and_buys()
    said = logits.clone()
    said[:, 0] = logits[:, 0] * 2 + 1
    slope, shift = fit_calibration(kind.layout, said, labels, torch.ones(ROWS))
    assert slope[0] == pytest.approx(0.5, abs=0.05)
    assert shift[0] == pytest.approx(-0.5, abs=0.1)
    assert slope[1] == pytest.approx(1, abs=0.08)
    assert shift[1] == pytest.approx(0, abs=0.08)


def test_a_level_beside_a_slope_is_set_right() -> None:
    kind, logits, labels = views_and_buys()
    said, slope = logits * 2 + 1, torch.full((2,), 0.5)
    shift = fit_levels(kind.layout, said, slope, torch.full((2,), 9.0), labels, torch.ones(ROWS))
    torch.testing.assert_close(shift, torch.full((2,), -0.5), atol=0.1, rtol=0)


def test_without_labels_the_mean_stays_where_it_was() -> None:
    kind, logits, labels = views_and_buys()
    said, slope = logits + 3, torch.full((2,), 0.5)
    labels[0][:, 1] = torch.nan
    shift = fit_levels(kind.layout, said, slope, torch.zeros(2), labels, torch.ones(ROWS))
    mean = (said * slope + shift).mean(dim=0)
    assert float(mean[1]) == pytest.approx(float(said[:, 1].mean()), abs=1e-4)
    assert float(mean[0]) < float(said[:, 0].mean()) - 1


def test_spreads_and_seasons_are_no_levels() -> None:
    kind, logits, labels = best_weekdays()
    zeros, ones = torch.zeros(7), torch.ones(ROWS)
    assert (fit_levels(kind.layout, logits + 1, zeros + 0.5, zeros, labels, ones) == 0).all()

    kind = kind_of(tasks_of("item")[7])
    drawn = torch.randn(ROWS, 1) * 3 + 2
    given = torch.tensor([0.0, 0.7])
    shift = fit_levels(kind.layout, torch.zeros(ROWS, 2), torch.ones(2), given, [drawn], ones)
    assert float(shift[0]) == pytest.approx(2, abs=0.3)
    assert shift[1] == given[1]


def test_a_task_without_labels_does_not_keep_the_others_from_being_set_right() -> None:
    kind, logits, labels = views_and_buys()
    labels[0][:, 1] = torch.nan
    slope, shift = fit_calibration(kind.layout, logits * 2 + 1, labels, torch.ones(ROWS))
    assert slope[0] == pytest.approx(0.5, abs=0.05)
    assert slope[1] == 1
    assert shift[1] == 0


def test_few_rows_change_little() -> None:
    kind, logits, labels = views_and_buys()
    few = [labels[0][:15]]
    slope, shift = fit_calibration(kind.layout, logits[:15] * 3 + 2, few, torch.ones(15))
    assert (slope - 1).abs().max() < 0.7
    assert shift.abs().max() < 0.7


def test_rows_count_by_their_weights() -> None:
    """Rows that happened are kept, one in ten of the others: the logit is to be that much lower."""
    kind, logits, labels = views_and_buys()
    happened = labels[0][:, 0] > 0
    kept = happened | (torch.rand(ROWS) < 0.1)
    weights = torch.where(happened, 1.0, 10.0)[kept]
    slope, shift = fit_calibration(
        kind.layout, logits[kept], [labels[0][kept]], weights / weights.mean()
    )
    assert slope[0] == pytest.approx(1, abs=0.25)
    assert shift[0] == pytest.approx(0, abs=0.25)


def test_periods_have_a_temperature_and_keep_their_order() -> None:
    kind, logits, labels = best_weekdays()
    slope, shift = fit_calibration(kind.layout, logits * 4, labels, torch.ones(ROWS))
    assert (shift == 0).all()
    assert slope.unique().numel() == 1
    assert float(slope[0]) == pytest.approx(0.25, abs=0.03)


def test_the_marginals_are_only_read() -> None:
    kind, logits, labels = views_and_buys()
    before = logits.clone()
    slope, _ = fit_calibration(kind.layout, logits, labels, torch.ones(ROWS))
    assert torch.equal(logits, before)
    assert not slope.requires_grad
    assert all(parameter.grad is None for parameter in kind.parameters())


def test_classes_have_one_temperature_and_a_shift_each() -> None:
    kind = kind_of(tasks_of("item")[5])
    logits = torch.randn(ROWS, 3)
    drawn = torch.distributions.Categorical(logits=logits).sample().float()
    said = logits * 3 + torch.tensor([1.0, 0.0, 0.0])
    slope, shift = fit_calibration(kind.layout, said, [drawn[:, None]], torch.ones(ROWS))
    assert slope.unique().numel() == 1
    assert float(slope[0]) == pytest.approx(1 / 3, abs=0.04)
    assert float(shift[0] - shift[1:].mean()) == pytest.approx(-1 / 3, abs=0.1)


def test_a_hazard_has_one_slope_and_a_shift_for_each_bin() -> None:
    kind = kind_of(tasks_of("item")[6])
    logits = torch.randn(ROWS, 1) - 2 + torch.zeros(BINS)
    came = torch.bernoulli(torch.sigmoid(logits))
    first = torch.where(came.any(dim=1), came.argmax(dim=1), BINS)
    fractions = torch.tensor([*EDGES, torch.inf])[first]
    said = logits.clone()
    said[:, 2] += 1
    slope, shift = fit_calibration(kind.layout, said, [fractions[:, None]], torch.ones(ROWS))
    assert slope.unique().numel() == 1
    assert float(slope[0]) == pytest.approx(1, abs=0.1)
    assert float(shift[2]) == pytest.approx(-1, abs=0.25)
    others = torch.cat([shift[:2], shift[3:]])
    assert others.abs().max() < 0.4


def test_a_number_that_was_too_sure_is_told_with_more_spread() -> None:
    kind = kind_of(tasks_of("item")[7])
    mean = torch.randn(ROWS)
    drawn = mean + torch.randn(ROWS)
    said = torch.stack([2 * mean, torch.full((ROWS,), -1.0)], dim=1)
    slope, shift = fit_calibration(kind.layout, said, [drawn[:, None]], torch.ones(ROWS))
    calibrated = said * slope + shift
    torch.testing.assert_close(calibrated[:, 0], mean, atol=0.1, rtol=0.1)
    assert float(calibrated[0, 1]) == pytest.approx(0, abs=0.05)
