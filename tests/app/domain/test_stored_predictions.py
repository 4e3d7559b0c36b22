from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset
from app.domain.stored_predictions import Entity, rank, read_stored
from tests.app.domain.conftest import publish_one, row_of

Sessions = sessionmaker[Session]

ROWS = [
    row_of("b", 0.5),
    row_of("a", 0.5),
    row_of("c", 0.1 + 0.2),
    row_of("用户", 0.9),
    row_of("a", 0.5, item_id="y"),
    row_of("a", 0.5, item_id="x"),
    row_of("tab\tnew\nline\\N", 0.0),
    row_of("a", 0.7, task="other"),
]


def test_what_is_stored_is_read_back_exactly(session_factory: Sessions, dataset: Dataset) -> None:
    asked = [Entity(row["entity_id"], row["item_id"]) for row in ROWS] + [Entity("nobody")]
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, ROWS)
        publish_one(session, dataset, [row_of("a", 0.99)])
        answers = list(read_stored(session, version, ["t", "other"], asked))
    found = {
        (answer.task, *answer.entity): (answer.point, answer.cold_start, answer.distribution)
        for answer in answers
    }
    assert len(found) == len(answers)
    assert found == {
        (row["task"], row["entity_id"], row["item_id"]): (
            row["point"],
            row["cold_start"],
            row["distribution"],
        )
        for row in ROWS
    }


def test_more_entities_than_fit_into_one_query(session_factory: Sessions, dataset: Dataset) -> None:
    rows = [row_of(f"u{number}", number / 5000) for number in range(5000)]
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, rows)
        asked = [Entity(row["entity_id"]) for row in rows]
        answers = {
            answer.entity: answer.point for answer in read_stored(session, version, ["t"], asked)
        }
    assert answers == {Entity(row["entity_id"]): row["point"] for row in rows}


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_a_ranking_join_without_gaps_also_among_equal_points(
    session_factory: Sessions, dataset: Dataset, descending: bool, limit: int
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, ROWS)
        whole = rank(session, version, "t", limit=100, descending=descending)
        joined, after = [], None
        while page := rank(session, version, "t", limit=limit, descending=descending, after=after)[
            :limit
        ]:
            joined += page
            after = (page[-1].point, page[-1].entity)
    assert joined == whole
    assert len(whole) == len(ROWS) - 1
    points = [answer.point for answer in whole]
    assert points == sorted(points, reverse=descending)


def test_a_ranking_of_one_users_items(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, ROWS)
        items = [answer.entity.item_id for answer in rank(session, version, "t", user="a", limit=9)]
    assert items == ["y", "x", ""]
