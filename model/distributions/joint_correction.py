"""The joint head in NumPy: what known outcomes add to every task's parameters.

`model.network.joint_head` is the same in torch, and says what it means; the export compares the
two. It is small, so that plain arrays are as fast as an exported graph, and no second one is kept.

    B = rows, T = tasks, O = columns of the layout, D = channels of the state, R = of a message
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distributions.evidence import CHANNELS, evidence
from model.distributions.layout import Layout

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class JointCorrection:
    """The joint head of one entity kind.

    Attributes:
        layout: the tasks.
        sources_TN: of each task the N tasks that it has edges from; itself where it has fewer.
        strength_TN: how strong those edges are.
        message_TQR: from evidence to a message.
        mix_TRR: from what a task received to how it is read.
        gate_weight_RD: how the state gates what was received.
        gate_bias_R: of the same.
        output_OR: from there to the parameters.
    """

    layout: Layout
    sources_TN: NDArray[np.int64]
    strength_TN: Floats
    message_TQR: Floats
    mix_TRR: Floats
    gate_weight_RD: Floats
    gate_bias_R: Floats
    output_OR: Floats

    @classmethod
    def of_weights(
        cls, layout: Layout, weights: Mapping[str, NDArray[np.generic]]
    ) -> JointCorrection:
        """From the joint head's weights by name.

        Raises:
            KeyError: one is missing.
        """
        sources = np.asarray(weights["sources"], dtype=np.int64)
        is_edge = sources != np.arange(len(layout))[:, None]
        arrays = {name: np.asarray(array, dtype=np.float32) for name, array in weights.items()}
        return cls(
            layout=layout,
            sources_TN=sources,
            strength_TN=arrays["strength"] * is_edge,
            message_TQR=arrays["message"],
            mix_TRR=arrays["mix"],
            gate_weight_RD=arrays["gate.weight"],
            gate_bias_R=arrays["gate.bias"],
            output_OR=arrays["output"],
        )

    def __call__(self, state_BD: Floats, parameters_BO: Floats, outcomes_BT: Floats) -> Floats:
        """(B, O) the correction, exactly zero where nothing is known.

        Args:
            state_BD: the shared state.
            parameters_BO: of every task when nothing is known.
            outcomes_BT: labels as the likelihoods take them, NaN where unknown.
        """
        known_T = np.flatnonzero(~np.isnan(outcomes_BT).all(axis=0))
        if not len(known_T):
            return np.zeros_like(parameters_BO)
        said_BKQ = self._evidence(parameters_BO, outcomes_BT)[:, known_T]
        messages_BKR = np.einsum("bkq,kqr->bkr", said_BKQ, self.message_TQR[known_T])
        received_BTR = np.einsum("tk,bkr->btr", self._edges_from(known_T), messages_BKR)
        mixed_TBR = np.tanh(received_BTR.transpose(1, 0, 2) @ self.mix_TRR)
        gate_BR = 1 + np.tanh(state_BD @ self.gate_weight_RD.T + self.gate_bias_R)
        gated_BTR = mixed_TBR.transpose(1, 0, 2) * gate_BR[:, None, :]
        correction: Floats = np.empty_like(parameters_BO)
        for group in self.layout.groups:
            output_TPR = self.output_OR[group.column_slice].reshape(
                len(group.tasks), group.parameters, -1
            )
            of_group = np.einsum("btr,tpr->btp", gated_BTR[:, group.task_slice], output_TPR)
            correction[:, group.column_slice] = of_group.reshape(len(state_BD), -1)
        return correction

    def _edges_from(self, known_T: NDArray[np.int64]) -> Floats:
        """(T, K) the strength of the edge from each of some tasks to each of all."""
        place = np.full(len(self.layout), -1)
        place[known_T] = np.arange(len(known_T))
        column_TN = place[self.sources_TN]
        target, number = np.nonzero(column_TN >= 0)
        edges = np.zeros((len(self.layout), len(known_T)), dtype=np.float32)
        # A task that is its own source has an edge of no strength, and no second one from itself.
        edges[target, column_TN[target, number]] = self.strength_TN[target, number]
        return edges

    def _evidence(self, parameters_BO: Floats, outcomes_BT: Floats) -> Floats:
        said_BTQ = np.zeros((*outcomes_BT.shape, CHANNELS), dtype=parameters_BO.dtype)
        for group in self.layout.groups:
            outcomes = outcomes_BT[:, group.task_slice]
            if np.isnan(outcomes).all():
                continue
            parameters = parameters_BO[:, group.column_slice]
            parameters_BTP = parameters.reshape(len(parameters), -1, group.parameters)
            said_BTQ[:, group.task_slice] = evidence(group.likelihood, parameters_BTP, outcomes)
        return said_BTQ
