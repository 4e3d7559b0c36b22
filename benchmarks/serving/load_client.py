"""A load generator for machines without wrk: HTTP/1.1 with kept connections, nothing parsed twice.

python -m benchmarks.serving.load_client PORT REQUESTS CONNECTIONS SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Generator:
    """Sends, counts and takes the time.

    Args:
        requests: whole HTTP requests, sent over and over.
    """

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = cycle(requests)
        self.taken_s: list[float] = []
        self.lost = 0
        self.is_over = False

    def next(self) -> bytes:
        """What is sent next."""
        return next(self._requests)

    async def run(self, port: int, connections: int, seconds: float) -> dict[str, float]:
        """The figures of `benchmarks.serving.load.Load`."""
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            for _ in range(connections)
        ]
        started = time.perf_counter()
        for _, connection in opened:
            connection.send()
        await asyncio.sleep(seconds)
        self.is_over = True
        wall_s = time.perf_counter() - started
        for transport, _ in opened:
            transport.abort()
        taken_ms = np.array(self.taken_s) * 1000
        p50_ms, p99_ms = np.percentile(taken_ms, [50, 99]) if len(taken_ms) else (0.0, 0.0)
        return {
            "per_s": len(taken_ms) / wall_s,
            "p50_ms": float(p50_ms),
            "p99_ms": float(p99_ms),
            "answers": len(taken_ms),
            "lost": self.lost,
        }


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no common class

    def send(self) -> None:
        assert self._transport is not None
        self._received = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._generator.next())

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if self._generator.is_over or not _is_whole(self._received):
            return
        self._generator.taken_s.append(time.perf_counter() - self._sent_at)
        if self._received[9:10] != b"2":
            self._generator.lost += 1
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self._generator.is_over:
            self._generator.lost += 1


def _is_whole(received: bytes) -> bool:
    """Whether the answer is complete.

    Raises:
        ValueError: its length is not told.
    """
    end = received.find(_HEAD_END)
    if end < 0:
        return False
    head = received[:end].lower()
    place = head.find(_LENGTH)
    if place < 0:
        raise ValueError(f"an answer without a length: {head!r}")
    length = int(head[place + len(_LENGTH) :].split(b"\r\n", 1)[0])
    return len(received) >= end + len(_HEAD_END) + length


def _encoded(line: str) -> bytes:
    method, path, body = line.split("\t")
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
    return f"{head}\r\n{body}".encode()


def main() -> None:
    """Print the figures as JSON."""
    port, path, connections, seconds = sys.argv[1:]
    lines = Path(path).read_text().splitlines()
    generator = Generator([_encoded(line) for line in lines])
    print(json.dumps(uvloop.run(generator.run(int(port), int(connections), float(seconds)))))


if __name__ == "__main__":
    main()
