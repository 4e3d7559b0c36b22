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


def asked(service: Service, accept: str) -> Any:
    answer = service.client.post(URL, json=BODY, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    return answer


@pytest.fixture
def rows(service: Service) -> list[dict[str, Any]]:
    return asked(service, ROWS).json()["predictions"]


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


def test_lists_say_what_objects_say(service: Service, rows: list[dict[str, Any]]) -> None:
    documents = asked(service, COLUMNS).json()["predictions"]
    assert [document["task"] for document in documents] == [task.name for task in TASKS]
    unrolled = [
        row_of(document, row) for document in documents for row in range(len(document["point"]))
    ]
    assert len(unrolled) == len(rows)
    for found, expected in zip(unrolled, rows, strict=True):
        assert same(found, expected), (found, expected)


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_tables_say_what_objects_say(
    service: Service, rows: list[dict[str, Any]], accept: str
) -> None:
    content = asked(service, accept).content
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


def test_an_unknown_entity_is_told_in_any_form(service: Service) -> None:
    body = {"users": ["nobody"]}
    answer = service.client.post(URL, json=body, headers={"Accept": ARROW})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
