from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from app.main import create_app
from app.settings import Settings
from tests.app.trained_shop import NAME, Service


def test_the_process_is_alive(client: TestClient) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_with_a_migrated_database(client: TestClient) -> None:
    assert client.app.state.warming.done.wait(60)  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == [
        {"name": "database", "status": "ok", "reason": None},
        {"name": "migrations", "status": "ok", "reason": None},
        {"name": "models", "status": "ok", "reason": None},
    ]


def test_not_ready_when_a_migration_is_missing(client: TestClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "ssmtl migrate" in answer.json()["checks"][1]["reason"]


def test_ready_when_the_champions_are_loaded(service: Service) -> None:
    with TestClient(create_app(service.settings)) as other:
        state = other.app.state  # type: ignore[attr-defined]
        if not state.warming.done.is_set():
            assert other.get("/readyz").status_code in {200, 503}
        assert state.warming.done.wait(120)
        assert other.get("/readyz").status_code == 200
        served = state.predicting.serving.find(NAME)
        assert served is not None
        assert served.champion is not None


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
