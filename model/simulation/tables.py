"""The shop as its operator sees it: events, users and items with ids, times and gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from model.simulation.catalogue import CATEGORIES, Catalogue
from model.simulation.log import EventColumns
from model.simulation.people import CHANNELS, COUNTRIES, People
from model.simulation.process import EVENT_TYPES, NO_UNITS, PURCHASE, RETURN

ADVERT = [channel.name for channel in CHANNELS].index("advert")


def user_ids(people: People) -> list[str]:
    """The id of each user, such as u00042."""
    return _ids("u", people.size)


def item_ids(catalogue: Catalogue) -> list[str]:
    """The id of each item, such as i00042."""
    return _ids("i", catalogue.size)


def event_table(
    columns: EventColumns, users: list[str], items: list[str], start_us: int
) -> pa.Table:
    """The log as an Arrow table; ids and event types are dictionary-encoded.

    A view has a price but no quantity; only purchases and returns have a value, and the value
    of a return is negative.
    """
    units = columns.units.astype(np.float64)
    sign = np.where(columns.event_type == RETURN, -1.0, 1.0)
    paid = np.isin(columns.event_type, [PURCHASE, RETURN])
    time = pa.array(columns.time_us + start_us).cast(pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "user": _coded(columns.user, users),
            "item": _coded(columns.item, items),
            "time": time,
            "event_type": _coded(columns.event_type, list(EVENT_TYPES)),
            "quantity": pa.array(units, mask=columns.units == NO_UNITS),
            "price": pa.array(columns.price),
            "value": pa.array(np.round(sign * units * columns.price, 2), mask=~paid),
        }
    )


def decoded(table: pa.Table) -> pd.DataFrame:
    """The table as a DataFrame with plain strings."""
    plain = pa.schema(
        [
            pa.field(field.name, pa.large_string()) if pa.types.is_dictionary(field.type) else field
            for field in table.schema
        ]
    )
    frame: pd.DataFrame = table.cast(plain).to_pandas()
    return frame


def user_frame(people: People, rng: np.random.Generator) -> pd.DataFrame:
    """The user table. Age is missing at random, more often for those who came by an advert."""
    U = people.size
    age_missing = rng.random(U) < np.where(people.channel_U == ADVERT, 0.35, 0.12)
    newsletter = people.newsletter_U.astype(np.int64)
    return pd.DataFrame(
        {
            "user": pd.array(user_ids(people), dtype="str"),
            "country": _texts([c.name for c in COUNTRIES], people.country_U, 0.03, rng),
            "age": np.where(age_missing, np.nan, np.floor(people.age_U)),
            "signup_channel": _texts([c.name for c in CHANNELS], people.channel_U, 0.05, rng),
            "newsletter": _texts(["no", "yes"], newsletter, 0.1, rng),
        }
    )


def item_frame(catalogue: Catalogue, rng: np.random.Generator) -> pd.DataFrame:
    """The item table; brands, weights and a few prices are missing at random."""
    size = catalogue.size
    brands = [f"brand {number:02d}" for number in range(catalogue.brand_I.max() + 1)]
    return pd.DataFrame(
        {
            "item": pd.array(item_ids(catalogue), dtype="str"),
            "category": _texts([c.name for c in CATEGORIES], catalogue.category_I, 0.0, rng),
            "brand": _texts(brands, catalogue.brand_I, 0.1, rng),
            "list_price": np.where(rng.random(size) < 0.02, np.nan, catalogue.list_price_I),
            "weight_kg": np.where(rng.random(size) < 0.15, np.nan, catalogue.weight_kg_I),
        }
    )


def _ids(letter: str, size: int) -> list[str]:
    width = max(5, len(str(size - 1)))
    return [f"{letter}{number:0{width}d}" for number in range(size)]


def _coded(code: npt.NDArray[np.integer], names: list[str]) -> Any:
    """An Arrow array of the names, kept as codes."""
    return pa.DictionaryArray.from_arrays(code.astype(np.int32), pa.array(names))


def _texts(
    names: list[str], code: npt.NDArray[np.int64], missing: float, rng: np.random.Generator
) -> Any:
    """A pandas array of the names; a share of them, by chance, is missing."""
    text = np.array(names, dtype=object)[code]
    text[rng.random(len(code)) < missing] = None
    return pd.array(text, dtype="str")
