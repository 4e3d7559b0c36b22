"""Aliases over HTTP: which model version answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import DatasetName, IfMatch, Predictors, ReadSession, SessionFactory
from app.api.pagination import Page, Pagination
from app.db.engine import transaction
from app.domain import aliases
from app.domain.aliases import PointedAlias
from app.domain.datasets import get_dataset

router = APIRouter(tags=["models"], prefix="/datasets/{dataset}/aliases")

AliasName = Annotated[
    str,
    Path(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="a word of a-z, 0-9, _ and -; `champion` answers unless another is asked for",
        examples=["champion"],
    ),
]
_ETAG = {"ETag": {"description": "for If-Match", "schema": {"type": "string"}}}


class AliasTarget(BaseModel):
    """Where an alias is to point to."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, lt=2**31, description="number of a model version", examples=[2])


class VersionAlias(BaseModel):
    """A name that points to a model version."""

    alias: str = Field(examples=["champion"])
    version: int
    updated_at: datetime


def _shown(found: PointedAlias) -> VersionAlias:
    return VersionAlias(
        alias=found.alias.name, version=found.version, updated_at=found.alias.updated_at
    )


@router.put(
    "/{alias}",
    operation_id="putAlias",
    summary="Point an alias to a model version",
    responses={
        200: {"headers": _ETAG, "description": "It was there before"},
        201: {"headers": _ETAG, "model": VersionAlias, "description": "It is new"},
    },
)
def put_alias(
    sessions: SessionFactory,
    predicting: Predictors,
    response: Response,
    dataset: DatasetName,
    alias: AliasName,
    body: AliasTarget,
    if_match: IfMatch = None,
) -> VersionAlias:
    """Promote or roll back: from now on, what asks for this alias is answered by that version.

    No request is dropped meanwhile: the version is loaded first. If it cannot be, the alias stays
    where it is.
    """
    source = predicting.serving.check(dataset, body.version)
    with transaction(sessions) as session:
        found, is_new = aliases.put_alias(
            session, get_dataset(session, dataset, lock=True), alias, body.version, if_match
        )
    predicting.serving.moved(source)
    response.status_code = 201 if is_new else 200
    response.headers["ETag"] = aliases.etag_of(found)
    return _shown(found)


@router.get(
    "/{alias}",
    operation_id="getAlias",
    summary="Where an alias points to",
    responses={200: {"headers": _ETAG}},
)
def get_alias(
    session: ReadSession, response: Response, dataset: DatasetName, alias: AliasName
) -> VersionAlias:
    """One alias; its `ETag` is for `If-Match`."""
    found = aliases.get_alias(session, get_dataset(session, dataset), alias)
    response.headers["ETag"] = aliases.etag_of(found)
    return _shown(found)


@router.get("", operation_id="listAliases", summary="Aliases by name")
def list_aliases(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[VersionAlias]:
    """The aliases of a dataset."""
    found = aliases.list_aliases(
        session, get_dataset(session, dataset), pagination.after_str(), pagination.limit
    )
    return pagination.page(found, _shown, lambda pointed: [pointed.alias.name])
