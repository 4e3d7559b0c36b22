"""The network's parameters of one row at a time, in memory that is bound once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_NUMPY_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class OneRowForward:
    """Runs a session on one row: what Python and ONNX Runtime would do for each call is done once.

    For one thread; several may have one each of a session.

    Args:
        session: of an exported network.
        columns: of its parameters.
    """

    def __init__(self, session: onnxruntime.InferenceSession, columns: int) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._inputs: dict[str, NDArray[Any]] = {}
        for node in session.get_inputs():
            # The first size is that of the rows, and the only one that is free.
            room = np.zeros((1, *node.shape[1:]), dtype=_NUMPY_TYPES[node.type])
            self._inputs[node.name] = room
            place = (room.dtype.type, room.shape, room.ctypes.data)
            self._binding.bind_input(node.name, "cpu", 0, *place)
        self._parameters = np.zeros((1, columns), dtype=np.float32)
        place = (np.float32, self._parameters.shape, self._parameters.ctypes.data)
        self._binding.bind_output("parameters", "cpu", 0, *place)

    def __call__(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """(1, columns) from the arrays of a row, by the names of inputs."""
        for name, room in self._inputs.items():
            room[...] = arrays[name]
        self._session.run_with_iobinding(self._binding)
        return self._parameters.copy()
