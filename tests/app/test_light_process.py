from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from model.compiled import compile_all
from tests.app.trained_shop import STRANGER, Service

SCRIPT = """
import sys
from fastapi.testclient import TestClient
from app.main import create_app
from app.settings import Settings

url, data_dir, user, item, events = sys.argv[1:]
settings = Settings(_env_file=None, database_url=url, data_dir=data_dir, embedded_worker=False)
path = f"/v1/datasets/shop/tasks/meets_14d/predictions/{user}"
event = {"user": user, "item": item, "time": "2024-01-01T10:00:00Z", "event_type": "view"}
with TestClient(create_app(settings)) as client:
    for _ in range(2):
        answer = client.get(path, params={"item": item})
        assert answer.status_code == 200, answer.text
        assert answer.json()["kind"] == "occurs"
        if not int(events):
            continue
        posted = client.post("/v1/datasets/shop/events", json={"events": [event]})
        assert posted.is_success, posted.text
heavy = ("torch", "numba", "llvmlite", "scipy", "onnx", "sklearn", "alembic")
of_events = () if int(events) else ("pandas", "pyarrow.compute")
print([name for name in (*heavy, *of_events) if name in sys.modules])
"""


def heavy_imports(service: Service, *, events: bool) -> str:
    item = service.shop.log.items.ids[0]
    url, data_dir = service.settings.resolved_database_url, service.settings.data_dir
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, str(data_dir), STRANGER, item, str(int(events))],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_a_process_that_serves_predictions_and_takes_events_imports_nothing_heavy(
    service: Service,
) -> None:
    compile_all()  # as an installation does; what is kept needs no compiler
    # The first one makes the event index, which takes a compiler.
    assert "torch" not in heavy_imports(service, events=False)
    assert heavy_imports(service, events=False) == "[]"
    assert heavy_imports(service, events=True) == "[]"
