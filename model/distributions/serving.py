"""From the network's output to what is served: calibrated, or a baseline where that was better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.distributions.baselines import Baselines, LinearTasks
from model.distributions.consistency import Consistency
from model.distributions.layout import Layout
from model.distributions.scale import Scale

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Source = Literal[
    "model",
    "private_head",
    "recency_frequency",
    "seasonal_naive",
    "personal_frequency",
    "climatology",
]
"""`model` shares all it knows with the other tasks, a `private_head` nothing."""
BASELINE_SOURCES: tuple[Source, ...] = (
    "climatology",
    "recency_frequency",
    "seasonal_naive",
    "personal_frequency",
)
_FORECAST_OF: Mapping[Source, str] = {"seasonal_naive": "peak_period", "personal_frequency": "next"}
"""The kind of the tasks that each forecast is made for."""


class TaskServing(BaseModel):
    """How a task is served: from what, and with which calibration.

    The calibrated parameter p is `slope[p] * parameter + shift[p]`; `classes` says which class each
    is of, where the task asks for one of several. What known outcomes of other tasks add to the
    served parameters counts `evidence` times.
    """

    model_config = ConfigDict(frozen=True)

    source: Source = "model"
    slope: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    scale: Scale = Scale()
    classes: tuple[str, ...] = ()
    evidence: float = 1.0

    @property
    def is_learned(self) -> bool:
        """Whether the exported network says it, and not a baseline."""
        return self.source in {"model", "private_head"}

    def with_classes(self, classes: tuple[str, ...]) -> TaskServing:
        """The same for other classes: one that is new gets the mean slope and no shift."""
        if classes == self.classes or not self.slope:
            return self.model_copy(update={"classes": classes})
        usual = sum(self.slope) / len(self.slope)
        slopes = dict(zip(self.classes, self.slope, strict=True))
        shifts = dict(zip(self.classes, self.shift, strict=True))
        return self.model_copy(
            update={
                "classes": classes,
                "slope": tuple(slopes.get(name, usual) for name in classes),
                "shift": tuple(shifts.get(name, 0.0) for name in classes),
            }
        )

    def calibrate(self, parameters: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, parameters) calibrated."""
        if not self.slope:
            return parameters
        slope = np.asarray(self.slope, dtype=np.float32)
        return parameters * slope + np.asarray(self.shift, dtype=np.float32)


class Serving:
    """How the tasks of one entity kind are served, all of them in a few operations.

    Args:
        layout: the tasks.
        serving: per task.
        baselines: of the same layout.
        consistency: of their chances; by default what their declarations alone imply.
    """

    def __init__(
        self,
        layout: Layout,
        serving: Mapping[str, TaskServing],
        baselines: Baselines,
        consistency: Consistency | None = None,
    ) -> None:
        self._baselines = baselines
        self._consistency = consistency or Consistency(layout)
        self._slope = np.ones(layout.columns, dtype=np.float32)
        self._shift = np.zeros(layout.columns, dtype=np.float32)
        self._naive: list[tuple[str, slice]] = []
        average: list[int] = []
        linear: list[tuple[int, slice]] = []
        for position, task in enumerate(layout.tasks):
            how, columns = serving[task.name], layout.columns_of(task.name)
            match how.source:
                case "model" | "private_head" if how.slope:
                    self._slope[columns], self._shift[columns] = how.slope, how.shift
                case "climatology":
                    average.extend(range(columns.start, columns.stop))
                case "recency_frequency":
                    linear.append((position, columns))
                case "seasonal_naive" | "personal_frequency" as source:
                    if task.target.kind != _FORECAST_OF[source]:
                        raise ValueError(f"{source} is no baseline of task {task.name!r}")
                    self._naive.append((task.name, columns))
        self._average = np.array(average, dtype=np.int64)
        self._linear = LinearTasks(baselines, linear)

    def parameters(
        self, network: Floats, naive: Mapping[str, Floats], numbers: Floats, is_cold: Mask
    ) -> Floats:
        """The flat parameters that are served; who is cold has the climatology's.

        Args:
            network: (R, columns) the network's output, forecasts included.
            naive: (R, parameters) log shares per task that has a forecast.
            numbers: (R, numeric features)
            is_cold: (R,)

        Shape:
            returns: (R, columns)
        """
        flat = network * self._slope + self._shift
        for name, columns in self._naive:
            flat[:, columns] = naive[name]
        if len(self._average):
            flat[:, self._average] = self._baselines.climatology[self._average]
        self._linear.write(numbers, flat)
        if is_cold.any():
            flat[is_cold] = self._baselines.climatology
        return self._consistency(flat)


def baseline_parameters(
    source: Source,
    position: int,
    columns: slice,
    naive: NDArray[np.float32] | None,
    baselines: Baselines,
    numbers: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(R, parameters) one task's parameters from one baseline."""
    if source == "climatology":
        return np.repeat(baselines.climatology[None, columns], len(numbers), axis=0)
    if source == "recency_frequency":
        return baselines.recency_frequency(numbers, position, columns)
    if source in _FORECAST_OF and naive is not None:
        return naive
    raise ValueError(f"{source} is no baseline of this task")
