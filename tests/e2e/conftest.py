from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.service import running_service


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own, worker inside, on SQLite and local files."""
    folder: Path = tmp_path_factory.mktemp("service")
    with running_service(folder) as found:
        yield found
