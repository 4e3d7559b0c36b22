from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import SSMTL
from model.artifact import Artifact, Description
from model.artifact.artifact import FORMAT_VERSION
from model.errors import InvalidArtifact
from model.events import EventLog
from model.prediction import Predictor

FILES = {
    "manifest.json",
    "model.json",
    "weights.safetensors",
    "network_user.onnx",
    "network_item.onnx",
    "network_pair.onnx",
}


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def write_manifest(folder: Path, manifest: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_files_are_those_that_are_described(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_round_trip_gives_the_same_predictions_bit_for_bit(
    fitted: SSMTL, folder: Path, log: EventLog
) -> None:
    loaded = Predictor.load(folder)
    for names in (["buys_7d", "spend_30d", "order_days_30d"], ["units_14d", "best_weekday"]):
        before = fitted.predictor_.predict(log, names)
        after = loaded.predict(log, names)
        for name in names:
            left, right = before[name].distribution, after[name].distribution
            assert left.parameters.tobytes() == right.parameters.tobytes()
            assert before[name].answers() == after[name].answers()
    pairs = loaded.candidate_pairs(log)[:50]
    left = fitted.predictor_.predict_pairs(log, ["views_14d"], pairs)["views_14d"]
    right = loaded.predict_pairs(log, ["views_14d"], pairs)["views_14d"]
    assert left.point.tobytes() == right.point.tobytes()


def test_a_round_trip_keeps_everything_that_is_known(fitted: SSMTL, folder: Path) -> None:
    loaded = SSMTL.load(folder)
    assert loaded.report_ == fitted.report_
    assert loaded.task_graph_ == fitted.task_graph_
    assert loaded.cutoff_at_ == fitted.cutoff_at_
    assert loaded.config == fitted.config
    assert loaded.seed == fitted.seed
    assert {task.name: task for task in loaded.tasks} == {task.name: task for task in fitted.tasks}


def test_the_seasonal_forecasts_of_an_older_model_are_read(folder: Path) -> None:
    description = json.loads((folder / "model.json").read_text())
    forecasts = description.pop("forecasts")
    assert forecasts, "the tasks have a peak period"
    older = Description.model_validate({**description, "seasonal": forecasts})
    assert older.forecasts == Artifact.load(folder).description.forecasts


def test_what_was_loaded_can_be_saved_again(folder: Path, tmp_path: Path) -> None:
    SSMTL.load(folder).save(tmp_path / "again")
    for name in FILES - {"manifest.json", "model.json"}:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert Artifact.load(tmp_path / "again").description == Artifact.load(folder).description


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(InvalidArtifact, match=name):
        Artifact.load(copied)


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_a_damaged_file_is_refused(copied: Path, name: str, place: float) -> None:
    content = bytearray((copied / name).read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    (copied / name).write_bytes(content)
    with pytest.raises(InvalidArtifact):
        Artifact.load(copied)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_cut_off_is_refused(copied: Path, name: str) -> None:
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidArtifact):
        Artifact.load(copied)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, "1", None])
def test_another_format_version_is_refused_with_both(copied: Path, version: object) -> None:
    write_manifest(copied, {**manifest_of(copied), "format_version": version})
    words = f"format version {version}, this program reads {FORMAT_VERSION}: train it again"
    with pytest.raises(InvalidArtifact, match=words):
        Artifact.load(copied)


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {"format_version": FORMAT_VERSION},
        {"format_version": FORMAT_VERSION, "files": []},
        {"format_version": FORMAT_VERSION, "files": {}},
        {"format_version": FORMAT_VERSION, "files": {"model.json": {}}},
        {"format_version": FORMAT_VERSION, "files": {"model.json": "checksum"}},
    ],
)
def test_a_manifest_of_another_shape_is_refused(copied: Path, manifest: object) -> None:
    write_manifest(copied, manifest)
    with pytest.raises(InvalidArtifact):
        Artifact.load(copied)


@pytest.mark.parametrize("name", sorted(FILES - {"manifest.json"}))
def test_a_manifest_that_leaves_a_file_out_is_refused(copied: Path, name: str) -> None:
    manifest = manifest_of(copied)
    del manifest["files"][name]
    write_manifest(copied, manifest)
    with pytest.raises(InvalidArtifact, match=name):
        Artifact.load(copied)


def test_a_manifest_that_points_elsewhere_reads_nothing_there(copied: Path) -> None:
    (copied.parent / "secret").write_text("x")
    manifest = manifest_of(copied)
    manifest["files"]["../secret"] = {"sha256": "0", "bytes": 1}
    write_manifest(copied, manifest)
    with pytest.raises(InvalidArtifact, match=r"lacks \.\./secret"):
        Artifact.load(copied)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, Path.exists])
def test_a_place_without_a_model_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    place = tmp_path / "nothing"
    make(place)
    with pytest.raises(InvalidArtifact, match="holds no model"):
        Artifact.load(place)


def test_nothing_is_pickled(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not content.startswith((b"\x80", b"PK")), path.name
    header = (folder / "weights.safetensors").read_bytes()
    length = int.from_bytes(header[:8], "little")
    assert isinstance(json.loads(header[8 : 8 + length]), dict)


def test_nothing_of_the_self_supervised_tasks_is_left(folder: Path) -> None:
    artifact = Artifact.load(folder)
    assert not [name for name in artifact.weights if "reconstruct" in name or "self:" in name]
    declared = sum(len(tasks) for tasks in artifact.description.tasks.values())
    assert len(artifact.weights["task_embeddings.own"]) == declared
    assert artifact.description.report.self_supervised_tasks > 0
    assert "self:" not in (folder / "model.json").read_text()
    assert b"self:" not in (folder / "weights.safetensors").read_bytes()
    for entity, tasks in artifact.description.tasks.items():
        assert len(artifact.baselines[entity].climatology) == artifact.layout(entity).columns
        assert set(artifact.description.serving) >= {task.name for task in tasks}


def test_weights_that_kinds_share_are_stored_once(folder: Path) -> None:
    artifact = Artifact.load(folder)
    assert [name for name in artifact.weights if "embeddings.item" in name] == [
        "embeddings.item.weight"
    ]


def test_a_folder_that_is_there_is_left_alone(fitted: SSMTL, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="choose a new folder"):
        fitted.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_save_that_fails_leaves_nothing(
    fitted: SSMTL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(3))

    def full(descriptor: int) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        fitted.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_fitted_cannot_be_saved(fitted: SSMTL, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fit the model first"):
        SSMTL(fitted.tasks).save(tmp_path / "model")


def test_weights_are_plain_arrays(folder: Path) -> None:
    for name, array in Artifact.load(folder).weights.items():
        assert isinstance(array, np.ndarray), name
        assert np.isfinite(array).all(), name


def test_the_artifact_says_how_far_from_torch_it_is(fitted: SSMTL, folder: Path) -> None:
    errors = Artifact.load(folder).description.export_errors
    assert set(errors) == {"user", "item", "pair"}
    assert all(0 <= max(error.network, error.joint_head) < 1e-5 for error in errors.values())


def test_a_joint_head_without_its_weights_is_refused(folder: Path) -> None:
    artifact = Artifact.load(folder)
    del artifact.weights["kinds.user.joint.mix"]
    with pytest.raises(InvalidArtifact, match="joint head of users lacks 'mix'"):
        artifact.joint_head("user")


def test_without_the_networks_the_joint_heads_stay(folder: Path) -> None:
    artifact = Artifact.load(folder)
    slim = artifact.without_networks()
    assert artifact.networks
    assert not slim.networks
    assert 0 < len(slim.weights) < len(artifact.weights)
    for entity in artifact.description.tasks:
        slim.joint_head(entity)
