from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.errors import NotEnoughData
from model.events import MICROSECONDS_PER_DAY, EventLog, to_microseconds
from model.snapshots import Fold, FoldPart, final_part, folds, watermark_us
from model.snapshots.cutoffs import MAX_LATER_CUTOFFS, MAX_VALIDATION_CUTOFFS
from model.tasks import CYCLE_DAYS, Occurs, PeakPeriod, PeriodName, Task

FIRST_US = to_microseconds(datetime(2020, 1, 1, tzinfo=UTC)) + 123_456
SECOND_US = 1_000_000


def log_of(days: float) -> EventLog:
    time_us = [FIRST_US, FIRST_US + int(days * MICROSECONDS_PER_DAY)]
    return EventLog.from_frames(
        pd.DataFrame(
            {
                "user": "a",
                "item": "x",
                "time": pd.to_datetime(time_us, unit="us", utc=True),
                "event_type": "view",
            }
        )
    )


def occurs(days: int, start_days: int = 0) -> Task:
    return Task(
        name=f"occurs_{days}d",
        entity="user",
        target=Occurs(event_type="view"),
        horizon_days=days,
        start_days=start_days,
    )


def peak(period: PeriodName) -> Task:
    return Task(
        name=f"best_{period}", entity="item", target=PeakPeriod(event_type="view", period=period)
    )


horizons = st.lists(st.integers(1, 120), max_size=4, unique=True)
periods = st.lists(st.sampled_from(list(CYCLE_DAYS)), max_size=2, unique=True)
spans = st.floats(30, 1200)
cutoffs = st.integers(3, 30)


def tasks_of(days: list[int], names: list[PeriodName]) -> list[Task]:
    return [*map(occurs, days), *map(peak, names)] or [occurs(7)]


def horizon_us(task: Task) -> int:
    """From the cutoff to the end of the window."""
    return task.end_days * MICROSECONDS_PER_DAY


def parts_of(fold: Fold) -> list[FoldPart]:
    """In time; a fold of a short log has no test."""
    return [part for part in (fold.training, fold.validation, fold.test) if part is not None]


def assert_parts_are_apart(fold: Fold, log: EventLog) -> None:
    """No label's window reaches the cutoffs of the next part; whole seconds; in order."""
    parts = parts_of(fold)
    for earlier, later in pairwise(parts):
        assert earlier.cutoffs_us[-1] < earlier.label_end_us <= later.cutoffs_us[0]
    for part in parts:
        assert list(part.cutoffs_us) == sorted(set(part.cutoffs_us))
        assert all(cutoff % SECOND_US == 0 for cutoff in part.cutoffs_us)
    assert log.first_us < fold.training.cutoffs_us[0]
    assert parts[-1].label_end_us == watermark_us(log)


@given(spans, horizons, periods, cutoffs, st.integers(0, 30))
def test_no_label_reaches_into_the_next_part(
    days: float, horizon_days: list[int], names: list[PeriodName], max_cutoffs: int, gap: int
) -> None:
    log = log_of(days)
    tasks = [task.model_copy(update={"start_days": gap}) for task in tasks_of(horizon_days, names)]
    found = folds(log, tasks, max_cutoffs)
    split = [task for fold in found for task in fold.tasks]
    assert len(split) == len(set(split))
    assert set(split) <= set(tasks)
    for fold in found:
        assert_parts_are_apart(fold, log)
        assert len(fold.training.cutoffs_us) <= max_cutoffs
        for task in fold.tasks:
            # Every task has labels in every part.
            if task.target.kind != "peak_period":
                for part in parts_of(fold):
                    assert part.cutoffs_us[0] + horizon_us(task) <= part.label_end_us
            else:
                for part in parts_of(fold):
                    assert part.label_end_us - part.cutoffs_us[0] >= 0.25 * horizon_us(task)


@given(spans, horizons, periods, cutoffs)
@example(days=30.0, horizon_days=[21, 22], names=[], max_cutoffs=3)
def test_the_final_part_goes_as_far_as_the_shortest_horizon_allows(
    days: float, horizon_days: list[int], names: list[PeriodName], max_cutoffs: int
) -> None:
    log = log_of(days)
    tasks = [task for task in tasks_of(horizon_days, names) if task.horizon_days < days / 1.3]
    if not tasks:
        return
    part = final_part(log, tasks, max_cutoffs)
    assert part.label_end_us == watermark_us(log)
    assert len(part.cutoffs_us) <= max_cutoffs
    assert all(cutoff % SECOND_US == 0 for cutoff in part.cutoffs_us)
    assert log.first_us < part.cutoffs_us[0]
    for task in tasks:
        if task.target.kind != "peak_period":
            assert part.cutoffs_us[0] + horizon_us(task) <= part.label_end_us
    newest = part.label_end_us - part.cutoffs_us[-1]
    shortest = min(map(horizon_us, tasks))
    assert newest <= shortest
    if any(task.target.kind != "peak_period" for task in tasks):
        assert newest == shortest


@given(st.integers(1, 120), spans)
def test_a_log_too_short_is_refused_with_both_numbers(horizon: int, days: float) -> None:
    try:
        final_part(log_of(days), [occurs(horizon)], 10)
    except NotEnoughData as error:
        match = re.search(
            r"spans (\d+) days; .* horizon of (\d+) days needs at least (\d+): choose", str(error)
        )
        assert match is not None
        spans_days, horizon_days, needed = map(int, match.groups())
        assert spans_days == round(days)
        assert horizon_days == horizon
        assert needed > days
        # What is said to be enough is enough.
        assert final_part(log_of(needed), [occurs(horizon)], 10).cutoffs_us


@pytest.mark.parametrize(
    ("days", "parts"), [(150, ["training", "validation", "test"]), (90, ["training", "validation"])]
)
def test_a_shorter_log_leaves_out_the_test_first(days: float, parts: list[str]) -> None:
    (fold,) = folds(log_of(days), [occurs(30)], 10)
    assert [name for name in ("training", "validation", "test") if getattr(fold, name)] == parts


def test_shorter_tasks_are_validated_until_their_windows_reach_the_test() -> None:
    (fold,) = folds(log_of(1000), [occurs(7), occurs(150)], 40)
    assert fold.test is not None
    cutoffs = np.array(fold.validation.cutoffs_us)
    for_all = cutoffs[cutoffs + horizon_us(occurs(150)) <= fold.validation.label_end_us]
    later = cutoffs[len(for_all) :]
    assert 1 <= len(for_all) <= MAX_VALIDATION_CUTOFFS
    assert len(later) == MAX_LATER_CUTOFFS
    assert (later + horizon_us(occurs(7)) <= fold.validation.label_end_us).all()
    step = np.diff(fold.training.cutoffs_us).min()
    assert fold.validation.label_end_us - later[-1] - horizon_us(occurs(7)) < step
    assert (np.diff(cutoffs) % step == 0).all()


def test_tasks_of_one_horizon_have_no_later_cutoffs() -> None:
    (fold,) = folds(log_of(600), [occurs(30), occurs(30)], 20)
    assert fold.test is not None
    assert fold.validation.cutoffs_us[-1] + horizon_us(occurs(30)) == fold.validation.label_end_us


def test_a_log_without_room_to_validate_has_no_fold() -> None:
    assert folds(log_of(50), [occurs(30)], 10) == ()


def test_a_start_gap_belongs_to_the_embargo() -> None:
    log = log_of(1000)
    (fold,) = folds(log, [occurs(10, start_days=20)], 10)
    (other,) = folds(log, [occurs(30)], 10)
    assert (fold.training, fold.validation, fold.test) == (
        other.training,
        other.validation,
        other.test,
    )
    with pytest.raises(NotEnoughData, match="horizon of 30 days that begins after 60 needs"):
        final_part(log_of(100), [occurs(30, start_days=60)], 10)


def test_short_and_long_horizons_have_folds_of_their_own() -> None:
    log = log_of(1000)
    found = folds(log, [occurs(7), occurs(30), peak("month_of_year")], 20)
    assert [[task.horizon_days for task in fold.tasks] for fold in found] == [[7, 30], [365]]
    short, long = found
    assert short.test is not None
    assert long.test is not None
    assert watermark_us(log) - short.test.cutoffs_us[0] == 30 * MICROSECONDS_PER_DAY
    assert watermark_us(log) - long.test.cutoffs_us[0] == 365 * MICROSECONDS_PER_DAY


def test_a_peak_period_of_less_than_two_cycles_is_in_no_fold() -> None:
    assert folds(log_of(700), [peak("month_of_year")], 20) == ()
    assert len(folds(log_of(740), [peak("month_of_year")], 20)) == 1


def test_cutoffs_of_long_logs_are_whole_weeks_apart() -> None:
    (fold,) = folds(log_of(600), [occurs(30)], 12)
    steps = np.diff(fold.training.cutoffs_us)
    assert len(set(steps.tolist())) == 1
    assert steps[0] % (7 * MICROSECONDS_PER_DAY) == 0


def test_the_watermark_is_not_before_the_last_event() -> None:
    log = log_of(10)
    assert 0 <= watermark_us(log) - log.last_us < SECOND_US
    assert watermark_us(log) % SECOND_US == 0
