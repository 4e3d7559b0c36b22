"""A table of users, items and what they thought of each other is learned without times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model import SSMTL, Config, Task
from model.errors import InvalidTask
from model.tasks import Column, Occurs
from tests.model.made_tables import rated

TASKS = (
    Task(name="rating", entity="pair", target=Column(column="rating")),
    Task(name="opinion", entity="item", target=Column(column="opinion")),
)


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    return rated(events=1000)


@pytest.fixture(scope="module")
def fitted(frames: tuple[pd.DataFrame, pd.DataFrame], config: Config) -> SSMTL:
    events, items = frames
    return SSMTL(TASKS, config).fit(events, items=items)


def test_it_is_tested_on_entities_it_has_not_seen(fitted: SSMTL) -> None:
    report = fitted.report_
    assert list(report.tasks) == ["rating", "opinion"]
    assert not report.untested
    assert report.self_supervised_tasks == 0
    for name, rows in (("rating", 100), ("opinion", 60)):
        assert report.tasks[name].test_rows > rows
    # Only four items are left to test opinions on; of pairs there are enough.
    assert report.tasks["rating"].served_score.skill > 0.2


def test_any_pair_has_an_answer(
    fitted: SSMTL, frames: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    events, items = frames
    met = set(zip(events["user"], events["item"], strict=True))
    every = [(f"u{user}", f"i{item}") for user in range(40) for item in range(25)]
    strangers = [pair for pair in every if pair not in met]
    assert strangers
    answers = fitted.predict("rating", events, items=items, entity_ids=strangers)
    assert len(answers) == len(strangers)
    assert answers["expected"].between(0, 6).all()
    fitted.save(tmp_path / "model")
    again = SSMTL.load(tmp_path / "model").predict(
        "rating", events, items=items, entity_ids=strangers
    )
    pd.testing.assert_frame_equal(answers, again)


def test_answers_follow_what_others_say_of_the_item(
    fitted: SSMTL, frames: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    events, items = frames
    answers = fitted.predict("opinion", events, items=items)
    good = events["opinion"].eq("good").groupby(events["item"]).mean()
    assert np.corrcoef(answers["probabilities_good"], good[answers["item"]])[0, 1] > 0.5


def test_a_table_of_too_few_rows_to_validate_is_learned_all_the_same(config: Config) -> None:
    events, items = rated(events=150)
    fitted = SSMTL(TASKS[:1], config).fit(events, items=items)
    assert list(fitted.report_.untested) == ["rating"]
    assert len(fitted.predict("rating", events, items=items, entity_ids=[("u1", "i1")])) == 1


def test_only_columns_can_be_asked_for(config: Config) -> None:
    events, items = rated(events=150)
    later = Task(
        name="later", entity="user", target=Occurs(event_type="interaction"), horizon_days=7
    )
    with pytest.raises(InvalidTask, match="the log has no times"):
        SSMTL([later], config).fit(events, items=items)
