"""Whatever the events have beside their own columns is kept, and found again."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain.datasets import get_dataset, profile_dataset
from app.ingest import further_columns
from app.settings import Settings
from model.events import EventLog
from model.tasks import profile_of
from tests.app.api.uploads import JSONL, counts, make_dataset, upload, uploaded
from tests.app.event_logs import load_event_log

HEADER = "user_id,item_id,time,event_type,rating,channel\n"
ROWS = (
    "u1,i1,2024-01-01 10:00,view,4.5,web\n"
    "u2,i2,2024-01-02 10:00,view,,app\n"
    "u3,i1,2024-01-03 10:00,view,3,\n"
)


@pytest.fixture
def log(session_factory: sessionmaker[Session], settings: Settings) -> Any:
    """Reads the log of the dataset `shop`, whose profile must agree with the manifest's."""

    def read() -> EventLog:
        with transaction(session_factory, write=False) as session:
            dataset = get_dataset(session, "shop")
            told = profile_dataset(session, dataset).log
            found = load_event_log(session, dataset, settings.data_dir)
        assert told is not None
        assert told.columns == profile_of(found).columns
        assert told.has_time == found.has_time
        return found

    return read


def test_columns_that_nobody_declared_are_kept(client: TestClient, log: Any) -> None:
    make_dataset(client)
    uploaded(client, HEADER + ROWS)
    assert client.get("/v1/datasets/shop").json()["columns"] == {
        "channel": "category",
        "rating": "number",
    }
    columns = log().columns
    assert columns["rating"].values is None
    assert columns["rating"].data[[0, 2]].tolist() == [4.5, 3.0]
    assert columns["channel"].values == ("app", "web")
    assert columns["channel"].data.tolist() == [1, 0, -1]


def test_one_word_among_numbers_makes_them_texts(client: TestClient, log: Any) -> None:
    make_dataset(client)
    uploaded(client, HEADER + ROWS)
    uploaded(client, HEADER + "u4,i1,2024-01-04 10:00,view,good,web\n")
    assert log().columns["rating"].values == ("3", "4.5", "good")


def test_declared_columns_have_their_type_and_the_others_are_left_out(
    client: TestClient, log: Any
) -> None:
    attributes = {
        "stars": {"column": "rating", "type": "number"},
        "rating": {"type": "category"},
    }
    make_dataset(client, events={"attributes": attributes})
    uploaded(client, HEADER + ROWS)
    columns = log().columns
    assert sorted(columns) == ["rating", "stars"]
    assert columns["rating"].values == ("3", "4.5")
    assert columns["stars"].data[0] == 4.5
    answer = upload(client, HEADER + "u5,i1,2024-01-04 10:00,view,good,web\n")
    assert [error["code"] for error in answer.json()["errors"]] == ["not_a_number"]
    answer = upload(client, "user_id,item_id,time,event_type\nu5,i1,2024-01-04,view\n")
    assert "attribute 'rating'" in answer.json()["detail"]


def test_none_are_kept_where_none_is_wanted(client: TestClient, log: Any) -> None:
    make_dataset(client, events={"attributes": {}})
    uploaded(client, HEADER + ROWS)
    assert dict(log().columns) == {}


def test_rows_that_differ_in_a_further_column_are_two_events(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, HEADER + ROWS)
    again = ROWS.replace("web", "app")
    assert counts(uploaded(client, HEADER + again)) == (3, 1, 2, 0)
    wider = "channel,user_id,time,item_id,event_type,rating,empty\n" + "".join(
        f"{channel},{user},{time},{item},{kind},{rating},\n"
        for user, item, time, kind, rating, channel in (
            line.split(",") for line in ROWS.splitlines()
        )
    )
    assert counts(uploaded(client, wider)) == (3, 0, 3, 0)


def test_a_column_of_ever_new_texts_is_dropped_and_the_report_says_so(
    client: TestClient, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(further_columns, "MOST_VALUES", 2)
    make_dataset(client)
    report = uploaded(client, HEADER + ROWS)
    assert report["notes"] == []
    more = "".join(f"u1,i1,2024-02-0{n} 10:00,view,{n},session {n}\n" for n in range(1, 5))
    report = uploaded(client, HEADER + more)
    (note,) = report["notes"]
    assert "'channel' has more than 2 different texts" in note
    assert client.get(f"/v1/datasets/shop/imports/{report['id']}").json()["notes"] == [note]
    assert sorted(log().columns) == ["rating"]
    assert len(log().columns["rating"].data) == 7
    assert counts(uploaded(client, HEADER + more)) == (4, 0, 4, 0)


def test_texts_that_no_value_can_be_are_missing(client: TestClient, log: Any) -> None:
    make_dataset(client)
    lines = [
        {"user_id": "u1", "time": "2024-01-01", "event_type": "view", "note": note}
        for note in ("x" * 201, "a\0b", "short")
    ]
    uploaded(client, "\n".join(map(json.dumps, lines)), headers=JSONL)
    assert log().columns["note"].values == ("short",)


def test_lists_and_objects_are_no_further_columns(client: TestClient, log: Any) -> None:
    make_dataset(client)
    lines = [
        {"user_id": "u1", "time": "2024-01-01", "event_type": "view", "tags": ["a"], "n": 1},
        {"user_id": "u1", "time": "2024-01-02", "event_type": "view", "tags": None, "n": 2.5},
    ]
    uploaded(client, "\n".join(map(json.dumps, lines)), headers=JSONL)
    assert sorted(log().columns) == ["n"]


def test_parquet_columns_of_any_type(client: TestClient, log: Any) -> None:
    make_dataset(client)
    sink = io.BytesIO()
    table = pa.table(
        {
            "user_id": ["u1", "u2"],
            "time": ["2024-01-01", "2024-01-02"],
            "event_type": ["view", "view"],
            "n": pa.array([1, None], pa.int16()),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "tags": [["x"], []],
            "flag": [True, False],
        }
    )
    pq.write_table(table, sink)
    uploaded(client, sink.getvalue(), format="parquet")
    columns = log().columns
    assert sorted(columns) == ["flag", "kind", "n"]
    assert columns["flag"].values == ("false", "true")
    assert columns["n"].data[0] == 1


def test_a_name_that_events_have_is_given_another_one(client: TestClient, log: Any) -> None:
    make_dataset(client, events={"columns": {"quantity": "Qty"}})
    uploaded(client, "user_id,time,event_type,Qty,quantity\nu1,2024-01-01,view,2,many\n")
    assert sorted(log().columns) == ["quantity_"]
    answer = client.post(
        "/v1/datasets",
        json={"name": "x", "events": {"attributes": {"quantity": {"type": "number"}}}},
    )
    assert answer.status_code == 422
    assert "another name" in answer.text


def test_a_table_of_hundreds_of_columns_is_asked_about(client: TestClient) -> None:
    make_dataset(client)
    wide = ",".join(f"c{n}" for n in range(101))
    answer = upload(client, f"user_id,time,event_type,{wide}\nu1,2024-01-01,view{',1' * 101}\n")
    assert answer.status_code == 422
    assert "101 further columns" in answer.json()["detail"]
