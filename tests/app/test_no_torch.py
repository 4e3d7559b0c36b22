from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.app.trained_shop import STRANGER, Service

SCRIPT = """
import sys
from fastapi.testclient import TestClient
from app.main import create_app
from app.settings import Settings

url, data_dir, user, item = sys.argv[1:]
settings = Settings(_env_file=None, database_url=url, data_dir=data_dir, embedded_worker=False)
with TestClient(create_app(settings)) as client:
    answer = client.get(
        f"/v1/datasets/shop/tasks/meets_14d/predictions/{user}", params={"item": item}
    )
assert answer.status_code == 200, answer.text
assert answer.json()["kind"] == "occurs"
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "torch")
assert not loaded, loaded[:5]
"""


def test_serving_a_computed_prediction_imports_no_torch(service: Service) -> None:
    item = service.shop.log.items.ids[0]
    url, data_dir = service.settings.resolved_database_url, service.settings.data_dir
    arguments = [url, str(data_dir), STRANGER, item]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
