from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.logs import configure_logging


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


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
