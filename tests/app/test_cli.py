from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.db.engine import make_engine
from app.db.migrate import is_current
from app.settings import get_settings


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SSMTL_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("SSMTL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def test_help_lists_the_commands() -> None:
    answer = CliRunner().invoke(cli, ["--help"])
    assert answer.exit_code == 0
    for command in ("serve", "worker", "migrate", "demo"):
        assert command in answer.output


def test_migrate_makes_the_database(data_dir: Path) -> None:
    assert CliRunner().invoke(cli, ["migrate"]).exit_code == 0
    engine = make_engine(f"sqlite:///{data_dir / 'ssmtl.sqlite3'}")
    assert is_current(engine)
    engine.dispose()


def test_a_worker_wants_a_migrated_database(data_dir: Path) -> None:
    answer = CliRunner().invoke(cli, ["worker"])
    assert answer.exit_code == 1
    assert "ssmtl migrate" in answer.output
