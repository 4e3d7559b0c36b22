from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.settings import Settings
from tests.app.worker.workplace import Workplace, hasty


@pytest.fixture
def workplace(settings: Settings, session_factory: sessionmaker[Session]) -> Iterator[Workplace]:
    workplace = Workplace(hasty(settings), session_factory)
    yield workplace
    workplace.end()
