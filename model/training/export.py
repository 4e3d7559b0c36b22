"""Exports the forward pass of each entity kind to ONNX, so that serving needs no torch."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from model.network import Batch, SSMTLNetwork
from model.tasks import EntityKind
from model.training.examples import Examples

MAX_ERROR = 1e-4
_EXAMPLE_ROWS = 64


class _Forward(nn.Module):
    """One entity kind's marginals as a function of tensors, in the order of `Batch`."""

    def __init__(self, network: SSMTLNetwork, entity: EntityKind) -> None:
        super().__init__()
        self.network = network
        self.entity = entity

    def forward(self, *tensors: Tensor) -> Tensor:
        batch = Batch(*tensors)
        _, output = self.network.marginals(self.entity, batch)
        return output


def export_network(network: SSMTLNetwork, entity: EntityKind, examples: Examples) -> bytes:
    """The ONNX model of one entity kind, checked against torch on some rows.

    Raises:
        RuntimeError: the exported network says something else than torch.
    """
    network.eval()
    forward = _Forward(network, entity).eval()
    rows = np.arange(min(_EXAMPLE_ROWS, len(examples)))
    arrays = examples.reader.arrays(examples.inputs.take(rows))
    tensors = tuple(torch.from_numpy(array) for array in arrays.values())
    content = _to_onnx(forward, tensors, tuple(arrays))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = {node.name for node in session.get_inputs()}
    (served,) = session.run(None, {name: arrays[name] for name in names})
    with torch.no_grad():
        error = float(np.abs(served - forward(*tensors).numpy()).max())
    if not error <= MAX_ERROR:
        raise RuntimeError(f"the exported {entity} network differs from torch by {error}")
    return content


def _to_onnx(forward: nn.Module, tensors: tuple[Tensor, ...], names: tuple[str, ...]) -> bytes:
    rows = torch.export.Dim("rows")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its own internals; what it made is checked above.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            forward,
            tensors,
            dynamo=True,
            input_names=list(names),
            output_names=["parameters"],
            dynamic_shapes={"tensors": tuple({0: rows} for _ in tensors)},
            verbose=False,
        )
        assert program is not None
        return bytes(program.model_proto.SerializeToString())
