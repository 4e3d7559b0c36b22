"""What all routes share."""

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("method", "path", "pointer"),
    [
        ("GET", "/v1/datasets/a%00b", "/path/dataset"),
        ("DELETE", "/v1/datasets/a%00b", "/path/dataset"),
        ("POST", "/v1/datasets/a%00b/imports", "/path/dataset"),
        ("GET", "/v1/datasets/shop/tasks/a%00b", "/path/task"),
        ("GET", "/v1/datasets/shop/tasks/t/predictions/a%00b", "/path/entity_id"),
        ("GET", "/v1/datasets/shop/tasks/t/predictions?user=a%00b", "/query/user"),
        ("GET", "/v1/datasets/shop/aliases/a%00b", "/path/alias"),
        ("GET", "/v1/training-jobs/a%00b", "/path/job_id"),
        ("GET", "/v1/training-jobs/a%00b/events", "/path/job_id"),
        ("POST", "/v1/training-jobs/a%00b/cancel", "/path/job_id"),
        ("GET", "/v1/training-jobs?dataset=a%00b", "/query/dataset"),
    ],
)
def test_nothing_has_a_name_with_a_zero_character(
    client: TestClient, method: str, path: str, pointer: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
