"""How the queue of jobs stands, for Prometheus and whoever reads its text format."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from app.api.dependencies import ReadSession
from app.domain.metrics import JobFigures, job_figures

router = APIRouter(tags=["health"])

_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Figures for monitoring",
    response_class=PlainTextResponse,
)
def get_metrics(session: ReadSession) -> PlainTextResponse:
    """Jobs by kind and state, how long the oldest waits, silent and lost workers.

    All are read from the database, so that every process answers the same.
    """
    return PlainTextResponse(
        "".join(f"{line}\n" for line in _lines(job_figures(session))), media_type=_MEDIA_TYPE
    )


def _lines(figures: list[JobFigures]) -> Iterator[str]:
    yield from _family("ssmtl_jobs", "gauge", "Jobs by state: queued is the length of the queue.")
    for one in figures:
        for state, count in one.by_state.items():
            yield f'ssmtl_jobs{{kind="{one.kind}",state="{state}"}} {count}'
    name = "ssmtl_jobs_oldest_waiting_seconds"
    yield from _family(name, "gauge", "For how long the oldest queued job could have been run.")
    for one in figures:
        yield f'{name}{{kind="{one.kind}"}} {one.oldest_waiting_s:.3f}'
    name = "ssmtl_jobs_overdue"
    yield from _family(name, "gauge", "Running jobs whose worker is silent for over its lease.")
    for one in figures:
        yield f'{name}{{kind="{one.kind}"}} {one.overdue}'
    name = "ssmtl_job_losses_total"
    yield from _family(name, "counter", "How often a job has lost its worker.")
    for one in figures:
        yield f'{name}{{kind="{one.kind}"}} {one.losses}'


def _family(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
