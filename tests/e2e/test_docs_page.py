"""The docs page and all that it loads come from the service itself."""

from __future__ import annotations

import re

import httpx


def test_the_docs_page_needs_no_internet(address: str) -> None:
    page = httpx.get(f"{address}/docs")
    assert page.is_success
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for path in loaded:
        assert path.startswith("/"), f"{path} is fetched from elsewhere"
        assert httpx.get(address + path).is_success


def test_every_operation_is_named_and_described(address: str) -> None:
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["tags"] for operation in operations)
