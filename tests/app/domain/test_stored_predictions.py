from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion
from app.domain.stored_predictions import Answer, current_ranking, rank
from tests.app.domain.conftest import publish_one, row_of, task_of

Sessions = sessionmaker[Session]

ROWS = [
    row_of("b", 0.5),
    row_of("a", 0.5),
    row_of("c", 0.1 + 0.2),
    row_of("用户", 0.9),
    row_of("a", 0.5, item_id="y"),
    row_of("a", 0.5, item_id="x"),
    row_of("tab\tnew\nline\\N", 0.125),
    row_of("a", 0.7, task="other"),
]


def ranked(
    session: Session, version: ModelVersion, start: int, limit: int, down: bool
) -> list[Answer]:
    """As many rows as a page shows, without the one that says whether there are more."""
    ranking = current_ranking(session, version, task_of("t"))
    return rank(session, ranking, start=start, limit=limit, descending=down)[:limit]


def test_more_rows_than_fit_into_one_chunk(session_factory: Sessions, dataset: Dataset) -> None:
    rows = [row_of(f"u{number}", (number + 1) / 10_001) for number in range(10_000)]
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, rows)
        across = ranked(session, version, 4090, 20, False)
        last = [answer.point for answer in ranked(session, version, 9_990, 100, True)]
    assert [answer.point for answer in across] == [row["point"] for row in rows[4090:4110]]
    assert last == [row["point"] for row in rows[:10]][::-1]
    for answer in across:
        assert answer.distribution["kind"] == "occurs"
        assert answer.distribution["probability"] == pytest.approx(answer.point, abs=1e-6)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_a_ranking_join_without_gaps_also_among_equal_points(
    session_factory: Sessions, dataset: Dataset, descending: bool, limit: int
) -> None:
    with transaction(session_factory) as session:
        version = publish_one(session, dataset, ROWS)
        whole = ranked(session, version, 0, 100, descending)
        joined: list[Answer] = []
        while page := ranked(session, version, len(joined), limit, descending):
            joined += page
    assert joined == whole
    order = sorted((row["point"], row["entity_id"], row["item_id"]) for row in ROWS[:-1])
    keys = [(answer.point, *answer.entity) for answer in whole]
    assert keys == (order[::-1] if descending else order)


def test_a_ranking_says_whether_there_is_more(session_factory: Sessions, dataset: Dataset) -> None:
    with transaction(session_factory) as session:
        ranking = current_ranking(session, publish_one(session, dataset, ROWS), task_of("t"))
        sizes = [len(rank(session, ranking, start=start, limit=3)) for start in (0, 3, 4, 6, 7)]
    assert sizes == [4, 4, 3, 1, 0]
