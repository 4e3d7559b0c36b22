"""What is stated of outcomes in a request, and what joint probabilities and reasons look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from model.prediction.outcomes import MAX_STATED
from model.tasks import EntityKind

TaskName = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
StatedOutcome = Annotated[
    StrictBool | StrictInt | StrictFloat | None,
    Field(
        description="true or false for occurs; a count; an amount of a sum; days for time_to, null "
        "where it does not come within the horizon; the number of a column"
    ),
]
Outcomes = Annotated[dict[TaskName, StatedOutcome], Field(max_length=MAX_STATED)]


class StatedRequest(BaseModel):
    """What a request may state of outcomes, for all of its entities."""

    model_config = ConfigDict(extra="forbid")

    given: Outcomes = Field(
        default={},
        description="what is known of other tasks: the predictions are those given these outcomes. "
        "Tasks that give no evidence (peak periods, next, columns of categories) cannot be given",
        examples=[{"carts_7d": True, "orders_30d": 2}],
    )
    joint: bool = Field(
        default=False,
        description="whether to add how probable `outcomes` are together, entity by entity",
    )
    outcomes: Outcomes = Field(
        default={},
        description="outcomes of several tasks, of which `joint` asks the probability",
        examples=[{"buys_7d": False, "buys_30d": True}],
    )
    explain: bool = Field(
        default=False,
        description="whether each prediction comes with what each group of inputs adds to it",
    )


class GroupContribution(BaseModel):
    """What one group of inputs adds."""

    group: str = Field(
        examples=["recency"],
        description="features of one kind (`purchase_events`, `money`, `recency`, `visits`, "
        "`variety`, `seasonality`, `affinities`, `neighbours`, `calendar`), `attributes`, "
        "`last_events` (their sequence), `item_identity`; of pairs with whose they are in front",
    )
    contribution: float = Field(description="in the explanation's unit")


class EvidenceContribution(BaseModel):
    """What one known outcome adds."""

    task: str = Field(examples=["carts_7d"])
    contribution: float = Field(description="in the explanation's unit")


class PredictionExplanation(BaseModel):
    """Why a prediction is what it is: the average one and what is added to it, which sum to it.

    Shapley values over sampled orders, the same at every call: `prediction` is `average` and all
    contributions together. Nothing is added for an entity of which nothing is known.
    """

    unit: str = Field(
        description="probability (of a best period or value: its), days, money, what is counted, "
        "or the column",
        examples=["probability"],
    )
    average: float = Field(description="the prediction for the average entity of the training")
    groups: list[GroupContribution] = Field(description="the largest first")
    evidence: list[EvidenceContribution] = Field(
        description="of the outcomes that are given, the largest first"
    )
    prediction: float


class JointTerm(BaseModel):
    """One outcome's part in the joint probability."""

    task: str = Field(examples=["buys_30d"])
    log_probability: float = Field(
        description="given the outcomes before it; a density per unit for a sum, a number, or days"
    )
    marginal_log_probability: float = Field(description="whatever the other outcomes are")
    is_density: bool


class JointPrediction(BaseModel):
    """How probable the stated outcomes are together, in nats.

    By the chain rule, in the order in which the tasks' windows end. The conditionals are learned
    apart, so that this is a composite likelihood: another order may say something else.
    """

    entity: EntityKind
    user: str | None = Field(description="id; null for an item")
    item: str | None = Field(description="id; null for a user")
    model_version: int
    cutoff_at: datetime | None = Field(description="null for a log without times")
    log_probability: float
    independent_log_probability: float = Field(
        description="of the tasks' own predictions, as if they had nothing to do with each other"
    )
    inconsistency: float = Field(
        description="nats by which the opposite order of the chain differs: how far the answer is "
        "from one joint distribution"
    )
    terms: list[JointTerm] = Field(description="in the order of the chain; they sum to the whole")
