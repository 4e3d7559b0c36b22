from __future__ import annotations

import pytest

from model.prediction import Predictor
from model.snapshots import declared_features
from model.snapshots.feature_groups import category_groups, numeric_groups
from model.tasks import EntityKind


@pytest.mark.parametrize("kind", ["user", "item", "pair"])
def test_every_input_has_a_group(predictor: Predictor, kind: EntityKind) -> None:
    plan = predictor.artifact.description.plan
    background = predictor.artifact.background[kind]
    assert len(numeric_groups(plan, kind)) == len(declared_features(plan, kind))
    assert len(numeric_groups(plan, kind)) == background["numbers"].shape[1]
    assert len(category_groups(plan, kind)) == background["categories"].shape[1]


def test_features_are_in_the_groups_that_their_names_promise(predictor: Predictor) -> None:
    plan = predictor.artifact.description.plan
    names = [feature.name for feature in declared_features(plan, "user")]
    of = dict(zip(names, numeric_groups(plan, "user"), strict=True))
    assert of["purchase_events_30d"] == "purchase_events"
    assert of["purchase_trend_30d_90d"] == "purchase_events"
    assert of["purchase_value_all"] == "money"
    assert of["price_mean_all"] == "money"
    assert of["visits_90d"] == "visits"
    assert of["distinct_items_30d"] == "variety"
    assert {of[name] for name in ("recency", "tenure", "gap_mean", "recency_over_gap")} == {
        "recency"
    }
    assert of["share_of_weekday_1"] == "seasonality"
    assert of["log_coverage"] == "calendar"
    assert of["recent_items_events_30d"] == "neighbours"
    assert {of[name] for name in names if name.startswith("share_of_category")} == {"affinities"}


def test_groups_of_pairs_say_whose_they_are(predictor: Predictor) -> None:
    groups = set(numeric_groups(predictor.artifact.description.plan, "pair"))
    assert {"user_recency", "item_recency", "pair_recency", "pair_view_events"} <= groups
