"""What a prediction looks like: a distribution whose shape its `kind` says, and a point."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.api.conditional_schemas import JointPrediction, PredictionExplanation, StatedRequest
from app.api.moments import cutoff_shown
from app.domain.stored_predictions import Answer
from model.tasks import EntityKind, PeriodName, Task

MAX_ENTITIES = 10_000
MAX_ANSWERS = 200_000

LONGEST_ID = 1000

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]+$")]
Probability = Annotated[float, Field(description="from 0 to 1")]
Quantiles = Annotated[
    dict[str, float],
    Field(
        description="amount by level: with that probability it is not exceeded",
        examples=[{"0.1": 0.0, "0.5": 2.0, "0.9": 5.0}],
    ),
]
_Any = Annotated[float, Field(description="probability that there is any at all")]
Days = Annotated[
    dict[str, float | None],
    Field(
        description="days by level: with that probability it has come by then; null lies beyond "
        "the horizon",
        examples=[{"0.1": 1.5, "0.5": 12.0, "0.9": None}],
    ),
]
Best = Annotated[str, Field(description="the most probable value", examples=["shoes"])]
ProbabilityOfEach = Annotated[
    dict[str, float],
    Field(
        description="of each value; `other` stands for all that were too rare to learn",
        examples=[{"hats": 0.2, "shoes": 0.7, "other": 0.1}],
    ),
]


class _Answered(BaseModel):
    task: str = Field(examples=["buys_30d"])
    entity: EntityKind = Field(description="whether it is for a user, an item, or a pair of them")
    user: str | None = Field(description="id; null for an item")
    item: str | None = Field(description="id; null for a user")
    model_version: int = Field(description="which version answers")
    cutoff_at: datetime | None = Field(
        description="when the prediction was made: events after this were not looked at; null for "
        "a log without times"
    )
    cold_start: bool = Field(
        description="nothing had happened to the entity by then: the answer is the average one"
    )
    point: float = Field(
        description="what a ranking sorts by: the probability (of a time, that it lies within the "
        "horizon), the expected amount or number, or the probability of the best period or value"
    )
    explanation: PredictionExplanation | None = Field(
        default=None,
        exclude_if=lambda explanation: explanation is None,
        description="where asked for: what adds up to the prediction",
    )


class OccursPrediction(_Answered):
    """Will it happen within the horizon?"""

    kind: Literal["occurs"]
    probability: Probability


class CountPrediction(_Answered):
    """How many within the horizon?"""

    kind: Literal["count"]
    expected: float
    probability_any: _Any
    quantiles: Quantiles


class SumPrediction(_Answered):
    """How much within the horizon?"""

    kind: Literal["sum"]
    expected: float
    probability_any: _Any
    quantiles: Quantiles


class PeakPeriodPrediction(_Answered):
    """In which period of the coming cycle will most be sold?"""

    kind: Literal["peak_period"]
    period: PeriodName
    best: int = Field(description="month 1-12, ISO week 1-53, weekday 1-7 from Monday, hour 0-23")
    probabilities: dict[str, float] = Field(description="of each period to be the best")


class TimeToPrediction(_Answered):
    """How many days until the first event? Counted from the start of the task's window."""

    kind: Literal["time_to"]
    expected_days: float = Field(
        description="mean of the days, or of the horizon where the event does not come before"
    )
    probability_any: Annotated[float, Field(description="that it comes within the horizon")]
    quantiles: Days
    survival: dict[str, float] = Field(
        description="by days: the probability that it has not come by then, up to the horizon",
        examples=[{"1": 0.95, "7": 0.8, "14": 0.7, "30": 0.6}],
    )


class NextPrediction(_Answered):
    """Of which type or attribute will the next event be, if there is one within the horizon?"""

    kind: Literal["next"]
    best: Best
    probabilities: ProbabilityOfEach


class NumberPrediction(_Answered):
    """Which number will stand in the column?"""

    kind: Literal["column"]
    values: Literal["numbers"]
    expected: float
    quantiles: Quantiles


class CategoryPrediction(_Answered):
    """Which value will stand in the column?"""

    kind: Literal["column"]
    values: Literal["categories"]
    best: Best
    probabilities: ProbabilityOfEach


ColumnPrediction = Annotated[NumberPrediction | CategoryPrediction, Field(discriminator="values")]
# Side by side, not one in the other: a discriminator's mapping names schemas, not further mappings.
Prediction = (
    Annotated[
        OccursPrediction
        | CountPrediction
        | SumPrediction
        | PeakPeriodPrediction
        | TimeToPrediction
        | NextPrediction,
        Field(discriminator="kind"),
    ]
    | ColumnPrediction
)
_ADAPTER: TypeAdapter[Prediction] = TypeAdapter(Prediction)


class PredictionList(BaseModel):
    """Many predictions, task by task in the order asked, entities in the order given."""

    predictions: list[Prediction]
    joint: list[JointPrediction] | None = Field(
        default=None, description="where asked for: of each entity of the kinds of `outcomes`"
    )


class PairOfIds(BaseModel):
    """A user and an item."""

    model_config = ConfigDict(extra="forbid")

    user: Id
    item: Id


class PredictionRequest(StatedRequest):
    """Several tasks for several entities: each task is answered for the entities of its kind."""

    tasks: list[Id] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ENTITIES,
        description="names; left out: all tasks of the version that are for these entities, but "
        "for those that are `given`",
    )
    users: list[Id] = Field(default=[], max_length=MAX_ENTITIES, description="for user tasks")
    items: list[Id] = Field(default=[], max_length=MAX_ENTITIES, description="for item tasks")
    pairs: list[PairOfIds] = Field(
        default=[], max_length=MAX_ENTITIES, description="for pair tasks; any user with any item"
    )


REQUEST_EXAMPLES: dict[str, Any] = {
    "users": {
        "summary": "Two tasks for two users",
        "value": {"tasks": ["buys_30d", "spend_30d"], "users": ["u00001", "u00002"]},
    },
    "mixed": {
        "summary": "All tasks for a user, an item, and what the two have to do with each other",
        "value": {
            "users": ["u00001"],
            "items": ["i00001"],
            "pairs": [{"user": "u00001", "item": "i00001"}],
        },
    },
    "given": {
        "summary": "What a user will spend, now that it is known that they buy; with reasons",
        "value": {
            "tasks": ["spend_30d"],
            "users": ["u00001"],
            "given": {"buys_30d": True},
            "explain": True,
        },
    },
    "joint": {
        "summary": "How probable two outcomes are together",
        "value": {
            "tasks": ["buys_30d"],
            "users": ["u00001"],
            "joint": True,
            "outcomes": {"buys_30d": True, "spend_30d": 25.0},
        },
    },
}


def shown(answer: Answer, task: Task, version: int, cutoff_at: datetime) -> Prediction:
    """An answer as it goes over the wire."""
    entity_id, item_id = answer.entity
    return _ADAPTER.validate_python(
        {
            **answer.distribution,
            "task": task.name,
            "entity": task.entity,
            "user": entity_id if task.entity != "item" else None,
            "item": {"user": None, "item": entity_id, "pair": item_id}[task.entity],
            "model_version": version,
            "cutoff_at": cutoff_shown(cutoff_at),
            "cold_start": answer.cold_start,
            "point": answer.point,
        }
    )
