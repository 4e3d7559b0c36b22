"""One declaration, a task for each category, and rare categories that stop nobody."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from model import SSMTL, Config, Count, Occurs, Task
from model.simulation import SimulatedShop
from model.tasks import Next

RARE, SELDOM = "rare", "seldom bought"
EACH = Task(
    name="buys",
    entity="user",
    target=Occurs(event_type="purchase"),
    horizon_days=14,
    for_each="item.category",
)
PLAIN = Task(name="views", entity="user", target=Count(event_type="view"), horizon_days=14)
NEXT = Task(
    name="next", entity="user", target=Next(of="item.category", event_type="view"), horizon_days=14
)


@pytest.fixture(scope="module")
def frames(small_shop: SimulatedShop) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and items; one more item is bought once, another often but long ago."""
    events, items = small_shop.events, small_shop.items
    purchases = events[events["event_type"] == "purchase"]
    first = purchases["time"].min()
    more = pd.concat(
        [
            purchases.iloc[:1].assign(item="rare item"),
            purchases.iloc[:30].assign(item="seldom item", time=first),
        ]
    )
    new = pd.DataFrame(
        {"item": ["rare item", "seldom item"], "category": [RARE, SELDOM]}, dtype="str"
    )
    return pd.concat([events, more]), pd.concat([items, new])


@pytest.fixture(scope="module")
def fitted(frames: tuple[pd.DataFrame, pd.DataFrame], config: Config) -> SSMTL:
    events, items = frames
    return SSMTL([EACH, PLAIN, NEXT], config).fit(events, items=items)


def test_each_category_has_a_task(fitted: SSMTL, small_shop: SimulatedShop) -> None:
    categories = sorted(small_shop.items["category"].unique())
    names = [f"buys__{name.replace(' ', '_')}" for name in categories]
    learned = [task.name for task in fitted.tasks_]
    assert learned == [*names, "views", "next"]
    assert set(fitted.report_.tasks) | set(fitted.report_.untested) == set(learned)


def test_what_cannot_be_learned_is_left_out_and_said(fitted: SSMTL) -> None:
    reasons = fitted.report_.left_out
    assert set(reasons) == {"buys__rare", "buys__seldom_bought"}
    assert "'rare' has 1 events" in reasons["buys__rare"]
    assert "no purchase that fulfils its conditions" in reasons["buys__seldom_bought"]


def test_each_is_asked_by_its_name_also_after_loading(
    fitted: SSMTL, frames: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    events, items = frames
    fitted.save(tmp_path / "model")
    loaded = SSMTL.load(tmp_path / "model")
    assert set(loaded.tasks_) == set(fitted.tasks_)
    task = fitted.tasks_[0]
    answers = loaded.predict(task.name, events, items=items)
    assert answers["probability"].between(0, 1).all()


def test_the_next_category_is_one_of_the_classes(
    fitted: SSMTL, frames: tuple[pd.DataFrame, pd.DataFrame], small_shop: SimulatedShop
) -> None:
    events, items = frames
    answers = fitted.predict("next", events, items=items)
    known = set(small_shop.items["category"])
    assert set(answers["best"]) <= known
    shares = answers.filter(like="probabilities_")
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
