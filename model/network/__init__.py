"""The SSMTL network."""

from model.network.network import Batch, KindNetwork, KindShape, SSMTLNetwork

__all__ = ["Batch", "KindNetwork", "KindShape", "SSMTLNetwork"]
