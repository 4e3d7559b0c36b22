"""The serving benchmark on a shop of no size, without peers: every part gives its figures."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from benchmarks.serving import load
from benchmarks.serving.__main__ import PARTS, Bench
from benchmarks.serving.bars import BARS, Bar, is_met
from benchmarks.serving.load import Load, Request, put_load
from benchmarks.serving.shop import ASKED, HASTE, TASKS, Shop
from benchmarks.serving.singles import ratio

ASKED_TASKS = tuple(task for task in TASKS if task.name in {ASKED, "sells_7d", "meets_7d"})
TINY = Shop(
    users=150,
    items=40,
    days=150,
    tasks=ASKED_TASKS,
    config=HASTE.model_copy(update={"width": 8, "members": 2}),
)
OF_PEERS = {"single_over_litserve_c16", "single_over_bentoml_c16", "single_over_mlflow_c16"}


class Answers(http.server.BaseHTTPRequestHandler):
    """Says what it was asked; of the path /lost, 500."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, bytes]]] = []

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.asked.append((self.path, body))
        self.send_response(500 if self.path == "/lost" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Answers.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("generator", sorted({load.GENERATOR, "benchmarks.serving.load_client"}))
def test_every_request_is_sent_and_counted(port: int, generator: str) -> None:
    requests = [Request("GET", "/a"), Request("POST", "/b", json.dumps({"user": "é"}))]
    found = put_load(port, requests, 2, 1, generator)
    assert 0 < found.p50_ms <= found.p99_ms
    assert 0 < found.answers <= len(Answers.asked)
    assert found.per_s > 0
    assert found.lost == 0
    assert {body for path, body in Answers.asked if path == "/a"} == {b""}
    assert {body for path, body in Answers.asked if path == "/b"} == {b'{"user": "\\u00e9"}'}


@pytest.mark.parametrize("generator", sorted({load.GENERATOR, "benchmarks.serving.load_client"}))
def test_what_is_no_success_is_lost(port: int, generator: str) -> None:
    found = put_load(port, [Request("GET", "/lost")], 1, 1, generator)
    assert found.answers == found.lost > 0


def test_a_ratio_is_of_medians() -> None:
    ours, others = ([Load(rate, 1, 2, 3, 0) for rate in rates] for rates in ([1, 6, 9], [2, 2, 50]))
    assert ratio(ours, others, "per_s") == 3


@pytest.mark.parametrize(
    ("bar", "value", "met"),
    [
        (Bar(">=", 2), 2, True),
        (Bar(">=", 2), 1.9, False),
        (Bar("<=", 2), 2, True),
        (Bar("<=", 2), 2.1, False),
    ],
)
def test_a_bar_is_met(bar: Bar, value: float, met: bool) -> None:
    assert is_met(bar, value) == met


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_figure_is_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path, TINY, Console(), rounds=1, seconds=1)
    parts = [part for part in PARTS if part != "peers"]
    figures = bench.run(parts)
    assert set(BARS) - OF_PEERS <= set(figures)
    assert figures["lost_requests_in_swap"] == 0
    assert figures["max_abs_error"] <= 1e-4
    assert [path.name for path in tmp_path.glob("work-*")] == []
