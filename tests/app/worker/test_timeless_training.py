"""The first example, only longer: a table without times is imported, learned and asked."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from app.api.prediction_formats import PARQUET
from app.settings import Settings
from app.worker.loop import run_worker
from tests.app.api.uploads import make_dataset, uploaded
from tests.app.worker.test_training import ended, submit

USER, ITEM, INTERACTION = "用户ID", "商品ID", "用户与商品的交互信息"
KINDS = ("购买", "收藏", "浏览")


@pytest.fixture
def worker(settings: Settings) -> Iterator[None]:
    stopping = threading.Event()
    given = settings.model_copy(update={"job_threads": 1})
    thread = threading.Thread(target=run_worker, args=(given, stopping))
    thread.start()
    yield
    stopping.set()
    thread.join()


def interactions() -> pd.DataFrame:
    """1,000 rows in the shape of the first example; users differ in what they like to do."""
    random = np.random.default_rng(0)
    user, item = random.integers(0, 80, 1000), random.integers(0, 30, 1000)
    kind = np.where(random.random(1000) < 0.7, user % 3, random.integers(0, 3, 1000))
    return pd.DataFrame(
        {
            USER: [f"U{number}" for number in user],
            ITEM: [f"I{number}" for number in item],
            INTERACTION: np.array(KINDS)[kind],
        }
    )


@pytest.mark.slow
def test_a_table_of_interactions_is_learned(client: TestClient, worker: None) -> None:
    table = interactions()
    make_dataset(client)
    report = uploaded(client, table.to_csv(index=False))
    distinct = len(table.drop_duplicates())
    assert (report["rows_read"], report["rows_accepted"]) == (1000, distinct)
    target = {"kind": "column", "column": INTERACTION}
    for entity in ("user", "pair"):
        task = {"entity": entity, "target": target}
        answer = client.put(f"/v1/datasets/shop/tasks/{entity}_does", json=task)
        assert answer.status_code == 201, answer.text
    job = ended(client, submit(client))
    assert (job["state"], job["error"]) == ("succeeded", None)
    version = client.get("/v1/datasets/shop/model-versions/1").json()
    assert set(version["report"]["tasks"]) == {"user_does", "pair_does"}
    assert version["cutoff_at"] is None  # there is no time that it could be of
    assert {told["test_at"] for told in version["report"]["tasks"].values()} == {None}
    one = client.get("/v1/datasets/shop/tasks/user_does/predictions/U1").json()
    assert (one["kind"], one["cutoff_at"]) == ("column", None)
    assert one["best"] in KINDS
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    pairs = [{"user": "U1", "item": f"I{number}"} for number in range(30)]
    asked = {"tasks": ["pair_does"], "pairs": pairs}
    several = client.post("/v1/datasets/shop/predictions", json=asked)
    assert several.status_code == 200, several.text
    assert {answer["cutoff_at"] for answer in several.json()["predictions"]} == {None}
    assert len(several.json()["predictions"]) == len(pairs)  # whether the two have met or not
    assert {answer["best"] for answer in several.json()["predictions"]} <= set(KINDS)
    sets = "/v1/datasets/shop/prediction-sets"
    (stored,) = client.get(sets).json()["items"]
    assert stored["cutoff_at"] is None
    lines = client.get(f"{sets}/{stored['id']}/export?format=jsonl").text.splitlines()
    assert {json.loads(line)["cutoff_at"] for line in lines} == {None}
    whole = client.get(f"{sets}/{stored['id']}/export?format=parquet").content
    download = client.post(
        "/v1/datasets/shop/predictions", json=asked, headers={"Accept": PARQUET}
    ).content
    for content in (whole, download):
        column = parquet.read_table(io.BytesIO(content)).column("cutoff_at")
        assert len(column) == column.null_count > 0
