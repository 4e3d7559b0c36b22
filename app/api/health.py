"""Is the process alive, and can it serve?"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.db.health import check_database

router = APIRouter(tags=["health"])

Status = Literal["ok", "failing"]


class Liveness(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One thing the service needs; `reason` says what is wrong with it and what to do."""

    name: str
    status: Status
    reason: str | None


class Readiness(BaseModel):
    """All checks, and whether all are ok."""

    status: Status
    checks: list[Check]


def _checks(request: Request) -> list[Check]:
    found = check_database(request.app.state.engine)
    found["models"] = request.app.state.warming.reason
    return [
        Check(name=name, status="failing" if reason else "ok", reason=reason)
        for name, reason in found.items()
    ]


@router.get("/livez", operation_id="getLiveness", summary="Is the process alive?")
def get_liveness() -> Liveness:
    """Answers as long as the process runs; asks nobody else."""
    return Liveness()


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Can it serve?",
    responses={503: {"model": Readiness, "description": "it cannot; see the reasons"}},
)
def get_readiness(
    response: Response, checks: Annotated[list[Check], Depends(_checks)]
) -> Readiness:
    """Whether the database answers and has the newest schema, and the champions are loaded."""
    ready = all(check.status == "ok" for check in checks)
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "failing", checks=checks)
