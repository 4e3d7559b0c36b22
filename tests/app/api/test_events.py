"""Events that are posted: stored, told apart, known to the next prediction, and part of the log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.db.engine import transaction
from app.db.tables import EventBatch, Part, TailEvents
from app.domain import compaction
from app.domain.compaction import compact, due_compactions
from app.domain.datasets import get_dataset
from app.main import create_app
from model.events import EventLog
from tests.app.trained_shop import NAME, Service, upload

URL = f"/v1/datasets/{NAME}/events"
TOLERANCE = 1e-6
USER, ITEM = "u00001", "i00001"


@pytest.fixture
def clock(service: Service) -> pd.Timestamp:
    """A second later than all that the dataset has; afterwards it may be later."""
    answer = service.get(f"/tasks/buys_14d/predictions/{USER}")
    return pd.Timestamp(answer["cutoff_at"]) + pd.Timedelta(seconds=1)


def event(user: str, item: str, at: pd.Timestamp, **other: Any) -> dict[str, Any]:
    told = {"user": user, "item": item, "time": at.isoformat(), "event_type": "purchase"}
    return told | {"quantity": 2, "price": 9.99} | other


def post(service: Service, body: Any, status: int = 201, **query: Any) -> Any:
    headers = query.pop("headers", None)
    answer = service.client.post(URL, json=body, params=query, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def points(client: TestClient, user: str, item: str) -> list[float]:
    """What is said of a user, an item and the two of them."""
    found = []
    for task, entity, query in (
        ("spend_14d", user, {}),
        ("sold_14d", item, {}),
        ("meets_14d", user, {"item": item}),
    ):
        url = f"/v1/datasets/{NAME}/tasks/{task}/predictions/{entity}"
        answer = client.get(url, params=query)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["point"])
    return found


def expected(service: Service, posted: list[dict[str, Any]], user: str, item: str) -> list[float]:
    """The same from a log of all events."""
    more = pd.DataFrame(posted)
    more["time"] = pd.to_datetime(more["time"], utc=True)
    events = pd.concat([service.shop.events, more])
    log = EventLog.from_frames(events, service.shop.users, service.shop.items)
    at = pd.Timestamp(events["time"].max()).ceil("s").to_pydatetime()
    predictor = service.shop.predictor
    return [
        float(predictor.predict(log, ["spend_14d"], [user], at)["spend_14d"].point[0]),
        float(predictor.predict(log, ["sold_14d"], [item], at)["sold_14d"].point[0]),
        float(
            predictor.predict_pairs(log, ["meets_14d"], [(user, item)], at)["meets_14d"].point[0]
        ),
    ]


def stored(service: Service) -> tuple[int, int]:
    """Events in parts, and in the tail."""
    with transaction(service.sessions, write=False) as session:
        parts = session.scalar(select(func.sum(Part.rows)).where(Part.table == "events"))
        return int(parts or 0), int(session.scalar(select(func.sum(TailEvents.rows))) or 0)


def compacted(service: Service) -> int:
    with transaction(service.sessions, write=False) as session:
        dataset_id = get_dataset(session, NAME).id
    return compact(service.sessions, service.settings.data_dir, dataset_id)


def test_a_life_of_events(service: Service, clock: pd.Timestamp) -> None:
    """Posted, seen here and by another process, compacted, and seen all the same."""
    first = [event(USER, ITEM, clock), event("a new user", ITEM, clock)]
    second = [
        event("a new user", "a new item", clock + pd.Timedelta(minutes=5)),
        event(USER, ITEM, clock, event_type="a new type"),
    ]
    before = stored(service)
    with TestClient(create_app(service.settings)) as other:
        points(other, USER, ITEM)  # it serves the dataset from now on
        assert post(service, first)["rows_accepted"] == 2
        told = service.get(f"/tasks/buys_14d/predictions/{USER}")
        assert pd.Timestamp(told["cutoff_at"]) == clock
        for user in (USER, "a new user"):
            assert points(service.client, user, ITEM) == pytest.approx(
                expected(service, first, user, ITEM), abs=TOLERANCE
            )
        assert post(service, {"events": second})["rows_accepted"] == 2
        assert stored(service) == (before[0], before[1] + 4)
        other.app.state.predicting.serving.look()  # type: ignore[attr-defined]
        both = [*first, *second]
        for client in (service.client, other):
            for user, item in ((USER, ITEM), ("a new user", "a new item")):
                assert points(client, user, item) == pytest.approx(
                    expected(service, both, user, item), abs=TOLERANCE
                )
        assert compacted(service) == before[1] + 4
        assert stored(service) == (before[0] + before[1] + 4, 0)
        assert compacted(service) == 0
        for client in (service.client, other):
            serving = client.app.state.predicting.serving  # type: ignore[attr-defined]
            assert len(serving.settled(NAME).log) == 0  # the index of all parts has taken over
            assert points(client, "a new user", "a new item") == pytest.approx(
                expected(service, both, "a new user", "a new item"), abs=TOLERANCE
            )
    (made,) = service.client.get(f"/v1/datasets/{NAME}/imports?limit=1").json()["items"]
    assert (made["format"], made["rows_accepted"]) == ("json", before[1] + 4)


def test_the_same_event_counts_once(service: Service, clock: pd.Timestamp) -> None:
    one, other = event(USER, ITEM, clock), event(USER, "i00002", clock)
    report = post(service, [one, one, other])
    assert (report["rows_read"], report["rows_accepted"], report["rows_duplicate"]) == (3, 2, 1)
    assert post(service, [other, one])["rows_duplicate"] == 2
    frame = pd.DataFrame([one, event(USER, "i00003", clock)])
    before = stored(service)
    upload(service.client, "events", frame.assign(time=pd.to_datetime(frame["time"])))
    assert stored(service) == (before[0] + 1, before[1])
    compacted(service)
    assert post(service, [one, event(USER, "i00003", clock)])["rows_duplicate"] == 2
    known = service.shop.events.iloc[[0]]
    old = known.assign(time=known["time"].map(lambda at: at.isoformat())).dropna(axis=1)
    assert post(service, old.to_dict("records"))["rows_duplicate"] == 1


def test_a_key_makes_a_batch_once(service: Service, clock: pd.Timestamp) -> None:
    headers = {"Idempotency-Key": f"batch at {clock}"}
    first = post(service, [event(USER, ITEM, clock)], headers=headers)
    again = service.client.post(URL, json=[event(USER, ITEM, clock)], headers=headers)
    assert again.json() == first
    assert again.headers["Idempotent-Replayed"] == "true"
    other = post(service, [event(USER, "i00002", clock)], 422, headers=headers)
    assert other["code"] == "idempotency_key_reused"


def test_bad_events_are_told_like_those_of_an_import(service: Service, clock: pd.Timestamp) -> None:
    bad = [
        event(USER, ITEM, clock),
        event(USER, ITEM, clock, time="soon"),
        {"user": USER, "time": clock.isoformat(), "event_type": "view", "price": {"a": 1}},
        "no object",
        event("", "", clock),
    ]
    before = stored(service)
    refused = post(service, bad, 422)
    assert refused["code"] in {"rows_rejected", "invalid"}
    rows = bad[:3] + bad[4:]
    refused = post(service, rows, 422)
    assert [error["pointer"] for error in refused["errors"]] == [
        "/body/2/time",
        "/body/3/price",
        "/body/4/user",
    ]
    assert stored(service) == before
    report = post(service, rows, on_error="skip")
    assert (report["rows_accepted"], report["rows_rejected"]) == (1, 3)
    assert {row["code"] for row in report["rejections"]} == {
        "not_a_time",
        "malformed_row",
        "missing_value",
    }


@pytest.mark.parametrize(
    "body", [[], {"events": []}, {"event": []}, [event(USER, ITEM, pd.Timestamp(0))] * 1001, 7]
)
def test_what_is_no_batch_is_refused(service: Service, body: Any) -> None:
    assert post(service, body, 422)["errors"]


def test_a_batch_needs_the_columns_of_the_mapping(service: Service) -> None:
    problem = post(service, [{"user": USER, "item": ITEM, "event_type": "view"}], 422)
    assert problem["code"] == "missing_column"
    assert service.client.post("/v1/datasets/nowhere/events", json=[{}]).status_code == 404


def test_batches_at_once_lose_and_double_nothing(service: Service, clock: pd.Timestamp) -> None:
    shared = [event(USER, f"i{number:05}", clock) for number in range(1, 6)]

    def send(number: int) -> int:
        own = event(USER, ITEM, clock, quantity=number)
        return int(post(service, [*shared, own])["rows_accepted"])

    before = sum(stored(service))
    with ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(send, range(10, 18)))
        made = [pool.submit(compacted, service) for _ in range(2)]
    assert sum(accepted) == 5 + 8
    assert sum(future.result() for future in made) >= 13
    assert sum(stored(service)) == before + 13


@pytest.mark.parametrize("moment", ["before the commit", "before the part is moved"])
def test_a_compaction_that_dies_changes_nothing(
    service: Service, clock: pd.Timestamp, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    post(service, [event(USER, ITEM, clock)])
    before = stored(service)
    said = points(service.client, USER, ITEM)

    def die(*_: object) -> None:
        raise SystemExit

    name = "_part" if moment == "before the commit" else "publish"
    with monkeypatch.context() as patch:
        patch.setattr(compaction, name, die)
        with pytest.raises(SystemExit):
            compacted(service)
    assert stored(service) == before
    assert compacted(service) == before[1]
    assert stored(service) == (sum(before), 0)
    assert points(service.client, USER, ITEM) == pytest.approx(said, abs=TOLERANCE)


def test_a_tail_is_due_by_its_size_and_by_its_age(service: Service, clock: pd.Timestamp) -> None:
    compacted(service)
    post(service, [event(USER, ITEM, clock)])
    with transaction(service.sessions, write=False) as session:
        own = [get_dataset(session, NAME).id]
        assert due_compactions(session, rows=2, age_s=1000) == []
        assert due_compactions(session, rows=1, age_s=1000) == own
        assert due_compactions(session, rows=2, age_s=0) == own


def test_a_deleted_dataset_leaves_no_events(service: Service, clock: pd.Timestamp) -> None:
    post(service, [event(USER, ITEM, clock)])
    assert service.client.delete(f"/v1/datasets/{NAME}").status_code == 204
    with transaction(service.sessions, write=False) as session:
        assert session.scalar(select(func.count()).select_from(EventBatch)) == 0
        assert session.scalar(select(func.count()).select_from(TailEvents)) == 0
