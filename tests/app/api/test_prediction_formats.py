"""The same answers in every form that a client may accept."""

from __future__ import annotations

import io
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.api.prediction_formats import ARROW, COLUMNS, PARQUET, ROWS, wire_format
from app.errors import NotAcceptable
from tests.app.trained_shop import NAME, STRANGER, TASKS, Service

URL = f"/v1/datasets/{NAME}/predictions"
TOLERANCE = 1e-6
BODY = {
    "users": ["u00001", STRANGER, "u00002"],
    "items": ["i00001", "i00002"],
    "pairs": [{"user": "u00001", "item": "i00001"}],
}
GIVEN = {"buys_14d": True}
GIVEN_BODY = {
    **BODY,
    "tasks": [task.name for task in TASKS if task.name not in GIVEN],
    "given": GIVEN,
}


def asked(service: Service, body: Any, accept: str) -> Any:
    answer = service.client.post(URL, json=body, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    return answer


@pytest.fixture(params=[BODY, GIVEN_BODY], ids=["plain", "given"])
def body(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def rows(service: Service, body: Any) -> list[dict[str, Any]]:
    return asked(service, body, ROWS).json()["predictions"]


def row_of(document: dict[str, Any], row: int) -> dict[str, Any]:
    """One answer out of lists."""
    return {
        name: row_of(value, row)
        if isinstance(value, dict)
        else value[row]
        if isinstance(value, list)
        else value
        for name, value in document.items()
    }


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        names = set(found) - {"values", "period"} == set(expected) - {"values", "period"}
        return names and all(same(found[name], expected[name]) for name in found)
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-6, abs_tol=TOLERANCE)
    return str(found) == str(expected)


def test_lists_say_what_objects_say(
    service: Service, body: Any, rows: list[dict[str, Any]]
) -> None:
    documents = asked(service, body, COLUMNS).json()["predictions"]
    names = body.get("tasks", [task.name for task in TASKS])
    assert [document["task"] for document in documents] == names
    unrolled = [
        row_of(document, row) for document in documents for row in range(len(document["point"]))
    ]
    assert len(unrolled) == len(rows)
    for found, expected in zip(unrolled, rows, strict=True):
        assert same(found, expected), (found, expected)


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_tables_say_what_objects_say(
    service: Service, body: Any, rows: list[dict[str, Any]], accept: str
) -> None:
    content = asked(service, body, accept).content
    table = (
        pa.ipc.open_stream(content).read_all()
        if accept == ARROW
        else pq.read_table(io.BytesIO(content))
    )
    assert len(table) == len(rows)
    for found, expected in zip(table.to_pylist(), rows, strict=True):
        for name in ("task", "user", "item", "model_version", "cold_start", "point"):
            assert same(found[name], expected[name])
        assert found["cutoff_at"].isoformat().replace("+00:00", "Z") == expected["cutoff_at"]
        for name in ("probability", "expected", "expected_days", "probability_any", "best"):
            assert same(found[name], expected.get(name))
        for name in {"probabilities", "survival"} & set(expected):
            assert same(dict(found[name]), expected[name])
        for level, value in expected.get("quantiles", {}).items():
            assert same(found[f"quantile_{level}"], value)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ROWS),
        ("*/*", ROWS),
        ("application/*", ROWS),
        ("text/html, application/xhtml+xml, */*;q=0.8", ROWS),
        (f"{ARROW}, */*;q=0.1", ARROW),
        (f"application/json;q=0.5, {COLUMNS}", COLUMNS),
        (f"{ROWS};q=0, {PARQUET};q=0.2", PARQUET),
    ],
)
def test_the_most_wanted_form_is_given(accept: str | None, expected: str) -> None:
    assert wire_format(accept)[0] == expected


def test_an_unknown_form_is_refused(service: Service) -> None:
    with pytest.raises(NotAcceptable):
        wire_format("text/html")
    answer = service.client.post(URL, json=BODY, headers={"Accept": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert COLUMNS in answer.json()["detail"]


@pytest.mark.parametrize(
    "stated", [{"explain": True}, {"joint": True, "outcomes": {"orders_14d": 1}}]
)
def test_reasons_and_joint_probabilities_are_objects_alone(
    service: Service, stated: dict[str, Any]
) -> None:
    body = {**GIVEN_BODY, "tasks": ["spend_14d"], **stated}
    answer = service.client.post(URL, json=body, headers={"Accept": ARROW})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_an_unknown_entity_is_told_in_any_form(service: Service) -> None:
    body = {"users": ["nobody"]}
    answer = service.client.post(URL, json=body, headers={"Accept": ARROW})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
