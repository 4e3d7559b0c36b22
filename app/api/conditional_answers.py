"""Reasons and joint probabilities as they go over the wire.

in rows     an object for each prediction, or for each entity
in lists    an object of lists, the same numbers by columns
in tables   a nested column, which holds the objects of the rows
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from model.prediction.conditional import Joint
from model.prediction.explanation import Explanation

_NUMBER = pa.float64()
EXPLANATION = pa.struct(
    {
        "unit": pa.string(),
        "average": _NUMBER,
        "groups": pa.list_(pa.struct({"group": pa.string(), "contribution": _NUMBER})),
        "evidence": pa.list_(pa.struct({"task": pa.string(), "contribution": _NUMBER})),
        "prediction": _NUMBER,
    }
)
_TERM = {
    "task": pa.string(),
    "log_probability": _NUMBER,
    "marginal_log_probability": _NUMBER,
    "is_density": pa.bool_(),
}
JOINT = pa.struct(
    {
        "log_probability": _NUMBER,
        "independent_log_probability": _NUMBER,
        "inconsistency": _NUMBER,
        "terms": pa.list_(pa.struct(_TERM)),
    }
)


def explanation_row(found: Explanation) -> dict[str, Any]:
    """The reasons of one prediction; contributions the largest first."""
    return {
        "unit": found.unit,
        "average": found.average,
        "groups": [{"group": name, "contribution": value} for name, value in found.groups.items()],
        "evidence": [
            {"task": name, "contribution": value} for name, value in found.evidence.items()
        ],
        "prediction": found.prediction,
    }


def explanation_lists(found: Sequence[Explanation]) -> dict[str, Any]:
    """The reasons of one task's predictions, entity by entity; contributions by their names."""
    return {
        "unit": found[0].unit,
        "average": [one.average for one in found],
        "groups": _by_name([one.groups for one in found]),
        "evidence": _by_name([one.evidence for one in found]),
        "prediction": [one.prediction for one in found],
    }


def _by_name(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Each row has the same names, in an order of its own."""
    return {name: [row[name] for row in rows] for name in sorted(rows[0])}


def joint_rows(joint: Joint) -> Iterator[dict[str, Any]]:
    """How probable the outcomes are together, entity by entity."""
    lists = joint_lists(joint)
    terms = lists.pop("terms")
    for row in range(len(joint.reversed_log_probability)):
        yield {
            **{name: float(column[row]) for name, column in lists.items()},
            "terms": [
                {
                    **term,
                    "log_probability": float(term["log_probability"][row]),
                    "marginal_log_probability": float(term["marginal_log_probability"][row]),
                }
                for term in terms
            ],
        }


def joint_lists(joint: Joint) -> dict[str, Any]:
    """The same of all entities of a kind."""
    return {
        "log_probability": joint.log_probability,
        "independent_log_probability": joint.independent_log_probability,
        "inconsistency": joint.inconsistency,
        "terms": [
            {
                "task": name,
                "log_probability": joint.terms[name],
                "marginal_log_probability": joint.marginals[name],
                "is_density": name in joint.densities,
            }
            for name in joint.order
        ],
    }
