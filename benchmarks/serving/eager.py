"""An artifact's network in eager torch, in full precision."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch

from model.artifact import Artifact
from model.network import Batch, KindShape, SSMTLNetwork
from model.network.boosted_heads import BoostedHeads
from model.snapshots import declared_features
from model.tasks import EntityKind

_SPARED = re.compile(r"^kinds\.\w+\.(embeddings|reconstruct)\.")
Arrays = Mapping[str, npt.NDArray[np.generic]]


def eager_forward(
    artifact: Artifact, kind: EntityKind
) -> Callable[[Arrays], npt.NDArray[np.float32]]:
    """From the inputs of an entity kind to its flat parameters."""
    network = _network(artifact)

    def forward(arrays: Arrays) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            _, parameters = network.marginals(kind, Batch.from_arrays(arrays))
        found: npt.NDArray[np.float32] = parameters.numpy()
        return found

    return forward


def _network(artifact: Artifact) -> SSMTLNetwork:
    description = artifact.description
    plan = description.plan
    shapes = [
        KindShape(
            entity=kind,
            numbers=len(declared_features(plan, kind)),
            category_sizes=tuple(
                len(known) for own in plan.for_entity(kind) for known in own.categories.values()
            ),
            layout=artifact.layout(kind),
        )
        for kind in description.tasks
    ]
    network = SSMTLNetwork(
        shapes, len(plan.item_ids), len(plan.users.event_types), description.config
    )
    weights = {name: torch.from_numpy(np.array(array)) for name, array in artifact.weights.items()}
    for kind in description.tasks:
        network.kind(kind).boosted = BoostedHeads.of_weights(weights, f"kinds.{kind}.boosted.")
    missing, unexpected = network.load_state_dict(weights, strict=False)
    # Shared embeddings stand in the file once; self-supervised heads are not served.
    lost = [name for name in missing if not _SPARED.search(name)]
    if lost or unexpected:
        raise RuntimeError(f"the artifact's weights do not fit: {lost} {unexpected}")
    return network.eval()
