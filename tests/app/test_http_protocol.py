from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from app.http_protocol import AccessLogger, HTTPProtocol, TransportOfPieces, access_logger
from app.logs import configure_logging
from tests.app.test_serving import free_port
from tests.app.worker.workplace import eventually

pytestmark = pytest.mark.usefixtures("restored_logging")

TIMEOUT_S = 10
LARGE = b"".join(b"%07d " % number for number in range(1 << 17))
GET = b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n"

App = Callable[[Any, Any, Any], Awaitable[None]]


class Answers:
    """An application with a few ways to answer."""

    def __init__(self) -> None:
        self.first_was_seen = threading.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer."""
        match scope["path"]:
            case "/whole":
                await self._send(send, b"whole")
            case "/large":
                await self._send(send, LARGE)
            case "/stream":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"first", "more_body": True})
                await asyncio.to_thread(self.first_was_seen.wait, TIMEOUT_S)
                await send({"type": "http.response.body", "body": b"second"})

    @staticmethod
    async def _send(send: Any, body: bytes) -> None:
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def connection_to(app: App) -> Iterator[socket.socket]:
    port = free_port()
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off", http=HTTPProtocol)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, "the server listens")
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            yield connection
    finally:
        server.should_exit = True
        thread.join()


def received(connection: socket.socket, end: bytes) -> bytes:
    """What comes until it ends so."""
    got = b""
    while not got.endswith(end):
        piece = connection.recv(1 << 20)
        assert piece, got[-100:]
        got += piece
    return got


def test_a_connection_answers_one_request_after_another() -> None:
    with connection_to(Answers()) as connection:
        for _ in range(2):
            connection.sendall(GET % b"/whole")
            answer = received(connection, b"whole")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"content-length: 5\r\n" in answer
        connection.sendall(GET % b"/whole" * 3)
        got = b""
        while got.count(b"\r\n\r\nwhole") < 3:
            got += received(connection, b"whole")


def test_a_large_answer_is_whole() -> None:
    with connection_to(Answers()) as connection:
        connection.sendall(GET % b"/large")
        _, _, body = received(connection, LARGE[-16:]).partition(b"\r\n\r\n")
        assert body == LARGE


def test_a_stream_is_sent_as_it_comes() -> None:
    answers = Answers()
    with connection_to(answers) as connection:
        connection.sendall(GET % b"/stream")
        assert b"first" in received(connection, b"first\r\n")
        answers.first_was_seen.set()
        assert received(connection, b"0\r\n\r\n").startswith(b"6\r\nsecond")


def test_a_connection_that_is_to_be_closed_is_closed_after_the_answer() -> None:
    with connection_to(Answers()) as connection:
        connection.sendall(b"GET /whole HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert received(connection, b"whole")
        assert connection.recv(1) == b""


class Sent(asyncio.Transport):
    """Notes what it is to send."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Note it."""
        assert not self.is_closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.is_closed

    def close(self) -> None:
        """Note it."""
        self.is_closed = True

    abort = close


def test_pieces_of_one_turn_go_out_together() -> None:
    async def written() -> list[list[bytes]]:
        seen, sent = [], Sent()
        pieces = TransportOfPieces(sent, asyncio.get_running_loop())
        pieces.write(b"head")
        pieces.write(b"body")
        seen.append(list(sent.pieces))
        await asyncio.sleep(0)
        seen.append(list(sent.pieces))
        pieces.write(b"more")
        pieces.send()
        pieces.write(b"last")
        pieces.close()
        pieces.write(b"too late")
        await asyncio.sleep(0)
        seen.append(sent.pieces)
        return seen

    nothing, turn, end = asyncio.run(written())
    assert nothing == []
    assert turn == [b"headbody"]
    assert end == [b"headbody", b"more", b"last"]


def test_what_was_written_is_dropped_with_an_aborted_connection() -> None:
    async def written() -> list[bytes]:
        sent = Sent()
        pieces = TransportOfPieces(sent, asyncio.get_running_loop())
        pieces.write(b"head")
        pieces.abort()
        await asyncio.sleep(0)
        return sent.pieces

    assert asyncio.run(written()) == []


def test_the_access_log_has_the_lines_that_it_always_had(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    slow, quick = logging.getLogger("uvicorn.access"), access_logger()
    assert isinstance(quick, AccessLogger)
    said = ('%s - "%s %s HTTP/%s" %d', "127.0.0.1:9", "GET", '/a"\\b/ü', "1.1", 404)

    async def both() -> None:
        slow.info(*said)
        quick.info(*said)
        quick.info(*said)

    asyncio.run(both())
    first, second, third = capsys.readouterr().err.splitlines()
    assert list(json.loads(first)) == list(json.loads(second))
    times = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
    assert times.search(second)
    assert {times.sub("then", line) for line in (first, second, third)} == {
        times.sub("then", first)
    }


def test_who_does_not_want_an_access_log_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")
    logger = access_logger()
    logger.info("%s", "asked")
    assert not isinstance(logger, AccessLogger)
    assert capsys.readouterr().err == ""


def test_each_request_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    with connection_to(Answers()) as connection:
        connection.sendall(GET % b"/whole?a=b" * 2)
        received(connection, b"whole")
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    asked = [event for event in events if "GET" in event]
    assert len(asked) == 2
    assert all(event.endswith('- "GET /whole?a=b HTTP/1.1" 200') for event in asked)
