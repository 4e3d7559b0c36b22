"""Lists come in pages: `{items, next_cursor}`; the cursor says after which row to go on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from app.errors import FieldError, Invalid

Item = TypeVar("Item")
Row = TypeVar("Row")
Key = list[str | int | float | None]


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(
        description="send it as `cursor` for the next page; null on the last page"
    )


@dataclass(frozen=True)
class PageRequest:
    """Which page is asked for: `limit` rows after the row with the key `after`."""

    limit: int
    after: Key | None

    def page(
        self, rows: Sequence[Row], item: Callable[[Row], Item], key: Callable[[Row], Key]
    ) -> Page[Item]:
        """The page made of `rows`, of which one more than `limit` was read if there are more."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = encode_cursor(key(shown[-1])) if more else None
        return Page(items=[item(row) for row in shown], next_cursor=cursor)

    def after_int(self, largest: int = 2**31 - 1) -> int | None:
        """`after` where rows are ordered by one whole number from 0 to `largest`."""
        match self.after:
            case None:
                return None
            case [int(number)] if type(number) is int and 0 <= number <= largest:
                return number
        raise _bad_cursor()

    def after_str(self) -> str | None:
        """`after` where rows are ordered by one name."""
        match self.after:
            case None:
                return None
            case [str(name)] if "\0" not in name:
                return name
        raise _bad_cursor()


def page_request(
    limit: Annotated[int, Query(ge=1, le=1000, description="rows per page")] = 100,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> PageRequest:
    """FastAPI dependency behind `Pagination`."""
    return PageRequest(limit, None if cursor is None else decode_cursor(cursor))


Pagination = Annotated[PageRequest, Depends(page_request)]


def encode_cursor(key: Key) -> str:
    """A key as an opaque word that fits into a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode_cursor(cursor: str) -> Key:
    """The key that `encode_cursor` was given.

    Raises:
        Invalid: It is no cursor of ours.
    """
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if not isinstance(key, list):
        raise _bad_cursor()
    return key


def _bad_cursor() -> Invalid:
    detail = "not a cursor of this list; leave it out for the first page"
    return Invalid(detail, errors=(FieldError("/query/cursor", detail, "invalid_cursor"),))
