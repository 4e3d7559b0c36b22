from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from app.worker import answering
from app.worker.answering import Answering, Scope, best_of_each_user
from model.errors import UnknownEntity
from tests.app.trained_shop import TASKS, TrainedShop

Points = dict[tuple[str, str, str], float]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "PIECE_ENTITIES", 16)
    monkeypatch.setattr(answering, "PIECE_USERS_OF_PAIRS", 7)


def points(asked: Answering, scope: Scope) -> Points:
    """By task, user or item, and item of a pair; nobody is answered twice."""
    found: Points = {}
    for piece in asked.pieces(scope):
        scored = asked.score(piece)
        table = asked.log.items if piece.entity == "item" else asked.log.users
        for name, parameters in scored.parameters.items():
            kept = scored.kept.get(name, np.ones(len(scored.codes), dtype=bool))
            for row in np.flatnonzero(kept).tolist():
                item = str(asked.log.items.ids[scored.items[row]]) if len(scored.items) else ""
                key = (name, str(table.ids[scored.codes[row]]), item)
                assert key not in found
                found[key] = float(parameters[row, 0])
    return found


def test_everybody_is_answered_once(trained_shop: TrainedShop, small_pieces: None) -> None:
    log = trained_shop.log
    seen: dict[str, set[str]] = defaultdict(set)
    for task, entity, _ in points(trained_shop.answering(), Scope()):
        seen[task].add(entity)
    assert set(seen) == {task.name for task in TASKS}
    assert seen["buys_14d"] == set(log.users.ids)
    assert seen["sold_14d"] == set(log.items.ids)


def test_pieces_change_no_answer(trained_shop: TrainedShop, request: pytest.FixtureRequest) -> None:
    whole = points(trained_shop.answering(), Scope())
    request.getfixturevalue("small_pieces")
    cut = points(trained_shop.answering(), Scope())
    alone = {key for key in whole.keys() ^ cut.keys() if not key[2]}
    assert not alone  # where the last bits move, another of two equal items may be the tenth
    for key in whole.keys() & cut.keys():
        assert cut[key] == pytest.approx(whole[key], abs=1e-5)


def test_each_user_keeps_the_best_items(trained_shop: TrainedShop, small_pieces: None) -> None:
    predictor, log = trained_shop.predictor, trained_shop.log
    pairs = predictor.candidate_pairs(log)
    everything = predictor.predict_pairs(log, ["meets_14d"], pairs)["meets_14d"]
    expected = defaultdict(list)
    for (user, _), logit in zip(pairs, everything.distribution.parameters[:, 0], strict=True):
        expected[user].append(logit)
    kept = defaultdict(list)
    for (_, user, _), logit in points(trained_shop.answering("meets_14d"), Scope()).items():
        kept[user].append(logit)
    assert set(kept) == set(expected)
    for user, own in kept.items():
        best = sorted(expected[user], reverse=True)[:10]
        np.testing.assert_allclose(sorted(own, reverse=True), best, atol=1e-5)


def test_only_whom_the_scope_names_is_answered(trained_shop: TrainedShop) -> None:
    log, asked = trained_shop.log, trained_shop.answering()
    users, items = [str(log.users.ids[3]), str(log.users.ids[1])], [str(log.items.ids[2])]
    listed = points(asked, Scope(users=[*users, users[0]], items=items))
    counted = Counter((task, entity) for task, entity, _ in listed)
    assert {entity for task, entity in counted if task == "buys_14d"} == set(users)
    assert {entity for task, entity in counted if task == "sold_14d"} == set(items)
    assert {entity for task, entity in counted if task == "meets_14d"} <= set(users)
    everybody = points(asked, Scope())
    active = points(asked, Scope(active_within_days=5))
    assert 0 < len(active) < len(everybody)
    assert active.keys() <= everybody.keys()


def test_an_unknown_id_of_the_scope_is_named(trained_shop: TrainedShop) -> None:
    asked = trained_shop.answering()
    with pytest.raises(UnknownEntity, match=r"unknown user 'nobody' \(and 1 more\)"):
        asked.pieces(Scope(users=["nobody", "u00001", "no one"], items=()))
    with pytest.raises(UnknownEntity, match="unknown item 'nothing'"):
        asked.pieces(Scope(users=(), items=["nothing"]))


def test_the_best_of_nothing_is_nothing() -> None:
    nothing = best_of_each_user(np.zeros(0, dtype=np.int64), np.zeros(0), 10)
    assert nothing.tolist() == []


def test_of_equal_points_the_earlier_pair_is_kept() -> None:
    users = np.array([0, 0, 0, 1])
    kept = best_of_each_user(users, np.array([0.1, 0.5, 0.1, 0.0]), 2)
    assert kept.tolist() == [True, True, False, True]
