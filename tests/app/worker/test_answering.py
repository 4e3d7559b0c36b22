from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from app.worker import answering
from app.worker.answering import answer_everything, best_of_each_user
from tests.app.trained_shop import TASKS, TrainedShop


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_CHUNK", 64)


def test_everybody_is_answered_once(trained_shop: TrainedShop, small_chunks: None) -> None:
    log = trained_shop.log
    seen: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in trained_shop.rows():
        seen[row["task"]][row["entity_id"], row["item_id"]] += 1
    for task in TASKS:
        assert set(seen[task.name].values()) == {1}
    assert {user for user, _ in seen["buys_14d"]} == set(log.users.ids)
    assert {item for item, _ in seen["sold_14d"]} == set(log.items.ids)


def test_chunks_change_no_answer(trained_shop: TrainedShop, request: pytest.FixtureRequest) -> None:
    whole = trained_shop.rows()
    request.getfixturevalue("small_chunks")
    chunked = {(r["task"], r["entity_id"], r["item_id"]): r for r in trained_shop.rows()}
    for row in whole:
        other = chunked.pop((row["task"], row["entity_id"], row["item_id"]), None)
        # Where the last bits move, another of two equal items may be the tenth.
        assert row["item_id"] or other
        assert other is None or other["point"] == pytest.approx(row["point"], abs=1e-6)


def test_each_user_keeps_the_best_items(trained_shop: TrainedShop, small_chunks: None) -> None:
    predictor, log = trained_shop.predictor, trained_shop.log
    pairs = predictor.candidate_pairs(log)
    everything = predictor.predict_pairs(log, ["meets_14d"], pairs)["meets_14d"]
    points = defaultdict(list)
    for (user, _), point in zip(pairs, everything.point, strict=True):
        points[user].append(point)
    kept = defaultdict(list)
    for answer in answer_everything(predictor, log):
        if answer.task.name == "meets_14d":
            for user, point in zip(answer.entity_ids, answer.point, strict=True):
                kept[user].append(point)
    assert set(kept) == set(points)
    for user, own in kept.items():
        np.testing.assert_allclose(own, sorted(points[user], reverse=True)[:10], atol=1e-6)


def test_the_best_of_nothing_is_nothing(trained_shop: TrainedShop) -> None:
    nothing = trained_shop.predictor.predict_pairs(trained_shop.log, ["meets_14d"], [])
    best = best_of_each_user(nothing["meets_14d"], 10)
    assert (best.entity_ids, best.item_ids, best.answers()) == ([], [], [])
