"""The requests of the main job, in order."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.demo import shops, tables
from app.demo.service import running_service
from app.demo.shops import Shop, Upload

_TOP_USERS = 10
_TOP_ITEMS = 5
_FILE_WIDTH = 130  # columns, when what is printed goes to a file


def run(data: Path | None) -> None:
    """Do the main job on a simulated shop, or on the Online Retail II file.

    On a terminal the service goes on afterwards until Ctrl-C.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    started = time.monotonic()
    shop = shops.simulated() if data is None else shops.online_retail(data)
    with (
        tempfile.TemporaryDirectory(prefix="ssmtl-demo-") as folder,
        running_service(Path(folder)) as address,
    ):
        with httpx.Client(base_url=address, timeout=600) as client:
            _journey(client, shop, console)
        console.print(
            f"\nDone in {time.monotonic() - started:.0f} s. The docs page: {address}/docs"
        )
        if sys.stdin.isatty() and sys.stdout.isatty():
            _serve_on(console)


def _serve_on(console: Console) -> None:
    console.print("The service goes on; Ctrl-C ends it and removes its data.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Ending.")


def _journey(client: httpx.Client, shop: Shop, console: Console) -> None:
    console.rule(f"[bold]{shop.title}")
    dataset = f"/v1/datasets/{shop.declaration['name']}"
    _answer(client.post("/v1/datasets", json=shop.declaration))
    for upload in shop.uploads:
        tables.print_import(console, _import(client, dataset, upload))
    tasks = _declare(client, dataset, console)
    job = _train(client, dataset, console)
    version = f"{dataset}/model-versions/{job['result']['model_version']}"
    tables.print_quality(console, _answer(client.get(version))["report"])
    tables.print_graph(console, _answer(client.get(f"{version}/task-graph")))
    _print_rankings(client, dataset, tasks, console)


def _import(client: httpx.Client, dataset: str, upload: Upload) -> dict[str, Any]:
    with _opened(upload.content) as content:
        return _answer(
            client.post(
                f"{dataset}/imports",
                params={"table": upload.table, "on_error": "skip"},
                content=content,
                headers={"Content-Type": upload.content_type},
            )
        )


@contextmanager
def _opened(content: bytes | Path) -> Iterator[bytes | BinaryIO]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        yield file


def _declare(client: httpx.Client, dataset: str, console: Console) -> list[dict[str, Any]]:
    """Declare what the service suggests for this log."""
    suggestions = _answer(client.get(f"{dataset}/task-suggestions"))["items"]
    for suggestion in suggestions:
        path = f"{dataset}/tasks/{suggestion['name']}"
        _answer(client.put(path, json=suggestion["declaration"]))
    tables.print_tasks(console, suggestions)
    return [{"name": s["name"], **s["declaration"]} for s in suggestions]


def _train(client: httpx.Client, dataset: str, console: Console) -> dict[str, Any]:
    job = _answer(client.post(f"{dataset}/training-jobs"))
    path = f"/v1/training-jobs/{job['id']}"
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("queued", total=1.0)
        for kind, data in _follow(client, f"{path}/events"):
            if kind == "progress":
                progress.update(bar, completed=data["fraction"], description=_stage(data))
            elif kind == "state":
                progress.update(bar, description=data["state"])
        job = _answer(client.get(path))
        if job["state"] == "succeeded":
            progress.update(bar, completed=1.0)
    if job["state"] != "succeeded":
        raise RuntimeError(f"the training {job['state']}: {job['error']}")
    return job


def _stage(data: dict[str, Any]) -> str:
    epoch = data.get("epoch")
    return data["stage"] if epoch is None else f"{data['stage']}, epoch {epoch}"


def _follow(client: httpx.Client, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The job's server-sent events until it has ended."""
    kind = "message"
    with client.stream("GET", path) as response:
        for line in response.iter_lines():
            if line.startswith("event:"):
                kind = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                yield kind, json.loads(line.removeprefix("data:"))


def _print_rankings(
    client: httpx.Client, dataset: str, tasks: list[dict[str, Any]], console: Console
) -> None:
    def ranking(task: dict[str, Any], limit: int) -> list[dict[str, Any]]:
        path = f"{dataset}/tasks/{task['name']}/predictions"
        items: list[dict[str, Any]] = _answer(client.get(path, params={"limit": limit}))["items"]
        return items

    buyers = [t for t in tasks if t["entity"] == "user" and t["target"]["kind"] == "occurs"]
    if buyers:
        longest = max(buyers, key=lambda task: task["horizon_days"])
        tables.print_users(console, longest, ranking(longest, _TOP_USERS))
    peaks = [t for t in tasks if t["target"]["kind"] == "peak_period"]
    if peaks:
        tables.print_items(console, peaks[0], ranking(peaks[0], _TOP_ITEMS))
    for kind in ("time_to", "next", "column"):
        for task in [t for t in tasks if t["target"]["kind"] == kind][:1]:
            tables.print_answers(console, task, ranking(task, _TOP_ITEMS))


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise RuntimeError(f"{response.request.method} {response.url}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
