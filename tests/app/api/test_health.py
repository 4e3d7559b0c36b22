from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from app.main import create_app
from app.settings import Settings


def test_the_process_is_alive(client: TestClient) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_with_a_migrated_database(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == [
        {"name": "database", "status": "ok", "reason": None},
        {"name": "migrations", "status": "ok", "reason": None},
    ]


def test_not_ready_when_a_migration_is_missing(client: TestClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "ssmtl migrate" in answer.json()["checks"][1]["reason"]


def test_not_ready_without_a_database() -> None:
    settings = Settings(
        _env_file=None,
        database_url="postgresql+psycopg://nobody@127.0.0.1:1/none",
        embedded_worker=False,
    )
    with TestClient(create_app(settings)) as client:
        answer = client.get("/readyz")
        alive = client.get("/livez")
    assert answer.status_code == 503
    assert answer.json()["checks"][0]["status"] == "failing"
    assert alive.status_code == 200
