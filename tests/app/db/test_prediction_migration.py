"""Predictions that were stored row by row are ranked as before once they are in sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import text

from app.db import migrate
from app.db.engine import make_engine, make_session_factory, transaction
from app.db.tables import Dataset, ModelVersion
from app.domain.answer_tables import Told
from app.domain.exporting import export
from app.domain.prediction_sets import begin_set, current_set, tasks_of_set
from app.domain.stored_predictions import current_ranking, rank
from model.tasks import Occurs, Task
from tests.app.databases import administrate, url_of

TASK = Task(name="buys", entity="user", target=Occurs(event_type="purchase"), horizon_days=7)
ROWS = [(f"u{number % 7}用户{number}", round(number % 13 / 13, 3)) for number in range(9000)]


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the schema of revision 0003."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'earlier.sqlite3'}"
        bring_to_0003(url)
        yield url
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"earlier_{uuid4().hex}"
    administrate(server, f"CREATE DATABASE {name}")
    url = url_of(server, name)
    bring_to_0003(url)
    yield url
    administrate(server, f"DROP DATABASE {name} WITH (FORCE)")


def bring_to_0003(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    engine.dispose()


def fill(url: str) -> None:
    """A dataset with two versions, of which the second was retired."""
    engine = make_engine(url)
    at = datetime(2025, 6, 1, tzinfo=UTC)
    tasks = json.dumps([TASK.model_dump(mode="json")])
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO dataset (id, name, time_zone, mapping, revision, created_at) "
                "VALUES (1, 'shop', 'UTC', '{}', 1, :at)"
            ),
            {"at": at},
        )
        connection.execute(
            text(
                "INSERT INTO model_version (id, dataset_id, number, artifact_path, "
                "dataset_revision, cutoff_at, predictions_removed_at, tasks, report, task_graph, "
                "created_at) VALUES (:id, 1, :id, 'models/none', 1, :at, :removed, :tasks, '{}', "
                "'{}', :at)"
            ),
            [
                {"id": 1, "at": at, "removed": None, "tasks": tasks},
                {"id": 2, "at": at, "removed": at, "tasks": tasks},
            ],
        )
        connection.execute(
            text(
                "INSERT INTO prediction (model_version_id, task, entity_id, item_id, point, "
                "cold_start, distribution) VALUES (1, 'buys', :id, '', :point, :cold, :said)"
            ),
            [
                {
                    "id": entity,
                    "point": point,
                    "cold": point == 0,
                    "said": json.dumps({"kind": "occurs", "probability": point}),
                }
                for entity, point in ROWS
            ],
        )
    engine.dispose()


def test_what_was_stored_is_ranked_and_exported_as_before(earlier_url: str) -> None:
    fill(earlier_url)
    migrate.upgrade(earlier_url)
    engine = make_engine(earlier_url)
    sessions = make_session_factory(engine)
    with transaction(sessions) as session:
        version = session.get_one(ModelVersion, 1)
        ranking = current_ranking(session, version, TASK)
        answers = rank(session, ranking, start=0, limit=10_000)
        assert current_set(session, session.get_one(ModelVersion, 2), "buys") is None
        stored = current_set(session, version, "buys")
        assert stored is not None
        assert stored.rows == len(ROWS)
        tasks = list(tasks_of_set(session, stored, {"buys": TASK}).values())
        following = begin_set(
            session, dataset_id=1, job_id=None, cutoff_at=version.cutoff_at, ranked=True
        )
        assert following.id > stored.id
        assert session.get_one(Dataset, 1).name == "shop"
    expected = sorted(((point, entity) for entity, point in ROWS), reverse=True)
    assert [(answer.point, answer.entity.entity_id) for answer in answers] == expected
    for answer in answers:
        assert answer.cold_start == (answer.point == 0)
        assert answer.distribution == {"kind": "occurs", "probability": answer.point}
    told = Told(1, version.cutoff_at)
    lines = b"".join(export(sessions, tasks, told, "jsonl")).splitlines()
    assert [json.loads(line)["user"] for line in lines] == [entity for _, entity in expected]
    assert len(b"".join(export(sessions, tasks, told, "csv")).splitlines()) == len(ROWS) + 1
    engine.dispose()
