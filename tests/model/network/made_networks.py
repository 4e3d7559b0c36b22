"""Small networks of every entity kind and random batches for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.config import Config
from model.distributions import Layout
from model.network import Batch, KindNetwork, KindShape, Neighbours, SSMTLNetwork
from model.network.boosted_heads import BoostedHeads, Head, Tree
from model.tasks import (
    Column,
    Count,
    EntityKind,
    Next,
    Occurs,
    PeakPeriod,
    Sum,
    Target,
    Task,
    TimeTo,
)

CONFIG = Config(width=16, members=3, embedding=6, task_channels=5, evidence_channels=4)
NUMBERS, LENGTH, ITEMS, TYPES = 7, 5, 9, 3
CATEGORY_SIZES = (4, 2)
KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")
CLASSES = {"item_next": ("buy", "view", "other"), "item_color": ("blue", "red")}


def tasks_of(entity: EntityKind) -> tuple[Task, ...]:
    """Two of pairs, five of users, one of each kind and likelihood of items."""
    views = Task(
        name=f"{entity}_views", entity=entity, target=Occurs(event_type="view"), horizon_days=7
    )
    buys = Task(
        name=f"{entity}_buys", entity=entity, target=Occurs(event_type="buy"), horizon_days=30
    )
    if entity == "pair":
        return (views, buys)
    orders = Count(event_type="buy")
    best = PeakPeriod(event_type="buy", period="weekday")
    five = (
        views,
        buys,
        Task(name=f"{entity}_orders", entity=entity, target=orders, horizon_days=30),
        Task(name=f"{entity}_spend", entity=entity, target=Sum(event_type="buy"), horizon_days=30),
        Task(name=f"{entity}_best", entity=entity, target=best, horizon_days=28),
    )
    if entity == "user":
        return five
    further: dict[str, Target] = {
        "next": Next(),
        "soon": TimeTo(event_type="buy"),
        "rating": Column(column="rating"),
        "color": Column(column="color"),
    }
    return (
        *five,
        *(
            Task(name=f"{entity}_{name}", entity=entity, target=target, horizon_days=30)
            for name, target in further.items()
        ),
    )


def layout_of(entity: EntityKind) -> Layout:
    return Layout(tasks_of(entity), CLASSES)


def made_network() -> SSMTLNetwork:
    """In evaluation mode, every parameter moved from where it starts."""
    shapes = [KindShape(entity, NUMBERS, CATEGORY_SIZES, layout_of(entity)) for entity in KINDS]
    network = SSMTLNetwork(shapes, ITEMS, TYPES, CONFIG)
    moved(network)
    for entity in KINDS:
        kind = network.kind(entity)
        tasks = len(kind.layout)
        network.connect(entity, Neighbours.strongest(torch.rand(tasks, tasks), tasks))
    return network.eval()


def made_boosted(kind: KindNetwork) -> BoostedHeads:
    """Random trees for the first parameter of two tasks together, and for one of another."""
    rng = np.random.default_rng(0)
    first, second, *_, last = [
        kind.layout.columns_of(task.name).start for task in (*kind.layout.tasks, *kind.layout.tasks)
    ]
    heads = [
        Head((first, second), 0.3, tuple(_made_tree(rng) for _ in range(4))),
        Head((last,), -0.7, tuple(_made_tree(rng) for _ in range(3))),
    ]
    return BoostedHeads(heads[: 1 if last in (first, second) else 2], kind.layout.columns)


def _made_tree(rng: np.random.Generator) -> Tree:
    """Three questions, one of them below another's high side; four leaves."""
    inner = 3
    low, high = np.array([1, 3, 5, 3, 4, 5, 6]), np.array([2, 4, 6, 3, 4, 5, 6])
    feature = rng.integers(0, NUMBERS + len(CATEGORY_SIZES), len(low))
    value = rng.normal(size=len(low)).astype(np.float32)
    value[:inner] = 0
    return Tree(feature, rng.normal(size=len(low)).astype(np.float32), low, high, value)


@torch.no_grad()
def moved(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.2)


def made_batch(rows: int, *, undefined: float = 0.2) -> Batch:
    numbers = torch.randn(rows, NUMBERS)
    numbers[torch.rand(rows, NUMBERS) < undefined] = torch.nan
    types = torch.randint(0, TYPES + 1, (rows, LENGTH))
    return Batch(
        numbers=numbers,
        categories=torch.stack([torch.randint(0, size + 1, (rows,)) for size in CATEGORY_SIZES], 1),
        item=torch.randint(0, ITEMS + 1, (rows,)),
        items=torch.randint(0, ITEMS + 1, (rows, LENGTH)),
        types=types,
        gaps=torch.rand(rows, LENGTH) * 5,
        amounts=torch.randn(rows, LENGTH),
    )


def taken(batch: Batch, rows: Tensor) -> Batch:
    return Batch(**{name: value[rows] for name, value in vars(batch).items()})


def made_labels(layout: Layout, rows: int, *, missing: float = 0.2) -> list[Tensor]:
    """Random labels as the likelihoods take them, some missing."""
    labels = []
    for group in layout.groups:
        tasks = len(group.tasks)
        match group.likelihood:
            case "bernoulli":
                values = torch.randint(0, 2, (rows, tasks)).float()
            case "hurdle_negative_binomial":
                values = torch.randint(0, 6, (rows, tasks)).float()
            case "hurdle_log_normal":
                values = torch.randn(rows, tasks)
                values[torch.rand(rows, tasks) < 0.4] = -torch.inf
            case "normal":
                values = torch.randn(rows, tasks)
            case "categorical":
                values = torch.randint(0, group.parameters, (rows, tasks)).float()
            case "hazard":
                values = torch.rand(rows, tasks)
                values[torch.rand(rows, tasks) < 0.4] = torch.inf
            case "periods":
                shares = torch.rand(rows, tasks, group.parameters)
                values = torch.stack(
                    [shares / shares.sum(dim=-1, keepdim=True), torch.zeros_like(shares)], dim=2
                )
        values[torch.rand(rows, tasks) < missing] = torch.nan
        labels.append(values)
    return labels
