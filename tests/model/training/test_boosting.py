from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import torch

from model.errors import Stopped
from model.network.boosted_heads import BoostedHeads, features_of
from model.training import boosting
from model.training.boosting import MIN_ROUNDS, grow
from model.training.examples import Examples
from model.training.preparation import Prepared


@pytest.fixture(scope="module")
def users(prepared: Prepared) -> Examples:
    return prepared.training["user"]


@pytest.fixture(scope="module")
def halves(users: Examples) -> tuple[Examples, Examples]:
    """Rows to learn from and others."""
    is_first = users.inputs.users % 2 == 0
    return users.take(np.flatnonzero(is_first)), users.take(np.flatnonzero(~is_first))


def said(heads: BoostedHeads, examples: Examples) -> torch.Tensor:
    inputs = examples.inputs
    features = features_of(torch.from_numpy(inputs.numbers), torch.from_numpy(inputs.categories))
    return heads(features)


def test_trees_know_who_will_buy(halves: tuple[Examples, Examples]) -> None:
    _, others = halves
    heads, rounds = grow(*halves, seed=0)
    assert heads is not None
    assert rounds["buys_30d/whether"] >= MIN_ROUNDS
    layout = others.layout
    column = layout.columns_of("buys_30d").start
    head = int(heads.head_of_column[column])
    (labels,) = (
        others.labels[index][:, layout.position("buys_30d") - group.first_task]
        for index, group in enumerate(layout.groups)
        if layout.group("buys_30d") is group
    )
    logits = said(heads, others)[:, head] + others.offsets[:, column]
    start = heads.start[head] + others.offsets[:, column]
    known = ~labels.isnan()
    with_trees, without = (
        torch.nn.functional.binary_cross_entropy_with_logits(some[known], labels[known])
        for some in (logits, start)
    )
    assert with_trees < 0.95 * without


def test_who_asks_the_same_shares_a_head(users: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "MIN_ROWS", 20)
    heads, rounds = grow(users, users, seed=0)
    assert heads is not None
    columns = [users.layout.columns_of(name) for name in ("buys_30d", "order_days_30d")]
    whether = [int(heads.head_of_column[column.start]) for column in columns]
    assert whether[0] == whether[1] >= 0
    how_many = int(heads.head_of_column[columns[1].start + 1])
    assert how_many not in (-1, whether[0])
    assert "order_days_30d/how_much" in rounds
    assert len(heads.start) == len(rounds)


def test_the_answers_are_lightgbms(users: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "MIN_ROWS", 20)
    trained: list[lightgbm.Booster] = []
    train = lightgbm.train

    def recorded(*args: object, **kwargs: object) -> lightgbm.Booster:
        trained.append(train(*args, **kwargs))
        return trained[-1]

    monkeypatch.setattr(lightgbm, "train", recorded)
    heads, rounds = grow(
        users, None, seed=0, rounds={"buys_7d/whether": 30, "spend_30d/how_much": 12}
    )
    assert heads is not None
    assert rounds == {"buys_7d/whether": 30, "spend_30d/how_much": 12}
    inputs = users.inputs
    features = features_of(torch.from_numpy(inputs.numbers), torch.from_numpy(inputs.categories))
    for head, booster in enumerate(trained):
        expected = booster.predict(features.numpy(), raw_score=True) + float(heads.start[head])
        np.testing.assert_allclose(said(heads, users)[:, head], expected, atol=1e-5)


def test_the_same_seed_grows_the_same_trees(halves: tuple[Examples, Examples]) -> None:
    (one, rounds), (other, again), (third, _) = (grow(*halves, seed=seed) for seed in (1, 1, 2))
    assert one is not None
    assert other is not None
    assert third is not None
    assert rounds == again
    for name, buffer in one.named_buffers():
        assert torch.equal(buffer, other.get_buffer(name))
    assert not torch.equal(one.value, third.value)


def test_where_there_is_nothing_to_know_no_trees_are_kept(
    halves: tuple[Examples, Examples],
) -> None:
    """Everybody has the features of somebody else."""
    rng = np.random.default_rng(0)
    shuffled = [
        replace(some, inputs=some.inputs.take(rng.permutation(len(some)))) for some in halves
    ]
    heads, rounds = grow(*shuffled, seed=0)
    whole, of_whole = grow(*halves, seed=0)
    assert whole is not None
    assert len(rounds) < len(of_whole) / 2
    assert heads is None or len(heads.root) < len(whole.root) / 2


def test_without_validation_nothing_is_grown_that_no_fold_has_tested(users: Examples) -> None:
    assert grow(users, None, seed=0) == (None, {})


def test_of_many_tasks_none_is_grown(users: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "MAX_TASKS", 2)
    assert grow(users, users, seed=0) == (None, {})


def test_more_rows_than_are_looked_at_are_sampled(
    users: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosting, "MAX_ROWS", len(users) // 2)
    seen: list[int] = []
    train = lightgbm.train

    def recorded(
        settings: object, data: lightgbm.Dataset, *args: object, **kwargs: object
    ) -> object:
        seen.append(data.num_data())
        return train(settings, data, *args, **kwargs)

    monkeypatch.setattr(lightgbm, "train", recorded)
    heads, _ = grow(users, users, seed=0)
    assert heads is not None
    assert max(seen) <= len(users) // 2


def test_who_is_stopped_grows_no_further(users: Examples) -> None:
    def stopped() -> None:
        raise Stopped("enough")

    with pytest.raises(Stopped):
        grow(users, users, seed=0, check=stopped)


def test_torch_brings_the_only_openmp() -> None:
    """A machine without one of its own can train; two would get in each other's way."""
    script = (
        "import model.training.boosting\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'libgomp' in line})"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(found) == 1
    assert "torch" in found[0]
