import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.ingest.entity_frames import entity_frame
from app.ingest.manifest import parts_of
from app.settings import Settings
from tests.app.api.uploads import CSV, EVENTS, JSONL, counts, make_dataset, upload, uploaded
from tests.app.event_logs import event_frame

Stored = Callable[..., pd.DataFrame]


@pytest.fixture
def stored(session_factory: sessionmaker[Session], settings: Settings) -> Stored:
    """Reads the frame of a table of the dataset `shop`."""

    def read(table: str = "events") -> pd.DataFrame:
        with transaction(session_factory, write=False) as session:
            dataset = get_dataset(session, "shop")
            parts = parts_of(session, dataset.id, settings.data_dir)
        if table == "events":
            return event_frame(parts)
        frame = entity_frame(parts, table.removesuffix("s"))
        assert frame is not None
        return frame

    return read


def parquet(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_a_file_with_default_names_needs_no_mapping(client: TestClient, stored: Stored) -> None:
    make_dataset(client, time_zone="Europe/Berlin")
    answer = upload(client, EVENTS)
    assert answer.status_code == 201
    report = answer.json()
    assert counts(report) == (4, 4, 0, 0)
    assert answer.headers["Location"] == f"/v1/datasets/shop/imports/{report['id']}"
    assert client.get(answer.headers["Location"]).json() == report
    frame = stored()
    assert frame["user"].tolist()[:3] == ["u1", "u1", "u2"]
    assert frame["user"].isna().tolist() == [False, False, False, True]
    assert frame["time"][0].isoformat() == "2024-01-01T09:00:00+00:00"
    assert frame["quantity"].fillna(-1).tolist() == [-1, 2, -1, 1]


def test_any_names_and_rules(client: TestClient, stored: Stored) -> None:
    make_dataset(
        client,
        events={
            "columns": {"user": "用户ID", "item": "商品ID", "time": "时间", "quantity": "数量"},
            "time_format": "%d/%m/%Y %H:%M",
            "default_event_type": "购买",
            "rules": [
                {"column": "单号", "op": "starts_with", "value": "C", "event_type": "取消"},
                {"column": "数量", "op": "<", "value": 0, "event_type": "退货"},
                {"column": "用户ID", "op": "is_missing", "event_type": "散客"},
                {"column": "单号", "op": "==", "value": "x", "event_type": "测试"},
            ],
        },
    )
    content = (
        "单号,用户ID,商品ID,时间,数量\n"
        "1,小明,茶,31/01/2024 10:00,2\n"
        "C2,小明,茶,31/01/2024 11:00,-2\n"
        "3,小红,茶,31/01/2024 12:00,-1\n"
        "4,,茶,31/01/2024 12:00,1\n"
        "x,小红,茶,31/01/2024 13:00,1\n"
    )
    assert counts(uploaded(client, content)) == (5, 5, 0, 0)
    frame = stored()
    assert frame["event_type"].tolist() == ["购买", "取消", "退货", "散客", "测试"]
    assert frame["item"].unique().tolist() == ["茶"]


def test_the_same_rows_in_all_formats_are_the_same_events(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    lines = [
        {"user_id": "u1", "item_id": "i1", "time": "2024-01-01T10:00:00Z", "event_type": "view"},
        {
            "user_id": "u1",
            "item_id": "i1",
            "time": "2024-01-01T11:05:00+01:00",
            "event_type": "purchase",
            "quantity": 2,
            "price": 1.5,
        },
    ]
    json_lines = "\n".join(json.dumps(line) for line in lines)
    assert counts(uploaded(client, json_lines, headers=JSONL)) == (2, 0, 2, 0)
    native = parquet(
        user_id=pa.array(["u2", None]).dictionary_encode(),
        item_id=pa.array(["i2", "i2"], pa.large_string()),
        time=pa.array(
            [datetime(2024, 1, 2, 11, tzinfo=UTC), datetime(2024, 3, 3, 12, tzinfo=UTC)],
            pa.timestamp("ms", "UTC"),
        ),
        event_type=pa.array(["view", "purchase"]),
        quantity=pa.array([None, 1], pa.int32()),
        price=pa.array([None, Decimal("9.99")]),
    )
    assert counts(uploaded(client, native, headers={}, format="parquet")) == (2, 0, 2, 0)


def test_ids_that_were_read_as_floats_keep_their_names(client: TestClient, stored: Stored) -> None:
    make_dataset(client)
    content = parquet(
        user_id=pa.array([13085.0, None]),
        item_id=pa.array([7, 8]),
        time=pa.array([datetime(2024, 1, 1), datetime(2024, 1, 2)]),  # noqa: DTZ001
        event_type=pa.array(["view", "view"]),
    )
    uploaded(client, content, format="parquet")
    assert stored()["user"].fillna("").tolist() == ["13085", ""]
    assert stored()["item"].tolist() == ["7", "8"]


def test_compressed_and_multipart_uploads(client: TestClient) -> None:
    make_dataset(client)
    packed = gzip.compress(EVENTS.encode())
    headers = {**CSV, "Content-Encoding": "gzip"}
    assert counts(uploaded(client, packed, headers=headers)) == (4, 4, 0, 0)
    assert counts(uploaded(client, packed)) == (4, 0, 4, 0)
    answer = client.post(
        "/v1/datasets/shop/imports",
        data={"note": "ignored"},
        files={"file": ("事件.csv.gz", packed, "application/octet-stream")},
    )
    assert answer.status_code == 201, answer.text
    assert (answer.json()["format"], counts(answer.json())) == ("csv", (4, 0, 4, 0))


def test_a_bad_row_in_the_middle_aborts_all(client: TestClient, settings: Settings) -> None:
    make_dataset(client)
    answer = upload(client, EVENTS + "u3,i1,not a time,view,,\nu4,i1,2024-01-05,view,two,\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "rows_rejected")
    assert answer.json()["errors"] == [
        {
            "pointer": "/body/5/time",
            "code": "not_a_time",
            "detail": "'not a time' is not a time of the format iso8601, "
            "e.g. 2024-05-31T18:30:00+02:00 or 2024-05-31 18:30",
        },
        {
            "pointer": "/body/6/quantity",
            "code": "not_a_number",
            "detail": "'two' is not a number (a point is the decimal mark)",
        },
    ]
    assert "2 of 6 rows are bad" in answer.json()["detail"]
    nothing_remains(client, settings)


def test_a_bad_row_in_the_middle_is_skipped_and_named(client: TestClient) -> None:
    make_dataset(client)
    content = (
        EVENTS
        + 'u3,i1,not a time,view,,\nu4,"i\n1",2024-01-05,view,,\nu5\n'
        + (
            "u6,i1,,view,,\nu7,i1,2024-01-05,,,\n,,2024-01-05,view,,\nu8,i1,2024-01-06,view,,1e99\n"
            "u9,i1,1492-10-12,view,,\n"
        )
    )
    report = uploaded(client, content, on_error="skip")
    assert counts(report) == (12, 5, 0, 7)
    told = [(row["row"], row["column"], row["code"]) for row in report["rejections"]]
    assert told == [
        (5, "time", "not_a_time"),
        (7, None, "malformed_row"),
        (8, "time", "missing_value"),
        (9, "event_type", "missing_value"),
        (10, "user_id", "missing_value"),
        (11, "price", "out_of_range"),
        (12, "time", "absurd_time"),
    ]
    assert report["rejections_by_code"]["missing_value"] == 3
    assert "1492-10-12" in report["rejections"][-1]["message"]


def test_an_event_that_has_not_come_yet_is_named(client: TestClient) -> None:
    make_dataset(client)
    content = EVENTS + "u9,i9,2150-01-01T00:00:00Z,view,,\n"
    report = uploaded(client, content, on_error="skip")
    (rejection,) = report["rejections"]
    assert (rejection["column"], rejection["code"]) == ("time", "future_time")
    assert "2150-01-01" in rejection["message"]
    assert client.get("/v1/datasets/shop").json()["last_at"] < "2150"


def test_all_rejections_can_be_fetched(client: TestClient) -> None:
    make_dataset(client)
    bad = "".join(f"u{n},i1,bad {n},view,,\n" for n in range(250))
    report = uploaded(client, EVENTS + bad, on_error="skip")
    assert (report["rows_rejected"], len(report["rejections"])) == (250, 100)
    address = f"/v1/datasets/shop/imports/{report['id']}/rejections"
    lines = [json.loads(line) for line in client.get(address).text.splitlines()]
    assert [line["row"] for line in lines] == list(range(5, 255))
    assert lines[:100] == report["rejections"]
    answer = client.get(address, params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(int(row["row"]), row["code"]) for row in table] == [
        (line["row"], line["code"]) for line in lines
    ]
    clean = uploaded(client, EVENTS)
    answer = client.get(f"/v1/datasets/shop/imports/{clean['id']}/rejections")
    assert (answer.status_code, answer.text) == (200, "")


def test_too_large_a_share_of_bad_rows_stores_nothing(
    client: TestClient, settings: Settings
) -> None:
    make_dataset(client)
    content = EVENTS + "u3,i1,?,view,,\n"
    answer = upload(client, content, on_error="skip", max_error_ratio=0.1)
    assert answer.status_code == 422
    assert "max_error_ratio=0.1" in answer.json()["detail"]
    hopeless = "user_id,item_id,time,event_type\nu1,i1,?,view\n"
    answer = upload(client, hopeless, on_error="skip")
    assert "no row is good" in answer.json()["detail"].lower()
    nothing_remains(client, settings)
    assert counts(uploaded(client, content, on_error="skip", max_error_ratio=0.2))[3] == 1


def test_duplicates_by_content(client: TestClient) -> None:
    make_dataset(client)
    twice = EVENTS + "u1,i1,2024-01-01 10:00,view,,\n"
    assert counts(uploaded(client, twice)) == (5, 4, 1, 0)
    more = EVENTS + "u1,i1,2024-01-01 10:00,purchase,,\n"
    assert counts(uploaded(client, more)) == (5, 1, 4, 0)
    assert counts(uploaded(client, more)) == (5, 0, 5, 0)


def test_duplicates_by_event_id(client: TestClient) -> None:
    make_dataset(client)
    header = "event_id,user_id,item_id,time,event_type\n"
    same = "u1,i1,2024-01-01,view\n"
    content = header + f"a,{same}b,{same}a,u2,i2,2024-05-05,view\n"
    assert counts(uploaded(client, content)) == (3, 2, 1, 0)
    later = header + "b,u1,i1,2025-01-01,view\nc,u1,i1,2025-01-01,view\n"
    assert counts(uploaded(client, later)) == (2, 1, 1, 0)
    answer = upload(client, header + f",{same}")
    assert answer.json()["errors"][0]["code"] == "missing_value"


def test_the_newest_row_of_a_user_wins(client: TestClient, stored: Stored) -> None:
    make_dataset(client)
    first = "user_id,age,city\nu1,30,Bonn\nu2,,Köln\nu1,31,Bonn\n"
    assert counts(uploaded(client, first, table="users")) == (3, 2, 1, 0)
    second = "user_id,age,city\nu2,,Köln\nu1,32,Mainz\nu3,50,\n"
    assert counts(uploaded(client, second, table="users")) == (3, 2, 1, 0)
    back = "user_id,age,city\nu1,31,Bonn\n"
    assert counts(uploaded(client, back, table="users")) == (1, 1, 0, 0)
    frame = stored("users").set_index("user").sort_index()
    assert frame.index.tolist() == ["u1", "u2", "u3"]
    assert frame["age"].fillna(-1).tolist() == [31.0, -1, 50.0]
    assert frame["city"].fillna("").tolist() == ["Bonn", "Köln", ""]


def test_declared_attributes_have_their_type(client: TestClient, stored: Stored) -> None:
    make_dataset(
        client,
        items={
            "id": "sku",
            "attributes": {
                "weight": {"column": "Gewicht", "type": "number"},
                "plz": {"type": "category"},
            },
        },
    )
    content = '{"sku": "i1", "Gewicht": 1.5, "plz": "01067", "extra": [1]}\n{"sku": "i2"}\n'
    uploaded(client, content, headers=JSONL, table="items")
    frame = stored("items")
    assert frame.columns.tolist() == ["item", "plz", "weight"]
    assert frame["weight"].tolist()[0] == 1.5
    assert frame["plz"].tolist()[0] == "01067"
    answer = upload(client, "sku,Gewicht,plz\ni1,heavy,1\n", table="items")
    assert answer.json()["errors"][0]["code"] == "not_a_number"


def test_the_same_request_imports_once(client: TestClient) -> None:
    make_dataset(client)
    headers = {**CSV, "Idempotency-Key": "k1"}
    first = upload(client, EVENTS, headers=headers)
    again = upload(client, EVENTS, headers=headers)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = upload(client, EVENTS + "u9,i9,2024-01-01,view,,\n", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert client.get("/v1/datasets/shop").json()["revision"] == 1


def test_imports_are_listed_the_newest_first(client: TestClient) -> None:
    make_dataset(client)
    ids = [uploaded(client, EVENTS)["id"] for _ in range(3)]
    page = client.get("/v1/datasets/shop/imports", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    rest = client.get("/v1/datasets/shop/imports", params={"cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in rest["items"]] == [ids[0]]
    answer = client.get("/v1/datasets/shop/imports/99")
    assert (answer.status_code, answer.json()["code"]) == (404, "import_not_found")
    make_dataset(client, "other")
    assert client.get(f"/v1/datasets/other/imports/{ids[0]}").status_code == 404


def nothing_remains(client: TestClient, settings: Settings) -> None:
    assert client.get("/v1/datasets/shop/imports").json()["items"] == []
    assert client.get("/v1/datasets/shop").json()["revision"] == 0
    left = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert left == []
