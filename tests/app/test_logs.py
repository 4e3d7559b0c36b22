from __future__ import annotations

import asyncio
import json
import logging
from io import StringIO

import pytest
import structlog

from app.logs import JSONLines, configure_logging

pytestmark = pytest.mark.usefixtures("restored_logging")


def test_both_kinds_of_loggers_write_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    structlog.get_logger("app.test").info("job started", job="j1")
    logging.getLogger("uvicorn.error").info("listening on %s", "here")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["job"], first["level"]) == ("job started", "j1", "info")
    assert (second["event"], second["logger"]) == ("listening on here", "uvicorn.error")


def test_other_libraries_only_warn(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    logging.getLogger("chatty").info("never mind")
    logging.getLogger("chatty").warning("mind this")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == [
        "mind this"
    ]


def test_an_exception_is_told_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    try:
        raise KeyError("lost")
    except KeyError:
        structlog.get_logger("app.test").exception("failed")
    assert "KeyError: 'lost'" in json.loads(capsys.readouterr().err)["exception"]


def test_a_line_that_is_to_be_written_soon_is_not_lost_with_its_event_loop() -> None:
    text = StringIO()
    lines = JSONLines(text)

    async def turns() -> str:
        lines.write_soon("1")
        lines.write_soon("2")
        await asyncio.sleep(0)
        return text.getvalue()

    def last(line: str) -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(loop.stop)
        loop.call_soon(lines.write_soon, line)
        loop.run_forever()
        loop.close()

    assert asyncio.run(turns()) == "1\n2\n"
    last("3")
    assert text.getvalue() == "1\n2\n"
    asyncio.run(turns())
    assert text.getvalue() == "1\n2\n3\n1\n2\n"
    last("4")
    lines.close()
    assert text.getvalue().endswith("2\n4\n")
