"""The files of a trained model: safetensors and JSON with checksums, and the forward pass.

    manifest.json        format version, SHA-256 and size of every other file
    model.json           tasks, plan, how each task is served, report, task graph
    weights.safetensors  the network's weights, the baselines' coefficients, and some training rows
    network_<kind>.onnx  the forward pass of one entity kind

Nothing in it is executed on loading (no pickle). It holds no optimizer and no self-supervised
heads.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from model.config import Config
from model.distributions import Baselines, JointCorrection, Layout, TaskServing
from model.errors import InvalidArtifact
from model.evaluation import FeatureSummary, Report, TaskGraph
from model.snapshots import Forecast, Outlook, SnapshotPlan
from model.tasks import EntityKind, Task

FORMAT_VERSION = 3
_Array = NDArray[np.generic]
_BASELINE_FIELDS = ("climatology", "features", "mean", "spread", "weights")


class ExportError(BaseModel):
    """The largest difference between what is served and torch, on some training rows."""

    model_config = ConfigDict(frozen=True)

    network: float
    joint_head: float


class Description(BaseModel):
    """The part of a model that is JSON.

    `forecasts` are added to the network's output, per task (older models call them `seasonal`);
    `feature_summaries` say how the features of users and items were distributed in training;
    `least_amounts` are, of tasks about sums and units, the least amount of a single event;
    `implied` are pairs of tasks, the first of whose events did not come without the second's.
    """

    model_config = ConfigDict(frozen=True)

    config: Config
    seed: int
    cutoff_at: datetime
    plan: SnapshotPlan
    tasks: dict[EntityKind, tuple[Task, ...]]
    serving: dict[str, TaskServing]
    forecasts: dict[str, Forecast] = Field(validation_alias=AliasChoices("forecasts", "seasonal"))
    outlooks: dict[str, Outlook]
    report: Report
    task_graph: TaskGraph
    least_amounts: dict[str, float] = {}
    implied: tuple[tuple[str, str], ...] = ()
    export_errors: dict[EntityKind, ExportError] = {}
    feature_summaries: dict[EntityKind, dict[str, FeatureSummary]] = {}


class _File(BaseModel):
    sha256: str
    bytes: int


class _Manifest(BaseModel):
    format_version: int
    files: dict[str, _File]


@dataclass(frozen=True)
class Artifact:
    """A trained model as it lies on disk.

    Attributes:
        description: everything but arrays.
        weights: the network's state by name.
        baselines: per entity kind.
        networks: the ONNX bytes per entity kind.
        background: what the networks were fed with for some training rows, per entity kind.
    """

    description: Description
    weights: dict[str, NDArray[np.generic]]
    baselines: dict[EntityKind, Baselines]
    networks: dict[EntityKind, bytes]
    background: dict[EntityKind, dict[str, NDArray[np.generic]]]

    def layout(self, entity: EntityKind) -> Layout:
        """The order of an entity kind's tasks."""
        return Layout(self.description.tasks[entity], self.description.plan.classes)

    def without_networks(self) -> Artifact:
        """The same without the networks and their weights; joint heads stay."""
        joint = {name: own for name, own in self.weights.items() if _is_of_joint_head(name)}
        return replace(self, networks={}, weights=joint)

    def joint_head(self, entity: EntityKind) -> JointCorrection:
        """What known outcomes add to an entity kind's parameters.

        Raises:
            InvalidArtifact: weights are missing.
        """
        weights = _under(f"kinds.{entity}.joint.", self.weights)
        try:
            return JointCorrection.of_weights(self.layout(entity), weights)
        except KeyError as error:
            raise InvalidArtifact(
                f"the joint head of {entity}s lacks {error}: train the model again"
            ) from error

    def save(self, path: Path) -> None:
        """Write all files into a new folder, which appears whole or not at all.

        Raises:
            FileExistsError: the folder is there already.
        """
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"{path} exists: choose a new folder for the model")
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            files = self._files()
            for name, content in files.items():
                _write_durably(folder / name, content)
            _write_durably(folder / "manifest.json", _manifest(files))
            folder.chmod(0o755)
            folder.replace(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _files(self) -> dict[str, bytes]:
        tensors = {f"network.{name}": array for name, array in self.weights.items()}
        for entity, baselines in self.baselines.items():
            for field in _BASELINE_FIELDS:
                tensors[f"baselines.{entity}.{field}"] = getattr(baselines, field)
        for entity, arrays in self.background.items():
            tensors |= {f"background.{entity}.{name}": array for name, array in arrays.items()}
        return {
            "model.json": self.description.model_dump_json(indent=1).encode(),
            "weights.safetensors": save_tensors(
                {name: np.ascontiguousarray(array) for name, array in tensors.items()}
            ),
            **{f"network_{entity}.onnx": content for entity, content in self.networks.items()},
        }

    @classmethod
    def load(cls, path: Path) -> Artifact:
        """Read a folder that `save` wrote.

        Raises:
            InvalidArtifact: a file is missing, damaged, or of another format version.
        """
        files = _checked_files(Path(path))
        try:
            description = Description.model_validate_json(files["model.json"])
            tensors = load_tensors(files["weights.safetensors"])
            return cls(
                description=description,
                weights=_under("network.", tensors),
                baselines={
                    entity: Baselines(
                        **{f: tensors[f"baselines.{entity}.{f}"] for f in _BASELINE_FIELDS}
                    )
                    for entity in description.tasks
                },
                networks={entity: files[f"network_{entity}.onnx"] for entity in description.tasks},
                background={
                    entity: _under(f"background.{entity}.", tensors) for entity in description.tasks
                },
            )
        except (KeyError, ValidationError, SafetensorError) as error:
            raise InvalidArtifact(
                f"the model in {path} is not complete ({error}): train it again"
            ) from error


def _is_of_joint_head(name: str) -> bool:
    return name.startswith("kinds.") and name.split(".")[2] == "joint"


def _under(prefix: str, arrays: Mapping[str, _Array]) -> dict[str, _Array]:
    """The arrays whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _manifest(files: dict[str, bytes]) -> bytes:
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }
    return json.dumps({"format_version": FORMAT_VERSION, "files": entries}, indent=1).encode()


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _checked_files(path: Path) -> dict[str, bytes]:
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        version = manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidArtifact(f"{path} holds no model: {error}") from error
    if version != FORMAT_VERSION:
        raise InvalidArtifact(
            f"the model in {path} has format version {version}, this program reads "
            f"{FORMAT_VERSION}: train it again"
        )
    try:
        entries = _Manifest.model_validate(manifest).files
    except ValidationError as error:
        raise InvalidArtifact(f"the manifest of {path} is damaged: {error}") from error
    return {name: _checked_file(path, name, entry.sha256) for name, entry in entries.items()}


def _checked_file(path: Path, name: str, sha256: str) -> bytes:
    try:
        content = (path / Path(name).name).read_bytes()
    except OSError as error:
        raise InvalidArtifact(f"the model in {path} lacks {name}: train it again") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidArtifact(f"{name} in {path} is damaged (its checksum differs): train it again")
    return content
