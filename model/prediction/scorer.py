"""From what was read of some rows to what is said of them: ONNX Runtime and NumPy, no torch."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.artifact import Artifact
from model.distributions import Consistency, Distribution, Layout, Serving, of_task
from model.errors import InvalidArtifact
from model.events import EventLog
from model.prediction.one_row_forward import OneRowForward
from model.snapshots import Forecast, OutlookColumns, ReadRows, declared_features
from model.tasks import EntityKind

Floats = NDArray[np.float32]


class Scorer:
    """One entity kind of a loaded model. Several threads may ask at the same time.

    Attributes:
        kind: of the rows.
        layout: the tasks, and where their parameters stand.
        consistency: makes their chances fit together.

    Args:
        artifact: the model's files.
        kind: one of its entity kinds.
        threads: how many threads a forward pass may use; one is best in a server.

    Raises:
        InvalidArtifact: the network cannot be loaded.
    """

    def __init__(self, artifact: Artifact, kind: EntityKind, threads: int = 1) -> None:
        description = artifact.description
        self.kind = kind
        self.layout: Layout = artifact.layout(kind)
        self._scales = {name: how.scale for name, how in description.serving.items()}
        self.consistency = Consistency(self.layout, description.least_amounts, description.implied)
        self._serving = Serving(
            self.layout, description.serving, artifact.baselines[kind], self.consistency
        )
        forecasts = description.forecasts
        self._forecasts = {
            task.name: forecasts[task.name] for task in self.layout.tasks if task.name in forecasts
        }
        self._outlook = OutlookColumns.of(self.layout, description.outlooks)
        self._plan = description.plan
        self._session = _session(artifact.networks[kind], threads)
        self._wanted = [node.name for node in self._session.get_inputs()]
        self._of_thread = threading.local()

    def network(self, read: ReadRows, log: EventLog) -> Floats:
        """(R, columns) what the network says, forecasts and outlook included."""
        return self._network(read, self._naive(read, log))

    def offsets(self, read: ReadRows, log: EventLog) -> Floats:
        """(R, columns) forecasts and outlook: what is added to what the network computes."""
        flat = np.zeros((len(read), self.layout.columns), dtype=np.float32)
        self._add_to(flat, read, self._naive(read, log))
        return flat

    def score(self, read: ReadRows, log: EventLog) -> Floats:
        """(R, columns) the flat parameters that are served.

        Args:
            read: R rows of this kind.
            log: says since when there is a past.
        """
        naive = self._naive(read, log)
        network = self._network(read, naive)
        return self._serving.parameters(network, naive, read.inputs.numbers, read.is_cold)

    def score_with_states(self, read: ReadRows, log: EventLog) -> tuple[Floats, Floats]:
        """The same, and (R, D) the shared states, which the joint head reads."""
        naive = self._naive(read, log)
        if not len(read):
            return self._network(read, naive), np.zeros((0, 0), dtype=np.float32)
        network, states = self._forward(read, naive, ["parameters", "state"])
        flat = self._serving.parameters(network, naive, read.inputs.numbers, read.is_cold)
        return flat, states

    def distribution(self, task: str, flat: Floats) -> Distribution:
        """What the flat parameters say of one task."""
        return of_task(self.layout, task, flat, self._scales)

    def _network(self, read: ReadRows, naive: dict[str, Floats]) -> Floats:
        if not len(read):
            return np.zeros((0, self.layout.columns), dtype=np.float32)
        return self._forward(read, naive, ["parameters"])[0]

    def _forward(
        self, read: ReadRows, naive: dict[str, Floats], outputs: list[str]
    ) -> list[Floats]:
        """Some outputs of the network, the parameters first."""
        if len(read) == 1 and outputs == ["parameters"]:
            found = [self._one_row(read.arrays)]
        else:
            arrays = read.arrays
            found = self._session.run(outputs, {name: arrays[name] for name in self._wanted})
        self._add_to(found[0], read, naive)
        return found

    def _add_to(self, flat: Floats, read: ReadRows, naive: dict[str, Floats]) -> None:
        for name, log_shares in naive.items():
            flat[:, self.layout.columns_of(name)] += log_shares
        if self._outlook is not None:
            self._outlook.add_to(flat, read.inputs.cutoffs_us)

    @property
    def _one_row(self) -> OneRowForward:
        """This thread's."""
        known: OneRowForward | None = getattr(self._of_thread, "forward", None)
        if known is None:
            known = OneRowForward(self._session, self.layout.columns)
            self._of_thread.forward = known
        return known

    def _naive(self, read: ReadRows, log: EventLog) -> dict[str, Floats]:
        """The forecast of each task that has one."""
        return {name: self._forecast(naive, read, log) for name, naive in self._forecasts.items()}

    def _forecast(self, naive: Forecast, read: ReadRows, log: EventLog) -> Floats:
        return naive.log_shares(read.inputs, self._columns, log)

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(feature.name for feature in declared_features(self._plan, self.kind))


def _session(network: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors have no common class
        raise InvalidArtifact(f"the network cannot be loaded ({error}): train it again") from error
    vars(session).pop("_model_bytes", None)  # kept only to try again on other hardware
    return session
