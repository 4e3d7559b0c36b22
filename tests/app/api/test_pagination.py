"""Cursors that nobody was given are refused, not passed to the database."""

import pytest
from fastapi.testclient import TestClient

from app.api.pagination import Key, encode_cursor
from tests.app.api.uploads import make_dataset

BY_NUMBER = ("/v1/datasets/shop/imports", "/v1/datasets/shop/model-versions")
BY_NAME = (
    "/v1/datasets",
    "/v1/datasets/shop/tasks",
    "/v1/datasets/shop/aliases",
    "/v1/training-jobs",
)


@pytest.mark.parametrize("path", BY_NUMBER)
@pytest.mark.parametrize(
    "key", [["a"], [-1], [2**31], [2**63], [2**64 - 1], [True], [1.5], [None], [1, 2], []]
)
def test_a_forged_number_is_refused(client: TestClient, path: str, key: Key) -> None:
    make_dataset(client)
    answer = client.get(path, params={"cursor": encode_cursor(key)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/cursor"


@pytest.mark.parametrize("path", BY_NAME)
@pytest.mark.parametrize("key", [[1], ["a\0b"], [None], [True], ["a", "b"], []])
def test_a_forged_name_is_refused(client: TestClient, path: str, key: Key) -> None:
    make_dataset(client)
    answer = client.get(path, params={"cursor": encode_cursor(key)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/cursor"
