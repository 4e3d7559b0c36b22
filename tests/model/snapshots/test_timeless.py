"""Logs without times: rows are events, and none sees what its own columns say."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import Config
from model.events import EventColumn, EventLog
from model.snapshots import Fold, Inputs, final_part, folds, plan_of, reader_of, take_snapshot
from model.snapshots.column_statistics import STRENGTH, groups
from model.snapshots.random_parts import MIN_FOLD_EVENTS, RandomPart
from model.snapshots.timeless import TimelessReader
from model.tasks import Column, EntityKind, Task
from tests.model.made_logs import same
from tests.model.made_tables import rated, rated_log

KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")


def tasks_of(entity: EntityKind) -> tuple[Task, ...]:
    return (
        Task(name="rating", entity=entity, target=Column(column="rating")),
        Task(name="opinion", entity=entity, target=Column(column="opinion")),
    )


def fold_of(log: EventLog, tasks: tuple[Task, ...]) -> Fold:
    (fold,) = folds(log, tasks, 10)
    return fold


def parts_of(fold: Fold) -> list[RandomPart]:
    parts = [fold.training, fold.validation, fold.test]
    assert all(isinstance(part, RandomPart) for part in parts)
    return parts  # type: ignore[return-value]


def reader_for(log: EventLog, tasks: tuple[Task, ...], part: RandomPart) -> TimelessReader:
    reader = reader_of(log, plan_of(log, tasks, part, Config()))
    assert isinstance(reader, TimelessReader)
    return reader


def entities(log: EventLog, entity: EntityKind) -> list[tuple[int, int]]:
    users = log.user if entity != "item" else np.zeros_like(log.user)
    items = log.item if entity != "user" else np.zeros_like(log.item)
    return list(zip(users.tolist(), items.tolist(), strict=True))


@pytest.mark.parametrize("entity", KINDS)
def test_no_entity_has_rows_in_two_parts(entity: EntityKind) -> None:
    log = rated_log()
    parts = parts_of(fold_of(log, tasks_of(entity)))
    rows = [part.rows(log, entity) for part in parts]
    assert np.array_equal(sum(np.stack(rows).astype(int)), np.ones(len(log)))
    names = np.array([str(name) for name in entities(log, entity)])
    owners = [set(names[own]) for own in rows]
    assert all(owners)
    assert not owners[0] & owners[1] | owners[1] & owners[2] | owners[0] & owners[2]
    assert np.array_equal(parts[1].known(log, entity), rows[0] | rows[1])


def test_a_small_table_has_no_fold_and_is_learned_whole() -> None:
    log = rated_log(events=MIN_FOLD_EVENTS - 1)
    assert folds(log, tasks_of("pair"), 10) == ()
    part = final_part(log, tasks_of("pair"), 10)
    assert isinstance(part, RandomPart)
    assert part.rows(log, "pair").all()


@pytest.mark.parametrize("entity", KINDS)
def test_a_row_has_the_label_of_its_event(entity: EntityKind) -> None:
    log, tasks = rated_log(), tasks_of(entity)
    training, *_ = parts_of(fold_of(log, tasks))
    reader = reader_for(log, tasks, training)
    snapshot = take_snapshot(reader, entity, tasks, training, Config(), np.random.default_rng(0))
    assert snapshot is not None
    assert reader.plan.classes == {"opinion": ("bad", "fair", "good")}
    rating, opinion = log.columns["rating"].data, log.columns["opinion"].data.astype(float)
    opinion[opinion < 0] = np.nan
    says = ~(np.isnan(rating) & np.isnan(opinion)) & training.rows(log, entity)
    assert np.array_equal(snapshot.labels["rating"], rating[says].astype("f4"), equal_nan=True)
    assert np.array_equal(snapshot.labels["opinion"], opinion[says].astype("f4"), equal_nan=True)
    names = [feature.name for feature in reader.features(entity)]
    assert snapshot.inputs.numbers.shape == (says.sum(), len(names))
    assert len(set(names)) == len(names)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(0, 599), st.sampled_from(KINDS))
def test_what_a_row_says_changes_no_input_of_it(seed: int, row: int, entity: EntityKind) -> None:
    """Nor do the other rows of its pair, nor those of later parts."""
    log, tasks = rated_log(seed), tasks_of(entity)
    training, *_ = parts_of(fold_of(log, tasks))
    reader = reader_for(log, tasks, training)
    known = training.known(log, entity)
    changed = groups(log) == groups(log)[row]
    changed |= ~known
    rating = np.where(changed, 99.0, log.columns["rating"].data)
    opinion = np.where(changed, 0, log.columns["opinion"].data).astype(np.int32)
    columns = {
        "rating": EventColumn(rating, None),
        "opinion": EventColumn(opinion, log.columns["opinion"].values),
    }
    other = TimelessReader(replace(log, columns=columns), reader.plan)
    rows = np.array([row])
    before, after = (
        reader.event_inputs(entity, rows, known),
        other.event_inputs(entity, rows, known),
    )
    for field in fields(Inputs):
        assert same(getattr(before, field.name), getattr(after, field.name)), field.name


@pytest.mark.parametrize("entity", KINDS)
def test_the_plan_knows_nothing_of_later_parts(entity: EntityKind) -> None:
    log, tasks = rated_log(), tasks_of(entity)
    training, *_ = parts_of(fold_of(log, tasks))
    known = training.known(log, entity)
    rating = np.where(known, log.columns["rating"].data, 77.0)
    columns = {**log.columns, "rating": EventColumn(rating, None)}
    before = plan_of(log, tasks, training, Config())
    assert plan_of(replace(log, columns=columns), tasks, training, Config()) == before
    (statistic, _) = before.statistics
    assert statistic.averages == (pytest.approx(np.nanmean(log.columns["rating"].data[known])),)


def test_statistics_are_those_of_the_other_groups() -> None:
    log, tasks = rated_log(), tasks_of("pair")
    part = final_part(log, tasks, 10)
    assert isinstance(part, RandomPart)
    reader = reader_for(log, tasks, part)
    rows = np.arange(50)
    inputs = reader.event_inputs("pair", rows, part.known(log, "pair"))
    names = [feature.name for feature in reader.features("pair")]
    frame = pd.DataFrame(
        {"item": log.item, "rating": log.columns["rating"].data, "group": groups(log)}
    )
    (average,) = reader.plan.statistics[0].averages
    for row in rows:
        others = frame[
            (frame["item"] == frame["item"][row]) & (frame["group"] != frame["group"][row])
        ]
        known = others["rating"].dropna()
        mean = (known.sum() + STRENGTH * average) / (len(known) + STRENGTH)
        found = dict(zip(names, inputs.numbers[row].tolist(), strict=True))
        assert found["item_rating_mean"] == pytest.approx(mean, rel=1e-5)
        assert found["item_rating_known"] == pytest.approx(np.log1p(len(known)), rel=1e-5)


def test_answers_know_all_events_also_for_pairs_that_never_met() -> None:
    frame, items = rated()
    log, tasks = EventLog.from_frames(frame, items=items), tasks_of("pair")
    part = final_part(log, tasks, 10)
    assert isinstance(part, RandomPart)
    reader = reader_for(log, tasks, part)
    users, chosen = np.meshgrid(np.arange(len(log.users)), np.arange(len(log.items)))
    inputs = reader.pair_inputs(users.ravel(), chosen.ravel(), 0)
    names = [feature.name for feature in reader.features("pair")]
    assert inputs.numbers.shape == (users.size, len(names))
    shares = [names.index(f"user_opinion_share_{label}") for label in ("bad", "fair", "good")]
    np.testing.assert_allclose(inputs.numbers[:, shares].sum(axis=1), 1, rtol=1e-5)
    known = frame[frame["opinion"].notna()].groupby("user").size().reindex(log.users.ids)
    column = inputs.numbers[:, names.index("user_opinion_known")]
    np.testing.assert_allclose(column, np.log1p(known.to_numpy())[users.ravel()], rtol=1e-5)
    alone = reader.user_inputs(np.arange(len(log.users)), 0)
    own = [feature.name for feature in reader.features("user")]
    assert same(
        alone.numbers[:, own.index("user_opinion_known")][users.ravel()],
        np.ascontiguousarray(column),
    )
    assert not reader.arrays(inputs)["types"].any()
