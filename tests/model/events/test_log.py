from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from model.errors import InvalidEvents
from model.events import EventLog, to_datetime, to_microseconds
from tests.model.made_logs import random_events, same

COLUMNS = ("user", "item", "time_us", "event_type", "units", "price_cents", "value_cents")


def events(**changes: Any) -> pd.DataFrame:
    plain = {
        "user": ["b", "a", "b"],
        "item": ["x", "y", None],
        "time": pd.to_datetime(["2024-03-02", "2024-03-01", "2024-03-03"], utc=True),
        "event_type": ["view", "purchase", "view"],
    }
    return pd.DataFrame(plain | changes)


def times(log: EventLog) -> list[datetime]:
    return [to_datetime(us) for us in log.time_us.tolist()]


def test_events_are_sorted_by_time_and_coded() -> None:
    log = EventLog.from_frames(events())
    assert [log.users.ids[code] for code in log.user] == ["a", "b", "b"]
    assert [log.items.ids[code] if code >= 0 else None for code in log.item] == ["y", "x", None]
    assert [log.event_types[code] for code in log.event_type] == ["purchase", "view", "view"]
    assert times(log) == [datetime(2024, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    assert log.span_days == 2


def test_events_of_one_moment_are_in_the_order_of_what_they_are() -> None:
    frame = events(time=pd.to_datetime(["2024-03-01"] * 3, utc=True))
    assert EventLog.from_frames(frame).user.tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_shuffling_the_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = random_events(rng)
    assert frame["time"].duplicated().any()
    shuffled = frame.sample(frac=1, random_state=seed)
    first, second = EventLog.from_frames(frame), EventLog.from_frames(shuffled)
    assert first.users.ids.equals(second.users.ids)
    assert first.items.ids.equals(second.items.ids)
    for column in COLUMNS:
        assert same(getattr(first, column), getattr(second, column)), column


def test_frames_put_together_have_an_index_that_repeats() -> None:
    twice = pd.concat([events(), events()])
    log = EventLog.from_frames(twice, pd.concat([pd.DataFrame({"user": ["c"]})] * 2))
    assert len(log) == 6
    assert list(log.users.ids) == ["a", "b", "c"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidEvents, match="no column 'event_type'; they have"):
        EventLog.from_frames(events().drop(columns="event_type"))
    with pytest.raises(InvalidEvents, match="no column 'user' and none 'item'"):
        EventLog.from_frames(events().drop(columns=["user", "item"]))


@pytest.mark.parametrize("column", ["user", "item"])
def test_users_or_items_may_be_absent(column: Literal["user", "item"]) -> None:
    known = events().dropna(subset=[{"user": "item", "item": "user"}[column]])
    without = EventLog.from_frames(known.drop(columns=column))
    empty = EventLog.from_frames(known.assign(**{column: None}))
    assert len(without) == len(known)
    assert (getattr(without, column) == -1).all()
    assert len(getattr(without, f"{column}s")) == 0
    assert without.time_us.tolist() == empty.time_us.tolist()


def test_without_times_the_rows_keep_their_order() -> None:
    log = EventLog.from_frames(events().drop(columns="time"))
    assert not log.has_time
    assert log.user.tolist() == [1, 0, 1]
    assert log.time_us.tolist() == [0, 0, 0]
    assert EventLog.from_frames(events()).has_time


def test_further_columns_are_numbers_or_codes_of_texts() -> None:
    log = EventLog.from_frames(events(shade=["red", None, "blue"], rating=[5, None, 3]))
    assert list(log.columns) == ["rating", "shade"]
    rating, shade = (astuple(log.columns[name]) for name in ("rating", "shade"))
    assert np.array_equal(rating[0], [np.nan, 5, 3], equal_nan=True)
    assert rating[1] is None
    assert shade[0].tolist() == [-1, 1, 0]
    assert shade[1] == ("blue", "red")
    cut = log.until(log.first_us)
    assert {name: len(column.data) for name, column in cut.columns.items()} == {
        "rating": 1,
        "shade": 1,
    }


def test_tables_without_their_id_are_refused() -> None:
    with pytest.raises(InvalidEvents, match=r"the users have no column 'user'; .*'id'"):
        EventLog.from_frames(events(), users=pd.DataFrame({"id": ["a"]}))
    with pytest.raises(InvalidEvents, match=r"the items have no column 'item'; .*'sku'"):
        EventLog.from_frames(events(), items=pd.DataFrame({"sku": ["x"]}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": [None, "a", "b"], "item": [None, "x", "y"]}, "neither a user nor an item"),
        ({"event_type": ["view", None, "view"]}, "no event_type"),
        ({"time": pd.to_datetime(["2024-03-02", None, "2024-03-03"], utc=True)}, "no time"),
        ({"time": ["2024-03-02", "yesterday", "2024-03-03"]}, "yesterday"),
        ({"quantity": ["1", "a few", "2"]}, "a few"),
        ({"quantity": [1.0, float("inf"), 2.0]}, "quantity inf"),
        ({"price": [1.0, -2e12, 2.0]}, r"price -2e\+12: at most 1e\+12"),
        ({"quantity": [1e9, 1, 1], "price": [1e9, 1, 1]}, r"value 1e\+18"),
    ],
)
def test_a_bad_row_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidEvents, match=words):
        EventLog.from_frames(events(**changes))


def test_a_log_may_be_empty() -> None:
    log = EventLog.from_frames(events().iloc[:0], users=pd.DataFrame({"user": ["a"]}))
    assert len(log) == 0
    assert list(log.users.ids) == ["a"]


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(InvalidEvents, match="'Berlin'"):
        EventLog.from_frames(events(), time_zone="Berlin")


def test_naive_times_are_local_and_aware_ones_are_not() -> None:
    naive = events(time=pd.to_datetime(["2024-07-02 12:00"] * 3))
    assert set(times(EventLog.from_frames(naive, time_zone="Europe/Berlin"))) == {
        datetime(2024, 7, 2, 10, tzinfo=UTC)
    }
    aware = events(time=pd.to_datetime(["2024-07-02 12:00"] * 3).tz_localize("America/New_York"))
    assert set(times(EventLog.from_frames(aware, time_zone="Europe/Berlin"))) == {
        datetime(2024, 7, 2, 16, tzinfo=UTC)
    }


def test_a_local_time_that_occurs_twice_is_refused() -> None:
    back = events(time=pd.to_datetime(["2024-10-27 02:30"] * 3))
    with pytest.raises(InvalidEvents, match=r"occurs twice in Europe/Berlin .*offset"):
        EventLog.from_frames(back, time_zone="Europe/Berlin")


def test_a_local_time_that_never_was_moves_to_the_next_that_was() -> None:
    forward = events(time=pd.to_datetime(["2024-03-31 02:30"] * 3))
    log = EventLog.from_frames(forward, time_zone="Europe/Berlin")
    assert times(log)[0] == datetime(2024, 3, 31, 1, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_unit_of_time_is_read_alike(unit: str) -> None:
    frame = events()
    frame["time"] = frame["time"].dt.as_unit(unit)
    assert times(EventLog.from_frames(frame)) == times(EventLog.from_frames(events()))


def test_the_value_is_the_quantity_times_the_price_unless_given() -> None:
    log = EventLog.from_frames(
        events(
            time=pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-03"], utc=True),
            quantity=[2.0, 3.0, None],
            price=[1.25, 0.1, 5.0],
            value=[None, 9.99, None],
        )
    )
    assert log.value_cents.tolist() == [250, 999, 0]
    assert log.units.tolist() == [2, 3, 1]
    assert log.price_cents.tolist() == [125, 10, 500]
    assert log.has_value
    assert log.has_quantity


def test_a_log_without_amounts_says_so() -> None:
    log = EventLog.from_frames(events())
    assert not log.has_value
    assert not log.has_quantity
    assert log.units.tolist() == [1, 1, 1]
    assert log.price_cents.tolist() == [-1, -1, -1]


def test_tables_add_entities_and_the_last_row_of_an_id_counts() -> None:
    users = pd.DataFrame({"user": ["c", "a", "a", None], "age": [1.0, 2.0, 3.0, 4.0]})
    log = EventLog.from_frames(events(), users=users)
    assert list(log.users.ids) == ["a", "b", "c"]
    ages = log.users.attributes["age"].tolist()
    assert ages[0] == 3
    assert np.isnan(ages[1])
    assert ages[2] == 1


def test_ids_that_are_numbers_become_strings() -> None:
    log = EventLog.from_frames(events(user=[10, 9, 10]), users=pd.DataFrame({"user": [11]}))
    assert list(log.users.ids) == ["10", "11", "9"]


def test_whole_numbers_stay_whole_where_ids_are_missing() -> None:
    users = pd.DataFrame({"user": [17850, 13047]})
    log = EventLog.from_frames(events(user=[17850.0, 13047.0, np.nan], item="x"), users)
    assert list(log.users.ids) == ["13047", "17850"]


@pytest.mark.parametrize("name", ["", "a" * 201, "a\0b"])
def test_an_event_type_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidEvents, match="is no name"):
        EventLog.from_frames(events(event_type=["view", name, "view"]))


def test_the_log_as_it_was_at_a_time() -> None:
    log = EventLog.from_frames(events())
    middle = to_microseconds(datetime(2024, 3, 2, tzinfo=UTC))
    assert len(log.until(middle)) == 2
    assert len(log.until(middle - 1)) == 1
    assert log.until(middle).users is log.users


def test_times_to_microseconds_and_back() -> None:
    moment = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
    assert to_datetime(to_microseconds(moment)) == moment
    assert to_microseconds(moment + timedelta(microseconds=1)) % 1_000_000 == 0
    with pytest.raises(InvalidEvents, match="has no zone"):
        to_microseconds(datetime(2024, 2, 29))  # noqa: DTZ001
