"""The files of a trained model."""

from model.artifact.artifact import FORMAT_VERSION, Artifact, Description, ExportError

__all__ = ["FORMAT_VERSION", "Artifact", "Description", "ExportError"]
