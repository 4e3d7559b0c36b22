"""Features over HTTP: what the model reads about users, items and pairs, in words."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.dependencies import AppSettings, DatasetName, Models, SessionFactory
from app.db.engine import transaction
from app.domain import features
from app.domain.datasets import get_dataset
from model.tasks import EntityKind

router = APIRouter(tags=["features"], prefix="/datasets/{dataset}")


class FeatureDescription(BaseModel):
    """One number that is known of an entity at a cutoff."""

    entity: EntityKind = Field(description="whom it is known of")
    name: str = Field(examples=["purchase_events_30d"])
    unit: str = Field(examples=["log(1 + events)"])
    meaning: str = Field(examples=["events of purchase in the last 30 days"])


class FeatureList(BaseModel):
    """The features in the order in which the network reads them."""

    items: list[FeatureDescription]


@router.get(
    "/features", operation_id="listFeatures", summary="Features that the next training uses"
)
def list_features(
    sessions: SessionFactory,
    settings: AppSettings,
    models: Models,
    dataset: DatasetName,
    entity: Annotated[EntityKind | None, Query(description="only of these entities")] = None,
) -> FeatureList:
    """Every numeric feature that the dataset's next training would use, with unit and meaning.

    They follow from the log's event types, amounts, length and attributes, and from the declared
    tasks. Beside them the model reads categorical attributes, the item, and the last events.
    """
    with transaction(sessions, write=False) as session:
        question = features.look_up(session, get_dataset(session, dataset), settings.data_dir)
    found = features.features_of(question, models, entity)
    return FeatureList(
        items=[
            FeatureDescription(
                entity=kind, name=feature.name, unit=feature.unit, meaning=feature.meaning
            )
            for kind, feature in found
        ]
    )
