"""The files of a trained model."""

from model.artifact.artifact import FORMAT_VERSION, Artifact, Description

__all__ = ["FORMAT_VERSION", "Artifact", "Description"]
