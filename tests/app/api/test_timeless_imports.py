"""A table whose rows have no time is a log too, for tasks about its columns."""

import io
import json

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain.datasets import get_dataset, profile_dataset
from app.settings import Settings
from tests.app.api.uploads import EVENTS, JSONL, counts, make_dataset, upload, uploaded
from tests.app.event_logs import load_event_log

FIVE_ROWS = (
    "用户ID,商品ID,用户与商品的交互信息\n"
    "U1,I1,购买\nU1,I2,浏览\nU2,I1,收藏\nU3,I3,购买\nU3,I1,浏览\n"
)
INTERACTION = "用户与商品的交互信息"


def test_the_first_example_needs_no_ceremony(
    client: TestClient, session_factory: sessionmaker[Session], settings: Settings
) -> None:
    assert client.post("/v1/datasets", json={"name": "shop"}).status_code == 201
    report = uploaded(client, FIVE_ROWS)
    assert counts(report) == (5, 5, 0, 0)
    assert any("no times" in note for note in report["notes"])
    assert any("'interaction'" in note for note in report["notes"])
    told = client.get("/v1/datasets/shop").json()
    assert (told["users"], told["items"], told["rows"]["events"]) == (3, 3, 5)
    assert told["event_types"] == {"interaction": 5}
    assert (told["has_time"], told["first_at"], told["span_days"]) == (False, None, None)
    assert told["columns"] == {INTERACTION: "category"}
    assert counts(uploaded(client, FIVE_ROWS)) == (5, 0, 5, 0)
    with transaction(session_factory, write=False) as session:
        dataset = get_dataset(session, "shop")
        profile = profile_dataset(session, dataset).log
        log = load_event_log(session, dataset, settings.data_dir)
    assert profile is not None
    assert not profile.has_time
    assert profile.columns == {INTERACTION: "category"}
    assert not log.has_time
    assert log.time_us.tolist() == [0] * 5
    assert log.columns[INTERACTION].data.tolist() == [2, 1, 0, 2, 1]


def test_the_first_example_in_every_format(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, FIVE_ROWS)
    table = pd.read_csv(io.StringIO(FIVE_ROWS))
    lines = "\n".join(json.dumps(row) for row in table.to_dict("records"))
    assert counts(uploaded(client, lines, headers=JSONL)) == (5, 0, 5, 0)
    native = io.BytesIO()
    table.to_parquet(native, index=False)
    assert counts(uploaded(client, native.getvalue(), format="parquet")) == (5, 0, 5, 0)
    with_mark = uploaded(client, FIVE_ROWS.encode("utf-8-sig"))
    assert counts(with_mark) == (5, 0, 5, 0)
    chinese = uploaded(client, FIVE_ROWS.encode("gb18030"), encoding="gb18030")
    assert counts(chinese) == (5, 0, 5, 0)
    for delimiter, character in (("semicolon", ";"), ("tab", "\t"), ("pipe", "|")):
        content = FIVE_ROWS.replace(",", character)
        assert counts(uploaded(client, content)) == (5, 0, 5, 0)
        assert counts(uploaded(client, content, delimiter=delimiter)) == (5, 0, 5, 0)


def test_a_given_delimiter_is_part_of_the_request(client: TestClient) -> None:
    make_dataset(client)
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "k1"}
    uploaded(client, FIVE_ROWS, headers=headers)
    answer = upload(client, FIVE_ROWS, headers=headers, delimiter="comma")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_mapping_can_say_that_there_is_no_time(client: TestClient) -> None:
    make_dataset(client, events={"columns": {"time": None}, "default_event_type": "rated"})
    report = uploaded(client, "user_id,item_id,time,stars\nu1,i1,soon,4\n")
    assert report["notes"] == []
    told = client.get("/v1/datasets/shop").json()
    assert told["columns"] == {"stars": "number", "time_": "category"}
    assert told["event_types"] == {"rated": 1}


def test_all_events_of_a_dataset_have_times_or_none_has(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, FIVE_ROWS)
    answer = upload(client, EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (422, "times_disagree")
    assert "'time'" in answer.json()["detail"]
    make_dataset(client, "timed")
    uploaded(client, EVENTS, name="timed")
    answer = upload(client, FIVE_ROWS, name="timed")
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_column")
    assert "the dataset's events have times" in answer.json()["detail"]
    assert client.get("/v1/datasets/timed").json()["has_time"] is True


def test_rows_of_one_side_only_must_be_said_to_have_no_time(client: TestClient) -> None:
    make_dataset(client)
    answer = upload(client, "user_id,stars\nu1,4\n")
    assert answer.status_code == 422
    assert "say null there" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["time", "timestamp"])
def test_a_time_that_comes_late_in_the_file_is_a_time(client: TestClient, key: str) -> None:
    make_dataset(client)
    lines = ['{"user_id": "u1", "item_id": "i1"}'] * 1001
    lines.append(json.dumps({"user_id": "u1", "item_id": "i1", key: "2024-01-01"}))
    answer = upload(client, "\n".join(lines), headers=JSONL)
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_column")


def test_an_empty_dataset_has_not_decided_yet(client: TestClient) -> None:
    told = make_dataset(client)
    assert (told["has_time"], told["columns"]) == (None, {})
