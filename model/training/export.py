"""Exports the forward pass of each entity kind to ONNX, so that serving needs no torch.

The joint head is not exported: NumPy computes it from the weights. Both are compared with torch.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.artifact import ExportError
from model.distributions import JointCorrection
from model.network import Batch, KindNetwork, SSMTLNetwork
from model.network.boosted_heads import is_trees
from model.tasks import EntityKind
from model.training.examples import Examples

MAX_ERROR = 1e-4
_EXAMPLE_ROWS = 64


class _Forward(nn.Module):
    """One entity kind's marginals and state as a function of tensors, in the order of `Batch`.

    The tasks that are served by their private heads have the marginals of those.
    """

    is_private: Tensor

    def __init__(
        self, network: SSMTLNetwork, entity: EntityKind, private_tasks: Collection[str]
    ) -> None:
        super().__init__()
        self.network = network
        self.entity = entity
        layout = network.kind(entity).layout
        is_private = [task.name in private_tasks for task in layout.tasks]
        self.has_private = any(is_private)
        columns = torch.tensor(is_private)[torch.tensor(layout.task_of_column)]
        self.register_buffer("is_private", columns)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        batch = Batch(*tensors)
        state, output = self.network.marginals(self.entity, batch)
        if self.has_private:
            private = self.network.kind(self.entity).private_parameters(batch.numbers)
            output = torch.where(self.is_private, private, output)
        return output, state


def export_network(
    network: SSMTLNetwork,
    entity: EntityKind,
    examples: Examples,
    private_tasks: Collection[str] = (),
) -> tuple[bytes, ExportError]:
    """The ONNX model of one entity kind, and how far from torch it is on some rows.

    Args:
        network: of the declared tasks.
        entity: the kind.
        examples: rows to compare on.
        private_tasks: those that are answered by their private heads.

    Raises:
        RuntimeError: what is served says something else than torch.
    """
    network.eval()
    forward = _Forward(network, entity, private_tasks).eval()
    rows = np.arange(min(_EXAMPLE_ROWS, len(examples)))
    arrays = examples.reader.arrays(examples.inputs.take(rows))
    tensors = tuple(torch.from_numpy(array) for array in arrays.values())
    exported = _to_onnx(forward, tensors, tuple(arrays))
    boosted = network.kind(entity).boosted
    for node in filter(is_trees, exported.graph.node):
        assert boosted is not None
        boosted.complete(node)
    content = exported.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = {node.name for node in session.get_inputs()}
    served = session.run(["parameters", "state"], {name: arrays[name] for name in names})
    with torch.no_grad():
        expected = forward(*tensors)
    error = ExportError(
        network=max(_distance(*both) for both in zip(served, expected, strict=True)),
        joint_head=_joint_error(network.kind(entity), *expected),
    )
    if not max(error.network, error.joint_head) <= MAX_ERROR:
        raise RuntimeError(f"the exported {entity} network differs from torch: {error}")
    return content, error


@torch.no_grad()
def _joint_error(kind: KindNetwork, marginals_BO: Tensor, state_BD: Tensor) -> float:
    """How far the joint head in NumPy is from torch, whatever is known."""
    generator = torch.Generator().manual_seed(0)
    outcomes = 3 * torch.rand(len(state_BD), len(kind.layout), generator=generator)
    hidden = torch.rand(outcomes.shape, generator=generator) < 0.5
    outcomes = torch.where(hidden, torch.nan, outcomes.round())
    labels = [
        outcomes[:, group.task_slice, None, None].expand(-1, -1, 2, group.parameters)
        if group.likelihood == "periods"
        else outcomes[:, group.task_slice]
        for group in kind.layout.groups
    ]
    expected = kind.joint(state_BD, marginals_BO, labels, ~hidden)
    weights = {name: value.numpy() for name, value in kind.joint.state_dict().items()}
    joint = JointCorrection.of_weights(kind.layout, weights)
    return _distance(joint(state_BD.numpy(), marginals_BO.numpy(), outcomes.numpy()), expected)


def _distance(served: NDArray[np.floating], expected: Tensor) -> float:
    return float(np.abs(served - expected.numpy()).max())


def _to_onnx(
    forward: nn.Module, tensors: tuple[Tensor, ...], names: tuple[str, ...]
) -> onnx.ModelProto:
    rows = torch.export.Dim("rows")
    for library in ("torch.onnx", "onnxscript"):
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its own internals; what it made is checked above.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            forward,
            tensors,
            dynamo=True,
            input_names=list(names),
            output_names=["parameters", "state"],
            dynamic_shapes={"tensors": tuple({0: rows} for _ in tensors)},
            verbose=False,
        )
    assert program is not None
    return program.model_proto
