"""What is kept of the training rows, so that later ones can be compared with them."""

from __future__ import annotations

from model.evaluation import FeatureSummary
from model.evaluation.drift import summarise
from model.tasks import EntityKind
from model.training.preparation import Prepared


def feature_summaries(prepared: Prepared) -> dict[EntityKind, dict[str, FeatureSummary]]:
    """The features of users and items by name; those of pairs are theirs, for the most part."""
    if not prepared.reader.log.has_time:
        return {}
    found: dict[EntityKind, dict[str, FeatureSummary]] = {}
    for entity, examples in prepared.training.items():
        if entity == "pair":
            continue
        (plan,) = prepared.plan.for_entity(entity)
        found[entity] = summarise(
            prepared.columns(entity),
            examples.inputs.numbers,
            {name: len(known) for name, known in plan.categories.items()},
            examples.inputs.categories,
            examples.weights.numpy(),
        )
    return found
