"""All that a training loop would need to go on as if nothing had happened: tensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

_FACTS = "facts"


@dataclass(frozen=True)
class TrainingState:
    """A moment between two steps; `facts` are JSON."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Memory(Protocol):
    """Where a training loop leaves its state, and finds the one that it had before."""

    def recall(self) -> TrainingState | None:
        """The newest state of this training, None if it begins."""

    def is_due(self) -> bool:
        """Whether a state in the middle of an epoch is wanted."""

    def keep(self, state: TrainingState) -> None:
        """Remember this one."""


class Oblivion:
    """Remembers nothing."""

    def recall(self) -> None:
        """Every training begins."""

    def is_due(self) -> bool:
        """Never."""
        return False

    def keep(self, state: TrainingState) -> None:
        """Forget it."""


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers; those that have several names are there once."""
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return {**parameters, **dict(module.named_buffers())}


def copies_of(module: nn.Module) -> dict[str, Tensor]:
    """The same, to be kept while the module changes."""
    return {name: value.clone() for name, value in tensors_of(module).items()}


@torch.no_grad()
def set_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module the values that `tensors_of` gave."""
    for name, value in tensors_of(module).items():
        value.copy_(tensors[name])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors by the number of the parameter and their name."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value for number, own in state.items() for name, value in own.items()
    }


def set_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Give an optimizer what `optimizer_tensors` and its parameter groups were."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `prefixed` gave their names to."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }


def pack(state: TrainingState) -> bytes:
    """As safetensors, with the facts in its header."""
    tensors = {name: value.contiguous() for name, value in state.tensors.items()}
    return save_tensors(tensors, {_FACTS: json.dumps(state.facts)})


def unpack(content: bytes) -> TrainingState:
    """What `pack` was given."""
    header_bytes = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_bytes])
    return TrainingState(load_tensors(content), json.loads(header["__metadata__"][_FACTS]))


def unstacked(tensors: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """Each tensor's rows."""
    return {name: list(value.unbind()) for name, value in tensors.items()}


def stacked(rows: Mapping[str, Iterable[Tensor]]) -> dict[str, Tensor]:
    """Rows as one tensor each."""
    return {name: torch.stack(list(parts)) for name, parts in rows.items()}
