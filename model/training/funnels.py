"""Which events do not come without others, by what the log shows: no purchase without a cart.

R = rows, T = tasks
"""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from model.distributions import Layout
from model.network import SomeTasks
from model.tasks import Window
from model.training.examples import Examples
from model.training.self_supervision import is_self_supervised

MIN_SEEN = 100
"""So many rows must show the one event before it is said not to come without the other."""
MIN_SHARE = 0.99
"""Nearly all, since a window may begin between the two."""


def funnels(layout: Layout, examples: Examples) -> list[tuple[str, str]]:
    """Pairs of declared tasks of one window, of which the first comes hardly without the second.

    They look at different types of events under the same conditions; of several tasks that look at
    the same events only the first is named.
    """
    alike: dict[object, dict[str, int]] = {}
    for position, task in enumerate(layout.tasks):
        window = Window.of(task)
        if window is not None and not is_self_supervised(task.name):
            key = (window.choice.conditions, window.after, window.by)
            alike.setdefault(key, {}).setdefault(window.choice.event_type, position)
    found: list[tuple[str, str]] = []
    for by_type in alike.values():
        if len(by_type) > 1:
            some = SomeTasks.at(layout, list(by_type.values()))
            found += _of_one_window(some, examples)
    return found


def _of_one_window(some: SomeTasks, examples: Examples) -> list[tuple[str, str]]:
    came_RT = _came(some.layout, examples.labels_of(slice(None), some))
    names = [task.name for task in some.layout.tasks]
    pairs = []
    for one, other in permutations(range(len(names)), 2):
        both = ~came_RT[:, [one, other]].isnan().any(dim=1)
        seen = both & (came_RT[:, one] > 0)
        if int(seen.sum()) >= MIN_SEEN and float(came_RT[seen, other].mean()) >= MIN_SHARE:
            pairs.append((names[one], names[other]))
    return pairs


def _came(layout: Layout, labels: list[Tensor]) -> Tensor:
    """(R, T) 1 where an event came, NaN where the label is missing."""
    parts = []
    for group, of_group in zip(layout.groups, labels, strict=True):
        match group.likelihood:
            case "hurdle_log_normal":
                came = of_group > -torch.inf
            case "hazard":
                came = of_group < torch.inf
            case _:
                came = of_group > 0
        parts.append(came.float().masked_fill(of_group.isnan(), torch.nan))
    return torch.cat(parts, dim=1)
