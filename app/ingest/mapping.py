"""Which column of an upload means what: given once, when the dataset is made.

A column that the mapping does not name is looked for under its default names; `null` says that
there is none, whatever the upload has.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.ingest.times import check_time_format

Table = Literal["events", "users", "items"]
_TEXT = r"^[^\x00]*$"  # PostgreSQL has no text with a zero character
ColumnName = Annotated[str, Field(min_length=1, max_length=500, pattern=_TEXT)]
EventType = Annotated[
    str, Field(min_length=1, max_length=100, pattern=_TEXT, examples=["purchase"])
]
Operator = Literal["<", "<=", ">", ">=", "==", "!=", "starts_with", "is_missing"]

DEFAULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "user": ("user_id", "user", "用户ID", "用户"),
    "item": ("item_id", "item", "商品ID", "商品"),
    "time": ("time", "timestamp", "时间"),
    "event_type": ("event_type", "事件类型"),
    "quantity": ("quantity", "数量"),
    "price": ("price", "单价"),
    "value": ("value", "金额"),
    "event_id": ("event_id", "事件ID"),
}
"""Where a column is looked for that the mapping does not name, in this order."""

CANONICAL = frozenset(DEFAULT_COLUMNS)
"""What no further column of the events may be called."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventColumns(_Declared):
    """Source columns of an event, in any script."""

    user: ColumnName | None = Field(default=None, examples=["用户ID"])
    item: ColumnName | None = Field(default=None, examples=["商品ID"])
    time: ColumnName | None = Field(
        default=None,
        examples=["时间"],
        description="`null`: the rows have no time; only tasks about columns can be learned from "
        "them",
    )
    event_type: ColumnName | None = None
    quantity: ColumnName | None = None
    price: ColumnName | None = Field(default=None, description="of one unit")
    value: ColumnName | None = Field(
        default=None, description="of the whole event; without it quantity times price"
    )
    event_id: ColumnName | None = Field(
        default=None,
        description="rows with an id that the dataset has are duplicates; without this column "
        "rows are duplicates when everything in them is equal",
    )


class Rule(_Declared):
    """Rows whose `column` stands in this relation to `value` are of this event type."""

    column: ColumnName = Field(examples=["Quantity"])
    op: Operator = Field(examples=["<"])
    value: (
        Annotated[float, Field(allow_inf_nan=False)]
        | Annotated[str, Field(max_length=500, pattern=_TEXT)]
        | None
    ) = Field(default=None, examples=[0])
    event_type: EventType = Field(examples=["return"])

    @model_validator(mode="after")
    def _value_fits_op(self) -> Self:
        needed: tuple[type, ...] = (int, float)
        if self.op == "is_missing":
            needed = (type(None),)
        elif self.op == "starts_with":
            needed = (str,)
        elif self.op in {"==", "!="}:
            needed = (int, float, str)
        if not isinstance(self.value, needed):
            kinds = {"is_missing": "no value", "starts_with": "a text", "==": "a value"}
            raise ValueError(f"{self.op} takes {kinds.get(self.op, 'a number')}")
        return self


class Attribute(_Declared):
    """Where an attribute comes from and what it is."""

    column: ColumnName | None = Field(default=None, description="by default named like it")
    type: Literal["number", "category"]


class EventMapping(_Declared):
    """How rows become events. Of the `rules` the first that fits decides the event type.

    Without `attributes` every column that is used for nothing else is a further column of the
    events.
    """

    columns: EventColumns = EventColumns()
    time_format: str = Field(
        default="iso8601",
        max_length=100,
        pattern=_TEXT,
        description="`iso8601` (with or without an offset, also mixed), `epoch_s`, `epoch_ms`, or "
        "a strptime format. Times without an offset are in the dataset's time zone.",
        examples=["%d/%m/%Y %H:%M"],
    )
    ambiguous_times: Literal["reject", "earlier", "later"] = Field(
        default="reject",
        description="what a local time means that occurs twice, when clocks are set back",
    )
    default_event_type: EventType | None = Field(
        default=None, description="of rows without one, when no rule fits"
    )
    rules: list[Rule] = Field(default=[], max_length=100)
    attributes: dict[ColumnName, Attribute] | None = Field(
        default=None,
        description="further columns, e.g. a rating or a channel; `{}` for none",
        examples=[{"rating": {"type": "number"}}],
    )

    @model_validator(mode="after")
    def _time_format_is_known(self) -> Self:
        check_time_format(self.time_format)
        return self

    @model_validator(mode="after")
    def _further_columns_have_names_of_their_own(self) -> Self:
        taken = sorted(CANONICAL.intersection(self.attributes or ()))
        if taken:
            raise ValueError(
                f"attributes: {taken[0]!r} is what every event has: give the column another name"
            )
        return self


class EntityMapping(_Declared):
    """How rows become users or items. Without `attributes` every other column is one."""

    id: ColumnName | None = None
    attributes: dict[ColumnName, Attribute] | None = Field(
        default=None, examples=[{"age": {"type": "number"}}]
    )


class Mapping(_Declared):
    """The mapping of the three tables."""

    events: EventMapping = EventMapping()
    users: EntityMapping = EntityMapping()
    items: EntityMapping = EntityMapping()
