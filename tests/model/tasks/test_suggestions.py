from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tasks import LogProfile, Task, check_tasks, conversion_type, suggest


def profile(
    days: float = 738,
    event_types: dict[str, int] | None = None,
    users: int = 100,
    items: int = 100,
    has_value: bool = True,
    has_quantity: bool = True,
) -> LogProfile:
    first_at = datetime(2022, 1, 1, tzinfo=UTC)
    return LogProfile(
        event_types=event_types or {"view": 900, "purchase": 100},
        first_at=first_at,
        last_at=first_at + timedelta(days=days),
        users=users,
        items=items,
        has_value=has_value,
        has_quantity=has_quantity,
    )


def described(tasks: list[Task]) -> list[tuple[str, str, int]]:
    return [(task.entity, task.target.kind, task.horizon_days) for task in tasks]


def test_two_years_of_a_shop() -> None:
    assert described([found.task for found in suggest(profile())]) == [
        ("user", "occurs", 7),
        ("user", "occurs", 30),
        ("user", "occurs", 90),
        ("user", "count", 30),
        ("user", "sum", 30),
        ("item", "count", 30),
        ("item", "peak_period", 365),
        ("pair", "occurs", 30),
    ]


def test_horizons_shrink_with_the_log() -> None:
    assert described([found.task for found in suggest(profile(days=60))]) == [
        ("user", "occurs", 7),
        ("user", "occurs", 14),
        ("user", "count", 14),
        ("user", "sum", 14),
        ("item", "count", 14),
        ("item", "peak_period", 7),
        ("pair", "occurs", 14),
    ]
    assert {found.task.horizon_days for found in suggest(profile(days=5))} == {1}
    assert suggest(profile(days=3.9)) == []


def test_only_what_the_log_has() -> None:
    kinds = [found.task for found in suggest(profile(users=0, has_quantity=False))]
    assert [(task.entity, task.target.kind) for task in kinds] == [
        ("item", "count"),
        ("item", "peak_period"),
    ]
    assert kinds[0].name == "item_purchase_events_30d"
    assert "sum" not in {found.task.target.kind for found in suggest(profile(has_value=False))}


@pytest.mark.parametrize(
    ("event_types", "expected"),
    [
        ({"view": 900, "cart": 90, "purchase": 10}, "purchase"),
        ({"view": 900, "order_return": 50, "order": 60}, "order"),
        ({"浏览": 900, "购买": 10}, "购买"),
        ({"click": 1000, "like": 50, "typo": 1}, "like"),
        ({"return": 5, "purchase": 500}, "purchase"),
        ({"refund": 5}, "refund"),
    ],
)
def test_the_type_that_matters_most(event_types: dict[str, int], expected: str) -> None:
    assert conversion_type(profile(event_types=event_types)) == expected


@given(
    days=st.floats(0, 4000),
    types=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=200),
        st.integers(1, 10**6),
        min_size=1,
    ),
    users=st.integers(0, 3),
    items=st.integers(0, 3),
    has_value=st.booleans(),
    has_quantity=st.booleans(),
)
def test_every_suggestion_passes_the_checks(
    days: float,
    types: dict[str, int],
    users: int,
    items: int,
    has_value: bool,
    has_quantity: bool,
) -> None:
    log = profile(days, types, users, items, has_value, has_quantity)
    found = suggest(log)
    check_tasks([suggestion.task for suggestion in found], log)
    for suggestion in found:
        assert 4 * suggestion.task.horizon_days <= log.span_days or (
            suggestion.task.target.kind == "peak_period" and log.span_days >= 455
        )
