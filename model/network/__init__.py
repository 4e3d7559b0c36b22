"""The SSMTL network."""

from model.network.neighbours import Neighbours
from model.network.network import Batch, KindNetwork, KindShape, SSMTLNetwork
from model.network.some_tasks import Positions, SomeTasks

__all__ = [
    "Batch",
    "KindNetwork",
    "KindShape",
    "Neighbours",
    "Positions",
    "SSMTLNetwork",
    "SomeTasks",
]
