"""What the demo prints."""

from __future__ import annotations

import calendar
from typing import Any

from rich.console import Console
from rich.table import Table

_STRONGEST_EDGES = 8
_BASELINES = ("recency_frequency", "seasonal_naive", "personal_frequency")
_SHOWN_METRICS = {
    "occurs": (("AUROC", "auroc"),),
    "count": (("MAE", "mean_absolute_error"),),
    "sum": (("MAE", "mean_absolute_error"),),
    "peak_period": (("top 3", "top3"),),
    "time_to": (("C", "concordance"),),
    "next": (("top 3", "top3"),),
    "column": (("MAE", "mean_absolute_error"), ("top 3", "top3")),
}


def print_import(console: Console, report: dict[str, Any]) -> None:
    """One line per upload."""
    console.print(
        f"imported {report['table']}: {report['rows_read']:,} rows read, "
        f"{report['rows_accepted']:,} accepted, {report['rows_duplicate']:,} duplicate, "
        f"{report['rows_rejected']:,} rejected"
    )


def print_tasks(console: Console, suggestions: list[dict[str, Any]]) -> None:
    """The declared tasks."""
    table = Table(title="Declared tasks, as the service suggests them", title_justify="left")
    for column in ("task", "for each", "target", "horizon"):
        table.add_column(column)
    for suggestion in suggestions:
        task = suggestion["declaration"]
        target = task["target"]
        table.add_row(
            suggestion["name"],
            task["entity"],
            _asked(target),
            f"{task['horizon_days']} d",
        )
    console.print(table)


def _asked(target: dict[str, Any]) -> str:
    """A target in a few words."""
    event_type = target["event_type"] or "any event"
    match target["kind"]:
        case "next":
            words = f"next {target['of']} of {event_type}"
        case "column":
            words = f"column {target['column']} of {event_type}"
        case kind:
            words = f"{kind} of {event_type}"
    conditions = " and ".join(
        f"{condition['attribute']} {condition['op']} {condition['value']}"
        for condition in target.get("where", ())
    )
    return f"{words} where {conditions}" if conditions else words


def print_quality(console: Console, report: dict[str, Any]) -> None:
    """Each task's quality on held-out time beside its baselines."""
    table = Table(
        title="Skill on held-out time: 1 - NLL / NLL of the climatology (90% interval)",
        title_justify="left",
    )
    table.add_column("task", no_wrap=True)
    table.add_column("SSMTL", justify="right")
    table.add_column("baseline", justify="right")
    table.add_column("metric", justify="right")
    table.add_column("served")
    for name, task in report["tasks"].items():
        scores = task["scores"]
        baseline = next(scores[source] for source in _BASELINES if source in scores)
        table.add_row(
            name,
            _skill(scores["model"]),
            f"{baseline['skill']:.3f}",
            _metric(task["task"]["target"]["kind"], scores["model"]["metrics"]),
            task["served"],
        )
    console.print(table)
    for name, task in report["tasks"].items():
        if task["note"] is not None:
            console.print(f"{name}: {task['note']}")
    for name, reason in {**report["untested"], **report["left_out"]}.items():
        console.print(f"{name}: {reason}")
    for entity, joint in report["joint"].items():
        console.print(
            f"joint NLL of the {entity} tasks: {joint['joint_nll']:.3f} nats a row, "
            f"{joint['marginals_nll']:.3f} if they were independent"
        )


def _metric(kind: str, metrics: dict[str, float]) -> str:
    """The first of the kind's metrics that there is."""
    found = ((label, metrics[name]) for label, name in _SHOWN_METRICS[kind] if name in metrics)
    return next((f"{label} {value:.3f}" for label, value in found), "")


def _skill(score: dict[str, Any]) -> str:
    return f"{score['skill']:.3f} ({score['skill_low']:.3f} to {score['skill_high']:.3f})"


def print_graph(console: Console, graph: dict[str, Any]) -> None:
    """The strongest edges of the task graph."""
    table = Table(title="Strongest edges of the task graph", title_justify="left")
    for column in ("knowing", "improves", "by nats", "label correlation", "weight"):
        table.add_column(column, no_wrap=True)
    for edge in graph["edges"][:_STRONGEST_EDGES]:
        table.add_row(
            edge["source"],
            edge["target"],
            f"{edge['gain_nats']:.3f}",
            f"{edge['correlation']:.2f}",
            f"{edge['weight']:.2f}",
        )
    console.print(table)


def print_users(console: Console, task: dict[str, Any], ranking: list[dict[str, Any]]) -> None:
    """The users most likely to do what the task asks."""
    event_type, days = task["target"]["event_type"], task["horizon_days"]
    table = Table(title=f"Most likely to {event_type} within {days} days", title_justify="left")
    table.add_column("user")
    table.add_column("probability", justify="right")
    for prediction in ranking:
        table.add_row(prediction["user"], f"{prediction['probability']:.3f}")
    console.print(table)


def print_answers(console: Console, task: dict[str, Any], ranking: list[dict[str, Any]]) -> None:
    """What is said of some entities, whatever the task's kind is."""
    table = Table(title=f"{task['name']}: {_asked(task['target'])}", title_justify="left")
    table.add_column(task["entity"])
    table.add_column("answer")
    for prediction in ranking:
        ids = [prediction["user"], prediction["item"]]
        table.add_row(" with ".join(id_ for id_ in ids if id_ is not None), _answer(prediction))
    console.print(table)


def _answer(prediction: dict[str, Any]) -> str:
    match prediction:
        case {"kind": "occurs", "probability": probability}:
            return f"{probability:.0%}"
        case {"kind": "time_to", "probability_any": some, "quantiles": {"0.5": median}}:
            half = "half of them later" if median is None else f"half of them by day {median:.0f}"
            return f"{some:.0%} within the horizon, {half}"
        case {"best": best, "probabilities": shares}:
            return f"{best} ({shares[str(best)]:.0%})"
        case {"expected": expected, "quantiles": {"0.1": low, "0.9": high}}:
            return f"{expected:.2f} ({low:.2f} to {high:.2f})"
    raise ValueError(f"an answer of kind {prediction['kind']!r} has another shape")


def print_items(console: Console, task: dict[str, Any], ranking: list[dict[str, Any]]) -> None:
    """Items with the period in which they will sell best."""
    period = task["target"]["period"]
    table = Table(title=f"Best-selling {period.replace('_', ' ')}", title_justify="left")
    table.add_column("item")
    table.add_column("best")
    table.add_column("share of the cycle's sales", justify="right")
    for prediction in ranking:
        best = prediction["best"]
        name = calendar.month_name[best] if period == "month_of_year" else str(best)
        share = prediction["probabilities"][str(best)]
        table.add_row(prediction["item"], name, f"{share:.0%}")
    console.print(table)
