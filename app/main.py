"""The service as an ASGI application: `create_app()` puts the rooms together."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI
from fastapi_offline import FastAPIOffline

from app.api import (
    aliases,
    datasets,
    events,
    features,
    health,
    imports,
    job_log,
    live_reports,
    metrics,
    model_versions,
    prediction_jobs,
    prediction_sets,
    predictions,
    problems,
    rankings,
    schedules,
    shadow_reports,
    tasks,
    training_jobs,
)
from app.api.dependencies import TRANSACTIONS_AT_ONCE, refuse_zero_characters
from app.api.plain_route import FailedPredictionRoute, PlainBatchRoute, PlainPredictions
from app.api.predicting import Predicting
from app.db.engine import make_engine, make_session_factory
from app.domain.prediction_log import writer
from app.domain.predictors import ModelCache
from app.domain.serving import Serving
from app.domain.shadow import Shadow
from app.domain.warming import Warming
from app.settings import Settings, get_settings

ROUTERS: tuple[APIRouter, ...] = (
    datasets.router,
    imports.router,
    events.router,
    tasks.router,
    features.router,
    training_jobs.router,
    job_log.router,
    schedules.router,
    model_versions.router,
    live_reports.router,
    shadow_reports.router,
    aliases.router,
    predictions.router,
    rankings.router,
    prediction_jobs.router,
    prediction_sets.router,
)
"""The routers below `/v1`, in the order in which the docs page shows them."""

DESCRIPTION = """\
Upload a shop's log, declare prediction tasks, train one model for all of them in the background,
query predictions. Errors are `application/problem+json` (RFC 9457).
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; its database must have been migrated (`app.db.migrate.upgrade`)."""
    settings = settings or get_settings()
    app = FastAPIOffline(
        title="SSMTL",
        version=version("ssmtl"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        responses=problems.DEFAULT_RESPONSE,
    )
    app.state.settings = settings
    app.state.stopping = threading.Event()  # set by `serve`: streams end, so that it can too
    app.state.engine = make_engine(settings.resolved_database_url)
    app.state.session_factory = make_session_factory(app.state.engine)
    app.state.transaction_slots = CapacityLimiter(TRANSACTIONS_AT_ONCE)
    app.state.import_slots = CapacityLimiter(imports.IMPORTS_AT_ONCE)
    app.state.event_slots = CapacityLimiter(events.BATCHES_AT_ONCE)
    app.state.models = ModelCache(settings.loaded_models, settings.index_memory_mb)
    serving = Serving(
        app.state.session_factory, settings.data_dir, app.state.models, settings.loaded_models
    )
    app.state.predicting = Predicting(
        serving, Shadow(writer(app.state.session_factory), serving.prepare, settings.shadow_share)
    )
    app.state.warming = Warming(app.state.session_factory, serving, settings.loaded_models)
    problems.install(app)
    app.add_middleware(PlainPredictions, predicting=app.state.predicting)
    app.router.routes.insert(0, FailedPredictionRoute())
    app.router.routes.insert(1, PlainBatchRoute(app.state.predicting, app.router))
    app.include_router(health.router)
    app.include_router(metrics.router)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1", dependencies=[Depends(refuse_zero_characters)])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.warming.start()
    try:
        yield
    finally:
        app.state.warming.close()
        app.state.predicting.close()
        app.state.engine.dispose()
