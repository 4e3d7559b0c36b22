"""Random parameters and outcomes of each likelihood."""

from __future__ import annotations

import torch

from model.distributions import Layout, LikelihoodName
from model.tasks import Column, Count, Next, Occurs, PeakPeriod, Sum, Target, Task, TimeTo
from tests.model.network.made_networks import made_labels

ROWS, TASKS = 40, 2
CLASSES = ("blue", "red", "other")
_TARGETS: dict[LikelihoodName, Target] = {
    "bernoulli": Occurs(event_type="buy"),
    "hurdle_negative_binomial": Count(event_type="buy"),
    "hurdle_log_normal": Sum(event_type="buy"),
    "periods": PeakPeriod(event_type="buy", period="weekday"),
    "categorical": Next(of="item.color"),
    "hazard": TimeTo(event_type="buy"),
    "normal": Column(column="rating"),
}
LIKELIHOODS = tuple(_TARGETS)


def made(likelihood: LikelihoodName, missing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(ROWS, TASKS, parameters) and labels of as many tasks."""
    target = _TARGETS[likelihood]
    tasks = [
        Task(name=f"t{n}", entity="user", target=target, horizon_days=30) for n in range(TASKS)
    ]
    is_class = likelihood == "categorical"
    layout = Layout(tasks, dict.fromkeys(("t0", "t1"), CLASSES) if is_class else None)
    (labels,) = made_labels(layout, ROWS, missing=missing)
    return torch.randn(ROWS, TASKS, layout.groups[0].parameters), labels
