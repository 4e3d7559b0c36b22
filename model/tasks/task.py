"""What a user may ask: a task is an entity kind, a target and a horizon.

The labels of a task are derived from the log, see `model.snapshots.labels`.

>>> task = Task(
...     name="buys_30d",
...     entity="user",
...     target=Occurs(event_type="purchase"),
...     horizon_days=30,
... )
>>> task.target.kind
'occurs'
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EntityKind = Literal["user", "item", "pair"]
PeriodName = Literal["month_of_year", "iso_week", "weekday", "hour"]

PERIODS: dict[PeriodName, int] = {"month_of_year": 12, "iso_week": 53, "weekday": 7, "hour": 24}
"""How many periods a cycle has."""

CYCLE_DAYS: dict[PeriodName, int] = {
    "month_of_year": 365,
    "iso_week": 365,
    "weekday": 7,
    "hour": 1,
}
"""How long a cycle lasts, in days."""


EventTypeName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["purchase"])
]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Occurs(_Declared):
    """Does at least one event of this type happen within the horizon?"""

    kind: Literal["occurs"] = "occurs"
    event_type: EventTypeName


class Count(_Declared):
    """How many events, units (summed quantity) or active days there are within the horizon."""

    kind: Literal["count"] = "count"
    event_type: EventTypeName
    of: Literal["events", "units", "days"] = "events"


class Sum(_Declared):
    """The summed value of the events within the horizon; a negative total counts as zero."""

    kind: Literal["sum"] = "sum"
    event_type: EventTypeName


class PeakPeriod(_Declared):
    """In which period of the coming cycle, in the shop's time zone, most is sold."""

    kind: Literal["peak_period"] = "peak_period"
    event_type: EventTypeName
    period: PeriodName = "month_of_year"
    of: Literal["events", "units"] = "units"


Target = Annotated[Occurs | Count | Sum | PeakPeriod, Field(discriminator="kind")]

_ENTITIES_OF: dict[str, tuple[EntityKind, ...]] = {
    "occurs": ("user", "item", "pair"),
    "count": ("user", "item"),
    "sum": ("user", "item"),
    "peak_period": ("user", "item"),
}


class TaskDeclaration(_Declared):
    """A task without its name, as it is sent to the service."""

    entity: EntityKind
    target: Target
    horizon_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        validate_default=True,
        description="how far the label looks ahead; left out for peak_period: one cycle",
    )
    weight: float = Field(default=1.0, gt=0, le=100, description="share of the training loss")

    @model_validator(mode="before")
    @classmethod
    def _cycle_is_the_horizon(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("horizon_days"):
            target = data.get("target")
            if isinstance(target, PeakPeriod):
                return {**data, "horizon_days": CYCLE_DAYS[target.period]}
            if isinstance(target, dict) and target.get("kind") == "peak_period":
                period = target.get("period", "month_of_year")
                return {**data, "horizon_days": CYCLE_DAYS.get(period, 365)}
        return data

    @model_validator(mode="after")
    def _target_fits_entity(self) -> Self:
        allowed = _ENTITIES_OF[self.target.kind]
        if self.entity not in allowed:
            raise ValueError(
                f"a {self.target.kind} target is for {' or '.join(allowed)}, not {self.entity}"
            )
        if self.horizon_days < 1:
            raise ValueError(
                "horizon_days is required: how many days the label looks ahead, from 1"
            )
        if self.target.kind == "peak_period" and self.horizon_days < CYCLE_DAYS[self.target.period]:
            raise ValueError(
                f"horizon_days {self.horizon_days} is shorter than one cycle of "
                f"{self.target.period} ({CYCLE_DAYS[self.target.period]} days): leave it out"
            )
        return self


class Task(TaskDeclaration):
    """A named task."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["buys_30d"])

    @property
    def declaration(self) -> TaskDeclaration:
        """The same task without its name."""
        return TaskDeclaration.model_validate(self.model_dump(exclude={"name"}))
