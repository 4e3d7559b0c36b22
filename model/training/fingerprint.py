"""Tells whether a checkpoint comes from the same fit: same data, tasks, settings and libraries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd

from model.config import Config
from model.events import EventLog
from model.tasks import Task

_LIBRARIES = ("ssmtl", "torch", "numpy")
"""Another version of these may give other bits."""


def fingerprint_of(log: EventLog, tasks: Sequence[Task], config: Config, seed: int) -> str:
    """SHA-256 of everything that decides what a fit gives."""
    settings = {
        "libraries": {name: version(name) for name in _LIBRARIES},
        "tasks": [task.model_dump(mode="json") for task in tasks],
        "config": config.model_dump(mode="json"),
        "seed": seed,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in _parts(log):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes | memoryview]:
    """What a value consists of, each part after its type."""
    yield f"{type(value).__name__}:".encode()
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).data
    elif isinstance(value, (pd.Series, pd.Index)):
        yield str(value.dtype).encode()
        yield pd.util.hash_pandas_object(value, index=False).to_numpy().tobytes()
    elif value is None or isinstance(value, (str, int, float)):
        yield repr(value).encode()
    else:
        for inner in _inside(value):
            yield from _parts(inner)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, (pd.DataFrame, Mapping)):
        return (part for pair in value.items() for part in pair)
    if isinstance(value, tuple):
        return value
    if is_dataclass(value):
        return (part for f in fields(value) for part in (f.name, getattr(value, f.name)))
    raise TypeError(f"a fingerprint of {type(value).__name__} is not defined")
