from __future__ import annotations

import onnxruntime
import torch

from model.config import Config
from model.training.boosting import boost
from model.training.export import export_network
from model.training.preparation import Prepared
from model.training.scoring import outputs_of
from tests.model.network.made_networks import moved


def test_a_private_head_answers_its_task_and_all_heads_the_others(
    prepared: Prepared, config: Config
) -> None:
    torch.manual_seed(0)
    network = prepared.network(config)
    moved(network)
    kind, examples = network.kind("item"), prepared.training["item"]
    boost(network, {"item": examples}, {"item": examples}, seed=0)
    assert kind.boosted is not None
    kind.voices.shares.mul_(torch.rand(kind.voices.shares.shape))
    own, *others = [task.name for task in kind.layout.tasks]
    content, error = export_network(network.eval(), "item", examples, [own])
    assert error.network < 1e-4
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    arrays = examples.reader.arrays(examples.inputs)
    (served,) = session.run(["parameters"], {n.name: arrays[n.name] for n in session.get_inputs()})
    outputs = outputs_of(network, kind, examples)
    offsets = examples.offsets_of(slice(None))
    for names, expected in (([own], outputs.private), (others, outputs.marginals)):
        for name in names:
            columns = kind.layout.columns_of(name)
            torch.testing.assert_close(
                torch.from_numpy(served[:, columns]),
                (expected - offsets)[:, columns],
                rtol=1e-4,
                atol=1e-4,
            )
    assert not torch.allclose(outputs.private, outputs.marginals, atol=0.01)
