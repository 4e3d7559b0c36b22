"""What routes ask for: settings, sessions whose transaction ends before the answer, headers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Header, Path, Request
from sqlalchemy.orm import Session, sessionmaker

from app.api.predicting import Predicting
from app.db.engine import transaction
from app.domain.predictors import ModelCache
from app.errors import FieldError, Invalid
from app.settings import Settings


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _session_factory(request: Request) -> sessionmaker[Session]:
    factory: sessionmaker[Session] = request.app.state.session_factory
    return factory


def _models(request: Request) -> ModelCache:
    models: ModelCache = request.app.state.models
    return models


def _predicting(request: Request) -> Predicting:
    predicting: Predicting = request.app.state.predicting
    return predicting


async def refuse_zero_characters(request: Request) -> None:
    """For all routes: PostgreSQL has no text with a zero character, so nothing has such a name.

    Raises:
        Invalid: A part of the path or of the query has one.
    """
    places = {"path": request.path_params, "query": request.query_params}
    for place, values in places.items():
        for name, value in values.items():
            if "\0" in str(value):
                detail = f"{name} {str(value)!r} has a zero character"
                raise Invalid(detail, errors=(FieldError(f"/{place}/{name}", detail, "not_text"),))


TRANSACTIONS_AT_ONCE = 10
"""Of requests: fewer than there are threads and connections.

A transaction begins, works and ends in a thread of the pool each time. Could as many begin as there
are threads, all of them would wait for the lock of one that finds no thread to end in.
"""


async def _transaction_slot(request: Request) -> AsyncIterator[None]:
    slots: CapacityLimiter = request.app.state.transaction_slots
    slot = object()
    await slots.acquire_on_behalf_of(slot)
    try:
        yield
    finally:
        slots.release_on_behalf_of(slot)


AppSettings = Annotated[Settings, Depends(_settings)]
Models = Annotated[ModelCache, Depends(_models)]
Predictors = Annotated[Predicting, Depends(_predicting)]
SessionFactory = Annotated[sessionmaker[Session], Depends(_session_factory)]


# scope="function": the transaction is committed before the answer is sent.
_TransactionSlot = Annotated[None, Depends(_transaction_slot, scope="function")]


def _read_session(factory: SessionFactory, _slot: _TransactionSlot) -> Iterator[Session]:
    with transaction(factory, write=False) as session:
        yield session


def _write_session(factory: SessionFactory, _slot: _TransactionSlot) -> Iterator[Session]:
    with transaction(factory) as session:
        yield session


ReadSession = Annotated[Session, Depends(_read_session, scope="function")]
WriteSession = Annotated[Session, Depends(_write_session, scope="function")]

DatasetName = Annotated[str, Path(description="name of the dataset", examples=["my-shop"])]
TaskName = Annotated[str, Path(description="name of the task", examples=["buys_30d"])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="any word of your choice; the same request sent again with it does nothing "
        "and gives the same answer",
    ),
]
IfMatch = Annotated[str | None, Header(description="only do it if this is still the `ETag`")]
