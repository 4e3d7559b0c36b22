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
REASONS_BODY = {**GIVEN_BODY, "explain": True}
JOINT_BODY = {
    **GIVEN_BODY,
    "joint": True,
    "outcomes": {"orders_14d": 2, "spend_14d": 25.0, "meets_14d": False},
}
BODIES = {
    "plain": BODY,
    "given": GIVEN_BODY,
    "explain": REASONS_BODY,
    "joint": JOINT_BODY,
    "all": {**REASONS_BODY, **JOINT_BODY},
}


def asked(service: Service, body: Any, accept: str) -> Any:
    answer = service.client.post(URL, json=body, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    return answer


def table_of(service: Service, body: Any, accept: str) -> pa.Table:
    content = asked(service, body, accept).content
    if accept == ARROW:
        return pa.ipc.open_stream(content).read_all()
    return pq.read_table(io.BytesIO(content))


@pytest.fixture(params=BODIES.values(), ids=BODIES)
def body(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def objects(service: Service, body: Any) -> dict[str, Any]:
    return asked(service, body, ROWS).json()


@pytest.fixture
def rows(objects: dict[str, Any]) -> list[dict[str, Any]]:
    return objects["predictions"]


def row_of(document: dict[str, Any], row: int) -> dict[str, Any]:
    """One answer out of lists."""
    found = {}
    for name, value in document.items():
        if name == "terms":
            found[name] = [row_of(term, row) for term in value]
        elif isinstance(value, dict):
            found[name] = row_of(value, row)
        else:
            found[name] = value[row] if isinstance(value, list) else value
    return found


def by_name(explanation: dict[str, Any]) -> dict[str, Any]:
    """Contributions as lists tell them: by their names instead of by their size."""
    return {
        **explanation,
        "groups": {one["group"]: one["contribution"] for one in explanation["groups"]},
        "evidence": {one["task"]: one["contribution"] for one in explanation["evidence"]},
    }


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        names = set(found) - {"values", "period"} == set(expected) - {"values", "period"}
        return names and all(same(found[name], expected[name]) for name in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
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
        if "explain" in body:
            expected["explanation"] = by_name(expected["explanation"])
        assert same(found, expected), (found, expected)


def test_lists_say_how_probable_outcomes_are_together(
    service: Service, body: Any, objects: dict[str, Any]
) -> None:
    answer = asked(service, body, COLUMNS).json()
    assert ("joint" in answer) == ("joint" in objects) == ("joint" in body)
    unrolled = [
        row_of(document, row)
        for document in answer.get("joint", [])
        for row in range(len(document["log_probability"]))
    ]
    assert same(unrolled, objects.get("joint", []))


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_tables_say_what_objects_say(
    service: Service, body: Any, rows: list[dict[str, Any]], accept: str
) -> None:
    table = table_of(service, body, accept)
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
        assert same(found.get("explanation"), expected.get("explanation"))


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_tables_say_once_how_probable_outcomes_are_together(
    service: Service, body: Any, objects: dict[str, Any], accept: str
) -> None:
    table = table_of(service, body, accept)
    assert ("joint" in table.column_names) == ("joint" in body)
    assert ("explanation" in table.column_names) == ("explain" in body)
    said = [row for row in table.to_pylist() if row.get("joint")]
    expected = {(one["user"], one["item"]): one for one in objects.get("joint", [])}
    assert len(said) == len(expected)
    for row in said:
        whom_and_what = expected[row["user"], row["item"]]
        assert row["joint"]["terms"]
        assert same(row["joint"], {name: whom_and_what[name] for name in row["joint"]})


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


def test_an_unknown_form_is_refused(service: Service, body: Any) -> None:
    with pytest.raises(NotAcceptable):
        wire_format("text/html")
    answer = service.client.post(URL, json=body, headers={"Accept": "text/csv"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert COLUMNS in answer.json()["detail"]


@pytest.mark.parametrize("accept", [COLUMNS, ARROW, PARQUET])
@pytest.mark.parametrize(
    ("stated", "pointer"),
    [
        ({"explain": True, "given": {**GIVEN, "until_14d": None}}, "/body/given/buys_14d"),
        ({"joint": True, "outcomes": {"orders_14d": 0}}, "/body/outcomes/orders_14d"),
    ],
)
def test_what_cannot_be_is_refused_in_any_form(
    service: Service, stated: dict[str, Any], pointer: str, accept: str
) -> None:
    body = {"users": ["u00001"], "tasks": ["spend_14d"], "given": GIVEN, **stated}
    expected = service.client.post(URL, json=body)
    answer = service.client.post(URL, json=body, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    for name in ("code", "detail", "errors"):
        assert answer.json()[name] == expected.json()[name]


def test_an_unknown_entity_is_told_in_any_form(service: Service) -> None:
    body = {"users": ["nobody"]}
    answer = service.client.post(URL, json=body, headers={"Accept": ARROW})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
